//! Paint: pixels drawn over an image, such as holes and noise.

use std::fmt;

use crate::pipeline::window::Window;

/// Something painted over the pixels visible at its step. Later steps move it with the image.
pub(crate) trait Paint: fmt::Debug {
    /// Paints on the planes of red, green and blue of the final visible pixels.
    fn put_on(&self, planes: &mut [f32], layer: &Layer<'_>);
}

/// A paint with its window.
#[derive(Debug)]
pub(crate) struct Layer<'a> {
    paint: &'a dyn Paint,
    /// Height and width of the image that is painted on.
    pub(crate) size: (usize, usize),
    /// Maps the painted image to the final visible pixels.
    pub(crate) window: Window,
}

impl<'a> Layer<'a> {
    /// A paint on an image of this height and width.
    pub(crate) fn new(paint: &'a dyn Paint, size: (usize, usize)) -> Self {
        Self {
            paint,
            size,
            window: Window::whole(size.0, size.1),
        }
    }

    /// Paints on the final planes.
    pub(crate) fn put_on(&self, planes: &mut [f32]) {
        self.paint.put_on(planes, self);
    }
}
