//! Losses and their gradients against PyTorch's (scripts/make_learner_loss_fixtures.py).

use std::collections::BTreeMap;

use burn::tensor::{Int, Tensor, TensorData};
use serde::Deserialize;
use vision_data::{TargetKind, device};
use vision_learner::{BinaryCrossEntropy, Focal, Loss, SoftTargets, TargetTensor};
use vision_models::state::values;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    classes: usize,
    logits: Vec<f32>,
    targets: Vec<f32>,
    options: BTreeMap<String, serde_json::Value>,
    losses: Vec<f64>,
    mean: f64,
    gradients: Vec<f64>,
}

fn loss(case: &Case) -> Box<dyn Loss> {
    let number = |name: &str| case.options[name].as_f64().unwrap();
    match case.name.as_str() {
        "focal" => {
            let focal = Focal::default().with_gamma(number("gamma")).unwrap();
            let weights = case.options.get("weights").map(|weights| {
                let weights: Vec<f32> = serde_json::from_value(weights.clone()).unwrap();
                weights
            });
            Box::new(match weights {
                Some(weights) => focal.with_weights(weights).unwrap(),
                None => focal,
            })
        }
        "soft_targets" => Box::new(SoftTargets),
        "binary" => Box::new(
            BinaryCrossEntropy::default()
                .with_smoothing(number("smoothing"))
                .unwrap(),
        ),
        other => panic!("{other}"),
    }
}

#[track_caller]
fn near(what: &str, found: &[f32], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        let difference = (f64::from(*found) - expected).abs();
        assert!(
            difference <= 1e-5 * expected.abs().max(0.1),
            "{what}: {found} is not {expected}"
        );
    }
}

#[test]
fn losses_and_their_gradients_are_those_of_pytorch() {
    let fixture: Fixture = serde_json::from_str(include_str!("../fixtures/losses.json")).unwrap();
    let device = device::parse("cpu").unwrap().autodiff();
    assert_eq!(fixture.cases.len(), 6);
    for case in &fixture.cases {
        let loss = loss(case);
        let items = case.losses.len();
        let targets = || match loss.kind() {
            TargetKind::Category => {
                let classes: Vec<i64> = case.targets.iter().map(|t| *t as i64).collect();
                TargetTensor::Classes(Tensor::<1, Int>::from_data(
                    TensorData::new(classes, [items]),
                    &device,
                ))
            }
            _ => {
                let data = TensorData::new(case.targets.clone(), [items, case.classes]);
                TargetTensor::Rows(Tensor::from_data(data, &device))
            }
        };
        let data = TensorData::new(case.logits.clone(), [items, case.classes]);
        let logits = Tensor::<2>::from_data(data, &device).require_grad();
        let what = format!("{} {:?}", case.name, case.options);
        let losses = loss.per_item(logits.clone(), targets()).unwrap();
        near(&what, &values(losses.inner()), &case.losses);
        let mean = loss.mean(logits.clone(), targets()).unwrap();
        near(&what, &values(mean.clone().inner()), &[case.mean]);
        let gradients = logits.grad(&mean.backward()).unwrap();
        near(&what, &values(gradients), &case.gradients);
    }
}

#[test]
fn options_that_cannot_be_are_refused() {
    for gamma in [-1.0, f64::NAN, f64::INFINITY, 101.0] {
        let error = Focal::default().with_gamma(gamma).unwrap_err().to_string();
        assert!(error.contains("gamma"), "{error}");
    }
    assert!(Focal::default().with_weights([0.0, 0.0]).is_err());
    assert!(BinaryCrossEntropy::default().with_smoothing(1.0).is_err());
}
