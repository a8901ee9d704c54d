//! Milliseconds and GB/s of the memory-bound kernels.

#![allow(missing_docs)]

use std::{hint::black_box, time::Instant};
use vision_kernels::{
    Isa,
    activation::{relu, relu_backward},
    adam::Adam,
    batch_norm::{BatchNorm, Forward, batch_norm_backward, batch_norm_train, scale_shift},
    buffers,
    global_pool::{concat_pool, concat_pool_backward},
    loss::CrossEntropy,
    pool::{Activations, MaxPool, max_pool, max_pool_backward},
};

/// The least time of many runs, in milliseconds: what the machine can do when nobody disturbs it.
fn best(mut run: impl FnMut()) -> f64 {
    let begin = Instant::now();
    let mut best = f64::INFINITY;
    let mut runs = 0;
    while runs < 5 || (begin.elapsed().as_secs_f64() < 0.4 && runs < 2000) {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed().as_secs_f64());
        runs += 1;
    }
    best * 1e3
}

/// One line of the table. `arrays` is how many times `len` floats are read or written.
fn line(name: &str, len: usize, arrays: f64, run: impl FnMut()) {
    // `-- pool` on the command line times what has "pool" in its name.
    let wanted = std::env::args().skip(1).find(|arg| !arg.starts_with("--"));
    if wanted.is_some_and(|wanted| !name.contains(&wanted)) {
        return;
    }
    let milliseconds = best(run);
    let bytes = 4.0 * len as f64 * arrays;
    println!(
        "{name:<44}{milliseconds:>9.3} ms {:>7.1} GB/s",
        bytes / milliseconds / 1e6
    );
}

fn values(len: usize) -> Vec<f32> {
    (0..len as u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / 8_388_608.0 - 1.0)
        .collect()
}

fn batch_norms(isa: Isa, pixels: usize, channels: usize) {
    let len = pixels * channels;
    let (x, dy, residual) = (values(len), values(len), values(len));
    let (mut y, mut dx, mut dresidual) = (vec![0.0; len], values(len), values(len));
    let (gamma, beta) = (vec![1.0; channels], vec![0.0; channels]);
    let args = BatchNorm {
        channels,
        eps: 1e-5,
        relu: true,
    };
    let name = format!("[{pixels}, {channels}] batch norm, ReLU");
    line(&format!("{name}, forward"), len, 3.0, || {
        black_box(batch_norm_train(
            isa,
            &args,
            &x,
            [&gamma, &beta],
            None,
            &mut y,
        ))
        .ok();
    });
    let Ok(stats) = batch_norm_train(isa, &args, &x, [&gamma, &beta], Some(&residual), &mut y)
    else {
        return;
    };
    line(&format!("{name}, residual, forward"), len, 4.0, || {
        black_box(batch_norm_train(
            isa,
            &args,
            &x,
            [&gamma, &beta],
            Some(&residual),
            &mut y,
        ))
        .ok();
    });
    let mut forward = Forward {
        x: &x,
        y: None,
        gamma: &gamma,
        beta: &beta,
        stats: &stats,
    };
    line(&format!("{name}, backward"), len, 5.0, || {
        black_box(batch_norm_backward(
            isa, &args, &forward, &dy, &mut dx, None,
        ))
        .ok();
    });
    forward.y = Some(&y);
    line(&format!("{name}, residual, backward"), len, 7.0, || {
        black_box(batch_norm_backward(
            isa,
            &args,
            &forward,
            &dy,
            &mut dx,
            Some(&mut dresidual),
        ))
        .ok();
    });
}

