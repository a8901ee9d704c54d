//! Exports a learner as a deployed model.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::{Tensor, TensorData};
use half::f16;
use vision_base::message::shown;
use vision_base::paths::open_file;
use vision_base::{OptionError, atomic, io_error};
use vision_data::{Device, ImageError, TargetKind, device};
use vision_models::Description;
use vision_models::state::{self, NamedTensor, values};
use vision_models::weights::{SealedFile, TensorToWrite, Values, WeightsFile, sealed_bytes};

use crate::bundle::card::Card;
use crate::bundle::config::ExportConfig;
use crate::bundle::golden::{GoldenEntry, tensor_name};
use crate::bundle::manifest::{self, FORMAT, KEY, MOST_GOLDEN, Manifest, misfit};
use crate::bundle::{drawn, machine, read};
use crate::learner::Learner;
use crate::model::sides::Sides;
use crate::predict::predictor::{Activation, Inner};
use crate::{Error, Result};

/// Largest golden file in bytes.
const MOST_BYTES: u64 = 16 << 20;
/// Where bytes are that no file holds yet.
const MEMORY: &str = "bytes in memory";

impl Learner {
    /// Writes the model with everything that a prediction needs as one file, which
    /// [`Predictor::open`](crate::Predictor::open) opens without a line of code about the model: its
    /// layers, weights, classes, preprocessing, the loss's activation, and inputs with their outputs for a
    /// self test.
    ///
    /// The file is safetensors, sealed with a hash of all of it, and written atomically. Optimizer, data and
    /// training settings are not in it: [`save`](Self::save) is for training that goes on. No image of the
    /// data is in it either. Returns what the file says about itself.
    ///
    /// ```no_run
    /// # fn export(learner: &vision_learner::Learner) -> vision_learner::Result<()> {
    /// let card = learner.export("pets.safetensors")?;
    /// println!("{card}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`export_with`](Self::export_with).
    #[doc(alias("learn.export", "export.pkl"))]
    pub fn export(&self, path: impl AsRef<Path>) -> Result<Card> {
        self.export_with(path, ExportConfig::new())
    }

    /// [`export`](Self::export) with settings.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] for a setting out of range and for a path where there is another file than an earlier
    /// export, [`Error::NotFiniteWeights`] if a weight is NaN or infinite,
    /// [`Error::Data`] for a golden file that is no image, [`Error::Bundle`] if the loss has an activation that
    /// [`Loss::output`](crate::Loss::output) does not name or if the layers of the model do not compute what
    /// the model does, and [`Error::Io`] if the file cannot be written.
    pub fn export_with(&self, path: impl AsRef<Path>, config: ExportConfig) -> Result<Card> {
        let path = path.as_ref();
        check_ours(path)?;
        let (bytes, card) = self.deployed(path, &config)?;
        atomic::write(path, &bytes)?;
        Ok(card)
    }

    /// The bytes of the file that [`export_with`](Self::export_with) writes, for
    /// [`Predictor::from_bytes`](crate::Predictor::from_bytes).
    ///
    /// # Errors
    ///
    /// As [`export_with`](Self::export_with).
    pub fn export_bytes(&self, config: ExportConfig) -> Result<Vec<u8>> {
        let (bytes, _) = self.deployed(Path::new(MEMORY), &config)?;
        Ok(bytes)
    }

