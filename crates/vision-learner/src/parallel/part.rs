//! Which part of a batch a process has.

use crate::parallel::ranks::Ranks;
use crate::parallel::traffic::Purpose;
use crate::{Error, Result};

/// The rows of a batch that are here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    /// The first of them in the whole batch.
    pub(crate) first: usize,
    pub(crate) own: usize,
    /// Of the whole batch.
    pub(crate) all: usize,
}

/// What a process has of a batch.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Part {
    pub(crate) items: usize,
    /// Images that cannot be decoded.
    pub(crate) skipped: usize,
    /// Height and width of the images.
    pub(crate) size: [usize; 2],
}

impl Part {
    fn numbers(self) -> [u64; 4] {
        [self.items, self.skipped, self.size[0], self.size[1]].map(|n| n as u64)
    }

    fn of(bytes: &[u8]) -> Self {
        let mut numbers = bytes
            .chunks_exact(8)
            .map(|n| u64::from_ne_bytes(n.try_into().unwrap_or_default()) as usize);
        let mut next = || numbers.next().unwrap_or(0);
        Self {
            items: next(),
            skipped: next(),
            size: [next(), next()],
        }
    }
}

impl Ranks {
    /// Puts the parts of a batch together: the rows that are here; the images that no process can decode; and the size of
    /// the images.
    ///
    /// # Errors
    ///
    /// [`Error::RanksDiffer`] if the sizes differ, and [`Error::LostRank`].
    pub(crate) fn join(&self, own: Part) -> Result<(Rows, Part)> {
        let own_numbers = own.numbers();
        let bytes = bytemuck::cast_slice(&own_numbers);
        let all = self.gather_equal(Purpose::Other, bytes)?;
        let parts: Vec<Part> = all.iter().map(|bytes| Part::of(bytes)).collect();
        let size = |part: &Part| (part.items > 0).then_some(part.size);
        let sizes = parts.iter().map(|part| {
            size(part).map_or("none".to_owned(), |[height, width]| {
                format!("{height}x{width}")
            })
        });
        let known = parts.iter().find_map(size);
        if parts
            .iter()
            .filter_map(size)
            .any(|size| Some(size) != known)
        {
            return Err(Error::RanksDiffer {
                field: "the size (height x width) of the images of a batch".to_owned(),
                values: sizes.collect(),
                hint: "give the data a .size(..)",
            });
        }
        let count = |of: fn(&Part) -> usize, parts: &[Part]| parts.iter().map(of).sum();
        let before = &parts[..self.rank()];
        let rows = Rows {
            first: count(|part| part.items, before),
            own: own.items,
            all: count(|part| part.items, &parts),
        };
        let whole = Part {
            items: rows.all,
            skipped: count(|part| part.skipped, &parts),
            size: known.unwrap_or_default(),
        };
        Ok((rows, whole))
    }
}
