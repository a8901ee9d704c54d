//! What is painted on a picture: noise and holes, where they are seen in the end.

use crate::pipeline::draw::Step;
use crate::pipeline::moves::add_to_window;
use crate::pipeline::window::Window;
use crate::rng::Rng;
use crate::transforms::padding::PaddingMode;

/// Something that is painted on all that is seen before the steps that come after it.
#[derive(Debug)]
pub(crate) struct Paint<'a> {
    step: &'a Step,
    /// The size of what is painted on.
    size: (usize, usize),
    /// What the later steps leave of it, and where.
    window: Window,
}

impl<'a> Paint<'a> {
    /// On a picture of this height and width.
    pub(crate) fn new(step: &'a Step, size: (usize, usize)) -> Self {
        Self {
            step,
            size,
            window: Window::whole(size.0, size.1),
        }
    }

    /// Takes up a later step, as [`Moves::add`](crate::pipeline::moves::Moves::add) does.
    pub(crate) fn add(
        &mut self,
        step: &Step,
        target: Option<(usize, usize)>,
        padding: PaddingMode,
    ) {
        add_to_window(&mut self.window, step, target, padding);
    }

    /// Paints on planes of this size, which are what is seen in the end.
    pub(crate) fn put_on(&self, planes: &mut [f32], (height, width): (usize, usize)) {
        let mut planes = planes.chunks_exact_mut((height * width).max(1));
        match self.step {
            Step::Noise {
                channel,
                thresh,
                rng,
            } => {
                if let Some(plane) = planes.nth(*channel as usize) {
                    // Where black is seen, it is black on every layer below too.
                    let noise = self.window.arrange(self.noise(*thresh, rng), 1);
                    plane.copy_from_slice(&noise);
                }
            }
            Step::Cutout(holes) => {
                let holes: Vec<_> = holes.iter().map(|hole| self.hole(*hole)).collect();
                for plane in planes {
                    for (rows, cols) in &holes {
                        for row in rows {
                            let line = &mut plane[row * width..][..width];
                            cols.iter().for_each(|&col| line[col] = 0.0);
                        }
                    }
                }
            }
            _ => {}
        }
    }

    /// The part that is seen of noise that was drawn row by row.
    fn noise(&self, thresh: f64, rng: &Rng) -> Vec<f32> {
        let (rows, cols) = (self.window.image_rows(), self.window.image_cols());
        let first = cols.iter().min().copied().unwrap_or(0);
        let end = cols.iter().max().map_or(0, |last| last + 1);
        let mut noise = Vec::with_capacity(rows.len() * cols.len());
        for row in rows {
            let mut rng = rng.clone();
            rng.skip((row * self.size.1 + first) as u64);
            let value = |_| (rng.uniform() * thresh) as f32;
            let line: Vec<f32> = (first..end).map(value).collect();
            noise.extend(cols.iter().map(|col| line[col - first]));
        }
        noise
    }

