//! The processes of a run, and what they form together: sums, lists and decisions.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use burn::tensor::distributed::{ReduceOperation, all_reduce};
use burn::tensor::{Device, Tensor, TensorData};
use vision_models::state::values;

use crate::parallel::collective::{Collective, LostRank};
use crate::parallel::traffic::{Flow, Purpose, Traffic};
use crate::{Error, Result};

/// The processes that train one model together, as one of them sees them.
#[derive(Debug)]
pub(crate) struct Ranks {
    engine: Box<dyn Collective>,
    /// Whether batch norms normalize with the statistics of the whole batch.
    pub(crate) synchronized: bool,
    /// Once one is lost, nothing is exchanged any more.
    lost: Mutex<Option<LostRank>>,
    traffic: Mutex<Traffic>,
}

impl Ranks {
    pub(super) fn new(engine: Box<dyn Collective>, synchronized: bool) -> Self {
        Self {
            engine,
            synchronized,
            lost: Mutex::default(),
            traffic: Mutex::default(),
        }
    }

    pub(crate) fn rank(&self) -> usize {
        self.engine.rank()
    }

    pub(crate) fn ranks(&self) -> usize {
        self.engine.ranks()
    }

    /// Whether this is the process that prints and writes.
    pub(crate) fn is_main(&self) -> bool {
        self.rank() == 0
    }

    pub(crate) fn engine_name(&self) -> String {
        self.engine.name()
    }

