//! The convolutions of ResNet-18, layer by layer: milliseconds and GFLOP/s, the best of several repeats.
//!
//! `cargo bench -p vision-kernels --bench conv [-- 224|28] [direct|winograd2|winograd4] [avx512|avx2|portable] [cpu]`.
//! Operations are counted as if nothing was skipped, so that figures above the machine's peak are what
//! padding that is left out and Winograd's algorithm save.

use std::time::Instant;

use vision_kernels::conv::{
    Accuracy, Algorithm, ConvShape, Epilogue, PackedWeights, conv2d, conv2d_backward_input,
    conv2d_backward_input_packed, conv2d_backward_weight, conv2d_backward_weight_by, conv2d_packed,
};
use vision_kernels::{Isa, ShapeError};

/// Channels in and out, side of the input, kernel, stride.
type Layer = (usize, usize, usize, usize, usize);

const AT_224: &[Layer] = &[
    (3, 64, 224, 7, 2),
    (64, 64, 56, 3, 1),
    (64, 128, 56, 3, 2),
    (128, 128, 28, 3, 1),
    (128, 256, 28, 3, 2),
    (256, 256, 14, 3, 1),
    (256, 512, 14, 3, 2),
    (512, 512, 7, 3, 1),
    (64, 128, 56, 1, 2),
];

const AT_28: &[Layer] = &[
    (3, 64, 28, 7, 2),
    (64, 64, 7, 3, 1),
    (64, 128, 7, 3, 2),
    (128, 128, 4, 3, 1),
    (128, 256, 4, 3, 2),
    (256, 256, 2, 3, 1),
    (256, 512, 2, 3, 2),
    (512, 512, 1, 3, 1),
    (64, 128, 7, 1, 2),
];

fn main() -> Result<(), ShapeError> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| args.iter().any(|arg| arg == word);
    let isa = match () {
        () if has("avx512") => Isa::Avx512,
        () if has("avx2") => Isa::Avx2,
        () if has("portable") => Isa::Portable,
        () => Isa::detect(),
    };
    let algorithms = [
        ("direct", Algorithm::Direct),
        ("winograd2", Algorithm::Winograd2),
        ("winograd4", Algorithm::Winograd4),
    ];
    let chosen = algorithms.iter().any(|(name, _)| has(name));
    println!("{isa:?}, {} threads", rayon::current_num_threads());
    for (batch, side, layers) in [(16, "224", AT_224), (64, "28", AT_28)] {
        if (has("224") || has("28")) && !has(side) {
            continue;
        }
        println!("\nbatch {batch} at {side}: ms (GFLOP/s)");
        println!(
            "layer                algorithm    pack w      forward       pack w      backward input  backward weight"
        );
        for &layer in layers {
            for (name, algorithm) in algorithms {
                let (.., kernel, stride) = layer;
                let possible = algorithm == Algorithm::Direct || (kernel, stride) == (3, 1);
                if !possible || chosen && !has(name) {
                    continue;
                }
                bench(isa, algorithm, name, batch, layer)?;
            }
        }
        if !chosen {
            println!("\nas called in training, packing included, by the rule");
            println!("layer                accuracy    forward    backward input backward weight");
            for &layer in layers {
                for accuracy in [Accuracy::Direct, Accuracy::Balanced, Accuracy::Fast] {
                    bench_rule(isa, accuracy, batch, layer)?;
                }
            }
        }
    }
    Ok(())
}

fn bench_rule(isa: Isa, accuracy: Accuracy, batch: usize, layer: Layer) -> Result<(), ShapeError> {
    let shape = shape(batch, layer);
    let x = values(shape.input_len());
    let w = values(shape.weight_len());
    let dy = values(shape.output_len());
    let mut y = dy.clone();
    let mut dx = x.clone();
    let mut dw = w.clone();
    let none = Epilogue::default();
    let times = [
        best(|| conv2d(isa, accuracy, &shape, &x, &w, &none, &mut y))?,
        best(|| conv2d_backward_input(isa, accuracy, &shape, &dy, &w, &mut dx))?,
        best(|| conv2d_backward_weight(isa, accuracy, &shape, &x, &dy, &mut dw))?,
    ];
    print!("{:20} {:10}", name_of(layer), format!("{accuracy:?}"));
    for seconds in times {
        let rate = shape.flops() / seconds / 1e9;
        print!(" {:7.2} ({rate:4.0})", seconds * 1e3);
    }
    println!();
    Ok(())
}

