//! Interpretation of a learner, or of a deployed model. The other modules need only plain numbers and images.

use image::RgbImage;
use vision_base::progress::Progress;
use vision_data::{DatasetType, ImageDataBunch, TargetKind};
use vision_learner::{Learner, Predictor, TtaConfig};

use crate::items::Items;
use crate::{ClassificationInterpretation, Error, ImageError, MultiLabelInterpretation, Result};

impl ClassificationInterpretation {
    /// Predicts a part of labeled data with a deployed model, and interprets the result. Positions of classes are those of the
    /// model, whatever their order in the data.
    ///
    /// ```no_run
    /// use vision_base::progress::Progress;
    /// use vision_data::{DatasetType, ImageDataBunch};
    /// use vision_interp::ClassificationInterpretation;
    /// use vision_learner::Predictor;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let predictor = Predictor::open("pets.safetensors")?;
    /// let data = ImageDataBunch::from_folder("pets-test").valid_pct(0.0).build()?;
    /// let progress = Progress::bar("Scoring");
    /// let interp = ClassificationInterpretation::from_predictor(&predictor, &data, DatasetType::Fix, &progress)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::LabelKind`] for a model of another kind of labels, and those of [`Predictor::get_preds`].
    pub fn from_predictor(
        predictor: &Predictor,
        data: &ImageDataBunch,
        part: DatasetType,
        progress: &Progress,
    ) -> Result<Self> {
        let kind = TargetKind::Category;
        Self::new(items_of(predictor, data, part, kind, progress)?)
    }

    /// Predicts the validation set and interprets the result.
    ///
    /// # Errors
    ///
    /// If there is no validation set, or it cannot be read.
    pub fn from_learner(learner: &Learner) -> Result<Self> {
        Self::from_learner_with(learner, DatasetType::Valid)
    }

    /// Predicts any part of the data and interprets the result. For the training set,
    /// [`DatasetType::Fix`] gives every item without random transforms.
    ///
    /// # Errors
    ///
    /// [`Error::NoLabels`] for a test set without labels, [`Error::LabelKind`] if the items do not have
    /// one class each. Also if the part does not exist or cannot be read.
    pub fn from_learner_with(learner: &Learner, part: DatasetType) -> Result<Self> {
        Self::new(items(learner, part, TargetKind::Category, None)?)
    }

    /// Predicts a part of the data with [test-time augmentation](Learner::tta_with), and interprets the result. Losses are
    /// those of the averaged probabilities; the images that are shown are the plain ones.
    ///
    /// # Errors
    ///
    /// As [`from_learner_with`](Self::from_learner_with) and [`Learner::tta_with`].
    #[doc(alias = "tta")]
    pub fn from_learner_tta(
        learner: &Learner,
        part: DatasetType,
        config: &TtaConfig,
    ) -> Result<Self> {
        Self::new(items(learner, part, TargetKind::Category, Some(config))?)
    }
}

impl MultiLabelInterpretation {
    /// Predicts a part of labeled data with a deployed model, and interprets the result. Positions of classes are those of the
    /// model, whatever their order in the data.
    ///
    /// ```no_run
    /// use vision_base::progress::Progress;
    /// use vision_data::{DatasetType, ImageDataBunch};
    /// use vision_interp::MultiLabelInterpretation;
    /// use vision_learner::Predictor;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let predictor = Predictor::open("pets.safetensors")?;
    /// let data = ImageDataBunch::from_folder("pets-test").valid_pct(0.0).build()?;
    /// let progress = Progress::bar("Scoring");
    /// let interp = MultiLabelInterpretation::from_predictor(&predictor, &data, DatasetType::Fix, &progress)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::LabelKind`] for a model of another kind of labels, and those of [`Predictor::get_preds`].
    pub fn from_predictor(
        predictor: &Predictor,
        data: &ImageDataBunch,
        part: DatasetType,
        progress: &Progress,
    ) -> Result<Self> {
        let kind = TargetKind::MultiCategory;
        Self::new(items_of(predictor, data, part, kind, progress)?)
    }

    /// Predicts the validation set and interprets the result, with a threshold of 0.5.
    ///
    /// # Errors
    ///
    /// If there is no validation set, or it cannot be read.
    pub fn from_learner(learner: &Learner) -> Result<Self> {
        Self::from_learner_with(learner, DatasetType::Valid)
    }

