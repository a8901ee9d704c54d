//! The pipeline: turns a decoded image into the pixels of a batch by resizing, transforms and cropping.

pub(crate) mod canvas;
pub(crate) mod crop;
pub(crate) mod draw;
pub(crate) mod lighting;
pub(crate) mod moves;
pub(crate) mod paint;
pub(crate) mod pixels;
pub(crate) mod rand_augment;
pub(crate) mod sampling;
pub(crate) mod step;
pub(crate) mod warp;
pub(crate) mod window;

use std::borrow::Cow;
use std::path::Path;

use vision_base::OptionError;

use crate::error::{Error, Result};
use crate::image::Image;
use crate::loader::batch::HostImages;
use crate::pipeline::canvas::Canvas;
use crate::pipeline::draw::{Draw, Drawn};
use crate::pipeline::pixels::Pixels;
use crate::pipeline::step::Failed;
use crate::rng::{Purpose, Rng};
use crate::transforms::kind::{Shape, order};
use crate::transforms::resizing::Resizing;
use crate::transforms::size::ResizeMethod;
use crate::transforms::transform::Transform;

/// The most padding on each side.
const MOST_PADDING: u64 = 2048;

/// The processing of each item of a data set: the transforms of one of its parts, and the size.
///
/// A [`Draw`] holds the random numbers for one item. The same draw can be applied to another image, such
/// as the target of the item, even at another size:
///
/// ```
/// use vision_data::{Image, Pipeline, Resizing, get_transforms};
///
/// let resizing = Resizing { size: Some(20.into()), ..Resizing::default() };
/// let pipeline = Pipeline::new(&get_transforms().train, resizing)?;
/// let draw = pipeline.draw(42, 0, 7); // seed, epoch, index
///
/// let image = Image::from_rgb8(30, 40, vec![99; 30 * 40 * 3])?;
/// assert_eq!(pipeline.image(&image, &draw)?.shape(), [1, 3, 20, 20]);
///
/// let larger = pipeline.with_size(80)?;
/// assert_eq!(larger.image(&image, &draw)?.shape(), [1, 3, 80, 80]);
/// # Ok::<(), vision_data::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Pipeline {
    resizing: Resizing,
    /// In the order in which they are applied.
    transforms: Vec<Transform>,
}

impl Pipeline {
    /// Creates a pipeline. `transforms` are sorted into the order of [`Transform`].
    ///
    /// # Errors
    ///
    /// [`Error::Option`] for a number out of range, and for a transform that needs a size if there is
    /// none.
    pub fn new(transforms: &[Transform], resizing: Resizing) -> Result<Self> {
        resizing.check()?;
        transforms.iter().try_for_each(Transform::check)?;
        let mut transforms = transforms.to_vec();
        transforms.sort_by_key(|transform| transform.kind().order());
        // Each is within its bounds. Padding before a move is rendered in full, so the sum is limited too.
        let padding = transforms
            .iter()
            .map(|transform| u64::from(transform.kind().padding()));
        let padding: u64 = padding.sum();
        if padding > MOST_PADDING {
            return Err(Error::Option(OptionError::new(
                "transforms",
                "at most 2048 pixels of padding per side in total",
                format!("{padding} pixels"),
            )));
        }
        let needs_size = |transform: &&Transform| transform.kind().needs_size();
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

    /// Rejects transforms that may swap height and width of the result: such images do not fit in a batch.
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

    /// Advice if images come out in different sizes.
    pub(crate) fn sizes_hint(&self) -> &'static str {
        match self.resizing.size {
            None => "pass a `size` (for example `.size(224)`)",
            Some(_) if self.resizing.method() == ResizeMethod::No => {
                "`ResizeMethod::No` ignores the size: use `Crop`, `Pad` or `Squish`, or crop all images to one size \
                 with a transform such as `Transform::crop(224)`"
            }
            Some(_) => "leave out the transforms that change the size of some images",
        }
    }

    /// The same transforms with another size.
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

    /// The size, and the resize method.
    pub fn resizing(&self) -> &Resizing {
        &self.resizing
    }

    /// The draw for item `index` in epoch `epoch`. It depends only on the three numbers.
    pub fn draw(&self, seed: u64, epoch: u64, index: u64) -> Draw {
        let mut rng = Rng::keyed(Purpose::Augment, seed, epoch, index);
        Draw::new(&self.transforms, &mut rng)
    }

    /// Applies `draw` to an image, and returns a batch of one.
    ///
    /// # Errors
    ///
    /// [`TransformError::Failed`](crate::TransformError::Failed) if a custom transform fails.
    pub fn image(&self, image: &Image, draw: &Draw) -> Result<HostImages> {
        self.run_on(image, draw, Path::new("an image in memory"))
    }

    /// Like [`image`](Self::image), for the file `path`.
    pub(crate) fn run_on(&self, image: &Image, draw: &Draw, path: &Path) -> Result<HostImages> {
        let pixels = self.run(image, draw).map_err(|failed| failed.on(path))?;
        Ok(HostImages::single(pixels))
    }

    /// Draws from `rng` and applies the draw to `image`.
    pub(crate) fn apply(
        &self,
        image: &Image,
        rng: &mut Rng,
    ) -> std::result::Result<Pixels, Failed> {
        self.run(image, &Draw::new(&self.transforms, rng))
    }

    fn run(&self, image: &Image, draw: &Draw) -> std::result::Result<Pixels, Failed> {
        let mut canvas = Canvas::new(Cow::Borrowed(image), &self.resizing);
        let until_crop = |drawn: &Drawn| drawn.order <= order::CROP_PAD;
        let (before, after) = draw.steps.split_at(draw.steps.partition_point(until_crop));
        for drawn in before {
            drawn.step.apply(&mut canvas)?;
        }
        if self.resizing.size.is_some() && !draw.crops() {
            canvas.crop_to_target(0.5, 0.5);
        }
        for drawn in after {
            drawn.step.apply(&mut canvas)?;
        }
        Ok(canvas.pixels())
    }
}

/// The transform, if any, after which height and width of the result may be swapped. `transforms` are in
/// the order of application.
fn swaps_sides(transforms: &[Transform]) -> Option<&Transform> {
    transforms
        .iter()
        .fold(None, |swaps, transform| match transform.kind().shape() {
            Shape::Swapped => Some(transform),
            Shape::Own => None,
            Shape::Kept => swaps,
        })
}
