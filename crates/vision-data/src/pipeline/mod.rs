//! From a decoded image to the pixels of a batch: resizing, transforms, cropping, in one pass.

pub(crate) mod canvas;
pub(crate) mod crop;
pub(crate) mod draw;
pub(crate) mod lighting;
pub(crate) mod moves;
pub(crate) mod paint;
pub(crate) mod pixels;
pub(crate) mod rand_augment;
pub(crate) mod sampling;
pub(crate) mod window;
pub(crate) mod words;

use std::borrow::Cow;

use vision_base::OptionError;

use crate::error::{Error, Result};
use crate::image::Image;
use crate::loader::batch::HostImages;
use crate::pipeline::canvas::Canvas;
use crate::pipeline::draw::{Draw, Step};
use crate::pipeline::pixels::Pixels;
use crate::pipeline::sampling::pillow;
use crate::rng::{Purpose, Rng};
use crate::transforms::resizing::Resizing;
use crate::transforms::size::ResizeMethod;
use crate::transforms::transform::Transform;

/// On each side.
const MOST_PADDING: u64 = 2048;

/// What is done to each item of a data set: the transforms of one of its parts, and the size.
///
/// A [`Draw`] is what it does to one item. The same draw can be applied to another image, such as one that
/// is the item's target, of another size if need be:
///
/// ```
/// use vision_data::{Image, Pipeline, Resizing, get_transforms};
///
/// let resizing = Resizing { size: Some(20.into()), ..Resizing::default() };
/// let pipeline = Pipeline::new(&get_transforms().train, resizing)?;
/// let draw = pipeline.draw(42, 0, 7); // seed, epoch, index
///
/// let image = Image::from_rgb8(30, 40, vec![99; 30 * 40 * 3])?;
/// assert_eq!(pipeline.image(&image, &draw).shape(), [1, 3, 20, 20]);
///
/// let larger = pipeline.with_size(80)?;
/// assert_eq!(larger.image(&image, &draw).shape(), [1, 3, 80, 80]);
/// # Ok::<(), vision_data::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pipeline {
    resizing: Resizing,
    /// In the order in which they are applied.
    transforms: Vec<Transform>,
}

impl Pipeline {
    /// `transforms` are brought in the order of [`Transform`].
    ///
    /// # Errors
    ///
    /// [`Error::Option`] for a number out of range, and for a transform that needs a size where
    /// there is none.
    pub fn new(transforms: &[Transform], resizing: Resizing) -> Result<Self> {
        resizing.check()?;
        transforms.iter().try_for_each(Transform::check)?;
        let mut transforms = transforms.to_vec();
        transforms.sort_by_key(Transform::order);
        // Each is within its bounds; where an image is moved too, all that they add is made.
        let padding = transforms.iter().map(|transform| match transform {
            Transform::Pad { pixels, .. } => u64::from(*pixels),
            _ => 0,
        });
        let padding: u64 = padding.sum();
        if padding > MOST_PADDING {
            return Err(Error::Option(OptionError::new(
                "transforms",
                "padding of up to 2048 pixels on a side, all together",
                format!("{padding} pixels"),
            )));
        }
        let needs_size = |transform: &&Transform| {
            matches!(
                transform,
                Transform::RandomResizedCrop { .. } | Transform::ResizeCenterCrop { .. }
            )
        };
        if let (None, Some(transform)) = (resizing.size, transforms.iter().find(needs_size)) {
            return Err(Error::Option(OptionError::new(
                "size",
                "a size, such as `.size(224)`, since a transform resizes to it",
                format!("none, with {transform:?}"),
            )));
        }
        Ok(Self {
            resizing,
            transforms,
        })
    }

    /// Refuses transforms that leave the size when they turn an image: such images fit in no batch.
    pub(crate) fn check_shape(&self) -> Result<()> {
        let Some(size) = self.resizing.size else {
            return Ok(());
        };
        let (height, width) = size.height_width();
        match swaps_sides(&self.transforms) {
            Some(transform)
                if height != width && self.resizing.method() == ResizeMethod::Squish =>
            {
                Err(Error::Option(OptionError::new(
                    "transforms",
                    "a square size or ResizeMethod::Crop with Dihedral, which may swap height \
                               and width; or DihedralAffine, which keeps the shape",
                    format!("{transform:?} and {size:?}"),
                )))
            }
            _ => Ok(()),
        }
    }

