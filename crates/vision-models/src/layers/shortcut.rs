use burn::module::{Devices, Module, ModuleMapper, ModuleVisitor};
use burn::tensor::{Device, Tensor};

use super::{Sequential, channels_last};

/// Layers whose output is added to their input: timm's residual blocks, whose parameters have no level for the sum.
///
/// ```
/// use vision_models::Init;
/// use vision_models::layers::{ConvConfig, Layer, Sequential, Shortcut};
/// # let device = vision_models::test_device();
/// let mut layers = Sequential::new();
/// layers.push("conv", Layer::Conv2d(ConvConfig::new(8, 8, 1).init(&mut Init::zeroed(&device))));
/// let images = burn::tensor::Tensor::ones([1, 8, 4, 4], &device);
/// // Nothing is added by weights of zero.
/// let same = Shortcut::new(layers).forward(images.clone());
/// assert_eq!(same.to_data(), images.to_data());
/// ```
#[derive(Clone, Debug)]
pub struct Shortcut {
    layers: Sequential,
}

impl Shortcut {
    /// The sum of the input and the output of the layers, which has the same shape.
    pub fn new(layers: Sequential) -> Self {
        Self { layers }
    }

    /// The layers.
    pub fn layers(&self) -> &Sequential {
        &self.layers
    }

    /// Maps `[batch, channels, height, width]` to the same shape.
    ///
    /// # Panics
    ///
    /// If the layers give another shape.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        channels_last(x, |x| self.run(x))
    }

    pub(crate) fn run(&self, x: Tensor<4>) -> Tensor<4> {
        self.layers.run_onto(x.clone(), x, None)
    }

    pub(super) fn map_layers(self, f: impl FnOnce(Sequential) -> Sequential) -> Self {
        Self {
            layers: f(self.layers),
        }
    }
}

// Not derived: the layers' parameters keep their names, without a level for this one.
impl Module for Shortcut {
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
