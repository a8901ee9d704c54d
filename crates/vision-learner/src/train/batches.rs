//! The batches of training and inference: images, or cached features.

use std::time::Duration;

use burn::tensor::{Device, Tensor};
use vision_data::{Batch, DatasetType, ImageDataBunch, Loader, Mixed, Targets};

use crate::Result;
use crate::features::{FeatureBatch, FeatureBatches, FeatureCache};
use crate::model::any_model::AnyModel;
use crate::model::target::TargetTensor;
use crate::train::limits::ImageLimits;

/// Iterator over the batches of an epoch.
#[derive(Debug)]
pub(crate) enum Batches<'a> {
    Images(Box<Loader>),
    Features(FeatureBatches<'a>),
}

/// A batch of images or of features.
#[derive(Debug)]
pub(crate) enum AnyBatch {
    Images(Batch),
    Features(FeatureBatch),
}

impl<'a> Batches<'a> {
    /// The batches from batch `first` on: the cached ones, if the features of this part are cached.
    ///
    /// # Errors
    ///
    /// As [`ImageDataBunch::loader`].
    pub(crate) fn new(
        data: &'a ImageDataBunch,
        features: Option<&'a FeatureCache>,
        part: DatasetType,
        epoch: u64,
        first: usize,
    ) -> Result<Self> {
        let kept = match features {
            Some(features) => features.batches(data, part, epoch, first)?,
            None => None,
        };
        Ok(match kept {
            Some(batches) => Self::Features(batches),
            None => Self::Images(Box::new(data.loader_from(part, epoch, first)?)),
        })
    }
}

impl Batches<'_> {
    /// The number of batches before the next one, with those that were skipped as a whole.
    pub(crate) fn passed(&self) -> usize {
        match self {
            Self::Images(loader) => loader.passed(),
            Self::Features(batches) => batches.passed(),
        }
    }

    /// Total time spent waiting for the loader's threads; zero for cached features.
    pub(crate) fn waited(&self) -> Duration {
        match self {
            Self::Images(loader) => loader.waited(),
            Self::Features(_) => Duration::ZERO,
        }
    }
}

impl Iterator for Batches<'_> {
    type Item = Result<AnyBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Images(loader) => {
                let batch = loader.next()?;
                Some(batch.map(AnyBatch::Images).map_err(Into::into))
            }
            Self::Features(batches) => batches.next().map(AnyBatch::Features).map(Ok),
        }
    }
}

impl AnyBatch {
    pub(crate) fn labels(&self) -> &Targets {
        match self {
            Self::Images(batch) => &batch.labels,
            Self::Features(batch) => &batch.labels,
        }
    }

    pub(crate) fn indices(&self) -> &[usize] {
        match self {
            Self::Images(batch) => &batch.indices,
            Self::Features(batch) => &batch.indices,
        }
    }

    /// Which items share an image.
    pub(crate) fn mix(&self) -> Option<&Mixed> {
        match self {
            Self::Images(batch) => batch.mix(),
            Self::Features(_) => None,
        }
    }

    /// The labels on a device.
    ///
    /// # Errors
    ///
    /// If the labels are not of the data's kind.
    pub(crate) fn targets(&self, data: &ImageDataBunch, device: &Device) -> Result<TargetTensor> {
        let (kind, outputs) = (data.kind(), data.c());
        Ok(TargetTensor::new(self.labels(), kind, outputs, device)?)
    }

    /// The input of [`run`](Self::run), `[batch, channels, height, width]`: normalized images, or
    /// features.
    pub(crate) fn input(&self, data: &ImageDataBunch, device: &Device) -> Tensor<4> {
        match self {
            Self::Images(batch) => batch.to_device(device, data.stats().as_ref()),
            Self::Features(batch) => batch.to_device(device),
        }
    }

    /// The model's outputs, `[batch, outputs]`, for the input of this batch or a replacement of it.
    ///
    /// # Errors
    ///
    /// [`Error::ImageTooSmall`](crate::Error::ImageTooSmall), [`Error::Features`](crate::Error::Features) and
    /// [`Error::ModelPanicked`](crate::Error::ModelPanicked).
    pub(crate) fn run(
        &self,
        model: &dyn AnyModel,
        input: Tensor<4>,
        limits: &ImageLimits<'_>,
    ) -> Result<Tensor<2>> {
        match (self, model.parts()) {
            (Self::Features(batch), Some(parts)) if batch.pooled => Ok(parts.head_pooled(input)),
            (Self::Features(_), Some(parts)) => Ok(parts.head(input)),
            _ => {
                limits.check(model, &input)?;
                Ok(model.forward(input))
            }
        }
    }
}
