//! Every optimizer, step by step, against PyTorch and timm (scripts/make_optimizer_fixtures.py).

use std::collections::BTreeMap;

use burn::tensor::{Tensor, TensorData};
use serde::Deserialize;
use vision_data::device;
use vision_learner::{Adam, Hyper, Lamb, Lion, Optimizer, ParamState, RAdam, RmsProp, Sgd};
use vision_models::state::values;

#[derive(Deserialize)]
struct Fixture {
    start: Vec<Vec<f64>>,
    grads: Vec<Vec<Vec<f64>>>,
    rates: Vec<f64>,
    moms: Vec<f64>,
    runs: BTreeMap<String, Run>,
}

#[derive(Deserialize)]
struct Run {
    decoupled: bool,
    wd: f64,
    values: Vec<Vec<Vec<f64>>>,
}

fn rule(name: &str) -> Box<dyn Optimizer> {
    match name.split(',').next().unwrap() {
        "sgd" => Box::new(Sgd::default()),
        "sgd_nesterov" => Box::new(Sgd {
            nesterov: true,
            ..Sgd::default()
        }),
        "rms_prop" => Box::new(RmsProp {
            alpha: 0.95,
            ..RmsProp::default()
        }),
        "adam" => Box::new(Adam::default()),
        "radam" => Box::new(RAdam::default()),
        "lamb" => Box::new(Lamb::default()),
        "lion" => Box::new(Lion::default()),
        other => panic!("{other}"),
    }
}

#[test]
fn twenty_steps_of_each_optimizer_are_those_of_pytorch_and_timm() {
    let fixture: Fixture =
        serde_json::from_str(include_str!("../fixtures/optimizers.json")).unwrap();
    let device = device::parse("cpu").unwrap();
    let tensor = |values: &[f64]| {
        let values: Vec<f32> = values.iter().map(|v| *v as f32).collect();
        Tensor::<1>::from_data(TensorData::from(&values[..]), &device)
    };
    assert_eq!(fixture.runs.len(), 10);
    for (name, run) in &fixture.runs {
        let rule = rule(name);
        assert_eq!(name.split(',').next(), Some(rule.name()));
        rule.check().unwrap();
        for param in 0..fixture.start.len() {
            let mut value = tensor(&fixture.start[param]);
            let mut state = ParamState::default();
            for step in 0..fixture.rates.len() {
                let mut grad = tensor(&fixture.grads[step][param]);
                let mut hyper = Hyper {
                    lr: fixture.rates[step],
                    mom: fixture.moms[step],
                    wd: run.wd,
                };
                if !run.decoupled {
                    grad = grad + value.clone().mul_scalar(hyper.wd);
                    hyper.wd = 0.0;
                }
                value = rule.update(value, grad, &mut state, &hyper);
                let expected = &run.values[step][param];
                for (found, expected) in values(value.clone()).iter().zip(expected) {
                    let difference = (f64::from(*found) - expected).abs();
                    assert!(
                        difference <= 2e-5 * expected.abs().max(0.1),
                        "{name}, step {step}: {found} is not {expected}"
                    );
                }
            }
            assert_eq!(state.steps, fixture.rates.len() as u64);
        }
    }
}
