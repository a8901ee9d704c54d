use burn::module::{Devices, Module, ModuleMapper, ModuleVisitor};
use burn::tensor::{Device, Tensor};
use vision_kernels::ops;

use super::{Layer, channels_last};

/// A classifier after a mean over the whole image, where the mean is not a module of its own.
///
/// The `forward` of torchvision's DenseNet and MobileNet does something between the children
/// `features` and `classifier`: a ReLU (DenseNet), the mean, flattening. This layer is the child
/// `classifier` together with these steps, so the children (which a cut counts) and the names of
/// the parameters stay those of torchvision.
#[derive(Clone, Debug)]
pub struct Pooled {
    pub(crate) relu: bool,
    then: Box<Layer>,
}

impl Pooled {
    /// The mean over the image, then `layer`.
    pub fn new(layer: Layer) -> Self {
        Self {
            relu: false,
            then: Box::new(layer),
        }
    }

    /// Adds a ReLU before the mean.
    pub fn with_relu(mut self) -> Self {
        self.relu = true;
        self
    }

    /// The layer after the mean.
    pub fn layer(&self) -> &Layer {
        &self.then
    }

    /// Maps `[batch, channels, height, width]` to the layer's output for `[batch, channels, 1, 1]`.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        channels_last(x, |x| self.run(x))
    }

    pub(crate) fn run(&self, x: Tensor<4>) -> Tensor<4> {
        let x = if self.relu { ops::relu(x) } else { x };
        self.then.run(ops::mean_pool(x))
    }

    pub(super) fn map_layer(self, f: impl FnOnce(Layer) -> Layer) -> Self {
        Self {
            relu: self.relu,
            then: Box::new(f(*self.then)),
        }
    }
}

// Not derived: the parameters of the inner layer keep their names, without a level for this one.
impl Module for Pooled {
    fn collect_devices(&self, devices: Devices) -> Devices {
        self.then.collect_devices(devices)
    }

    fn fork(self, device: &Device) -> Self {
        self.map_layer(|layer| layer.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        self.map_layer(|layer| layer.to_device(device))
    }

    fn train(self) -> Self {
        self.map_layer(Module::train)
    }

    fn valid(&self) -> Self {
        Self {
            relu: self.relu,
            then: Box::new(self.then.valid()),
        }
    }

    fn materialize(self) -> Self {
        self.map_layer(Module::materialize)
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.then.visit(visitor);
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        self.map_layer(|layer| layer.map(mapper))
    }
}
