//! Exports a trained model to ONNX, or to safetensors with PyTorch's names.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use vision_base::OptionError;
use vision_data::{PaddingMode, ResizeMethod, TargetKind, Transform};
use vision_models::export::{
    Edge, Ending, ExportReport, Fit, ImageInput, ImageResize, Names, OnnxConfig, export_onnx,
    export_safetensors_with,
};
use vision_models::{Arch, Init, state};

use crate::bundle::manifest::check_temperature;
use crate::learner::Learner;
use crate::loss::Output;
use crate::{Error, Result};

impl Learner {
    /// Writes body and head as one ONNX model. Its input is images `[batch, 3, height, width]`, its
    /// output logits `[batch, classes]`; batch size and image size are dynamic. The metadata come from
    /// [`onnx_config`](Self::onnx_config).
    ///
    /// # Errors
    ///
    /// As [`export_onnx_with`](Self::export_onnx_with).
    #[doc(alias = "torch.onnx.export")]
    pub fn export_onnx(&self, path: impl AsRef<Path>) -> Result<()> {
        self.export_onnx_with(path, &self.onnx_config())
    }

    /// [`export_onnx`](Self::export_onnx) with custom settings.
    ///
    /// ```no_run
    /// # fn export(learner: &vision_learner::Learner) -> vision_learner::Result<()> {
    /// let stats = vision_data::Stats::IMAGENET;
    /// let config = learner.onnx_config().with_size(224, 224).with_normalization(stats.mean, stats.std);
    /// learner.export_onnx_with("pets.onnx", &config)
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Models`] if a part of the model is not made of layers (a hand-written body or head), or
    /// if the file cannot be written.
    pub fn export_onnx_with(&self, path: impl AsRef<Path>, config: &OnnxConfig) -> Result<()> {
        let path = path.as_ref();
        let Some(layers) = self.model.valid().as_layers() else {
            return Err(Error::Models(vision_models::Error::Export {
                path: path.to_owned(),
                layer: String::new(),
                reason:
                    "the model, or its body or head, is your own module: implement `as_layers` of Model, Body or \
                         Head to give its layers"
                        .into(),
            }));
        };
        Ok(export_onnx(&layers, path, config)?)
    }

    /// Writes preprocessing, body, head and activation as one ONNX model. Its input is `image`, one decoded image
    /// `[height, width, 3]` of bytes (red first) of any size, its output `probabilities`, `[1, classes]`; for
    /// labels that are numbers, `numbers`.
    ///
    /// A program in any language that decodes a file to RGB, with its EXIF orientation applied, gets the
    /// predictions of this learner: `scripts/predict_onnx.py` in the repository is one.
    ///
    /// # Errors
    ///
    /// As [`export_onnx`](Self::export_onnx) and [`onnx_image_input`](Self::onnx_image_input).
    pub fn export_onnx_with_preprocessing(&self, path: impl AsRef<Path>) -> Result<()> {
        self.export_onnx_whole(path.as_ref(), None)
    }

    /// [`export_onnx_with_preprocessing`](Self::export_onnx_with_preprocessing), with outputs that are divided by a
    /// temperature before softmax or sigmoid, as [`ExportConfig::with_temperature`](crate::ExportConfig::with_temperature)
    /// does for a deployed model.
    ///
    /// # Errors
    ///
    /// As [`export_onnx_with_preprocessing`](Self::export_onnx_with_preprocessing), and [`Error::Option`] for a temperature
    /// that is not from 0.001 to 1000, or without softmax or sigmoid.
    pub fn export_onnx_calibrated(&self, path: impl AsRef<Path>, temperature: f64) -> Result<()> {
        check_temperature(temperature, &self.settings.loss.output())
            .map_err(|expected| OptionError::new("temperature", expected, temperature))?;
        self.export_onnx_whole(path.as_ref(), Some(temperature as f32))
    }

    fn export_onnx_whole(&self, path: &Path, temperature: Option<f32>) -> Result<()> {
        self.check_activation(path)?;
        let name = match self.data().kind() {
            TargetKind::Float => "numbers",
            TargetKind::Category | TargetKind::MultiCategory => "probabilities",
        };
        let input = ImageInput {
            temperature,
            ..self.image_input(path)?
        };
        let mut config = self.onnx_config().with_output(name).with_image_input(input);
        if let Some(color) = self.data().preprocessing().background {
            config = config.with_metadata("background", format!("{color:?}"));
        }
        self.export_onnx_with(path, &config)
    }

    /// The preprocessing and the activation for [`OnnxConfig::with_image_input`].
    ///
    /// # Errors
    ///
    /// [`Error::Models`] with what the graph cannot express: JPEGs that are reduced when they are decoded,
    /// transforms other than [`crop_pad`](vision_data::Transform::crop_pad) at a fixed position and
    /// [`ResizeCenterCrop`](vision_data::builtin::ResizeCenterCrop), an activation without a name.
    pub fn onnx_image_input(&self) -> Result<ImageInput> {
        self.image_input(Path::new("an ONNX model"))
    }

    fn image_input(&self, path: &Path) -> Result<ImageInput> {
        let refuse = |what: String| {
            Error::Models(vision_models::Error::Export {
                path: path.to_owned(),
                layer: String::new(),
                reason: format!(
                    "the graph cannot hold {what}; export the network alone (export_onnx), and let the program that \
                     runs it do the preprocessing that the metadata describe"
                ),
            })
        };
        let data = self.data();
        let preprocessing = data.preprocessing();
        if preprocessing.reduced_jpegs.is_some() {
            let what =
                "reduced JPEGs (ReadConfig::with_reduced_jpegs), which are a part of decoding";
            return Err(refuse(what.to_owned()));
        }
        let mut place = [0.5; 2];
        let mut extra = None;
        for transform in &preprocessing.transforms {
            match transform {
                Transform::CropPad(crop) => {
                    let at = [crop.row, crop.col].map(|part| (part.low() as f32, part));
                    if at.iter().any(|(at, part)| f64::from(*at) != part.high()) {
                        return Err(refuse(format!("{transform:?}, whose position is random")));
                    }
                    place = at.map(|(at, _)| at.min(1.0 - 1e-7));
                }
                Transform::ResizeCenterCrop(resize) => extra = Some(resize.extra as usize),
                other => return Err(refuse(format!("the transform {other:?}"))),
            }
        }
        let size = data.resizing().height_width();
        let method = preprocessing.resize_method;
        let resize = match (size, extra, method) {
            (None, ..) if preprocessing.mult.is_some() => {
                return Err(refuse("sides of a multiple without a size".to_owned()));
            }
            (None, ..) | (_, None, None | Some(ResizeMethod::No)) => ImageResize::Keep,
            (Some((height, width)), Some(extra), _) => ImageResize::PillowCenter {
                size: [height, width],
                extra,
            },
            (Some((height, width)), None, Some(method)) => ImageResize::Bilinear {
                size: [height, width],
                fit: match method {
                    ResizeMethod::Pad => Fit::Pad,
                    ResizeMethod::Squish => Fit::Squish,
                    ResizeMethod::Crop | ResizeMethod::No => Fit::Crop,
                },
                edge: match preprocessing.padding_mode {
                    PaddingMode::Zeros => Edge::Zeros,
                    PaddingMode::Border => Edge::Border,
                    PaddingMode::Reflection => Edge::Reflection,
                },
                place,
            },
        };
        let ending = match self.settings.loss.output() {
            Output::Softmax => Ending::Softmax,
            Output::Sigmoid => Ending::Sigmoid,
            Output::Identity => Ending::Identity,
            own @ Output::Own(_) => return Err(refuse(format!("the activation {own}"))),
        };
        Ok(ImageInput {
            short_side: preprocessing.short_side.map(|side| side as usize),
            resize,
            normalization: preprocessing.normalize.map(|stats| (stats.mean, stats.std)),
            temperature: None,
            ending,
        })
    }

    /// The default metadata of an exported model.
    ///
    /// * Plain text: `arch`, and `labels` if items do not have one class each.
    /// * JSON: `classes` and, if the data has them, `size` (height and width of the model's input),
    ///   `mean`, `std`, `reduced_jpegs` (JPEGs are decoded at a half, a quarter or an eighth of their
    ///   size, as long as the shorter side stays at least twice this long) and `presize` (images are
    ///   first shrunk to this shorter side).
    /// * JSON, the preprocessing before the model: `resizing`, a [`Resizing`](vision_data::Resizing),
    ///   and `transforms`, a list of validation [`Transform`](vision_data::Transform)s.
    ///
    /// The graph expects normalized images, as the model does.
    /// [`with_normalization`](OnnxConfig::with_normalization) makes it take pixels in [0, 1].
    pub fn onnx_config(&self) -> OnnxConfig {
        let data = self.data();
        let mut config = OnnxConfig::default()
            .with_output("logits")
            .with_metadata("arch", self.arch())
            .with_metadata("classes", serde_json::json!(data.classes()).to_string())
            .with_metadata("resizing", serde_json::json!(data.resizing()).to_string())
            .with_metadata(
                "transforms",
                serde_json::json!(data.transforms().valid).to_string(),
            );
        if data.kind() != TargetKind::Category {
            let kind = match data.kind() {
                TargetKind::Float => "numbers",
                _ => "several classes per item: sigmoid, not softmax",
            };
            config = config.with_metadata("labels", kind);
        }
        if let Some(side) = data.train_ds().reading().short_side() {
            config = config.with_metadata("presize", side.to_string());
        }
        if let Some(side) = data.train_ds().reading().reduced_jpegs() {
            config = config.with_metadata("reduced_jpegs", side.to_string());
        }
        if let Some((height, width)) = data.resizing().height_width() {
            config = config.with_metadata("size", format!("[{height},{width}]"));
        }
        if let Some(stats) = data.stats() {
            config = config
                .with_metadata("mean", serde_json::json!(stats.mean).to_string())
                .with_metadata("std", serde_json::json!(stats.std).to_string());
        }
        config
    }

    /// Writes the weights under fastai's, torchvision's or timm's names, as a state dict for
    /// `load_state_dict(safetensors.torch.load_file(path))`.
    ///
    /// fastai's names cover body and head. torchvision's and timm's names cover only the backbone: its own
    /// classifier was cut off, and they have no place for the new head. The report lists the head as
    /// left out, and Python must load the file with `strict=False`.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] if torchvision's or timm's names are requested and the body is not one of its
    /// architectures, and [`Error::Models`] if the file cannot be written.
    #[doc(alias("state_dict", "torch.save"))]
    pub fn export_safetensors(&self, path: impl AsRef<Path>, names: Names) -> Result<ExportReport> {
        let tensors = self.weights();
        if names == Names::FastAi {
            let all = |name: &str| Some(name.to_owned());
            return Ok(export_safetensors_with(&tensors, path, all)?);
        }
        let arch: Arch = self.arch().parse().map_err(|_| {
            Error::Option(OptionError::new(
                "names",
                "Names::FastAi for a body that is not one of the known architectures",
                format!("Names::{names:?} for {:?}", self.arch()),
            ))
        })?;
        let whole = arch.build(1, &mut Init::zeroed(&Device::default()));
        let children: Vec<&str> = whole.names().collect();
        let own: Vec<String> = state::entries(&whole)
            .into_iter()
            .map(|entry| entry.name)
            .collect();
        let named: BTreeMap<&str, String> =
            own.iter().map(String::as_str).zip(names.of(&own)).collect();
        let rename = |name: &str| {
            let (child, rest) = name.strip_prefix("0.")?.split_once('.')?;
            // A body cut by a function keeps its children's own names.
            let child = match child.parse::<usize>() {
                Ok(i) => children.get(i)?,
                Err(_) => child,
            };
            let name = format!("{child}.{rest}");
            Some(named.get(name.as_str()).cloned().unwrap_or(name))
        };
        let mut report = export_safetensors_with(&tensors, path, rename)?;
        if !report.omitted.is_empty() {
            report.notes.push(format!(
                "the head has no names in the whole {arch}: load the file with \
                 load_state_dict(.., strict=False), or export with Names::FastAi"
            ));
        }
        Ok(report)
    }
}
