//! A trained model for prediction from many threads.

use std::path::Path;
use std::sync::Arc;

use vision_base::OptionError;
use vision_data::{Device, Image, Preprocessor, TargetKind};
use vision_models::state::values;

use crate::learner::Learner;
use crate::loss::Loss;
use crate::model::any_model::AnyModel;
use crate::predict::predictions::Prediction;
use crate::predict::{cores, finite};
use crate::train::limits::{ImageLimits, Trial, check_outputs};
use crate::{Error, Result};

/// A trained model with its preprocessing and classes, for prediction: [`Learner::predictor`].
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
#[derive(Clone)]
pub struct Predictor(Arc<Inner>);

struct Inner {
    model: Box<dyn AnyModel>,
    loss: Arc<dyn Loss>,
    preprocessor: Preprocessor,
    arch: String,
    min_size: usize,
    trial: Arc<Trial>,
    device: Device,
    kind: TargetKind,
    classes: Vec<String>,
    outputs: usize,
}

impl Learner {
    /// The trained model for prediction, as it is now.
    #[doc(alias = "export")]
    pub fn predictor(&self) -> Predictor {
        let ImageLimits {
            arch,
            min_size,
            device,
            ..
        } = self.limits();
        Predictor(Arc::new(Inner {
            model: self.model.valid(),
            loss: Arc::clone(&self.settings.loss),
            preprocessor: self.data().preprocessor(),
            arch: arch.to_owned(),
            min_size,
            trial: Arc::clone(&self.trial),
            device: device.clone(),
            kind: self.data().kind(),
            classes: self.data().classes().to_vec(),
            outputs: self.data().c(),
        }))
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

    /// Reads an image file as the data does.
    ///
    /// # Errors
    ///
    /// [`ImageError::Decode`](vision_data::ImageError::Decode) with its path.
    pub fn open(&self, path: impl AsRef<Path>) -> Result<Image> {
        Ok(self.0.preprocessor.open(path)?)
    }

    /// As [`Learner::predict`].
    ///
    /// # Errors
    ///
    /// As [`Learner::predict`].
    pub fn predict(&self, image: &Image) -> Result<Prediction> {
        self.predict_with_threshold(image, 0.5)
    }

    /// As [`Learner::predict_with_threshold`].
    ///
    /// # Errors
    ///
    /// As [`Learner::predict_with_threshold`].
    pub fn predict_with_threshold(&self, image: &Image, threshold: f32) -> Result<Prediction> {
        if !(0.0..=1.0).contains(&threshold) {
            return Err(Error::Option(OptionError::new(
                "threshold",
                "a probability from 0 to 1",
                threshold.to_string(),
            )));
        }
        cores::share(|| self.0.predict(image, threshold))
    }
}

impl Inner {
    fn predict(&self, image: &Image, threshold: f32) -> Result<Prediction> {
        let images = self.preprocessor.prepare(image)?;
        let limits = ImageLimits {
            arch: &self.arch,
            min_size: self.min_size,
            trial: &self.trial,
            device: &self.device,
        };
        limits.check(&*self.model, &images)?;
        let logits = self.model.forward(images);
        check_outputs(&logits, self.outputs, &self.classes)?;
        let probabilities = finite(values(self.loss.activation(logits)), self.outputs, 0)?;
        let classes = &self.classes;
        Ok(Prediction::new(
            self.kind,
            classes,
            probabilities,
            threshold,
        ))
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
