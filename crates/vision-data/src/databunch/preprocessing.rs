//! Preprocessing: how images are prepared for validation and prediction.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::{Device, Tensor};
use image::RgbImage;
use serde::{Deserialize, Serialize};
use vision_base::OptionError;

use crate::databunch::ImageDataBunch;
use crate::databunch::builder::DEFAULT_BATCH_BYTES;
use crate::error::{Error, Result};
use crate::image::Image;
use crate::image::budget::Held;
use crate::image::limits::Limits;
use crate::image::reader::{ReadConfig, Reader};
use crate::loader::batch::HostImages;
use crate::loader::stats::Stats;
use crate::pipeline::Pipeline;
use crate::transforms::padding::PaddingMode;
use crate::transforms::resizing::Resizing;
use crate::transforms::size::{ResizeMethod, Size};
use crate::transforms::transform::Transform;

/// Everything that decides the input of a model for an image in validation and prediction. Two data
/// bunches with the same preprocessing give a model the same input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// The size of all images; `None` if they keep their own.
    pub size: Option<Size>,
    /// How the size is reached; `None` without a size.
    pub resize_method: Option<ResizeMethod>,
    /// The multiple to which sides are rounded.
    pub mult: Option<usize>,
    /// The padding mode.
    pub padding_mode: PaddingMode,
    /// The validation transforms.
    pub transforms: Vec<Transform>,
    /// The statistics with which images are normalized.
    pub normalize: Option<Stats>,
    /// The shorter side that larger images are reduced to when they are read
    /// ([`ReadConfig::with_short_side`](crate::ReadConfig::with_short_side)).
    #[serde(default)]
    pub short_side: Option<u32>,
    /// The side that JPEGs are reduced for when they are decoded
    /// ([`ReadConfig::with_reduced_jpegs`](crate::ReadConfig::with_reduced_jpegs)).
    #[serde(default)]
    pub reduced_jpegs: Option<u32>,
    /// The color behind transparent pixels
    /// ([`ReadConfig::with_background`](crate::ReadConfig::with_background)).
    #[serde(default)]
    pub background: Option<[u8; 3]>,
}

impl Preprocessing {
    /// The fields that differ in `other`, each with its value in `self` and in `other`.
    pub fn differences(&self, other: &Self) -> Vec<(&'static str, String, String)> {
        let mut differences = Vec::new();
        let mut compare = |field, same: bool, values: [String; 2]| {
            if !same {
                let [ours, theirs] = values;
                differences.push((field, ours, theirs));
            }
        };
        macro_rules! compare {
            ($($field:ident),*) => {$(
                compare(
                    stringify!($field),
                    self.$field == other.$field,
                    [text(&self.$field), text(&other.$field)],
                );
            )*};
        }
        compare!(
            size,
            resize_method,
            mult,
            padding_mode,
            transforms,
            normalize,
            short_side,
            reduced_jpegs,
            background
        );
        differences
    }
}

impl Preprocessing {
    /// Checks all options, and returns what prepares images so, on `device`. `seed` is that of the data: it
    /// matters only if validation transforms are random.
    ///
    /// ```
    /// use vision_data::{Device, Image, ImageDataBunch};
    /// let data = ImageDataBunch::single_from_classes(".", ["cat", "dog"]).size(8).build()?;
    /// let same = data.preprocessing().preprocessor(data.seed(), data.device())?;
    /// let image = Image::from_rgb8(20, 10, vec![99; 600])?;
    /// assert_eq!(same.prepare(&image)?.to_data(), data.prepare(&image)?.to_data());
    /// # Ok::<(), vision_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Option`] with the option that is out of range, and
    /// [`TransformError::NotRegistered`](crate::TransformError::NotRegistered) for a custom transform whose type
    /// is not [registered](crate::register_transform).
    pub fn preprocessor(&self, seed: u64, device: &Device) -> Result<Preprocessor> {
        let resizing = Resizing {
            size: self.size,
            resize_method: self.resize_method,
            mult: self.mult,
            padding_mode: self.padding_mode,
        };
        resizing.check()?;
        let (height, width) = resizing.height_width().unwrap_or((1, 1));
        let bytes = 3 * size_of::<f32>() as u64 * height as u64 * width as u64;
        if bytes > DEFAULT_BATCH_BYTES {
            return Err(Error::Option(OptionError::new(
                "size",
                format!("images that take at most {DEFAULT_BATCH_BYTES} bytes each"),
                format!("{height}x{width} pixels, which take {bytes} bytes"),
            )));
        }
        self.normalize.as_ref().map_or(Ok(()), Stats::check)?;
        let pipeline = Pipeline::new(&self.transforms, resizing)?;
        pipeline.check_shape()?;
        let sides = [
            ("short_side", self.short_side),
            ("reduced_jpegs", self.reduced_jpegs),
        ];
        for (option, side) in sides {
            if side == Some(0) {
                return Err(Error::Option(OptionError::new(option, "at least 1", 0)));
            }
        }
        let reading = ReadConfig::of_pixels(self.short_side, self.reduced_jpegs, self.background);
        reading.check(self.size)?;
        Ok(Preprocessor {
            reader: Arc::new(Reader::new(reading, self.size)),
            pipeline: Arc::new(pipeline),
            seed,
            valid_draw: 0,
            stats: self.normalize,
            device: device.clone(),
        })
    }
}

