//! Activation functions: fixtures of scripts/make_activation_fixtures.py.

use serde_json::Value;
use vision_kernels::activation::{Activation, activate, activate_backward};
use vision_kernels::conv::{Accuracy, ConvShape, Epilogue, conv2d};
use vision_kernels::{Isa, ShapeError};

use crate::support::{ACTIVATIONS, ISAS, Random, close, same_on_any_threads, wide};

fn fixture() -> Value {
    serde_json::from_str(include_str!("../fixtures/activation.json")).unwrap()
}

fn name(function: Activation) -> &'static str {
    match function {
        Activation::Relu => "relu",
        Activation::Relu6 => "relu6",
        Activation::Silu => "silu",
        Activation::HardSwish => "hardswish",
        Activation::HardSigmoid => "hardsigmoid",
        Activation::Sigmoid => "sigmoid",
        _ => "gelu",
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    let number = |value: &Value| {
        let text = || value.as_str().unwrap().parse().unwrap();
        value.as_f64().unwrap_or_else(text)
    };
    value.as_array().unwrap().iter().map(number).collect()
}

fn run(isa: Isa, function: Activation, x: &[f32], dy: &[f32]) -> [Vec<f32>; 2] {
    let (mut y, mut dx) = (vec![7.0; x.len()], vec![7.0; x.len()]);
    activate(isa, function, x, &mut y).unwrap();
    let saved = if function.saves_output() { &y } else { x };
    activate_backward(isa, function, saved, dy, &mut dx).unwrap();
    [y, dx]
}

/// The distance between neighboring `f32` at a value.
fn ulp(value: f64) -> f64 {
    let value = (value.abs() as f32).max(f32::MIN_POSITIVE);
    f64::from(value.next_up() - value)
}

#[test]
fn every_function_is_within_a_few_units_of_the_exact_value() {
    let fixture = fixture();
    let x: Vec<f32> = numbers(&fixture["x"]).iter().map(|x| *x as f32).collect();
    assert_eq!(x.len(), 1201);
    for function in ACTIVATIONS {
        let exact = &fixture["exact"][name(function)];
        let limit = match function {
            Activation::Gelu => 6.0,
            _ => 3.0,
        };
        let [values, gradients] = ["y", "dx"].map(|field| numbers(&exact[field]));
        for isa in ISAS {
            let [y, dx] = run(isa, function, &x, &vec![1.0; x.len()]);
            let mut worst = [0.0_f64; 2];
            for (at, &x) in x.iter().enumerate() {
                let error = (f64::from(y[at]) - values[at]).abs() / ulp(values[at]);
                assert!(
                    error <= limit,
                    "{function:?}({x}), {isa:?}: {} for {}",
                    y[at],
                    values[at]
                );
                // A gradient is a sum, whose terms are at most about 1 and can cancel out.
                let wrong = (f64::from(dx[at]) - gradients[at]).abs() / f64::from(f32::EPSILON);
                assert!(
                    wrong <= 3.0,
                    "{function:?}'({x}), {isa:?}: {} for {}",
                    dx[at],
                    gradients[at]
                );
                worst = [worst[0].max(error), worst[1].max(wrong)];
            }
            println!("{function:?}, {isa:?}: {worst:?}");
        }
    }
}

#[test]
fn kinks_nan_and_infinities_give_what_they_give_in_pytorch() {
    let fixture = fixture();
    let x: Vec<f32> = numbers(&fixture["odd"]).iter().map(|x| *x as f32).collect();
    // ReLU and ReLU6 are in `pytorch`.
    for (function, isa) in ACTIVATIONS[2..]
        .iter()
        .flat_map(|f| ISAS.map(|isa| (*f, isa)))
    {
        let torch = &fixture["torch"][name(function)];
        let [y, dx] = run(isa, function, &x, &vec![1.5; x.len()]);
        let what = format!("{function:?}, {isa:?}");
        close(&what, &y, &numbers(&torch["y"]), 1e-7);
        close(
            &format!("{what}, gradient"),
            &dx,
            &numbers(&torch["dx"]),
            3e-7,
        );
    }
}

#[test]
fn a_value_has_the_same_bits_at_any_place_and_on_any_threads() {
    let x = Random(1).values(70_001);
    let x: Vec<f32> = x.iter().map(|x| 6.0 * x).collect();
    for function in ACTIVATIONS {
        same_on_any_threads(|isa| run(isa, function, &x, &x).to_vec());
        for isa in ISAS {
            let [all, _] = run(isa, function, &x, &x);
            for len in [0, 1, 3, 7, 8, 17, 33] {
                let [part, _] = run(isa, function, &x[5..5 + len], &x[..len]);
                assert_eq!(part, all[5..5 + len], "{function:?}, {isa:?}");
            }
        }
    }
}

#[test]
fn the_epilogue_of_a_convolution_applies_each_function() {
    for (channels, side) in [(20, 9), (70, 4), (3, 5), (64, 8)] {
        let shape = ConvShape {
            batch: 2,
            height: side,
            width: side + 1,
            in_channels: 33,
            out_channels: channels,
            kernel: 3,
            stride: 1,
            padding: 1.into(),
        };
        let mut random = Random(7);
        let (x, w) = (
            random.values(shape.input_len()),
            random.values(shape.weight_len()),
        );
        let (scale, shift) = (random.values(channels), random.values(channels));
        for (function, isa) in ACTIVATIONS.iter().flat_map(|f| ISAS.map(|isa| (*f, isa))) {
            let with = |activation| {
                let epilogue = Epilogue {
                    scale: Some(&scale),
                    shift: Some(&shift),
                    residual: None,
                    activation,
                };
                let mut y = vec![7.0; shape.output_len()];
                conv2d(isa, Accuracy::Balanced, &shape, &x, &w, &epilogue, &mut y).unwrap();
                y
            };
            let before = with(None);
            let mut expected = vec![7.0; before.len()];
            activate(isa, function, &before, &mut expected).unwrap();
            close(
                &format!("{function:?}"),
                &with(Some(function)),
                &wide(&expected),
                3e-7,
            );
        }
    }
}

#[test]
fn wrong_lengths_are_errors_that_name_the_argument() {
    let isa = Isa::detect();
    let error = |field| {
        Err(ShapeError::Length {
            field,
            expected: 2,
            found: 1,
        })
    };
    let silu = Activation::Silu;
    assert_eq!(activate(isa, silu, &[1.0; 2], &mut [0.0]), error("y"));
    let found = activate_backward(isa, silu, &[1.0; 2], &[1.0], &mut [0.0; 2]);
    assert_eq!(found, error("dy"));
    let found = activate_backward(isa, silu, &[1.0; 2], &[1.0; 2], &mut [0.0]);
    assert_eq!(found, error("dx"));
}
