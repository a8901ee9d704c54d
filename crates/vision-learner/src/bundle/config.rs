use std::path::PathBuf;

use crate::bundle::card::Card;
use crate::predict::threshold::Threshold;

/// The settings of [`Learner::export_with`](crate::Learner::export_with).
///
/// ```
/// use vision_learner::ExportConfig;
/// let config = ExportConfig::new().with_half(true).with_golden(["rose.jpg", "tulip.jpg"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct ExportConfig {
    pub(super) half: bool,
    pub(super) golden: Option<Vec<PathBuf>>,
    pub(super) threshold: Option<Threshold>,
    pub(super) temperature: Option<f64>,
    /// Of an earlier export of the same model.
    pub(super) card: Option<Card>,
}

impl ExportConfig {
    /// 32-bit weights, drawn golden inputs, a threshold of 0.5, no temperature.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores the weights of convolutions and linear layers as 16-bit numbers: half the size. Biases and
    /// batch norms, which are small and sensitive, keep 32 bits. The computation has 32 bits either way.
    /// Default: false.
    pub fn with_half(mut self, half: bool) -> Self {
        self.half = half;
        self
    }

    /// Stores these image files as golden inputs of the self test, instead of three that are drawn: up to 16
    /// files of up to 16 MiB. They become a part of the file, for everybody who gets it.
    pub fn with_golden<P: Into<PathBuf>>(mut self, files: impl IntoIterator<Item = P>) -> Self {
        self.golden = Some(files.into_iter().map(Into::into).collect());
        self
    }

    /// Takes over what the file of another export says of its training: data, epochs, metrics, threshold and temperature. For
    /// a learner that was made from that file, and has not been trained since.
    ///
    /// ```no_run
    /// # fn half(learner: &vision_learner::Learner) -> vision_learner::Result<()> {
    /// use vision_learner::{ExportConfig, Predictor};
    /// if let Some(card) = Predictor::open("pets.safetensors")?.card() {
    ///     learner.export_with("small.safetensors", ExportConfig::new().with_card(card).with_half(true))?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_card(mut self, card: &Card) -> Self {
        self.threshold = card.threshold.clone();
        self.temperature = card.temperature;
        self.card = Some(card.clone());
        self
    }

    /// Sets the probability from which on an item has a class: one number, or one for each class. Only for
    /// items with several classes. Default: 0.5.
    pub fn with_threshold(mut self, threshold: impl Into<Threshold>) -> Self {
        self.threshold = Some(threshold.into());
        self
    }

    /// Divides the outputs by this before softmax or sigmoid (Guo et al. 2017,
    /// <https://arxiv.org/abs/1706.04599>): above 1, probabilities are less certain. Classes stay the same.
    /// [`fit_temperature`](crate::fit_temperature) finds it.
    /// Default: none.
    pub fn with_temperature(mut self, temperature: f64) -> Self {
        self.temperature = Some(temperature);
        self
    }
}