fn pools(isa: Isa) {
    let input = Activations {
        batch: 16,
        height: 112,
        width: 112,
        channels: 64,
    };
    let pool = MaxPool {
        kernel: [3, 3],
        stride: [2, 2],
        padding: [1, 1],
        ceil_mode: false,
    };
    let Ok(output) = pool.output(&input) else {
        return;
    };
    let x = values(input.elements());
    let mut dx = x.clone();
    let (mut y, mut argmax) = (values(output.elements()), vec![0; output.elements()]);
    line(
        "max pool 3/2, [16, 112, 112, 64], forward",
        x.len(),
        1.3125,
        || {
            black_box(max_pool(isa, &pool, &input, &x, &mut y, Some(&mut argmax))).ok();
        },
    );
    line(
        "max pool 3/2, [16, 112, 112, 64], backward",
        x.len(),
        1.3125,
        || {
            black_box(max_pool_backward(isa, &pool, &input, &y, &argmax, &mut dx)).ok();
        },
    );

    let input = Activations {
        batch: 16,
        height: 7,
        width: 7,
        channels: 512,
    };
    let x = &x[..input.elements()];
    let (mut y, mut argmax) = (vec![0.0; 16 * 1024], vec![0; 16 * 512]);
    line(
        "concat pool, [16, 7, 7, 512], forward",
        x.len(),
        1.0,
        || {
            black_box(concat_pool(isa, &input, x, &mut y, &mut argmax)).ok();
        },
    );
    line(
        "concat pool, [16, 7, 7, 512], backward",
        x.len(),
        1.0,
        || {
            black_box(concat_pool_backward(
                isa,
                &input,
                &y,
                &argmax,
                &mut dx[..x.len()],
            ))
            .ok();
        },
    );
}

fn element_wise(isa: Isa) {
    let len = 16 * 112 * 112 * 64;
    let (x, mut y, mut dx) = (values(len), values(len), values(len));
    line("ReLU, [200704, 64], forward", len, 2.0, || {
        black_box(relu(isa, &x, &mut y)).ok();
    });
    line("ReLU, [200704, 64], backward", len, 3.0, || {
        black_box(relu_backward(isa, &y, &x, &mut dx)).ok();
    });
    let (scale, shift) = (vec![0.5; 64], vec![0.25; 64]);
    line("scale and shift, ReLU, [200704, 64]", len, 2.0, || {
        black_box(scale_shift(isa, [&scale, &shift], &x, None, true, &mut y)).ok();
    });
    let targets: Vec<u32> = (0..64).collect();
    let mut losses = vec![0.0; 64];
    line("cross-entropy, [64, 1000], both", 64_000, 2.0, || {
        let rule = CrossEntropy {
            classes: 1000,
            ..CrossEntropy::default()
        };
        let dlogits = Some(&mut dx[..64_000]);
        black_box(rule.run(isa, &x[..64_000], &targets, &mut losses, dlogits)).ok();
    });
}

fn adam(isa: Isa) {
    let len = 11_180_000;
    let (mut p, g, mut m, mut v) = (values(len), values(len), vec![0.0; len], vec![0.0; len]);
    let adam = Adam {
        lr: 1e-6,
        beta1: 0.9,
        beta2: 0.99,
        eps: 1e-5,
        weight_decay: 0.01,
        step: 10,
    };
    line("Adam, 11.18 M weights", len, 7.0, || {
        black_box(adam.step(isa, &mut p, &g, &mut m, &mut v)).ok();
    });
}

/// What a recycled buffer saves.
fn fresh_and_recycled() {
    let len = 16 * 112 * 112 * 64;
    line("a fresh vector of 51 MB, filled", len, 1.0, || {
        black_box(vec![1.0_f32; len]);
    });
    line("a recycled buffer of 51 MB, filled", len, 1.0, || {
        let mut buffer = buffers::take(len);
        buffer.fill(1.0);
        black_box(&buffer);
    });
    line("a recycled buffer of 51 MB, untouched", len, 0.0, || {
        black_box(&buffers::take(len));
    });
}

fn main() {
    // `ISA=avx2` or `ISA=portable` times the code that lesser machines get.
    let isa = match std::env::var("ISA").as_deref() {
        Ok("portable") => Isa::Portable,
        Ok("avx2") => Isa::Avx2,
        _ => Isa::detect(),
    };
    println!("{isa:?}, {} threads", rayon::current_num_threads());
    for (pixels, channels) in [
        (16 * 112 * 112, 64),
        (16 * 56 * 56, 64),
        (16 * 28 * 28, 128),
        (16 * 14 * 14, 256),
        (16 * 7 * 7, 512),
        (64 * 7 * 7, 64),
    ] {
        batch_norms(isa, pixels, channels);
    }
    pools(isa);
    element_wise(isa);
    adam(isa);
    fresh_and_recycled();
}
