//! Showing the steps from the file of one item to the batch.

use std::fmt;
use std::path::PathBuf;

use image::{Rgb, RgbImage};
use vision_base::message::printable;
use vision_figure::{Figure, ImageGrid};

use crate::databunch::ImageDataBunch;
use crate::databunch::dataset::DatasetType;
use crate::error::{Error, Result};
use crate::image::Image;
use crate::image::error::ImageError;
use crate::image::header::Facts;
use crate::image::problem::ImageProblem;
use crate::image_source::ImageContent;
use crate::loader::stats::Stats;
use crate::pipeline::step::Step;
use crate::transforms::batch::BatchTransform;
use crate::transforms::transform::Transform;

/// The steps of one item from its file to the batch, with an image of each step.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Summary {
    /// The file.
    pub path: PathBuf,
    /// The label in words, if there is one.
    pub label: Option<String>,
    /// The steps, in order.
    pub steps: Vec<SummaryStep>,
    /// Batch transforms (MixUp, CutMix) that may apply; each batch draws one. Empty outside
    /// training.
    pub batch_transforms: Vec<BatchTransform>,
}

/// One step and its result.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SummaryStep {
    /// A short name.
    pub name: String,
    /// What the step does, with its numbers.
    pub text: String,
    /// The image after the step. Normalized values are scaled from the smallest (black) to the
    /// largest.
    pub image: RgbImage,
}

impl ImageDataBunch {
    /// Shows the steps of an item of a part in the first epoch: decoding, resizing, each transform,
    /// and normalization.
    ///
    /// The transforms use the same random draw as the loader for this item. Steps are cumulative,
    /// so the last image before normalization is the one in the batch. The text of a step gives the
    /// drawn numbers and the ranges of the transform; a transform that is not applied to this
    /// item says so, and changes nothing. If batches are mixed (MixUp, CutMix), the summary says
    /// so, and [`show_batch`](Self::show_batch) shows it.
    ///
    /// ```
    /// # use vision_data::{DatasetType, ImageDataBunch, get_transforms};
    /// # use vision_data::datasets::synthetic;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = synthetic::digits(&folder.path().join("digits"), 1, 20, 5)?;
    /// let data = ImageDataBunch::from_folder(&path)
    ///     .transforms(get_transforms())
    ///     .size(24)
    ///     .batch_size(16)
    ///     .build()?;
    /// let summary = data.summary(DatasetType::Train, 3)?;
    /// println!("{summary}");
    /// summary.plot()?.save(folder.path().join("summary.png"))?;
    /// # Ok::<(), vision_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`DataError::Empty`](crate::DataError::Empty) if the part has no items,
    /// [`DataError::NoSuchItem`](crate::DataError::NoSuchItem) for an index out of range, and
    /// [`ImageError::Decode`](crate::ImageError::Decode) if the image cannot be decoded.
    pub fn summary(&self, part: DatasetType, index: usize) -> Result<Summary> {
        let dataset = self.dataset(part)?;
        let path = dataset.path(index)?.to_owned();
        let bad = |problem: ImageProblem| {
            Error::Image(ImageError::Decode {
                path: path.clone(),
                problem,
            })
        };
        let content = dataset.content(index, dataset.reading().limits());
        let content = content.map_err(bad)?;
        let image = dataset.image(index)?;
        let mut steps = vec![decoded(&content, &image)];

        let pipeline = self.pipeline(part);
        let whole = pipeline.draw(self.seed(), 0, index as u64);
        for some in 0..=pipeline.transforms().len() {
            let images = pipeline.run_on(&image, &whole.first(some), &path)?;
            let picture = images.image(0);
            let picture = picture.ok_or(vision_figure::Error::NothingToDraw {
                what: "the transforms leave no pixel",
            })?;
            let same = steps.last().is_some_and(|step| step.image == picture);
            let (name, text) = match some.checked_sub(1) {
                None => resized(self, &picture),
                Some(last) => {
                    let drawn = whole.steps.iter().find(|drawn| drawn.transform == last);
                    let step = drawn.map(|drawn| drawn.step.as_ref());
                    self.happens(&pipeline.transforms()[last], step, &image, same)
                }
            };
            steps.push(SummaryStep {
                name,
                text,
                image: picture,
            });
        }
        if let (Some(stats), Some(last)) = (self.stats(), steps.last()) {
            steps.push(normalized(&stats, &last.image));
        }
        let batch_transforms = match part {
            DatasetType::Train => self.batch_transforms().to_vec(),
            _ => Vec::new(),
        };
        Ok(Summary {
            label: dataset.label_text(index),
            path,
            steps,
            batch_transforms,
        })
    }
}

