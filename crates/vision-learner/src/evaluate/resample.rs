//! Random samples of items with replacement.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Draws samples of `0..items` with replacement, each as large as the whole. The same on every machine.
pub(super) struct Resample {
    rng: ChaCha8Rng,
    items: usize,
}

impl Resample {
    pub(super) fn new(items: usize, seed: u64) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            items,
        }
    }

    /// Positions of a sample.
    pub(super) fn draw(&mut self) -> impl Iterator<Item = usize> + '_ {
        let (rng, items) = (&mut self.rng, self.items);
        // The upper half of the product is uniform but for a bias of items / 2⁶⁴.
        (0..items).map(move |_| ((u128::from(rng.next_u64()) * items as u128) >> 64) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_as_likely_and_a_seed_repeats() {
        let mut counts = [0_usize; 5];
        let mut resample = Resample::new(5, 7);
        let first: Vec<usize> = resample.draw().collect();
        assert_eq!(first, Resample::new(5, 7).draw().collect::<Vec<_>>());
        for _ in 0..4_000 {
            for item in resample.draw() {
                counts[item] += 1;
            }
        }
        // Binomial, with a mean of 4000 and a standard deviation of 57.
        assert!(
            counts.iter().all(|count| count.abs_diff(4_000) < 5 * 57),
            "{counts:?}"
        );
    }
}
