//! A zoom with a change of the aspect ratio.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::pipeline::canvas::Canvas;
use crate::pipeline::sampling::projective::Map;
use crate::pipeline::step::{Failed, Step};
use crate::pipeline::warp::shown;
use crate::rng::Rng;
use crate::transforms::bounds::Bounds;
use crate::transforms::kind::{Kind, order, places, probability, rules};
use crate::transforms::resizing::Resizing;

/// Zooms and changes the aspect ratio, within the image; used by fastai's
/// [`rand_resize_crop`](crate::presets::rand_resize_crop). Tries eight pairs of scale and squish; if
/// none fits, uses the largest centered square.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZoomSquish {
    /// Area of the image divided by the visible area, at least 1.
    pub scale: Bounds,
    /// Aspect ratio of the visible part: width / height or height / width, equally likely.
    pub squish: Bounds,
    /// The vertical position of the visible part, from top (0) to bottom (1).
    pub row: Bounds,
    /// The horizontal position of the visible part, from left (0) to right (1).
    pub col: Bounds,
    /// Probability.
    pub p: f64,
}

impl Kind for ZoomSquish {
    fn order(&self) -> i8 {
        order::COORDINATES
    }

    probability!();

    fn check(&self) -> Result<(), &'static str> {
        rules([
            places(&self.row, &self.col),
            (
                self.scale.within(1.0, 1e3),
                "`scale` with low <= high, both in [1, 1000]",
            ),
            (
                self.squish.within(1e-3, 1e3),
                "`squish` with low <= high, both in [0.001, 1000]",
            ),
        ])
    }

    fn draw(&self, rng: &mut Rng) -> Arc<dyn Step> {
        Arc::new(ZoomSquished {
            tries: [(); 8].map(|()| {
                (
                    self.scale.draw(rng),
                    self.squish.draw(rng),
                    rng.uniform() < 0.5,
                )
            }),
            row: self.row.draw(rng),
            col: self.col.draw(rng),
        })
    }
}

/// A drawn zoom: eight attempts.
#[derive(Debug)]
struct ZoomSquished {
    /// Scale, squish, and whether the squish is inverted.
    tries: [(f64, f64, bool); 8],
    row: f64,
    col: f64,
}

impl ZoomSquished {
    /// The map for a grid of this size.
    fn map(&self, height: usize, width: usize) -> Map {
        for (scale, squish, inverted) in self.tries {
            let (side, squish) = (1.0 / scale.sqrt(), squish.sqrt());
            let (long, short) = (side * squish, side / squish);
            if long <= 1.0 && short <= 1.0 {
                let (w, h) = if inverted {
                    (short, long)
                } else {
                    (long, short)
                };
                return Map::stretch(
                    w,
                    h,
                    (1.0 - w) * (2.0 * self.col - 1.0),
                    (1.0 - h) * (2.0 * self.row - 1.0),
                );
            }
        }
        let ratio = width as f64 / height as f64;
        if ratio > 1.0 {
            Map::stretch(1.0 / ratio, 1.0, 0.0, 0.0)
        } else {
            Map::stretch(1.0, ratio, 0.0, 0.0)
        }
    }
}

impl Step for ZoomSquished {
    fn apply<'a>(&'a self, canvas: &mut Canvas<'a>) -> Result<(), Failed> {
        canvas.warp(|height, width| self.map(height, width));
        Ok(())
    }

    fn words(&self, source: (usize, usize), resizing: &Resizing) -> String {
        let (height, width) = resizing.resized(source);
        shown(&self.map(height, width))
    }
}

#[cfg(test)]
mod tests {
    use std::any::Any;

    use super::*;
    use crate::rng::Purpose;

    #[test]
    fn it_never_looks_beyond_the_image() {
        let squish = ZoomSquish {
            scale: [1.0, 2.0].into(),
            squish: [0.75, 1.33].into(),
            row: Bounds::PART,
            col: Bounds::PART,
            p: 1.0,
        };
        for index in 0..500 {
            let drawn = squish.draw(&mut Rng::keyed(Purpose::Augment, 11, 0, index));
            let drawn: &dyn Any = drawn.as_ref();
            let drawn: Option<&ZoomSquished> = drawn.downcast_ref();
            let map = drawn.map(|drawn| drawn.map(300, 200));
            for corner in [(-1.0, -1.0), (1.0, 1.0)] {
                let place = map.map(|map| map.apply(corner.0, corner.1));
                let within = |(x, y): (f64, f64)| x.abs() <= 1.0 + 1e-9 && y.abs() <= 1.0 + 1e-9;
                assert!(place.is_some_and(within), "{place:?}");
            }
        }
    }
}
