//! Parts of an image, cut out and resized before all other steps.

/// A rectangle of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rect {
    pub(crate) top: usize,
    pub(crate) left: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

/// A part of an image to resize, and the window of the result to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) source: Rect,
    /// Height and width that `source` is resized to.
    pub(crate) size: (usize, usize),
    /// The window of the resized part to keep.
    pub(crate) window: Rect,
}

impl Rect {
    pub(crate) fn whole((height, width): (usize, usize)) -> Self {
        Self {
            top: 0,
            left: 0,
            height,
            width,
        }
    }
}

impl Part {
    /// The whole of an image of height and width `source`, resized to `size`.
    pub(crate) fn whole(source: (usize, usize), size: (usize, usize)) -> Self {
        Self {
            source: Rect::whole(source),
            size,
            window: Rect::whole(size),
        }
    }

    pub(crate) fn words(&self) -> String {
        let (from, size) = (self.source, self.size);
        format!(
            "rows {} to {}, columns {} to {}, resized to {}x{}",
            from.top,
            from.top + from.height,
            from.left,
            from.left + from.width,
            size.1,
            size.0
        )
    }
}
