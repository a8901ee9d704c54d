//! Random numbers that depend only on a key.
//!
//! Each decision uses its own generator, keyed by its purpose and by (seed, epoch, index). There is
//! no shared stream, so threads cannot change a result, and an epoch can be repeated without
//! running the earlier ones.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// The purpose of the numbers. Two purposes never share numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// Which items go to validation.
    Split = 1,
    /// The order of the training items in an epoch.
    Order = 2,
    /// The transforms of one item in one epoch.
    Augment = 3,
    /// The drawing of one digit.
    Digit = 4,
    /// The batch transforms of a training batch.
    Mix = 5,
    /// Which items a weighted epoch draws.
    Sample = 6,
}

/// A ChaCha8 stream: the same numbers on every machine and in every version of this crate.
#[derive(Clone, Debug)]
pub(crate) struct Rng(ChaCha8Rng);

impl Rng {
    pub(crate) fn keyed(purpose: Purpose, seed: u64, epoch: u64, index: u64) -> Self {
        let mut key = [0; 32];
        let words = [seed, epoch, index, purpose as u64];
        for (bytes, word) in key.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Uniform in `0.0..1.0`, a multiple of 2⁻⁵³.
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// Skips as many numbers as `numbers` calls of [`uniform`](Self::uniform) would draw.
    pub(crate) fn skip(&mut self, numbers: u64) {
        // Each call takes two 32-bit words.
        let at = self.0.get_word_pos().wrapping_add(2 * u128::from(numbers));
        self.0.set_word_pos(at);
    }

    /// Uniform in `low..high`.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Roughly normal with mean 0 and variance 1. Uses only additions, so that the bits do not
    /// depend on a platform's `ln` and `cos`.
    pub(crate) fn bell(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }

    /// Uniform in `0..n`, without bias; 0 for an empty range.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        if n == 0 {
            return 0;
        }
        // Numbers beyond the last whole multiple of n would favor the small remainders.
        let excess = (u64::MAX % n + 1) % n;
        loop {
            let x = self.0.next_u64();
            if x <= u64::MAX - excess {
                return (x % n) as usize;
            }
        }
    }

    /// The numbers 0 to n - 1 in random order.
    pub(crate) fn order(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        self.shuffle(&mut order);
        order
    }

    /// A separate generator for a part of the work that draws many numbers.
    pub(crate) fn split(&mut self) -> Self {
        let mut key = [0; 32];
        for bytes in key.chunks_exact_mut(8) {
            bytes.copy_from_slice(&self.0.next_u64().to_le_bytes());
        }
        Self(ChaCha8Rng::from_seed(key))
    }

    /// The underlying generator, for distributions of other crates.
    pub(crate) fn source(&mut self) -> &mut ChaCha8Rng {
        &mut self.0
    }

    /// Fisher-Yates shuffle: every order is equally likely.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last + 1);
            items.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_the_key_changes_the_numbers() {
        let first =
            |purpose, seed, epoch, index| Rng::keyed(purpose, seed, epoch, index).0.next_u64();
        let base = first(Purpose::Order, 1, 2, 3);
        assert_eq!(base, first(Purpose::Order, 1, 2, 3));
        for other in [
            first(Purpose::Split, 1, 2, 3),
            first(Purpose::Order, 2, 2, 3),
            first(Purpose::Order, 1, 3, 3),
            first(Purpose::Order, 1, 2, 4),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn the_stream_is_chacha8_as_specified() {
        // The ChaCha8 test vector of draft-strombergsson-chacha-test-vectors (256-bit key of
        // zeros): the first eight bytes of the key stream are 3e00ef2f895f40d6.
        let mut rng = Rng(ChaCha8Rng::from_seed([0; 32]));
        assert_eq!(
            rng.0.next_u64().to_le_bytes(),
            [0x3e, 0x00, 0xef, 0x2f, 0x89, 0x5f, 0x40, 0xd6]
        );
    }

    #[test]
    fn numbers_that_are_skipped_are_those_that_would_be_drawn() {
        let rng = Rng::keyed(Purpose::Augment, 3, 1, 4);
        for n in [0, 1, 7, 8, 1000] {
            let (mut drawn, mut skipped) = (rng.clone(), rng.clone());
            drawn.uniform();
            skipped.uniform();
            for _ in 0..n {
                drawn.uniform();
            }
            skipped.skip(n);
            assert_eq!(drawn.uniform(), skipped.uniform(), "{n}");
        }
    }

    #[test]
    fn uniform_and_bell_have_the_moments_they_claim() {
        let mut rng = Rng::keyed(Purpose::Augment, 0, 0, 0);
        let n = 20_000;
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let uniform: Vec<f64> = (0..n).map(|_| rng.uniform()).collect();
        assert!(uniform.iter().all(|x| (0.0..1.0).contains(x)));
        assert!((mean(&uniform) - 0.5).abs() < 0.01);
        let bell: Vec<f64> = (0..n).map(|_| rng.bell()).collect();
        let squares: Vec<f64> = bell.iter().map(|x| x * x).collect();
        assert!(mean(&bell).abs() < 0.03 && (mean(&squares) - 1.0).abs() < 0.05);
    }

    #[test]
    fn below_reaches_every_number_about_as_often() {
        let mut rng = Rng::keyed(Purpose::Order, 7, 0, 0);
        let mut counts = [0_u32; 5];
        for _ in 0..10_000 {
            counts[rng.below(5)] += 1;
        }
        assert!(
            counts.iter().all(|&n| (1_850..2_150).contains(&n)),
            "{counts:?}"
        );
        assert_eq!(rng.below(0), 0);
    }
}