    fn deployed(&self, path: &Path, config: &ExportConfig) -> Result<(Vec<u8>, Card)> {
        let activation = self.settings.loss.output();
        self.check_config(config)?;
        self.check_activation(path)?;
        let plain = self.model.valid();
        let layers = plain.as_layers();
        let mut tensors = match &layers {
            // A model of the user's own may have other names than its layers.
            Some(layers) => state::tensors(layers),
            None => plain.tensors(),
        };
        for NamedTensor { name, values, .. } in &tensors {
            if let Some(&found) = values.iter().find(|value| !value.is_finite()) {
                let (path, name) = (path.to_owned(), name.clone());
                return Err(Error::NotFiniteWeights { path, name, found });
            }
        }
        if config.half {
            for tensor in tensors.iter_mut().filter(|tensor| is_large(tensor)) {
                round(tensor)?;
            }
        }
        let limits = self.limits();
        let data = self.data();
        let mut manifest = Manifest {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            machine: machine::describe(data.device()),
            arch: self.arch().to_owned(),
            layers: layers.as_ref().map(Description::of),
            min_size: limits.sides.least,
            size_multiple: limits.sides.multiple,
            kind: data.kind(),
            classes: data.classes().to_vec(),
            outputs: data.c(),
            activation,
            threshold: config.threshold.clone(),
            temperature: config.temperature,
            preprocessing: data.preprocessing(),
            seed: data.seed(),
            half: config.half,
            epochs_trained: self.epochs_trained,
            metrics: self.recorder.scores(),
            data: data.fingerprint(),
            golden: Vec::new(),
        };
        if let Some(card) = &config.card {
            manifest.epochs_trained = card.epochs_trained;
            manifest.metrics.clone_from(&card.metrics);
            manifest.data.clone_from(&card.data);
        }
        manifest.check(path)?;

        let model = match &manifest.layers {
            Some(layers) => read::built(path, layers, tensors.clone(), data.device())?,
            None => {
                let mut model = self.model.snapshot();
                read::fill(path, &mut *model, tensors.clone())?;
                model.valid()
            }
        };
        let loss = Activation::Loss(Arc::clone(&self.settings.loss));
        let deployed = read::predictor(path, &manifest, model, loss, data.device(), None)?;
        let golden = golden_images(config, limits.sides)?;
        let reference = Arc::into_inner(self.predictor().0).map(|inner| Inner {
            temperature: config.temperature,
            ..inner
        });
        for golden in &golden {
            let outputs = golden.outputs(&deployed.0)?;
            if let Some(reference) = reference.as_ref().filter(|_| !config.half) {
                let expected = golden.outputs(reference)?;
                compare(path, &outputs, &expected, data.device())?;
            }
            manifest.golden.push(GoldenEntry {
                name: golden.name.clone(),
                outputs: outputs.iter().map(|output| output.to_bits()).collect(),
            });
        }

        let names: Vec<String> = (0..golden.len()).map(tensor_name).collect();
        let lengths: Vec<[usize; 1]> = golden.iter().map(|g| [g.bytes.len()]).collect();
        let weights = tensors.iter().map(|tensor| TensorToWrite {
            name: &tensor.name,
            shape: &tensor.shape,
            values: match config.half && is_large(tensor) {
                true => Values::F16(&tensor.values),
                false => Values::F32(&tensor.values),
            },
        });
        let images = names.iter().zip(&lengths).zip(&golden);
        let images = images.map(|((name, length), golden)| TensorToWrite {
            name,
            shape: length,
            values: Values::Bytes(&golden.bytes),
        });
        let mut all: Vec<_> = weights.chain(images).collect();
        // Values begin at multiples of their size: large ones first. The sort keeps the order of equals.
        all.sort_by_key(|tensor| match tensor.values {
            Values::F32(_) => 0,
            Values::F16(_) => 1,
            Values::Bytes(_) => 2,
        });
        let json = serde_json::to_string(&manifest)
            .map_err(|e| io_error("write the manifest of", path)(e.into()))?;
        let metadata = BTreeMap::from([
            ("format".to_owned(), "pt".to_owned()),
            (KEY.to_owned(), json),
        ]);
        let bytes = sealed_bytes(path, &all, &metadata)?;
        let hash = SealedFile::parse(path, &bytes)?.hash().to_owned();
        let card = read::card(&manifest, &tensors, hash);
        Ok((bytes, card))
    }

    fn check_config(&self, config: &ExportConfig) -> Result<()> {
        if let Some(threshold) = &config.threshold {
            if self.data().kind() != TargetKind::MultiCategory {
                return Err(OptionError::new(
                    "threshold",
                    "none, since items of this data do not have several classes",
                    format!("{threshold:?}"),
                )
                .into());
            }
            threshold.check(self.data().c())?;
        }
        if let Some(temperature) = config.temperature {
            manifest::check_temperature(temperature, &self.settings.loss.output())
                .map_err(|expected| OptionError::new("temperature", expected, temperature))?;
        }
        let files = config.golden.as_ref().map_or(1, Vec::len);
        if !(1..=MOST_GOLDEN).contains(&files) {
            let expected = format!("1 to {MOST_GOLDEN} files");
            return Err(OptionError::new("golden", expected, files).into());
        }
        Ok(())
    }