    pub(crate) fn traffic(&self) -> Traffic {
        *self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An error if another process is lost.
    pub(crate) fn check(&self) -> Result<()> {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.clone().map_or(Ok(()), |lost| Err(self.error(lost)))
    }

    /// Tells the others that this process ends with an error of its own.
    pub(crate) fn leave(&self, error: &Error) {
        if self.check().is_err() {
            return;
        }
        let (rank, reason) = (self.rank(), error.to_string());
        self.engine.leave(&reason);
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        *lost = Some(LostRank { rank, reason });
    }

    fn error(&self, LostRank { rank, reason }: LostRank) -> Error {
        Error::LostRank {
            rank,
            ranks: self.ranks(),
            engine: self.engine_name(),
            reason,
        }
    }

    fn exchange(&self, purpose: Purpose, sent: &[&[u8]], received: &mut [&mut [u8]]) -> Result<()> {
        self.check()?;
        let begin = Instant::now();
        let result = self.engine.exchange(sent, received);
        let others = sent.iter().enumerate().filter(|(r, _)| *r != self.rank());
        let flow = Flow {
            exchanges: 1,
            bytes: others.map(|(_, bytes)| bytes.len() as u64).sum(),
            time: begin.elapsed(),
        };
        let mut traffic = self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        traffic.add(purpose, flow);
        result.map_err(|lost| {
            let mut known = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
            *known = Some(lost.clone());
            self.error(lost)
        })
    }

    /// What each rank gives, all of the same length.
    pub(crate) fn gather_equal(&self, purpose: Purpose, own: &[u8]) -> Result<Vec<Vec<u8>>> {
        let mut all = vec![vec![0; own.len()]; self.ranks()];
        let mut received: Vec<&mut [u8]> = all.iter_mut().map(Vec::as_mut_slice).collect();
        self.exchange(purpose, &vec![own; self.ranks()], &mut received)?;
        if let Some(place) = all.get_mut(self.rank()) {
            place.copy_from_slice(own);
        }
        Ok(all)
    }

    /// What each rank gives, of any length.
    pub(crate) fn gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>> {
        let lens = self.gather_equal(Purpose::Other, &(own.len() as u64).to_le_bytes())?;
        let mut all = Vec::with_capacity(lens.len());
        for (rank, bytes) in lens.iter().enumerate() {
            let len = u64::from_le_bytes(bytes.as_slice().try_into().unwrap_or_default());
            let place = zeros(len).ok_or_else(|| {
                let reason = format!("it wants to send {len} bytes, for which there is no memory");
                self.error(LostRank { rank, reason })
            });
            all.push(place?);
        }
        let mut received: Vec<&mut [u8]> = all.iter_mut().map(Vec::as_mut_slice).collect();
        self.exchange(Purpose::Other, &vec![own; self.ranks()], &mut received)?;
        if let Some(place) = all.get_mut(self.rank()) {
            place.copy_from_slice(own);
        }
        Ok(all)
    }

    /// See [`Collective::connected_gpus`].
    pub(super) fn connected_gpus(&self) -> Option<&[Device]> {
        self.engine.connected_gpus()
    }

    /// What the main process gives; that of the others is ignored.
    pub(crate) fn main_bytes(&self, own: Vec<u8>) -> Result<Vec<u8>> {
        let own = if self.is_main() { own } else { Vec::new() };
        let mut all = self.gather(&own)?;
        Ok(all.swap_remove(0))
    }

    /// Whether any rank says so.
    pub(crate) fn any<const N: usize>(&self, own: [bool; N]) -> Result<[bool; N]> {
        let all = self.gather_equal(Purpose::Other, &own.map(u8::from))?;
        Ok(std::array::from_fn(|i| {
            all.iter().any(|bytes| bytes[i] > 0)
        }))
    }

    /// Replaces each value by its sum over all ranks, added in their order. Every rank gets the same bits.
    pub(crate) fn sum(&self, purpose: Purpose, values: &mut [f64]) -> Result<()> {
        let all = self.gather_equal(purpose, bytemuck::cast_slice(values))?;
        values.fill(0.0);
        for bytes in &all {
            for (sum, value) in values.iter_mut().zip(bytes.chunks_exact(8)) {
                *sum += f64::from_ne_bytes(value.try_into().unwrap_or_default());
            }
        }
        Ok(())
    }

    /// The sum of a tensor over all ranks: by the GPUs themselves where they are connected, and otherwise in double precision,
    /// in the order of the ranks.
    pub(crate) fn sum_gradients(&self, own: Tensor<1>) -> Result<Tensor<1>> {
        if let Some(gpus) = self.connected_gpus() {
            // GPUs wait for ever for a rank that is lost. Its own fault reaches a rank when it reads a value.
            values(own.clone().narrow(0, 0, 1));
            self.gather_equal(Purpose::Other, &[])?;
            return Ok(all_reduce(own, ReduceOperation::Sum, gpus.to_vec()).resolve());
        }
        let (device, shape) = (own.device(), own.dims());
        let mut sum = values(own);
        self.sum_list(&mut sum)?;
        Ok(Tensor::from_data(TensorData::new(sum, shape), &device))
    }

    /// [`sum`](Self::sum) of long lists: each rank forms the sum of one run of the list, in double precision, and sends it to
    /// the others. So a rank sends the list less than twice, however many ranks there are.
    fn sum_list(&self, values: &mut [f32]) -> Result<()> {
        let (ranks, rank, len) = (self.ranks(), self.rank(), values.len());
        let end = |r: usize| (len as u128 * r as u128 / ranks as u128) as usize;
        let runs: Vec<_> = (0..ranks).map(|r| end(r)..end(r + 1)).collect();
        let own = runs[rank].clone();

        let mut parts: Vec<Vec<f32>> = (0..ranks)
            .map(|r| vec![0.0; if r == rank { 0 } else { own.len() }])
            .collect();
        let sent: Vec<&[u8]> = runs
            .iter()
            .map(|run| bytemuck::cast_slice(&values[run.clone()]))
            .collect();
        let mut received: Vec<&mut [u8]> = parts
            .iter_mut()
            .map(|part| bytemuck::cast_slice_mut(part))
            .collect();
        self.exchange(Purpose::Gradients, &sent, &mut received)?;
        let mut sums = vec![0.0_f64; own.len()];
        for (r, part) in parts.iter().enumerate() {
            let part = if r == rank {
                &values[own.clone()]
            } else {
                part
            };
            for (sum, value) in sums.iter_mut().zip(part) {
                *sum += f64::from(*value);
            }
        }
        let total: Vec<f32> = sums.into_iter().map(|sum| sum as f32).collect();

        let mut rest = &mut *values;
        let mut received = Vec::with_capacity(ranks);
        for run in &runs {
            let (run, others) = rest.split_at_mut(run.len());
            received.push(bytemuck::cast_slice_mut(run));
            rest = others;
        }
        let sent: Vec<&[u8]> = vec![bytemuck::cast_slice(&total); ranks];
        self.exchange(Purpose::Gradients, &sent, &mut received)?;
        values[own].copy_from_slice(&total);
        Ok(())
    }
}

/// So many zeros, if there is memory for them.
fn zeros(len: u64) -> Option<Vec<u8>> {
    let len = usize::try_from(len).ok()?;
    let mut zeros = Vec::new();
    zeros.try_reserve_exact(len).ok()?;
    zeros.resize(len, 0);
    Some(zeros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_that_no_memory_holds_is_none() {
        assert_eq!(zeros(3), Some(vec![0; 3]));
        assert_eq!(zeros(u64::MAX), None);
    }
}
