//! The kinds of convolution that have kernels, with a common interface.

use std::sync::Arc;

use burn::backend::flex::FlexTensor;

use super::cost::{cost, depthwise_cost, grouped_cost, packing_cost};
use crate::conv::{self, ConvShape, Direction, Epilogue, PackedWeights, Pass, algorithm};
use crate::depthwise::{self, DepthwiseShape};
use crate::grouped::{self, GroupedShape};
use crate::ops::flex::{Slots, checked};
use crate::ops::memory::{Values, tensor};
use crate::ops::{Conv, accuracy};
use crate::profile::timed;
use crate::{Isa, buffers};

/// A convolution that has a kernel.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Every output channel sees every input channel.
    Dense(ConvShape),
    /// Each channel by itself.
    Depthwise(DepthwiseShape),
    /// Each group of channels by itself.
    Grouped(GroupedShape),
}

impl Kind {
    /// The convolution of `[batch, height, width, in_channels]` with
    /// `[out_channels, in_channels / groups, k, k]`, if it has a kernel and any output.
    pub(super) fn of(x: [usize; 4], weight: [usize; 4], conv: Conv) -> Option<Self> {
        let [batch, height, width, in_channels] = x;
        let [out_channels, inputs, kernel, other] = weight;
        if kernel != other {
            return None;
        }
        let (stride, padding) = (conv.stride, conv.padding);
        let (kind, len) = if conv.groups == 1 && conv.dilation == 1 && inputs == in_channels {
            let shape = ConvShape {
                batch,
                height,
                width,
                in_channels,
                out_channels,
                kernel,
                stride,
                padding,
            };
            (Self::Dense(shape), shape.output_len())
        } else if [in_channels, out_channels] == [conv.groups; 2] && inputs == 1 {
            let shape = DepthwiseShape {
                batch,
                height,
                width,
                channels: in_channels,
                kernel,
                stride,
                padding,
                dilation: conv.dilation,
            };
            (Self::Depthwise(shape), shape.output_len())
        } else if conv.dilation == 1
            && conv.groups > 1
            && inputs.saturating_mul(conv.groups) == in_channels
            && out_channels % conv.groups == 0
        {
            let shape = GroupedShape {
                conv: ConvShape {
                    batch,
                    height,
                    width,
                    in_channels,
                    out_channels,
                    kernel,
                    stride,
                    padding,
                },
                groups: conv.groups,
            };
            (Self::Grouped(shape), shape.conv.output_len())
        } else {
            return None;
        };
        (len > 0).then_some(kind)
    }

    /// Computes the output. `slots` can hold the packed weights.
    pub(super) fn forward(
        &self,
        x: &Values,
        w: &Values,
        epilogue: &Epilogue<'_>,
        slots: Option<&Slots>,
    ) -> FlexTensor {
        let isa = Isa::detect();
        let residual = epilogue.residual.map_or(0, <[f32]>::len);
        match self {
            Self::Dense(shape) => {
                let mut y = buffers::take(shape.output_len());
                let w = packed(Pass::Forward, shape, w, slots);
                let cost = || cost(shape, Pass::Forward, residual);
                timed("convolution", cost, || {
                    let x = x.slice();
                    checked(conv::conv2d_packed(&w, shape, x, epilogue, &mut y));
                });
                let size = [shape.batch, shape.out_height(), shape.out_width()];
                tensor(y, [size[0], size[1], size[2], shape.out_channels])
            }
            Self::Depthwise(shape) => {
                let mut y = buffers::take(shape.output_len());
                let (x, w) = (x.slice(), w.slice());
                let cost = || depthwise_cost(shape, residual);
                timed("depthwise", cost, || {
                    checked(depthwise::depthwise(isa, shape, x, w, epilogue, &mut y));
                });
                let size = [shape.batch, shape.out_height(), shape.out_width()];
                tensor(y, [size[0], size[1], size[2], shape.channels])
            }
            Self::Grouped(shape) => {
                let conv = &shape.conv;
                let mut y = buffers::take(conv.output_len());
                let (x, w) = (x.slice(), w.slice());
                let cost = || grouped_cost(shape, residual);
                timed("grouped", cost, || {
                    checked(grouped::grouped(isa, shape, x, w, epilogue, &mut y));
                });
                let size = [conv.batch, conv.out_height(), conv.out_width()];
                tensor(y, [size[0], size[1], size[2], conv.out_channels])
            }
        }
    }

