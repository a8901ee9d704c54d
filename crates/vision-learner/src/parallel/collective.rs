//! What connects the processes of a run.

use std::fmt;

use burn::tensor::Device;
use thiserror::Error;

/// A connection between the processes that train one model together, numbered from 0: their ranks. [`Sockets`] is one, and so
/// are [`Gpus`] and, behind the feature `mpi`, `Mpi`.
///
/// Everything that the processes tell each other goes through [`exchange`](Self::exchange), except gradients between
/// [connected GPUs](Self::connected_gpus). Sums are formed from it in the order of the ranks, so that a run with a given number of
/// processes is repeatable bit for bit, whatever connects them. Connected GPUs add up gradients in an order of their own.
///
/// [`Gpus`]: crate::Gpus
/// [`Sockets`]: crate::Sockets
pub trait Collective: fmt::Debug + Send + Sync {
    /// Its name in messages.
    fn name(&self) -> String;

    /// The number of this process, from 0.
    fn rank(&self) -> usize;

    /// The number of processes, at least 1.
    fn ranks(&self) -> usize;

    /// Sends `sent[r]` to each other rank `r`, and fills `received[r]` with what that rank sends here. Both lists have an
    /// entry for each rank; that of this rank is ignored. Every rank calls this at the same place of its work, with lists
    /// that fit those of the others: `received[r]` is as long as what rank `r` sends here.
    ///
    /// # Errors
    ///
    /// [`LostRank`] if a rank has left, has died, sends something else, or takes longer than a limit.
    fn exchange(&self, sent: &[&[u8]], received: &mut [&mut [u8]]) -> Result<(), LostRank>;

    /// The GPUs of all ranks in their order, if Burn can add up tensors over them without a way through the memory of the processor;
    /// gradients then take that way. Either all ranks say so, or none. Default: `None`.
    fn connected_gpus(&self) -> Option<&[Device]> {
        None
    }

    /// Tells the other ranks that this one cannot go on, so that their [`exchange`](Self::exchange) ends with this reason.
    /// Nothing is exchanged afterwards.
    fn leave(&self, reason: &str);
}

/// A process that no longer takes part.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("rank {rank}: {reason}")]
pub struct LostRank {
    /// Its number.
    pub rank: usize,
    /// What is known about it.
    pub reason: String,
}
