//! Checks described layers: their sizes, and that each takes what the one before it gives.

use std::collections::BTreeSet;

use vision_base::message::quoted;

use super::parameters::{join, parameters};
use super::pixels::{attended, dropped, normalized_pixels, perceptron};
use super::spec::{Children, Conv, MeanPool, Norm, Spec};
use crate::export::windows;
use crate::layers::SamePadding;
use crate::{Error, Result};

/// Largest depth of layers in layers. The networks of this crate have five.
const MOST_DEPTH: usize = 24;
/// Largest number of layers. The largest network of this crate has 800.
const MOST_LAYERS: usize = 20_000;
/// Largest number of channels or features; VGG flattens to 25,088.
pub(super) const MOST_CHANNELS: usize = 1 << 22;
/// Largest kernel, stride and window in pixels.
const MOST_SIDE: usize = 64;
/// Largest side of an adaptive pool in pixels. The largest of this crate is 7.
const MOST_GRID: usize = 32;
/// Largest side of a learned grid of positions, in patches. The largest of this crate is 37.
const MOST_PATCHES: usize = 1024;
/// Largest number of values of an image's features: 2 GiB.
pub(super) const MOST_VALUES: usize = 1 << 29;
/// Longest name of a layer in bytes.
const LONGEST_NAME: usize = 200;

/// What goes from layer to layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flow {
    /// Number of channels or features, if known.
    pub(super) channels: Option<usize>,
    /// Height and width, if known.
    pub(super) size: Option<[usize; 2]>,
}

pub(super) fn check(children: &Children, size: Option<[usize; 2]>) -> Result<Option<usize>> {
    let mut checks = Checks::default();
    let input = Flow {
        channels: Some(3),
        size,
    };
    values("", input)?;
    let end = checks.children("", children, input, 0)?;
    if checks.layers == 0 {
        return Err(wrong("", "has no layers".to_owned()));
    }
    let mut names = BTreeSet::new();
    for (name, _) in parameters(children) {
        if let Some(name) = names.replace(name) {
            let reason = "has parameters of the same name as another layer";
            return Err(wrong(&name, reason.to_owned()));
        }
    }
    // The classifier's outputs are flattened.
    let outputs = |c: usize, [h, w]: [usize; 2]| c.checked_mul(h * w);
    Ok(end.channels.zip(end.size).and_then(|(c, s)| outputs(c, s)))
}

/// Checks that there are values of the right shape for each parameter.
pub(super) fn confirm(
    parameters: &[(String, Vec<usize>)],
    shape: impl Fn(&str) -> Option<Vec<usize>>,
) -> Result<()> {
    for (name, expected) in parameters {
        match shape(name) {
            Some(found) if found == *expected => {}
            Some(found) => {
                let reason = format!("has the shape {expected:?}, and its values {found:?}");
                return Err(wrong(name, reason));
            }
            None => return Err(wrong(name, "has no values".to_owned())),
        }
    }
    Ok(())
}

pub(super) fn wrong(layer: &str, reason: String) -> Error {
    Error::Description {
        layer: layer.to_owned(),
        reason,
    }
}

#[derive(Default)]
struct Checks {
    layers: usize,
}

impl Checks {
    fn children(&mut self, path: &str, children: &Children, x: Flow, depth: usize) -> Result<Flow> {
        if depth > MOST_DEPTH {
            let reason = format!("is more than {MOST_DEPTH} levels deep");
            return Err(wrong(path, reason));
        }
        children.iter().try_fold(x, |x, (name, spec)| {
            let plain = |c: char| !c.is_control() && c != '.' && c != '/';
            if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(plain) {
                let reason = format!(
                    "has a child {}; expected a name of 1 to {LONGEST_NAME} bytes without '.' and '/'",
                    quoted(name)
                );
                return Err(wrong(path, reason));
            }
            self.layer(&join(path, name), spec, x, depth + 1)
        })
    }

    /// A chain of convolutions and batch norms, and a shortcut.
    fn residual(
        &mut self,
        path: &str,
        units: &[(&Conv, &Norm)],
        downsample: &Option<Children>,
        x: Flow,
        depth: usize,
    ) -> Result<Flow> {
        let mut y = x;
        for (i, (conv, norm)) in (1..).zip(units) {
            y = convolved(&join(path, &format!("conv{i}")), conv, y)?;
            y = normalized(&join(path, &format!("bn{i}")), norm, y)?;
        }
        let shortcut = match downsample {
            Some(children) => self.children(&join(path, "downsample"), children, x, depth)?,
            None => x,
        };
        sum(path, y, shortcut)
    }

