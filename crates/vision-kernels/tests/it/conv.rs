//! Convolutions against their definition, with every instruction set.

use proptest::prelude::*;
use vision_kernels::activation::Activation;
use vision_kernels::conv::{
    Accuracy, Algorithm, ConvShape, Epilogue, PackedWeights, Pass, algorithm, conv2d,
    conv2d_backward_input, conv2d_backward_input_packed, conv2d_backward_weight,
    conv2d_backward_weight_by, conv2d_packed,
};
use vision_kernels::{Isa, Padding, ShapeError};

use crate::support;
use crate::support::convolution::{isas, values};

const ALGORITHMS: [Algorithm; 3] = [
    Algorithm::Direct,
    Algorithm::Winograd2,
    Algorithm::Winograd4,
];

/// Relative to the largest sum of the absolute values of the terms.
fn tolerance(algorithm: Algorithm) -> f64 {
    match algorithm {
        Algorithm::Direct | Algorithm::Winograd2 => 1e-6,
        Algorithm::Winograd4 => 5e-6,
    }
}

fn forward(isa: Isa, algorithm: Algorithm, s: &ConvShape, x: &[f32], w: &[f32]) -> Vec<f32> {
    let mut y = vec![f32::NAN; s.output_len()];
    let packed = PackedWeights::forward_by(isa, algorithm, s, w).unwrap();
    conv2d_packed(&packed, s, x, &Epilogue::default(), &mut y).unwrap();
    y
}

fn backward_input(
    isa: Isa,
    algorithm: Algorithm,
    s: &ConvShape,
    dy: &[f32],
    w: &[f32],
) -> Vec<f32> {
    let mut dx = vec![f32::NAN; s.input_len()];
    let packed = PackedWeights::backward_input_by(isa, algorithm, s, w).unwrap();
    conv2d_backward_input_packed(&packed, s, dy, &mut dx).unwrap();
    dx
}

fn backward_weight(
    isa: Isa,
    algorithm: Algorithm,
    s: &ConvShape,
    x: &[f32],
    dy: &[f32],
) -> Vec<f32> {
    let mut dw = vec![f32::NAN; s.weight_len()];
    conv2d_backward_weight_by(isa, algorithm, s, x, dy, &mut dw).unwrap();
    dw
}

/// Input, weights and gradient of the output.
fn tensors(s: &ConvShape) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
    (
        values(s.input_len(), 1),
        values(s.weight_len(), 2),
        values(s.output_len(), 3),
    )
}

/// Compares with weights that were not packed in advance, which skips taps that see only padding.
fn assert_unpacked_is_equal(s: &ConvShape, isa: Isa) {
    let (x, w, dy) = tensors(s);
    let mut y = vec![f32::NAN; s.output_len()];
    let none = Epilogue::default();
    conv2d(isa, Accuracy::Direct, s, &x, &w, &none, &mut y).unwrap();
    assert!(
        y == forward(isa, Algorithm::Direct, s, &x, &w),
        "y of {s:?}"
    );
    let mut dx = vec![f32::NAN; s.input_len()];
    conv2d_backward_input(isa, Accuracy::Direct, s, &dy, &w, &mut dx).unwrap();
    assert!(
        dx == backward_input(isa, Algorithm::Direct, s, &dy, &w),
        "dx of {s:?}"
    );
}

fn check(s: &ConvShape, isas: &[Isa]) {
    let (x, w, dy) = tensors(s);
    let y = support::convolution::forward(s, &x, &w);
    let dx = support::convolution::backward_input(s, &dy, &w);
    let dw = support::convolution::backward_weight(s, &x, &dy);
    for &isa in isas {
        assert_unpacked_is_equal(s, isa);
        for algorithm in ALGORITHMS {
            let what = format!("{s:?} {isa:?} {algorithm:?}");
            let tolerance = tolerance(algorithm);
            y.assert_close(
                &forward(isa, algorithm, s, &x, &w),
                tolerance,
                &format!("y of {what}"),
            );
            dx.assert_close(
                &backward_input(isa, algorithm, s, &dy, &w),
                tolerance,
                &format!("dx of {what}"),
            );
            dw.assert_close(
                &backward_weight(isa, algorithm, s, &x, &dy),
                tolerance,
                &format!("dw of {what}"),
            );
        }
    }
}

