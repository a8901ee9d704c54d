//! The batches of training and inference: images, or cached features.

use std::sync::Arc;
use std::time::Duration;

use burn::tensor::{Device, Tensor};
use vision_data::{
    Batch, BatchPart, DatasetType, ImageDataBunch, Loader, Mixed, PartLoader, Share, Targets,
};

use crate::Result;
use crate::features::{FeatureBatch, FeatureBatches, FeatureCache};
use crate::model::any_model::AnyModel;
use crate::model::target::TargetTensor;
use crate::parallel::part::{Part, Rows};
use crate::parallel::ranks::Ranks;
use crate::train::limits::ImageLimits;

/// Iterator over the batches of an epoch.
#[derive(Debug)]
pub(crate) enum Batches<'a> {
    Images(Box<Loader>),
    Features(FeatureBatches<'a>),
    Shared(Box<SharedBatches<'a>>),
}

/// A batch of images or of features.
#[derive(Debug)]
pub(crate) enum AnyBatch {
    Images(Batch),
    Features(FeatureBatch),
    Blank(Blank),
}

/// What stands in for a batch of which this process has no item, in passes that it shares with others: a black image, or zeros
/// in place of features. It counts nothing.
#[derive(Debug)]
pub(crate) struct Blank {
    /// Channels, height and width.
    shape: [usize; 3],
    /// If it stands in for features: whether they come after the head's pool.
    pooled: Option<bool>,
    labels: Targets,
}

impl<'a> Batches<'a> {
    /// The batches from batch `first` on: the cached ones, if the features of this part are cached. With other processes,
    /// the parts of them that are here.
    ///
    /// # Errors
    ///
    /// As [`ImageDataBunch::loader`] and [`ImageDataBunch::loader_of_share`].
    pub(crate) fn new(
        data: &'a ImageDataBunch,
        features: Option<&'a FeatureCache>,
        part: DatasetType,
        epoch: u64,
        first: usize,
        ranks: Option<&Arc<Ranks>>,
    ) -> Result<Self> {
        let share = match ranks {
            Some(ranks) => Share::new(ranks.rank(), ranks.ranks())?,
            None => Share::WHOLE,
        };
        let kept = match features {
            Some(features) => features.batches(data, part, epoch, first, share)?,
            None => None,
        };
        let Some(ranks) = ranks else {
            return Ok(match kept {
                Some(batches) => Self::Features(batches),
                None => Self::Images(Box::new(data.loader_from(part, epoch, first)?)),
            });
        };
        Ok(Self::Shared(Box::new(SharedBatches {
            parts: match kept {
                Some(batches) => Parts::Features(batches),
                None => Parts::Images(data.loader_of_share(part, epoch, first, share)?),
            },
            labels: data.dataset(part)?.labels(),
            training: part == DatasetType::Train,
            rows: Rows::default(),
            ranks: Arc::clone(ranks),
        })))
    }
}

impl Batches<'_> {
    /// The number of batches before the next one, with those that were skipped as a whole.
    pub(crate) fn passed(&self) -> usize {
        match self {
            Self::Images(loader) => loader.passed(),
            Self::Features(batches) => batches.passed(),
            Self::Shared(shared) => match &shared.parts {
                Parts::Images(loader) => loader.passed(),
                Parts::Features(batches) => batches.passed(),
            },
        }
    }

    /// Total time spent waiting for the loader's threads; zero for cached features.
    pub(crate) fn waited(&self) -> Duration {
        match self {
            Self::Images(loader) => loader.waited(),
            Self::Features(_) => Duration::ZERO,
            Self::Shared(shared) => match &shared.parts {
                Parts::Images(loader) => loader.waited(),
                Parts::Features(_) => Duration::ZERO,
            },
        }
    }

    /// Which rows of the last batch are here: all, for a process alone.
    pub(crate) fn rows(&self, batch: &AnyBatch) -> Rows {
        let items = batch.indices().len();
        match self {
            Self::Shared(shared) => shared.rows,
            Self::Images(_) | Self::Features(_) => Rows {
                first: 0,
                own: items,
                all: items,
            },
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
            Self::Shared(shared) => shared.next(),
        }
    }
}

/// The parts of batches that this process has. There are as many of them in each process.
#[derive(Debug)]
pub(crate) struct SharedBatches<'a> {
    parts: Parts<'a>,
    labels: &'a Targets,
    training: bool,
    /// Of the last batch.
    rows: Rows,
    ranks: Arc<Ranks>,
}

