//! A trained model for prediction from many threads.

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Tensor;
use vision_data::{Device, Image, Preprocessing, Preprocessor, TargetKind};
use vision_models::state::values;

use crate::Result;
use crate::bundle::card::Card;
use crate::bundle::golden::Golden;
use crate::learner::Learner;
use crate::loss::{Loss, Output};
use crate::model::any_model::AnyModel;
use crate::model::sides::Sides;
use crate::predict::predictions::Prediction;
use crate::predict::threshold::Threshold;
use crate::predict::tta::Variants;
use crate::predict::{cores, finite};
use crate::train::device_fault::guarded;
use crate::train::limits::{ImageLimits, Trial, check_outputs};

/// A trained model with its preprocessing and classes, for prediction: [`Predictor::open`] of a file that
/// [`Learner::export`] wrote, or [`Learner::predictor`].
///
/// It holds neither the data nor the optimizer. Cloning is cheap, and threads can share it: each gets
/// the same bits as one thread alone. Calls at the same time run on one core each, a single call on all
/// cores. Later training does not change it.
///
/// ```
/// use vision_data::datasets::synthetic;
/// use vision_data::{DatasetType, ImageDataBunch};
/// use vision_learner::create_cnn;
/// use vision_models::Arch;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = synthetic::digits(&folder.path().join("digits"), 1, 4, 2)?;
/// let data = ImageDataBunch::from_folder(path).batch_size(2).build()?;
/// let image = data.valid_ds().image(0)?;
/// let predictor = create_cnn(data, Arch::ResNet18).pretrained(false).build()?.predictor();
///
/// let expected = predictor.predict(&image)?;
/// std::thread::scope(|scope| {
///     for _ in 0..8 {
///         scope.spawn(|| assert_eq!(predictor.predict(&image).unwrap(), expected));
///     }
/// });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "load_learner")]
#[derive(Clone)]
pub struct Predictor(pub(crate) Arc<Inner>, pub(crate) Option<Arc<Variants>>);

/// What turns outputs into predictions.
pub(crate) enum Activation {
    Named(Output),
    Loss(Arc<dyn Loss>),
}

pub(crate) struct Inner {
    pub(crate) model: Box<dyn AnyModel>,
    pub(crate) activation: Activation,
    pub(crate) preprocessing: Preprocessing,
    pub(crate) preprocessor: Preprocessor,
    pub(crate) arch: String,
    pub(crate) sides: Sides,
    pub(crate) trial: Arc<Trial>,
    pub(crate) device: Device,
    pub(crate) kind: TargetKind,
    pub(crate) classes: Vec<String>,
    pub(crate) outputs: usize,
    pub(crate) threshold: Option<Threshold>,
    pub(crate) temperature: Option<f64>,
    /// What the file says about itself, and its inputs for a self test; `None` without a file.
    pub(crate) file: Option<(Card, Vec<Golden>)>,
}

impl Learner {
    /// The trained model for prediction, as it is now.
    pub fn predictor(&self) -> Predictor {
        let ImageLimits {
            arch,
            sides,
            device,
            ..
        } = self.limits();
        let inner = Inner {
            model: self.model.valid(),
            activation: Activation::Loss(Arc::clone(&self.settings.loss)),
            preprocessing: self.data().preprocessing(),
            preprocessor: self.data().preprocessor(),
            arch: arch.to_owned(),
            sides,
            trial: Arc::clone(&self.trial),
            device: device.clone(),
            kind: self.data().kind(),
            classes: self.data().classes().to_vec(),
            outputs: self.data().c(),
            threshold: None,
            temperature: None,
            file: None,
        };
        Predictor(Arc::new(inner), None)
    }
}

impl Predictor {
    /// The class names, in the order of the probabilities; empty if the labels are numbers.
    pub fn classes(&self) -> &[String] {
        &self.0.classes
    }

    /// Name of the architecture.
    pub fn arch(&self) -> &str {
        &self.0.arch
    }

    /// The kind of the labels.
    pub fn kind(&self) -> TargetKind {
        self.0.kind
    }

