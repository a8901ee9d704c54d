//! The output of an inner layer, and what follows from another one.

use burn::tensor::Tensor;
use vision_kernels::ops::{self, Activation};

use super::below;
use crate::arch::convnext::ConvNextBlock;
use crate::arch::densenet::DenseLayer;
use crate::arch::mobilenet::InvertedResidual;
use crate::arch::squeezenet::Fire;
use crate::arch::vit::TransformerBlock;
use crate::arch::xresnet::XResBlock;
use crate::layers::{
    BatchNorm, Conv2d, DOWNSAMPLE, Layer, Mlp, Sequential, concat_channels, dropped,
};

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
        let mut found = None;
        let mut tap = Tap::new(|y| {
            found = Some(y);
            None // ends the run
        });
        let _ = sequential(self, path, x.permute([0, 2, 3, 1]), &mut tap);
        Some(found?.permute([0, 3, 1, 2]))
    }

    /// Applies all layers to `[batch, channels, height, width]`, and replaces the output of the layer at `path` by what
    /// `replace` returns for it, of the same shape.
    ///
    /// The paths are those of [`forward_to`](Self::forward_to). `None` if there is no such layer. The layer and the next one
    /// are then two operations, so that the output may differ from that of [`forward`](Self::forward) by rounding.
    ///
    /// ```
    /// use burn::tensor::Tensor;
    /// use vision_models::{Arch, Init};
    /// # let device = vision_models::test_device();
    /// let net = Arch::ResNet18.build(10, &mut Init::new(0, &device));
    /// let images = Tensor::zeros([1, 3, 64, 64], &device);
    /// // Without what the second stage has found.
    /// let logits = net.forward_replacing("layer2", images, |maps| maps.zeros_like());
    /// assert_eq!(logits.expect("a ResNet has four stages").dims(), [1, 10, 1, 1]);
    /// ```
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if the shape differs.
    pub fn forward_replacing(
        &self,
        path: &str,
        x: Tensor<4>,
        mut replace: impl FnMut(Tensor<4>) -> Tensor<4>,
    ) -> Option<Tensor<4>> {
        let mut tap = Tap::new(|y: Tensor<4>| {
            let y = replace(y.permute([0, 3, 1, 2]));
            Some(y.permute([0, 2, 3, 1]))
        });
        let y = sequential(self, path, x.permute([0, 2, 3, 1]), &mut tap)?;
        tap.reached.then(|| y.permute([0, 3, 1, 2]))
    }
}

/// What takes the output of a layer, `[batch, height, width, channels]`, and returns what the next layers get instead, or
/// `None` to end the run.
struct Tap<F> {
    take: F,
    reached: bool,
}

impl<F: FnMut(Tensor<4>) -> Option<Tensor<4>>> Tap<F> {
    fn new(take: F) -> Self {
        Self {
            take,
            reached: false,
        }
    }
}

/// A [`Tap`] of any function.
trait Taps {
    fn take(&mut self, y: Tensor<4>) -> Option<Tensor<4>>;

    /// Takes `y` if it is the output of the layer at `path`.
    fn at(&mut self, path: &str, name: &str, y: Tensor<4>) -> Option<Tensor<4>> {
        if path == name { self.take(y) } else { Some(y) }
    }
}

impl<F: FnMut(Tensor<4>) -> Option<Tensor<4>>> Taps for Tap<F> {
    fn take(&mut self, y: Tensor<4>) -> Option<Tensor<4>> {
        self.reached = true;
        (self.take)(y)
    }
}

/// Runs all layers. `None` if the run ended or no child is on the path.
fn sequential(
    layers: &Sequential,
    path: &str,
    x: Tensor<4>,
    tap: &mut dyn Taps,
) -> Option<Tensor<4>> {
    let mut children = layers.children().enumerate();
    let (i, layer, rest) =
        children.find_map(|(i, (name, layer))| below(path, name).map(|rest| (i, layer, rest)))?;
    let y = match rest {
        "" => tap.take(layers.run_first(i + 1, x))?,
        rest => inside(layer, rest, layers.run_first(i, x), tap)?,
    };
    Some(layers.run_from(i + 1, y))
}

