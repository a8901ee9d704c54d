//! Classifiers trained elsewhere, including their own head.

use vision_base::message::shown;
use vision_data::ImageDataBunch;
use vision_models::layers::{RandomStream, Sequential};
use vision_models::weights::{self, WeightsFile, WeightsSource};
use vision_models::{Arch, Cut, Init};

use crate::Result;
use crate::builder::{LearnerBuilder, Plan};
use crate::model::any_model::boxed;
use crate::model::body::Backbone;
use crate::model::cnn::Cnn;
use crate::model::sides::Sides;
use crate::settings::Parts;

/// Builder state for a classifier loaded from a file with its head: what [`load_classifier`] adds to a
/// learner's settings.
#[derive(Debug)]
pub struct ClassifierPlan {
    arch: Arch,
    source: WeightsSource,
}

/// Loads a classifier with its head, trained in torchvision, timm or another program. The model is
/// `arch` with the architecture's own head (`fc`, `classifier`) and as many outputs as the data has
/// classes.
///
/// The classes must be in the order used in training, and the data must be resized and normalized as in
/// that program's validation. Then [`Learner::predict`](crate::Learner::predict) gives the same
/// probabilities as that program. Nothing is frozen, so training can continue.
///
/// ```no_run
/// use vision_data::{Image, ImageDataBunch, Stats};
/// use vision_learner::load_classifier;
/// use vision_models::Arch;
///
/// let data = ImageDataBunch::single_from_classes(".", ["daisy", "rose", "tulip"])
///     .size(224)
///     .normalize(Stats::IMAGENET)
///     .build()?;
/// let learner = load_classifier(data, Arch::ResNet18, "resnet18_flowers_best.pth").build()?;
/// let prediction = learner.predict(&Image::open("flower.jpg")?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`build`](LearnerBuilder::build) fails with [`Error::Models`](crate::Error::Models) if the file
/// cannot be read, lacks a parameter, or has another number of classes. If the file has another kind of
/// head, load only the body ([`create_cnn`](crate::create_cnn) with
/// [`pretrained`](LearnerBuilder::pretrained)) and add a [`custom_head`](LearnerBuilder::custom_head).
pub fn load_classifier(
    data: ImageDataBunch,
    arch: Arch,
    source: impl Into<WeightsSource>,
) -> LearnerBuilder<ClassifierPlan> {
    let source = source.into();
    LearnerBuilder::new(data, ClassifierPlan { arch, source })
}

impl Plan for ClassifierPlan {
    fn make(self, data: &ImageDataBunch, init: &mut Init, _: &RandomStream) -> Result<Parts> {
        let file = WeightsFile::open(self.source)?;
        let whole = self.arch.build(data.c(), &mut init.without_draws());
        let (whole, report) = weights::load_layers(whole, &file)?;
        report.require_complete()?;
        let mut warnings = Vec::new();
        if data.stats().is_none() {
            warnings.push(format!(
                "the data is not normalized; if the classifier in {} was trained with normalized pixels, as those of \
                 torchvision and timm are, add .normalize(Stats::IMAGENET) to the data",
                shown(&report.file)
            ));
        }
        let body = Cut::Default.apply(whole.clone(), self.arch.info().cut)?;
        let head = whole.into_layers().into_iter().skip(body.len());
        let head = Sequential::numbered(head);
        Ok(Parts {
            model: boxed(Cnn { body, head }),
            name: Backbone::name(&self.arch),
            split: self.arch.split(),
            sides: Sides {
                least: self.arch.min_size(),
                multiple: self.arch.size_multiple(),
            },
            freeze: false,
            features: None,
            random_body: false,
            warnings,
            report: Some(report),
            images: None,
            note: None,
        })
    }
}
