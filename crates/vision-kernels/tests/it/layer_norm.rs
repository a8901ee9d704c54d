//! Layer normalization, channel factors and the gradient of a bias against their definitions in `f64`.

use proptest::prelude::*;
use vision_kernels::branch::add_branch;
use vision_kernels::channel_scale::{scale_channels, scale_channels_backward};
use vision_kernels::layer_norm::LayerNorm;
use vision_kernels::pool::Activations;
use vision_kernels::{Isa, ShapeError, bias};

use crate::support::{ISAS, Random, close, same_on_any_threads};

/// Output, and the gradients of the input, the scale and the shift.
fn reference(norm: &LayerNorm, x: &[f32], affine: [&[f32]; 2], dy: &[f32]) -> [Vec<f64>; 4] {
    let channels = norm.channels;
    let count = channels as f64;
    let [gamma, beta] =
        affine.map(|values| values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>());
    let (mut y, mut dx) = (Vec::new(), Vec::new());
    let (mut dgamma, mut dbeta) = (vec![0.0; channels], vec![0.0; channels]);
    for (x, dy) in x.chunks(channels).zip(dy.chunks(channels)) {
        let x: Vec<f64> = x.iter().map(|v| f64::from(*v)).collect();
        let dy: Vec<f64> = dy.iter().map(|v| f64::from(*v)).collect();
        let mean = x.iter().sum::<f64>() / count;
        let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
        let inv_std = 1.0 / (variance + f64::from(norm.eps)).sqrt();
        let h: Vec<f64> = x.iter().map(|x| (x - mean) * inv_std).collect();
        let g: Vec<f64> = dy
            .iter()
            .zip(&gamma)
            .map(|(dy, gamma)| dy * gamma)
            .collect();
        let sum = g.iter().sum::<f64>() / count;
        let product = g.iter().zip(&h).map(|(g, h)| g * h).sum::<f64>() / count;
        for c in 0..channels {
            y.push(h[c] * gamma[c] + beta[c]);
            dx.push(inv_std * (g[c] - sum - h[c] * product));
            dgamma[c] += dy[c] * h[c];
            dbeta[c] += dy[c];
        }
    }
    [y, dx, dgamma, dbeta]
}

fn run(isa: Isa, norm: &LayerNorm, x: &[f32], affine: [&[f32]; 2], dy: &[f32]) -> [Vec<f32>; 4] {
    let (mut y, mut dx) = (vec![7.0; x.len()], vec![7.0; x.len()]);
    let stats = norm.forward(isa, x, affine, &mut y).unwrap();
    let grads = norm
        .backward(isa, x, affine[0], &stats, dy, &mut dx)
        .unwrap();
    [y, dx, grads.gamma, grads.beta]
}

