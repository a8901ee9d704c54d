//! Minimal cost of convolutions, for a profile.

use crate::conv::{Algorithm, ConvShape, Pass, algorithm};
use crate::depthwise::DepthwiseShape;
use crate::grouped::GroupedShape;
use crate::ops::accuracy;
use crate::profile::Cost;

/// The cost of a pass over `shape`, plus reading `more` values.
pub(super) fn cost(shape: &ConvShape, pass: Pass, more: usize) -> Cost {
    let algorithm = algorithm(shape, pass, accuracy());
    // Winograd multiplies 16 times for 4 outputs instead of 36, or 36 for 16 instead of 144.
    let products = match algorithm {
        Algorithm::Direct => 1.0,
        Algorithm::Winograd2 => 16.0 / 36.0,
        Algorithm::Winograd4 => 36.0 / 144.0,
    };
    Cost {
        shape: name(shape, algorithm),
        flops: products * shape.flops(),
        values: shape.input_len() + shape.weight_len() + shape.output_len() + more,
    }
}

/// The cost of packing weights.
pub(super) fn packing_cost(shape: &ConvShape, pass: Pass) -> Cost {
    Cost {
        shape: name(shape, algorithm(shape, pass, accuracy())),
        flops: 0.0,
        values: 2 * shape.weight_len(),
    }
}

/// The cost of a pass over a depthwise `shape`, plus reading `more` values.
pub(super) fn depthwise_cost(shape: &DepthwiseShape, more: usize) -> Cost {
    let DepthwiseShape {
        batch,
        height,
        width,
        channels,
        kernel,
        stride,
        ..
    } = shape;
    Cost {
        shape: format!("{batch}x{height}x{width} {channels} k{kernel}s{stride}"),
        flops: 2.0 * (shape.output_len() * kernel * kernel) as f64,
        values: shape.input_len() + shape.output_len() + more,
    }
}

/// The cost of a pass over `shape` in groups, plus reading `more` values.
pub(super) fn grouped_cost(shape: &GroupedShape, more: usize) -> Cost {
    let GroupedShape { conv, groups } = shape;
    Cost {
        shape: format!("{} g{groups}", name(conv, Algorithm::Direct)),
        flops: conv.flops() / *groups as f64,
        values: conv.input_len() + shape.weight_len() + conv.output_len() + more,
    }
}

fn name(shape: &ConvShape, algorithm: Algorithm) -> String {
    let ConvShape {
        batch,
        height,
        width,
        in_channels,
        out_channels,
        kernel,
        stride,
        padding: _,
    } = shape;
    format!(
        "{batch}x{height}x{width} {in_channels}->{out_channels} k{kernel}s{stride} {algorithm:?}"
    )
}
