//! The precision of a training step.

use burn::tensor::{DType, Device, FloatDType, Tensor};
use vision_base::OptionError;
use vision_data::device;

use crate::Result;
use crate::train::loss_scale::LossScale;

/// The precision in which a training step computes: [`LearnerBuilder::precision`](crate::LearnerBuilder::precision).
///
/// Parameters, the optimizer, the statistics of norms, the softmax of attention and the loss always have 32 bits;
/// activations and the products of convolutions and fully connected layers have 16. Saved files are the same for all.
#[doc(alias("to_fp16", "to_bf16", "MixedPrecision", "autocast", "amp"))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// bfloat16: the range of 32 bits with 8 bits of precision.
    Bf16,
    /// IEEE half precision: 11 bits of precision, but nothing above 65,504. The loss is scaled so that gradients stay in
    /// its range, as PyTorch's `GradScaler` does: by 65,536 at first, by half of it after gradients that are not finite,
    /// whose step is skipped, and by twice as much after 2,000 steps that were.
    F16,
}

impl Precision {
    /// The type of activations, if it is not that of the parameters.
    fn activations(self) -> Option<FloatDType> {
        match self {
            Self::F32 => None,
            Self::Bf16 => Some(FloatDType::BF16),
            Self::F16 => Some(FloatDType::F16),
        }
    }

    /// Checks that a device can compute in it, and gains by it.
    pub(crate) fn check(self, device: &Device) -> Result<()> {
        let Some(dtype) = self.activations() else {
            return Ok(());
        };
        let refuse = |expected: String| {
            let found = format!("{self:?}");
            Err(OptionError::new("precision", expected, found).into())
        };
        if device::is_cpu(device) {
            let why = "F32 on the CPU: its kernels compute in 32 bits, and 16 would be slower";
            return refuse(why.to_owned());
        }
        if !device.supports_dtype(DType::from(dtype)) {
            let name = device::describe(device);
            return refuse(format!("F32 or another precision that {name} computes in"));
        }
        Ok(())
    }

    /// The input of a model in training.
    pub(crate) fn lower(self, input: Tensor<4>) -> Tensor<4> {
        match self.activations() {
            Some(dtype) => input.cast(dtype),
            None => input,
        }
    }

    /// The outputs of a model in training, as the loss takes them.
    pub(crate) fn raise(self, logits: Tensor<2>) -> Tensor<2> {
        match self.activations() {
            Some(_) => logits.cast(FloatDType::F32),
            None => logits,
        }
    }

    /// What a fit begins with.
    pub(crate) fn loss_scale(self) -> Option<LossScale> {
        (self == Self::F16).then(LossScale::default)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;
    use vision_data::datasets::synthetic;
    use vision_data::{ImageDataBunch, Stats};
    use vision_models::Arch;
    use vision_models::state::values;

    use super::*;
    use crate::{FitConfig, Learner, create_cnn};

    fn learner(arch: Arch, size: usize) -> (tempfile::TempDir, Learner) {
        let folder = tempfile::tempdir().unwrap();
        let path = synthetic::digits(&folder.path().join("digits"), 0, 96, 16).unwrap();
        let data = ImageDataBunch::from_folder(path)
            .size(size)
            .batch_size(16)
            .normalize(Stats::IMAGENET)
            .build()
            .unwrap();
        let builder = create_cnn(data, arch).pretrained(false).silent(true);
        (folder, builder.build().unwrap())
    }

    /// On the CPU a precision of 16 bits runs through Burn's own operations, as on a GPU.
    #[test]
    fn networks_of_all_kinds_predict_in_16_bits_what_they_do_in_32() {
        let cases = [
            (Arch::ResNet18, 28),
            (Arch::MobileNetV3Small, 32),
            (Arch::ConvNextV2Atto, 32),
            (Arch::VitTinyPatch16_224, 32),
        ];
        for (arch, size) in cases {
            let (_folder, learner) = learner(arch, size);
            let device = learner.data().device().clone();
            let images = (0..8 * 3 * size * size).map(|i| (i * 7919 % 1000) as f32 / 500.0 - 1.0);
            let images = TensorData::new(images.collect::<Vec<f32>>(), [8, 3, size, size]);
            let images = Tensor::<4>::from_data(images, &device);
            let model = learner.model.valid();
            let logits = |precision: Precision| {
                let logits = model.forward(precision.lower(images.clone()));
                values(precision.raise(logits))
            };
            let wide = logits(Precision::F32);
            let norm = |values: &[f32]| values.iter().map(|v| v * v).sum::<f32>().sqrt();
            for (precision, most) in [(Precision::Bf16, 0.06), (Precision::F16, 0.008)] {
                let half = logits(precision);
                let errors: Vec<f32> = half.iter().zip(&wide).map(|(h, w)| h - w).collect();
                let error = norm(&errors) / norm(&wide);
                assert!(error > 0.0, "{arch:?} computed in 32 bits");
                assert!(error < most, "{arch:?} in {precision:?}: {error}");
            }
        }
    }

    #[test]
    fn a_network_learns_in_16_bits_with_parameters_of_32() {
        for precision in [Precision::F32, Precision::Bf16, Precision::F16] {
            let (_folder, learner) = learner(Arch::ResNet18, 16);
            let data = learner.data().clone();
            // The first stage: Burn's convolutions are slow here.
            let builder = create_cnn(data, Arch::ResNet18).cut(5).pretrained(false);
            let mut learner = builder.silent(true).build().unwrap();
            learner.settings.precision = precision;
            let before = learner.weights();
            let fit = FitConfig::one_cycle(4).with_lr(1e-3);
            let record = learner.fit_with(fit).unwrap();
            let losses: Vec<f64> = record
                .epochs
                .iter()
                .filter_map(|row| row.valid_loss)
                .collect();
            let last = losses.last().copied().unwrap_or(f64::NAN);
            assert!(last < 0.45, "{precision:?}: {losses:?}");
            let after = learner.weights();
            let all = after.iter().flat_map(|tensor| &tensor.values);
            assert!(all.into_iter().all(|value| value.is_finite()));
            // Steps are smaller than what 16 bits of these weights can hold.
            let small = before.iter().zip(&after).any(|(before, after)| {
                let pairs = before.values.iter().zip(&after.values);
                pairs.into_iter().any(|(b, a)| {
                    let change = (b - a).abs();
                    change > 0.0 && change < b.abs() * 1e-4
                })
            });
            assert!(small, "{precision:?}: parameters do not have 32 bits");
        }
    }

    #[test]
    fn the_cpu_refuses_16_bits_and_says_why() {
        let (_folder, learner) = learner(Arch::ResNet18, 28);
        let data = learner.data().clone();
        let built = create_cnn(data, Arch::ResNet18)
            .pretrained(false)
            .precision(Precision::Bf16)
            .build();
        let message = built.unwrap_err().to_string();
        for part in ["precision", "F32 on the CPU", "slower", "Bf16"] {
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn a_resumed_fit_must_have_the_same_precision() {
        let (folder, mut learner) = learner(Arch::ResNet18, 28);
        let run = folder.path().join("run");
        let fit = || {
            FitConfig::one_cycle(1)
                .with_lr(1e-3)
                .resumable(run.as_path())
        };
        learner.fit_with(fit()).unwrap();
        drop(learner);
        let (_other, mut again) = self::learner(Arch::ResNet18, 28);
        again.settings.precision = Precision::F16;
        let message = again.fit_with(fit()).unwrap_err().to_string();
        assert!(message.contains("precision"), "{message}");
    }
}
