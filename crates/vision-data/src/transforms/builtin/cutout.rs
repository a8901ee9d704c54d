//! Black squares.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::pipeline::canvas::Canvas;
use crate::pipeline::paint::{Layer, Paint};
use crate::pipeline::step::{Failed, Step};
use crate::rng::Rng;
use crate::transforms::bounds::Bounds;
use crate::transforms::kind::{Kind, order, probability, rules};
use crate::transforms::resizing::Resizing;
use crate::transforms::size::Size;

/// Puts black squares on the image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cutout {
    /// The number of squares.
    pub holes: Bounds<u32>,
    /// The side in pixels. The centers are anywhere in the image, so squares may extend beyond the edge.
    pub length: Bounds<u32>,
    /// Probability.
    pub p: f64,
}

impl Kind for Cutout {
    fn order(&self) -> i8 {
        order::CUTOUT
    }

    probability!();

    fn check(&self) -> Result<(), &'static str> {
        // Guard against typos that would take hours.
        let most = Size::MAX_SIDE as u32;
        rules([
            (
                self.holes.within(0, 100),
                "`holes` with low <= high, both in [0, 100]",
            ),
            (
                self.length.within(0, most),
                "`length` with low <= high, both in [0, 16384]",
            ),
        ])
    }

    fn draw(&self, rng: &mut Rng) -> Arc<dyn Step> {
        let holes = self.holes.draw(rng);
        let hole = |_| (rng.uniform(), rng.uniform(), self.length.draw(rng));
        Arc::new(Holes((0..holes).map(hole).collect()))
    }
}

/// For each hole, row and column of its center relative to the image (0 to 1), and its side in pixels.
#[derive(Debug)]
pub(crate) struct Holes(pub(crate) Vec<(f64, f64, u32)>);

impl Step for Holes {
    fn apply<'a>(&'a self, canvas: &mut Canvas<'a>) -> Result<(), Failed> {
        canvas.paint(self);
        Ok(())
    }

    fn words(&self, _: (usize, usize), _: &Resizing) -> String {
        let hole = |(row, col, length): &(f64, f64, u32)| {
            format!("{length} pixels at row {row:.3}, col {col:.3}")
        };
        let holes: Vec<String> = self.0.iter().map(hole).collect();
        holes.join(", ")
    }
}

impl Paint for Holes {
    fn put_on(&self, planes: &mut [f32], layer: &Layer<'_>) {
        let (height, width) = (layer.window.height(), layer.window.width());
        let holes: Vec<_> = self.0.iter().map(|hole| black(*hole, layer)).collect();
        for plane in planes.chunks_exact_mut((height * width).max(1)) {
            for (rows, cols) in &holes {
                for row in rows {
                    let line = &mut plane[row * width..][..width];
                    cols.iter().for_each(|&col| line[col] = 0.0);
                }
            }
        }
    }
}

/// The visible rows and columns that a hole makes black: a square about its center.
fn black((row, col, length): (f64, f64, u32), layer: &Layer<'_>) -> (Vec<usize>, Vec<usize>) {
    let span = |part: f64, n: usize| {
        let center = (part * n as f64).floor();
        let half = f64::from(length) / 2.0;
        let end = |at: f64| at.clamp(0.0, n as f64) as usize;
        end(center - half)..end(center + half)
    };
    let (height, width) = layer.size;
    layer.window.seen_at(&span(row, height), &span(col, width))
}
