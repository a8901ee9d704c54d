use burn::module::{Devices, Module, ModuleMapper, ModuleVisitor};
use burn::tensor::{Device, Tensor};
use vision_kernels::ops;

use super::{Sequential, channels_last};

/// Squeeze and excitation (Hu et al. 2017, <https://arxiv.org/abs/1709.01507>): layers compute a factor for each channel
/// from the means of all channels, and the input is multiplied with these factors.
///
/// ```
/// use vision_models::Init;
/// use vision_models::layers::{Activation, Gate, Layer, Sequential};
/// # let device = vision_models::test_device();
/// let mut layers = Sequential::new();
/// layers.push("gate", Layer::Activation(Activation::Sigmoid));
/// let images = burn::tensor::Tensor::zeros([1, 8, 4, 4], &device);
/// assert_eq!(Gate::new(layers).forward(images).dims(), [1, 8, 4, 4]);
/// ```
#[derive(Clone, Debug)]
pub struct Gate {
    layers: Sequential,
}

impl Gate {
    /// `layers` map `[batch, channels, 1, 1]` to the same shape.
    pub fn new(layers: Sequential) -> Self {
        Self { layers }
    }

    /// The layers that compute the factors.
    pub fn layers(&self) -> &Sequential {
        &self.layers
    }

    /// Maps `[batch, channels, height, width]` to the same shape.
    ///
    /// # Panics
    ///
    /// If the layers give another number of channels.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        channels_last(x, |x| self.run(x))
    }

    pub(crate) fn run(&self, x: Tensor<4>) -> Tensor<4> {
        let factors = self.layers.run(ops::mean_pool(x.clone()));
        ops::scale_channels(x, factors)
    }

    pub(super) fn map_layers(self, f: impl FnOnce(Sequential) -> Sequential) -> Self {
        Self {
            layers: f(self.layers),
        }
    }
}

// Not derived: the layers' parameters keep their names, without a level for this one.
impl Module for Gate {
    fn collect_devices(&self, devices: Devices) -> Devices {
        self.layers.collect_devices(devices)
    }

    fn fork(self, device: &Device) -> Self {
        self.map_layers(|layers| layers.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        self.map_layers(|layers| layers.to_device(device))
    }

    fn train(self) -> Self {
        self.map_layers(Module::train)
    }

    fn valid(&self) -> Self {
        Self {
            layers: self.layers.valid(),
        }
    }

    fn materialize(self) -> Self {
        self.map_layers(Module::materialize)
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.layers.visit(visitor);
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        self.map_layers(|layers| layers.map(mapper))
    }
}
