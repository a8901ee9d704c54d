//! Times single layers, given as text: `scripts/bench_layers.py` calls it, and PyTorch for the same.
//!
//! `cargo bench -p vision-kernels --no-default-features --bench layers -- "depthwise 16 56 56 96 7 1 forward" ..` prints a
//! line for each argument: the least seconds of some repetitions.

// A wrong case ends the bench.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

// Criterion is for the other benches.
#[allow(dead_code)]
mod support;

use std::time::Instant;

use support::{isa, values};
use vision_kernels::activation::{Activation, activate, activate_backward};
use vision_kernels::attention::Attention;
use vision_kernels::batch_norm::{BatchNorm, Forward, batch_norm_backward, batch_norm_train};
use vision_kernels::channel_scale::{scale_channels, scale_channels_backward};
use vision_kernels::conv::{Accuracy, ConvShape, Epilogue, PackedWeights, conv2d_packed};
use vision_kernels::depthwise::{
    DepthwiseShape, depthwise, depthwise_backward_input, depthwise_backward_weight,
};
use vision_kernels::grouped::{
    GroupedShape, grouped, grouped_backward_input, grouped_backward_weight,
};
use vision_kernels::layer_norm::LayerNorm;
use vision_kernels::linear::Linear;
use vision_kernels::pool::Activations;

fn main() {
    // Cargo adds `--bench`.
    let cases = std::env::args()
        .skip(1)
        .filter(|case| !case.starts_with('-'));
    eprintln!("{:?}, {} threads", isa(), rayon::current_num_threads());
    for case in cases {
        println!("{case}\t{}", seconds(&case));
    }
}

fn least(mut run: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    let begin = Instant::now();
    let mut count = 0;
    while count < 5 || (begin.elapsed().as_secs_f64() < 0.4 && count < 200) {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed().as_secs_f64());
        count += 1;
    }
    best
}

fn function(name: &str) -> Option<Activation> {
    match name {
        "relu" => Some(Activation::Relu),
        "relu6" => Some(Activation::Relu6),
        "silu" => Some(Activation::Silu),
        "hardswish" => Some(Activation::HardSwish),
        "hardsigmoid" => Some(Activation::HardSigmoid),
        "sigmoid" => Some(Activation::Sigmoid),
        "gelu" => Some(Activation::Gelu),
        _ => None,
    }
}

