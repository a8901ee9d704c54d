//! Interpretation of a learner. The other modules need only plain numbers and images.

use image::RgbImage;
use vision_data::{DatasetType, ImageDataBunch, LabelError, TargetKind};
use vision_learner::Learner;

use crate::{ClassificationInterpretation, Error, ImageError, Result};

impl ClassificationInterpretation {
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
    /// [`Error::NoLabels`] for a test set without labels. Also if the items do not have one class
    /// each, or the part does not exist or cannot be read.
    pub fn from_learner_with(learner: &Learner, part: DatasetType) -> Result<Self> {
        let data = learner.data().clone();
        // Otherwise each item would count as one of the first class.
        match data.dataset(part)?.labels().kind() {
            Some(TargetKind::Category) => {}
            None => return Err(Error::NoLabels { part }),
            Some(found) => {
                return Err(Error::from(vision_data::Error::Label(
                    LabelError::WrongKind {
                        expected: TargetKind::Category,
                        found,
                    },
                )));
            }
        }
        let predictions = learner.get_preds(part)?;
        let classes = data.classes().to_vec();
        Self::from_predictions(classes, predictions, move |item| seen(&data, part, item))
    }
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
