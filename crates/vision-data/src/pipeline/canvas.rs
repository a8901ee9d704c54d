//! The canvas: collects the steps of a draw and renders them in one pass.

use std::borrow::Cow;

use crate::image::Image;
use crate::pipeline::crop::Part;
use crate::pipeline::lighting::Lighting;
use crate::pipeline::moves::{Moves, Places};
use crate::pipeline::paint::{Layer, Paint};
use crate::pipeline::pixels::{Pixels, Planes};
use crate::pipeline::sampling::grid::{Grid, Source};
use crate::pipeline::sampling::points::sample_points;
use crate::pipeline::sampling::projective::Map;
use crate::pipeline::sampling::{pillow, sample};
use crate::pipeline::window::Window;
use crate::rng::Rng;
use crate::transforms::resizing::Resizing;

/// Collects steps, and computes only the pixels visible after the last of them, in one pass: for a thin
/// image, resized until its short side fits, that is one pixel in thousands.
///
/// A step that needs whole 8-bit pixels ([`edit`](Self::edit)) renders everything collected so far. So does a
/// move of coordinates after a move of whole pixels.
#[derive(Debug)]
pub(crate) struct Canvas<'a> {
    image: Cow<'a, Image>,
    resizing: &'a Resizing,
    /// Height and width to crop to, if the data is cropped.
    target: Option<(usize, usize)>,
    /// The resize and the moves that follow it.
    moves: Moves,
    lighting: Option<Lighting>,
    layers: Vec<Layer<'a>>,
}

impl<'a> Canvas<'a> {
    /// Starts with an image that is to be resized.
    pub(crate) fn new(image: Cow<'a, Image>, resizing: &'a Resizing) -> Self {
        let source = height_width(&image);
        let crops = resizing.method().crops();
        Self {
            target: crops.then(|| resizing.target(source)),
            moves: Moves::new(resizing.resized(source)),
            image,
            resizing,
            lighting: None,
            layers: Vec::new(),
        }
    }

    /// Edits the image before it is resized. Must precede all other steps.
    pub(crate) fn edit_source<E>(
        &mut self,
        change: impl FnOnce(Image) -> Result<Image, E>,
    ) -> Result<(), E> {
        let image = change(self.take())?;
        *self = Self::new(Cow::Owned(image), self.resizing);
        Ok(())
    }

    /// Cuts out a part and resizes it like Pillow. Must precede all other steps. `part` chooses the part from
    /// the sizes of the image and of the data.
    pub(crate) fn resize_part(
        &mut self,
        part: impl FnOnce((usize, usize), (usize, usize)) -> Part,
    ) {
        let source = height_width(&self.image);
        let part = part(source, self.resizing.target(source));
        let image = pillow::resize(&self.image, &part);
        *self = Self::new(Cow::Owned(image), self.resizing);
    }

    /// Moves, crops and pads whole pixels.
    pub(crate) fn window(&mut self, change: impl Fn(&mut Window)) {
        change(&mut self.moves.window);
        for layer in &mut self.layers {
            change(&mut layer.window);
        }
    }

    /// Crops or pads to a size; `row` and `col` give the position of the crop.
    pub(crate) fn crop(&mut self, size: (usize, usize), row: f64, col: f64) {
        let padding = self.resizing.padding_mode;
        self.window(|window| window.crop_pad(size, row, col, padding));
    }

    /// Like [`crop`](Self::crop), to the size of the data; does nothing if the resize method does not crop.
    pub(crate) fn crop_to_target(&mut self, row: f64, col: f64) {
        if let Some(target) = self.target {
            self.crop(target, row, col);
        }
    }

    /// Moves coordinates by a map, which may depend on height and width.
    pub(crate) fn warp(&mut self, map: impl FnOnce(usize, usize) -> Map) {
        self.finish_whole_pixels();
        let (height, width) = self.moves.grid;
        self.moves.warp(&map(height, width));
    }

    /// Moves coordinates by an affine map, after all warps. Angles are preserved on images that are not
    /// square.
    pub(crate) fn affine(&mut self, map: &Map) {
        self.finish_whole_pixels();
        self.moves.affine(map);
    }

    /// Moves each point by up to `magnitude` in x and in y.
    pub(crate) fn jitter(&mut self, magnitude: f64, rng: Rng) {
        self.finish_whole_pixels();
        self.moves.jitter(magnitude, rng);
    }

