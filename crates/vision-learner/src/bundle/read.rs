//! Opens a deployed model.

use std::collections::{HashMap, HashSet};
use std::io::{ErrorKind, Read as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use burn::tensor::Tensor;
use vision_base::io_error;
use vision_base::message::{listed, panic_message, shown};
use vision_base::paths::open_file;
use vision_data::{Device, Image, device};
use vision_models::Description;
use vision_models::state::NamedTensor;
use vision_models::weights::{MAX_FILE_BYTES, SealedFile};

use crate::bundle::card::Card;
use crate::bundle::golden::{Golden, tensor_name};
use crate::bundle::manifest::{KEY, Manifest, misfit};
use crate::bundle::open_config::OpenConfig;
use crate::loss::Output;
use crate::model::any_model::{AnyModel, plain};
use crate::model::sides::Sides;
use crate::predict::predictor::{Activation, Inner, Predictor};
use crate::train::limits::Trial;
use crate::{Error, Result};

impl Predictor {
    /// Opens a file that [`Learner::export`](crate::Learner::export) wrote, ready to predict on the
    /// [default device](vision_data::device::default_device).
    ///
    /// The whole file is checked first: its hash, every field, and every shape. Nothing in it is executed.
    ///
    /// ```no_run
    /// use vision_learner::Predictor;
    /// let predictor = Predictor::open("pets.safetensors")?;
    /// let prediction = predictor.predict_file("photo.jpg")?;
    /// println!("{}: {:?}", prediction.class, prediction.probabilities);
    /// # Ok::<(), vision_learner::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be read, [`Error::Models`] if it is damaged, and [`Error::Bundle`] with
    /// the field for a file of another kind or a newer version, for a model or loss of your own
    /// ([`open_with`](Self::open_with)), and for content that cannot be.
    #[doc(alias = "load_learner")]
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, OpenConfig::new())
    }

    /// [`open`](Self::open) on another device.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_on(path: impl AsRef<Path>, device: Device) -> Result<Self> {
        Self::open_with(path, OpenConfig::new().with_device(device))
    }

    /// [`open`](Self::open) with a model of your own, whose weights the file holds, or with an
    /// [`OpenConfig`].
    ///
    /// ```no_run
    /// # fn open(model: impl vision_learner::Model) -> vision_learner::Result<()> {
    /// // The model is built by the same code as before training.
    /// let predictor = vision_learner::Predictor::open_with("own.safetensors", model)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), and if the parameters of the model are not those of the file.
    pub fn open_with(path: impl AsRef<Path>, config: impl Into<OpenConfig>) -> Result<Self> {
        let path = path.as_ref();
        let mut file = open_file(path)?;
        let read = |source| io_error("read", path)(source);
        let mut bytes = Vec::new();
        // A file of another kind may be much larger than memory.
        (&mut file).take(16).read_to_end(&mut bytes).map_err(read)?;
        if SealedFile::begins(&bytes) {
            let length = file.metadata().map_err(read)?.len();
            if length > MAX_FILE_BYTES {
                return Err(Error::Models(vision_models::Error::WeightsTooLarge {
                    path: path.to_owned(),
                    found: length,
                    limit: MAX_FILE_BYTES,
                }));
            }
            // An allocation that fails would end the program.
            bytes
                .try_reserve_exact(length.saturating_sub(16) as usize)
                .map_err(|_| read(ErrorKind::OutOfMemory.into()))?;
            file.take(MAX_FILE_BYTES)
                .read_to_end(&mut bytes)
                .map_err(read)?;
        }
        opened(path, &bytes, config.into())
    }

    /// [`open`](Self::open) of the bytes of a file, such as those that the program contains
    /// (`include_bytes!`).
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), with "bytes in memory" as the path.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Self::from_bytes_with(bytes, OpenConfig::new())
    }

    /// [`from_bytes`](Self::from_bytes) with a model of your own or an [`OpenConfig`].
    ///
    /// # Errors
    ///
    /// As [`open_with`](Self::open_with).
    pub fn from_bytes_with(bytes: &[u8], config: impl Into<OpenConfig>) -> Result<Self> {
        opened(Path::new("bytes in memory"), bytes, config.into())
    }
}

