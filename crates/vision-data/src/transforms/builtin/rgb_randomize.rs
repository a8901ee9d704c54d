//! Noise in one channel.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::pipeline::canvas::Canvas;
use crate::pipeline::paint::{Layer, Paint};
use crate::pipeline::step::{Failed, Step};
use crate::rng::Rng;
use crate::transforms::bounds::Bounds;
use crate::transforms::kind::{Kind, order, probability, rules};
use crate::transforms::resizing::Resizing;

/// Replaces one channel with noise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RgbRandomize {
    /// The channel: 0 red, 1 green, 2 blue.
    pub channel: Bounds<u32>,
    /// The largest noise value is drawn between 0 and this, which is from 0 to 1.
    pub thresh: f64,
    /// Probability.
    pub p: f64,
}

impl Kind for RgbRandomize {
    fn order(&self) -> i8 {
        order::PIXELS
    }

    probability!();

    fn check(&self) -> Result<(), &'static str> {
        rules([
            (
                self.channel.within(0, 2),
                "`channel` with low <= high, both in [0, 2]",
            ),
            ((0.0..=1.0).contains(&self.thresh), "`thresh` in [0, 1]"),
        ])
    }

    fn draw(&self, rng: &mut Rng) -> Arc<dyn Step> {
        Arc::new(Noise {
            channel: self.channel.draw(rng),
            thresh: self.thresh * rng.uniform(),
            rng: rng.split(),
        })
    }
}

/// Drawn noise.
#[derive(Debug)]
pub(crate) struct Noise {
    pub(crate) channel: u32,
    pub(crate) thresh: f64,
    pub(crate) rng: Rng,
}

impl Step for Noise {
    fn apply<'a>(&'a self, canvas: &mut Canvas<'a>) -> Result<(), Failed> {
        canvas.paint(self);
        Ok(())
    }

    fn words(&self, _: (usize, usize), _: &Resizing) -> String {
        format!("channel {}, noise below {:.4}", self.channel, self.thresh)
    }
}

impl Paint for Noise {
    fn put_on(&self, planes: &mut [f32], layer: &Layer<'_>) {
        let window = &layer.window;
        let plane = window.height() * window.width();
        // Pixels that show black here are black on every lower layer too.
        let noise = window.arrange(self.seen(layer), 1);
        planes[self.channel as usize * plane..][..plane].copy_from_slice(&noise);
    }
}

impl Noise {
    /// The visible pixels of noise that is drawn row by row.
    fn seen(&self, layer: &Layer<'_>) -> Vec<f32> {
        let (rows, cols) = (layer.window.image_rows(), layer.window.image_cols());
        let first = cols.iter().min().copied().unwrap_or(0);
        let end = cols.iter().max().map_or(0, |last| last + 1);
        let mut noise = Vec::with_capacity(rows.len() * cols.len());
        for row in rows {
            let mut rng = self.rng.clone();
            rng.skip((row * layer.size.1 + first) as u64);
            let value = |_| (rng.uniform() * self.thresh) as f32;
            let line: Vec<f32> = (first..end).map(value).collect();
            noise.extend(cols.iter().map(|col| line[col - first]));
        }
        noise
    }
}