    /// How images are prepared.
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.0.preprocessing
    }

    /// The probability from which on an item has a class, if items may have several: that of the file, or 0.5.
    pub fn threshold(&self) -> Threshold {
        self.0.threshold()
    }

    /// What the outputs are divided by before the activation
    /// ([`ExportConfig::with_temperature`](crate::ExportConfig::with_temperature)), if anything.
    pub fn temperature(&self) -> Option<f64> {
        self.0.temperature
    }

    /// The device that computes.
    pub fn device(&self) -> &Device {
        &self.0.device
    }

    /// What the file says about itself; `None` for [`Learner::predictor`], which has no file.
    pub fn card(&self) -> Option<&Card> {
        self.0.file.as_ref().map(|(card, _)| card)
    }

    /// What prepares images: it decodes them within limits of your own, and shows what the model sees.
    pub fn preprocessor(&self) -> &Preprocessor {
        &self.0.preprocessor
    }

    /// Reads an image file as the data does.
    ///
    /// # Errors
    ///
    /// [`ImageError::Decode`](vision_data::ImageError::Decode) with its path.
    pub fn open_image(&self, path: impl AsRef<Path>) -> Result<Image> {
        Ok(self.0.preprocessor.open(path)?)
    }

    /// As [`Learner::predict`], with the [`threshold`](Self::threshold) of the file.
    ///
    /// # Errors
    ///
    /// As [`Learner::predict`].
    pub fn predict(&self, image: &Image) -> Result<Prediction> {
        let threshold = self.0.threshold();
        cores::share(|| self.0.predict(image, self.variants(), &threshold))
    }

    /// As [`Learner::predict_with_threshold`].
    ///
    /// # Errors
    ///
    /// As [`Learner::predict_with_threshold`].
    pub fn predict_with_threshold(&self, image: &Image, threshold: f32) -> Result<Prediction> {
        let threshold = Threshold::All(threshold);
        threshold.check(self.0.outputs)?;
        cores::share(|| self.0.predict(image, self.variants(), &threshold))
    }

    /// Predicts the bytes of a complete image file, such as the body of a request. They are decoded within
    /// the default [`Limits`](vision_data::Limits).
    ///
    /// # Errors
    ///
    /// [`ImageError::Decode`](vision_data::ImageError::Decode) with "bytes in memory" as the path, and the errors of
    /// [`predict`](Self::predict).
    pub fn predict_bytes(&self, bytes: &[u8]) -> Result<Prediction> {
        let image = self.0.preprocessor.decode(bytes)?;
        self.predict(&image)
    }

    /// Predicts an image file.
    ///
    /// # Errors
    ///
    /// [`ImageError::Decode`](vision_data::ImageError::Decode) with its path, and the errors of
    /// [`predict`](Self::predict).
    pub fn predict_file(&self, path: impl AsRef<Path>) -> Result<Prediction> {
        let image = self.open_image(path)?;
        self.predict(&image)
    }

    /// Predicts several images, each with the result that [`predict`](Self::predict) gives for it alone: on
    /// the CPU with the same bits.
    ///
    /// # Errors
    ///
    /// That of the first image that fails, as [`predict`](Self::predict).
    pub fn predict_batch(&self, images: &[Image]) -> Result<Vec<Prediction>> {
        let threshold = self.0.threshold();
        let predictions = self.0.predict_all(images, self.variants(), &threshold);
        predictions.into_iter().collect()
    }
}

impl Predictor {
    pub(super) fn variants(&self) -> Option<&Variants> {
        self.1.as_deref()
    }
}

impl Inner {
    pub(crate) fn limits(&self) -> ImageLimits<'_> {
        ImageLimits {
            arch: &self.arch,
            sides: self.sides,
            trial: &self.trial,
            device: &self.device,
        }
    }

    pub(super) fn threshold(&self) -> Threshold {
        self.threshold.clone().unwrap_or_default()
    }

    pub(super) fn predict(
        &self,
        image: &Image,
        variants: Option<&Variants>,
        threshold: &Threshold,
    ) -> Result<Prediction> {
        let activations = self.outputs(self.views(image, variants)?, variants)?;
        Ok(self.prediction(activations, threshold))
    }

    /// The image as the model takes it, and its variants.
    pub(super) fn views(
        &self,
        image: &Image,
        variants: Option<&Variants>,
    ) -> Result<Vec<Tensor<4>>> {
        let others = variants.map_or(&[][..], |variants| &variants.preprocessors);
        let all = std::iter::once(&self.preprocessor).chain(others);
        all.map(|preprocessor| Ok(preprocessor.prepare(image)?))
            .collect()
    }

    /// The activations of images of which there are all views.
    pub(super) fn outputs(
        &self,
        views: Vec<Tensor<4>>,
        variants: Option<&Variants>,
    ) -> Result<Vec<f32>> {
        let outputs: Result<Vec<_>> = views.into_iter().map(|v| self.activations(v)).collect();
        let mut outputs = outputs?;
        Ok(match variants {
            Some(variants) => variants.blend(&outputs),
            None => outputs.pop().unwrap_or_default(),
        })
    }

    pub(super) fn prediction(&self, activations: Vec<f32>, threshold: &Threshold) -> Prediction {
        Prediction::new(self.kind, &self.classes, activations, threshold)
    }

    /// Probabilities or numbers `[batch, outputs]` of prepared images.
    pub(crate) fn activations(&self, images: Tensor<4>) -> Result<Vec<f32>> {
        let limits = self.limits();
        guarded(limits.device, images.dims()[0], || {
            limits.check(&*self.model, &images)?;
            let logits = self.model.forward(images);
            check_outputs(&logits, self.outputs, &self.classes)?;
            self.activated(logits)
        })
    }

    /// Probabilities or numbers of logits.
    pub(super) fn activated(&self, mut logits: Tensor<2>) -> Result<Vec<f32>> {
        if let Some(temperature) = self.temperature {
            logits = logits.div_scalar(temperature);
        }
        let activations = match &self.activation {
            Activation::Named(output) => output.apply(logits),
            Activation::Loss(loss) => loss.activation(logits),
        };
        finite(values(activations), self.outputs, 0)
    }
}

impl std::fmt::Debug for Predictor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Predictor")
            .field("arch", &self.0.arch)
            .field("classes", &self.0.classes)
            .finish_non_exhaustive()
    }
}
