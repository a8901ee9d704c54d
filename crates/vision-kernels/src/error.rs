//! Errors of kernel arguments.

use thiserror::Error;

/// Sizes that do not fit together. Nothing was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ShapeError {
    /// A slice does not have the length of its shape.
    #[error("`{field}` has {found} values, but the shape needs {expected}")]
    Length {
        /// The argument.
        field: &'static str,
        /// The number of values that the shape needs.
        expected: usize,
        /// The number of values found.
        found: usize,
    },
    /// A size that must be at least one is zero.
    #[error("`{field}` is 0, but must be at least 1")]
    Zero {
        /// The field of the shape.
        field: &'static str,
    },
    /// The kernel does not fit into the padded image, so there is no output.
    #[error("the kernel is {kernel} wide, but `{field}` is {padded} with its padding")]
    KernelTooLarge {
        /// Height or width.
        field: &'static str,
        /// The kernel's side.
        kernel: usize,
        /// That side of the image, padding included.
        padded: usize,
    },
    /// The number of values does not fit into memory.
    #[error("the shape has more values than memory can hold")]
    TooLarge,
    /// Weights were packed for another shape.
    #[error("the weights were packed for `{field}` = {expected}, but are used with {found}")]
    Packed {
        /// The field of the shape, or `pass` if they were packed for the other direction.
        field: &'static str,
        /// Its value when the weights were packed.
        expected: usize,
        /// Its value now.
        found: usize,
    },
    /// The groups of a convolution do not divide its channels.
    #[error("`{field}` is {channels}, which is not a multiple of the {groups} groups")]
    Groups {
        /// The field of the shape.
        field: &'static str,
        /// The number of channels.
        channels: usize,
        /// The number of groups.
        groups: usize,
    },
    /// The gradient of a residual was requested before an activation whose gradient needs its input.
    #[error(
        "the gradient of a residual needs an activation whose gradient follows from its output, such as ReLU"
    )]
    ResidualGradient,
}

impl ShapeError {
    /// The argument or field that is wrong. Empty if it is all of them together.
    pub fn argument(&self) -> &'static str {
        match self {
            Self::Length { field, .. }
            | Self::Zero { field }
            | Self::KernelTooLarge { field, .. }
            | Self::Packed { field, .. }
            | Self::Groups { field, .. } => field,
            Self::ResidualGradient => "dresidual",
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
