//! What pretrained weights say of images, for data whose user has said nothing.

use std::sync::Arc;

use vision_base::OptionError;

use crate::databunch::ImageDataBunch;
use crate::error::{Error, Result};
use crate::loader::stats::Stats;
use crate::pipeline::Pipeline;
use crate::transforms::builtin::resize_center_crop::ResizeCenterCrop;
use crate::transforms::lists::Transforms;
use crate::transforms::resizing::Resizing;
use crate::transforms::size::{ResizeMethod, Size};
use crate::transforms::transform::Transform;

/// How the images were prepared that weights were trained on.
///
/// ```
/// use vision_data::{ImageDataBunch, ImageDefaults, Stats};
///
/// let weights = ImageDefaults { stats: Some(Stats::IMAGENET), size: Some(224.into()), ..ImageDefaults::default() };
/// let data = ImageDataBunch::single_from_classes(".", ["cat", "dog"]).size(128).build()?;
/// assert_eq!(data.differs_from(&weights), ["size: 224x224 (height x width), the data's is 128x128"]);
/// let data = data.with_image_defaults(&weights)?;
/// assert_eq!((data.stats(), data.size()), (Some(Stats::IMAGENET), Some(128.into())));
/// # Ok::<(), vision_data::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ImageDefaults {
    /// The statistics with which they were normalized.
    pub stats: Option<Stats>,
    /// Their size.
    pub size: Option<Size>,
    /// How the size was reached.
    pub resize_method: Option<ResizeMethod>,
    /// The part of the shorter side that was kept, above 0 to 1: a square size is cut out of the center of an image whose
    /// shorter side is `size / crop_pct`, rounded down.
    pub crop_pct: Option<f64>,
}

impl ImageDefaults {
    /// Checks all values.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] with the one that is out of range.
    pub fn check(&self) -> Result<()> {
        self.stats.as_ref().map_or(Ok(()), Stats::check)?;
        self.size.map_or(Ok(()), Size::check)?;
        match self.crop_pct {
            Some(part) if !(part > 0.0 && part <= 1.0) => Err(Error::Option(OptionError::new(
                "crop_pct",
                "a number above 0, at most 1",
                part,
            ))),
            _ => self.crop().map(drop),
        }
    }

    /// The transform that cuts out the center, if there is anything to cut off.
    fn crop(&self) -> Result<Option<Transform>> {
        let (Some(Size::Square(side)), Some(part)) = (self.size, self.crop_pct) else {
            return Ok(None);
        };
        if self
            .resize_method
            .is_some_and(|method| method != ResizeMethod::Crop)
        {
            return Ok(None);
        }
        let extra = (side as f64 / part).floor() as usize - side;
        if extra > Size::MAX_SIDE {
            return Err(Error::Option(OptionError::new(
                "crop_pct",
                "a part with which images are resized to at most 16384 pixels more than their size",
                part,
            )));
        }
        let crop = ResizeCenterCrop {
            extra: extra as u32,
        };
        Ok((extra > 0).then_some(Transform::ResizeCenterCrop(crop)))
    }
}

impl ImageDataBunch {
    /// The same data with what its user has not said: the statistics if [`normalize`](crate::ImageDataBunchBuilder::normalize)
    /// was not called; the size and the resize method if there is neither; and the crop, for training and validation, if
    /// there are no transforms either.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] for a default that is out of range, and those of [`with_size`](Self::with_size).
    pub fn with_image_defaults(mut self, defaults: &ImageDefaults) -> Result<Self> {
        defaults.check()?;
        if self.stats.is_none() && !self.stats_said {
            self.stats = defaults.stats;
        }
        let is_open = self.resizing.size.is_none() && self.resizing.resize_method.is_none();
        let Some(size) = defaults.size.filter(|_| is_open) else {
            return Ok(self);
        };
        let is_plain = self.transforms.train.is_empty() && self.transforms.valid.is_empty();
        self.reader.config().check(Some(size))?;
        self.resizing = Resizing {
            size: Some(size),
            resize_method: defaults.resize_method,
            ..self.resizing
        };
        if let Some(crop) = defaults.crop()?.filter(|_| is_plain) {
            self.transforms = Arc::new(Transforms {
                train: vec![crop.clone()],
                valid: vec![crop],
            });
        }
        let pipeline = |transforms: &[Transform]| {
            let pipeline = Pipeline::new(transforms, self.resizing)?;
            pipeline.check_shape().map(|()| Arc::new(pipeline))
        };
        let both = (
            pipeline(&self.transforms.train)?,
            pipeline(&self.transforms.valid)?,
        );
        (self.train_pipeline, self.valid_pipeline) = both;
        self.check_batch_bytes()?;
        Ok(self)
    }

    /// In what the data differs from the images that weights were trained on, a line each: the statistics, and the size if
    /// there is one. Data that would take a default does not differ in it.
    pub fn differs_from(&self, defaults: &ImageDefaults) -> Vec<String> {
        let mut found = Vec::new();
        if let Some(theirs) = defaults.stats {
            let words = |Stats { mean, std }: Stats| format!("mean {mean:?}, std {std:?}");
            let difference =
                |ours: String| format!("normalize: {}, the data's is {ours}", words(theirs));
            match self.stats {
                Some(ours) if ours != theirs => found.push(difference(words(ours))),
                None if self.stats_said => found.push(difference("none".to_owned())),
                _ => {}
            }
        }
        let words = |size: Size| {
            let (height, width) = size.height_width();
            format!("{height}x{width}")
        };
        if let (Some(theirs), Some(ours)) = (defaults.size, self.resizing.size)
            && theirs.height_width() != ours.height_width()
        {
            found.push(format!(
                "size: {} (height x width), the data's is {}",
                words(theirs),
                words(ours)
            ));
        }
        found
    }
}
