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
    let tensor = data.denormalize(&data.prepare(&image)?)?;
    let [_, _, height, width] = tensor.dims();
    let values: Vec<f32> = tensor.into_data().iter::<f32>().collect();
    let plane = height * width;
    let byte = |at: usize| {
        let value = values.get(at).copied().unwrap_or(0.0);
        (value.clamp(0.0, 1.0) * 255.0).round() as u8
    };
    Ok(RgbImage::from_fn(width as u32, height as u32, |x, y| {
        let at = y as usize * width + x as usize;
        [byte(at), byte(plane + at), byte(2 * plane + at)].into()
    }))
}