    /// The rows and columns of what is seen that a hole makes black: a square about a centre that is
    /// given in parts of what is painted on.
    fn hole(&self, (row, col, length): (f64, f64, u32)) -> (Vec<usize>, Vec<usize>) {
        let span = |part: f64, n: usize| {
            let centre = (part * n as f64).floor();
            let half = f64::from(length) / 2.0;
            let end = |at: f64| at.clamp(0.0, n as f64) as usize;
            end(centre - half)..end(centre + half)
        };
        let (height, width) = self.size;
        self.window.seen_at(&span(row, height), &span(col, width))
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::error::Result;
    use crate::image::Image;
    use crate::pipeline::Pipeline;
    use crate::pipeline::canvas::Canvas;
    use crate::pipeline::draw::Draw;
    use crate::pipeline::pixels::Pixels;
    use crate::rng::Purpose;
    use crate::transforms::resizing::Resizing;
    use crate::transforms::size::{ResizeMethod, Size};
    use crate::transforms::transform::Transform;

    /// A picture of planes of which all is there, and on which each step is done at once.
    struct Whole {
        size: (usize, usize),
        planes: Vec<f32>,
    }

    impl Whole {
        fn of(pixels: Pixels) -> Self {
            Self {
                size: (pixels.height, pixels.width),
                planes: pixels.planes.into_floats(),
            }
        }

        fn add(&mut self, step: &Step, target: Option<(usize, usize)>, padding: PaddingMode) {
            let (height, width) = self.size;
            let plane = height * width;
            match step {
                Step::Noise {
                    channel,
                    thresh,
                    rng,
                } => {
                    let mut rng = rng.clone();
                    for i in 0..plane {
                        let value = (rng.uniform() * thresh) as f32;
                        self.planes[*channel as usize * plane + i] = value;
                    }
                }
                Step::Cutout(holes) => {
                    for &(row, col, length) in holes {
                        // A pixel is in the hole unless its centre is beyond half of the length.
                        let inside = |i: usize, part: f64, n: usize| {
                            let (centre, half) = ((part * n as f64).floor(), length as f64 / 2.0);
                            let first = (centre - half).max(0.0).trunc();
                            (first..(centre + half).max(0.0).trunc()).contains(&(i as f64))
                        };
                        for (i, value) in self.planes.iter_mut().enumerate() {
                            let (at_row, at_col) = (i % plane / width, i % width);
                            if inside(at_row, row, height) && inside(at_col, col, width) {
                                *value = 0.0;
                            }
                        }
                    }
                }
                step => {
                    let mut window = Window::whole(height, width);
                    add_to_window(&mut window, step, target, padding);
                    let (rows, cols) = (window.image_rows(), window.image_cols());
                    let mut seen = Vec::new();
                    for channel in 0..3 {
                        for row in &rows {
                            for col in &cols {
                                seen.push(self.planes[channel * plane + row * width + col]);
                            }
                        }
                    }
                    self.planes = window.arrange(seen, 3);
                    self.size = (window.height(), window.width());
                }
            }
        }
    }

    #[test]
    fn what_is_painted_and_then_cropped_is_the_crop_of_all_that_is_painted() -> Result<()> {
        let size = |height, width| Transform::Crop {
            size: Size::Exact(height, width),
            row: [0.0, 1.0].into(),
            col: [0.0, 1.0].into(),
        };
        let pool = [
            Transform::pad(2, PaddingMode::Zeros),
            Transform::pad(3, PaddingMode::Reflection),
            Transform::rotate([-30.0, 30.0]),
            Transform::brightness([0.2, 0.8]),
            Transform::flip_lr(),
            Transform::dihedral(),
            size(7, 12),
            size(15, 6),
            Transform::rgb_randomize(),
            Transform::rgb_randomize(),
            Transform::cutout(1..=3, 2..=9),
            Transform::cutout(1, 5),
            Transform::rand_crop(),
            Transform::crop_pad(),
        ];
        let mut rng = Rng::keyed(Purpose::Augment, 5, 0, 0);
        let mut painted = 0;
        for round in 0..3_000 {
            // Half of the pool, in the order of its last places.
            let mut transforms: Vec<Transform> = Vec::new();
            for i in rng.order(pool.len()).into_iter().take(7) {
                // Padding that comes before moves makes a picture of its own.
                let pads = matches!(pool[i], Transform::Pad { .. });
                if !(pads && round % 2 == 0 || round % 2 == 1 && i == 2) {
                    transforms.push(pool[i].clone().with_p(0.7));
                }
            }
            let (height, width) = [(9, 13), (1, 60), (40, 2), (5, 5)][rng.below(4)];
            let bytes = (0..3 * height * width).map(|i| (i * 89 % 256) as u8);
            let image = Image::from_pixels((height, width), bytes.collect());
            let resizing = Resizing {
                size: [None, Some(Size::from(8)), Some(Size::from((6, 9)))][rng.below(3)],
                resize_method: [None, Some(ResizeMethod::Pad), Some(ResizeMethod::No)]
                    [rng.below(3)],
                padding_mode: [
                    PaddingMode::Zeros,
                    PaddingMode::Border,
                    PaddingMode::Reflection,
                ][rng.below(3)],
                mult: None,
            };
            let pipeline = Pipeline::new(&transforms, resizing)?;
            let source = Rng::keyed(Purpose::Augment, 6, 0, round);
            let mut draw = Draw::new(pipeline.transforms(), &mut source.clone());
            if resizing.size.is_some() && !draw.crops() {
                draw.steps.push(Step::CropPad { row: 0.5, col: 0.5 });
            }

            let padding = resizing.padding_mode;
            let target = resizing
                .method()
                .crops()
                .then(|| resizing.target((height, width)));
            let paints = |step: &Step| matches!(step, Step::Noise { .. } | Step::Cutout(_));
            let first = draw.steps.iter().position(paints);
            let (before, after) = draw.steps.split_at(first.unwrap_or(draw.steps.len()));
            let grid = resizing.resized((height, width));
            let mut canvas = Canvas::new(Cow::Borrowed(&image), grid, padding);
            before.iter().for_each(|step| canvas.add(step, target));
            let mut whole = Whole::of(canvas.pixels());
            after
                .iter()
                .for_each(|step| whole.add(step, target, padding));

            let found = pipeline.apply(&image, &mut source.clone());
            painted += usize::from(first.is_some());
            let found = Whole::of(found);
            assert_eq!(found.size, whole.size, "{transforms:?}");
            assert!(found.planes == whole.planes, "{transforms:?} {resizing:?}");
        }
        assert!(painted > 1_500, "{painted}");
        Ok(())
    }
}
