//! Depthwise convolution against its definition, with every instruction set.

use proptest::prelude::*;
use vision_kernels::activation::Activation;
use vision_kernels::conv::Epilogue;
use vision_kernels::depthwise::{
    DepthwiseShape, depthwise, depthwise_backward_input, depthwise_backward_weight,
};
use vision_kernels::{Isa, Padding, ShapeError};

use crate::support::{ISAS, Random, close, same_on_any_threads};

fn shape(
    [batch, height, width, channels]: [usize; 4],
    [kernel, stride, padding, dilation]: [usize; 4],
) -> DepthwiseShape {
    DepthwiseShape {
        batch,
        height,
        width,
        channels,
        kernel,
        stride,
        padding: padding.into(),
        dilation,
    }
}

/// Calls `visit` with the indices of each product of the definition: input, weight, output.
fn products(s: &DepthwiseShape, mut visit: impl FnMut(usize, usize, usize)) {
    let (height, width) = (s.out_height(), s.out_width());
    for output in 0..s.batch * height * width {
        let (image, row, column) = (
            output / width / height,
            output / width % height,
            output % width,
        );
        for tap in 0..s.kernel * s.kernel {
            let y = row * s.stride + tap / s.kernel * s.dilation;
            let x = column * s.stride + tap % s.kernel * s.dilation;
            let (Some(y), Some(x)) = (
                y.checked_sub(s.padding.rows[0]),
                x.checked_sub(s.padding.columns[0]),
            ) else {
                continue;
            };
            if y >= s.height || x >= s.width {
                continue;
            }
            let input = (image * s.height + y) * s.width + x;
            for c in 0..s.channels {
                visit(
                    input * s.channels + c,
                    c * s.kernel * s.kernel + tap,
                    output * s.channels + c,
                );
            }
        }
    }
}

/// Output, gradient of the input and of the weights, by the definition.
fn reference(s: &DepthwiseShape, x: &[f32], w: &[f32], dy: &[f32]) -> [Vec<f64>; 3] {
    let mut y = vec![0.0; s.output_len()];
    let (mut dx, mut dw) = (vec![0.0; x.len()], vec![0.0; w.len()]);
    products(s, |i, k, o| {
        y[o] += f64::from(x[i]) * f64::from(w[k]);
        dx[i] += f64::from(dy[o]) * f64::from(w[k]);
        dw[k] += f64::from(x[i]) * f64::from(dy[o]);
    });
    [y, dx, dw]
}

fn run(isa: Isa, s: &DepthwiseShape, x: &[f32], w: &[f32], dy: &[f32]) -> [Vec<f32>; 3] {
    let mut y = vec![7.0; s.output_len()];
    let (mut dx, mut dw) = (vec![7.0; x.len()], vec![7.0; w.len()]);
    depthwise(isa, s, x, w, &Epilogue::default(), &mut y).unwrap();
    depthwise_backward_input(isa, s, dy, w, &mut dx).unwrap();
    depthwise_backward_weight(isa, s, x, dy, &mut dw).unwrap();
    [y, dx, dw]
}

fn tensors(seed: u64, s: &DepthwiseShape) -> [Vec<f32>; 3] {
    let mut random = Random(seed);
    [s.input_len(), s.weight_len(), s.output_len()].map(|len| random.values(len))
}

fn check(seed: u64, s: &DepthwiseShape) {
    let [x, w, dy] = tensors(seed, s);
    let expected = reference(s, &x, &w, &dy);
    // The error of a sum grows with the sizes of its terms, which may cancel out.
    let [ax, aw, ady] = [&x, &w, &dy].map(|list| list.iter().map(|v| v.abs()).collect::<Vec<_>>());
    let sizes = reference(s, &ax, &aw, &ady);
    for isa in ISAS {
        let found = run(isa, s, &x, &w, &dy);
        for (pass, what) in ["y", "dx", "dw"].into_iter().enumerate() {
            let values = found[pass].iter().zip(&expected[pass]).zip(&sizes[pass]);
            for (i, ((found, expected), size)) in values.enumerate() {
                let off = (f64::from(*found) - expected).abs();
                assert!(
                    off <= 5e-7 * size,
                    "{what} of {s:?} {isa:?}[{i}]: {found}, expected {expected} from terms of {size} in all"
                );
            }
        }
    }
}