fn opened(path: &Path, bytes: &[u8], config: OpenConfig) -> Result<Predictor> {
    let file = SealedFile::parse(path, bytes)?;
    let Some(json) = file.metadata(KEY) else {
        let (found, hint) = match file.metadata("vision") {
            Some(_) => (
                "a checkpoint of Learner::save",
                "load it into a learner (Learner::load), and export that (Learner::export)",
            ),
            None => (
                "a file without a description of a model",
                "export a learner with Learner::export",
            ),
        };
        let expected = "a deployed model of Learner::export";
        return Err(misfit(path, "content", expected, found, hint));
    };
    let manifest = Manifest::parse(path, json)?;
    let mut golden = Vec::with_capacity(manifest.golden.len());
    for (i, entry) in manifest.golden.iter().enumerate() {
        let Some(bytes) = file.bytes(&tensor_name(i)) else {
            let hint = "export the model again with Learner::export";
            let expected = "an encoded image";
            return Err(misfit(path, tensor_name(i), expected, "nothing", hint));
        };
        golden.push(Golden {
            name: entry.name.clone(),
            bytes: bytes.to_vec(),
            outputs: entry.outputs.iter().copied().map(f32::from_bits).collect(),
        });
    }
    let activation = match (&manifest.activation, config.loss) {
        (Output::Own(_), None) => {
            return Err(misfit(
                path,
                "activation",
                "one that the file can hold, or the loss",
                manifest.activation.to_string(),
                "give the loss that it was trained with: Predictor::open_with(path, \
                 OpenConfig::new().with_loss(..))",
            ));
        }
        (named, Some(loss)) if loss.output() != *named => {
            return Err(misfit(
                path,
                "activation",
                loss.output().to_string(),
                named.to_string(),
                "give the loss that it was trained with",
            ));
        }
        (Output::Own(_), Some(loss)) => Activation::Loss(loss),
        (named, _) => Activation::Named(named.clone()),
    };
    let device = match config.device {
        Some(device) => device,
        None => device::default_device()?,
    };
    let mut tensors = Vec::new();
    let images: Vec<String> = (0..golden.len()).map(tensor_name).collect();
    for name in file
        .names()
        .filter(|name| !images.iter().any(|i| i == name))
    {
        let values = file.read_f32(name)?;
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            let hint = "export the model again with Learner::export";
            return Err(misfit(path, name, "finite values", value.to_string(), hint));
        }
        tensors.push(NamedTensor {
            name: name.to_owned(),
            shape: file.shape(name).unwrap_or_default().to_vec(),
            values,
        });
    }
    let card = card(&manifest, &tensors, file.hash().to_owned());
    let model = match (&manifest.layers, config.model) {
        (_, Some(make)) => {
            let mut model = make(&device);
            fill(path, &mut *model, tensors)?;
            model
        }
        (Some(layers), None) => built(path, layers, tensors, &device)?,
        (None, None) => {
            return Err(misfit(
                path,
                "layers",
                "a description of the layers, or the model",
                format!(
                    "the weights of a model of your own, {}",
                    shown(&manifest.arch)
                ),
                "build the model with the code that it was trained with, and give it: \
                 Predictor::open_with(path, model)",
            ));
        }
    };
    let file = Some((card, golden));
    predictor(path, &manifest, model, activation, &device, file)
}

/// Builds the network that a manifest describes, with these values.
pub(super) fn built(
    path: &Path,
    layers: &Description,
    tensors: Vec<NamedTensor>,
    device: &Device,
) -> Result<Box<dyn AnyModel>> {
    let shapes: HashMap<&str, &[usize]> = tensors
        .iter()
        .map(|tensor| (tensor.name.as_str(), &tensor.shape[..]))
        .collect();
    let shape = |name: &str| shapes.get(name).map(|shape| shape.to_vec());
    let mut model = plain(layers.build(shape, device)?);
    fill(path, &mut *model, tensors)?;
    Ok(model)
}