fn seconds(case: &str) -> f64 {
    let words: Vec<&str> = case.split(' ').collect();
    let n: Vec<usize> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let (isa, last) = (isa(), *words.last().unwrap());
    match words[0] {
        "activation" => {
            let (function, x) = (function(words[1]).unwrap(), values(n[0]));
            let x: Vec<f32> = x.iter().map(|x| 4.0 * x).collect();
            let mut y = values(n[0]);
            match last {
                "forward" => least(|| activate(isa, function, &x, &mut y).unwrap()),
                _ => least(|| activate_backward(isa, function, &x, &x, &mut y).unwrap()),
            }
        }
        "depthwise" => {
            let s = DepthwiseShape {
                batch: n[0],
                height: n[1],
                width: n[2],
                channels: n[3],
                kernel: n[4],
                stride: n[5],
                padding: (n[4] / 2).into(),
                dilation: 1,
            };
            let (mut x, mut w) = (values(s.input_len()), values(s.weight_len()));
            let mut y = values(s.output_len());
            let none = Epilogue::default();
            match last {
                "forward" => least(|| depthwise(isa, &s, &x, &w, &none, &mut y).unwrap()),
                "input" => least(|| depthwise_backward_input(isa, &s, &y, &w, &mut x).unwrap()),
                _ => least(|| depthwise_backward_weight(isa, &s, &x, &y, &mut w).unwrap()),
            }
        }
        "grouped" => {
            let s = GroupedShape {
                conv: ConvShape {
                    batch: n[0],
                    height: n[1],
                    width: n[2],
                    in_channels: n[3],
                    out_channels: n[3],
                    kernel: n[5],
                    stride: n[6],
                    padding: (n[5] / 2).into(),
                },
                groups: n[4],
            };
            let (mut x, mut w) = (values(s.conv.input_len()), values(s.weight_len()));
            let mut y = values(s.conv.output_len());
            let none = Epilogue::default();
            match last {
                "forward" => least(|| grouped(isa, &s, &x, &w, &none, &mut y).unwrap()),
                "input" => least(|| grouped_backward_input(isa, &s, &y, &w, &mut x).unwrap()),
                _ => least(|| grouped_backward_weight(isa, &s, &x, &y, &mut w).unwrap()),
            }
        }
        "linear" => {
            let layer = Linear {
                batch: n[0],
                inputs: n[1],
                outputs: n[2],
            };
            let (mut x, mut w) = (values(n[0] * n[1]), values(n[2] * n[1]));
            let (mut y, bias) = (values(n[0] * n[2]), values(n[2]));
            match last {
                "forward" => least(|| layer.forward(isa, &x, &w, Some(&bias), &mut y).unwrap()),
                "input" => least(|| layer.backward_input(isa, &y, &w, &mut x).unwrap()),
                _ => least(|| layer.backward_weight(isa, &x, &y, &mut w).unwrap()),
            }
        }
        "conv" => {
            let s = ConvShape {
                batch: n[0],
                height: n[1],
                width: n[2],
                in_channels: n[3],
                out_channels: n[4],
                kernel: n[5],
                stride: n[6],
                padding: (n[5] / 2).into(),
            };
            let (x, w) = (values(s.input_len()), values(s.weight_len()));
            let (scale, shift) = (values(n[4]), values(n[4]));
            let mut y = values(s.output_len());
            let packed = PackedWeights::forward(isa, Accuracy::Balanced, &s, &w).unwrap();
            let epilogue = Epilogue {
                scale: Some(&scale),
                shift: Some(&shift),
                residual: None,
                activation: function(last),
            };
            least(|| conv2d_packed(&packed, &s, &x, &epilogue, &mut y).unwrap())
        }
        "batchnorm" => {
            let len = n[0] * n[1];
            let (x, dy, mut y, mut dx) = (values(len), values(len), values(len), values(len));
            let (gamma, beta) = (vec![1.0; n[1]], vec![0.1; n[1]]);
            let args = BatchNorm {
                channels: n[1],
                eps: 1e-5,
                activation: function(words[1]),
            };
            let affine = [gamma.as_slice(), &beta];
            let stats = batch_norm_train(isa, &args, &x, affine, None, &mut y).unwrap();
            let forward = Forward {
                x: &x,
                y: None,
                gamma: &gamma,
                beta: &beta,
                stats: &stats,
            };
            match last {
                "forward" => least(|| {
                    batch_norm_train(isa, &args, &x, affine, None, &mut y).unwrap();
                }),
                _ => least(|| {
                    batch_norm_backward(isa, &args, &forward, &dy, &mut dx, None).unwrap();
                }),
            }
        }
        "scale" => {
            let s = Activations {
                batch: n[0],
                height: n[1],
                width: n[2],
                channels: n[3],
            };
            let (x, dy, mut y) = (
                values(s.elements()),
                values(s.elements()),
                values(s.elements()),
            );
            let (factors, mut dfactors) = (values(n[0] * n[3]), values(n[0] * n[3]));
            match last {
                "forward" => least(|| scale_channels(isa, &s, &x, &factors, &mut y).unwrap()),
                _ => least(|| {
                    let dx = Some(y.as_mut_slice());
                    scale_channels_backward(isa, &s, &x, &factors, &dy, dx, &mut dfactors).unwrap();
                }),
            }
        }
        "layernorm" => {
            let norm = LayerNorm {
                channels: n[1],
                eps: 1e-6,
            };
            let len = n[0] * n[1];
            let (x, dy, mut y) = (values(len), values(len), values(len));
            let (gamma, beta) = (values(n[1]), values(n[1]));
            let stats = norm.forward(isa, &x, [&gamma, &beta], &mut y).unwrap();
            match last {
                "forward" => least(|| {
                    norm.forward(isa, &x, [&gamma, &beta], &mut y).unwrap();
                }),
                _ => least(|| {
                    norm.backward(isa, &x, &gamma, &stats, &dy, &mut y).unwrap();
                }),
            }
        }
        "attention" => {
            let a = Attention {
                batch: n[0],
                tokens: n[1],
                heads: n[2],
                size: n[3],
            };
            let len = n.iter().product();
            let (qkv, mut y, dy, mut dqkv) =
                (values(3 * len), values(len), values(len), values(3 * len));
            let logs = a.forward(isa, &qkv, &mut y).unwrap();
            match last {
                "forward" => least(|| drop(a.forward(isa, &qkv, &mut y).unwrap())),
                _ => least(|| a.backward(isa, &qkv, (&y, &logs), &dy, &mut dqkv).unwrap()),
            }
        }
        other => panic!("no layer `{other}`"),
    }
}