    /// Predicts any part of the data and interprets the result, with a threshold of 0.5. For the
    /// training set, [`DatasetType::Fix`] gives every item without random transforms.
    ///
    /// # Errors
    ///
    /// [`Error::NoLabels`] for a test set without labels, [`Error::LabelKind`] if the items do not have
    /// several classes each. Also if the part does not exist or cannot be read.
    pub fn from_learner_with(learner: &Learner, part: DatasetType) -> Result<Self> {
        Self::new(items(learner, part, TargetKind::MultiCategory, None)?)
    }

    /// Predicts a part of the data with [test-time augmentation](Learner::tta_with), and interprets the result. Losses are
    /// those of the averaged probabilities; the images that are shown are the plain ones.
    ///
    /// # Errors
    ///
    /// As [`from_learner_with`](Self::from_learner_with) and [`Learner::tta_with`].
    #[doc(alias = "tta")]
    pub fn from_learner_tta(
        learner: &Learner,
        part: DatasetType,
        config: &TtaConfig,
    ) -> Result<Self> {
        Self::new(items(
            learner,
            part,
            TargetKind::MultiCategory,
            Some(config),
        )?)
    }
}

/// Predicts a part of the data, which has labels of this kind.
fn items(
    learner: &Learner,
    part: DatasetType,
    kind: TargetKind,
    tta: Option<&TtaConfig>,
) -> Result<Items> {
    let data = learner.data().clone();
    let dataset = data.dataset(part)?;
    // Checked before an epoch of predictions is made for nothing.
    match dataset.labels().kind() {
        Some(found) if found == kind => {}
        None => return Err(Error::NoLabels { part }),
        Some(found) => {
            return Err(Error::LabelKind {
                expected: kind,
                found,
            });
        }
    }
    let (root, named) = (data.path().to_owned(), dataset.clone());
    let name = move |item: usize| {
        let path = &named.paths()[item];
        let inside = path.strip_prefix(&root).unwrap_or(path);
        inside.to_string_lossy().into_owned()
    };
    let stored = dataset.clone();
    let original = move |item: usize| Ok(stored.image(item)?);
    let predictions = match tta {
        Some(config) => learner.tta_with(part, config)?,
        None => learner.get_preds(part)?,
    };
    let classes = data.classes().to_vec();
    let mut items = Items::new(kind, classes, predictions, move |item| {
        seen(&data, part, item)
    })?;
    items.part = Some(part);
    Ok(items.with_names(name).with_originals(original))
}

/// Predicts a part of labeled data with a deployed model for this kind of labels.
fn items_of(
    predictor: &Predictor,
    data: &ImageDataBunch,
    part: DatasetType,
    kind: TargetKind,
    progress: &Progress,
) -> Result<Items> {
    if predictor.kind() != kind {
        return Err(Error::LabelKind {
            expected: kind,
            found: predictor.kind(),
        });
    }
    let predictions = predictor.get_preds_with(data, part, progress)?;
    let dataset = data.dataset(part)?.clone();
    let (root, named, stored) = (data.path().to_owned(), dataset.clone(), dataset.clone());
    let name = move |item: usize| {
        let path = &named.paths()[item];
        let inside = path.strip_prefix(&root).unwrap_or(path);
        inside.to_string_lossy().into_owned()
    };
    let preprocessor = predictor
        .preprocessing()
        .preprocessor(data.seed(), predictor.device())?;
    let original = move |item: usize| Ok(stored.image(item)?);
    let seen = move |item: usize| Ok(preprocessor.seen(&dataset.image(item)?)?);
    let classes = predictor.classes().to_vec();
    let mut items = Items::new(kind, classes, predictions, seen)?;
    items.part = Some(part);
    Ok(items.with_names(name).with_originals(original))
}

/// An image as the model sees it in prediction: after the validation transforms, not normalized.
fn seen(
    data: &ImageDataBunch,
    part: DatasetType,
    item: usize,
) -> std::result::Result<RgbImage, ImageError> {
    let image = data.dataset(part)?.image(item)?;
    let pipeline = data.pipeline(DatasetType::Valid);
    let draw = pipeline.draw(data.seed(), 0, item as u64);
    let images = pipeline.image(&image, &draw)?;
    Ok(images.image(0).expect("there is one image"))
}