    /// Computes the gradient of the weights.
    pub(super) fn backward_weight(&self, x: &Values, dy: &Values) -> FlexTensor {
        let (isa, x, dy) = (Isa::detect(), x.slice(), dy.slice());
        match self {
            Self::Dense(shape) => {
                let mut dw = buffers::take(shape.weight_len());
                let cost = || cost(shape, Pass::BackwardWeight, 0);
                let accuracy = accuracy();
                timed("convolution, gradient of weights", cost, || {
                    checked(conv::conv2d_backward_weight(
                        isa, accuracy, shape, x, dy, &mut dw,
                    ));
                });
                let k = shape.kernel;
                tensor(dw, [shape.out_channels, shape.in_channels, k, k])
            }
            Self::Depthwise(shape) => {
                let mut dw = buffers::take(shape.weight_len());
                let cost = || depthwise_cost(shape, 0);
                timed("depthwise, gradient of weights", cost, || {
                    checked(depthwise::depthwise_backward_weight(
                        isa, shape, x, dy, &mut dw,
                    ));
                });
                tensor(dw, [shape.channels, 1, shape.kernel, shape.kernel])
            }
            Self::Grouped(shape) => {
                let conv = &shape.conv;
                let mut dw = buffers::take(shape.weight_len());
                let cost = || grouped_cost(shape, 0);
                timed("grouped, gradient of weights", cost, || {
                    checked(grouped::grouped_backward_weight(isa, shape, x, dy, &mut dw));
                });
                let inputs = conv.in_channels / shape.groups;
                tensor(dw, [conv.out_channels, inputs, conv.kernel, conv.kernel])
            }
        }
    }

    /// Computes the gradient of the input. `slots` can hold the packed weights.
    pub(super) fn backward_input(
        &self,
        dy: &Values,
        w: &Values,
        slots: Option<&Slots>,
    ) -> FlexTensor {
        let (isa, dy) = (Isa::detect(), dy.slice());
        match self {
            Self::Dense(shape) => {
                let mut dx = buffers::take(shape.input_len());
                let w = packed(Pass::BackwardInput, shape, w, slots);
                let cost = || cost(shape, Pass::BackwardInput, 0);
                timed("convolution, gradient of input", cost, || {
                    checked(conv::conv2d_backward_input_packed(&w, shape, dy, &mut dx));
                });
                let size = [shape.batch, shape.height, shape.width, shape.in_channels];
                tensor(dx, size)
            }
            Self::Depthwise(shape) => {
                let mut dx = buffers::take(shape.input_len());
                let (w, cost) = (w.slice(), || depthwise_cost(shape, 0));
                timed("depthwise, gradient of input", cost, || {
                    checked(depthwise::depthwise_backward_input(
                        isa, shape, dy, w, &mut dx,
                    ));
                });
                tensor(dx, [shape.batch, shape.height, shape.width, shape.channels])
            }
            Self::Grouped(shape) => {
                let conv = &shape.conv;
                let mut dx = buffers::take(conv.input_len());
                let (w, cost) = (w.slice(), || grouped_cost(shape, 0));
                timed("grouped, gradient of input", cost, || {
                    checked(grouped::grouped_backward_input(isa, shape, dy, w, &mut dx));
                });
                tensor(dx, [conv.batch, conv.height, conv.width, conv.in_channels])
            }
        }
    }
}

/// The packed weights, from the slots if they hold them.
fn packed(
    pass: Pass,
    shape: &ConvShape,
    weights: &Values,
    slots: Option<&Slots>,
) -> Arc<PackedWeights> {
    timed(
        "packing of weights",
        || packing_cost(shape, pass),
        || {
            checked(match slots {
                Some(slots) => slots.packed(pass, shape, weights),
                None => {
                    let algorithm = algorithm(shape, pass, accuracy());
                    let direction = match pass {
                        Pass::BackwardInput => Direction::Backward,
                        Pass::Forward | Pass::BackwardWeight => Direction::Forward,
                    };
                    let weights = weights.slice();
                    PackedWeights::once(Isa::detect(), algorithm, shape, weights, direction)
                        .map(Arc::new)
                }
            })
        },
    )
}