/// Gives a model these values: exactly those of its parameters and running statistics.
pub(super) fn fill(path: &Path, model: &mut dyn AnyModel, tensors: Vec<NamedTensor>) -> Result<()> {
    const HINT: &str =
        "the model is not the one that was exported: build it with the same code and settings";
    let mut by_name: HashMap<String, NamedTensor> = tensors
        .into_iter()
        .map(|tensor| (tensor.name.clone(), tensor))
        .collect();
    let entries = model.entries();
    for entry in &entries {
        let found = by_name.get(&entry.name).map(|tensor| &tensor.shape);
        if found != Some(&entry.shape) {
            let found = found.map_or("nothing".to_owned(), |shape| format!("{shape:?}"));
            let expected = format!("{:?}", entry.shape);
            return Err(misfit(path, &entry.name, expected, found, HINT));
        }
    }
    let known: HashSet<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    let others = by_name.keys().filter(|name| !known.contains(name.as_str()));
    let mut others: Vec<&String> = others.collect();
    if !others.is_empty() {
        others.sort_unstable();
        let found = format!("others too: {}", listed(others.iter()));
        let expected = "the parameters of the model";
        return Err(misfit(path, "tensors", expected, found, HINT));
    }
    model.assign(&mut |name, _| by_name.remove(name).map(|tensor| tensor.values));
    Ok(())
}

/// Puts the parts together, and runs the model once if the size of its images is known.
pub(super) fn predictor(
    path: &Path,
    manifest: &Manifest,
    model: Box<dyn AnyModel>,
    activation: Activation,
    device: &Device,
    file: Option<(Card, Vec<Golden>)>,
) -> Result<Predictor> {
    let preprocessing = manifest.preprocessing.clone();
    let preprocessor = preprocessing.preprocessor(manifest.seed, device)?;
    let inner = Inner {
        model,
        activation,
        preprocessor,
        arch: manifest.arch.clone(),
        sides: Sides {
            least: manifest.min_size,
            multiple: manifest.size_multiple,
        },
        trial: Arc::new(Trial::new(None)),
        device: device.clone(),
        kind: manifest.kind,
        classes: manifest.classes.clone(),
        outputs: manifest.outputs,
        threshold: manifest.threshold.clone(),
        temperature: manifest.temperature,
        preprocessing,
        file,
    };
    // A transform of the user's own may reject the image; it may accept others.
    if inner.preprocessing.size.is_some()
        && let Ok(image) = Image::from_rgb8(64, 64, vec![0; 3 * 64 * 64])
        && let Ok(images) = inner.preprocessor.prepare(&image)
    {
        let [_, _, height, width] = images.dims();
        if let Some(layers) = &manifest.layers {
            manifest.check_layers(path, layers, Some([height, width]))?;
        }
        try_out(&inner, images)?;
    }
    Ok(Predictor(Arc::new(inner), None))
}

/// Runs the model itself, not a copy as the trial would: the weights that it packs are those of the first prediction.
fn try_out(inner: &Inner, images: Tensor<4>) -> Result<()> {
    let [_, _, height, width] = images.dims();
    inner.sides.check(&inner.arch, [height, width])?;
    let run = AssertUnwindSafe(|| drop(inner.model.forward(images)));
    catch_unwind(run).map_err(|panic| Error::ModelPanicked {
        arch: inner.arch.clone(),
        size: [height, width],
        reason: panic_message(&*panic),
    })?;
    inner.trial.pass([height, width]);
    Ok(())
}

/// What a file says about itself.
pub(super) fn card(manifest: &Manifest, tensors: &[NamedTensor], hash: String) -> Card {
    let is_parameter = |tensor: &&NamedTensor| !tensor.name.contains("running_");
    let parameters = tensors.iter().filter(is_parameter);
    let manifest = manifest.clone();
    Card {
        hash,
        format: manifest.format,
        version: manifest.version,
        machine: manifest.machine,
        arch: manifest.arch,
        has_layers: manifest.layers.is_some(),
        parameters: parameters.map(|tensor| tensor.values.len()).sum(),
        half: manifest.half,
        kind: manifest.kind,
        classes: manifest.classes,
        outputs: manifest.outputs,
        activation: manifest.activation,
        threshold: manifest.threshold,
        temperature: manifest.temperature,
        preprocessing: manifest.preprocessing,
        min_size: manifest.min_size,
        size_multiple: manifest.size_multiple,
        epochs_trained: manifest.epochs_trained,
        metrics: manifest.metrics,
        data: manifest.data,
        golden: manifest.golden.len(),
    }
}
