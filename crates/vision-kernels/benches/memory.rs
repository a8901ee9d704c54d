//! Times the kernels that are bound by memory.
//!
//! `cargo bench -p vision-kernels --no-default-features --bench memory -- norm` times the
//! benchmarks with that text in their names. The byte count includes only what must be read and
//! written.

#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use std::hint::black_box;

use criterion::{Criterion, Throughput};
use support::{isa, values};
use vision_kernels::activation::{Activation, relu, relu_backward, relu6, relu6_backward};
use vision_kernels::adam::Adam;
use vision_kernels::batch_norm::{
    BatchNorm, Forward, batch_norm_backward, batch_norm_train, scale_shift,
};
use vision_kernels::buffers;
use vision_kernels::global_pool::{concat_pool, concat_pool_backward};
use vision_kernels::loss::CrossEntropy;
use vision_kernels::pool::{
    Activations, MaxPool, MeanPool, max_pool, max_pool_backward, mean_windows,
    mean_windows_backward,
};

fn main() {
    let mut criterion = support::criterion();
    println!("{:?}, {} threads", isa(), rayon::current_num_threads());
    for (pixels, channels) in [
        (16 * 112 * 112, 64),
        (16 * 56 * 56, 64),
        (16 * 28 * 28, 128),
        (16 * 14 * 14, 256),
        (16 * 7 * 7, 512),
        (64 * 7 * 7, 64),
    ] {
        batch_norms(&mut criterion, pixels, channels);
    }
    pools(&mut criterion);
    element_wise(&mut criterion);
    adam(&mut criterion);
    fresh_and_recycled(&mut criterion);
    criterion.final_summary();
}

/// Times `run`, which reads or writes `arrays` times `len` floats.
fn time(criterion: &mut Criterion, name: &str, len: usize, arrays: f64, mut run: impl FnMut()) {
    let (kernel, shape) = name.split_once('/').unwrap();
    let mut group = criterion.benchmark_group(kernel);
    group.throughput(Throughput::Bytes((4.0 * len as f64 * arrays) as u64));
    group.bench_function(shape, |bencher| bencher.iter(&mut run));
    group.finish();
}

fn batch_norms(criterion: &mut Criterion, pixels: usize, channels: usize) {
    let (isa, len) = (isa(), pixels * channels);
    let (x, dy, residual) = (values(len), values(len), values(len));
    let (mut y, mut dx, mut dresidual) = (values(len), values(len), values(len));
    let (gamma, beta) = (vec![1.0; channels], vec![0.0; channels]);
    let affine = [gamma.as_slice(), &beta];
    let args = BatchNorm {
        channels,
        eps: 1e-5,
        activation: Some(Activation::Relu),
    };
    let shape = format!("[{pixels}, {channels}]");
    let name = format!("batch norm, ReLU, forward/{shape}");
    time(criterion, &name, len, 3.0, || {
        batch_norm_train(isa, &args, &x, affine, None, &mut y).unwrap();
    });
    let name = format!("batch norm, residual, ReLU, forward/{shape}");
    time(criterion, &name, len, 4.0, || {
        batch_norm_train(isa, &args, &x, affine, Some(&residual), &mut y).unwrap();
    });
    let stats = batch_norm_train(isa, &args, &x, affine, Some(&residual), &mut y).unwrap();
    let mut forward = Forward {
        x: &x,
        y: None,
        gamma: &gamma,
        beta: &beta,
        stats: &stats,
    };
    let name = format!("batch norm, ReLU, backward/{shape}");
    time(criterion, &name, len, 5.0, || {
        batch_norm_backward(isa, &args, &forward, &dy, &mut dx, None).unwrap();
    });
    forward.y = Some(&y);
    let name = format!("batch norm, residual, ReLU, backward/{shape}");
    time(criterion, &name, len, 7.0, || {
        let dresidual = Some(dresidual.as_mut_slice());
        batch_norm_backward(isa, &args, &forward, &dy, &mut dx, dresidual).unwrap();
    });
}