    fn layer(&mut self, path: &str, spec: &Spec, x: Flow, depth: usize) -> Result<Flow> {
        self.layers += 1;
        if self.layers > MOST_LAYERS {
            let reason = format!("is beyond the limit of {MOST_LAYERS} layers");
            return Err(wrong(path, reason));
        }
        match spec {
            Spec::Conv2d(conv) => convolved(path, conv, x),
            Spec::BatchNorm(norm) => normalized(path, norm, x),
            Spec::Relu | Spec::Relu6 | Spec::Activation(_) => Ok(x),
            Spec::MaxPool2d {
                kernel,
                stride,
                padding,
                ceil,
            } => {
                // A window of padding alone would have no maximum.
                number(path, "a padding of", *padding, 0, kernel / 2)?;
                pooled(path, x, [*kernel, *stride, *padding], *ceil)
            }
            Spec::AvgPool2d(pool) => mean_pool(path, pool, x),
            Spec::AdaptiveAvgPool2d { size } => {
                number(path, "a size of", *size, 1, MOST_GRID)?;
                let size = Some([*size; 2]);
                values(path, Flow { size, ..x })
            }
            Spec::AdaptiveConcatPool2d => {
                let channels = x.channels.map(|c| 2 * c);
                let size = Some([1, 1]);
                values(path, Flow { channels, size })
            }
            Spec::Flatten => flatten(path, x),
            Spec::Dropout { p } if (0.0..=1.0).contains(p) => Ok(x),
            Spec::Dropout { p } => {
                let reason = format!("has a probability of {p:e}; expected 0 to 1");
                Err(wrong(path, reason))
            }
            Spec::Linear {
                inputs, outputs, ..
            } => {
                let x = flatten(path, x)?;
                takes(path, *inputs, x)?;
                let channels = Some(*outputs);
                values(path, Flow { channels, ..x })
            }
            Spec::Sequential(children) => self.children(path, children, x, depth),
            Spec::Pooled { then, .. } => {
                if depth > MOST_DEPTH {
                    let reason = format!("is more than {MOST_DEPTH} levels deep");
                    return Err(wrong(path, reason));
                }
                let size = Some([1, 1]);
                self.layer(path, then, Flow { size, ..x }, depth + 1)
            }
            Spec::Shortcut(children) => {
                let y = self.children(path, children, x, depth)?;
                sum(path, y, x)
            }
            Spec::Residual {
                layers, downsample, ..
            } => {
                let y = self.children(path, layers, x, depth)?;
                let shortcut = match downsample {
                    Some(children) => {
                        self.children(&join(path, "downsample"), children, x, depth)?
                    }
                    None => x,
                };
                sum(path, y, shortcut)
            }
            Spec::Gate(children) => {
                let size = Some([1, 1]);
                let mean = Flow { size, ..x };
                let factors = self.children(path, children, mean, depth)?;
                let channels = factors.channels.zip(x.channels);
                if factors.size != size || channels.is_some_and(|(a, b)| a != b) {
                    let reason = format!("multiplies {} with {}", shape(mean), shape(factors));
                    return Err(wrong(path, reason));
                }
                Ok(x)
            }
            Spec::BasicBlock {
                conv1,
                bn1,
                conv2,
                bn2,
                downsample,
            } => self.residual(path, &[(conv1, bn1), (conv2, bn2)], downsample, x, depth),
            Spec::Bottleneck {
                conv1,
                bn1,
                conv2,
                bn2,
                conv3,
                bn3,
                downsample,
            } => {
                let units = [(conv1, bn1), (conv2, bn2), (conv3, bn3)];
                self.residual(path, &units, downsample, x, depth)
            }
            Spec::Fire {
                squeeze,
                expand1x1,
                expand3x3,
            } => {
                let x = convolved(&join(path, "squeeze"), squeeze, x)?;
                let small = convolved(&join(path, "expand1x1"), expand1x1, x)?;
                let large = convolved(&join(path, "expand3x3"), expand3x3, x)?;
                concat(path, small, large)
            }
            Spec::DenseLayer {
                norm1,
                conv1,
                norm2,
                conv2,
            } => {
                let y = normalized(&join(path, "norm1"), norm1, x)?;
                let y = convolved(&join(path, "conv1"), conv1, y)?;
                let y = normalized(&join(path, "norm2"), norm2, y)?;
                let y = convolved(&join(path, "conv2"), conv2, y)?;
                concat(path, x, y)
            }
            Spec::InvertedResidual { conv, shortcut } => {
                let y = self.children(&join(path, "conv"), conv, x, depth)?;
                match shortcut {
                    true => sum(path, y, x),
                    false => Ok(y),
                }
            }
            Spec::XResBlock {
                convs,
                idconv,
                pool,
            } => {
                let y = self.children(&join(path, "convs"), convs, x, depth)?;
                let mut shortcut = x;
                if let Some(pool) = pool {
                    shortcut = mean_pool(&join(path, "pool"), pool, shortcut)?;
                }
                if let Some(children) = idconv {
                    shortcut = self.children(&join(path, "idconv"), children, shortcut, depth)?;
                }
                sum(path, y, shortcut)
            }
            Spec::LayerNorm(norm) => normalized_pixels(path, norm, x),
            Spec::ConvNextBlock {
                conv_dw,
                norm,
                mlp,
                drop_path,
                ..
            } => {
                dropped(path, *drop_path)?;
                let y = convolved(&join(path, "conv_dw"), conv_dw, x)?;
                let y = normalized_pixels(&join(path, "norm"), norm, y)?;
                let y = perceptron(&join(path, "mlp"), mlp, y)?;
                // The scale has the norm's number of channels.
                takes(path, norm.channels, y)?;
                sum(path, y, x)
            }
            Spec::Tokens { channels, grid, .. } => {
                takes(path, *channels, x)?;
                number(path, "a grid of", *grid, 1, MOST_PATCHES)?;
                values(
                    path,
                    Flow {
                        size: Some([*grid; 2]),
                        ..x
                    },
                )?;
                let tokens = |[h, w]: [usize; 2]| [1, h.saturating_mul(w).saturating_add(1)];
                let size = x.size.map(tokens);
                values(path, Flow { size, ..x })
            }
            Spec::TransformerBlock {
                norm1,
                heads,
                qkv,
                proj,
                norm2,
                mlp,
                drop_path,
                ..
            } => {
                dropped(path, *drop_path)?;
                let y = normalized_pixels(&join(path, "norm1"), norm1, x)?;
                let y = attended(&join(path, "attn"), *heads, [qkv, proj], y)?;
                takes(path, norm1.channels, y)?;
                let x = sum(path, y, x)?;
                let y = normalized_pixels(&join(path, "norm2"), norm2, x)?;
                let y = perceptron(&join(path, "mlp"), mlp, y)?;
                sum(path, y, x)
            }
            Spec::ClassToken => {
                let size = Some([1, 1]);
                Ok(Flow { size, ..x })
            }
        }
    }
}

