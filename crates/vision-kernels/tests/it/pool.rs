//! Pooling against plain loops.

use proptest::prelude::*;
use vision_kernels::global_pool::{
    concat_pool, concat_pool_backward, mean_pool, mean_pool_backward,
};
use vision_kernels::pool::{
    Activations, MaxPool, MeanPool, max_pool, max_pool_backward, mean_windows,
    mean_windows_backward,
};
use vision_kernels::{Isa, ShapeError};

use crate::support::{ISAS, Random, close, same_on_any_threads};

/// `[batch, height, width, channels]`.
fn shape([batch, height, width, channels]: [usize; 4]) -> Activations {
    Activations {
        batch,
        height,
        width,
        channels,
    }
}

/// Output, position in the window, and gradient, by the definition: for each window, for each
/// pixel.
fn reference(
    pool: &MaxPool,
    input: &Activations,
    x: &[f32],
    dy: &[f32],
) -> (Vec<f32>, Vec<u8>, Vec<f64>) {
    let output = pool.output(input).unwrap();
    let (mut y, mut argmax, mut dx) = (Vec::new(), Vec::new(), vec![0.0; x.len()]);
    for image in 0..output.batch {
        for row in 0..output.height {
            for column in 0..output.width {
                for c in 0..output.channels {
                    let mut best: Option<(f32, usize, usize)> = None;
                    for i in 0..pool.kernel[0] {
                        for j in 0..pool.kernel[1] {
                            let at = row * pool.stride[0] + i;
                            let Some(at) = at
                                .checked_sub(pool.padding[0])
                                .filter(|&at| at < input.height)
                            else {
                                continue;
                            };
                            let beside = column * pool.stride[1] + j;
                            let Some(beside) = beside
                                .checked_sub(pool.padding[1])
                                .filter(|&b| b < input.width)
                            else {
                                continue;
                            };
                            let pixel = (image * input.height + at) * input.width + beside;
                            let index = pixel * input.channels + c;
                            let value = x[index];
                            if best.is_none_or(|(best, ..)| value > best || value.is_nan()) {
                                best = Some((value, i * pool.kernel[1] + j, index));
                            }
                        }
                    }
                    let (value, place, index) = best.expect("a window sees something");
                    dx[index] += f64::from(dy[y.len()]);
                    y.push(value);
                    argmax.push(place as u8);
                }
            }
        }
    }
    (y, argmax, dx)
}

fn pools() -> impl Strategy<Value = MaxPool> {
    (
        [1_usize..5, 1..5],
        [1_usize..4, 1..4],
        [0_usize..3, 0..3],
        any::<bool>(),
    )
        .prop_map(|(kernel, stride, padding, ceil_mode)| MaxPool {
            kernel,
            stride,
            padding: [padding[0].min(kernel[0] / 2), padding[1].min(kernel[1] / 2)],
            ceil_mode,
        })
}

