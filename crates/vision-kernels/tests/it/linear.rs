//! Fully connected layers against their definition in `f64`, and as operations against Burn's own.

use proptest::prelude::*;
use vision_kernels::Isa;
use vision_kernels::linear::Linear;

use crate::support::{ISAS, Random, close, same_on_any_threads, wide};

/// `a · b` for `[rows, inner]` and `[inner, columns]`, given as functions of row and column.
fn product(
    [rows, inner, columns]: [usize; 3],
    a: impl Fn(usize, usize) -> f64,
    b: impl Fn(usize, usize) -> f64,
) -> Vec<f64> {
    let at = |i: usize| {
        (0..inner)
            .map(|k| a(i / columns, k) * b(k, i % columns))
            .sum()
    };
    (0..rows * columns).map(at).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    // More and fewer outputs than items; one of each; more than a panel, and more than a block of
    // pixels.
    #[test]
    fn a_layer_and_its_gradients_are_the_products_of_the_definition(
        seed: u64, batch in 1_usize..80, inputs in 1_usize..130, outputs in 1_usize..130,
    ) {
        let mut random = Random(seed);
        let layer = Linear { batch, inputs, outputs };
        let x = random.values(batch * inputs);
        let w = random.values(outputs * inputs);
        let bias = random.values(outputs);
        let dy = random.values(batch * outputs);
        let read = |matrix: &[f32], columns: usize| {
            let matrix = wide(matrix);
            move |row: usize, column: usize| matrix[row * columns + column]
        };
        let (x_at, w_at, dy_at) = (read(&x, inputs), read(&w, inputs), read(&dy, outputs));
        let y = product([batch, inputs, outputs], &x_at, |k, o| w_at(o, k));
        let with: Vec<f64> = y.iter().enumerate().map(|(i, y)| y + f64::from(bias[i % outputs])).collect();
        let dx = product([batch, outputs, inputs], &dy_at, &w_at);
        let dw = product([outputs, batch, inputs], |o, n| dy_at(n, o), &x_at);
        for isa in ISAS {
            let mut found = vec![7.0; y.len()];
            layer.forward(isa, &x, &w, None, &mut found).unwrap();
            close("y", &found, &y, 2e-6);
            layer.forward(isa, &x, &w, Some(&bias), &mut found).unwrap();
            close("y with a bias", &found, &with, 2e-6);
            let mut found = vec![7.0; x.len()];
            layer.backward_input(isa, &dy, &w, &mut found).unwrap();
            close("dx", &found, &dx, 2e-6);
            let mut found = vec![7.0; w.len()];
            layer.backward_weight(isa, &x, &dy, &mut found).unwrap();
            close("dw", &found, &dw, 2e-6);
        }
    }
}

#[test]
fn nothing_depends_on_threads() {
    for (batch, inputs, outputs) in [(64, 1024, 512), (64, 512, 2), (300, 700, 130)] {
        let layer = Linear {
            batch,
            inputs,
            outputs,
        };
        let mut random = Random(5);
        let (x, w) = (
            random.values(batch * inputs),
            random.values(outputs * inputs),
        );
        let dy = random.values(batch * outputs);
        same_on_any_threads(|isa| {
            let [mut y, mut dx, mut dw] = [&dy, &x, &w].map(|like| vec![0.0; like.len()]);
            layer.forward(isa, &x, &w, None, &mut y).unwrap();
            layer.backward_input(isa, &dy, &w, &mut dx).unwrap();
            layer.backward_weight(isa, &x, &dy, &mut dw).unwrap();
            vec![y, dx, dw]
        });
    }
}

