//! What is painted on an image, and where it is seen in the end.

use std::fmt;

use crate::pipeline::window::Window;

/// Something that is painted on all that is seen before the steps that come after it.
pub(crate) trait Paint: fmt::Debug {
    /// Paints on the planes of red, green and blue of what is seen in the end.
    fn put_on(&self, planes: &mut [f32], layer: &Layer<'_>);
}

/// A paint on its image.
#[derive(Debug)]
pub(crate) struct Layer<'a> {
    paint: &'a dyn Paint,
    /// Height and width of what is painted on.
    pub(crate) size: (usize, usize),
    /// What later steps leave of it, and where.
    pub(crate) window: Window,
}

impl<'a> Layer<'a> {
    /// On an image of this height and width.
    pub(crate) fn new(paint: &'a dyn Paint, size: (usize, usize)) -> Self {
        Self {
            paint,
            size,
            window: Window::whole(size.0, size.1),
        }
    }

    /// Paints.
    pub(crate) fn put_on(&self, planes: &mut [f32]) {
        self.paint.put_on(planes, self);
    }
}