    /// What to do where images come out in different sizes.
    pub(crate) fn sizes_hint(&self) -> &'static str {
        match self.resizing.size {
            None => "pass a `size` (for example `.size(224)`)",
            Some(_) if self.resizing.method() == ResizeMethod::No => {
                "`ResizeMethod::No` leaves them as they are whatever the size is: take `Crop`, `Pad` or \
                 `Squish`, or cut all to one size with a transform such as `Transform::crop(224)`"
            }
            Some(_) => "leave out the transforms that change the size of some",
        }
    }

    /// The same but for the transforms from number `len` on.
    pub(crate) fn first(&self, len: usize) -> Self {
        Self {
            transforms: self.transforms.iter().take(len).cloned().collect(),
            resizing: self.resizing,
        }
    }

    /// The same transforms and another size.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_size(&self, size: impl Into<crate::Size>) -> Result<Self> {
        let size = Some(size.into());
        Self::new(
            &self.transforms,
            Resizing {
                size,
                ..self.resizing
            },
        )
    }

    /// The transforms, in the order in which they are applied.
    pub fn transforms(&self) -> &[Transform] {
        &self.transforms
    }

    /// The size, and how it is reached.
    pub fn resizing(&self) -> &Resizing {
        &self.resizing
    }

    /// What happens to item `index` in epoch `epoch`: for the same three numbers always the same.
    pub fn draw(&self, seed: u64, epoch: u64, index: u64) -> Draw {
        let mut rng = Rng::keyed(Purpose::Augment, seed, epoch, index);
        Draw::new(&self.transforms, &mut rng)
    }

    /// An image after `draw`, as a batch of one.
    pub fn image(&self, image: &Image, draw: &Draw) -> HostImages {
        HostImages::single(self.run(image, draw))
    }

    /// The pixels of `image`, with what `rng` draws.
    pub(crate) fn apply(&self, image: &Image, rng: &mut Rng) -> Pixels {
        self.run(image, &Draw::new(&self.transforms, rng))
    }

    fn run(&self, image: &Image, draw: &Draw) -> Pixels {
        let mut image = Cow::Borrowed(image);
        for part in draw.parts() {
            let source = (image.height() as usize, image.width() as usize);
            let target = self.resizing.target(source);
            let rgb = pillow::resize(&image, &part.part(source, target));
            image = Cow::Owned(Image::from_pixels(target, rgb));
        }
        let padding = self.resizing.padding_mode;
        let source = (image.height() as usize, image.width() as usize);
        let target = self.crop_target(source);
        let mut canvas = Canvas::new(image, self.resizing.resized(source), padding);
        for step in self.steps(draw) {
            canvas.add(step, target);
            if matches!(step, Step::Pad { .. }) && draw.moves() {
                let pixels = canvas.pixels();
                let size = (pixels.height, pixels.width);
                let padded = Image::from_pixels(size, pixels.into_rgb());
                canvas = Canvas::new(Cow::Owned(padded), size, padding);
            }
        }
        let pixels = canvas.pixels();
        let mut operations = draw.operations().peekable();
        match operations.peek() {
            Some(_) => pixels.operated(operations),
            None => pixels,
        }
    }

    /// The steps of a draw, and after them the crop to the size if none was drawn.
    pub(crate) fn steps<'a>(&self, draw: &'a Draw) -> impl Iterator<Item = &'a Step> {
        const CENTRE: Step = Step::CropPad { row: 0.5, col: 0.5 };
        let centre: Option<&'static Step> = match self.resizing.size {
            Some(_) if !draw.crops() => Some(&CENTRE),
            _ => None,
        };
        draw.steps.iter().chain(centre)
    }

    /// The size that images of size `source` are cropped or padded to, if they are.
    pub(crate) fn crop_target(&self, source: (usize, usize)) -> Option<(usize, usize)> {
        let crops = self.resizing.method().crops();
        crops.then(|| self.resizing.target(source))
    }
}

/// The transform after which height and width may be swapped in the end, if there is one. Transforms are in
/// the order of application.
fn swaps_sides(transforms: &[Transform]) -> Option<&Transform> {
    transforms
        .iter()
        .fold(None, |swaps, transform| match transform {
            Transform::Dihedral { k, .. } if k.high() > 3 => Some(transform),
            // What is cut out has the shape that was asked for.
            Transform::Crop { .. } => None,
            _ => swaps,
        })
}