#[test]
fn what_is_not_a_number_stays_in_its_row_and_column() {
    for (batch, outputs) in [(3, 5), (5, 3)] {
        let layer = Linear {
            batch,
            inputs: 4,
            outputs,
        };
        let mut x = vec![1.0; batch * 4];
        x[4] = f32::NAN;
        let mut w = vec![1.0; outputs * 4];
        w[2 * 4 + 1] = f32::INFINITY;
        let mut y = vec![0.0; batch * outputs];
        layer.forward(Isa::detect(), &x, &w, None, &mut y).unwrap();
        for (i, y) in y.iter().enumerate() {
            let (row, column) = (i / outputs, i % outputs);
            match (row, column) {
                (1, _) => assert!(y.is_nan()),
                (_, 2) => assert_eq!(*y, f32::INFINITY),
                _ => assert_eq!(*y, 4.0),
            }
        }
    }
}

#[test]
fn wrong_lengths_are_errors_that_name_the_argument() {
    let layer = Linear {
        batch: 2,
        inputs: 3,
        outputs: 4,
    };
    let isa = Isa::detect();
    let (x, w, y) = ([0.0; 6], [0.0; 12], [0.0; 8]);
    let (mut dx, mut dw, mut out) = (x, w, y);
    let name = |result: Result<(), vision_kernels::ShapeError>| result.unwrap_err().argument();
    assert_eq!(name(layer.forward(isa, &x, &w[1..], None, &mut out)), "w");
    assert_eq!(name(layer.forward(isa, &x, &w, None, &mut out[1..])), "y");
    assert_eq!(name(layer.forward(isa, &x, &w, Some(&x), &mut out)), "bias");
    assert_eq!(name(layer.forward(isa, &x[1..], &w, None, &mut out)), "x");
    assert_eq!(name(layer.backward_input(isa, &y[1..], &w, &mut dx)), "dy");
    assert_eq!(name(layer.backward_input(isa, &y, &w, &mut dx[1..])), "dx");
    assert_eq!(name(layer.backward_weight(isa, &x[1..], &y, &mut dw)), "x");
    assert_eq!(name(layer.backward_weight(isa, &x, &y, &mut dw[1..])), "dw");
}

#[cfg(feature = "flex")]
#[test]
fn as_an_operation_it_is_burns_with_and_without_gradients() {
    use burn::tensor::module::linear;
    use burn::tensor::{Device, Tensor, TensorData};
    use vision_kernels::ops;

    let values = |tensor: Tensor<2>| tensor.into_data().try_to_vec::<f32>().unwrap();
    for (batch, outputs) in [(5, 9), (9, 5)] {
        for device in [Device::flex(), Device::flex().autodiff()] {
            let grad = device.is_autodiff();
            let mut random = Random(3);
            let mut tensor = |shape: [usize; 2]| {
                let data = TensorData::new(random.values(shape[0] * shape[1]), shape);
                let tensor = Tensor::<2>::from_data(data, &device);
                if grad { tensor.require_grad() } else { tensor }
            };
            let (x, w, b) = (
                tensor([batch, 7]),
                tensor([outputs, 7]),
                tensor([1, outputs]),
            );
            // Created twice: computing gradients consumes a graph.
            let bias = || b.clone().reshape([outputs]);
            let ours = ops::linear(x.clone(), w.clone(), Some(bias()));
            let burns = linear(x.clone(), w.clone().transpose(), Some(bias()));
            close(
                "y",
                &values(ours.clone()),
                &wide(&values(burns.clone())),
                2e-6,
            );
            if !grad {
                continue;
            }
            let weights = tensor([batch, outputs]).detach();
            let ours = (ours * weights.clone()).sum().backward();
            let burns = (burns * weights).sum().backward();
            for (name, input) in [("dx", &x), ("dw", &w), ("db", &b)] {
                let [ours, burns] = [&ours, &burns].map(|g| values(input.grad(g).unwrap()));
                close(name, &ours, &wide(&burns), 2e-6);
            }
            // A frozen weight gets no gradient, and the input still does.
            let y = ops::linear(x.clone(), w.clone().detach(), None);
            let grads = y.sum().backward();
            assert!(x.grad(&grads).is_some() && w.grad(&grads).is_none());
        }
    }
}
