//! Keys of random streams.

/// A distinct key for every (seed, epoch, batch): SplitMix64 over each in turn.
pub(crate) fn key(seed: u64, epoch: u64, batch: u64) -> u64 {
    [seed, epoch, batch].into_iter().fold(0, |hash, part| {
        let mut z = (hash ^ part).wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dropout_key_differs_between_seeds_epochs_and_batches() {
        let mut keys: Vec<u64> = Vec::new();
        for seed in 0..4 {
            for epoch in 0..4 {
                keys.extend((0..4).map(|batch| key(seed, epoch, batch)));
            }
        }
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 64);
    }
}
