//! Instruction sets, chosen at run time.
//!
//! A kernel is a struct of its arguments that implements `Kernel`: generic, safe code without
//! intrinsics. `dispatch` calls the copy that was compiled for the machine's instruction set. A
//! closure that rayon runs on another thread is compiled separately, so the call belongs *inside*
//! each parallel task, never around the parallel loop.

/// An instruction set that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Isa {
    /// x86-64 with AVX-512 F.
    Avx512,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// 64-bit ARM.
    Neon,
    /// The baseline of the target. Multiplications and additions are rounded separately.
    Portable,
}

impl Isa {
    /// The best instruction set of this machine.
    pub fn detect() -> Self {
        let mut best_first = [Self::Avx512, Self::Avx2, Self::Neon].into_iter();
        best_first
            .find(|isa| isa.is_here())
            .unwrap_or(Self::Portable)
    }

    /// Whether this machine has every feature that the kernels for this instruction set use.
    #[cfg(target_arch = "x86_64")]
    fn is_here(self) -> bool {
        let avx2 = || {
            std::arch::is_x86_feature_detected!("avx2")
                && std::arch::is_x86_feature_detected!("fma")
        };
        match self {
            Self::Avx512 => std::arch::is_x86_feature_detected!("avx512f") && avx2(),
            Self::Avx2 => avx2(),
            Self::Neon => false,
            Self::Portable => true,
        }
    }

    /// Whether this machine has every feature that the kernels for this instruction set use.
    #[cfg(not(target_arch = "x86_64"))]
    fn is_here(self) -> bool {
        match self {
            Self::Avx512 | Self::Avx2 => false,
            // Part of the target.
            Self::Neon => cfg!(target_arch = "aarch64"),
            Self::Portable => true,
        }
    }
}

/// Properties of the instruction set that generic kernel code is compiled for.
pub(crate) trait Lanes: Copy + Send + Sync + 'static {
    /// `f32` values in a register.
    const WIDTH: usize;
    /// Number of vector registers.
    const REGISTERS: usize;
    /// `a * b + c`, rounded once if the instruction set has a fused operation.
    fn mul_add(a: f32, b: f32, c: f32) -> f32;
}

macro_rules! lanes {
    ($($(#[$doc:meta])* $name:ident: $width:literal, $registers:literal, |$a:ident, $b:ident, $c:ident| $fma:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(crate) struct $name;

        impl Lanes for $name {
            const WIDTH: usize = $width;
            const REGISTERS: usize = $registers;

            #[inline(always)]
            fn mul_add($a: f32, $b: f32, $c: f32) -> f32 {
                $fma
            }
        }
    )*};
}

lanes! {
    /// AVX-512 F.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    Avx512: 16, 32, |a, b, c| a.mul_add(b, c);
    /// AVX2 and FMA.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    Avx2: 8, 16, |a, b, c| a.mul_add(b, c);
    /// NEON.
    #[cfg_attr(not(target_arch = "aarch64"), allow(dead_code))]
    Neon: 4, 32, |a, b, c| a.mul_add(b, c);
    /// SSE2 on x86-64; `f32::mul_add` would be a call into the C library here.
    Portable: 4, 16, |a, b, c| a * b + c;
}

/// `f32` values in a register of the set that a kernel runs on.
pub(crate) fn lanes(isa: Isa) -> usize {
    struct Width;
    impl Kernel for Width {
        type Output = usize;

        #[inline(always)]
        fn run<L: Lanes>(self) -> usize {
            L::WIDTH
        }
    }
    dispatch(isa, Width)
}

/// The body of a kernel. `run` and everything hot in it must be `#[inline(always)]`.
pub(crate) trait Kernel {
    /// The result.
    type Output;

    /// Runs the kernel, compiled for `L`.
    fn run<L: Lanes>(self) -> Self::Output;
}

/// Runs a kernel compiled for `isa`, or for the portable set if `isa` belongs to another
/// architecture.
#[inline]
#[allow(unsafe_code)]
pub(crate) fn dispatch<K: Kernel>(isa: Isa, kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f,avx2,fma")]
        fn avx512<K: Kernel>(kernel: K) -> K::Output {
            kernel.run::<Avx512>()
        }
        #[target_feature(enable = "avx2,fma")]
        fn avx2<K: Kernel>(kernel: K) -> K::Output {
            kernel.run::<Avx2>()
        }
        if isa == Isa::Avx512 && isa.is_here() {
            // SAFETY: the machine has all features that the function is compiled with, as just checked.
            return unsafe { avx512(kernel) };
        }
        if matches!(isa, Isa::Avx512 | Isa::Avx2) && Isa::Avx2.is_here() {
            // SAFETY: the machine has all features that the function is compiled with, as just checked.
            return unsafe { avx2(kernel) };
        }
    }
    #[cfg(target_arch = "aarch64")]
    if isa == Isa::Neon {
        // NEON is part of the target: nothing to enable.
        return kernel.run::<Neon>();
    }
    let _ = isa;
    kernel.run::<Portable>()
}

/// Asks the processor to fetch values into its caches, which takes less time than to wait for each
/// line when it is needed.
#[inline(always)]
#[allow(unsafe_code)]
pub(crate) fn prefetch(values: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for line in values.chunks(64 / size_of::<f32>()) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a hint, which may be given for any address and changes no memory; SSE is part of the target.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) };
    }
    let _ = values;
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Width;

    impl Kernel for Width {
        type Output = usize;

        #[inline(always)]
        fn run<L: Lanes>(self) -> usize {
            L::WIDTH
        }
    }

    #[test]
    fn a_kernel_runs_for_the_set_that_is_asked_for_and_for_the_portable_one_elsewhere() {
        for (isa, width) in [
            (Isa::Avx512, 16),
            (Isa::Avx2, 8),
            (Isa::Neon, 4),
            (Isa::Portable, 4),
        ] {
            let found = dispatch(isa, Width);
            // A machine with AVX-512 has AVX2, but not the other way round.
            let fallback = if isa == Isa::Avx512 && Isa::Avx2.is_here() {
                8
            } else {
                4
            };
            let expected = if isa.is_here() { width } else { fallback };
            assert_eq!(found, expected, "{isa:?}");
            println!("{isa:?}: {found} values a register");
        }
        assert!(Isa::detect().is_here());
    }
}
