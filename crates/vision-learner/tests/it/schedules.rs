//! Schedules, rate by rate, against fastai 2 and PyTorch (scripts/make_schedule_fixtures.py).

use std::collections::BTreeMap;

use serde::Deserialize;
use vision_learner::schedule::{Annealing, Cosine, FitPhase, FlatCos, Length, OneCycle, Phases};
use vision_learner::{Error, FineTune, Recorder, layer_decay};

use crate::prelude::*;
use crate::small::Small;
use crate::support::{self, Digits};

/// 7 batches an epoch.
fn digits() -> Digits {
    support::digits(14, 2)
}

fn learner(digits: &Digits) -> Learner {
    let data = support::data(&digits.path, 4);
    assert_eq!(data.batches(DatasetType::Train), 7);
    let builder = create_cnn(data, Small).pretrained(false).silent(true);
    builder.build().unwrap()
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Steps {
    /// Rates of all groups, and the momentum.
    Groups(Vec<(Vec<f64>, f64)>),
    One(Vec<f64>),
    Count(usize),
}

fn fixture(name: &str) -> Steps {
    let text = include_str!("../fixtures/schedules.json");
    let mut all: BTreeMap<String, Steps> = serde_json::from_str(text).unwrap();
    assert!(matches!(all["batches"], Steps::Count(7)));
    all.remove(name).unwrap()
}

#[track_caller]
fn check(name: &str, record: &Recorder) {
    // fastai computes its positions in 32 bits.
    let near =
        |found: f64, expected: f64| (found - expected).abs() <= 1e-5 * expected.abs() + 1e-12;
    match fixture(name) {
        Steps::Groups(steps) => {
            assert_eq!(record.lrs.len(), steps.len());
            for (step, (rates, mom)) in steps.iter().enumerate() {
                for (found, expected) in record.group_lrs[step].iter().zip(rates) {
                    assert!(
                        near(*found, *expected),
                        "{name}, step {step}: {found}, expected {expected}"
                    );
                }
                let found = record.moms[step];
                assert!(
                    near(found, *mom),
                    "{name}, step {step}: momentum {found}, expected {mom}"
                );
            }
        }
        Steps::One(steps) => {
            assert_eq!(record.lrs.len(), steps.len());
            for (step, (found, expected)) in record.lrs.iter().zip(&steps).enumerate() {
                assert!(
                    (found - expected).abs() < 1e-12,
                    "{name}, step {step}: {found}, expected {expected}"
                );
            }
        }
        Steps::Count(_) => panic!("no steps"),
    }
}

#[test]
fn fine_tune_has_the_numbers_of_fastai_2() {
    let digits = digits();
    check("fine_tune", &learner(&digits).fine_tune(3).unwrap());
    let other = FineTune::new(2)
        .with_base_lr(1e-2)
        .with_freeze_epochs(2)
        .with_lr_mult(50.0)
        .with_pct_start(0.4)
        .with_div_factor(10.0);
    let record = learner(&digits).fine_tune_with(&other).unwrap();
    check("fine_tune, other numbers", &record);
}

#[test]
fn fine_tune_ends_unfrozen_and_keeps_the_optimizers_state_of_the_head() {
    let digits = digits();
    let mut learner = learner(&digits);
    learner.fine_tune(1).unwrap();
    let (trainable, all) = learner.num_params();
    assert_eq!(trainable, all);
    assert_eq!(learner.epochs_trained(), 2);
    let folder = tempfile::tempdir().unwrap();
    let path = learner.save(folder.path().join("x")).unwrap();
    let manifest = std::fs::read_to_string(path.with_extension("json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let steps = &manifest["optimizer"]["steps"];
    assert_eq!(
        (&steps["1.8.weight"], &steps["0.3.weight"]),
        (&14.into(), &7.into())
    );
}

#[test]
fn one_cycle_and_flat_cos_have_the_numbers_of_fastai_2() {
    let digits = digits();
    let cycle = FitConfig::new(2)
        .with_lr(slice(1e-4..1e-2))
        .with_schedule(OneCycle::fastai2());
    check(
        "fit_one_cycle of fastai 2",
        &learner(&digits).fit_with(cycle).unwrap(),
    );
    let flat = FitConfig::flat_cos(3).with_lr(1e-3);
    check("fit_flat_cos", &learner(&digits).fit_with(flat).unwrap());
    let other = FlatCos {
        pct_start: 0.3,
        final_div: 100.0,
    };
    let flat = FitConfig::new(2).with_lr(1e-3).with_schedule(other);
    check(
        "fit_flat_cos, other numbers",
        &learner(&digits).fit_with(flat).unwrap(),
    );
}

#[test]
fn cosine_with_warm_up_and_restarts_has_the_numbers_of_pytorch() {
    let digits = digits();
    let fit = |epochs, schedule: Cosine| {
        let config = FitConfig::new(epochs).with_lr(0.1).with_schedule(schedule);
        learner(&digits).fit_with(config).unwrap()
    };
    check(
        "cosine",
        &learner(&digits)
            .fit_with(FitConfig::cosine(3).with_lr(0.1))
            .unwrap(),
    );
    check(
        "cosine with restarts",
        &fit(
            6,
            Cosine {
                cycles: 3,
                ..Cosine::default()
            },
        ),
    );
    let longer = Cosine {
        warmup_epochs: 1.0,
        cycles: 2,
        cycle_mult: 2.0,
        ..Cosine::default()
    };
    check("cosine with warm-up and longer cycles", &fit(10, longer));
    // By the formula: the second peak is half of the first, and no rate falls below a tenth of it.
    let lower = Cosine {
        cycles: 2,
        cycle_decay: 0.5,
        end: 0.1,
        ..Cosine::default()
    };
    let record = fit(2, lower);
    assert_eq!((record.lrs[0], record.lrs[7]), (0.1, 0.05));
    let expected = 0.01 + 0.04 * (1.0 + (std::f64::consts::PI * 3.0 / 7.0).cos()) / 2.0;
    assert!((record.lrs[10] - expected).abs() < 1e-12);
}

#[test]
fn phases_set_every_hyper_parameter_and_the_last_values_stay() {
    let digits = digits();
    let schedule = Phases::new([
        FitPhase::new(Length::Epochs(1.0))
            .with_lr([1e-4, 1e-3, 1e-2], [2e-4, 2e-3, 2e-2], Annealing::Linear)
            .with_wd(0.0, 0.1, Annealing::Linear),
        FitPhase::new(Length::Share(1.0 / 3.0)).with_mom(0.9, 0.8, Annealing::Exponential),
        FitPhase::new(Length::Steps(4)).with_lr(1e-3, 1e-5, Annealing::Polynomial(2.0)),
    ]);
    let config = FitConfig::new(3).with_lr(5e-3).with_schedule(schedule);
    let mut learner = learner(&digits);
    let record = learner.fit_with(config).unwrap();
    let near = |found: f64, expected: f64| {
        assert!(
            (found - expected).abs() < 1e-12,
            "{found}, expected {expected}"
        )
    };
    near(record.group_lrs[3][0], 1e-4 * (1.0 + 3.0 / 7.0));
    near(record.lrs[6], 1e-2 * (1.0 + 6.0 / 7.0));
    near(record.moms[6], 0.9);
    near(record.lrs[7], 2e-2);
    near(record.moms[9], 0.9 * (0.8_f64 / 0.9).powf(2.0 / 7.0));
    near(record.lrs[14], 1e-3);
    near(record.lrs[16], 1e-5 + (1e-3 - 1e-5) * 0.25);
    near(record.moms[16], 0.8);
    // The phases are 18 of 21 steps long.
    near(record.lrs[20], 1e-5);
    near(learner.optimizer().unwrap().groups()[0].wd, 0.1);
}

#[test]
fn layer_wise_decay_gives_each_child_of_the_body_its_rate() {
    let digits = digits();
    let build = |arch| {
        let data = support::data(&digits.path, 4);
        let builder = create_cnn(data, arch).pretrained(false).silent(true);
        builder.split_children().build().unwrap()
    };
    let starts = |learner: &Learner| {
        let groups = learner.layer_groups();
        let first = groups.iter().map(|group| group[0].name.clone());
        first.collect::<Vec<_>>()
    };
    let mut resnet = build(Arch::ResNet18);
    let expected = [
        "0.0.weight",
        "0.4.0.conv1.weight",
        "0.5.0.conv1.weight",
        "0.6.0.conv1.weight",
        "0.7.0.conv1.weight",
        "1.2.weight",
    ];
    assert_eq!(starts(&resnet), expected);
    let record = resnet
        .fit_with(FitConfig::new(1).with_lr(layer_decay(1e-3, 0.5)))
        .unwrap();
    assert_eq!(
        record.group_lrs[0],
        [
            1e-3 / 32.0,
            1e-3 / 16.0,
            1e-3 / 8.0,
            1e-3 / 4.0,
            1e-3 / 2.0,
            1e-3
        ]
    );
    // All of DenseNet's features are one child of its body, so the children of these are taken.
    let dense = build(Arch::DenseNet121);
    assert!(starts(&dense).len() > 7, "{:?}", starts(&dense));
    let own = create_cnn(support::data(&digits.path, 4), Small)
        .pretrained(false)
        .silent(true);
    assert_eq!(
        starts(&own.split_children().build().unwrap()),
        ["0.0.weight", "0.3.weight", "1.2.weight"]
    );
    let error = layer_decay(1e-3, 1.5).per_group(3).unwrap_err();
    assert_matches!(error, Error::Option(_));
}

#[test]
fn settings_of_schedules_that_mean_nothing_are_refused_before_training() {
    let digits = digits();
    let refused = |config: FitConfig, option: &str| {
        let mut learner = learner(&digits);
        let error = learner.fit_with(config).unwrap_err();
        assert!(error.to_string().contains(option), "{error}");
        assert_eq!(learner.epochs_trained(), 0);
    };
    let with = |schedule: Cosine| FitConfig::new(2).with_schedule(schedule);
    refused(
        with(Cosine {
            cycles: 0,
            ..Cosine::default()
        }),
        "cycles",
    );
    refused(
        with(Cosine {
            warmup_epochs: 3.0,
            ..Cosine::default()
        }),
        "warmup_epochs",
    );
    refused(
        with(Cosine {
            warmup_epochs: f64::NAN,
            ..Cosine::default()
        }),
        "warmup_epochs",
    );
    refused(
        with(Cosine {
            cycle_mult: -1.0,
            ..Cosine::default()
        }),
        "cycle_mult",
    );
    refused(
        with(Cosine {
            end: 2.0,
            ..Cosine::default()
        }),
        "end",
    );
    let flat = FlatCos {
        pct_start: 1.5,
        ..FlatCos::default()
    };
    refused(FitConfig::new(1).with_schedule(flat), "pct_start");
    let phase = |phase: FitPhase| FitConfig::new(1).with_schedule(Phases::new([phase]));
    refused(phase(FitPhase::new(Length::Share(-0.1))), "length");
    refused(
        phase(FitPhase::new(Length::Epochs(f64::INFINITY))),
        "length",
    );
    let steps = FitPhase::new(Length::Steps(1));
    refused(
        phase(steps.clone().with_lr(0.0, 1.0, Annealing::Linear)),
        "learning rate",
    );
    refused(
        phase(steps.clone().with_mom(0.9, 1.0, Annealing::Linear)),
        "mom",
    );
    refused(
        phase(steps.with_wd(-1.0, 0.0, Annealing::Linear)),
        "weight decay",
    );
}
