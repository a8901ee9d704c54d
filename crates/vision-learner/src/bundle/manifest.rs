//! The manifest of a deployed model.

use std::collections::HashSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use vision_base::message::quoted;
use vision_data::{DataFingerprint, Preprocessing, TargetKind};
use vision_models::Description;

use crate::bundle::card::MetricValue;
use crate::bundle::golden::GoldenEntry;
use crate::loss::Output;
use crate::predict::threshold::Threshold;
use crate::{Error, Result};

/// The metadata key of the manifest.
pub(super) const KEY: &str = "vision.model";
/// The format version.
pub(super) const FORMAT: u32 = 1;
/// Largest number of classes or numbers.
const MOST_OUTPUTS: usize = 1 << 20;
/// Largest number of golden inputs.
pub(super) const MOST_GOLDEN: usize = 16;
/// Largest side that a model may ask for, in pixels.
const MOST_SIDE: usize = 16_384;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) format: u32,
    /// Version of this crate that wrote the file.
    pub(super) version: String,
    /// Where the golden outputs come from.
    pub(super) machine: String,
    pub(super) arch: String,
    /// The layers; `None` for a model of the user's own.
    pub(super) layers: Option<Description>,
    pub(super) min_size: usize,
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub(super) size_multiple: usize,
    pub(super) kind: TargetKind,
    pub(super) classes: Vec<String>,
    pub(super) outputs: usize,
    /// What turns outputs into predictions.
    pub(super) activation: Output,
    pub(super) threshold: Option<Threshold>,
    pub(super) temperature: Option<f64>,
    pub(super) preprocessing: Preprocessing,
    /// The seed of random validation transforms.
    pub(super) seed: u64,
    /// Whether the large weights have 16 bits.
    pub(super) half: bool,
    pub(super) epochs_trained: u64,
    /// Those of the last validation.
    pub(super) metrics: Vec<MetricValue>,
    pub(super) data: DataFingerprint,
    pub(super) golden: Vec<GoldenEntry>,
}

/// The only field common to all formats.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// An error about a field of a file.
pub(super) fn misfit(
    path: &Path,
    field: impl Into<String>,
    expected: impl Into<String>,
    found: impl Into<String>,
    hint: &'static str,
) -> Error {
    Error::Bundle {
        path: path.to_owned(),
        field: field.into(),
        expected: expected.into(),
        found: found.into(),
        hint,
    }
}