fn shape(batch: usize, (in_channels, out_channels, side, kernel, stride): Layer) -> ConvShape {
    ConvShape {
        batch,
        height: side,
        width: side,
        in_channels,
        out_channels,
        kernel,
        stride,
        padding: kernel / 2,
    }
}

fn name_of((in_channels, out_channels, side, kernel, stride): Layer) -> String {
    format!("{in_channels}->{out_channels} {side} k{kernel}s{stride}")
}

fn bench(
    isa: Isa,
    algorithm: Algorithm,
    name: &str,
    batch: usize,
    layer: Layer,
) -> Result<(), ShapeError> {
    let shape = shape(batch, layer);
    let x = values(shape.input_len());
    let w = values(shape.weight_len());
    let dy = values(shape.output_len());
    let mut y = dy.clone();
    let mut dx = x.clone();
    let mut dw = w.clone();
    let forward = PackedWeights::forward_by(isa, algorithm, &shape, &w)?;
    let backward = PackedWeights::backward_input_by(isa, algorithm, &shape, &w)?;
    let none = Epilogue::default();
    let times = [
        best(|| PackedWeights::forward_by(isa, algorithm, &shape, &w).map(drop))?,
        best(|| conv2d_packed(&forward, &shape, &x, &none, &mut y))?,
        best(|| PackedWeights::backward_input_by(isa, algorithm, &shape, &w).map(drop))?,
        best(|| conv2d_backward_input_packed(&backward, &shape, &dy, &mut dx))?,
        best(|| conv2d_backward_weight_by(isa, algorithm, &shape, &x, &dy, &mut dw))?,
    ];
    let [pack_forward, forward, pack_backward, backward, weight] = times;
    let rate = |seconds: f64| shape.flops() / seconds / 1e9;
    let ms = 1e3;
    println!(
        "{:20} {name:10} {:6.2} {:7.2} ({:4.0}) {:8.2} {:7.2} ({:4.0}) {:11.2} ({:4.0})",
        name_of(layer),
        pack_forward * ms,
        forward * ms,
        rate(forward),
        pack_backward * ms,
        backward * ms,
        rate(backward),
        weight * ms,
        rate(weight),
    );
    Ok(())
}

/// Seconds of the fastest of some repeats.
fn best(mut run: impl FnMut() -> Result<(), ShapeError>) -> Result<f64, ShapeError> {
    let mut best = f64::INFINITY;
    let started = Instant::now();
    let mut repeats = 0;
    while repeats < 5 || (started.elapsed().as_secs_f64() < 0.4 && repeats < 200) {
        let start = Instant::now();
        let cpu = cpu_seconds();
        run()?;
        let wall = start.elapsed().as_secs_f64();
        let seconds = match (cpu, cpu_seconds()) {
            (Some(before), Some(after)) => (after - before) / rayon::current_num_threads() as f64,
            _ => wall,
        };
        best = best.min(seconds);
        repeats += 1;
    }
    Ok(best)
}

/// With `cpu`, and where the system tells: processor time of all threads. What to compare by when other
/// programs run.
fn cpu_seconds() -> Option<f64> {
    if !std::env::args().any(|arg| arg == "cpu") {
        return None;
    }
    let mut nanoseconds = 0.0;
    for thread in std::fs::read_dir("/proc/self/task").ok()? {
        let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        nanoseconds += text.split(' ').next()?.parse::<f64>().ok()?;
    }
    Some(nanoseconds / 1e9)
}

/// Values between -1 and 1 without a pattern that matters here.
fn values(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i as f32 * 0.7391).sin()).collect()
}
