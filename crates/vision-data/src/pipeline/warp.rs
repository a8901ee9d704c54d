//! Maps of the plane as steps, and their descriptions.

use crate::pipeline::canvas::Canvas;
use crate::pipeline::sampling::projective::Map;
use crate::pipeline::step::{Failed, Step};
use crate::transforms::resizing::Resizing;

/// A map that moves the corners of an image.
#[derive(Debug)]
pub(crate) struct Warp(pub(crate) Map);

impl Step for Warp {
    fn apply<'a>(&'a self, canvas: &mut Canvas<'a>) -> Result<(), Failed> {
        canvas.warp(|_, _| self.0);
        Ok(())
    }

    /// Where the corners move, in coordinates from -1 to 1.
    fn words(&self, _: (usize, usize), _: &Resizing) -> String {
        let back = self.0.inverse();
        let corner = |name, x, y| {
            let (x, y) = back.apply(x, y);
            format!("{name} ({x:.3}, {y:.3})")
        };
        format!(
            "corners to {}, {}, {}, {}",
            corner("upper left", -1.0, -1.0),
            corner("lower left", -1.0, 1.0),
            corner("upper right", 1.0, -1.0),
            corner("lower right", 1.0, 1.0)
        )
    }
}

/// Describes the part of the image that a map without rotation shows.
pub(crate) fn shown(map: &Map) -> String {
    let percent = |(coordinate, _): (f64, f64)| 50.0 * (coordinate + 1.0);
    let swapped = |(x, y)| (y, x);
    let [left, right] = [-1.0, 1.0].map(|x| percent(map.apply(x, 0.0)));
    let [top, bottom] = [-1.0, 1.0].map(|y| percent(swapped(map.apply(0.0, y))));
    format!("shows {left:.1} to {right:.1} % across and {top:.1} to {bottom:.1} % down")
}
