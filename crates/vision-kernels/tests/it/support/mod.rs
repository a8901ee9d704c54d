//! Shared code of the tests.

pub(crate) mod convolution;

use vision_kernels::Isa;
use vision_kernels::activation::Activation;

/// Every instruction set. One that the machine lacks runs as the portable one.
pub(crate) const ISAS: [Isa; 4] = [Isa::Portable, Isa::Avx2, Isa::Avx512, Isa::Neon];

/// Every activation function.
pub(crate) const ACTIVATIONS: [Activation; 7] = [
    Activation::Relu,
    Activation::Relu6,
    Activation::Silu,
    Activation::HardSwish,
    Activation::HardSigmoid,
    Activation::Sigmoid,
    Activation::Gelu,
];

/// Pseudo-random values from a seed, uniform over -1 to 1 (splitmix64).
#[derive(Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn value(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    pub(crate) fn values(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| self.value()).collect()
    }

    /// Small integers, hence ties, with occasional NaN and infinities.
    pub(crate) fn odd_values(&mut self, len: usize) -> Vec<f32> {
        let odd = |bits: u64| match bits % 50 {
            0 => f32::NAN,
            1 => f32::INFINITY,
            2 => f32::NEG_INFINITY,
            other => (other % 7) as f32 - 3.0,
        };
        (0..len).map(|_| odd(self.bits() >> 20)).collect()
    }
}

/// Runs on a separate pool with this many threads.
pub(crate) fn on<R: Send>(threads: usize, run: impl FnOnce() -> R + Send) -> R {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap();
    pool.install(run)
}

/// Checks that the arrays that `run` computes have the same bits on 1, 2, and 3 threads.
pub(crate) fn same_on_any_threads(run: impl Fn(Isa) -> Vec<Vec<f32>> + Send + Sync) {
    for isa in ISAS {
        let bits = |threads| {
            let arrays = on(threads, || run(isa));
            let bits = arrays.iter().map(|a| a.iter().map(|v| v.to_bits()));
            bits.map(Iterator::collect).collect::<Vec<Vec<u32>>>()
        };
        let one = bits(1);
        assert!(one == bits(2), "{isa:?}, 2 threads");
        assert!(one == bits(3), "{isa:?}, 3 threads");
    }
}

/// Checks that two arrays agree: NaN with NaN, infinity with infinity, and other values up to
/// `tolerance`, relative to the greatest expected magnitude above 1.
#[track_caller]
pub(crate) fn close(what: &str, found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}: length");
    let finite = expected.iter().filter(|v| v.is_finite());
    let scale = finite.fold(1.0_f64, |a, b| a.max(b.abs()));
    for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let same = if expected.is_finite() {
            (f64::from(found) - expected).abs() <= tolerance * scale
        } else {
            f64::from(found) == expected || (found.is_nan() && expected.is_nan())
        };
        assert!(same, "{what}[{i}]: {found}, expected {expected}");
    }
}

/// The values as `f64`.
pub(crate) fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}