    /// Changes the brightness or contrast of the image itself, but not of paint or padding.
    pub(crate) fn light(&mut self, change: Lighting) {
        let lighting = self.lighting.get_or_insert_default();
        lighting.factor *= change.factor;
        lighting.offset = lighting.offset * change.factor + change.offset;
    }

    /// Paints on the pixels visible at this point.
    pub(crate) fn paint(&mut self, paint: &'a dyn Paint) {
        self.layers.push(Layer::new(paint, self.moves.size()));
    }

    /// Renders the collected steps, rounds to 8 bits and edits the image.
    pub(crate) fn edit<E>(
        &mut self,
        change: impl FnOnce(Image) -> Result<Image, E>,
    ) -> Result<(), E> {
        self.flatten();
        let image = change(self.take())?;
        self.set(image);
        Ok(())
    }

    /// Takes the image out. An intermediate image is not copied.
    fn take(&mut self) -> Image {
        let nothing = Image::from_pixels((0, 0), Vec::new());
        std::mem::replace(&mut self.image, Cow::Owned(nothing)).into_owned()
    }

    /// Renders pending moves of whole pixels, since moves of coordinates must come before them.
    fn finish_whole_pixels(&mut self) {
        if !self.moves.window.is_whole() || !self.layers.is_empty() {
            self.flatten();
        }
    }

    /// Renders all collected steps.
    fn flatten(&mut self) {
        if self.is_moved_only() {
            if !self.moves.window.is_whole() {
                let image = moved(&self.image, &self.moves.window);
                self.set(image);
            }
        } else {
            let pixels = self.pixels();
            let size = (pixels.height, pixels.width);
            self.set(Image::from_pixels(size, pixels.into_rgb()));
        }
    }

    /// Continues with an image that is not resized any more.
    fn set(&mut self, image: Image) {
        self.moves = Moves::new(height_width(&image));
        self.image = Cow::Owned(image);
        self.lighting = None;
        self.layers.clear();
    }

    /// Whether all pixels still have the values of the image, possibly at other positions.
    fn is_moved_only(&self) -> bool {
        self.moves.is_identity()
            && self.moves.grid == height_width(&self.image)
            && self.lighting.is_none()
            && self.layers.is_empty()
    }

    /// Renders the result.
    pub(crate) fn pixels(&self) -> Pixels {
        let (height, width) = self.moves.size();
        let window = &self.moves.window;
        let mut planes = match self.seen() {
            Planes::Bytes(bytes) => Planes::Bytes(window.arrange(bytes, 3)),
            Planes::Floats(floats) => Planes::Floats(window.arrange(floats, 3)),
        };
        if !self.layers.is_empty() {
            let mut floats = planes.into_floats();
            for layer in &self.layers {
                layer.put_on(&mut floats);
            }
            planes = Planes::Floats(floats);
        }
        Pixels {
            height,
            width,
            planes,
        }
    }

    /// The visible pixels, sampled and with brightness and contrast applied.
    fn seen(&self) -> Planes {
        let image = &*self.image;
        let (rows, cols) = (
            self.moves.window.image_rows(),
            self.moves.window.image_cols(),
        );
        let (height, width) = height_width(image);
        if self.moves.is_identity() && self.moves.grid == (height, width) {
            let bytes = Planes::of_rgb(&taken(image, &rows, &cols));
            return match (self.lighting, bytes) {
                (Some(lighting), Planes::Bytes(bytes)) => {
                    let table = lighting.table();
                    Planes::Floats(bytes.iter().map(|&b| table[usize::from(b)]).collect())
                }
                (_, bytes) => bytes,
            };
        }
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
            padding: self.resizing.padding_mode,
        };
        let mut floats = match self.moves.places(&rows, &cols) {
            Places::Map(map) => sample(source, &grid(map)),
            Places::Points(points, map) => sample_points(source, &grid(map), &points),
        };
        if let Some(lighting) = self.lighting {
            lighting.apply(&mut floats);
        }
        Planes::Floats(floats)
    }
}

fn height_width(image: &Image) -> (usize, usize) {
    (image.height() as usize, image.width() as usize)
}

/// The pixels of an image visible in a window.
fn moved(image: &Image, window: &Window) -> Image {
    let taken = taken(image, &window.image_rows(), &window.image_cols());
    let (pixels, _) = taken.as_chunks::<3>();
    let pixels = window.arrange(pixels.to_vec(), 1);
    Image::from_pixels((window.height(), window.width()), pixels.into_flattened())
}

