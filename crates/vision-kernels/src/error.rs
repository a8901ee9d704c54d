//! What can be wrong with the arguments of a kernel.

use thiserror::Error;

/// Sizes that do not go together. Nothing was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// A slice has another length than its shape says.
    #[error("`{field}` has {found} values where the shape asks for {expected}")]
    Length {
        /// The argument.
        field: &'static str,
        /// Its number of values by the shape.
        expected: usize,
        /// The number of values found.
        found: usize,
    },
    /// A size that must be at least one is zero.
    #[error("`{field}` is 0, and must be at least 1")]
    Zero {
        /// The field of the shape.
        field: &'static str,
    },
    /// The kernel does not fit into the padded picture, so there is no output.
    #[error("the kernel is {kernel} wide, but `{field}` is {padded} with its padding")]
    KernelTooLarge {
        /// Height or width.
        field: &'static str,
        /// The kernel's side.
        kernel: usize,
        /// That side of the picture, padding included.
        padded: usize,
    },
    /// The number of values does not fit into memory.
    #[error("the shape has more values than fit into memory")]
    TooLarge,
    /// Weights were packed for another shape.
    #[error("the weights were packed for `{field}` = {expected}, and are used with {found}")]
    Packed {
        /// The field of the shape, or `pass` where they were packed for the other direction.
        field: &'static str,
        /// Its value when the weights were packed.
        expected: usize,
        /// Its value now.
        found: usize,
    },
}

impl ShapeError {
    /// The argument or field that is wrong; empty where it is all of them together.
    pub fn argument(&self) -> &'static str {
        match self {
            Self::Length { field, .. }
            | Self::Zero { field }
            | Self::KernelTooLarge { field, .. }
            | Self::Packed { field, .. } => field,
            Self::TooLarge => "",
        }
    }
}

/// Checks the length of a slice.
pub(crate) fn check_len(
    field: &'static str,
    expected: usize,
    found: usize,
) -> Result<(), ShapeError> {
    if expected == found {
        Ok(())
    } else {
        Err(ShapeError::Length {
            field,
            expected,
            found,
        })
    }
}
