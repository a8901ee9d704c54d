//! ReLU and Adam against their definitions in `f64`.

use proptest::prelude::*;
use vision_kernels::activation::{add_relu, relu, relu_backward, relu6, relu6_backward};
use vision_kernels::adam::Adam;
use vision_kernels::{Isa, ShapeError, average};

use crate::support::{ISAS, Random, close, same_on_any_threads, wide};

/// Three steps by the definition.
fn steps(adam: &Adam, p: &mut [f64], gradients: &[Vec<f32>; 3]) {
    let (mut m, mut v) = (vec![0.0; p.len()], vec![0.0; p.len()]);
    for (t, g) in (1..).zip(gradients) {
        for i in 0..p.len() {
            let g = f64::from(g[i]);
            p[i] *= 1.0 - adam.lr * adam.weight_decay;
            m[i] = adam.beta1 * m[i] + (1.0 - adam.beta1) * g;
            v[i] = adam.beta2 * v[i] + (1.0 - adam.beta2) * g * g;
            let m = m[i] / (1.0 - adam.beta1.powi(t));
            let v: f64 = v[i] / (1.0 - adam.beta2.powi(t));
            p[i] -= adam.lr * m / (v.sqrt() + adam.eps);
        }
    }
}

const ADAM: Adam = Adam {
    lr: 1e-2,
    beta1: 0.9,
    beta2: 0.99,
    eps: 1e-5,
    weight_decay: 0.1,
    step: 1,
};

fn three_steps(isa: Isa, p: &[f32], gradients: &[Vec<f32>; 3]) -> [Vec<f32>; 3] {
    let (mut p, mut m, mut v) = (p.to_vec(), vec![0.0; p.len()], vec![0.0; p.len()]);
    for (step, g) in (1..).zip(gradients) {
        Adam { step, ..ADAM }
            .step(isa, &mut p, g, &mut m, &mut v)
            .unwrap();
    }
    [p, m, v]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn relu_and_its_gradient_are_what_the_definition_says(seed: u64, len in 0_usize..200) {
        let mut random = Random(seed);
        let (a, b, dy) = (random.odd_values(len), random.odd_values(len), random.values(len));
        let positive = |x: f32| if x.is_nan() { f64::NAN } else { f64::from(x.max(0.0)) };
        let y: Vec<f64> = a.iter().copied().map(positive).collect();
        let sum: Vec<f64> = a.iter().zip(&b).map(|(a, b)| positive(a + b)).collect();
        for isa in ISAS {
            let mut found = vec![7.0; len];
            relu(isa, &a, &mut found).unwrap();
            close("relu", &found, &y, 0.0);
            let mut dx = vec![7.0; len];
            relu_backward(isa, &found, &dy, &mut dx).unwrap();
            let passes = y.iter().zip(&dy).map(|(&y, &dy)| if y <= 0.0 { 0.0 } else { dy });
            prop_assert_eq!(dx, passes.collect::<Vec<_>>());
            add_relu(isa, &a, &b, &mut found).unwrap();
            close("add_relu", &found, &sum, 0.0);
        }
    }

    #[test]
    fn relu6_and_its_gradient_are_what_the_definition_says(seed: u64, len in 0_usize..200) {
        let mut random = Random(seed);
        let (mut x, dy) = (random.odd_values(len), random.values(len));
        x.iter_mut().for_each(|x| *x *= 3.0);
        let clamped: Vec<f64> = x.iter().map(|&x| f64::from(x.clamp(0.0, 6.0))).collect();
        let inside = |x: f32| x.is_nan() || (x > 0.0 && x < 6.0);
        let dx: Vec<f32> = x.iter().zip(&dy).map(|(&x, &dy)| if inside(x) { dy } else { 0.0 }).collect();
        for isa in ISAS {
            let (mut y, mut found) = (vec![7.0; len], vec![7.0; len]);
            relu6(isa, &x, &mut y).unwrap();
            close("relu6", &y, &clamped, 0.0);
            relu6_backward(isa, &y, &dy, &mut found).unwrap();
            prop_assert_eq!(&found, &dx);
        }
    }

    #[test]
    fn adam_takes_the_steps_of_the_definition(seed: u64, len in 0_usize..100) {
        let mut random = Random(seed);
        let p = random.values(len);
        let gradients = [random.values(len), random.values(len), random.values(len)];
        let mut expected = wide(&p);
        steps(&ADAM, &mut expected, &gradients);
        for isa in ISAS {
            close("p", &three_steps(isa, &p, &gradients)[0], &expected, 1e-6);
        }
    }
}

#[test]
fn an_average_moves_by_its_part_and_stays_where_it_equals_the_value() {
    let mut random = Random(3);
    for len in [0, 1, 7, 8, 100, 40_000] {
        let (mut average, value) = (random.values(len), random.values(len));
        if len > 5 {
            average[5] = value[5];
        }
        let pairs = average.iter().zip(&value);
        let expected: Vec<f64> = pairs
            .map(|(a, v)| 0.9 * f64::from(*a) + 0.1 * f64::from(*v))
            .collect();
        for isa in ISAS {
            let mut found = average.clone();
            average::move_to(isa, &mut found, &value, 0.1).unwrap();
            close("average", &found, &expected, 1e-6);
            if len > 5 {
                assert_eq!(found[5].to_bits(), value[5].to_bits());
            }
        }
    }
    let wrong = average::move_to(Isa::detect(), &mut [0.0; 2], &[0.0; 3], 0.5);
    assert!(wrong.is_err());
}

#[test]
fn nothing_depends_on_threads() {
    let mut random = Random(2);
    let len = 100_003;
    let p = random.values(len);
    let gradients = [random.values(len), random.values(len), random.values(len)];
    same_on_any_threads(|isa| {
        let mut arrays = three_steps(isa, &p, &gradients).to_vec();
        let [mut y, mut dx, mut sum] = [(); 3].map(|()| vec![0.0; len]);
        relu(isa, &p, &mut y).unwrap();
        relu_backward(isa, &y, &gradients[0], &mut dx).unwrap();
        add_relu(isa, &p, &gradients[0], &mut sum).unwrap();
        let mut mean = p.clone();
        average::move_to(isa, &mut mean, &gradients[1], 0.3).unwrap();
        arrays.extend([y, dx, sum, mean]);
        arrays
    });
}

#[test]
fn wrong_lengths_and_classes_are_errors_that_name_the_argument() {
    let isa = Isa::detect();
    let (four, mut out) = ([0.0; 4], [0.0; 4]);
    assert_eq!(relu(isa, &four, &mut out[1..]).unwrap_err().argument(), "y");
    assert_eq!(
        add_relu(isa, &four, &four[1..], &mut out)
            .unwrap_err()
            .argument(),
        "b"
    );
    assert_eq!(
        relu_backward(isa, &four, &four[1..], &mut out)
            .unwrap_err()
            .argument(),
        "dy"
    );
    assert_eq!(
        relu_backward(isa, &four, &four, &mut out[1..])
            .unwrap_err()
            .argument(),
        "dx"
    );
    let (mut p, mut m, mut v) = ([0.0; 4], [0.0; 4], [0.0; 4]);
    let error = ADAM
        .step(isa, &mut p, &four[1..], &mut m, &mut v)
        .unwrap_err();
    assert_eq!(
        error,
        ShapeError::Length {
            field: "g",
            expected: 4,
            found: 3
        }
    );
    assert_eq!(
        ADAM.step(isa, &mut p, &four, &mut m, &mut v[1..])
            .unwrap_err()
            .argument(),
        "v"
    );
}