// A seed with which 231 terms of up to 1 nearly cancel out.
#[test]
fn a_sum_that_cancels_out_is_as_exact_as_its_terms() {
    check(
        16_888_988_154_162_322_074,
        &shape([3, 7, 11, 1], [1, 1, 3, 1]),
    );
}

fn any_shape() -> impl Strategy<Value = DepthwiseShape> {
    let size = [1..4usize, 1..14, 1..14, 1..71];
    let kernel = [1..8usize, 1..4, 0..4, 1..4];
    // Different zeros on each side in half of the cases.
    let sides = proptest::option::of([0..4usize, 0..4, 0..4, 0..4]);
    (size, kernel, sides)
        .prop_map(|(size, kernel, sides)| {
            let s = shape(size, kernel);
            let padding = sides.map_or(s.padding, |[top, bottom, left, right]| Padding {
                rows: [top, bottom],
                columns: [left, right],
            });
            DepthwiseShape { padding, ..s }
        })
        .prop_filter("the kernel fits", |s| {
            s.out_height() > 0 && s.out_width() > 0
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_passes_agree_with_the_definition_for_any_kernel_stride_padding_and_dilation(
        seed: u64, s in any_shape(),
    ) {
        check(seed, &s);
    }
}

#[test]
fn sizes_of_mobilenet_agree_with_the_definition() {
    for s in [
        shape([1, 28, 29, 32], [3, 1, 1, 1]),
        shape([2, 28, 27, 96], [3, 2, 1, 1]),
        shape([3, 14, 14, 144], [3, 1, 1, 1]),
        shape([9, 1, 1, 960], [3, 1, 1, 1]),
        shape([5, 7, 7, 72], [7, 1, 3, 1]),
        shape([1, 7, 7, 40], [7, 1, 3, 1]),
        shape([6, 14, 14, 24], [5, 2, 2, 1]),
        shape([1, 56, 56, 17], [7, 1, 3, 1]),
        // Rows of one image in several regions, the last of them few.
        shape([1, 33, 20, 9], [7, 1, 3, 1]),
        shape([1, 29, 40, 9], [5, 2, 4, 2]),
        shape([9, 6, 5, 33], [5, 1, 2, 1]),
        shape([2, 2, 2, 576], [3, 2, 1, 1]),
    ] {
        check(1, &s);
    }
}

#[test]
fn results_are_bit_equal_for_any_number_of_threads_and_on_every_run() {
    for s in [
        shape([3, 31, 30, 40], [3, 1, 1, 1]),
        shape([2, 45, 44, 37], [5, 2, 2, 2]),
    ] {
        let [x, w, dy] = tensors(3, &s);
        same_on_any_threads(|isa| run(isa, &s, &x, &w, &dy).to_vec());
        let (once, again) = (
            run(Isa::detect(), &s, &x, &w, &dy),
            run(Isa::detect(), &s, &x, &w, &dy),
        );
        assert!(once == again);
    }
}

#[test]
fn nan_and_infinity_reach_every_value_that_reads_them_and_no_other() {
    let s = shape([2, 7, 9, 35], [3, 1, 1, 1]);
    let [mut x, mut w, mut dy] = tensors(5, &s);
    x[35 * 13 + 2] = f32::NAN;
    x[35 * 70 + 34] = f32::INFINITY;
    // A corner tap: pixels at the border never see it.
    w[9 * 20] = f32::INFINITY;
    dy[35 * 57 + 33] = f32::NEG_INFINITY;
    dy[3] = f32::NAN;
    let expected = reference(&s, &x, &w, &dy);
    for isa in ISAS {
        for (found, expected) in run(isa, &s, &x, &w, &dy).iter().zip(&expected) {
            close(&format!("{isa:?}"), found, expected, 2e-6);
            assert!(expected.iter().any(|v| v.is_nan()));
            assert!(expected.iter().any(|v| v.is_infinite()));
        }
    }
}

#[test]
fn the_epilogue_scales_shifts_adds_and_clips() {
    let s = shape([2, 6, 5, 41], [3, 2, 1, 1]);
    let [x, w, residual] = tensors(9, &s);
    let mut random = Random(10);
    let (scale, shift) = (random.values(41), random.values(41));
    let [plain, ..] = reference(&s, &x, &w, &residual);
    let epilogue = Epilogue {
        scale: Some(&scale),
        shift: Some(&shift),
        residual: Some(&residual),
        activation: Some(Activation::Relu),
    };
    let expected = plain.iter().enumerate().map(|(i, y)| {
        let (scale, shift) = (f64::from(scale[i % 41]), f64::from(shift[i % 41]));
        (y * scale + shift + f64::from(residual[i])).max(0.0)
    });
    let expected: Vec<f64> = expected.collect();
    for isa in ISAS {
        let mut y = vec![7.0; s.output_len()];
        depthwise(isa, &s, &x, &w, &epilogue, &mut y).unwrap();
        close("y", &y, &expected, 2e-6);
    }
}

#[test]
fn empty_sizes_give_empty_or_zero_results() {
    for s in [
        shape([0, 5, 5, 3], [3, 1, 1, 1]),
        shape([2, 5, 5, 0], [3, 1, 1, 1]),
        shape([2, 0, 5, 3], [3, 1, 2, 1]),
        // The middle output sees nothing but padding.
        shape([1, 1, 1, 3], [1, 1, 1, 1]),
    ] {
        check(1, &s);
    }
}

#[test]
fn sizes_that_do_not_fit_are_errors_that_name_the_argument() {
    let s = shape([1, 4, 4, 2], [3, 1, 1, 1]);
    let [x, w, mut y] = tensors(1, &s);
    let isa = Isa::detect();
    let mut refuse = |s: &DepthwiseShape, x: &[f32], w: &[f32], epilogue: &Epilogue<'_>| {
        depthwise(isa, s, x, w, epilogue, &mut y).unwrap_err()
    };
    let none = Epilogue::default();
    let length = |field, expected, found| ShapeError::Length {
        field,
        expected,
        found,
    };
    assert_eq!(refuse(&s, &x[1..], &w, &none), length("x", 32, 31));
    assert_eq!(refuse(&s, &x, &w[1..], &none), length("w", 18, 17));
    let short = Epilogue {
        residual: Some(&[0.0]),
        ..none
    };
    assert_eq!(refuse(&s, &x, &w, &short), length("residual", 32, 1));
    for (changed, field) in [
        (DepthwiseShape { kernel: 0, ..s }, "kernel"),
        (DepthwiseShape { stride: 0, ..s }, "stride"),
        (DepthwiseShape { dilation: 0, ..s }, "dilation"),
    ] {
        assert_eq!(refuse(&changed, &x, &w, &none), ShapeError::Zero { field });
    }
    assert_eq!(
        refuse(&DepthwiseShape { dilation: 3, ..s }, &x, &w, &none),
        ShapeError::KernelTooLarge {
            field: "height",
            kernel: 7,
            padded: 6
        }
    );
    let huge = DepthwiseShape {
        padding: (usize::MAX / 2).into(),
        ..s
    };
    assert_eq!(refuse(&huge, &x, &w, &none), ShapeError::TooLarge);
    let (dy, mut short) = (vec![0.0; 32], [0.0]);
    assert_eq!(
        depthwise_backward_input(isa, &s, &dy, &w, &mut short).unwrap_err(),
        length("dx", 32, 1)
    );
    assert_eq!(
        depthwise_backward_weight(isa, &s, &x, &dy, &mut short).unwrap_err(),
        length("dw", 18, 1)
    );
}