fn shape(x: Flow) -> String {
    let channels = x.channels.map_or("?".to_owned(), |c| c.to_string());
    match x.size {
        Some([h, w]) => format!("{channels} channels of {h}x{w}"),
        None => format!("{channels} channels"),
    }
}

/// A number from `least` to `most`.
pub(super) fn number(path: &str, what: &str, n: usize, least: usize, most: usize) -> Result<()> {
    if (least..=most).contains(&n) {
        return Ok(());
    }
    let reason = format!("has {what} {n}; expected {least} to {most}");
    Err(wrong(path, reason))
}

pub(super) fn values(path: &str, x: Flow) -> Result<Flow> {
    let channels = x.channels.unwrap_or(1);
    number(path, "a number of features of", channels, 1, MOST_CHANNELS)?;
    let [h, w] = x.size.unwrap_or([1, 1]);
    let values = h.checked_mul(w).and_then(|n| n.checked_mul(channels));
    if values.is_none_or(|n| n > MOST_VALUES) {
        let reason = format!(
            "gives {channels} features of {h}x{w} pixels, more than {MOST_VALUES} values for an image"
        );
        return Err(wrong(path, reason));
    }
    Ok(x)
}

pub(super) fn takes(path: &str, expected: usize, x: Flow) -> Result<()> {
    number(path, "a number of inputs of", expected, 1, MOST_CHANNELS)?;
    match x.channels.filter(|found| *found != expected) {
        None => Ok(()),
        Some(found) => {
            let reason = format!("takes {expected} channels, and gets {found}");
            Err(wrong(path, reason))
        }
    }
}

