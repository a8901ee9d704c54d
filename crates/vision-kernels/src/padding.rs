//! Zeros around images.

/// Zeros around an image, in pixels: before and after its rows, and before and after its columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Padding {
    /// Above and below.
    pub rows: [usize; 2],
    /// To the left and to the right.
    pub columns: [usize; 2],
}

impl Padding {
    /// As many on each of the four sides.
    pub const fn same(pixels: usize) -> Self {
        Self {
            rows: [pixels; 2],
            columns: [pixels; 2],
        }
    }

    /// The number on each side, if all sides have as many.
    pub fn uniform(&self) -> Option<usize> {
        let pixels = self.rows[0];
        (*self == Self::same(pixels)).then_some(pixels)
    }
}

impl From<usize> for Padding {
    fn from(pixels: usize) -> Self {
        Self::same(pixels)
    }
}

/// A side with its zeros; saturates.
pub(crate) fn padded(side: usize, [before, after]: [usize; 2]) -> usize {
    side.saturating_add(before).saturating_add(after)
}
