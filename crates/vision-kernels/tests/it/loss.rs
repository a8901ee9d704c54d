//! The losses against their definitions in `f64`, PyTorch, and Burn's own operations.

use proptest::prelude::*;
use serde_json::Value;
use vision_kernels::loss::{CrossEntropy, binary_cross_entropy};
use vision_kernels::{Isa, ShapeError};

use crate::support::{Random, close, same_on_any_threads, wide};

/// The loss of one item by its definition. `wanted` is the factor of each class's -log p.
fn surprise(logits: &[f64], wanted: &[f64]) -> f64 {
    let log = logits.iter().map(|logit| logit.exp()).sum::<f64>().ln();
    let terms = logits.iter().zip(wanted);
    terms.map(|(logit, wanted)| wanted * (log - logit)).sum()
}

fn binary(logits: &[f64], targets: &[f32], weights: &[f32]) -> f64 {
    let terms = logits.iter().zip(targets).zip(weights).map(|((z, y), w)| {
        let (p, y) = (1.0 / (1.0 + (-z).exp()), f64::from(*y));
        let positive = 1.0 + (f64::from(*w) - 1.0) * y;
        -(positive * p.ln() + (1.0 - y) * ((1.0 - p) / p).ln())
    });
    terms.sum::<f64>() / logits.len() as f64
}

/// The derivatives of `f`, by central differences.
fn slopes(at: &[f64], f: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let slope = |i: usize| {
        let moved = |by| {
            let mut at = at.to_vec();
            at[i] += by;
            f(&at)
        };
        (moved(1e-5) - moved(-1e-5)) / 2e-5
    };
    (0..at.len()).map(slope).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_losses_and_their_gradients_are_what_the_definitions_say(
        seed: u64, items in 1_usize..9, columns in 1_usize..40, scale in 0.1_f32..12.0,
        smoothing in 0.0_f64..0.5, weighted: bool,
    ) {
        let mut random = Random(seed);
        let mut logits = random.values(items * columns);
        logits.iter_mut().for_each(|logit| *logit *= scale);
        let weights: Vec<f32> = random.values(columns).iter().map(|w| 1.5 + w).collect();
        let weights = weighted.then_some(&weights[..]);
        let weight = |c: usize| weights.map_or(1.0, |weights| f64::from(weights[c]));
        let classes: Vec<u32> = (0..items).map(|_| (random.bits() % columns as u64) as u32).collect();
        let soft: Vec<f32> = random.values(logits.len()).iter().map(|v| (v + 1.0) / 2.0).collect();
        let (mut losses, mut dlogits) = (vec![7.0; items], vec![7.0; logits.len()]);

        let rule = CrossEntropy { classes: columns, smoothing, weights };
        rule.run(Isa::detect(), &logits, &classes, &mut losses, Some(&mut dlogits)).unwrap();
        let signed: Vec<i64> = classes.iter().map(|&class| class.into()).collect();
        let mut again = vec![7.0; items];
        rule.run(Isa::detect(), &logits, &signed, &mut again, None).unwrap();
        prop_assert_eq!(&losses, &again, "without a gradient");
        for (i, row) in logits.chunks(columns).enumerate() {
            let wanted: Vec<f64> = (0..columns).map(|c| {
                let own = if classes[i] as usize == c { 1.0 - smoothing } else { 0.0 };
                weight(c) * (own + smoothing / columns as f64)
            }).collect();
            let row = wide(row);
            close("loss", &losses[i..=i], &[surprise(&row, &wanted)], 1e-6);
            let expected = slopes(&row, |row| surprise(row, &wanted));
            close("dlogits", &dlogits[i * columns..][..columns], &expected, 1e-6);
        }

        let pair = [&logits[..], &soft];
        binary_cross_entropy(Isa::detect(), weights, pair, &mut losses, Some(&mut dlogits)).unwrap();
        binary_cross_entropy(Isa::detect(), weights, pair, &mut again, None).unwrap();
        prop_assert_eq!(&losses, &again, "without a gradient");
        let ones = vec![1.0; columns];
        for (i, row) in logits.chunks(columns).enumerate() {
            let (row, y) = (wide(row), &soft[i * columns..][..columns]);
            let f = |row: &[f64]| binary(row, y, weights.unwrap_or(&ones));
            close("binary loss", &losses[i..=i], &[f(&row)], 1e-6);
            close("binary dlogits", &dlogits[i * columns..][..columns], &slopes(&row, f), 1e-6);
        }
    }
}

