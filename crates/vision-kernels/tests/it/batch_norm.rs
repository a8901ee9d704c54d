//! Batch normalization against its definition in `f64`.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use vision_kernels::activation::{Activation, activate, activate_backward};
use vision_kernels::batch_norm::{
    BatchNorm, Forward, Stats, batch_norm_backward, batch_norm_eval, batch_norm_eval_backward,
    batch_norm_train, scale_shift,
};
use vision_kernels::{Isa, ShapeError};

use crate::support::{ACTIVATIONS, ISAS, Random, close, same_on_any_threads, wide};

/// Inputs of one batch normalization.
#[derive(Clone)]
struct Case {
    args: BatchNorm,
    x: Vec<f32>,
    gamma: Vec<f32>,
    beta: Vec<f32>,
    residual: Option<Vec<f32>>,
    dy: Vec<f32>,
    /// Running statistics, if they are used for normalization.
    running: Option<[Vec<f32>; 2]>,
}

/// Results of the kernels.
struct Found {
    stats: Stats,
    y: Vec<f32>,
    dx: Vec<f32>,
    dresidual: Option<Vec<f32>>,
    dgamma: Vec<f32>,
    dbeta: Vec<f32>,
}

impl Case {
    fn new(seed: u64, pixels: usize, channels: usize, [relu, residual, train]: [bool; 3]) -> Self {
        let mut random = Random(seed);
        let len = pixels * channels;
        let mean = random.values(channels);
        let variance = random.values(channels);
        let mut x = random.values(len);
        for pixel in x.chunks_mut(channels) {
            for (x, mean) in pixel.iter_mut().zip(&mean) {
                *x += 3.0 * mean;
            }
        }
        Self {
            args: BatchNorm {
                channels,
                eps: 1e-3,
                activation: relu.then_some(Activation::Relu),
            },
            x,
            gamma: random.values(channels),
            beta: random.values(channels),
            residual: residual.then(|| random.values(len)),
            dy: random.values(len),
            running: (!train).then(|| [mean, variance.iter().map(|v| v.abs() + 0.1).collect()]),
        }
    }

    fn run(&self, isa: Isa) -> Found {
        let (args, len) = (&self.args, self.x.len());
        let (mut y, mut dx) = (vec![7.0; len], vec![7.0; len]);
        let mut dresidual = self.residual.as_ref().map(|_| vec![7.0; len]);
        let affine = [self.gamma.as_slice(), &self.beta];
        let residual = self.residual.as_deref();
        let stats = match &self.running {
            None => batch_norm_train(isa, args, &self.x, affine, residual, &mut y).unwrap(),
            Some([mean, variance]) => {
                let stats = Stats::from_running(mean, variance, args.eps).unwrap();
                batch_norm_eval(isa, args, &self.x, affine, &stats, residual, &mut y).unwrap();
                stats
            }
        };
        let forward = Forward {
            x: &self.x,
            y: residual.map(|_| y.as_slice()),
            gamma: &self.gamma,
            beta: &self.beta,
            stats: &stats,
        };
        let backward = match self.running {
            None => batch_norm_backward,
            Some(_) => batch_norm_eval_backward,
        };
        let dresidual_out = dresidual.as_deref_mut();
        let grads = backward(isa, args, &forward, &self.dy, &mut dx, dresidual_out).unwrap();
        Found {
            y,
            dx,
            dresidual,
            dgamma: grads.gamma,
            dbeta: grads.beta,
            stats,
        }
    }

    /// The definition: mean and variance, and the output before the ReLU.
    fn reference(&self, x: &[f64], gamma: &[f64], beta: &[f64]) -> ([Vec<f64>; 2], Vec<f64>) {
        let channels = self.args.channels;
        let count = (x.len() / channels) as f64;
        let average = |f: &dyn Fn(usize, f64) -> f64| -> Vec<f64> {
            let channel = |c| x.iter().skip(c).step_by(channels).map(move |&x| f(c, x));
            (0..channels)
                .map(|c| channel(c).sum::<f64>() / count)
                .collect()
        };
        let (mean, variance) = match &self.running {
            Some([mean, variance]) => (wide(mean), wide(variance)),
            None => {
                let mean = average(&|_, x| x);
                let variance = average(&|c, x| (x - mean[c]).powi(2));
                (mean, variance)
            }
        };
        let y = x.iter().enumerate().map(|(i, x)| {
            let c = i % channels;
            let root = (variance[c] + f64::from(self.args.eps)).sqrt();
            let residual = self.residual.as_ref().map_or(0.0, |r| f64::from(r[i]));
            (x - mean[c]) / root * gamma[c] + beta[c] + residual
        });
        let y = y.collect();
        ([mean, variance], y)
    }
}