fn pools(criterion: &mut Criterion) {
    let isa = isa();
    let input = Activations {
        batch: 16,
        height: 112,
        width: 112,
        channels: 64,
    };
    let shape = "[16, 112, 112, 64]";
    let pool = MaxPool {
        kernel: [3, 3],
        stride: [2, 2],
        padding: [1, 1],
        ceil_mode: false,
    };
    let output = pool.output(&input).unwrap().elements();
    let (x, mut dx) = (values(input.elements()), values(input.elements()));
    let (mut y, mut argmax) = (values(output), vec![0; output]);
    let name = format!("max pool 3/2, forward/{shape}");
    time(criterion, &name, x.len(), 1.3125, || {
        max_pool(isa, &pool, &input, &x, &mut y, Some(&mut argmax)).unwrap();
    });
    let name = format!("max pool 3/2, backward/{shape}");
    time(criterion, &name, x.len(), 1.3125, || {
        max_pool_backward(isa, &pool, &input, &y, &argmax, &mut dx).unwrap();
    });
    let mean = MeanPool {
        size: 2,
        ceil_mode: false,
    };
    let name = format!("mean pool 2/2, forward/{shape}");
    time(criterion, &name, x.len(), 1.25, || {
        mean_windows(isa, &mean, &input, &x, &mut y).unwrap();
    });
    let name = format!("mean pool 2/2, backward/{shape}");
    time(criterion, &name, x.len(), 1.25, || {
        mean_windows_backward(isa, &mean, &input, &y, &mut dx).unwrap();
    });

    let input = Activations {
        batch: 16,
        height: 7,
        width: 7,
        channels: 512,
    };
    let (x, dx) = (&x[..input.elements()], &mut dx[..input.elements()]);
    let (mut y, mut argmax) = (vec![0.0; 16 * 1024], vec![0; 16 * 512]);
    time(
        criterion,
        "concat pool, forward/[16, 7, 7, 512]",
        x.len(),
        1.0,
        || {
            concat_pool(isa, &input, x, &mut y, &mut argmax).unwrap();
        },
    );
    time(
        criterion,
        "concat pool, backward/[16, 7, 7, 512]",
        x.len(),
        1.0,
        || {
            concat_pool_backward(isa, &input, &y, &argmax, dx).unwrap();
        },
    );
}

fn element_wise(criterion: &mut Criterion) {
    let (isa, len) = (isa(), 16 * 112 * 112 * 64);
    let (x, mut y, mut dx) = (values(len), values(len), values(len));
    time(criterion, "ReLU, forward/[200704, 64]", len, 2.0, || {
        relu(isa, &x, &mut y).unwrap();
    });
    time(criterion, "ReLU, backward/[200704, 64]", len, 3.0, || {
        relu_backward(isa, &y, &x, &mut dx).unwrap();
    });
    time(criterion, "ReLU6, forward/[200704, 64]", len, 2.0, || {
        relu6(isa, &x, &mut y).unwrap();
    });
    time(criterion, "ReLU6, backward/[200704, 64]", len, 3.0, || {
        relu6_backward(isa, &y, &x, &mut dx).unwrap();
    });
    let (scale, shift) = (vec![0.5; 64], vec![0.25; 64]);
    time(
        criterion,
        "scale, shift, ReLU/[200704, 64]",
        len,
        2.0,
        || {
            scale_shift(
                isa,
                [&scale, &shift],
                &x,
                None,
                Some(Activation::Relu),
                &mut y,
            )
            .unwrap();
        },
    );
    let targets: Vec<u32> = (0..64).collect();
    let mut losses = vec![0.0; 64];
    time(
        criterion,
        "cross-entropy, both/[64, 1000]",
        64_000,
        2.0,
        || {
            let rule = CrossEntropy {
                classes: 1000,
                ..CrossEntropy::default()
            };
            let dlogits = Some(&mut dx[..64_000]);
            black_box(rule.run(isa, &x[..64_000], &targets, &mut losses, dlogits)).unwrap();
        },
    );
}

fn adam(criterion: &mut Criterion) {
    let (isa, len) = (isa(), 11_180_000);
    let (mut p, g, mut m, mut v) = (values(len), values(len), vec![0.0; len], vec![0.0; len]);
    let adam = Adam {
        lr: 1e-6,
        beta1: 0.9,
        beta2: 0.99,
        eps: 1e-5,
        weight_decay: 0.01,
        step: 10,
    };
    time(criterion, "Adam/11.18 M weights", len, 7.0, || {
        adam.step(isa, &mut p, &g, &mut m, &mut v).unwrap();
    });
}

/// Shows what a recycled buffer saves.
fn fresh_and_recycled(criterion: &mut Criterion) {
    let len = 16 * 112 * 112 * 64;
    time(criterion, "51 MB filled/fresh", len, 1.0, || {
        black_box(vec![1.0_f32; len]);
    });
    time(criterion, "51 MB filled/recycled", len, 1.0, || {
        let mut buffer = buffers::take(len);
        buffer.fill(1.0);
        black_box(&buffer);
    });
}
