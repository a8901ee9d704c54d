//! Which instructions a kernel is compiled to, chosen when it runs.
//!
//! A kernel is a struct of its arguments that implements `Kernel`: generic, safe code without
//! intrinsics. `dispatch` calls the copy of it that was compiled for the machine's instruction set. Since
//! a closure that rayon runs on another thread is compiled on its own, the call belongs *inside* each
//! parallel task, never around the parallel loop.

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
    /// Whatever the target promises; multiplications and additions are rounded one by one.
    Portable,
}

impl Isa {
    /// The best one that this machine has.
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if std::arch::is_x86_feature_detected!("avx512f")
                && std::arch::is_x86_feature_detected!("fma")
            {
                return Self::Avx512;
            }
            if std::arch::is_x86_feature_detected!("avx2")
                && std::arch::is_x86_feature_detected!("fma")
            {
                return Self::Avx2;
            }
        }
        if cfg!(target_arch = "aarch64") {
            return Self::Neon;
        }
        Self::Portable
    }
}

/// What generic kernel code knows of the instruction set that it is compiled for.
pub(crate) trait Lanes: Copy + Send + Sync + 'static {
    /// `f32` values in a register.
    const WIDTH: usize;
    /// Vector registers.
    const REGISTERS: usize;
    /// `a * b + c`, in one rounding where the instruction set has that.
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

/// The body of a kernel. `run` must be `#[inline(always)]`, and so must everything in it that is hot.
pub(crate) trait Kernel {
    /// What it computes.
    type Output;

    /// Runs it, compiled for `L`.
    fn run<L: Lanes>(self) -> Self::Output;
}

/// Runs a kernel compiled for `isa`, or for the portable set where `isa` is another architecture's.
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
        if isa == Isa::Avx512 && std::arch::is_x86_feature_detected!("avx512f") {
            // SAFETY: the machine has the features that the function is compiled with, as just checked
            // (a machine with AVX-512 F has AVX2 and FMA).
            return unsafe { avx512(kernel) };
        }
        if matches!(isa, Isa::Avx512 | Isa::Avx2)
            && std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("fma")
        {
            // SAFETY: as just checked.
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
    fn a_kernel_runs_for_the_set_that_was_detected_and_for_the_portable_one() {
        let best = match Isa::detect() {
            Isa::Avx512 => 16,
            Isa::Avx2 => 8,
            _ => 4,
        };
        assert_eq!(dispatch(Isa::detect(), Width), best);
        assert_eq!(dispatch(Isa::Portable, Width), 4);
    }
}
