//! A running average of weights, in one pass over memory.
//!
//! ```
//! use vision_kernels::{Isa, average};
//!
//! let mut mean = [1.0, 2.0];
//! average::move_to(Isa::detect(), &mut mean, &[3.0, 2.0], 0.25)?;
//! assert_eq!(mean, [1.5, 2.0]);
//! # Ok::<(), vision_kernels::ShapeError>(())
//! ```

use crate::blocks::{self, BLOCK};
use crate::error::check_len;
use crate::isa::{Kernel, Lanes, dispatch};
use crate::{Isa, ShapeError};

/// Moves each average by a part of the way to its value, in place: `average + part (value - average)`, as PyTorch's
/// `lerp`. An average that is equal to its value stays as it is, bit for bit.
///
/// # Errors
///
/// If the lengths differ.
pub fn move_to(isa: Isa, average: &mut [f32], value: &[f32], part: f64) -> Result<(), ShapeError> {
    check_len("value", average.len(), value.len())?;
    let (elements, part) = (average.len(), part as f32);
    let pairs = average.chunks_mut(BLOCK).zip(value.chunks(BLOCK));
    let tasks = pairs.map(|(average, value)| Move {
        part,
        average,
        value,
    });
    blocks::run(tasks.collect(), elements, |task| dispatch(isa, task));
    Ok(())
}

struct Move<'a> {
    part: f32,
    average: &'a mut [f32],
    value: &'a [f32],
}

impl Kernel for Move<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        for (average, value) in self.average.iter_mut().zip(self.value) {
            *average = L::mul_add(self.part, value - *average, *average);
        }
    }
}