    /// Checks that the loss has the activation that it names. A file that says another one would predict wrongly.
    pub(crate) fn check_activation(&self, path: &Path) -> Result<()> {
        let (loss, outputs) = (&self.settings.loss, self.data().c());
        let named = loss.output();
        if matches!(named, crate::Output::Own(_)) {
            return Ok(());
        }
        let rows = 4;
        let probe: Vec<f32> = (0..rows * outputs)
            .map(|i| (i as f32 * 0.7).sin() * [0.1, 1.0, 5.0, 20.0][i % 4])
            .collect();
        let probe = TensorData::new(probe, [rows, outputs]);
        let probe = Tensor::<2>::from_data(probe, self.data().device());
        let (expected, found) = (loss.activation(probe.clone()), named.apply(probe));
        let pairs = values(expected).into_iter().zip(values(found));
        if pairs.into_iter().all(|(a, b)| a.to_bits() == b.to_bits()) {
            return Ok(());
        }
        Err(misfit(
            path,
            "activation",
            format!("that of the loss {}", shown(format!("{loss:?}"))),
            format!("{named}, as its Loss::output says"),
            "let Loss::output name the activation, or return Output::Own for one that has no name, and open the \
             file with OpenConfig::with_loss",
        ))
    }
}

/// Rejects a path where there is a file that no export has written: a checkpoint, weights from elsewhere.
fn check_ours(path: &Path) -> Result<()> {
    let exported = |file: WeightsFile| file.metadata(KEY).is_some();
    if !path.is_file() || WeightsFile::open(path).is_ok_and(exported) {
        return Ok(());
    }
    Err(Error::Option(OptionError::new(
        "path",
        "one where there is no other file than that of an earlier export",
        format!(
            "{}, which no export has written; choose another name, or move that file",
            shown(path)
        ),
    )))
}

/// Whether a tensor may have 16 bits: a weight of a convolution or a linear layer.
fn is_large(tensor: &NamedTensor) -> bool {
    tensor.shape.len() >= 2
}

fn round(tensor: &mut NamedTensor) -> Result<()> {
    for value in &mut tensor.values {
        let rounded = f16::from_f32(*value).to_f32();
        if !rounded.is_finite() {
            return Err(OptionError::new(
                "half",
                "false, or weights of at most 65504, which 16 bits can hold",
                format!("{} holds {value:e}", tensor.name),
            )
            .into());
        }
        *value = rounded;
    }
    Ok(())
}

/// An encoded image, before its outputs are known.
struct GoldenImage {
    name: String,
    bytes: Vec<u8>,
    /// The file it comes from.
    path: Option<PathBuf>,
}

impl GoldenImage {
    fn outputs(&self, predictor: &Inner) -> Result<Vec<f32>> {
        let image = predictor
            .preprocessor
            .decode(&self.bytes)
            .map_err(|error| match (error, &self.path) {
                (vision_data::Error::Image(ImageError::Decode { problem, .. }), Some(path)) => {
                    ImageError::Decode {
                        path: path.clone(),
                        problem,
                    }
                    .into()
                }
                (error, _) => error,
            })?;
        predictor.activations(predictor.preprocessor.prepare(&image)?)
    }
}

fn golden_images(config: &ExportConfig, sides: Sides) -> Result<Vec<GoldenImage>> {
    let Some(files) = &config.golden else {
        let drawn = drawn::images(sides).map_err(|error| {
            let error = std::io::Error::other(error);
            io_error("encode the golden inputs of", Path::new(MEMORY))(error)
        })?;
        let image = |(name, bytes)| GoldenImage {
            name,
            bytes,
            path: None,
        };
        return Ok(drawn.into_iter().map(image).collect());
    };
    let image = |(i, path): (usize, &PathBuf)| {
        let mut bytes = Vec::new();
        let file = open_file(path)?;
        let read = file.take(MOST_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(io_error("read", path))?;
        if bytes.len() as u64 > MOST_BYTES {
            let length = fs::metadata(path).map_or(MOST_BYTES, |metadata| metadata.len());
            return Err(Error::Option(OptionError::new(
                "golden",
                format!("files of at most {MOST_BYTES} bytes"),
                format!("{} of {length}", shown(path)),
            )));
        }
        // The file's own name may be private.
        Ok(GoldenImage {
            name: format!("own {}", i + 1),
            bytes,
            path: Some(path.clone()),
        })
    };
    files.iter().enumerate().map(image).collect()
}

/// Checks that the model that is built from the file's layers computes what the learner's does.
fn compare(path: &Path, found: &[f32], expected: &[f32], on: &Device) -> Result<()> {
    // Other devices may choose other kernels for the same layers.
    let tolerance = if device::is_cpu(on) { 0.0 } else { 1e-4 };
    let near = |(a, b): (&f32, &f32)| (a - b).abs() <= tolerance * b.abs().max(1.0);
    if found.len() == expected.len() && found.iter().zip(expected).all(near) {
        return Ok(());
    }
    Err(misfit(
        path,
        "layers",
        format!("layers that compute the model's outputs, {expected:?}"),
        format!("layers that compute {found:?}"),
        "let `as_layers` of Model, Body or Head return the layers of its forward, in order, or nothing",
    ))
}
