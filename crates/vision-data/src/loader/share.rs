//! Batches of which each of several processes loads a part.

use std::ops::Range;

use vision_base::OptionError;

use crate::error::{Error, Result};

/// Which part of each batch one of several processes has: the items of a batch in as many runs as there are processes, as
/// even as possible.
///
/// ```
/// use vision_data::Share;
///
/// let share = Share::new(1, 4)?;
/// assert_eq!(share.of(10..20), 12..15);
/// assert_eq!(Share::new(0, 4)?.of(0..3), 0..0);
/// # Ok::<(), vision_data::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    rank: usize,
    ranks: usize,
}

impl Share {
    /// All of each batch.
    pub const WHOLE: Self = Self { rank: 0, ranks: 1 };

    /// That of process `rank`, counted from 0, of so many.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] if there is no such process, or if there are more than 65536.
    pub fn new(rank: usize, ranks: usize) -> Result<Self> {
        if rank < ranks && ranks <= 1 << 16 {
            return Ok(Self { rank, ranks });
        }
        Err(Error::Option(OptionError::new(
            "rank",
            "one below the number of processes, of which there are at most 65536",
            format!("{rank} of {ranks}"),
        )))
    }

    /// The number of processes.
    pub fn ranks(&self) -> usize {
        self.ranks
    }

    /// The part of the items of a batch, given as their places in an order. It is empty if there are fewer items than
    /// processes and others have them.
    pub fn of(&self, batch: Range<usize>) -> Range<usize> {
        let items = batch.len() as u128;
        let end = |rank: usize| batch.start + (items * rank as u128 / self.ranks as u128) as usize;
        end(self.rank)..end(self.rank + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_a_batch_are_all_of_it_in_order_and_differ_by_one_item_at_most() {
        for ranks in 1..9 {
            for items in 0..40 {
                let batch = 5..5 + items;
                let shares: Vec<_> = (0..ranks)
                    .map(|rank| Share { rank, ranks }.of(batch.clone()))
                    .collect();
                let joined: Vec<usize> = shares.iter().cloned().flatten().collect();
                assert_eq!(joined, batch.collect::<Vec<_>>());
                let lens = shares.iter().map(ExactSizeIterator::len);
                let (least, most) = (lens.clone().min(), lens.max());
                assert!(
                    most.zip(least)
                        .is_some_and(|(most, least)| most - least <= 1)
                );
            }
        }
    }
}
