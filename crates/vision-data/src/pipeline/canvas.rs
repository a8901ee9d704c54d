//! An image on its way through the steps of a draw.

use std::borrow::Cow;

use crate::image::Image;
use crate::pipeline::draw::Step;
use crate::pipeline::lighting::Lighting;
use crate::pipeline::moves::{Moves, Places};
use crate::pipeline::paint::Paint;
use crate::pipeline::pixels::{Pixels, Planes, deinterleaved};
use crate::pipeline::rand_augment::Operation;
use crate::pipeline::sampling::grid::{Grid, Source};
use crate::pipeline::sampling::points::sample_points;
use crate::pipeline::sampling::projective::Map;
use crate::pipeline::sampling::sample;
use crate::transforms::padding::PaddingMode;

/// Steps are gathered, and done in one pass over the pixels that are seen after the last of them: of
/// a thin image, resized until its short side fits, that is one in thousands.
#[derive(Debug)]
pub(crate) struct Canvas<'a> {
    image: Cow<'a, Image>,
    moves: Moves,
    lighting: Option<Lighting>,
    paints: Vec<Paint<'a>>,
    padding: PaddingMode,
}

impl<'a> Canvas<'a> {
    /// An image that is to be resized to `grid`.
    pub(crate) fn new(image: Cow<'a, Image>, grid: (usize, usize), padding: PaddingMode) -> Self {
        Self {
            image,
            moves: Moves::new(grid, padding),
            lighting: None,
            paints: Vec::new(),
            padding,
        }
    }

    /// Does one step. `target` is the size to crop to, if anything is to be cropped.
    ///
    /// Light comes before paint, and so do moves by less than a pixel.
    pub(crate) fn add(&mut self, step: &'a Step, target: Option<(usize, usize)>) {
        match step {
            Step::Lighting { factor, offset } => {
                let lighting = self.lighting.get_or_insert_default();
                lighting.factor *= factor;
                lighting.offset = lighting.offset * factor + offset;
            }
            Step::Noise { .. } | Step::Cutout(_) => {
                self.paints.push(Paint::new(step, self.moves.size()));
            }
            step => {
                self.moves.add(step, target);
                for paint in &mut self.paints {
                    paint.add(step, target, self.padding);
                }
            }
        }
    }

    /// The result.
    pub(crate) fn pixels(&self) -> Pixels {
        let (height, width) = self.moves.size();
        let window = &self.moves.window;
        let mut planes = match self.seen() {
            Planes::Bytes(bytes) => Planes::Bytes(window.arrange(bytes, 3)),
            Planes::Floats(floats) => Planes::Floats(window.arrange(floats, 3)),
        };
        if !self.paints.is_empty() {
            let mut floats = planes.into_floats();
            for paint in &self.paints {
                paint.put_on(&mut floats, (height, width));
            }
            planes = Planes::Floats(floats);
        }
        Pixels {
            height,
            width,
            planes,
        }
    }

    /// What is seen of the image, sampled and lighted.
    fn seen(&self) -> Planes {
        let image = &*self.image;
        let (rows, cols) = (
            self.moves.window.image_rows(),
            self.moves.window.image_cols(),
        );
        let (height, width) = (image.height() as usize, image.width() as usize);
        let source = Source {
            pixels: image.pixels(),
            height,
            width,
        };
        let grid = |map| Grid {
            height: self.moves.grid.0,
            width: self.moves.grid.1,
            rows: &rows,
            cols: &cols,
            map,
            padding: self.padding,
        };
        let mut floats = match self.moves.places(&rows, &cols) {
            Places::Map(map) if map == Map::IDENTITY && self.moves.grid == (height, width) => {
                let bytes = take(image, &rows, &cols);
                return match self.lighting {
                    None => Planes::Bytes(bytes),
                    Some(lighting) => {
                        let table = lighting.table();
                        Planes::Floats(bytes.iter().map(|&b| table[usize::from(b)]).collect())
                    }
                };
            }
            Places::Map(map) => sample(source, &grid(map)),
            Places::Points(points, map) => sample_points(source, &grid(map), &points),
        };
        if let Some(lighting) = self.lighting {
            lighting.apply(&mut floats);
        }
        Planes::Floats(floats)
    }
}

/// Rows and columns of an image as planes.
fn take(image: &Image, rows: &[usize], cols: &[usize]) -> Vec<u8> {
    let (height, width) = (image.height() as usize, image.width() as usize);
    if rows.iter().copied().eq(0..height) && cols.iter().copied().eq(0..width) {
        return deinterleaved(image.pixels());
    }
    let mut rgb = Vec::with_capacity(3 * rows.len() * cols.len());
    for row in rows {
        let pixels = &image.pixels()[3 * row * width..][..3 * width];
        rgb.extend(
            cols.iter()
                .flat_map(|col| [0, 1, 2].map(|c| pixels[3 * col + c])),
        );
    }
    deinterleaved(&rgb)
}

impl Pixels {
    /// After the operations of RandAugment.
    pub(crate) fn operated<'a>(self, operations: impl Iterator<Item = &'a Operation>) -> Self {
        let (height, width) = (self.height, self.width);
        let rgb = self.into_rgb();
        let rgb = operations.fold(rgb, |rgb, op| op.apply(rgb, height, width));
        Self::from_rgb(&rgb, height, width)
    }
}
