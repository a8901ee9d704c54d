//! A small backbone with a batch norm and two layer groups, whose steps take a few milliseconds.

use vision_learner::{Backbone, BodyBuilder, Result};
use vision_models::layers::{BatchNorm, ConvConfig, Layer, Sequential};

/// Two convolutions.
#[derive(Clone, Copy)]
pub(crate) struct Small;

impl Backbone for Small {
    type Body = Sequential;

    fn name(&self) -> String {
        "small".to_owned()
    }

    fn body(&self, builder: &mut BodyBuilder<'_>) -> Result<(Sequential, usize)> {
        let init = builder.init();
        let first = ConvConfig::new(3, 6, 3).with_stride(2).init(init);
        let norm = BatchNorm::new(6, init);
        let second = ConvConfig::new(6, 8, 3).with_stride(2).init(init);
        let layers = vec![
            Layer::Conv2d(first),
            Layer::BatchNorm(norm),
            Layer::Relu,
            Layer::Conv2d(second),
            Layer::Relu,
        ];
        Ok((Sequential::numbered(layers), 8))
    }

    fn split(&self) -> Vec<String> {
        ["0.3", "1"].map(str::to_owned).to_vec()
    }
}
