//! Image sizes.

use std::fmt;

use serde::Serialize;

/// The size of an image in pixels, written as `640x480` (width first).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PixelSize {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

impl fmt::Display for PixelSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}