/// A value as JSON on one line.
fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| error.to_string())
}

impl ImageDataBunch {
    /// How images are prepared for validation and prediction.
    pub fn preprocessing(&self) -> Preprocessing {
        let Resizing {
            size,
            mult,
            padding_mode,
            ..
        } = *self.resizing();
        Preprocessing {
            size,
            resize_method: size.map(|_| self.resizing().method()),
            mult,
            padding_mode,
            transforms: self.transforms().valid.clone(),
            normalize: self.stats(),
            short_side: self.reader.config().short_side(),
            reduced_jpegs: self.reader.config().reduced_jpegs(),
            background: self.reader.config().background(),
        }
    }

    /// The part of the data that prepares images for prediction. It holds no items, so it can outlive
    /// the data at little cost.
    pub fn preprocessor(&self) -> Preprocessor {
        Preprocessor {
            reader: Arc::clone(&self.reader),
            pipeline: Arc::clone(&self.valid_pipeline),
            seed: self.seed,
            valid_draw: self.valid_draw,
            stats: self.stats,
            device: self.device.clone(),
        }
    }
}

/// Prepares images for prediction, as the data it came from does for validation:
/// [`ImageDataBunch::preprocessor`]. Cloning is cheap, and threads can share it.
#[derive(Clone, Debug)]
pub struct Preprocessor {
    reader: Arc<Reader>,
    pipeline: Arc<Pipeline>,
    seed: u64,
    valid_draw: u64,
    stats: Option<Stats>,
    device: Device,
}

impl Preprocessor {
    /// The device of the prepared images.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The seed of validation transforms that are random.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// As [`ImageDataBunch::open`].
    ///
    /// # Errors
    ///
    /// [`ImageError::Decode`](crate::ImageError::Decode) with its path.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Image> {
        self.reader.read(path.as_ref()).map(|image| image.value)
    }

    /// Decodes the bytes of a complete image file as [`open`](Self::open) does a file.
    ///
    /// # Errors
    ///
    /// [`ImageError::Decode`](crate::ImageError::Decode), with "bytes in memory" as the path.
    pub fn decode(&self, bytes: &[u8]) -> Result<Image> {
        let config = self.reader.config();
        let image = Image::decode_as(bytes, config.limits(), config.how())?;
        Ok(self.reader.made_small(image).value)
    }

    /// [`decode`](Self::decode) within other limits, for bytes of strangers. `work` takes the image while its memory counts
    /// towards [`Limits::max_memory`](crate::Limits), so that any number of threads stay within it.
    ///
    /// ```
    /// use vision_data::{ImageDataBunch, Limits};
    ///
    /// let preprocessor = ImageDataBunch::single_from_classes(".", ["cat", "dog"]).size(8).build()?.preprocessor();
    /// let limits = Limits { max_pixels: 1_000_000, ..Limits::default() };
    /// let width = |image: &vision_data::Image| Ok::<_, vision_data::Error>(image.width());
    /// assert_eq!(preprocessor.decode_with(b"P3 2 1 255 9 9 9 0 0 0", &limits, width)?, 2);
    /// # Ok::<(), vision_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode), [`Error::Option`] for limits that make no sense, and those of `work`.
    pub fn decode_with<T, E: From<Error>>(
        &self,
        bytes: &[u8],
        limits: &Limits,
        work: impl FnOnce(&Image) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        limits.check()?;
        let how = self.reader.config().how();
        let image = self
            .reader
            .made_small(Image::decode_as(bytes, limits, how)?);
        work(&image)
    }

    /// As [`ImageDataBunch::prepare`].
    ///
    /// # Errors
    ///
    /// [`TransformError::Failed`](crate::TransformError::Failed) if a custom transform fails.
    pub fn prepare(&self, image: &Image) -> Result<Tensor<4>> {
        let images = self.transformed(image)?;
        Ok(images.to_device(&self.device, self.stats.as_ref()))
    }

    /// The image that [`prepare`](Self::prepare) gives to the model: resized and transformed, not normalized.
    ///
    /// # Errors
    ///
    /// As [`prepare`](Self::prepare).
    pub fn seen(&self, image: &Image) -> Result<RgbImage> {
        let images = self.transformed(image)?;
        Ok(images.image(0).expect("there is one image"))
    }

    fn transformed(&self, image: &Image) -> Result<HostImages> {
        let image = match self.reader.config().short_side() {
            Some(_) => &self.reader.made_small(Held::new(image.clone(), None)),
            None => image,
        };
        let draw = self.pipeline.draw(self.seed, self.valid_draw, 0);
        self.pipeline.image(image, &draw)
    }
}
