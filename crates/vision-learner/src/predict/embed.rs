//! Features of inner layers, for each item.

use burn::tensor::Tensor;
use vision_base::OptionError;
use vision_data::inspect::doctor::Split;
use vision_data::{DatasetType, Targets};
use vision_models::layers::Sequential;
use vision_models::state::values;

use crate::learner::Learner;
use crate::model::any_model::AnyModel;
use crate::model::cnn::{InferenceBody, TwoParts};
use crate::predict::embeddings::Embeddings;
use crate::train::device_fault::guarded;
use crate::{Error, Result};

/// Settings of [`Learner::embed_with`].
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct EmbedConfig {
    layer: Option<String>,
    pool: bool,
}

impl Default for EmbedConfig {
    fn default() -> Self {
        Self {
            layer: None,
            pool: true,
        }
    }
}

impl EmbedConfig {
    /// The pooled features.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the layer, by its name as in [`Learner::weights`]: `0.7` is the body's child 7, `0.4.0.conv1` the first
    /// convolution of a block, `1.4` the head's first linear layer. Default: what the head's pool gives.
    pub fn with_layer(mut self, layer: impl Into<String>) -> Self {
        self.layer = Some(layer.into());
        self
    }

    /// Whether maps are averaged over height and width. If not, a row holds all their values, channel by channel.
    /// Default: true.
    pub fn with_pool(mut self, pool: bool) -> Self {
        self.pool = pool;
        self
    }
}

/// How the features of a batch are computed.
enum Route<'a> {
    /// The body, then the head's pool.
    Pooled(InferenceBody, &'a dyn TwoParts),
    /// The layers up to one of them.
    To(Sequential, &'a str),
}

impl Learner {
    /// The features of each item of a part of the data: the body's outputs after the head's pool, before its first
    /// linear layer. For example 1024 numbers for a ResNet-18, the maximum and the mean of 512 channels. If the head has
    /// no pool, the mean over the body's maps.
    ///
    /// The model runs batch by batch, as in inference. The features of all items are in memory: 4 bytes per value.
    ///
    /// ```no_run
    /// use vision_data::DatasetType;
    /// # fn embed(learner: &vision_learner::Learner) -> vision_learner::Result<()> {
    /// let features = learner.embed(DatasetType::Fix)?; // the training images in order
    /// features.save("features.safetensors")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If there is no such part of the data, or it cannot be read; [`Error::Option`] if the model is not made of a body and a
    /// head, and therefore has no default layer.
    #[doc(alias("hook_output", "hook_outputs"))]
    pub fn embed(&self, part: DatasetType) -> Result<Embeddings> {
        self.embed_with(part, &EmbedConfig::new())
    }

    /// [`embed`](Self::embed) with settings: the features of any layer.
    ///
    /// # Errors
    ///
    /// As [`embed`](Self::embed). [`Error::NoSuchLayer`] lists the names of the layers, and so does it if the model is your
    /// own module, whose layers are not known. [`Error::Option`] if the images have different sizes and maps are not
    /// averaged, so that rows would have different lengths.
    pub fn embed_with(&self, part: DatasetType, config: &EmbedConfig) -> Result<Embeddings> {
        let (data, model) = (self.data(), self.model.valid());
        let route = match (&config.layer, model.parts()) {
            (None, Some(parts)) => Route::Pooled(parts.body(), parts),
            (None, None) => {
                let expected = "the name of a layer (EmbedConfig::with_layer), since the model has no body and head";
                return Err(OptionError::new("layer", expected, "none").into());
            }
            (Some(layer), _) => match model.as_layers() {
                Some(layers) => Route::To(layers, layer),
                None => return Err(no_such_layer(&*self.model, layer)),
            },
        };
        let dataset = data.dataset(part)?;
        let mut found = Embeddings {
            part: part_of(part),
            layer: config.layer.clone().unwrap_or_default(),
            names: Vec::new(),
            shape: Vec::new(),
            rows: Vec::new(),
            targets: Targets::Empty(0),
            labels: Vec::new(),
            indices: Vec::new(),
        };
        for batch in data.loader(part, self.epochs_trained)? {
            let batch = batch?;
            let ([_, channels, height, width], values) =
                guarded(data.device(), batch.len(), || {
                    let images = batch.to_device(data.device(), data.stats().as_ref());
                    self.limits().check(&*model, &images)?;
                    let maps = self.features(&route, images)?;
                    let maps = match config.pool {
                        true => maps.mean_dim(3).mean_dim(2),
                        false => maps,
                    };
                    Ok((maps.dims(), values(maps)))
                })?;
            let shape = match config.pool {
                true => vec![channels],
                false => vec![channels, height, width],
            };
            if found.indices.is_empty() {
                found.shape = shape;
            } else if found.shape != shape {
                return Err(OptionError::new(
                    "pool",
                    "images of one size if maps are not averaged: give the data a .size(..)",
                    format!("maps of {:?} and of {shape:?} values", found.shape),
                )
                .into());
            }
            found.rows.extend(values);
            found.targets.extend(&batch.labels)?;
            for &item in &batch.indices {
                let path = dataset.path(item)?;
                let inside = path.strip_prefix(data.path()).unwrap_or(path);
                found.names.push(inside.to_string_lossy().into_owned());
                found
                    .labels
                    .push(dataset.label_text(item).unwrap_or_default());
            }
            found.indices.extend(batch.indices);
        }
        Ok(found)
    }

    fn features(&self, route: &Route<'_>, images: Tensor<4>) -> Result<Tensor<4>> {
        match route {
            Route::To(layers, layer) => layers
                .forward_to(layer, images)
                .ok_or_else(|| no_such_layer(&*self.model, layer)),
            Route::Pooled(body, parts) => {
                let maps = body(images);
                Ok(parts.pool(maps.clone()).unwrap_or(maps))
            }
        }
    }
}

/// The error that names the layers of a model.
pub(super) fn no_such_layer(model: &dyn AnyModel, layer: &str) -> Error {
    let known = model.as_layers().map(|_| {
        let starts = model.starts().into_iter();
        let names = starts.map(|start| start.name);
        names
            .filter(|name| name.matches('.').count() <= 1)
            .collect()
    });
    Error::NoSuchLayer {
        layer: layer.to_owned(),
        known: known.unwrap_or_default(),
    }
}

fn part_of(part: DatasetType) -> Split {
    match part {
        DatasetType::Train | DatasetType::Fix => Split::Train,
        DatasetType::Valid | DatasetType::Single => Split::Valid,
        DatasetType::Test => Split::Test,
    }
}