fn relu(relu: bool, y: &[f64]) -> Vec<f64> {
    y.iter()
        .map(|&y| if relu { y.max(0.0) } else { y })
        .collect()
}

/// `Σ y dy` as a function of one value, differentiated by differences; `None` at a kink.
fn slope(case: &Case, mut y: impl FnMut(f64) -> Vec<f64>) -> Option<f64> {
    // Small compared with the smallest deviation (√ε), so that the curvature has no effect.
    const STEP: f64 = 1e-6;
    let (below, above) = (y(-STEP), y(STEP));
    let kink = |(a, b): (&f64, &f64)| case.args.activation.is_some() && (*a > 0.0) != (*b > 0.0);
    if below.iter().zip(&above).any(kink) {
        return None;
    }
    let relu = case.args.activation.is_some();
    let change = relu_difference(relu, &below, &above);
    let total: f64 = change.zip(&case.dy).map(|(dy, &g)| dy * f64::from(g)).sum();
    Some(total / (2.0 * STEP))
}

fn relu_difference<'a>(
    on: bool,
    below: &'a [f64],
    above: &'a [f64],
) -> impl Iterator<Item = f64> + 'a {
    let value = move |y: f64| if on { y.max(0.0) } else { y };
    below
        .iter()
        .zip(above)
        .map(move |(&a, &b)| value(b) - value(a))
}

/// Checks a gradient against finite differences, where they exist.
#[track_caller]
fn check(what: &str, found: &[f32], slope: impl Fn(usize) -> Option<f64>) {
    let pairs = found.iter().enumerate();
    let pairs = pairs.filter_map(|(i, &found)| Some((found, slope(i)?)));
    let (found, expected): (Vec<f32>, Vec<f64>) = pairs.unzip();
    close(what, &found, &expected, 2e-5);
}

fn moved(values: &[f32], index: usize, by: f64) -> Vec<f64> {
    let mut values = wide(values);
    values[index] += by;
    values
}

fn flags() -> impl Strategy<Value = [bool; 3]> {
    [any::<bool>(), any::<bool>(), any::<bool>()]
}

