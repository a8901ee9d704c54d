//! Loss functions, each with its activation for predictions.

mod binary_cross_entropy;
mod cross_entropy;
mod focal;
mod mean_squared_error;
mod output;
mod soft_targets;

use std::sync::Arc;

use burn::tensor::{Int, Tensor, TensorData};
use vision_base::OptionError;
use vision_data::{ImageDataBunch, Mixed, TargetKind};

use crate::model::target::TargetTensor;
use crate::{Error, Result};

pub use binary_cross_entropy::BinaryCrossEntropy;
pub use cross_entropy::CrossEntropy;
pub use focal::Focal;
pub use mean_squared_error::MeanSquaredError;
pub use output::Output;
pub use soft_targets::SoftTargets;

/// A loss function.
///
/// The loss includes the activation that turns outputs into predictions, so `predict` gives
/// probabilities for any loss. (fastai v1 returns raw logits for losses that it does not know.)
pub trait Loss: std::fmt::Debug + Send + Sync {
    /// The kind of label it expects. Default: one class per item.
    fn kind(&self) -> TargetKind {
        TargetKind::Category
    }

    /// The loss of each item, `[batch]`, from outputs `[batch, outputs]`.
    ///
    /// # Errors
    ///
    /// [`vision_data::LabelError::WrongKind`] for labels of another [`kind`](Self::kind).
    fn per_item(&self, outputs: Tensor<2>, targets: TargetTensor) -> Result<Tensor<1>>;

    /// The activation by name, which [`Learner::export`](crate::Learner::export) writes to the file. Default:
    /// softmax, the probabilities of the classes.
    fn output(&self) -> Output {
        Output::Softmax
    }

    /// The activation: turns outputs into what `predict` and `get_preds` return, both `[batch,
    /// outputs]`. Default: that of [`output`](Self::output). A loss with another one overrides this, and
    /// returns [`Output::Own`] from `output`.
    fn activation(&self, outputs: Tensor<2>) -> Tensor<2> {
        self.output().apply(outputs)
    }

    /// The weight of each item in a mean, `[batch]`, on the targets' device. Default: all equal.
    ///
    /// # Errors
    ///
    /// As [`per_item`](Self::per_item).
    // The name of the argument is for the documentation.
    #[allow(unused_variables)]
    fn item_weights(&self, targets: TargetTensor) -> Result<Option<Tensor<1>>> {
        Ok(None)
    }

    /// The mean loss of a batch, shape `[1]`: the sum over the items, divided by the sum of their
    /// weights.
    ///
    /// # Errors
    ///
    /// As [`per_item`](Self::per_item).
    fn mean(&self, outputs: Tensor<2>, targets: TargetTensor) -> Result<Tensor<1>> {
        // Called first, since it checks that there is a weight for each class.
        let losses = self.per_item(outputs, targets.clone())?;
        Ok(mean(losses, self.item_weights(targets)?))
    }

    /// The loss of a batch mixed by MixUp or CutMix, shape `[1]`: for item i, λᵢ times the loss for its
    /// own label plus 1 − λᵢ times the loss for its partner's label (Zhang et al.,
    /// <https://arxiv.org/abs/1710.09412>).
    ///
    /// # Errors
    ///
    /// As [`per_item`](Self::per_item).
    fn mean_mixed(
        &self,
        outputs: Tensor<2>,
        targets: TargetTensor,
        mix: &Mixed,
    ) -> Result<Tensor<1>> {
        let device = outputs.device();
        let partner: Vec<i64> = mix.partner.iter().map(|p| *p as i64).collect();
        let partner = Tensor::<1, Int>::from_data(TensorData::from(&partner[..]), &device);
        let lambda = Tensor::<1>::from_floats(&mix.lambda[..], &device);
        let blend = |own: Tensor<1>, other: Tensor<1>| {
            own * lambda.clone() + other * lambda.clone().neg().add_scalar(1.0)
        };
        let others = targets.select(partner);
        let own = self.per_item(outputs.clone(), targets.clone())?;
        let losses = blend(own, self.per_item(outputs, others.clone())?);
        let weights = match (self.item_weights(targets)?, self.item_weights(others)?) {
            (Some(own), Some(other)) => Some(blend(own, other)),
            _ => None,
        };
        Ok(mean(losses, weights))
    }
}

fn mean(losses: Tensor<1>, weights: Option<Tensor<1>>) -> Tensor<1> {
    match weights {
        // If all items have weight 0, the loss is 0 and has no gradient.
        Some(weights) => losses.sum() / weights.sum().clamp_min(f32::MIN_POSITIVE),
        None => losses.mean(),
    }
}

/// The default loss for the kind of label, as in fastai, with the data's class weights.
pub(crate) fn for_data(data: &ImageDataBunch) -> Arc<dyn Loss> {
    let weights = data.class_weights().map(<[f32]>::to_vec);
    match data.kind() {
        TargetKind::Category => Arc::new(CrossEntropy::of_data(weights)),
        TargetKind::MultiCategory => Arc::new(BinaryCrossEntropy::of_data(weights)),
        TargetKind::Float => Arc::new(MeanSquaredError),
    }
}

