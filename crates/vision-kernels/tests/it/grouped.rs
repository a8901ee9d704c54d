//! Convolution in groups against its definition in `f64`.

use proptest::prelude::*;
use vision_kernels::activation::Activation;
use vision_kernels::conv::{ConvShape, Epilogue};
use vision_kernels::grouped::{
    GroupedShape, grouped, grouped_backward_input, grouped_backward_weight,
};
use vision_kernels::{Isa, Padding, ShapeError};

use crate::support::convolution::products;
use crate::support::{ISAS, Random, close, same_on_any_threads};

fn shape(
    [batch, height, width]: [usize; 3],
    [groups, inputs, outputs]: [usize; 3],
    [kernel, stride, padding]: [usize; 3],
) -> GroupedShape {
    GroupedShape {
        conv: ConvShape {
            batch,
            height,
            width,
            in_channels: groups * inputs,
            out_channels: groups * outputs,
            kernel,
            stride,
            padding: padding.into(),
        },
        groups,
    }
}

/// Calls `visit` with the indices of each product: input, weight, output.
fn visit(s: &GroupedShape, mut visit: impl FnMut(usize, usize, usize)) {
    let (all, taps) = (&s.conv, s.conv.kernel * s.conv.kernel);
    let [inputs, outputs] = [all.in_channels / s.groups, all.out_channels / s.groups];
    // The definition with one channel, for each channel.
    let single = ConvShape {
        in_channels: 1,
        out_channels: 1,
        ..*all
    };
    products(&single, |input, tap, output| {
        for group in 0..s.groups {
            for o in 0..outputs {
                for i in 0..inputs {
                    visit(
                        input * all.in_channels + group * inputs + i,
                        ((group * outputs + o) * inputs + i) * taps + tap,
                        output * all.out_channels + group * outputs + o,
                    );
                }
            }
        }
    });
}

fn reference(s: &GroupedShape, x: &[f32], w: &[f32], dy: &[f32]) -> [Vec<f64>; 3] {
    let mut y = vec![0.0; dy.len()];
    let (mut dx, mut dw) = (vec![0.0; x.len()], vec![0.0; w.len()]);
    visit(s, |i, k, o| {
        y[o] += f64::from(x[i]) * f64::from(w[k]);
        dx[i] += f64::from(dy[o]) * f64::from(w[k]);
        dw[k] += f64::from(x[i]) * f64::from(dy[o]);
    });
    [y, dx, dw]
}

fn run(isa: Isa, s: &GroupedShape, x: &[f32], w: &[f32], dy: &[f32]) -> [Vec<f32>; 3] {
    let mut y = vec![7.0; dy.len()];
    let (mut dx, mut dw) = (vec![7.0; x.len()], vec![7.0; w.len()]);
    grouped(isa, s, x, w, &Epilogue::default(), &mut y).unwrap();
    grouped_backward_input(isa, s, dy, w, &mut dx).unwrap();
    grouped_backward_weight(isa, s, x, dy, &mut dw).unwrap();
    [y, dx, dw]
}

fn tensors(seed: u64, s: &GroupedShape) -> [Vec<f32>; 3] {
    let mut random = Random(seed);
    [s.conv.input_len(), s.weight_len(), s.conv.output_len()].map(|len| random.values(len))
}

fn check(seed: u64, s: &GroupedShape) {
    let [x, w, dy] = tensors(seed, s);
    let expected = reference(s, &x, &w, &dy);
    for isa in ISAS {
        let found = run(isa, s, &x, &w, &dy);
        for (pass, what) in ["y", "dx", "dw"].into_iter().enumerate() {
            let what = format!("{what} of {s:?}, {isa:?}");
            close(&what, &found[pass], &expected[pass], 2e-6);
        }
    }
}