fn check(seed: u64, pixels: usize, channels: usize) {
    let norm = LayerNorm {
        channels,
        eps: 1e-3,
    };
    let mut random = Random(seed);
    let mut x = random.values(pixels * channels);
    // Means unlike 0, as after some layers without normalization.
    for pixel in x.chunks_mut(channels) {
        let mean = 5.0 * random.value();
        pixel.iter_mut().for_each(|x| *x += mean);
    }
    let (gamma, beta) = (random.values(channels), random.values(channels));
    let dy = random.values(x.len());
    let expected = reference(&norm, &x, [&gamma, &beta], &dy);
    for isa in ISAS {
        let found = run(isa, &norm, &x, [&gamma, &beta], &dy);
        for (at, what) in ["y", "dx", "dgamma", "dbeta"].into_iter().enumerate() {
            let what = format!("{what} of {pixels} x {channels}, {isa:?}");
            // One channel has a deviation of 0, which leaves the rounding of the mean.
            close(
                &what,
                &found[at],
                &expected[at],
                if channels < 4 { 2e-4 } else { 1e-5 },
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn output_and_gradients_are_what_the_definition_says_at_any_shape(
        seed: u64, pixels in 0_usize..90, channels in 1_usize..140,
    ) {
        check(seed, pixels, channels);
    }

    #[test]
    fn factors_scale_the_channels_of_each_image_and_pass_gradients(
        seed: u64, shape in [0_usize..4, 0..9, 1..9, 1..70],
    ) {
        let [batch, height, width, channels] = shape;
        let shape = Activations { batch, height, width, channels };
        let (len, image) = (shape.elements(), height * width * channels);
        let mut random = Random(seed);
        let (x, dy) = (random.values(len), random.values(len));
        let factors = random.values(batch * channels);
        let factor = |i: usize| i / image * channels + i % channels;
        let product = |values: &[f32], i: usize| f64::from(values[i]) * f64::from(factors[factor(i)]);
        let y: Vec<f64> = (0..len).map(|i| product(&x, i)).collect();
        let dx: Vec<f64> = (0..len).map(|i| product(&dy, i)).collect();
        let mut sums = vec![0.0; factors.len()];
        (0..len).for_each(|i| sums[factor(i)] += f64::from(x[i]) * f64::from(dy[i]));
        for isa in ISAS {
            let (mut found, mut dfactors) = (vec![7.0; len], vec![7.0; factors.len()]);
            scale_channels(isa, &shape, &x, &factors, &mut found).unwrap();
            close("y", &found, &y, 1e-7);
            scale_channels_backward(isa, &shape, &x, &factors, &dy, Some(&mut found), &mut dfactors).unwrap();
            close("dx", &found, &dx, 1e-7);
            close("dfactors", &dfactors, &sums, 1e-6);
            dfactors.fill(7.0);
            scale_channels_backward(isa, &shape, &x, &factors, &dy, None, &mut dfactors).unwrap();
            close("dfactors alone", &dfactors, &sums, 1e-6);
        }
    }

    #[test]
    fn a_branch_is_added_with_its_factors_or_without(
        seed: u64, pixels in 0_usize..300, channels in 1_usize..140,
    ) {
        let mut random = Random(seed);
        let (x, branch) = (random.values(pixels * channels), random.values(pixels * channels));
        let factors = random.values(channels);
        // The very bits of a product and then a sum.
        let scaled: Vec<f32> = (0..x.len()).map(|i| x[i] + branch[i] * factors[i % channels]).collect();
        let plain: Vec<f32> = x.iter().zip(&branch).map(|(x, branch)| x + branch).collect();
        for isa in ISAS {
            let mut y = vec![7.0; x.len()];
            add_branch(isa, &x, &branch, Some(&factors), &mut y).unwrap();
            prop_assert_eq!(&y, &scaled);
            add_branch(isa, &x, &branch, None, &mut y).unwrap();
            prop_assert_eq!(&y, &plain);
        }
    }

    #[test]
    fn the_gradient_of_a_bias_is_a_sum_over_pixels(
        seed: u64, pixels in 0_usize..300, channels in 1_usize..80,
    ) {
        let dy = Random(seed).values(pixels * channels);
        let sum = |c: usize| dy.iter().skip(c).step_by(channels).map(|v| f64::from(*v)).sum::<f64>();
        let expected: Vec<f64> = (0..channels).map(sum).collect();
        for isa in ISAS {
            let mut found = vec![7.0; channels];
            bias::backward(isa, &dy, &mut found).unwrap();
            close("dbias", &found, &expected, 1e-6);
        }
    }
}

#[test]
fn sizes_of_convnext_and_vit_agree_with_the_definition() {
    for (pixels, channels) in [(50, 96), (7, 768), (197, 192), (1, 384), (600, 100)] {
        check(1, pixels, channels);
    }
}

#[test]
fn nan_and_infinity_stay_in_their_pixel() {
    let norm = LayerNorm {
        channels: 40,
        eps: 1e-6,
    };
    let mut random = Random(4);
    let (mut x, dy) = (random.values(120), random.values(120));
    let (gamma, beta) = (random.values(40), random.values(40));
    (x[3], x[90]) = (f32::NAN, f32::INFINITY);
    for isa in ISAS {
        let [y, dx, dgamma, dbeta] = run(isa, &norm, &x, [&gamma, &beta], &dy);
        for (at, value) in y.iter().chain(&dx).enumerate() {
            assert_eq!(value.is_nan(), at % 120 / 40 != 1, "{at}");
        }
        assert!(dgamma.iter().all(|v| v.is_nan()) && dbeta.iter().all(|v| v.is_finite()));
    }
}

#[test]
fn results_are_bit_equal_for_any_number_of_threads() {
    let mut random = Random(6);
    let shape = Activations {
        batch: 3,
        height: 40,
        width: 41,
        channels: 24,
    };
    let norm = LayerNorm {
        channels: 24,
        eps: 1e-6,
    };
    let (x, dy) = (
        random.values(shape.elements()),
        random.values(shape.elements()),
    );
    let (gamma, factors) = (random.values(24), random.values(3 * 24));
    same_on_any_threads(|isa| {
        let mut all = run(isa, &norm, &x, [&gamma, &gamma], &dy).to_vec();
        let (mut dfactors, mut dbias) = (vec![0.0; 72], vec![0.0; 24]);
        scale_channels_backward(isa, &shape, &x, &factors, &dy, None, &mut dfactors).unwrap();
        bias::backward(isa, &dy, &mut dbias).unwrap();
        all.extend([dfactors, dbias]);
        all
    });
}

#[test]
fn wrong_lengths_are_errors_that_name_the_argument() {
    let isa = Isa::detect();
    let norm = LayerNorm {
        channels: 2,
        eps: 0.0,
    };
    let (x, pair) = ([1.0; 4], [1.0; 2]);
    let forward = |norm: LayerNorm, x: &[f32], affine: [&[f32]; 2], y: &mut [f32]| {
        norm.forward(isa, x, affine, y).unwrap_err().argument()
    };
    assert_eq!(forward(norm, &x[1..], [&pair, &pair], &mut [0.0; 3]), "x");
    assert_eq!(forward(norm, &x, [&x, &pair], &mut [0.0; 4]), "gamma");
    assert_eq!(forward(norm, &x, [&pair, &x], &mut [0.0; 4]), "beta");
    assert_eq!(forward(norm, &x, [&pair, &pair], &mut [0.0; 3]), "y");
    let none = LayerNorm {
        channels: 0,
        ..norm
    };
    assert_eq!(forward(none, &[], [&[], &[]], &mut []), "channels");
    let stats = norm
        .forward(isa, &x, [&pair, &pair], &mut [0.0; 4])
        .unwrap();
    let found = norm.backward(isa, &x, &pair, &stats, &x[1..], &mut [0.0; 4]);
    assert_eq!(found.unwrap_err().argument(), "dy");
    let found = norm.backward(isa, &[1.0; 6], &pair, &stats, &[1.0; 6], &mut [0.0; 6]);
    assert_eq!(found.unwrap_err().argument(), "stats.mean");

    let shape = Activations {
        batch: 1,
        height: 1,
        width: 2,
        channels: 2,
    };
    let found = scale_channels(isa, &shape, &x, &x, &mut [0.0; 4]);
    let error = |field, expected, found| {
        Err(ShapeError::Length {
            field,
            expected,
            found,
        })
    };
    assert_eq!(found, error("factors", 2, 4));
    let found = add_branch(isa, &x, &pair, None, &mut [0.0; 4]);
    assert_eq!(found, error("branch", 4, 2));
    let found = add_branch(isa, &x, &x, Some(&x[1..]), &mut [0.0; 4]);
    assert_eq!(found, error("x", 3, 4));
    let found = scale_channels_backward(isa, &shape, &x, &pair, &pair, None, &mut [0.0; 2]);
    assert_eq!(found, error("dy", 4, 2));
    assert_eq!(
        bias::backward(isa, &x[1..], &mut [0.0; 2]),
        error("dy", 2, 3)
    );
}
