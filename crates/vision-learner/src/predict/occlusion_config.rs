//! Settings of occlusion maps.

use std::ops::Range;

use vision_base::OptionError;

use crate::Result;

/// The color of the square that hides a part of the image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OcclusionFill {
    /// The mean color of the image.
    #[default]
    Mean,
    /// Gray, half-way between black and white.
    Gray,
}

/// Settings of [`Learner::occlusion_with`](crate::Learner::occlusion_with).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct OcclusionConfig {
    pub(super) class: Option<String>,
    pub(super) fill: OcclusionFill,
    side: Option<usize>,
    stride: Option<usize>,
}

impl OcclusionConfig {
    /// A square of a quarter of the image's shorter side, which moves by half of its own side.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the class, by its name. Default: the predicted class.
    pub fn with_class(mut self, class: impl Into<String>) -> Self {
        self.class = Some(class.into());
        self
    }

    /// Sets the side of the square, in pixels of the image as the model sees it: from 1 to the image's shorter side. Default:
    /// a quarter of that.
    pub fn with_side(mut self, pixels: usize) -> Self {
        self.side = Some(pixels);
        self
    }

    /// Sets how far the square moves, in pixels: from 1 to its side. Default: half of its side. The model runs once for each
    /// place, so half the stride takes four times as long.
    pub fn with_stride(mut self, pixels: usize) -> Self {
        self.stride = Some(pixels);
        self
    }

    /// Sets the color of the square. Default: the mean color of the image.
    pub fn with_fill(mut self, fill: OcclusionFill) -> Self {
        self.fill = fill;
        self
    }

    /// The rows and the columns that the squares hide in an image of this height and width.
    pub(super) fn hidden(&self, size: [usize; 2]) -> Result<[Vec<Range<usize>>; 2]> {
        let shorter = size[0].min(size[1]);
        let side = self.side.unwrap_or((shorter / 4).max(1));
        if !(1..=shorter).contains(&side) {
            let expected = format!("1 to {shorter} pixels, the shorter side of the image");
            return Err(OptionError::new("side", expected, side).into());
        }
        let stride = self.stride.unwrap_or((side / 2).max(1));
        if !(1..=side).contains(&stride) {
            let expected = format!("1 to {side} pixels, the side of the square");
            return Err(OptionError::new("stride", expected, stride).into());
        }
        Ok(size.map(|length| along(length, side, stride)))
    }
}

/// Divides `length` pixels into as many equal cells as strides, and lays the center of a square on that of each cell; what
/// extends beyond the image is cut off.
fn along(length: usize, side: usize, stride: usize) -> Vec<Range<usize>> {
    let cells = length.div_ceil(stride);
    let range = |cell: usize| {
        // The start is `(cell + 1/2) · length / cells - side / 2`, rounded down.
        let center = (2 * cell + 1) * length;
        let (start, cut) = match center.checked_sub(side * cells) {
            Some(start) => (start / (2 * cells), 0),
            None => (0, (side * cells - center).div_ceil(2 * cells)),
        };
        start..(start + side - cut).min(length)
    };
    (0..cells).map(range).collect()
}