impl ImageDataBunch {
    /// A transform's name, what was drawn for it, and its ranges.
    fn happens(
        &self,
        transform: &Transform,
        step: Option<&dyn Step>,
        image: &Image,
        same: bool,
    ) -> (String, String) {
        let ranges = format!("{transform:?}");
        let name = transform.name();
        let source = (image.height() as usize, image.width() as usize);
        let text = match step {
            None => format!("not applied here ({ranges})"),
            Some(step) => {
                let drawn = step.words(source, self.resizing());
                let drawn = if drawn.is_empty() { name } else { &drawn };
                let nothing = if same {
                    ", which changes nothing here"
                } else {
                    ""
                };
                format!("{drawn}{nothing} ({ranges})")
            }
        };
        (name.to_owned(), text)
    }
}

fn decoded(content: &ImageContent, image: &Image) -> SummaryStep {
    let bytes = match content {
        ImageContent::Encoded(bytes) => bytes.as_slice(),
        ImageContent::Pixels(_) => &[],
    };
    let stored = match Facts::of(bytes) {
        _ if matches!(content, ImageContent::Pixels(_)) => "pixels of its source".to_owned(),
        Some(facts) => format!(
            "{} bytes of {}: {}, {} bits, {}{}",
            bytes.len(),
            facts.format.to_mime_type(),
            facts.size,
            facts.bits,
            facts.mode,
            if facts.rotated {
                ", turned upright"
            } else {
                ""
            }
        ),
        None => format!("{} bytes", bytes.len()),
    };
    SummaryStep {
        name: format!("decoded, {}", image.size()),
        text: format!("{stored}; {} RGB pixels", image.size()),
        image: image.to_rgb_image(),
    }
}

fn resized(data: &ImageDataBunch, picture: &RgbImage) -> (String, String) {
    let (width, height) = picture.dimensions();
    let size = format!("{width}x{height}");
    let text = match data.size() {
        None => "no size is set: it stays as it is".to_owned(),
        Some(size) => {
            let method = data.resize_method().unwrap_or(size.default_method());
            format!("{method:?} to {width}x{height} pixels")
        }
    };
    (format!("resized, {size}"), text)
}

/// Subtracts the mean, divides by the standard deviation, and scales to gray from smallest to
/// largest.
fn normalized(stats: &Stats, picture: &RgbImage) -> SummaryStep {
    let value = |channel: usize, byte: u8| {
        (f32::from(byte) / 255.0 - stats.mean[channel]) / stats.std[channel]
    };
    let values = || {
        let pixels = picture.pixels();
        pixels.flat_map(|pixel| (0..3).map(|c| value(c, pixel.0[c])))
    };
    let least = values().fold(f32::INFINITY, f32::min);
    let most = values().fold(f32::NEG_INFINITY, f32::max);
    let scale = 255.0 / (most - least).max(f32::EPSILON);
    let mut shown = picture.clone();
    for pixel in shown.pixels_mut() {
        let bytes = [0, 1, 2].map(|c| ((value(c, pixel.0[c]) - least) * scale).round() as u8);
        *pixel = Rgb(bytes);
    }
    SummaryStep {
        name: "normalized".to_owned(),
        text: format!(
            "minus mean {:?}, divided by std {:?}: from {least:.3} to {most:.3}",
            stats.mean, stats.std
        ),
        image: shown,
    }
}

impl Summary {
    /// The images of all steps, titled with their names.
    ///
    /// # Errors
    ///
    /// [`Error::Figure`] if there are no steps.
    pub fn plot(&self) -> Result<Figure> {
        let mut grid = ImageGrid::new();
        for step in &self.steps {
            grid = grid.with_image(step.image.clone(), step.name.clone());
        }
        Ok(grid.plot()?)
    }
}

/// The file and the label, one line per step, and whether batches are mixed.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = printable(&self.path.to_string_lossy());
        match &self.label {
            Some(label) => writeln!(f, "{path}, labeled {}", printable(label))?,
            None => writeln!(f, "{path}, without a label")?,
        }
        for (number, step) in (1..).zip(&self.steps) {
            writeln!(f, "{number:>3}. {:<20} {}", step.name, step.text)?;
        }
        if self.batch_transforms.is_empty() {
            return Ok(());
        }
        let choices: Vec<String> = self
            .batch_transforms
            .iter()
            .map(|t| format!("{t:?}"))
            .collect();
        writeln!(
            f,
            "     then mixed with another item of its batch, by {} (`show_batch` shows it)",
            choices.join(" or ")
        )
    }
}
