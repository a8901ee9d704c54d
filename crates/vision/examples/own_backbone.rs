//! A custom backbone: a small network, its cut, its layer groups and its number of features.
//!
//!     cargo run --example own_backbone

use vision::data::datasets::synthetic;
use vision::learner::{Backbone, BodyBuilder, Result};
use vision::models::Init;
use vision::models::layers::{
    AdaptiveAvgPool2d, BatchNorm, ConvConfig, Layer, Linear, MaxPool2d, Sequential,
};
use vision::prelude::*;

struct SmallCnn;

/// Four stages of convolution, batch norm, ReLU and pool, and a classifier that the cut drops.
fn whole(classes: usize, init: &mut Init) -> Sequential {
    let mut net = Sequential::new();
    let mut channels = 3;
    for (i, width) in [16, 32, 64, 128].into_iter().enumerate() {
        let conv = ConvConfig::new(channels, width, 3).with_padding(1);
        let stage = Sequential::numbered([
            Layer::Conv2d(conv.init(init)),
            Layer::BatchNorm(BatchNorm::new(width, init)),
            Layer::Relu,
            Layer::MaxPool2d(MaxPool2d::new(2, 2, 0)),
        ]);
        net.push(format!("stage{}", i + 1), Layer::Sequential(stage));
        channels = width;
    }
    let pool = AdaptiveAvgPool2d::new(1);
    net.push("avgpool", Layer::AdaptiveAvgPool2d(pool));
    net.push("fc", Layer::Linear(Linear::new(channels, classes, init)));
    net
}

impl Backbone for SmallCnn {
    // Any module that implements `Body` would do; `Sequential` does, and can be cut by index.
    type Body = Sequential;

    fn name(&self) -> String {
        "small_cnn".to_owned()
    }

    fn body(&self, builder: &mut BodyBuilder<'_>) -> Result<(Sequential, usize)> {
        // Loads the weights of `.pretrained("file")`, if set; `fc` may have another number of classes.
        let net = builder.load_layers(|init| whole(10, init))?;
        let body = builder.cut(net, -2)?; // drops avgpool and fc, unless the user sets `.cut(..)`
        let features = body.out_channels().unwrap_or(128);
        Ok((body, features))
    }

    fn split(&self) -> Vec<String> {
        ["0.2", "1"].map(str::to_owned).to_vec() // two stages, two stages, the head
    }
}

fn main() -> vision::MainResult {
    let folder = tempfile::tempdir()?;
    let path = synthetic::digits(&folder.path().join("digits"), 0, 300, 100)?;
    let data = ImageDataBunch::from_folder(&path).batch_size(32).build()?;

    let mut learner = create_cnn(data, SmallCnn)
        .pretrained(false) // no weights are published for it: without this line, building fails
        .metrics([accuracy()])
        .path(folder.path())
        .build()?;
    println!("{} layer groups", learner.layer_groups().len());
    learner.fit_one_cycle(3, slice(1e-3..1e-2))?;

    for (name, value) in learner.validate()? {
        println!("{name}: {value:.4}");
    }
    Ok(())
}