fn pooled(path: &str, x: Flow, ksp: [usize; 3], ceil: bool) -> Result<Flow> {
    let [kernel, stride, padding] = ksp;
    number(path, "a window of", kernel, 1, MOST_SIDE)?;
    number(path, "a stride of", stride, 1, MOST_SIDE)?;
    number(path, "a padding of", padding, 0, kernel)?;
    let size = windows(x.size, ksp, ceil);
    match x.size {
        Some([h, w]) if size.is_none_or(|[h, w]| h * w == 0) => {
            let reason = format!("has a window of {kernel} pixels, and gets {h}x{w}");
            Err(wrong(path, reason))
        }
        _ => values(path, Flow { size, ..x }),
    }
}

fn normalized(path: &str, norm: &Norm, x: Flow) -> Result<Flow> {
    takes(path, norm.channels, x)?;
    let (momentum, epsilon) = (norm.momentum, norm.epsilon);
    if !(0.0..=1.0).contains(&momentum) || !(0.0..=1.0).contains(&epsilon) {
        let reason = format!("has momentum {momentum:e} and epsilon {epsilon:e}; expected 0 to 1");
        return Err(wrong(path, reason));
    }
    let channels = Some(norm.channels);
    Ok(Flow { channels, ..x })
}

fn mean_pool(path: &str, pool: &MeanPool, x: Flow) -> Result<Flow> {
    pooled(path, x, [pool.size, pool.size, 0], pool.ceil)
}

fn sum(path: &str, a: Flow, b: Flow) -> Result<Flow> {
    let differ = |a: Option<usize>, b: Option<usize>| a.zip(b).is_some_and(|(a, b)| a != b);
    let sizes = a.size.zip(b.size).is_some_and(|(a, b)| a != b);
    if differ(a.channels, b.channels) || sizes {
        let reason = format!(
            "adds features of different shapes: {} and {}",
            shape(a),
            shape(b)
        );
        return Err(wrong(path, reason));
    }
    Ok(a)
}

fn concat(path: &str, a: Flow, b: Flow) -> Result<Flow> {
    if a.size.zip(b.size).is_some_and(|(a, b)| a != b) {
        let reason = format!(
            "joins features of different sizes: {} and {}",
            shape(a),
            shape(b)
        );
        return Err(wrong(path, reason));
    }
    let channels = a.channels.zip(b.channels).map(|(a, b)| a + b);
    values(path, Flow { channels, ..a })
}

fn flatten(path: &str, x: Flow) -> Result<Flow> {
    let channels = match (x.channels, x.size) {
        (Some(c), Some([h, w])) => c.checked_mul(h).and_then(|n| n.checked_mul(w)),
        _ => None,
    };
    let size = Some([1, 1]);
    values(path, Flow { channels, size })
}

fn convolved(path: &str, conv: &Conv, x: Flow) -> Result<Flow> {
    takes(path, conv.inputs, x)?;
    number(path, "a number of groups of", conv.groups, 1, conv.inputs)?;
    let divides = |n: usize| n.is_multiple_of(conv.groups);
    if !divides(conv.inputs) || !divides(conv.outputs) {
        let reason = format!(
            "has {} groups, which do not divide {} inputs and {} outputs",
            conv.groups, conv.inputs, conv.outputs
        );
        return Err(wrong(path, reason));
    }
    let channels = Some(conv.outputs);
    if conv.same {
        number(path, "a window of", conv.kernel, 1, MOST_SIDE)?;
        number(path, "a stride of", conv.stride, 1, MOST_SIDE)?;
        let outputs = |side| SamePadding::outputs(side, conv.stride);
        let size = x.size.map(|size| size.map(outputs));
        return values(path, Flow { channels, size });
    }
    let ksp = [conv.kernel, conv.stride, conv.padding];
    pooled(path, Flow { channels, ..x }, ksp, false)
}
