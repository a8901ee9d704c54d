//! What is wrong with a TIFF.

use crate::image::decoders::shared::CONVERT;
use crate::image::problem::ImageProblem;

pub(super) type Result<T> = std::result::Result<T, ImageProblem>;

/// A kind that is not read.
pub(super) fn unsupported(what: &str) -> ImageProblem {
    ImageProblem::Unsupported(format!("a TIFF with {what}; {CONVERT}"))
}
