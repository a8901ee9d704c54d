//! Error of each algorithm, on tensors like those of a network in training.

use vision_kernels::Isa;
use vision_kernels::conv::{
    Algorithm, ConvShape, Epilogue, PackedWeights, conv2d_backward_input_packed,
    conv2d_backward_weight_by, conv2d_packed,
};

use crate::support::convolution::{Reference, backward_input, backward_weight, forward, values};

/// The largest error, and the root mean square error, both relative to the largest value.
fn errors(exact: &Reference, found: &[f32]) -> (f64, f64) {
    let largest = exact.sum.iter().fold(0.0, |m: f64, y| m.max(y.abs()));
    let mut most: f64 = 0.0;
    let mut squares = 0.0;
    assert_eq!(exact.sum.len(), found.len());
    for (exact, found) in exact.sum.iter().zip(found) {
        let error = (exact - f64::from(*found)).abs() / largest;
        // `f64::max` would drop NaN.
        assert!(error.is_finite(), "{found}, exactly {exact}");
        most = most.max(error);
        squares += error * error;
    }
    (most, (squares / found.len() as f64).sqrt())
}

/// Normally distributed values, approximated by sums of twelve uniform values.
fn normal(len: usize, seed: u64) -> Vec<f32> {
    let uniform = values(12 * len, seed);
    uniform
        .chunks(12)
        .map(|chunk| chunk.iter().sum::<f32>() / 2.0)
        .collect()
}

#[test]
fn errors_stay_within_twice_the_documented_ones() {
    let isa = Isa::detect();
    let bounds = [
        // Forward, backward to the input, backward to the weights.
        (Algorithm::Direct, [3.2e-6, 3.2e-6, 3.2e-6]),
        (Algorithm::Winograd2, [1.4e-6, 1.4e-6, 1.4e-6]),
        (Algorithm::Winograd4, [1.8e-5, 1.8e-5, 1.2e-5]),
    ];
    for (channels, side, batch) in [(64, 28, 1), (128, 14, 1), (256, 14, 1)] {
        let shape = ConvShape {
            batch,
            height: side,
            width: side,
            in_channels: channels,
            out_channels: channels,
            kernel: 3,
            stride: 1,
            padding: 1.into(),
        };
        let relu = |value: f32| value.max(0.0);
        let x: Vec<f32> = normal(shape.input_len(), 1).into_iter().map(relu).collect();
        let he = (2.0 / (9.0 * channels as f32)).sqrt();
        let w: Vec<f32> = normal(shape.weight_len(), 2)
            .iter()
            .map(|w| w * he)
            .collect();
        let dy = normal(shape.output_len(), 3);
        let y_exact = forward(&shape, &x, &w);
        let dx_exact = backward_input(&shape, &dy, &w);
        let dw_exact = backward_weight(&shape, &x, &dy);
        for (algorithm, bounds) in bounds {
            let mut y = vec![0.0; shape.output_len()];
            let packed = PackedWeights::forward_by(isa, algorithm, &shape, &w).unwrap();
            conv2d_packed(&packed, &shape, &x, &Epilogue::default(), &mut y).unwrap();
            let mut dx = vec![0.0; shape.input_len()];
            let packed = PackedWeights::backward_input_by(isa, algorithm, &shape, &w).unwrap();
            conv2d_backward_input_packed(&packed, &shape, &dy, &mut dx).unwrap();
            let mut dw = vec![0.0; shape.weight_len()];
            conv2d_backward_weight_by(isa, algorithm, &shape, &x, &dy, &mut dw).unwrap();
            let found = [
                errors(&y_exact, &y),
                errors(&dx_exact, &dx),
                errors(&dw_exact, &dw),
            ];
            println!(
                "{channels} channels, {side}x{side}, {algorithm:?}: largest, root mean square"
            );
            for (pass, (most, rms)) in ["y", "dx", "dw"].into_iter().zip(found) {
                println!("    {pass}: {most:.1e}, {rms:.1e}");
            }
            for ((most, _), bound) in found.into_iter().zip(bounds) {
                assert!(most < bound, "{channels} {algorithm:?}: {most:e}");
            }
        }
    }
}
