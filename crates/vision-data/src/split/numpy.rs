//! The subset of numpy's legacy generator that fastai's splits need.

use rand_mt::Mt;

/// The result of `numpy.random.seed(seed); numpy.random.permutation(items)`.
///
/// The seed goes to MT19937's `init_genrand`. The Fisher-Yates shuffle draws each position by
/// rejection under the smallest mask of ones that covers it (numpy's `random_interval`).
pub(super) fn permutation(items: usize, seed: u32) -> Vec<usize> {
    let mut generator = Mt::new(seed);
    let mut order: Vec<usize> = (0..items).collect();
    for last in (1..items).rev() {
        let other = interval(&mut generator, last as u64);
        order.swap(last, other as usize);
    }
    order
}

/// A uniform integer in `0..=most`.
fn interval(generator: &mut Mt, most: u64) -> u64 {
    let mask = u64::MAX >> most.leading_zeros().min(63);
    loop {
        let value = if most <= u64::from(u32::MAX) {
            u64::from(generator.next_u32())
        } else {
            // The high word comes first.
            let high = u64::from(generator.next_u32());
            high << 32 | u64::from(generator.next_u32())
        };
        if value & mask <= most {
            return value & mask;
        }
    }
}