/// Runs a layer that has the one at `path` inside.
fn inside(layer: &Layer, path: &str, x: Tensor<4>, tap: &mut dyn Taps) -> Option<Tensor<4>> {
    match layer {
        Layer::Sequential(layers) => sequential(layers, path, x, tap),
        Layer::Pooled(pooled) => {
            let x = if pooled.relu { ops::relu(x) } else { x };
            inside(pooled.layer(), path, ops::mean_pool(x), tap)
        }
        Layer::Shortcut(shortcut) => {
            let within = shortcut.downsample().is_some() && below(path, DOWNSAMPLE).is_some();
            let residual = match shortcut.downsample() {
                Some(layers) => part(layers, DOWNSAMPLE, path, x.clone(), tap)?,
                None => x.clone(),
            };
            let y = if within {
                shortcut.layers().run(x)
            } else {
                sequential(shortcut.layers(), path, x, tap)?
            };
            let sum = y + residual;
            Some(if shortcut.relu() { ops::relu(sum) } else { sum })
        }
        Layer::Gate(gate) => {
            let factors = sequential(gate.layers(), path, ops::mean_pool(x.clone()), tap)?;
            Some(ops::scale_channels(x, factors))
        }
        Layer::BasicBlock(block) => {
            let main = [(&block.conv1, &block.bn1), (&block.conv2, &block.bn2)];
            residual(&main, block.downsample.as_ref(), path, x, tap)
        }
        Layer::Bottleneck(block) => {
            let main = [
                (&block.conv1, &block.bn1),
                (&block.conv2, &block.bn2),
                (&block.conv3, &block.bn3),
            ];
            residual(&main, block.downsample.as_ref(), path, x, tap)
        }
        Layer::Fire(block) => fire(block, path, x, tap),
        Layer::DenseLayer(block) => dense(block, path, x, tap),
        Layer::InvertedResidual(block) => inverted(block, path, x, tap),
        Layer::XResBlock(block) => xres(block, path, x, tap),
        Layer::ConvNextBlock(block) => conv_next(block, path, x, tap),
        Layer::TransformerBlock(block) => transformer(block, path, x, tap),
        _ => None,
    }
}

/// Runs layers of a block that are called `name` there.
fn part(
    layers: &Sequential,
    name: &str,
    path: &str,
    x: Tensor<4>,
    tap: &mut dyn Taps,
) -> Option<Tensor<4>> {
    match below(path, name) {
        Some("") => tap.take(layers.run(x)),
        Some(path) => sequential(layers, path, x, tap),
        None => Some(layers.run(x)),
    }
}

fn residual(
    main: &[(&Conv2d, &BatchNorm)],
    downsample: Option<&Sequential>,
    path: &str,
    x: Tensor<4>,
    tap: &mut dyn Taps,
) -> Option<Tensor<4>> {
    let shortcut = match downsample {
        Some(layers) => part(layers, "downsample", path, x.clone(), tap)?,
        None => x.clone(),
    };
    let mut y = x;
    for (i, (conv, norm)) in (1..).zip(main) {
        y = tap.at(path, &format!("conv{i}"), conv.run(y))?;
        y = tap.at(path, &format!("bn{i}"), norm.run(y, None, None))?;
        if i < main.len() {
            y = ops::relu(y);
        }
    }
    Some(ops::relu(y + shortcut))
}

fn fire(block: &Fire, path: &str, x: Tensor<4>, tap: &mut dyn Taps) -> Option<Tensor<4>> {
    let mut unit = |name: &str, conv: &Conv2d, x| {
        let y = tap.at(path, name, conv.run(x))?;
        tap.at(path, &format!("{name}_activation"), ops::relu(y))
    };
    let x = unit("squeeze", &block.squeeze, x)?;
    let small = unit("expand1x1", &block.expand1x1, x.clone())?;
    let large = unit("expand3x3", &block.expand3x3, x)?;
    Some(concat_channels(vec![small, large]))
}

