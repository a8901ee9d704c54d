//! The end of a residual block: its branch, with a factor for each channel or without, added to its input.
//!
//! ```
//! use vision_kernels::Isa;
//! use vision_kernels::branch::add_branch;
//!
//! let mut y = [0.0; 4];
//! add_branch(Isa::detect(), &[1.0, 2.0, 3.0, 4.0], &[1.0; 4], Some(&[10.0, 0.5]), &mut y)?;
//! assert_eq!(y, [11.0, 2.5, 13.0, 4.5]);
//! # Ok::<(), vision_kernels::ShapeError>(())
//! ```

use crate::blocks::{self, repeated};
use crate::error::check_len;
use crate::isa::{Kernel, Lanes, dispatch};
use crate::{Isa, ShapeError};

/// `y = x + factors * branch`: `x`, `branch` and `y` are `[pixels, channels]`, `factors` `[channels]`. The gradient of the
/// branch and of the factors is that of [`scale_channels`](crate::channel_scale::scale_channels_backward) of one image.
///
/// # Errors
///
/// If a length differs from that of `x`, or is no multiple of that of `factors`.
pub fn add_branch(
    isa: Isa,
    x: &[f32],
    branch: &[f32],
    factors: Option<&[f32]>,
    y: &mut [f32],
) -> Result<(), ShapeError> {
    check_len("branch", x.len(), branch.len())?;
    check_len("y", x.len(), y.len())?;
    if let Some(factors) = factors {
        let pixels = x.len() / factors.len().max(1);
        check_len("x", pixels * factors.len(), x.len())?;
    }
    let factors = factors.map(repeated);
    let factors = factors.as_deref();
    // Whole periods, so that each block begins with channel 0.
    let period = factors.map_or(1, |factors| factors.len().max(1));
    let size = (blocks::BLOCK / period).max(1) * period;
    let parts = x.chunks(size).zip(branch.chunks(size));
    let tasks: Vec<_> = parts
        .zip(y.chunks_mut(size))
        .map(|((x, branch), y)| Add {
            factors,
            x,
            branch,
            y,
        })
        .collect();
    blocks::run(tasks, x.len(), |task| dispatch(isa, task));
    Ok(())
}

struct Add<'a> {
    /// Repeated, see [`repeated`].
    factors: Option<&'a [f32]>,
    x: &'a [f32],
    branch: &'a [f32],
    y: &'a mut [f32],
}

impl Kernel for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Some(factors) = self.factors else {
            for ((y, x), branch) in self.y.iter_mut().zip(self.x).zip(self.branch) {
                *y = x + branch;
            }
            return;
        };
        let period = factors.len();
        let parts = self.x.chunks(period).zip(self.branch.chunks(period));
        for (y, (x, branch)) in self.y.chunks_mut(period).zip(parts) {
            for (((y, x), branch), factor) in y.iter_mut().zip(x).zip(branch).zip(factors) {
                // Not fused: the same bits as Burn's two operations.
                *y = x + branch * factor;
            }
        }
    }
}
