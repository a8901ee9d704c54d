use burn::module::Module;
use burn::tensor::Tensor;
use vision_kernels::ops::Activation;

use super::{Pointwise, ResponseNorm};
use crate::init::{Init, WeightInit};

/// Two linear maps of the channels of each pixel or token, with GELU between them: to more channels and back.
#[derive(Module, Debug)]
pub struct Mlp {
    pub(crate) fc1: Pointwise,
    /// After GELU, in ConvNeXt V2.
    pub(crate) grn: Option<ResponseNorm>,
    pub(crate) fc2: Pointwise,
}

impl Mlp {
    /// From `channels` to `width` and back. `conv`: the maps are 1×1 convolutions.
    pub(crate) fn new(
        channels: usize,
        width: usize,
        conv: bool,
        start: WeightInit,
        init: &mut Init,
    ) -> Self {
        Self {
            fc1: Pointwise::new([channels, width], conv, start, init),
            grn: None,
            fc2: Pointwise::new([width, channels], conv, start, init),
        }
    }

    /// Adds a global response normalization.
    pub(crate) fn with_response_norm(mut self, init: &Init) -> Self {
        self.grn = Some(ResponseNorm::new(self.fc1.sizes()[1], init));
        self
    }

    /// Maps `[batch, height, width, channels]` to the same shape.
    pub(crate) fn run(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.fc1.run_activated(x, Activation::Gelu);
        let x = match &self.grn {
            Some(grn) => grn.run(x),
            None => x,
        };
        self.fc2.run(x)
    }

    pub(crate) fn leaves_under(&self, name: &str, out: &mut Vec<String>) {
        let grn = self.grn.as_ref().map(|_| "grn");
        let parts = ["fc1", "act"].into_iter().chain(grn).chain(["fc2"]);
        out.extend(parts.map(|part| format!("{name}.{part}")));
    }
}