/// What files of networks of maps leave out.
fn one() -> usize {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde passes references
fn is_one(n: &usize) -> bool {
    *n == 1
}

/// What to do about a file whose hash is right and whose content is not.
const WRITTEN: &str = "another program wrote it; export the model again with Learner::export";

impl Manifest {
    /// Reads a manifest and checks each of its values.
    pub(super) fn parse(path: &Path, json: &str) -> Result<Self> {
        let wrong = |field: &str, expected: &str, found: String| {
            Err(misfit(path, field, expected, found, WRITTEN))
        };
        let Format { format } = match serde_json::from_str(json) {
            Ok(format) => format,
            Err(error) => return wrong("format", "a number", error.to_string()),
        };
        if format != FORMAT {
            let hint = "a newer version of vision wrote it: open it with that version, or export the model again \
                        with this one";
            return Err(misfit(
                path,
                "format",
                FORMAT.to_string(),
                format.to_string(),
                hint,
            ));
        }
        let mut parser = serde_json::Deserializer::from_str(json);
        let manifest: Self = match serde_path_to_error::deserialize(&mut parser) {
            Ok(manifest) => manifest,
            Err(error) => {
                let field = match error.path().to_string() {
                    path if path == "." => "the manifest".to_owned(),
                    path => path,
                };
                let reason = error.into_inner().to_string();
                return wrong(&field, "a valid value", reason);
            }
        };
        if let Err(error) = parser.end() {
            return wrong("the manifest", "one JSON value", error.to_string());
        }
        // A field that may be none could be left out without an error; what decides a prediction must be said.
        let again = serde_json::to_string(&manifest);
        let again = again.and_then(|again| serde_json::from_str(&again));
        let both = again.and_then(|again: Value| Ok((again, serde_json::from_str::<Value>(json)?)));
        match both {
            Ok((again, given)) => {
                if let Some(field) = left_out(&again, &given, "") {
                    return wrong(&field, "a value or null", "nothing".to_owned());
                }
            }
            Err(error) => return wrong("the manifest", "JSON", error.to_string()),
        }
        manifest.check(path)?;
        Ok(manifest)
    }

    /// Checks what the types do not say. The preprocessing is checked where it is built.
    pub(super) fn check(&self, path: &Path) -> Result<()> {
        let wrong = |field: &str, expected: String, found: String| {
            Err(misfit(path, field, expected, found, WRITTEN))
        };
        let Self {
            kind,
            classes,
            outputs,
            ..
        } = self;
        if !(1..=MOST_OUTPUTS).contains(outputs) {
            let expected = format!("1 to {MOST_OUTPUTS}");
            return wrong("outputs", expected, outputs.to_string());
        }
        let expected = match kind {
            TargetKind::Float => 0,
            TargetKind::Category | TargetKind::MultiCategory => *outputs,
        };
        if classes.len() != expected {
            return wrong(
                "classes",
                format!("{expected} names, for {outputs} outputs of the kind {kind:?}"),
                format!("{} names", classes.len()),
            );
        }
        let mut seen = HashSet::new();
        if let Some(twice) = classes.iter().find(|class| !seen.insert(class.as_str())) {
            let found = format!("{} twice", quoted(twice));
            return wrong("classes", "different names".to_owned(), found);
        }
        for (field, pixels) in [
            ("min_size", self.min_size),
            ("size_multiple", self.size_multiple),
        ] {
            if !(1..=MOST_SIDE).contains(&pixels) {
                let expected = format!("1 to {MOST_SIDE} pixels");
                return wrong(field, expected, pixels.to_string());
            }
        }
        if let Some(threshold) = &self.threshold {
            if *kind != TargetKind::MultiCategory {
                let expected = "none, since items do not have several classes";
                return wrong("threshold", expected.to_owned(), format!("{threshold:?}"));
            }
            if threshold.check(*outputs).is_err() {
                let expected =
                    format!("a probability from 0 to 1, or one for each of the {outputs} classes");
                return wrong("threshold", expected, format!("{threshold:?}"));
            }
        }
        if let Some(temperature) = self.temperature
            && let Err(expected) = check_temperature(temperature, &self.activation)
        {
            return wrong("temperature", expected.to_owned(), temperature.to_string());
        }
        if self.golden.len() > MOST_GOLDEN {
            let expected = format!("at most {MOST_GOLDEN}");
            return wrong("golden", expected, self.golden.len().to_string());
        }
        for (i, golden) in self.golden.iter().enumerate() {
            let finite = |bits: &u32| f32::from_bits(*bits).is_finite();
            if golden.outputs.len() != *outputs || !golden.outputs.iter().all(finite) {
                let field = format!("golden[{i}].outputs");
                let found = format!("{} numbers", golden.outputs.len());
                return wrong(&field, format!("{outputs} finite numbers"), found);
            }
        }
        if let Some(layers) = &self.layers {
            self.check_layers(path, layers, None)?;
        }
        Ok(())
    }
}

impl Manifest {
    /// Checks the layers for images of this height and width, and the number of their outputs.
    pub(super) fn check_layers(
        &self,
        path: &Path,
        layers: &Description,
        size: Option<[usize; 2]>,
    ) -> Result<()> {
        match layers.check(size)? {
            Some(found) if found != self.outputs => Err(misfit(
                path,
                "outputs",
                format!("{found}, as the layers give"),
                self.outputs.to_string(),
                WRITTEN,
            )),
            _ => Ok(()),
        }
    }
}

/// The first field of `full` that `given` does not have.
fn left_out(full: &Value, given: &Value, path: &str) -> Option<String> {
    match (full, given) {
        (Value::Object(full), Value::Object(given)) => full.iter().find_map(|(key, full)| {
            let path = match path {
                "" => key.clone(),
                path => format!("{path}.{key}"),
            };
            match given.get(key) {
                None => Some(path),
                Some(given) => left_out(full, given, &path),
            }
        }),
        (Value::Array(full), Value::Array(given)) => {
            let mut pairs = full.iter().zip(given).enumerate();
            pairs.find_map(|(i, (full, given))| left_out(full, given, &format!("{path}[{i}]")))
        }
        _ => None,
    }
}

/// Checks a temperature; on failure returns what is expected.
pub(crate) fn check_temperature(
    temperature: f64,
    activation: &Output,
) -> std::result::Result<(), &'static str> {
    if !matches!(activation, Output::Softmax | Output::Sigmoid) {
        return Err("none, since the outputs go through no softmax or sigmoid");
    }
    match (1e-3..=1e3).contains(&temperature) {
        true => Ok(()),
        false => Err("a number from 0.001 to 1000"),
    }
}
