//! Attention against its definition in `f64`.

use proptest::prelude::*;
use vision_kernels::Isa;
use vision_kernels::attention::Attention;

use crate::support::{ISAS, Random, close, same_on_any_threads};

/// The place of a value in `[batch, tokens, parts * heads * size]`.
fn at(a: &Attention, parts: usize, [image, token, part, head, i]: [usize; 5]) -> usize {
    ((image * a.tokens + token) * parts + part) * a.heads * a.size + head * a.size + i
}

/// The output, and the gradient of `qkv`.
fn reference(a: &Attention, qkv: &[f32], dy: &[f32]) -> [Vec<f64>; 2] {
    let value =
        |image, token, part, head, i| f64::from(qkv[at(a, 3, [image, token, part, head, i])]);
    let scale = 1.0 / (a.size as f64).sqrt();
    let (mut y, mut dqkv) = (vec![0.0; dy.len()], vec![0.0; qkv.len()]);
    for image in 0..a.batch {
        for head in 0..a.heads {
            for query in 0..a.tokens {
                let all = 0..a.tokens;
                let score = |key| -> f64 {
                    let products = (0..a.size)
                        .map(|i| value(image, query, 0, head, i) * value(image, key, 1, head, i));
                    products.sum::<f64>() * scale
                };
                let scores: Vec<f64> = all.clone().map(score).collect();
                let most = scores
                    .iter()
                    .fold(f64::NEG_INFINITY, |a, b| if *b > a { *b } else { a });
                let exponentials = scores.iter().map(|score| (score - most).exp());
                let p: Vec<f64> = exponentials.collect();
                let sum: f64 = p.iter().sum();
                let p: Vec<f64> = p.iter().map(|p| p / sum).collect();
                let gradient = |i| f64::from(dy[at(a, 1, [image, query, 0, head, i])]);
                for i in 0..a.size {
                    let terms = all
                        .clone()
                        .map(|key| p[key] * value(image, key, 2, head, i));
                    y[at(a, 1, [image, query, 0, head, i])] = terms.sum();
                }
                let dp = |key| -> f64 {
                    let terms = (0..a.size).map(|i| gradient(i) * value(image, key, 2, head, i));
                    terms.sum()
                };
                let dp: Vec<f64> = all.clone().map(dp).collect();
                let mean: f64 = p.iter().zip(&dp).map(|(p, dp)| p * dp).sum();
                for key in all.clone() {
                    let ds = p[key] * (dp[key] - mean) * scale;
                    for i in 0..a.size {
                        let mut add = |token, part, term: f64| {
                            dqkv[at(a, 3, [image, token, part, head, i])] += term;
                        };
                        add(query, 0, ds * value(image, key, 1, head, i));
                        add(key, 1, ds * value(image, query, 0, head, i));
                        add(key, 2, p[key] * gradient(i));
                    }
                }
            }
        }
    }
    [y, dqkv]
}

fn run(isa: Isa, a: &Attention, qkv: &[f32], dy: &[f32]) -> [Vec<f32>; 2] {
    let (mut y, mut dqkv) = (vec![7.0; dy.len()], vec![7.0; qkv.len()]);
    let logs = a.forward(isa, qkv, &mut y).unwrap();
    a.backward(isa, qkv, (&y, &logs), dy, &mut dqkv).unwrap();
    [y, dqkv]
}

fn tensors(seed: u64, a: &Attention, size: f32) -> [Vec<f32>; 2] {
    let (mut random, len) = (Random(seed), a.batch * a.tokens * a.heads * a.size);
    let qkv = random.values(3 * len).iter().map(|v| size * v).collect();
    [qkv, random.values(len)]
}

fn check(seed: u64, a: &Attention, size: f32) {
    let [qkv, dy] = tensors(seed, a, size);
    let expected = reference(a, &qkv, &dy);
    for isa in ISAS {
        let found = run(isa, a, &qkv, &dy);
        for (at, what) in ["y", "dqkv"].into_iter().enumerate() {
            close(
                &format!("{what} of {a:?}, {isa:?}"),
                &found[at],
                &expected[at],
                1e-5,
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn output_and_gradients_are_what_the_definition_says_at_any_shape(
        seed: u64, shape in [0_usize..3, 1..70, 1..4, 1..40], size in 0.1_f32..6.0,
    ) {
        let [batch, tokens, heads, width] = shape;
        check(seed, &Attention { batch, tokens, heads, size: width }, size);
    }
}

#[test]
fn sizes_of_vision_transformers_agree_with_the_definition() {
    for [batch, tokens, heads, size] in [[1, 197, 3, 64], [2, 50, 2, 64], [1, 145, 1, 32]] {
        let attention = Attention {
            batch,
            tokens,
            heads,
            size,
        };
        check(1, &attention, 2.0);
    }
}

#[test]
fn nan_reaches_its_head_and_an_infinite_score_its_query_as_in_pytorch() {
    let a = Attention {
        batch: 1,
        tokens: 50,
        heads: 2,
        size: 20,
    };
    let [mut qkv, dy] = tensors(3, &a, 1.0);
    qkv[at(&a, 3, [0, 7, 0, 1, 3])] = f32::INFINITY;
    let query = |y: &[f32], token, head| y[at(&a, 1, [0, token, 0, head, 0])];
    for isa in ISAS {
        let [y, _] = run(isa, &a, &qkv, &dy);
        for token in 0..a.tokens {
            assert!(query(&y, token, 0).is_finite());
            // inf - inf in the softmax, as in PyTorch.
            assert_eq!(query(&y, token, 1).is_nan(), token == 7);
        }
    }
    qkv[at(&a, 3, [0, 30, 1, 0, 2])] = f32::NAN;
    for isa in ISAS {
        let [y, dqkv] = run(isa, &a, &qkv, &dy);
        assert!((0..a.tokens).all(|token| query(&y, token, 0).is_nan()));
        assert!(dqkv[at(&a, 3, [0, 0, 0, 0, 0])].is_nan());
    }
}

#[test]
fn results_are_bit_equal_for_any_number_of_threads_and_on_every_run() {
    let a = Attention {
        batch: 3,
        tokens: 61,
        heads: 3,
        size: 24,
    };
    let [qkv, dy] = tensors(3, &a, 1.0);
    same_on_any_threads(|isa| run(isa, &a, &qkv, &dy).to_vec());
}

#[test]
fn wrong_lengths_are_errors_that_name_the_argument() {
    let a = Attention {
        batch: 1,
        tokens: 2,
        heads: 1,
        size: 2,
    };
    let (isa, qkv, four) = (Isa::detect(), [1.0; 12], [1.0; 4]);
    let forward = |qkv: &[f32], y: &mut [f32]| a.forward(isa, qkv, y).unwrap_err().argument();
    assert_eq!(forward(&qkv[1..], &mut [0.0; 4]), "qkv");
    assert_eq!(forward(&qkv, &mut [0.0; 3]), "y");
    let backward = |y: &[f32], logs: &[f32], dy: &[f32], dqkv: &mut [f32]| {
        let found = a.backward(isa, &qkv, (y, logs), dy, dqkv);
        found.unwrap_err().argument()
    };
    assert_eq!(backward(&four[1..], &[0.0; 2], &four, &mut [0.0; 12]), "y");
    assert_eq!(backward(&four, &[0.0; 3], &four, &mut [0.0; 12]), "logs");
    assert_eq!(backward(&four, &[0.0; 2], &four[1..], &mut [0.0; 12]), "dy");
    assert_eq!(backward(&four, &[0.0; 2], &four, &mut [0.0; 11]), "dqkv");
}
