//! The output of an inner layer.

use burn::tensor::Tensor;
use vision_kernels::ops;

use super::below;
use crate::arch::densenet::DenseLayer;
use crate::arch::mobilenet::InvertedResidual;
use crate::arch::squeezenet::Fire;
use crate::arch::xresnet::XResBlock;
use crate::layers::{BatchNorm, Conv2d, Layer, Sequential};

impl Sequential {
    /// Applies the layers up to the one at `path`, such as `layer4` or `layer1.0.conv1`, to
    /// `[batch, channels, height, width]`, and returns its output. After [`Layer::Flatten`] height and width are 1.
    ///
    /// The paths are those of the modules in PyTorch. `None` if there is no such layer.
    ///
    /// ```
    /// use burn::tensor::Tensor;
    /// use vision_models::{Arch, Init};
    /// # let device = vision_models::test_device();
    /// let net = Arch::ResNet18.build(10, &mut Init::new(0, &device));
    /// let images = Tensor::zeros([1, 3, 64, 64], &device);
    /// let maps = net.forward_to("layer2", images).expect("a ResNet has four stages");
    /// assert_eq!(maps.dims(), [1, 128, 8, 8]);
    /// ```
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn forward_to(&self, path: &str, x: Tensor<4>) -> Option<Tensor<4>> {
        let y = sequential(self, path, x.permute([0, 2, 3, 1]))?;
        Some(y.permute([0, 3, 1, 2]))
    }
}

fn sequential(layers: &Sequential, path: &str, x: Tensor<4>) -> Option<Tensor<4>> {
    for (i, (name, layer)) in layers.children().enumerate() {
        match below(path, name) {
            Some("") => return Some(layers.run_first(i + 1, x)),
            Some(rest) => return inside(layer, rest, layers.run_first(i, x)),
            None => {}
        }
    }
    None
}

/// The output of a layer inside of `layer`, for the input of `layer`.
fn inside(layer: &Layer, path: &str, x: Tensor<4>) -> Option<Tensor<4>> {
    match layer {
        Layer::Sequential(layers) => sequential(layers, path, x),
        Layer::Pooled(pooled) => {
            let x = if pooled.relu { ops::relu(x) } else { x };
            inside(pooled.layer(), path, ops::mean_pool(x))
        }
        Layer::BasicBlock(block) => {
            let main = [(&block.conv1, &block.bn1), (&block.conv2, &block.bn2)];
            residual(&main, block.downsample.as_ref(), path, x)
        }
        Layer::Bottleneck(block) => {
            let main = [
                (&block.conv1, &block.bn1),
                (&block.conv2, &block.bn2),
                (&block.conv3, &block.bn3),
            ];
            residual(&main, block.downsample.as_ref(), path, x)
        }
        Layer::Fire(block) => fire(block, path, x),
        Layer::DenseLayer(block) => dense(block, path, x),
        Layer::InvertedResidual(block) => inverted(block, path, x),
        Layer::XResBlock(block) => xres(block, path, x),
        _ => None,
    }
}

fn part(layers: &Sequential, path: &str, x: Tensor<4>) -> Option<Tensor<4>> {
    match path {
        "" => Some(layers.run(x)),
        path => sequential(layers, path, x),
    }
}

fn residual(
    main: &[(&Conv2d, &BatchNorm)],
    downsample: Option<&Sequential>,
    path: &str,
    x: Tensor<4>,
) -> Option<Tensor<4>> {
    if let Some(path) = below(path, "downsample") {
        return part(downsample?, path, x);
    }
    let mut y = x;
    for (i, (conv, norm)) in (1..).zip(main) {
        y = conv.run(y);
        if path == format!("conv{i}") {
            return Some(y);
        }
        y = norm.run(y, None, false);
        if path == format!("bn{i}") {
            return Some(y);
        }
        y = ops::relu(y);
    }
    None
}

fn fire(block: &Fire, path: &str, x: Tensor<4>) -> Option<Tensor<4>> {
    let (name, active) = match path.strip_suffix("_activation") {
        Some(name) => (name, true),
        None => (path, false),
    };
    let y = match name {
        "squeeze" => block.squeeze.run(x),
        "expand1x1" => block.expand1x1.run(ops::relu(block.squeeze.run(x))),
        "expand3x3" => block.expand3x3.run(ops::relu(block.squeeze.run(x))),
        _ => return None,
    };
    Some(if active { ops::relu(y) } else { y })
}

fn dense(block: &DenseLayer, path: &str, x: Tensor<4>) -> Option<Tensor<4>> {
    let mut y = x;
    let units = [(&block.norm1, &block.conv1), (&block.norm2, &block.conv2)];
    for (i, (norm, conv)) in (1..).zip(units) {
        y = norm.run(y, None, false);
        if path == format!("norm{i}") {
            return Some(y);
        }
        y = ops::relu(y);
        if path == format!("relu{i}") {
            return Some(y);
        }
        y = conv.run(y);
        if path == format!("conv{i}") {
            return Some(y);
        }
    }
    None
}

fn inverted(block: &InvertedResidual, path: &str, x: Tensor<4>) -> Option<Tensor<4>> {
    part(&block.conv, below(path, "conv")?, x)
}

fn xres(block: &XResBlock, path: &str, x: Tensor<4>) -> Option<Tensor<4>> {
    if let Some(path) = below(path, "convs") {
        return part(&block.convs, path, x);
    }
    let pooled = |x| match &block.pool {
        Some(pool) => pool.run(x),
        None => x,
    };
    match below(path, "idconv") {
        Some(path) => part(block.idconv.as_ref()?, path, pooled(x)),
        None if path == "pool" => block.pool.as_ref().map(|pool| pool.run(x)),
        None => None,
    }
}
