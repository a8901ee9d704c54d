use burn::module::{Devices, Module, ModuleMapper, ModuleVisitor};
use burn::tensor::{Device, Tensor};

use super::{Activation, Sequential, channels_last};

/// Layers whose output is added to their input: timm's residual blocks, whose parameters have no level for the sum.
///
/// Other layers, called `downsample`, can change the input before it is added.
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
    downsample: Option<Sequential>,
    relu: bool,
}

/// The name of the layers in the shortcut.
pub(crate) const DOWNSAMPLE: &str = "downsample";
const CONTAINER: &str = "Struct:Shortcut";

impl Shortcut {
    /// The sum of the input and the output of the layers, which has the same shape.
    pub fn new(layers: Sequential) -> Self {
        Self {
            layers,
            downsample: None,
            relu: false,
        }
    }

    /// Adds the output of these layers, named `downsample`, instead of the input.
    pub fn with_downsample(mut self, layers: Sequential) -> Self {
        self.downsample = Some(layers);
        self
    }

    /// Applies a ReLU to the sum.
    pub fn with_relu(mut self) -> Self {
        self.relu = true;
        self
    }

    /// The layers.
    pub fn layers(&self) -> &Sequential {
        &self.layers
    }

    /// The layers that are applied to the input that is added, if any.
    pub fn downsample(&self) -> Option<&Sequential> {
        self.downsample.as_ref()
    }

    /// Whether a ReLU follows the sum.
    pub fn relu(&self) -> bool {
        self.relu
    }

    /// Maps `[batch, channels, height, width]` to the sum.
    ///
    /// # Panics
    ///
    /// If the layers give another shape.
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        channels_last(x, |x| self.run(x))
    }

    pub(crate) fn run(&self, x: Tensor<4>) -> Tensor<4> {
        let residual = match &self.downsample {
            Some(layers) => layers.run(x.clone()),
            None => x.clone(),
        };
        let relu = self.relu.then_some(Activation::Relu);
        self.layers.run_onto(x, residual, relu)
    }

    pub(super) fn map_layers(self, mut f: impl FnMut(Sequential) -> Sequential) -> Self {
        Self {
            layers: f(self.layers),
            downsample: self.downsample.map(f),
            relu: self.relu,
        }
    }
}

// Not derived: the layers' parameters keep their names, without a level for this one.
impl Module for Shortcut {
    fn collect_devices(&self, devices: Devices) -> Devices {
        let devices = self.layers.collect_devices(devices);
        match &self.downsample {
            Some(layers) => layers.collect_devices(devices),
            None => devices,
        }
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
            downsample: self.downsample.as_ref().map(Module::valid),
            relu: self.relu,
        }
    }

    fn materialize(self) -> Self {
        self.map_layers(Module::materialize)
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.layers.visit(visitor);
        if let Some(layers) = &self.downsample {
            visitor.enter_module(DOWNSAMPLE, CONTAINER);
            layers.visit(visitor);
            visitor.exit_module(DOWNSAMPLE, CONTAINER);
        }
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        let layers = self.layers.map(mapper);
        let downsample = self.downsample.map(|layers| {
            mapper.enter_module(DOWNSAMPLE, CONTAINER);
            let layers = layers.map(mapper);
            mapper.exit_module(DOWNSAMPLE, CONTAINER);
            layers
        });
        Self {
            layers,
            downsample,
            relu: self.relu,
        }
    }
}
