//! Taking a trained model out: to ONNX, and to safetensors with PyTorch's names.

use std::path::Path;

use burn::tensor::Device;
use vision_base::OptionError;
use vision_data::TargetKind;
use vision_models::export::{
    ExportReport, Names, OnnxConfig, export_onnx, export_safetensors_with,
};
use vision_models::{Arch, Init};

use crate::learner::Learner;
use crate::{Error, Result};

impl Learner {
    /// Writes body and head as one ONNX model, from pictures `[batch, 3, height, width]` to logits
    /// `[batch, classes]`, for batches and pictures of any size, with what
    /// [`onnx_config`](Self::onnx_config) says.
    ///
    /// # Errors
    ///
    /// As [`export_onnx_with`](Self::export_onnx_with).
    #[doc(alias = "torch.onnx.export")]
    pub fn export_onnx(&self, path: impl AsRef<Path>) -> Result<()> {
        self.export_onnx_with(path, &self.onnx_config())
    }

    /// The same with settings of your own.
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
    /// [`Error::Models`] if the model has a part that is not made of layers (a body or head written by hand),
    /// or the file cannot be written.
    pub fn export_onnx_with(&self, path: impl AsRef<Path>, config: &OnnxConfig) -> Result<()> {
        let path = path.as_ref();
        let Some(layers) = self.model.valid().as_layers() else {
            return Err(Error::Models(vision_models::Error::Export {
                path: path.to_owned(),
                layer: String::new(),
                reason:
                    "the model, or its body or head, is a module of your own: tell its layers by \
                         implementing `as_layers` of Model, Body or Head"
                        .into(),
            }));
        };
        Ok(export_onnx(&layers, path, config)?)
    }

    /// What an exported model says about itself by default: `arch` and, if items do not have one class each,
    /// `labels`, in words; and in JSON `classes`, if the data has them `size` (height and width of what the model
    /// gets), `mean`, `std`, `reduced_jpegs` (JPEGs are decoded at a half, a quarter or an eighth that leaves the
    /// shorter side at least twice that long) and `presize` (the shorter side that pictures are made smaller to
    /// before anything else), and what comes before the model: a [`Resizing`](vision_data::Resizing) (`resizing`) and a list of
    /// validation [`Transform`](vision_data::Transform)s (`transforms`).
    ///
    /// The graph takes normalised pictures, as the model does;
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
                _ => "several classes an item: sigmoid, not softmax",
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

    /// Writes the weights under fastai's or torchvision's names, as a state dict for
    /// `load_state_dict(safetensors.torch.load_file(path))`.
    ///
    /// fastai's names are those of body and head. torchvision's are those of the backbone: its own classifier
    /// was cut off and the head has no place there, so the report lists the head as left out, and Python loads
    /// the file with `strict=False`.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] if torchvision's names are asked for and the body is none of its architectures, and
    /// [`Error::Models`] if the file cannot be written.
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
                "Names::FastAi for a body that is none of torchvision's architectures",
                format!("Names::Torchvision for {:?}", self.arch()),
            ))
        })?;
        let whole = arch.build(1, &mut Init::zeroed(&Device::default()));
        let children: Vec<&str> = whole.names().collect();
        let rename = |name: &str| {
            let (child, rest) = name.strip_prefix("0.")?.split_once('.')?;
            // A body that was cut by a function has the children's own names.
            let child = match child.parse::<usize>() {
                Ok(i) => children.get(i)?,
                Err(_) => child,
            };
            Some(format!("{child}.{rest}"))
        };
        let mut report = export_safetensors_with(&tensors, path, rename)?;
        if !report.omitted.is_empty() {
            report.notes.push(format!(
                "the head has no names in torchvision's {arch}: load the file with \
                 load_state_dict(.., strict=False), or export with Names::FastAi"
            ));
        }
        Ok(report)
    }
}
