//! Shared code of the benchmarks.

use std::time::Duration;

use criterion::Criterion;
use vision_kernels::Isa;

/// The instruction set. `ISA=avx2` or `ISA=portable` times the code for older machines.
pub(crate) fn isa() -> Isa {
    match std::env::var("ISA").as_deref() {
        Ok("portable") => Isa::Portable,
        Ok("avx2") => Isa::Avx2,
        _ => Isa::detect(),
    }
}

/// Short runs: kernels take the same time on each run, and there are many of them.
pub(crate) fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400))
        .without_plots()
        .configure_from_args()
}

/// Values between -1 and 1.
pub(crate) fn values(len: usize) -> Vec<f32> {
    (0..len as u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / 8_388_608.0 - 1.0)
        .collect()
}
