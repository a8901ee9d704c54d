//! Monte Carlo dropout: how sure the model is of a prediction.

use burn::tensor::Tensor;
use vision_base::OptionError;
use vision_data::Image;
use vision_models::layers::RandomStream;
use vision_models::mode::Mode;
use vision_models::state::values;

use crate::learner::Learner;
use crate::predict::finite;
use crate::predict::predictions::Prediction;
use crate::predict::threshold::Threshold;
use crate::predict::uncertainty::uncertainty;
use crate::train::limits::check_outputs;
use crate::{Error, Result};

/// Largest number of passes.
const MOST_PASSES: usize = 10_000;

/// Settings of [`Learner::predict_with_mc_dropout_with`].
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct McDropoutConfig {
    n_times: usize,
    seed: Option<u64>,
}

impl McDropoutConfig {
    /// This many passes, from 1 to 10,000.
    pub fn new(n_times: usize) -> Self {
        Self {
            n_times,
            seed: None,
        }
    }

    /// Sets the seed of the dropped values. Default: the learner's seed.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }
}

/// Predictions for one image with dropout active: [`Learner::predict_with_mc_dropout`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct McDropout {
    /// The prediction of the mean probabilities or numbers. Several classes have a threshold of 0.5.
    pub prediction: Prediction,
    /// The probabilities or numbers of each pass, row-major `[passes, outputs]`.
    pub rows: Vec<f32>,
    /// Number of outputs: of classes, or of numbers.
    pub outputs: usize,
    /// The standard deviation of each output over the passes (divided by their number, as numpy does).
    pub std: Vec<f32>,
    /// The entropy of the mean probabilities, in nats: the total uncertainty. For several classes per item, the sum over
    /// the classes. `None` for numbers.
    pub entropy: Option<f64>,
    /// The entropy of the mean minus the mean entropy of the passes, in nats: the part of the uncertainty that more
    /// training data could remove. `None` for numbers.
    pub mutual_information: Option<f64>,
}

impl McDropout {
    /// Number of passes.
    pub fn len(&self) -> usize {
        self.rows.len() / self.outputs.max(1)
    }

    /// Whether there are no passes.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The probabilities or numbers of a pass; empty if there is no such pass.
    pub fn row(&self, pass: usize) -> &[f32] {
        let start = pass.saturating_mul(self.outputs);
        let row = self.rows.get(start..start.saturating_add(self.outputs));
        row.unwrap_or_default()
    }
}

impl Learner {
    /// Predicts one image `n_times` with dropout active, to see how sure the model is: Monte Carlo dropout (Gal and
    /// Ghahramani 2016, <https://arxiv.org/abs/1506.02142>). Everything else runs as in inference; batch norms use their
    /// running statistics.
    ///
    /// The mutual information of the class and the weights (Houlsby et al. 2011, <https://arxiv.org/abs/1112.5745>) is
    /// high for images that are unlike those of the training, the entropy also for images that lie between two classes.
    ///
    /// The same seed gives the same rows, and more passes do not change the first ones. Only dropout of
    /// `vision_models` is seeded; a model of your own with Burn's `Dropout` draws from the device's generator.
    ///
    /// ```no_run
    /// use vision_data::Image;
    /// # fn predict(learner: &vision_learner::Learner) -> vision_learner::Result<()> {
    /// let found = learner.predict_with_mc_dropout(&Image::open("rose.jpg")?, 30)?;
    /// println!("{} with an entropy of {:?}", found.prediction.class, found.entropy);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::NoDropout`] if the model has no dropout, [`Error::Option`] unless there are 1 to 10,000 passes, and those
    /// of [`predict`](Self::predict).
    pub fn predict_with_mc_dropout(&self, image: &Image, n_times: usize) -> Result<McDropout> {
        self.predict_with_mc_dropout_with(image, &McDropoutConfig::new(n_times))
    }

    /// [`predict_with_mc_dropout`](Self::predict_with_mc_dropout) with settings.
    ///
    /// # Errors
    ///
    /// As [`predict_with_mc_dropout`](Self::predict_with_mc_dropout).
    pub fn predict_with_mc_dropout_with(
        &self,
        image: &Image,
        config: &McDropoutConfig,
    ) -> Result<McDropout> {
        let passes = config.n_times;
        if !(1..=MOST_PASSES).contains(&passes) {
            let expected = format!("1 to {MOST_PASSES} passes");
            return Err(OptionError::new("n_times", expected, passes).into());
        }
        let mut model = self.model.snapshot();
        if !model.modes().iter().any(is_dropout) {
            return Err(Error::NoDropout {
                arch: self.arch().to_owned(),
            });
        }
        let all = model.entries().iter().map(|e| e.id).collect();
        model.set_trainable(all, false);
        model.set_training(&mut is_dropout);
        let images = self.data().preprocessor().prepare(image)?;
        self.limits().check(&*model, &images)?;

        // A body without dropout gives the same features in each pass.
        let features = model.fixed_body().map(|body| body(images.clone()));
        let pooled = match (&features, model.parts()) {
            (Some(features), Some(parts)) => parts.pool(features.clone()),
            _ => None,
        };
        let forward = || match (&pooled, &features, model.parts()) {
            (Some(pooled), _, Some(parts)) => parts.head_pooled(Tensor::from_inner(pooled.clone())),
            (None, Some(features), Some(parts)) => parts.head(Tensor::from_inner(features.clone())),
            _ => model.forward(Tensor::from_inner(images.clone())),
        };
        let outputs = self.data().c();
        let seed = config.seed.unwrap_or(self.seed());
        let mut rows = Vec::with_capacity(passes * outputs);
        for pass in 0..passes {
            let logits = RandomStream::with_key(key(seed, pass as u64), forward).inner();
            check_outputs(&logits, outputs, self.data().classes())?;
            let row = values(self.settings.loss.activation(logits));
            rows.extend(finite(row, outputs, 0)?);
        }
        let kind = self.data().kind();
        let found = uncertainty(kind, &rows, outputs);
        Ok(McDropout {
            prediction: Prediction::new(
                kind,
                self.data().classes(),
                found.mean,
                &Threshold::default(),
            ),
            rows,
            outputs,
            std: found.std,
            entropy: found.entropy,
            mutual_information: found.mutual_information,
        })
    }
}

/// Whether a layer is a dropout, of `vision_models`, of Burn, or a kind of it that a user wrote.
fn is_dropout(mode: &Mode) -> bool {
    let name = mode.owner.to_ascii_lowercase();
    name.starts_with("drop") || name.contains("dropout")
}

/// The first key of a pass. Passes are far apart, since each layer takes another key.
fn key(seed: u64, pass: u64) -> u64 {
    // SplitMix64's step and finalizer (Steele, Lea and Flood 2014).
    let mut z = seed.wrapping_add(pass.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