#[derive(Debug)]
enum Parts<'a> {
    Images(PartLoader),
    Features(FeatureBatches<'a>),
}

impl SharedBatches<'_> {
    fn next(&mut self) -> Option<Result<AnyBatch>> {
        loop {
            let (batch, part) = match self.next_part()? {
                Ok(part) => part,
                Err(error) => return Some(Err(error)),
            };
            let (rows, whole) = match self.ranks.join(part) {
                Ok(joined) => joined,
                Err(error) => return Some(Err(error)),
            };
            self.rows = rows;
            // As the loader of a process alone does: see `BadImages::Skip`.
            if whole.items == 0 || self.training && whole.items == 1 && whole.skipped > 0 {
                continue;
            }
            return Some(Ok(batch.unwrap_or_else(|| self.blank(whole))));
        }
    }

    fn next_part(&mut self) -> Option<Result<(Option<AnyBatch>, Part)>> {
        match &mut self.parts {
            Parts::Images(loader) => Some(match loader.next()? {
                Ok(BatchPart { batch, skipped }) => {
                    let [items, _, height, width] =
                        batch.as_ref().map_or([0; 4], |batch| batch.shape());
                    let part = Part {
                        items,
                        skipped,
                        size: [height, width],
                    };
                    Ok((batch.map(AnyBatch::Images), part))
                }
                Err(error) => Err(error.into()),
            }),
            Parts::Features(batches) => {
                let (batch, skipped) = batches.next_part()?;
                let part = Part {
                    items: batch.indices.len(),
                    skipped,
                    size: [0, 0],
                };
                let batch = (part.items > 0).then_some(AnyBatch::Features(batch));
                Some(Ok((batch, part)))
            }
        }
    }

    fn blank(&self, whole: Part) -> AnyBatch {
        let (shape, pooled) = match &self.parts {
            Parts::Images(_) => ([3, whole.size[0], whole.size[1]], None),
            Parts::Features(batches) => {
                let (shape, pooled) = batches.shape();
                (shape, Some(pooled))
            }
        };
        AnyBatch::Blank(Blank {
            shape,
            pooled,
            labels: self.labels.select(&[0]),
        })
    }
}

impl AnyBatch {
    pub(crate) fn labels(&self) -> &Targets {
        match self {
            Self::Images(batch) => &batch.labels,
            Self::Features(batch) => &batch.labels,
            Self::Blank(blank) => &blank.labels,
        }
    }

    pub(crate) fn indices(&self) -> &[usize] {
        match self {
            Self::Images(batch) => &batch.indices,
            Self::Features(batch) => &batch.indices,
            Self::Blank(_) => &[],
        }
    }

    /// Which items share an image.
    pub(crate) fn mix(&self) -> Option<&Mixed> {
        match self {
            Self::Images(batch) => batch.mix(),
            Self::Features(_) | Self::Blank(_) => None,
        }
    }

    /// Whether it stands in for a batch without items.
    pub(crate) fn is_blank(&self) -> bool {
        matches!(self, Self::Blank(_))
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

    /// Channels, height and width of the input.
    pub(crate) fn item_shape(&self) -> [usize; 3] {
        match self {
            Self::Images(batch) => {
                let [_, channels, height, width] = batch.images.shape();
                [channels, height, width]
            }
            Self::Features(batch) => batch.shape,
            Self::Blank(blank) => blank.shape,
        }
    }

    /// The input of [`run`](Self::run), `[batch, channels, height, width]`: normalized images, or
    /// features.
    pub(crate) fn input(&self, data: &ImageDataBunch, device: &Device) -> Tensor<4> {
        match self {
            Self::Images(batch) => batch.to_device(device, data.stats().as_ref()),
            Self::Features(batch) => batch.to_device(device),
            Self::Blank(Blank { shape, .. }) => {
                Tensor::zeros([1, shape[0], shape[1], shape[2]], device)
            }
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
        let pooled = match self {
            Self::Images(_) => None,
            Self::Features(batch) => Some(batch.pooled),
            Self::Blank(blank) => blank.pooled,
        };
        match (pooled, model.parts()) {
            (Some(true), Some(parts)) => Ok(parts.head_pooled(input)),
            (Some(false), Some(parts)) => Ok(parts.head(input)),
            _ => {
                limits.check(model, &input)?;
                Ok(model.forward(input))
            }
        }
    }
}