fn shape(
    [batch, height, width]: [usize; 3],
    [in_channels, out_channels]: [usize; 2],
    [kernel, stride, padding]: [usize; 3],
) -> ConvShape {
    ConvShape {
        batch,
        height,
        width,
        in_channels,
        out_channels,
        kernel,
        stride,
        padding: padding.into(),
    }
}

fn any_shape() -> impl Strategy<Value = ConvShape> {
    let pixels = [1..4usize, 1..14, 1..14];
    let channels = [1..71usize, 1..71];
    let kernel = (
        prop_oneof![Just(1usize), Just(3), Just(5), Just(7)],
        1..4usize,
        0..4usize,
    );
    // Different zeros on each side in half of the cases.
    let sides = proptest::option::of([0..4usize, 0..4, 0..4, 0..4]);
    (pixels, channels, kernel, sides)
        .prop_map(|(pixels, channels, (kernel, stride, padding), sides)| {
            let s = shape(pixels, channels, [kernel, stride, padding]);
            let padding = sides.map_or(s.padding, |[top, bottom, left, right]| Padding {
                rows: [top, bottom],
                columns: [left, right],
            });
            ConvShape { padding, ..s }
        })
        .prop_filter("the kernel fits", |s| {
            s.out_height() > 0 && s.out_width() > 0
        })
}

/// Shapes for Winograd's algorithm.
fn three_by_three() -> impl Strategy<Value = ConvShape> {
    ([1..4usize, 1..18, 1..18], [1..71usize, 1..71], 0..3usize)
        .prop_map(|(pixels, channels, padding)| shape(pixels, channels, [3, 1, padding]))
        .prop_filter("the kernel fits", |s| {
            s.out_height() > 0 && s.out_width() > 0
        })
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn all_passes_agree_with_the_definition_for_any_kernel_stride_and_padding(s in any_shape()) {
        check(&s, &isas());
    }

    #[test]
    fn all_passes_agree_with_the_definition_for_three_by_three_kernels(s in three_by_three()) {
        check(&s, &isas());
    }
}

#[test]
fn sizes_of_resnets_agree_with_the_definition() {
    for s in [
        shape([1, 37, 30], [3, 64], [7, 2, 3]),
        shape([2, 13, 14], [64, 64], [3, 1, 1]),
        shape([2, 14, 15], [64, 128], [3, 2, 1]),
        shape([3, 7, 7], [128, 128], [3, 1, 1]),
        shape([2, 9, 9], [128, 64], [1, 1, 0]),
        shape([2, 9, 9], [64, 128], [1, 2, 0]),
        shape([5, 2, 2], [256, 128], [3, 1, 1]),
        shape([9, 1, 1], [256, 192], [3, 1, 1]),
        // More pixels than one list of tasks holds.
        shape([2, 70, 66], [5, 7], [3, 1, 1]),
        shape([2, 150, 66], [3, 6], [3, 2, 1]),
    ] {
        check(&s, &isas());
    }
}

#[test]
fn an_output_pixel_that_sees_only_padding_is_zero() {
    let s = shape([1, 2, 2], [3, 4], [1, 1, 3]);
    check(&s, &isas());
}

#[test]
fn an_input_pixel_that_no_output_reads_has_no_gradient() {
    let s = shape([1, 8, 8], [3, 4], [1, 3, 0]);
    check(&s, &isas());
}

