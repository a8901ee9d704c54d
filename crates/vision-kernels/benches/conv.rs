//! Times the convolutions of ResNet-18 and the depthwise convolutions of MobileNet V2, layer by
//! layer, including the packing that training does.
//!
//! `cargo bench -p vision-kernels --no-default-features --bench conv -- 28/forward` times the
//! benchmarks with that text in their names. An "element" is a floating-point operation, counted as
//! if nothing was skipped: rates above the machine's peak show what skipped padding and Winograd's
//! algorithm save.

#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use support::{isa, values};
use vision_kernels::conv::{
    Accuracy, ConvShape, Epilogue, Pass, algorithm, conv2d, conv2d_backward_input,
    conv2d_backward_weight,
};
use vision_kernels::depthwise::{
    DepthwiseShape, depthwise, depthwise_backward_input, depthwise_backward_weight,
};

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

/// Channels, side of the input, stride.
const DEPTHWISE: &[(usize, usize, usize)] = &[
    (32, 112, 1),
    (96, 112, 2),
    (144, 56, 1),
    (384, 14, 1),
    (960, 7, 1),
];

const PASSES: [(&str, Pass); 3] = [
    ("forward", Pass::Forward),
    ("input", Pass::BackwardInput),
    ("weight", Pass::BackwardWeight),
];

fn main() {
    let mut criterion = support::criterion();
    println!("{:?}, {} threads", isa(), rayon::current_num_threads());
    for (batch, side, layers) in [(16, 224, AT_224), (64, 28, AT_28)] {
        dense(&mut criterion, batch, side, layers);
    }
    single(&mut criterion);
    criterion.final_summary();
}

fn dense(criterion: &mut Criterion, batch: usize, side: usize, layers: &[Layer]) {
    for (name, pass) in PASSES {
        let mut group = criterion.benchmark_group(format!("{side}/{name}"));
        for &(in_channels, out_channels, side, kernel, stride) in layers {
            let shape = ConvShape {
                batch,
                height: side,
                width: side,
                in_channels,
                out_channels,
                kernel,
                stride,
                padding: (kernel / 2).into(),
            };
            let layer = format!("{in_channels}->{out_channels} {side} k{kernel}s{stride}");
            group.throughput(Throughput::Elements(shape.flops() as u64));
            let mut seen = Vec::new();
            for accuracy in [Accuracy::Direct, Accuracy::Balanced, Accuracy::Fast] {
                let algorithm = algorithm(&shape, pass, accuracy);
                if !seen.contains(&algorithm) {
                    seen.push(algorithm);
                    let id = BenchmarkId::new(&layer, format!("{algorithm:?}"));
                    bench(&mut group, id, &shape, pass, accuracy);
                }
            }
        }
        group.finish();
    }
}

fn bench(
    group: &mut BenchmarkGroup<'_, WallTime>,
    id: BenchmarkId,
    shape: &ConvShape,
    pass: Pass,
    accuracy: Accuracy,
) {
    let isa = isa();
    // Create the data only if the benchmark is selected.
    group.bench_function(id, |bencher| {
        let mut x = values(shape.input_len());
        let mut w = values(shape.weight_len());
        let mut y = values(shape.output_len());
        let none = Epilogue::default();
        bencher.iter(|| match pass {
            Pass::Forward => conv2d(isa, accuracy, shape, &x, &w, &none, &mut y).unwrap(),
            Pass::BackwardInput => {
                conv2d_backward_input(isa, accuracy, shape, &y, &w, &mut x).unwrap();
            }
            Pass::BackwardWeight => {
                conv2d_backward_weight(isa, accuracy, shape, &x, &y, &mut w).unwrap();
            }
        });
    });
}

fn single(criterion: &mut Criterion) {
    let isa = isa();
    for (name, pass) in PASSES {
        let mut group = criterion.benchmark_group(format!("depthwise/{name}"));
        for &(channels, side, stride) in DEPTHWISE {
            let shape = DepthwiseShape {
                batch: 16,
                height: side,
                width: side,
                channels,
                kernel: 3,
                stride,
                padding: 1.into(),
                dilation: 1,
            };
            group.throughput(Throughput::Elements(2 * 9 * shape.output_len() as u64));
            group.bench_function(format!("{channels} {side} k3s{stride}"), |bencher| {
                let mut x = values(shape.input_len());
                let mut w = values(shape.weight_len());
                let mut y = values(shape.output_len());
                let none = Epilogue::default();
                bencher.iter(|| match pass {
                    Pass::Forward => depthwise(isa, &shape, &x, &w, &none, &mut y).unwrap(),
                    Pass::BackwardInput => {
                        depthwise_backward_input(isa, &shape, &y, &w, &mut x).unwrap();
                    }
                    Pass::BackwardWeight => {
                        depthwise_backward_weight(isa, &shape, &x, &y, &mut w).unwrap();
                    }
                });
            });
        }
        group.finish();
    }
}
