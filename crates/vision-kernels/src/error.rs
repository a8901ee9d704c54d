//! What kernels refuse.

use std::{error::Error, fmt};

/// An argument of a kernel has another length than the shapes of the others ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapeError {
    /// The argument's name.
    pub argument: &'static str,
    /// The length that it should have.
    pub expected: usize,
    /// The length that it has.
    pub found: usize,
}

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            argument,
            expected,
            found,
        } = self;
        write!(f, "`{argument}`: expected {expected}, found {found}")
    }
}

impl Error for ShapeError {}

/// Refuses a length other than the expected one.
pub(crate) fn expect(
    argument: &'static str,
    expected: usize,
    found: usize,
) -> Result<(), ShapeError> {
    if expected == found {
        return Ok(());
    }
    Err(ShapeError {
        argument,
        expected,
        found,
    })
}
