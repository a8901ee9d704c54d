//! Cached outputs of a body, per item.

pub(crate) mod cache;
pub(crate) mod file;
pub(crate) mod refusal;

use burn::tensor::{Device, Tensor, TensorData};
use vision_data::{DatasetType, ImageDataBunch, Share, Targets};

use crate::Result;

/// The outputs of a body for the training and the validation images, on the host.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FeatureCache {
    pub(crate) key: Key,
    /// Whether the features were taken after the head's pool.
    pub(crate) pooled: bool,
    /// Channels, height and width of an item.
    pub(crate) shape: [usize; 3],
    pub(crate) train: Rows,
    pub(crate) valid: Rows,
}

/// The cache key: everything the outputs depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// SHA-256 of the body's parameters and buffers.
    pub(crate) weights: [u8; 32],
    /// SHA-256 of the files' bytes.
    pub(crate) files: [u8; 32],
    /// Everything else, as text.
    pub(crate) setup: String,
}

/// The features of some items of a data set.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Rows {
    /// Positions of the items, ascending. Images that could not be decoded are missing.
    pub(crate) items: Vec<usize>,
    pub(crate) values: Vec<f32>,
}

impl FeatureCache {
    /// Size of the features in bytes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<f32>() * (self.train.values.len() + self.valid.values.len())
    }

    fn rows(&self, part: DatasetType) -> Option<&Rows> {
        match part {
            DatasetType::Train => Some(&self.train),
            DatasetType::Valid => Some(&self.valid),
            // These use other batches or other images than the cached features.
            DatasetType::Fix | DatasetType::Single | DatasetType::Test => None,
        }
    }

    /// The batches of an epoch from batch `first` on, with the same items as the data's own batches; `None` for parts
    /// that are not cached.
    ///
    /// # Errors
    ///
    /// As [`ImageDataBunch::loader`].
    pub(crate) fn batches<'a>(
        &'a self,
        data: &'a ImageDataBunch,
        part: DatasetType,
        epoch: u64,
        first: usize,
        share: Share,
    ) -> Result<Option<FeatureBatches<'a>>> {
        let Some(rows) = self.rows(part) else {
            return Ok(None);
        };
        let batch_size = match part {
            DatasetType::Train => data.batch_size(),
            _ => data.val_batch_size(),
        };
        Ok(Some(FeatureBatches {
            cache: self,
            rows,
            labels: data.dataset(part)?.labels(),
            order: data.order(part, epoch)?,
            next: first.saturating_mul(batch_size),
            batch_size,
            training: part == DatasetType::Train,
            share,
        }))
    }
}

impl Rows {
    /// The values of an item, each of `len`.
    fn get(&self, item: usize, len: usize) -> Option<&[f32]> {
        let row = self.items.binary_search(&item).ok()?;
        self.values.get(row * len..(row + 1) * len)
    }
}

/// Batches of features, in the order of an epoch.
#[derive(Debug)]
pub(crate) struct FeatureBatches<'a> {
    cache: &'a FeatureCache,
    rows: &'a Rows,
    labels: &'a Targets,
    order: Vec<usize>,
    next: usize,
    batch_size: usize,
    training: bool,
    /// The part of each batch that is here.
    share: Share,
}

/// The features of some items, with their labels.
#[derive(Clone, Debug)]
pub(crate) struct FeatureBatch {
    pub(crate) labels: Targets,
    pub(crate) indices: Vec<usize>,
    pub(crate) pooled: bool,
    /// Channels, height and width of an item.
    pub(crate) shape: [usize; 3],
    values: Vec<f32>,
}

impl FeatureBatch {
    /// `[batch, channels, height, width]` on a device.
    pub(crate) fn to_device(&self, device: &Device) -> Tensor<4> {
        let [channels, height, width] = self.shape;
        let shape = [self.indices.len(), channels, height, width];
        Tensor::from_data(TensorData::new(self.values.clone(), shape), device)
    }
}

impl FeatureBatches<'_> {
    /// The number of batches before the next one.
    pub(crate) fn passed(&self) -> usize {
        self.next.div_ceil(self.batch_size)
    }

    /// Channels, height and width of an item, and whether they come after the head's pool.
    pub(crate) fn shape(&self) -> ([usize; 3], bool) {
        (self.cache.shape, self.cache.pooled)
    }

    /// The part of the next batch that is here, which may have no items, and the number of images that are missing since they
    /// could not be decoded.
    pub(crate) fn next_part(&mut self) -> Option<(FeatureBatch, usize)> {
        let len = self.cache.shape.iter().product();
        let whole = self.next..self.order.len().min(self.next + self.batch_size);
        if whole.is_empty() {
            return None;
        }
        self.next = whole.end;
        let items = &self.order[self.share.of(whole)];
        let found = items
            .iter()
            .filter_map(|i| Some((*i, self.rows.get(*i, len)?)));
        let (indices, rows): (Vec<usize>, Vec<&[f32]>) = found.unzip();
        let skipped = items.len() - indices.len();
        let batch = FeatureBatch {
            labels: self.labels.select(&indices),
            indices,
            pooled: self.cache.pooled,
            shape: self.cache.shape,
            values: rows.concat(),
        };
        Some((batch, skipped))
    }
}

impl Iterator for FeatureBatches<'_> {
    type Item = FeatureBatch;

    fn next(&mut self) -> Option<FeatureBatch> {
        loop {
            let (batch, skipped) = self.next_part()?;
            let items = batch.indices.len();
            // As the loader does for images that cannot be decoded: see `BadImages::Skip`.
            if items > 0 && !(self.training && items == 1 && skipped > 0) {
                return Some(batch);
            }
        }
    }
}