#[test]
fn results_are_bit_equal_for_any_number_of_threads_and_on_every_run() {
    for s in [
        shape([2, 30, 30], [64, 70], [3, 1, 1]),
        shape([8, 7, 7], [64, 128], [3, 2, 1]),
        shape([4, 28, 28], [3, 64], [7, 2, 3]),
        shape([16, 1, 1], [128, 256], [3, 1, 1]),
    ] {
        let (x, w, dy) = tensors(&s);
        for (algorithm, isa) in ALGORITHMS
            .iter()
            .flat_map(|&algorithm| isas().into_iter().map(move |isa| (algorithm, isa)))
        {
            let run = |threads: usize| {
                support::on(threads, || {
                    [
                        forward(isa, algorithm, &s, &x, &w),
                        backward_input(isa, algorithm, &s, &dy, &w),
                        backward_weight(isa, algorithm, &s, &x, &dy),
                    ]
                })
            };
            let once = run(1);
            for threads in [1, 2, 3] {
                assert!(
                    once == run(threads),
                    "{s:?} {algorithm:?} {isa:?} with {threads} threads"
                );
            }
        }
    }
}

#[test]
fn a_nan_reaches_every_output_that_reads_it() {
    let s = shape([2, 9, 10], [5, 66], [3, 1, 1]);
    let (mut x, w, mut dy) = tensors(&s);
    x[s.in_channels * 13 + 2] = f32::NAN;
    let target = s.out_channels * 57 + 65;
    dy[target] = f32::NAN;
    let y = support::convolution::forward(&s, &x, &w);
    let dx = support::convolution::backward_input(&s, &dy, &w);
    let dw = support::convolution::backward_weight(&s, &x, &dy);
    for isa in isas() {
        for algorithm in ALGORITHMS {
            for (expected, found) in [
                (&y, forward(isa, algorithm, &s, &x, &w)),
                (&dx, backward_input(isa, algorithm, &s, &dy, &w)),
                (&dw, backward_weight(isa, algorithm, &s, &x, &dy)),
            ] {
                let mut expected_nans = 0;
                for (expected, found) in expected.sum.iter().zip(&found) {
                    expected_nans += usize::from(expected.is_nan());
                    assert!(
                        !expected.is_nan() || found.is_nan(),
                        "{isa:?} {algorithm:?}"
                    );
                    // Winograd spreads it over the tile. Direct convolution affects only the
                    // outputs of the definition.
                    if algorithm == Algorithm::Direct {
                        assert_eq!(expected.is_nan(), found.is_nan(), "{isa:?}");
                    }
                }
                assert!(expected_nans > 0);
            }
        }
    }
}

#[test]
fn infinite_weights_meet_no_padding_and_zeros_are_not_skipped() {
    let s = shape([1, 5, 5], [3, 4], [3, 1, 1]);
    let mut x = vec![1.0; s.input_len()];
    let mut w = values(s.weight_len(), 2);
    // The first tap of output channel 1: pixels of the first row and column must not see it.
    w[s.in_channels * 9] = f32::INFINITY;
    for isa in isas() {
        let y = forward(isa, Algorithm::Direct, &s, &x, &w);
        for (pixel, y) in y.chunks(4).enumerate() {
            let sees = pixel / 5 > 0 && pixel % 5 > 0;
            assert_eq!(y[1] == f32::INFINITY, sees, "{isa:?} pixel {pixel}");
            assert!(y[0].is_finite() && y[2].is_finite() && y[3].is_finite());
        }
    }
    x.fill(0.0);
    for isa in isas() {
        let y = forward(isa, Algorithm::Direct, &s, &x, &w);
        assert!(y[4 * 6 + 1].is_nan(), "0 * infinity was skipped");
        assert_eq!(y[1], 0.0);
    }
}

#[test]
fn the_gradients_are_those_of_the_forward_pass() {
    // <conv(x, w), dy> = <x, dx> = <w, dw>, because convolution is linear in either argument.
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    for s in [
        shape([3, 29, 30], [17, 65], [3, 1, 1]),
        shape([3, 29, 30], [17, 65], [3, 2, 1]),
        shape([2, 56, 57], [3, 64], [7, 2, 3]),
        shape([4, 13, 12], [128, 96], [1, 1, 0]),
        // More transformed tiles than are multiplied in one step.
        shape([2, 34, 34], [192, 200], [3, 1, 1]),
    ] {
        let (x, w, dy) = tensors(&s);
        for isa in isas() {
            for algorithm in ALGORITHMS {
                let y = dot(&forward(isa, algorithm, &s, &x, &w), &dy);
                let dx = dot(&backward_input(isa, algorithm, &s, &dy, &w), &x);
                let dw = dot(&backward_weight(isa, algorithm, &s, &x, &dy), &w);
                let size = (s.flops() / 2.0).sqrt();
                assert!(
                    (y - dx).abs() < 1e-5 * size,
                    "{s:?} {isa:?} {algorithm:?}: {y} {dx}"
                );
                assert!(
                    (y - dw).abs() < 1e-5 * size,
                    "{s:?} {isa:?} {algorithm:?}: {y} {dw}"
                );
            }
        }
    }
}