fn any_shape() -> impl Strategy<Value = GroupedShape> {
    let pixels = [1..4usize, 1..14, 1..14];
    let groups = [1..6usize, 1..28, 1..28];
    let kernel = [1..6usize, 1..4, 0..4];
    let sides = proptest::option::of([0..4usize, 0..4, 0..4, 0..4]);
    (pixels, groups, kernel, sides)
        .prop_map(|(pixels, groups, kernel, sides)| {
            let mut s = shape(pixels, groups, kernel);
            if let Some([top, bottom, left, right]) = sides {
                s.conv.padding = Padding {
                    rows: [top, bottom],
                    columns: [left, right],
                };
            }
            s
        })
        .prop_filter("the kernel fits", |s| {
            s.conv.out_height() > 0 && s.conv.out_width() > 0
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_passes_agree_with_the_definition_for_any_groups_kernel_stride_and_padding(
        seed: u64, s in any_shape(),
    ) {
        check(seed, &s);
    }
}

#[test]
fn sizes_of_regnet_and_resnext_agree_with_the_definition() {
    for s in [
        shape([2, 28, 28], [8, 8, 8], [3, 2, 1]),
        shape([1, 14, 15], [6, 24, 24], [3, 1, 1]),
        shape([3, 7, 7], [3, 40, 40], [3, 1, 1]),
        shape([2, 7, 7], [2, 56, 56], [3, 2, 1]),
        shape([1, 30, 29], [32, 4, 4], [3, 1, 1]),
        shape([2, 9, 9], [4, 16, 32], [1, 1, 0]),
        shape([1, 300, 3], [2, 4, 8], [3, 1, 1]),
    ] {
        check(1, &s);
    }
}

#[test]
fn results_are_bit_equal_for_any_number_of_threads_and_on_every_run() {
    let s = shape([3, 29, 30], [5, 12, 24], [3, 1, 1]);
    let [x, w, dy] = tensors(3, &s);
    same_on_any_threads(|isa| run(isa, &s, &x, &w, &dy).to_vec());
    let isa = Isa::detect();
    assert!(run(isa, &s, &x, &w, &dy) == run(isa, &s, &x, &w, &dy));
}

#[test]
fn nan_and_infinity_reach_every_value_that_reads_them_and_no_other() {
    let s = shape([2, 7, 9], [3, 5, 6], [3, 1, 1]);
    let [mut x, mut w, mut dy] = tensors(5, &s);
    x[15 * 13 + 2] = f32::NAN;
    x[15 * 70 + 14] = f32::INFINITY;
    // A corner tap: pixels at the border never see it.
    w[9 * 20] = f32::INFINITY;
    dy[18 * 57 + 3] = f32::NEG_INFINITY;
    dy[3] = f32::NAN;
    let expected = reference(&s, &x, &w, &dy);
    for isa in ISAS {
        for (found, expected) in run(isa, &s, &x, &w, &dy).iter().zip(&expected) {
            close(&format!("{isa:?}"), found, expected, 2e-6);
            assert!(expected.iter().any(|v| v.is_nan()));
            assert!(expected.iter().any(|v| v.is_finite()));
        }
    }
}

#[test]
fn the_epilogue_scales_shifts_adds_and_clips() {
    let s = shape([2, 6, 5], [3, 4, 7], [3, 2, 1]);
    let [x, w, residual] = tensors(9, &s);
    let mut random = Random(10);
    let (scale, shift) = (random.values(21), random.values(21));
    let [plain, ..] = reference(&s, &x, &w, &residual);
    let epilogue = Epilogue {
        scale: Some(&scale),
        shift: Some(&shift),
        residual: Some(&residual),
        activation: Some(Activation::Relu),
    };
    let expected = plain.iter().enumerate().map(|(i, y)| {
        let (scale, shift) = (f64::from(scale[i % 21]), f64::from(shift[i % 21]));
        (y * scale + shift + f64::from(residual[i])).max(0.0)
    });
    let expected: Vec<f64> = expected.collect();
    for isa in ISAS {
        let mut y = vec![7.0; plain.len()];
        grouped(isa, &s, &x, &w, &epilogue, &mut y).unwrap();
        close("y", &y, &expected, 2e-6);
    }
}

#[test]
fn empty_sizes_give_empty_or_zero_results() {
    for s in [
        shape([0, 5, 5], [2, 3, 4], [3, 1, 1]),
        shape([2, 5, 5], [2, 0, 4], [3, 1, 1]),
        shape([2, 5, 5], [2, 3, 0], [3, 1, 1]),
        shape([2, 0, 5], [2, 3, 4], [3, 1, 2]),
        // The middle output sees nothing but padding.
        shape([1, 1, 1], [2, 3, 4], [1, 1, 1]),
    ] {
        check(1, &s);
    }
    // The only output sees nothing but padding.
    let mut blind = shape([1, 1, 1], [2, 24, 3], [1, 3, 0]);
    blind.conv.padding.columns = [1, 0];
    check(1, &blind);
}

#[test]
fn sizes_that_do_not_fit_are_errors_that_name_the_argument() {
    let s = shape([1, 4, 4], [2, 1, 1], [3, 1, 1]);
    let [x, w, mut y] = tensors(1, &s);
    let isa = Isa::detect();
    let mut refuse = |s: &GroupedShape, x: &[f32], w: &[f32]| {
        grouped(isa, s, x, w, &Epilogue::default(), &mut y).unwrap_err()
    };
    assert_eq!(refuse(&s, &x[1..], &w).argument(), "x");
    assert_eq!(refuse(&s, &x, &w[1..]).argument(), "w");
    assert_eq!(
        refuse(&GroupedShape { groups: 0, ..s }, &x, &w),
        ShapeError::Zero { field: "groups" }
    );
    assert_eq!(
        refuse(&GroupedShape { groups: 3, ..s }, &x, &w).to_string(),
        "`in_channels` is 2, which is not a multiple of the 3 groups"
    );
    let mut short = [0.0];
    let found = grouped_backward_input(isa, &s, &[0.0; 32], &w, &mut short);
    assert_eq!(found.unwrap_err().argument(), "dx");
    let found = grouped_backward_weight(isa, &s, &x, &[0.0; 32], &mut short);
    assert_eq!(found.unwrap_err().argument(), "dw");
}
