//! A net without batch norms, in which the gradient of a batch is the mean over its items.

use burn::module::Module;
use burn::nn;
use burn::tensor::Tensor;
use vision_learner::{Backbone, BodyBuilder, Head, Result};
use vision_models::layers::{ConvConfig, Layer, Sequential};

/// Two convolutions.
#[derive(Clone, Copy)]
pub(crate) struct TwoConvs;

impl Backbone for TwoConvs {
    type Body = Sequential;

    fn name(&self) -> String {
        "two_convs".to_owned()
    }

    fn body(&self, builder: &mut BodyBuilder<'_>) -> Result<(Sequential, usize)> {
        let init = builder.init();
        let first = ConvConfig::new(3, 6, 3).with_stride(2).init(init);
        let second = ConvConfig::new(6, 8, 3).with_stride(2).init(init);
        let layers = vec![
            Layer::Conv2d(first),
            Layer::Relu,
            Layer::Conv2d(second),
            Layer::Relu,
        ];
        Ok((Sequential::numbered(layers), 8))
    }
}

/// The mean over space, and a linear layer.
#[derive(Module, Debug)]
pub(crate) struct MeanHead {
    fc: nn::Linear,
}

impl MeanHead {
    pub(crate) fn new() -> Self {
        let device = vision_data::device::parse("cpu").unwrap();
        let constant = nn::Initializer::Constant { value: 0.1 };
        let fc = nn::LinearConfig::new(8, 2)
            .with_initializer(constant)
            .init(&device);
        Self { fc }
    }
}

impl Head for MeanHead {
    fn forward(&self, features: Tensor<4>) -> Tensor<2> {
        let [n, c, ..] = features.dims();
        self.fc
            .forward(features.mean_dim(3).mean_dim(2).reshape([n, c]))
    }
}
