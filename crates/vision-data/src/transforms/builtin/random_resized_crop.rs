//! A random crop, resized.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::pipeline::canvas::Canvas;
use crate::pipeline::crop::{Part, Rect};
use crate::pipeline::step::{Failed, Step};
use crate::rng::Rng;
use crate::transforms::bounds::Bounds;
use crate::transforms::kind::{Kind, order, rules};
use crate::transforms::resizing::Resizing;

/// Cuts out a rectangle of random size and shape and resizes it to the size of the data, like torchvision's
/// `RandomResizedCrop`: with Pillow's antialiasing bilinear filter, which averages all pixels when it
/// reduces an image. For training. Needs a size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomResizedCrop {
    /// Bounds of the area of the crop relative to the image, from 0 (exclusive) to 1.
    pub scale: Bounds,
    /// Bounds of the aspect ratio (width / height); its logarithm is uniform.
    pub ratio: Bounds,
}

impl Kind for RandomResizedCrop {
    fn order(&self) -> i8 {
        order::PART
    }

    fn needs_size(&self) -> bool {
        true
    }

    fn check(&self) -> Result<(), &'static str> {
        rules([
            (
                self.scale.within(1e-4, 1.0),
                "`scale` with low <= high, both in [0.0001, 1]",
            ),
            (
                self.ratio.within(1e-3, 1e3),
                "`ratio` with low <= high, both in [0.001, 1000]",
            ),
        ])
    }

    fn draw(&self, rng: &mut Rng) -> Arc<dyn Step> {
        Arc::new(Attempts::new(self, rng))
    }
}

/// A drawn crop: ten attempts.
#[derive(Debug)]
pub(crate) struct Attempts {
    /// Relative area and aspect ratio of each attempt.
    tries: [(f64, f64); 10],
    /// The position, as a fraction of the free space.
    row: f64,
    col: f64,
    ratio: Bounds,
}

impl Step for Attempts {
    fn apply<'a>(&'a self, canvas: &mut Canvas<'a>) -> Result<(), Failed> {
        canvas.resize_part(|source, target| self.part(source, target));
        Ok(())
    }

    fn words(&self, source: (usize, usize), resizing: &Resizing) -> String {
        let part = self.part(source, resizing.target(source));
        part.words()
    }
}

impl Attempts {
    pub(crate) fn new(crop: &RandomResizedCrop, rng: &mut Rng) -> Self {
        Self {
            tries: [(); 10].map(|()| (crop.scale.draw(rng), crop.ratio.draw_log(rng))),
            row: rng.uniform(),
            col: rng.uniform(),
            ratio: crop.ratio,
        }
    }

    /// The crop of an image of height and width `source`, resized to `target`.
    pub(crate) fn part(&self, source: (usize, usize), target: (usize, usize)) -> Part {
        Part {
            source: self.rect(source),
            size: target,
            window: Rect::whole(target),
        }
    }

    /// The first attempt that fits; otherwise the largest centered rectangle of an allowed aspect ratio.
    fn rect(&self, (height, width): (usize, usize)) -> Rect {
        let (h, w) = (height as f64, width as f64);
        for (part, ratio) in self.tries {
            let area = part * h * w;
            let side = |area: f64| area.sqrt().round_ties_even() as usize;
            let (rows, cols) = (side(area / ratio), side(area * ratio));
            if (1..=height).contains(&rows) && (1..=width).contains(&cols) {
                let place = |spare: usize, part: f64| ((spare + 1) as f64 * part) as usize;
                return Rect {
                    top: place(height - rows, self.row),
                    left: place(width - cols, self.col),
                    height: rows,
                    width: cols,
                };
            }
        }
        let side = |length: f64, most: usize| (length.round_ties_even() as usize).clamp(1, most);
        let (low, high) = (self.ratio.low(), self.ratio.high());
        let (rows, cols) = if w / h < low {
            (side(w / low, height), width)
        } else if w / h > high {
            (height, side(h * high, width))
        } else {
            (height, width)
        };
        Rect {
            top: (height - rows) / 2,
            left: (width - cols) / 2,
            height: rows,
            width: cols,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Purpose;

    fn rects(scale: [f64; 2], source: (usize, usize), n: u64) -> Vec<Rect> {
        let (scale, ratio) = (scale.into(), [3.0 / 4.0, 4.0 / 3.0].into());
        (0..n)
            .map(|i| {
                let mut rng = Rng::keyed(Purpose::Augment, 2, 0, i);
                Attempts::new(&RandomResizedCrop { scale, ratio }, &mut rng)
                    .part(source, (8, 8))
                    .source
            })
            .collect()
    }

    #[test]
    fn areas_and_places_of_random_parts_follow_from_torchvisions_definition() {
        let n = 4_000;
        let rects = rects([0.08, 1.0], (1_000, 1_000), n);
        // A relative area A with ratio exp(u), u uniform within ±L, L = ln(4/3), fits if A <= exp(-|u|).
        // The mean of those that fit is E[exp(-2|u|) - 0.08²] / 2 / E[exp(-|u|) - 0.08], where
        // E[exp(-k|u|)] = (1 - exp(-kL)) / (kL).
        let log = (4.0_f64 / 3.0).ln();
        let moment = |k: f64| (1.0 - (-k * log).exp()) / (k * log);
        let expected = (moment(2.0) - 0.08 * 0.08) / 2.0 / (moment(1.0) - 0.08);
        let areas = rects.iter().map(|r| (r.height * r.width) as f64 / 1e6);
        let mean = areas.sum::<f64>() / n as f64;
        // The standard deviation of one is below 1/2, as for any number within [0, 1]; five of 0.5 /
        // sqrt(4000).
        assert!((mean - expected).abs() < 0.04, "{mean}, {expected}");
        for r in &rects {
            let ratio = r.width as f64 / r.height as f64;
            assert!((0.745..1.345).contains(&ratio) && r.height * r.width >= 79_000);
        }
        let share = |part: &dyn Fn(&Rect) -> f64| rects.iter().map(part).sum::<f64>() / n as f64;
        let row = share(&|r| r.top as f64 / (1_000 - r.height).max(1) as f64);
        let col = share(&|r| r.left as f64 / (1_000 - r.width).max(1) as f64);
        assert!(
            (row - 0.5).abs() < 0.04 && (col - 0.5).abs() < 0.04,
            "{row} {col}"
        );
    }

    #[test]
    fn where_no_attempt_fits_the_middle_is_taken_as_torchvision_does() {
        // Height is a tenth of width: height 10, width round(10 · 4/3) = 13, left (100 - 13) // 2.
        let wide = Rect {
            top: 0,
            left: 43,
            height: 10,
            width: 13,
        };
        assert_eq!(rects([1.0, 1.0], (10, 100), 3), [wide; 3]);
        // The reverse: round(10 / 0.75) = 13.
        let high = Rect {
            top: 43,
            left: 0,
            height: 13,
            width: 10,
        };
        assert_eq!(rects([1.0, 1.0], (100, 10), 3), [high; 3]);
        let one = Rect::whole((1, 1));
        assert_eq!(rects([0.08, 1.0], (1, 1), 3), [one; 3]);
    }
}