fn bits(values: &[f32]) -> Vec<u32> {
    // All NaN are equal.
    let plain = |v: &f32| if v.is_nan() { f32::NAN } else { *v };
    values.iter().map(|v| plain(v).to_bits()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn max_pooling_is_what_plain_loops_give_with_ties_and_nan(
        seed: u64, pool in pools(), size in [1_usize..4, 4..9, 4..9, 1..70],
    ) {
        let input = shape(size);
        let output = pool.output(&input).unwrap();
        let mut random = Random(seed);
        let (x, dy) = (random.odd_values(input.elements()), random.values(output.elements()));
        let (y, argmax, dx) = reference(&pool, &input, &x, &dy);
        for isa in ISAS {
            let mut found = (vec![7.0; y.len()], vec![7; y.len()], vec![7.0; x.len()]);
            max_pool(isa, &pool, &input, &x, &mut found.0, Some(&mut found.1)).unwrap();
            prop_assert_eq!(bits(&found.0), bits(&y));
            prop_assert_eq!(&found.1, &argmax);
            max_pool_backward(isa, &pool, &input, &dy, &argmax, &mut found.2).unwrap();
            close("dx", &found.2, &dx, 1e-6);
            let mut alone = vec![7.0; y.len()];
            max_pool(isa, &pool, &input, &x, &mut alone, None).unwrap();
            prop_assert_eq!(bits(&alone), bits(&y));
        }
    }

    #[test]
    fn pooling_all_pixels_is_max_pooling_beside_the_mean(
        seed: u64, size in [1_usize..5, 1..7, 1..7, 1..70],
    ) {
        let input = shape(size);
        let [batch, height, width, channels] = size;
        let pixels = height * width;
        let mut random = Random(seed);
        let (x, dy) = (random.odd_values(input.elements()), random.values(batch * 2 * channels));
        let window = MaxPool {
            kernel: [height, width], stride: [1, 1], padding: [0, 0], ceil_mode: false,
        };
        let (mut dgreatest, mut dmeans) = (Vec::new(), Vec::new());
        for dy in dy.chunks(2 * channels) {
            dgreatest.extend_from_slice(&dy[..channels]);
            dmeans.extend_from_slice(&dy[channels..]);
        }
        let (greatest, places, mut dx) = reference(&window, &input, &x, &dgreatest);
        let means: Vec<f64> = (0..batch * channels).map(|i| {
            let (image, c) = (i / channels, i % channels);
            let values = (0..pixels).map(|p| f64::from(x[(image * pixels + p) * channels + c]));
            values.sum::<f64>() / pixels as f64
        }).collect();
        let dx_mean: Vec<f64> = (0..x.len()).map(|i| {
            f64::from(dmeans[i / channels / pixels * channels + i % channels]) / pixels as f64
        }).collect();
        for isa in ISAS {
            let (mut y, mut argmax) = (vec![7.0; dy.len()], vec![7; batch * channels]);
            concat_pool(isa, &input, &x, &mut y, &mut argmax).unwrap();
            for (image, y) in y.chunks(2 * channels).enumerate() {
                let here = image * channels..(image + 1) * channels;
                prop_assert_eq!(bits(&y[..channels]), bits(&greatest[here.clone()]));
                close("mean", &y[channels..], &means[here], 1e-6);
            }
            let found: Vec<u8> = argmax.iter().map(|&place| place as u8).collect();
            prop_assert_eq!(&found, &places);
            let (mut y, mut dx_found) = (vec![7.0; batch * channels], vec![7.0; x.len()]);
            mean_pool(isa, &input, &x, &mut y).unwrap();
            close("mean", &y, &means, 1e-6);
            mean_pool_backward(isa, &input, &dmeans, &mut dx_found).unwrap();
            close("dx of the mean", &dx_found, &dx_mean, 1e-6);
        }
        for (dx, mean) in dx.iter_mut().zip(&dx_mean) {
            *dx += mean;
        }
        let argmax: Vec<u32> = places.iter().map(|&place| place.into()).collect();
        for isa in ISAS {
            let mut found = vec![7.0; x.len()];
            concat_pool_backward(isa, &input, &dy, &argmax, &mut found).unwrap();
            close("dx", &found, &dx, 1e-6);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn means_of_windows_are_what_plain_loops_give(
        seed: u64, side in 1_usize..4, ceil_mode: bool, size in [1_usize..4, 3..9, 3..9, 1..70],
    ) {
        let (pool, input) = (MeanPool { size: side, ceil_mode }, shape(size));
        let output = pool.output(&input).unwrap();
        let mut random = Random(seed);
        let (x, dy) = (random.odd_values(input.elements()), random.values(output.elements()));
        let (mut sum, mut count) = (vec![0.0; dy.len()], vec![0.0; dy.len()]);
        let window = |i: usize| {
            let (pixel, c) = (i / input.channels, i % input.channels);
            let (row, column) = (pixel / input.width % input.height, pixel % input.width);
            let (row, column) = (row / side, column / side);
            let image = pixel / input.width / input.height;
            let inside = row < output.height && column < output.width;
            inside.then(|| ((image * output.height + row) * output.width + column) * input.channels + c)
        };
        for (i, x) in x.iter().enumerate() {
            if let Some(window) = window(i) {
                sum[window] += f64::from(*x);
                count[window] += 1.0;
            }
        }
        let y: Vec<f64> = sum.iter().zip(&count).map(|(sum, count)| sum / count).collect();
        let dx = (0..x.len()).map(|i| window(i).map_or(0.0, |w| f64::from(dy[w]) / count[w]));
        let dx: Vec<f64> = dx.collect();
        for isa in ISAS {
            let (mut y_found, mut dx_found) = (vec![7.0; y.len()], vec![7.0; x.len()]);
            mean_windows(isa, &pool, &input, &x, &mut y_found).unwrap();
            close("y", &y_found, &y, 1e-6);
            mean_windows_backward(isa, &pool, &input, &dy, &mut dx_found).unwrap();
            close("dx", &dx_found, &dx, 1e-6);
        }
    }
}

#[test]
fn pooling_does_not_depend_on_threads() {
    let input = shape([3, 21, 23, 40]);
    let pool = MaxPool {
        kernel: [3, 3],
        stride: [2, 2],
        padding: [1, 1],
        ceil_mode: false,
    };
    let mut random = Random(1);
    let len = pool.output(&input).unwrap().elements();
    let (x, dy) = (random.odd_values(input.elements()), random.values(len));
    let dconcat = random.values(3 * 80);
    let mean_pool = MeanPool {
        size: 2,
        ceil_mode: true,
    };
    let windows = mean_pool.output(&input).unwrap();
    same_on_any_threads(|isa| {
        let (mut y, mut argmax, mut dx) = (vec![0.0; len], vec![0; len], vec![0.0; x.len()]);
        max_pool(isa, &pool, &input, &x, &mut y, Some(&mut argmax)).unwrap();
        max_pool_backward(isa, &pool, &input, &dy, &argmax, &mut dx).unwrap();
        let (mut concat, mut place, mut dx2) = (vec![0.0; 240], vec![0; 120], vec![0.0; x.len()]);
        concat_pool(isa, &input, &x, &mut concat, &mut place).unwrap();
        concat_pool_backward(isa, &input, &dconcat, &place, &mut dx2).unwrap();
        let (mut mean, mut dx3) = (vec![0.0; windows.elements()], vec![0.0; x.len()]);
        mean_windows(isa, &mean_pool, &input, &x, &mut mean).unwrap();
        mean_windows_backward(isa, &mean_pool, &input, &mean, &mut dx3).unwrap();
        vec![y, dx, concat, dx2, mean, dx3]
    });
}

#[test]
fn impossible_pools_and_wrong_lengths_are_errors_that_name_the_argument() {
    let good = MaxPool {
        kernel: [3, 3],
        stride: [2, 2],
        padding: [1, 1],
        ceil_mode: false,
    };
    let input = shape([1, 5, 5, 2]);
    let refused = |pool: MaxPool, input| {
        pool.output(&input)
            .map(|_| "")
            .unwrap_or_else(|e| e.argument())
    };
    assert_eq!(refused(good, input), "");
    assert_eq!(
        refused(
            MaxPool {
                kernel: [0, 3],
                ..good
            },
            input
        ),
        "kernel"
    );
    assert_eq!(
        refused(
            MaxPool {
                kernel: [16, 17],
                ..good
            },
            input
        ),
        "kernel"
    );
    assert_eq!(
        refused(
            MaxPool {
                stride: [2, 0],
                ..good
            },
            input
        ),
        "stride"
    );
    assert_eq!(
        refused(
            MaxPool {
                padding: [2, 0],
                ..good
            },
            input
        ),
        "padding"
    );
    assert_eq!(
        refused(
            MaxPool {
                kernel: [8, 1],
                padding: [1, 0],
                ..good
            },
            input
        ),
        "x"
    );
    assert_eq!(refused(good, shape([1, 0, 5, 2])), "x");

    let isa = Isa::detect();
    let (x, mut y, mut argmax, mut dx) = (vec![0.0; 50], vec![0.0; 18], vec![0; 18], vec![0.0; 50]);
    let error = max_pool(isa, &good, &input, &x[1..], &mut y, None).unwrap_err();
    assert_eq!(
        error,
        ShapeError::Length {
            field: "x",
            expected: 50,
            found: 49
        }
    );
    let error = max_pool(isa, &good, &input, &x, &mut y, Some(&mut argmax[1..])).unwrap_err();
    assert_eq!(
        error,
        ShapeError::Length {
            field: "argmax",
            expected: 18,
            found: 17
        }
    );
    let error = max_pool_backward(isa, &good, &input, &y[2..], &argmax, &mut dx).unwrap_err();
    assert_eq!(
        error,
        ShapeError::Length {
            field: "dy",
            expected: 18,
            found: 16
        }
    );
    let error = mean_pool(isa, &shape([2, 0, 3, 4]), &[], &mut y[..8]).unwrap_err();
    assert_eq!(error.argument(), "x");
    let error = concat_pool(isa, &input, &x, &mut y, &mut [0; 2]).unwrap_err();
    assert_eq!(
        error,
        ShapeError::Length {
            field: "y",
            expected: 4,
            found: 18
        }
    );
    let two = |ceil_mode| MeanPool { size: 2, ceil_mode };
    let error = mean_windows(isa, &two(false), &shape([1, 5, 1, 2]), &[], &mut []).unwrap_err();
    assert_eq!(
        error,
        ShapeError::Length {
            field: "x",
            expected: 2,
            found: 1
        }
    );
    let error = mean_windows(isa, &two(true), &shape([1, 5, 0, 2]), &[], &mut []).unwrap_err();
    assert_eq!(error.argument(), "x");
    let none = MeanPool {
        size: 0,
        ceil_mode: true,
    };
    let error = mean_windows_backward(isa, &none, &input, &y, &mut dx).unwrap_err();
    assert_eq!(error, ShapeError::Zero { field: "size" });
    let error = mean_windows_backward(isa, &two(true), &input, &y[1..], &mut dx).unwrap_err();
    assert_eq!(
        error,
        ShapeError::Length {
            field: "dy",
            expected: 18,
            found: 17
        }
    );
    // Empty work is not an error, and neither is a position in no window.
    max_pool(isa, &good, &shape([0, 5, 5, 2]), &[], &mut [], None).unwrap();
    mean_pool(isa, &shape([0, 5, 5, 2]), &[], &mut []).unwrap();
    concat_pool_backward(isa, &input, &y[..4], &[25, u32::MAX], &mut dx).unwrap();
    max_pool_backward(isa, &good, &input, &y, &[255; 18], &mut dx).unwrap();
}