#[test]
fn the_epilogue_scales_shifts_adds_and_clips() {
    for s in [
        shape([2, 9, 8], [20, 70], [3, 1, 1]),
        shape([2, 9, 8], [130, 64], [3, 2, 1]),
        shape([2, 5, 5], [300, 6], [3, 1, 1]),
    ] {
        let (x, w, residual) = tensors(&s);
        let (scale, shift) = (values(s.out_channels, 4), values(s.out_channels, 5));
        let plain = support::convolution::forward(&s, &x, &w);
        for isa in isas() {
            for algorithm in ALGORITHMS {
                for parts in 0..16 {
                    let epilogue = Epilogue {
                        scale: (parts & 1 != 0).then_some(&scale),
                        shift: (parts & 2 != 0).then_some(&shift),
                        residual: (parts & 4 != 0).then_some(&residual),
                        activation: (parts & 8 != 0).then_some(Activation::Relu),
                    };
                    let mut y = vec![f32::NAN; s.output_len()];
                    let packed = PackedWeights::forward_by(isa, algorithm, &s, &w).unwrap();
                    conv2d_packed(&packed, &s, &x, &epilogue, &mut y).unwrap();
                    for (at, found) in y.iter().enumerate() {
                        let channel = at % s.out_channels;
                        let mut expected = plain.sum[at];
                        if let Some(scale) = epilogue.scale {
                            expected *= f64::from(scale[channel]);
                        }
                        if let Some(shift) = epilogue.shift {
                            expected += f64::from(shift[channel]);
                        }
                        if let Some(residual) = epilogue.residual {
                            expected += f64::from(residual[at]);
                        }
                        if epilogue.activation.is_some() {
                            expected = expected.max(0.0);
                        }
                        assert!(
                            (expected - f64::from(*found)).abs() < 1e-3,
                            "{s:?} {isa:?} {algorithm:?} {parts}: {found} for {expected}"
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn an_accuracy_runs_the_algorithm_of_the_rule() {
    let isa = Isa::detect();
    for s in [
        shape([2, 14, 15], [64, 70], [3, 1, 1]),
        shape([2, 14, 15], [64, 70], [3, 2, 1]),
        shape([2, 3, 15], [64, 70], [3, 1, 1]),
        shape([2, 15, 15], [3, 70], [3, 1, 1]),
    ] {
        let (x, w, dy) = tensors(&s);
        for accuracy in [Accuracy::Direct, Accuracy::Balanced, Accuracy::Fast] {
            let mut y = vec![f32::NAN; s.output_len()];
            let none = Epilogue::default();
            conv2d(isa, accuracy, &s, &x, &w, &none, &mut y).unwrap();
            let rule = algorithm(&s, Pass::Forward, accuracy);
            assert!(y == forward(isa, rule, &s, &x, &w), "{s:?} {accuracy:?}");
            let mut dx = vec![f32::NAN; s.input_len()];
            conv2d_backward_input(isa, accuracy, &s, &dy, &w, &mut dx).unwrap();
            let rule = algorithm(&s, Pass::BackwardInput, accuracy);
            assert!(dx == backward_input(isa, rule, &s, &dy, &w));
            let mut dw = vec![f32::NAN; s.weight_len()];
            conv2d_backward_weight(isa, accuracy, &s, &x, &dy, &mut dw).unwrap();
            let rule = algorithm(&s, Pass::BackwardWeight, accuracy);
            assert!(dw == backward_weight(isa, rule, &s, &x, &dy));
        }
    }
}

#[test]
fn packed_weights_serve_any_batch_and_image_and_refuse_other_kernels() {
    let isa = Isa::detect();
    let small = shape([1, 8, 8], [33, 40], [3, 1, 1]);
    let large = shape([3, 13, 11], [33, 40], [3, 1, 1]);
    let (x, w, _) = tensors(&large);
    for algorithm in ALGORITHMS {
        let packed = PackedWeights::forward_by(isa, algorithm, &small, &w).unwrap();
        let mut y = vec![f32::NAN; large.output_len()];
        conv2d_packed(&packed, &large, &x, &Epilogue::default(), &mut y).unwrap();
        assert!(y == forward(isa, algorithm, &large, &x, &w));
        let other = ConvShape {
            padding: 0.into(),
            ..large
        };
        let refused = conv2d_packed(&packed, &other, &x, &Epilogue::default(), &mut y);
        assert_eq!(
            refused,
            Err(ShapeError::Packed {
                field: "padding",
                expected: 1,
                found: 0
            })
        );
    }
}

#[test]
fn a_nan_survives_the_clip() {
    let s = shape([1, 1, 1], [1, 1], [1, 1, 0]);
    let epilogue = Epilogue {
        activation: Some(Activation::Relu),
        ..Epilogue::default()
    };
    let mut y = [0.0];
    conv2d(
        Isa::detect(),
        Accuracy::Fast,
        &s,
        &[f32::NAN],
        &[1.0],
        &epilogue,
        &mut y,
    )
    .unwrap();
    assert!(y[0].is_nan());
}

#[test]
fn empty_sizes_give_empty_or_zero_results() {
    for s in [
        shape([0, 5, 5], [3, 4], [3, 1, 1]),
        shape([2, 5, 5], [0, 4], [3, 1, 1]),
        shape([2, 5, 5], [3, 0], [3, 1, 1]),
        shape([2, 0, 5], [3, 4], [3, 1, 2]),
        shape([2, 0, 0], [3, 4], [1, 1, 1]),
    ] {
        check(&s, &[Isa::detect()]);
    }
}

#[test]
fn sizes_that_do_not_fit_are_errors_that_name_the_argument() {
    let s = shape([1, 4, 4], [2, 3], [3, 1, 1]);
    let (x, w, dy) = tensors(&s);
    let mut y = dy.clone();
    let isa = Isa::detect();
    let none = Epilogue::default();
    let mut run = |s: &ConvShape, x: &[f32], w: &[f32], epilogue: &Epilogue<'_>| {
        conv2d(isa, Accuracy::Direct, s, x, w, epilogue, &mut y)
    };
    let length = |field, expected, found| {
        Err(ShapeError::Length {
            field,
            expected,
            found,
        })
    };
    assert_eq!(run(&s, &x[1..], &w, &none), length("x", 32, 31));
    assert_eq!(run(&s, &x, &w[1..], &none), length("w", 54, 53));
    let short = Epilogue {
        shift: Some(&[0.0]),
        ..none
    };
    assert_eq!(run(&s, &x, &w, &short), length("shift", 3, 1));
    assert_eq!(
        run(&ConvShape { stride: 0, ..s }, &x, &w, &none),
        Err(ShapeError::Zero { field: "stride" })
    );
    assert_eq!(
        run(&ConvShape { kernel: 7, ..s }, &x, &w, &none),
        Err(ShapeError::KernelTooLarge {
            field: "height",
            kernel: 7,
            padded: 6
        })
    );
    assert_eq!(
        run(
            &ConvShape {
                batch: usize::MAX,
                ..s
            },
            &x,
            &w,
            &none
        ),
        Err(ShapeError::TooLarge)
    );
    assert_eq!(
        conv2d_backward_weight(isa, Accuracy::Direct, &s, &x, &dy, &mut [0.0]),
        length("dw", 54, 1)
    );
    assert_eq!(
        conv2d_backward_input(isa, Accuracy::Direct, &s, &dy, &w, &mut [0.0]),
        length("dx", 32, 1)
    );
}