proptest! {
    // The same cases each time: about one in two thousand has two values so near to each other that the terms of dx are large and
    // cancel, beyond the digits of f32.
    #![proptest_config(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0),
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_output_is_what_the_definition_says_at_any_shape(
        seed: u64, pixels in 1_usize..90, channels in 1_usize..80, flags in flags(),
    ) {
        let case = Case::new(seed, pixels, channels, flags);
        let (stats, y) = case.reference(&wide(&case.x), &wide(&case.gamma), &wide(&case.beta));
        for isa in ISAS {
            let found = case.run(isa);
            close("mean", &found.stats.mean, &stats[0], 1e-6);
            close("variance", &found.stats.var_biased, &stats[1], 1e-6);
            close("y", &found.y, &relu(case.args.activation.is_some(), &y), 1e-5);
        }
    }

    #[test]
    fn the_gradients_are_the_slopes_of_the_definition(
        seed: u64, pixels in 2_usize..9, channels in 1_usize..36, flags in flags(),
    ) {
        let case = Case::new(seed, pixels, channels, flags);
        let (x, gamma, beta) = (wide(&case.x), wide(&case.gamma), wide(&case.beta));
        for isa in ISAS {
            let found = case.run(isa);
            check("dx", &found.dx, |i| {
                slope(&case, |by| case.reference(&moved(&case.x, i, by), &gamma, &beta).1)
            });
            check("dgamma", &found.dgamma, |i| {
                slope(&case, |by| case.reference(&x, &moved(&case.gamma, i, by), &beta).1)
            });
            check("dbeta", &found.dbeta, |i| {
                slope(&case, |by| case.reference(&x, &gamma, &moved(&case.beta, i, by)).1)
            });
            if let Some(dresidual) = found.dresidual {
                let pairs = found.y.iter().zip(&case.dy);
                let passes = pairs.map(|(&y, &dy)| if case.args.activation.is_some() && y <= 0.0 { 0.0 } else { dy });
                prop_assert_eq!(dresidual, passes.collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_mask_from_the_output_and_one_computed_again_are_the_same(
        seed: u64, pixels in 1_usize..90, channels in 1_usize..80, train: bool,
    ) {
        let case = Case::new(seed, pixels, channels, [true, false, train]);
        for isa in ISAS {
            let found = case.run(isa);
            let mut dx = vec![7.0; case.x.len()];
            let forward = Forward {
                x: &case.x, y: Some(&found.y), gamma: &case.gamma, beta: &case.beta, stats: &found.stats,
            };
            let backward = if train { batch_norm_backward } else { batch_norm_eval_backward };
            let grads = backward(isa, &case.args, &forward, &case.dy, &mut dx, None).unwrap();
            prop_assert_eq!(&dx, &found.dx);
            prop_assert_eq!(&grads.gamma, &found.dgamma);
            prop_assert_eq!(&grads.beta, &found.dbeta);
        }
    }
}

#[test]
fn large_batches_agree_with_the_definition_and_do_not_depend_on_threads() {
    for (pixels, channels, flags) in [
        (4001, 24, [true, false, true]),
        (803, 150, [true, true, true]),
        (30_011, 3, [false, true, false]),
        (901, 513, [true, false, false]),
    ] {
        let case = Case::new(5, pixels, channels, flags);
        let (stats, y) = case.reference(&wide(&case.x), &wide(&case.gamma), &wide(&case.beta));
        let found = case.run(Isa::detect());
        close("variance", &found.stats.var_biased, &stats[1], 1e-6);
        close(
            "y",
            &found.y,
            &relu(case.args.activation.is_some(), &y),
            1e-5,
        );
        same_on_any_threads(|isa| {
            let found = case.run(isa);
            let dresidual = found.dresidual.unwrap_or_default();
            let stats = [
                found.stats.mean,
                found.stats.var_biased,
                found.stats.inv_std,
            ];
            [found.y, found.dx, dresidual, found.dgamma, found.dbeta]
                .into_iter()
                .chain(stats)
                .collect()
        });
    }
}

#[test]
fn a_mean_far_from_zero_costs_no_more_digits_than_its_values_have() {
    let mut case = Case::new(9, 5000, 17, [false, false, true]);
    for x in &mut case.x {
        *x += 4096.0;
    }
    let (stats, y) = case.reference(&wide(&case.x), &wide(&case.gamma), &wide(&case.beta));
    for isa in ISAS {
        let found = case.run(isa);
        close("variance", &found.stats.var_biased, &stats[1], 1e-6);
        // The mean itself is only exact to about 2⁻¹³.
        close("y", &found.y, &y, 1e-3);
    }
}

#[test]
fn what_is_not_a_number_stays_in_its_channel() {
    let mut case = Case::new(3, 40, 37, [true, false, true]);
    case.x[5 * 37 + 4] = f32::NAN;
    case.x[7 * 37 + 20] = f32::INFINITY;
    let (_, y) = case.reference(&wide(&case.x), &wide(&case.gamma), &wide(&case.beta));
    for isa in ISAS {
        let found = case.run(isa);
        for (i, (found, expected)) in found.y.iter().zip(&y).enumerate() {
            assert_eq!(found.is_nan(), expected.is_nan(), "{i}");
            assert_eq!(found.is_nan(), [4, 20].contains(&(i % 37)), "{i}");
        }
        let dx = found.dx.iter().enumerate();
        assert!(
            dx.into_iter()
                .all(|(i, dx)| dx.is_nan() == [4, 20].contains(&(i % 37)))
        );
    }
}

#[test]
fn a_gradient_passes_where_the_output_is_not_a_number() {
    for residual in [false, true] {
        let mut case = Case::new(3, 40, 37, [true, residual, false]);
        case.x[5 * 37 + 4] = f32::NAN;
        for isa in ISAS {
            let found = case.run(isa);
            let scale = found.stats.inv_std[4] * case.gamma[4];
            assert_eq!(found.dx[5 * 37 + 4], case.dy[5 * 37 + 4] * scale);
            if let Some(dresidual) = found.dresidual {
                assert_eq!(dresidual[5 * 37 + 4], case.dy[5 * 37 + 4]);
            }
        }
    }
}

#[test]
fn sums_of_which_only_rounding_errors_remain_do_not_depend_on_threads() {
    // Each value and its opposite, of magnitudes further apart than the digits of `f64`: in another
    // order of addition, the sum would differ.
    let (channels, pixels) = (3, 40_000);
    let mut case = Case::new(8, pixels, channels, [false, false, true]);
    let len = case.x.len();
    for values in [&mut case.x, &mut case.dy] {
        let mut random = Random(9);
        for i in 0..len / 2 {
            let value = random.value() * 10.0_f32.powi((random.bits() % 30) as i32 - 12);
            values[i] = value;
            values[len - 1 - i] = -value;
        }
        for pixel in values[len / 2..].chunks_mut(channels) {
            pixel.reverse();
        }
    }
    same_on_any_threads(|isa| {
        let found = case.run(isa);
        assert!(found.stats.mean.iter().all(|&mean| mean != 0.0));
        vec![found.stats.mean, found.dbeta, found.dx]
    });
}

#[test]
fn a_folded_batch_norm_is_a_scale_and_a_shift() {
    let case = Case::new(1, 50, 21, [true, true, true]);
    let residual = case.residual.as_deref();
    let expected: Vec<f64> = (case.x.iter().zip(residual.unwrap()).enumerate())
        .map(|(i, (&x, &r))| {
            let (scale, shift) = (case.gamma[i % 21], case.beta[i % 21]);
            (f64::from(x) * f64::from(scale) + f64::from(shift) + f64::from(r)).max(0.0)
        })
        .collect();
    for isa in ISAS {
        let mut y = vec![7.0; case.x.len()];
        scale_shift(
            isa,
            [&case.gamma, &case.beta],
            &case.x,
            residual,
            Some(Activation::Relu),
            &mut y,
        )
        .unwrap();
        close("y", &y, &expected, 1e-6);
    }
}

#[test]
fn wrong_lengths_are_errors_that_name_the_argument() {
    let case = Case::new(1, 4, 3, [true, false, true]);
    let affine = [case.gamma.as_slice(), &case.beta];
    let isa = Isa::detect();
    let mut y = [0.0; 12];
    let mut train = |x: &[f32], affine, residual: Option<&[f32]>, len: usize| {
        batch_norm_train(isa, &case.args, x, affine, residual, &mut y[..len])
            .map(|_| ())
            .unwrap_err()
    };
    let error = |field, expected, found| ShapeError::Length {
        field,
        expected,
        found,
    };
    assert_eq!(train(&case.x[..11], affine, None, 12), error("x", 9, 11));
    assert_eq!(train(&[], affine, None, 12), error("x", 3, 0));
    assert_eq!(
        train(&case.x, [&case.gamma[..2], &case.beta], None, 12),
        error("gamma", 3, 2)
    );
    assert_eq!(
        train(&case.x, affine, Some(&case.x[..9]), 12),
        error("residual", 12, 9)
    );
    assert_eq!(train(&case.x, affine, None, 11), error("y", 12, 11));
    let none = BatchNorm {
        channels: 0,
        ..case.args
    };
    assert!(batch_norm_train(isa, &none, &[], [&[], &[]], None, &mut []).is_err());
    assert!(scale_shift(isa, [&[], &[]], &[], None, None, &mut []).is_err());
    let text = error("y", 12, 11).to_string();
    assert_eq!(text, "`y` has 11 values, but the shape needs 12");
}

#[test]
fn an_activation_is_what_follows_the_batch_norm() {
    for function in ACTIVATIONS {
        for train in [false, true] {
            let mut plain = Case::new(5, 70, 37, [false, false, train]);
            plain.x.iter_mut().for_each(|x| *x *= 2.0);
            plain.gamma.iter_mut().for_each(|gamma| *gamma *= 3.0);
            let len = plain.x.len();
            for isa in ISAS {
                plain.args.activation = None;
                let before = plain.run(isa).y;
                let (mut y, mut dy) = (vec![7.0; len], vec![7.0; len]);
                activate(isa, function, &before, &mut y).unwrap();
                let saved = if function.saves_output() { &y } else { &before };
                activate_backward(isa, function, saved, &plain.dy, &mut dy).unwrap();
                let chain = Case {
                    dy,
                    running: plain.running.clone(),
                    x: plain.x.clone(),
                    gamma: plain.gamma.clone(),
                    beta: plain.beta.clone(),
                    residual: None,
                    args: plain.args,
                };
                let chain = chain.run(isa);
                plain.args.activation = Some(function);
                let fused = plain.run(isa);
                let what = format!("{function:?}, {isa:?}");
                assert_eq!(fused.y, y, "{what}");
                close(&what, &fused.dx, &wide(&chain.dx), 2e-6);
                close(&what, &fused.dgamma, &wide(&chain.dgamma), 2e-6);
                close(&what, &fused.dbeta, &wide(&chain.dbeta), 2e-6);
            }
        }
    }
}

#[test]
fn the_gradient_of_a_residual_before_a_function_of_its_input_is_refused() {
    let mut case = Case::new(1, 4, 3, [true, true, true]);
    case.args.activation = Some(Activation::Silu);
    let mut y = vec![0.0; 12];
    let affine = [case.gamma.as_slice(), &case.beta];
    let isa = Isa::detect();
    let stats = batch_norm_train(isa, &case.args, &case.x, affine, None, &mut y).unwrap();
    let forward = Forward {
        x: &case.x,
        y: Some(&y),
        gamma: &case.gamma,
        beta: &case.beta,
        stats: &stats,
    };
    let (mut dx, mut dresidual) = (vec![0.0; 12], vec![0.0; 12]);
    let residual = Some(dresidual.as_mut_slice());
    let found = batch_norm_backward(isa, &case.args, &forward, &case.dy, &mut dx, residual);
    assert_eq!(found, Err(ShapeError::ResidualGradient));
}
