//! Clipped gradients, averaged weights and plateaus are those of PyTorch (scripts/make_callback_fixtures.py).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use vision_learner::callbacks::{Ema, GradientClip, ReduceLrOnPlateau, Swa};
use vision_learner::{Better, Metric, Recorder, Scores, Sgd};
use vision_models::parity;
use vision_models::state::NamedTensor;
use vision_models::weights::write_safetensors;

use crate::prelude::*;
use crate::small::Small;
use crate::support;
use crate::training::pictures;

fn fixture() -> Value {
    serde_json::from_str(include_str!("../fixtures/callbacks.json")).unwrap()
}

#[derive(Deserialize)]
struct Scenario {
    losses: Vec<f64>,
    values: BTreeMap<String, Vec<f64>>,
    #[serde(default)]
    averaged_losses: Vec<Option<f64>>,
    #[serde(default)]
    averaged: BTreeMap<String, Vec<f64>>,
}

/// The learner of the script, with its images in one batch.
fn learner(folder: &std::path::Path) -> Learner {
    let training: Value = serde_json::from_str(include_str!("../fixtures/training.json")).unwrap();
    pictures(folder, &training);
    let builder = create_cnn(support::data(folder, 8), Small)
        .pretrained(false)
        .lin_ftrs([])
        .ps(0.0);
    let mut learner = builder
        .optimizer(Sgd::default())
        .wd(0.0)
        .silent(true)
        .build()
        .unwrap();
    let filled = learner.weights().into_iter().map(|t| NamedTensor {
        values: parity::fill(&t.name, &t.shape, 0),
        ..t
    });
    let filled: Vec<_> = filled.collect();
    let file = folder.join("filled.safetensors");
    write_safetensors(&file, &filled, &BTreeMap::new()).unwrap();
    learner.load(&file).unwrap();
    let before: BTreeMap<String, Vec<f64>> =
        serde_json::from_value(fixture()["before"].clone()).unwrap();
    assert_values("before", &learner.weights(), &before, 1e-7);
    learner
}

#[track_caller]
fn assert_values(
    what: &str,
    found: &[NamedTensor],
    expected: &BTreeMap<String, Vec<f64>>,
    tolerance: f64,
) {
    assert_eq!(found.len(), expected.len());
    for tensor in found {
        support::close(
            &format!("{what}, {}", tensor.name),
            &wide(&tensor.values),
            &expected[&tensor.name],
            tolerance,
            tolerance,
        );
    }
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

/// Trains as the script, and compares losses and weights. Tolerances are those of 32 bits over eight steps.
fn train(
    scenario: &str,
    callback: Option<impl Callback + 'static>,
) -> (Learner, Recorder, Scenario, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut learner = learner(folder.path());
    let expected: Scenario = serde_json::from_value(fixture()[scenario].clone()).unwrap();
    let mut config = FitConfig::new(8).with_lr(0.1);
    if let Some(callback) = callback {
        config = config.with_callback(callback);
    }
    let record = learner.fit_with(config).unwrap();
    support::close(scenario, &record.raw_losses, &expected.losses, 2e-5, 1e-6);
    assert_values(scenario, &learner.weights(), &expected.values, 1e-4);
    (learner, record, expected, folder)
}

#[test]
fn clipped_gradients_train_as_in_pytorch() {
    train("plain", None::<GradientClip>);
    train("clip_norm", Some(GradientClip::norm(0.3)));
    train("clip_value", Some(GradientClip::value(0.02)));
}

/// The average validates and is saved as PyTorch computes it, and the weights themselves train as without it.
fn averaged(scenario: &str, callback: impl Callback + 'static, name: &str) {
    let (mut learner, record, expected, _folder) = train(scenario, Some(callback));
    assert_eq!(record.metric_names, [format!("{name}_valid_loss")]);
    for (row, expected) in record.epochs.iter().zip(&expected.averaged_losses) {
        let found = row.metrics[0];
        match expected {
            Some(expected) => assert!(
                (found - expected).abs() < 1e-4 * expected,
                "{scenario}, epoch {}: {found}, expected {expected}",
                row.epoch
            ),
            None => assert!(found.is_nan()),
        }
    }
    learner.load(name).unwrap();
    assert_values(scenario, &learner.weights(), &expected.averaged, 1e-4);
}

#[test]
fn averages_of_weights_are_those_of_pytorch() {
    averaged("ema", Ema::new(0.8).with_warmup(false), "ema");
    averaged("ema_warmup", Ema::new(0.6), "ema");
    averaged("swa", Swa::from_epoch(4), "swa");
}

/// A metric that says a number for each epoch.
pub(crate) struct Script {
    pub(crate) values: Vec<f64>,
    pub(crate) better: Better,
    pub(crate) next: usize,
}

impl Script {
    pub(crate) fn new(values: &[f64], better: Better) -> Self {
        let values = values.to_vec();
        Self {
            values,
            better,
            next: 0,
        }
    }
}

impl Metric for Script {
    fn name(&self) -> String {
        "script".to_owned()
    }

    fn better(&self) -> Better {
        self.better
    }

    fn reset(&mut self) {
        self.next += 1;
    }

    fn update(&mut self, _batch: &Scores<'_>) {}

    fn value(&self) -> f64 {
        self.values[self.next - 1]
    }
}

#[derive(Deserialize)]
struct Plateau {
    values: Vec<f64>,
    patience: usize,
    factor: f64,
    min_lr: f64,
    rates: Vec<Vec<f64>>,
    higher: bool,
}

#[test]
fn the_rates_of_each_group_fall_on_a_plateau_as_in_pytorch() {
    let plateaus: Vec<Plateau> = serde_json::from_value(fixture()["plateaus"].clone()).unwrap();
    assert_eq!(plateaus.len(), 3);
    let digits = support::digits(4, 2);
    for plateau in plateaus {
        let better = if plateau.higher {
            Better::Higher
        } else {
            Better::Lower
        };
        let builder = create_cnn(support::data(&digits.path, 8), Small).pretrained(false);
        let builder = builder.metrics([Script::new(&plateau.values, better)]);
        let mut learner = builder.split_on(["1"]).silent(true).build().unwrap();
        let callback = ReduceLrOnPlateau::new("script")
            .with_patience(plateau.patience)
            .with_factor(plateau.factor)
            .with_min_lr(plateau.min_lr);
        let config = FitConfig::new(plateau.values.len()).with_lr([1e-3, 1e-2]);
        let record = learner.fit_with(config.with_callback(callback)).unwrap();
        for (found, expected) in record.group_lrs.iter().zip(&plateau.rates) {
            support::close("rates", found, expected, 1e-12, 0.0);
        }
        assert_eq!(record.group_lrs.len(), plateau.rates.len());
    }
}
