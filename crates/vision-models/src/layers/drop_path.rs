use burn::module::{Flag, Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use vision_kernels::ops::like;

use super::RandomStream;

/// Stochastic depth (Huang et al. 2016, <https://arxiv.org/abs/1603.09382>): in training, the branch of a block is
/// dropped for a whole image with probability `p`, and scaled by 1/(1−p) for the others.
#[derive(Module, Debug)]
pub struct DropPath {
    /// Whether the layer drops anything on an autodiff device.
    pub training: Param<Flag>,
    #[module(skip)]
    p: f64,
    #[module(skip)]
    stream: RandomStream,
}

impl DropPath {
    /// A layer for a probability in `(0, 1)`, drawn from `stream`; none for 0.
    pub(crate) fn new(p: f64, stream: &RandomStream) -> Option<Self> {
        (p > 0.0).then(|| Self {
            training: Param::from_bool(true),
            p,
            stream: stream.clone(),
        })
    }

    /// The probability that a branch is dropped.
    pub fn p(&self) -> f64 {
        self.p
    }

    /// Whether the layer does anything to an input on `device`.
    pub(crate) fn drops(&self, device: &Device) -> bool {
        device.is_autodiff() && self.training.is_enabled()
    }

    /// Drops or scales each image of `[batch, height, width, channels]`.
    pub(crate) fn run(&self, x: Tensor<4>) -> Tensor<4> {
        let device = x.device();
        if !self.drops(&device) {
            return x;
        }
        let n = x.dims()[0];
        let factors: Vec<f32> = self.stream.keep(self.p, n);
        let factors = TensorData::new(factors, [n, 1, 1, 1]);
        let factors = like(Tensor::<4>::from_data(factors, &device), &x);
        x * factors
    }
}

/// Drops a branch if there is such a layer.
pub(crate) fn dropped(x: Tensor<4>, layer: Option<&DropPath>) -> Tensor<4> {
    match layer {
        Some(layer) => layer.run(x),
        None => x,
    }
}
