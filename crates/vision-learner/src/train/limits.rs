//! Requirements that the model and the data place on each other.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use burn::tensor::{Device, Tensor};
use vision_base::message::panic_message;
use vision_data::{ImageDataBunch, ImageDefaults, LabelError};

use crate::model::any_model::AnyModel;
use crate::model::sides::Sides;
use crate::train::device_fault::fault;
use crate::{Error, Result};

/// Most sizes of images that are remembered.
const MOST_SIZES: usize = 4096;

/// What a model requires of images.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImageLimits<'a> {
    pub(crate) arch: &'a str,
    pub(crate) sides: Sides,
    pub(crate) trial: &'a Trial,
    /// The plain device.
    pub(crate) device: &'a Device,
}

/// Runs of a model with one black image of each size that it meets, before the first real batch.
///
/// A body or a head of a user may panic on sizes or channels that do not fit, as Burn's operations do. Here a panic
/// becomes an error, and is known before the training state can be half changed.
#[derive(Debug)]
pub(crate) struct Trial {
    /// Channels that the head expects, if known.
    features: Option<usize>,
    /// Sizes that passed: height and width.
    passed: Mutex<HashSet<[usize; 2]>>,
}

impl Trial {
    pub(crate) fn new(features: Option<usize>) -> Self {
        Self {
            features,
            passed: Mutex::default(),
        }
    }

    /// Notes that the model has taken images of this height and width.
    pub(crate) fn pass(&self, size: [usize; 2]) {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        passed.insert(size);
    }

    fn check(
        &self,
        arch: &str,
        model: &dyn AnyModel,
        size: [usize; 2],
        device: &Device,
    ) -> Result<()> {
        // Not held while the model runs: its threads may take up another prediction meanwhile.
        let passed = || self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        if passed().contains(&size) {
            return Ok(());
        }
        let run = || {
            let model = model.valid();
            let image = Tensor::zeros([1, 3, size[0], size[1]], device);
            let (Some(parts), Some(expected)) = (model.parts(), self.features) else {
                model.forward(image);
                return Ok(());
            };
            let features = parts.body()(image);
            let [_, found, height, width] = features.dims();
            if found != expected || height * width == 0 {
                return Err(Error::Features {
                    arch: arch.to_owned(),
                    expected,
                    found: [found, height, width],
                    size,
                });
            }
            parts.head(features);
            Ok(())
        };
        catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
            let reason = panic_message(&*panic);
            let fault = fault(device, 1, &reason);
            Err(fault.unwrap_or_else(|| Error::ModelPanicked {
                arch: arch.to_owned(),
                size,
                reason,
            }))
        })?;
        let mut passed = passed();
        // Strangers may send images of ever new sizes to a service.
        if passed.len() >= MOST_SIZES {
            passed.clear();
        }
        passed.insert(size);
        Ok(())
    }
}

impl ImageLimits<'_> {
    /// Checks images `[batch, 3, height, width]` that `model` is to take.
    pub(crate) fn check(&self, model: &dyn AnyModel, images: &Tensor<4>) -> Result<()> {
        let [_, _, height, width] = images.dims();
        let size = [height, width];
        self.sides.check(self.arch, size)?;
        self.trial.check(self.arch, model, size, self.device)
    }
}

/// Checks that the model has as many outputs as the data: one per class, or per number.
pub(crate) fn check_outputs(logits: &Tensor<2>, expected: usize, classes: &[String]) -> Result<()> {
    let found = logits.dims()[1];
    if found == expected {
        return Ok(());
    }
    Err(Error::Outputs {
        expected,
        found,
        classes: classes.iter().take(5).cloned().collect(),
        hint: "give the model's last layer one output per class",
    })
}

/// Checks that other data can take the place of a learner's.
pub(crate) fn check_data(new: &ImageDataBunch, old: &ImageDataBunch) -> Result<()> {
    let (found, expected) = (new.kind(), old.kind());
    if found != expected {
        return Err(vision_data::Error::Label(LabelError::WrongKind { expected, found }).into());
    }
    if new.classes() != old.classes() || new.c() != old.c() {
        return Err(Error::Outputs {
            expected: new.c(),
            found: old.c(),
            classes: new.classes().iter().take(5).cloned().collect(),
            hint: "the learner was created for other classes; create a new one",
        });
    }
    Ok(())
}

/// The data with what its weights say of images and its user does not.
pub(crate) fn with_defaults(
    data: ImageDataBunch,
    images: Option<&ImageDefaults>,
) -> Result<ImageDataBunch> {
    match images {
        Some(images) => Ok(data.with_image_defaults(images)?),
        None => Ok(data),
    }
}