/// The given rows and columns of an image, as rows of red, green and blue.
fn taken<'a>(image: &'a Image, rows: &[usize], cols: &[usize]) -> Cow<'a, [u8]> {
    let (height, width) = height_width(image);
    if rows.iter().copied().eq(0..height) && cols.iter().copied().eq(0..width) {
        return Cow::Borrowed(image.pixels());
    }
    let mut rgb = Vec::with_capacity(3 * rows.len() * cols.len());
    for row in rows {
        let pixels = &image.pixels()[3 * row * width..][..3 * width];
        rgb.extend(
            cols.iter()
                .flat_map(|col| [0, 1, 2].map(|c| pixels[3 * col + c])),
        );
    }
    Cow::Owned(rgb)
}

#[cfg(test)]
mod tests {
    use std::any::Any;
    use std::sync::Arc;

    use super::*;
    use crate::error::Result;
    use crate::pipeline::Pipeline;
    use crate::pipeline::draw::Draw;
    use crate::pipeline::step::Step;
    use crate::rng::Purpose;
    use crate::transforms::builtin::crop::Crop;
    use crate::transforms::builtin::cutout::Holes;
    use crate::transforms::builtin::rgb_randomize::Noise;
    use crate::transforms::padding::PaddingMode;
    use crate::transforms::size::{ResizeMethod, Size};
    use crate::transforms::transform::Transform;

    /// A reference: full planes to which each step is applied immediately.
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

        /// Applies one step immediately; `window` is its effect unless it is a paint.
        fn add(&mut self, step: &dyn Any, window: &Window) {
            let (height, width) = self.size;
            let plane = height * width;
            match (step.downcast_ref(), step.downcast_ref()) {
                (
                    Some(Noise {
                        channel,
                        thresh,
                        rng,
                    }),
                    _,
                ) => {
                    let mut rng = rng.clone();
                    for i in 0..plane {
                        let value = (rng.uniform() * thresh) as f32;
                        self.planes[*channel as usize * plane + i] = value;
                    }
                }
                (_, Some(Holes(holes))) => {
                    for &(row, col, length) in holes {
                        // A pixel is in the hole if its center is within half of the length.
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
                _ => {
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
        let size = |height, width| {
            Transform::Crop(Crop {
                size: Size::Exact(height, width),
                row: [0.0, 1.0].into(),
                col: [0.0, 1.0].into(),
            })
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
            // Half of the pool, in the order of its last positions.
            let mut transforms: Vec<Transform> = Vec::new();
            for i in rng.order(pool.len()).into_iter().take(7) {
                // Padding before moves creates an intermediate image.
                let pads = matches!(pool[i], Transform::Pad(_));
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
            let draw = Draw::new(pipeline.transforms(), &mut source.clone());
            let mut steps: Vec<Arc<dyn Step>> =
                draw.steps.iter().map(|drawn| drawn.step.clone()).collect();
            if resizing.size.is_some() && !draw.crops() {
                steps.push(Transform::crop_pad().kind().draw(&mut source.clone()));
            }

            let paints = |step: &Arc<dyn Step>| {
                let step: &dyn Any = step.as_ref();
                step.is::<Noise>() || step.is::<Holes>()
            };
            let first = steps.iter().position(paints);
            let (before, after) = steps.split_at(first.unwrap_or(steps.len()));
            let mut canvas = Canvas::new(Cow::Borrowed(&image), &resizing);
            let applied = before.iter().all(|step| step.apply(&mut canvas).is_ok());
            let mut whole = Whole::of(canvas.pixels());
            for step in after {
                // Its effect on whole pixels alone.
                let mut alone = Canvas::new(Cow::Borrowed(&image), &resizing);
                let (height, width) = whole.size;
                alone.set(Image::from_pixels(whole.size, vec![0; 3 * height * width]));
                assert!(applied && step.apply(&mut alone).is_ok());
                whole.add(step.as_ref(), &alone.moves.window);
            }

            let found = pipeline.apply(&image, &mut source.clone());
            painted += usize::from(first.is_some());
            let found = found
                .map(Whole::of)
                .map_err(|failed| failed.on("".as_ref()))?;
            assert_eq!(found.size, whole.size, "{transforms:?}");
            assert!(found.planes == whole.planes, "{transforms:?} {resizing:?}");
        }
        assert!(painted > 1_500, "{painted}");
        Ok(())
    }
}