fn dense(block: &DenseLayer, path: &str, x: Tensor<4>, tap: &mut dyn Taps) -> Option<Tensor<4>> {
    let mut y = x.clone();
    let units = [(&block.norm1, &block.conv1), (&block.norm2, &block.conv2)];
    for (i, (norm, conv)) in (1..).zip(units) {
        y = tap.at(path, &format!("norm{i}"), norm.run(y, None, None))?;
        y = tap.at(path, &format!("relu{i}"), ops::relu(y))?;
        y = tap.at(path, &format!("conv{i}"), conv.run(y))?;
    }
    Some(concat_channels(vec![x, y]))
}

fn inverted(
    block: &InvertedResidual,
    path: &str,
    x: Tensor<4>,
    tap: &mut dyn Taps,
) -> Option<Tensor<4>> {
    let y = part(&block.conv, "conv", path, x.clone(), tap)?;
    Some(if block.shortcut { y + x } else { y })
}

fn xres(block: &XResBlock, path: &str, x: Tensor<4>, tap: &mut dyn Taps) -> Option<Tensor<4>> {
    let mut shortcut = x.clone();
    if let Some(pool) = &block.pool {
        shortcut = tap.at(path, "pool", pool.run(shortcut))?;
    }
    if let Some(layers) = &block.idconv {
        shortcut = part(layers, "idconv", path, shortcut, tap)?;
    }
    Some(ops::relu(
        part(&block.convs, "convs", path, x, tap)? + shortcut,
    ))
}

fn conv_next(
    block: &ConvNextBlock,
    path: &str,
    x: Tensor<4>,
    tap: &mut dyn Taps,
) -> Option<Tensor<4>> {
    let y = tap.at(path, "conv_dw", block.conv_dw.run(x.clone()))?;
    let y = tap.at(path, "norm", block.norm.run(y))?;
    Some(block.add(x, mlp(&block.mlp, path, y, tap)?))
}

/// Runs the maps of a block that are called `mlp` there.
fn mlp(mlp: &Mlp, path: &str, x: Tensor<4>, tap: &mut dyn Taps) -> Option<Tensor<4>> {
    let path = match below(path, "mlp") {
        Some("") => return tap.take(mlp.run(x)),
        Some(path) => path,
        None => return Some(mlp.run(x)),
    };
    let x = tap.at(path, "fc1", mlp.fc1.run(x))?;
    let mut x = tap.at(path, "act", ops::activate(x, Activation::Gelu))?;
    if let Some(grn) = &mlp.grn {
        x = tap.at(path, "grn", grn.run(x))?;
    }
    tap.at(path, "fc2", mlp.fc2.run(x))
}

fn transformer(
    block: &TransformerBlock,
    path: &str,
    x: Tensor<4>,
    tap: &mut dyn Taps,
) -> Option<Tensor<4>> {
    let y = tap.at(path, "norm1", block.norm1.run(x.clone()))?;
    let y = tap.at(path, "attn.qkv", block.attn.qkv.run(y))?;
    let y = tap.at(path, "attn.proj", block.attn.proj.run(block.attn.attend(y)))?;
    let mut y = tap.at(path, "attn", y)?;
    if let Some(scale) = &block.ls1 {
        y = tap.at(path, "ls1", scale.run(y))?;
    }
    let x = x + dropped(y, block.drop_path1.as_ref());
    let y = tap.at(path, "norm2", block.norm2.run(x.clone()))?;
    let mut y = mlp(&block.mlp, path, y, tap)?;
    if let Some(scale) = &block.ls2 {
        y = tap.at(path, "ls2", scale.run(y))?;
    }
    Some(x + dropped(y, block.drop_path2.as_ref()))
}