fn number(value: &Value) -> f64 {
    let text = || value.as_str().unwrap().parse().unwrap();
    value.as_f64().unwrap_or_else(text)
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn floats(value: &Value) -> Vec<f32> {
    numbers(value).into_iter().map(|v| v as f32).collect()
}

fn cases(loss: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../fixtures/loss.json")).unwrap();
    all[loss].as_array().unwrap().clone()
}

fn weights(case: &Value) -> Option<Vec<f32>> {
    (!case["weights"].is_null()).then(|| floats(&case["weights"]))
}

#[test]
fn the_losses_are_pytorchs_even_of_what_is_not_a_number() {
    let (classes, binary) = (cases("cross_entropy"), cases("binary"));
    assert_eq!((classes.len(), binary.len()), (12, 7));
    for case in classes.iter().chain(&binary) {
        let (logits, targets) = (floats(&case["logits"]), floats(&case["targets"]));
        let columns = case["columns"].as_u64().unwrap() as usize;
        let weights = weights(case);
        let mut losses = vec![7.0; logits.len() / columns];
        let mut dlogits = vec![7.0; logits.len()];
        let isa = Isa::detect();
        if case["smoothing"].is_null() {
            let pair = [&logits[..], &targets];
            binary_cross_entropy(
                isa,
                weights.as_deref(),
                pair,
                &mut losses,
                Some(&mut dlogits),
            )
            .unwrap();
        } else {
            let rule = CrossEntropy {
                classes: columns,
                smoothing: number(&case["smoothing"]),
                weights: weights.as_deref(),
            };
            let targets: Vec<u32> = targets.iter().map(|&t| t as u32).collect();
            rule.run(isa, &logits, &targets, &mut losses, Some(&mut dlogits))
                .unwrap();
        }
        close("losses", &losses, &numbers(&case["losses"]), 1e-6);
        close("dlogits", &dlogits, &numbers(&case["dlogits"]), 1e-6);
    }
}

#[test]
fn no_loss_depends_on_threads() {
    let mut random = Random(2);
    let (items, columns) = (2_703, 37);
    let logits = random.values(items * columns);
    let soft: Vec<f32> = random
        .values(logits.len())
        .iter()
        .map(|v| v.abs())
        .collect();
    let classes: Vec<u32> = (0..items).map(|i| (i % columns) as u32).collect();
    let rule = CrossEntropy {
        classes: columns,
        smoothing: 0.1,
        weights: None,
    };
    same_on_any_threads(|isa| {
        let [mut a, mut b] = [(); 2].map(|()| vec![0.0; items]);
        let [mut da, mut db] = [(); 2].map(|()| vec![0.0; logits.len()]);
        rule.run(isa, &logits, &classes, &mut a, Some(&mut da))
            .unwrap();
        binary_cross_entropy(isa, None, [&logits, &soft], &mut b, Some(&mut db)).unwrap();
        vec![a, b, da, db]
    });
}

#[test]
fn wrong_lengths_and_classes_are_errors_that_name_the_argument() {
    let length = |field, expected, found| ShapeError::Length {
        field,
        expected,
        found,
    };
    let four = [0.0; 4];
    let refuse = |classes, logits: &[f32], targets: &[i64], weights| {
        let rule = CrossEntropy {
            classes,
            smoothing: 0.0,
            weights,
        };
        let mut losses = vec![0.0; targets.len()];
        rule.run(Isa::detect(), logits, targets, &mut losses, None)
            .unwrap_err()
    };
    assert_eq!(refuse(2, &four, &[0, 2], None), length("targets", 2, 2));
    let below = refuse(2, &four, &[-1, 0], None);
    assert_eq!(below, length("targets", 2, usize::MAX));
    assert_eq!(refuse(2, &four[1..], &[1, 0], None), length("logits", 4, 3));
    assert_eq!(refuse(0, &[], &[], None), length("classes", 1, 0));
    let weights = refuse(2, &four, &[1, 0], Some(&four));
    assert_eq!(weights, length("weights", 2, 4));

    let rule = CrossEntropy {
        classes: 2,
        ..CrossEntropy::default()
    };
    let isa = Isa::detect();
    let mut losses = [0.0; 3];
    let error = rule.run(isa, &four, &[0, 1], &mut losses, None);
    assert_eq!(error.unwrap_err().argument(), "losses");
    let error = rule.run(isa, &four, &[0, 1], &mut losses[..2], Some(&mut [0.0; 3]));
    assert_eq!(error.unwrap_err().argument(), "dlogits");
    let mut refuse = |weights, pair| {
        let error = binary_cross_entropy(isa, weights, pair, &mut losses[..2], None);
        error.unwrap_err().argument()
    };
    assert_eq!(refuse(None, [&four, &four[1..]]), "targets");
    assert_eq!(refuse(Some(&four[1..]), [&four, &four]), "weights");
    assert_eq!(refuse(None, [&[], &[]]), "columns");
}

#[cfg(feature = "flex")]
mod ops {
    use burn::tensor::{DType, Device, Int, Tensor, TensorData};
    use vision_kernels::ops;

    use super::*;

    fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    /// The losses of a case for these logits.
    fn losses(case: &Value, logits: Tensor<2>) -> Tensor<1> {
        let (device, shape) = (logits.device(), logits.dims());
        let (targets, weights) = (floats(&case["targets"]), weights(case));
        match case["smoothing"].as_f64() {
            Some(smoothing) => {
                let targets: Vec<i64> = targets.iter().map(|&t| t as i64).collect();
                let targets = Tensor::<1, Int>::from_data(&targets[..], &device);
                ops::cross_entropy(logits, targets, smoothing, weights.as_deref())
            }
            None => {
                let targets = tensor(targets, shape, &device).cast(logits.dtype());
                ops::binary_cross_entropy(logits, targets, weights.as_deref())
            }
        }
    }

    /// In `f64`, Burn's own operations compute, as on other devices.
    #[test]
    fn the_operations_are_pytorchs_with_and_without_gradients_and_so_are_those_for_other_devices() {
        let all = [cases("cross_entropy"), cases("binary")].concat();
        let finite = |case: &&Value| numbers(&case["losses"]).iter().all(|l| l.is_finite());
        let device = Device::flex();
        for case in all.iter().filter(finite) {
            let columns = case["columns"].as_u64().unwrap() as usize;
            let logits = floats(&case["logits"]);
            let shape = [logits.len() / columns, columns];
            let (expected, dlogits) = (numbers(&case["losses"]), numbers(&case["dlogits"]));
            // A separate factor per item, as in a weighted mean.
            let factors: Vec<f32> = (0..shape[0]).map(|i| i as f32 - 1.5).collect();
            let dlogits: Vec<f64> = (dlogits.chunks(columns).zip(&factors))
                .flat_map(|(row, f)| row.iter().map(move |d| d * f64::from(*f)))
                .collect();
            for precision in [DType::F32, DType::F64] {
                let on = |device: &Device| tensor(logits.clone(), shape, device).cast(precision);
                let plain = losses(case, on(&device)).cast(DType::F32);
                close("plain", &values(plain), &expected, 1e-6);

                let autodiff = device.clone().autodiff();
                let x = on(&autodiff).require_grad();
                let found = losses(case, x.clone());
                let factors = tensor(factors.clone(), [shape[0]], &autodiff).cast(precision);
                let grads = (found.clone() * factors).sum().backward();
                close("losses", &values(found.cast(DType::F32)), &expected, 1e-6);
                let found = x.grad(&grads).unwrap().cast(DType::F32);
                close("dlogits", &values(found), &dlogits, 1e-6);
            }
        }
    }
}