/// Largest weight of a class: a loss times a larger one would be infinite.
const MOST_WEIGHT: f32 = 1e30;

fn checked_weights(weights: Vec<f32>) -> Result<Vec<f32>> {
    let fit = |w: &f32| (0.0..=MOST_WEIGHT).contains(w);
    if weights.iter().all(fit) && weights.iter().any(|w| *w > 0.0) {
        return Ok(weights);
    }
    Err(Error::Option(OptionError::new(
        "class weights",
        "numbers from 0 to 1e30, at least one of them above 0",
        format!("{weights:?}"),
    )))
}

fn checked_smoothing(part: f64) -> Result<f64> {
    if (0.0..1.0).contains(&part) {
        return Ok(part);
    }
    Err(OptionError::new("smoothing", "a fraction of at least 0 and below 1", part).into())
}

/// The weight of each item's class, `[batch]`.
fn class_weights(weights: Option<&[f32]>, targets: TargetTensor) -> Result<Option<Tensor<1>>> {
    let Some(weights) = weights else {
        return Ok(None);
    };
    let classes = targets.classes()?;
    let weights = Tensor::<1>::from_floats(weights, &classes.device());
    Ok(Some(weights.select(0, classes)))
}

/// Checks that there is one weight per output.
fn fitting<'a>(weights: Option<&'a [f32]>, outputs: &Tensor<2>) -> Result<Option<&'a [f32]>> {
    let expected = outputs.dims()[1];
    match weights.filter(|weights| weights.len() != expected) {
        Some(weights) => Err(Error::Option(OptionError::new(
            "class weights",
            format!("one per class ({expected})"),
            format!("{} values", weights.len()),
        ))),
        None => Ok(weights),
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use vision_models::state::values;

    use super::*;

    fn logits() -> Tensor<2> {
        Tensor::from_floats([[2.0, 1.0, 0.0], [0.0, 0.0, 0.0]], &Device::default())
    }

    fn classes() -> TargetTensor {
        TargetTensor::Classes(Tensor::from_ints([0, 1], &Device::default()))
    }

    fn value(loss: Result<Tensor<1>>) -> f32 {
        values(loss.unwrap())[0]
    }

    #[track_caller]
    fn near(found: f32, expected: f32) {
        assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
    }

    // Logits 2, 1, 0 have the cross-entropies .407606, 1.407606 and 2.407606, equal ones ln 3 = 1.098612.
    #[test]
    fn mixed_items_have_both_losses_by_lambda_and_weights_count_with_them() {
        let mix = Mixed {
            partner: vec![1, 0],
            lambda: vec![0.7, 0.6],
        };
        let plain = CrossEntropy::default();
        near(
            value(plain.mean(logits(), classes())),
            (0.407606 + 1.098612) / 2.0,
        );
        let mixed = value(plain.mean_mixed(logits(), classes(), &mix));
        near(mixed, (0.7 * 0.407606 + 0.3 * 1.407606 + 1.098612) / 2.0);
        // PyTorch divides by the weights of the items' classes.
        let weighted = CrossEntropy::default()
            .with_weights([1.0, 2.0, 1.0])
            .unwrap();
        let mean = value(weighted.mean(logits(), classes()));
        near(mean, (0.407606 + 2.0 * 1.098612) / 3.0);
        let mixed = value(weighted.mean_mixed(logits(), classes(), &mix));
        let sum = 0.7 * 0.407606 + 0.3 * 2.0 * 1.407606 + (0.6 * 2.0 + 0.4) * 1.098612;
        near(mixed, sum / (0.7 + 0.3 * 2.0 + 0.6 * 2.0 + 0.4));
    }

    // fastai's LabelSmoothingCrossEntropy of 0.1.
    #[test]
    fn label_smoothing_gives_fastais_number() {
        let loss = CrossEntropy::default().with_smoothing(0.1).unwrap();
        near(
            values(loss.per_item(logits(), classes()).unwrap())[0],
            0.507606,
        );
        assert!(CrossEntropy::default().with_smoothing(1.0).is_err());
        assert!(CrossEntropy::default().with_weights([1.0, -1.0]).is_err());
        assert!(CrossEntropy::default().with_weights([0.0]).is_err());
    }

    #[test]
    fn labels_or_weights_that_do_not_fit_are_errors() {
        let rows = || TargetTensor::Rows(Tensor::ones([2, 3], &Device::default()));
        assert!(CrossEntropy::default().per_item(logits(), rows()).is_err());
        assert!(
            BinaryCrossEntropy::default()
                .per_item(logits(), classes())
                .is_err()
        );
        assert!(MeanSquaredError.per_item(logits(), classes()).is_err());
        let two = CrossEntropy::default().with_weights([1.0, 2.0]).unwrap();
        assert!(matches!(
            two.mean(logits(), classes()),
            Err(Error::Option(OptionError { .. }))
        ));
        // (1 + 0 + 1) / 3 and (1 + 1 + 1) / 3.
        near(
            value(MeanSquaredError.mean(logits(), rows())),
            (2.0 / 3.0 + 1.0) / 2.0,
        );
    }
}
