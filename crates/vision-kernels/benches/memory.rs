//! Milliseconds and GB/s of the memory-bound kernels.

#![allow(missing_docs)]

use std::{hint::black_box, time::Instant};
use vision_kernels::{
    Isa,
    batch_norm::{BatchNorm, Forward, batch_norm_backward, batch_norm_train},
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

fn main() {
    let isa = Isa::detect();
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
}
