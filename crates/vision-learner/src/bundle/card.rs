use std::fmt;

use serde::{Deserialize, Serialize};
use vision_base::message::{listed, named, shown};
use vision_data::{DataFingerprint, Preprocessing, TargetKind};

use crate::loss::Output;
use crate::predict::threshold::Threshold;

/// A metric of the last validation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricValue {
    /// Its name.
    pub name: String,
    /// Its value; `None` if it was not a finite number.
    pub value: Option<f64>,
}

impl MetricValue {
    pub(crate) fn new(name: impl Into<String>, value: f64) -> Self {
        Self {
            name: name.into(),
            value: Some(value).filter(|value| value.is_finite()),
        }
    }
}

/// What the file of a deployed model says about itself: [`Predictor::card`](crate::Predictor::card).
///
/// `Display` writes it for people, `serde` for programs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Card {
    /// The SHA-256 of the file.
    pub hash: String,
    /// Version of the format.
    pub format: u32,
    /// Version of the library that wrote the file.
    pub version: String,
    /// Where it was exported: version, system, device and instruction set.
    pub machine: String,
    /// Name of the architecture.
    pub arch: String,
    /// Whether the file describes the layers. Otherwise the model is code of your own.
    pub has_layers: bool,
    /// Number of parameters, running statistics not counted.
    pub parameters: usize,
    /// Whether the weights of convolutions and linear layers have 16 bits.
    pub half: bool,
    /// The kind of the labels.
    pub kind: TargetKind,
    /// The class names, in the order of the probabilities.
    pub classes: Vec<String>,
    /// Number of outputs.
    pub outputs: usize,
    /// What turns outputs into predictions.
    pub activation: Output,
    /// The probability from which on an item has a class, if set.
    pub threshold: Option<Threshold>,
    /// What the outputs are divided by, if set.
    pub temperature: Option<f64>,
    /// How images are prepared.
    pub preprocessing: Preprocessing,
    /// Smallest side of a prepared image in pixels.
    pub min_size: usize,
    /// What the sides of images must be multiples of, in pixels.
    pub size_multiple: usize,
    /// How many epochs the model was trained for.
    pub epochs_trained: u64,
    /// Loss and metrics of these weights, by the validation during training; empty if there was none.
    pub metrics: Vec<MetricValue>,
    /// What the model was trained and validated on.
    pub data: DataFingerprint,
    /// Number of golden inputs for the self test.
    pub golden: usize,
}

impl fmt::Display for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = if self.half { "16-bit" } else { "32-bit" };
        writeln!(
            f,
            "{}: {} parameters ({bits} weights), {} epochs of training",
            named(&self.arch),
            self.parameters,
            self.epochs_trained
        )?;
        match self.kind {
            TargetKind::Float => writeln!(f, "outputs: {} numbers", self.outputs)?,
            kind => writeln!(
                f,
                "classes: {} ({}), {}",
                self.classes.len(),
                listed(self.classes.iter()),
                kind.describe()
            )?,
        }
        write!(f, "activation: {}", self.activation)?;
        if let Some(threshold) = &self.threshold {
            match threshold {
                Threshold::All(threshold) => write!(f, ", threshold {threshold}")?,
                Threshold::Each(_) => write!(f, ", a threshold for each class")?,
            }
        }
        if let Some(temperature) = self.temperature {
            write!(f, ", temperature {temperature}")?;
        }
        let preprocessing = serde_json::to_string(&self.preprocessing).unwrap_or_default();
        writeln!(f, "\npreprocessing: {}", shown(preprocessing))?;
        for MetricValue { name, value } in &self.metrics {
            let value = value.map_or("not a number".to_owned(), |value| format!("{value:.6}"));
            writeln!(f, "{}: {value}", named(name))?;
        }
        let DataFingerprint { hash, train, valid } = &self.data;
        writeln!(
            f,
            "data: {train} training and {valid} validation images, {}",
            named(hash)
        )?;
        writeln!(
            f,
            "written by: {} (format {})",
            shown(&self.machine),
            self.format
        )?;
        write!(f, "SHA-256: {}", self.hash)
    }
}
