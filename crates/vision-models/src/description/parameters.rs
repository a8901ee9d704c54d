//! The names and shapes of the parameters of described layers, as `state::entries` lists those of built ones.

use super::spec::{Children, Conv, Mlp, Norm, PixelNorm, Pointwise, Spec};

pub(super) fn parameters(children: &Children) -> Vec<(String, Vec<usize>)> {
    let mut list = List::default();
    list.children("", children);
    list.0
}

#[derive(Default)]
struct List(Vec<(String, Vec<usize>)>);

/// Joins `layer1.0` and `conv1` to `layer1.0.conv1`.
pub(super) fn join(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    }
}

impl List {
    fn push(&mut self, path: &str, name: &str, shape: Vec<usize>) {
        self.0.push((join(path, name), shape));
    }

    fn children(&mut self, path: &str, children: &Children) {
        for (name, spec) in children {
            match spec {
                // It adds no level of its own.
                Spec::Tokens { .. } => self.layer(path, spec),
                _ => self.layer(&join(path, name), spec),
            }
        }
    }

    fn maybe(&mut self, path: &str, children: &Option<Children>) {
        if let Some(children) = children {
            self.children(path, children);
        }
    }

    fn conv(&mut self, path: &str, conv: &Conv) {
        // A description that was not checked may have no groups.
        let inputs = conv.inputs / conv.groups.max(1);
        let shape = vec![conv.outputs, inputs, conv.kernel, conv.kernel];
        self.push(path, "weight", shape);
        if conv.bias {
            self.push(path, "bias", vec![conv.outputs]);
        }
    }

    fn norm(&mut self, path: &str, norm: &Norm) {
        for name in ["weight", "bias", "running_mean", "running_var"] {
            self.push(path, name, vec![norm.channels]);
        }
    }

    fn pixel_norm(&mut self, path: &str, norm: &PixelNorm) {
        for name in ["weight", "bias"] {
            self.push(path, name, vec![norm.channels]);
        }
    }

    fn pointwise(&mut self, path: &str, map: &Pointwise) {
        let mut shape = vec![map.outputs, map.inputs];
        if map.conv {
            shape.extend([1, 1]);
        }
        self.push(path, "weight", shape);
        if map.bias {
            self.push(path, "bias", vec![map.outputs]);
        }
    }

    fn mlp(&mut self, path: &str, mlp: &Mlp) {
        self.pointwise(&join(path, "fc1"), &mlp.fc1);
        if mlp.grn {
            for name in ["grn.weight", "grn.bias"] {
                self.push(path, name, vec![mlp.fc1.outputs]);
            }
        }
        self.pointwise(&join(path, "fc2"), &mlp.fc2);
    }

    fn units(&mut self, path: &str, names: [&str; 2], units: &[(&Conv, &Norm)]) {
        for (i, (conv, norm)) in (1..).zip(units) {
            self.conv(&join(path, &format!("{}{i}", names[0])), conv);
            self.norm(&join(path, &format!("{}{i}", names[1])), norm);
        }
    }

    fn layer(&mut self, path: &str, spec: &Spec) {
        match spec {
            Spec::Conv2d(conv) => self.conv(path, conv),
            Spec::BatchNorm(norm) => self.norm(path, norm),
            Spec::Relu
            | Spec::Relu6
            | Spec::Activation(_)
            | Spec::MaxPool2d { .. }
            | Spec::AvgPool2d(_)
            | Spec::AdaptiveAvgPool2d { .. }
            | Spec::AdaptiveConcatPool2d
            | Spec::Flatten
            | Spec::Dropout { .. }
            | Spec::ClassToken => {}
            Spec::Linear {
                inputs,
                outputs,
                bias,
            } => {
                self.push(path, "weight", vec![*outputs, *inputs]);
                if *bias {
                    self.push(path, "bias", vec![*outputs]);
                }
            }
            Spec::Sequential(children) => self.children(path, children),
            // It adds no level of its own.
            Spec::Pooled { then, .. } => self.layer(path, then),
            Spec::Shortcut(children) | Spec::Gate(children) => self.children(path, children),
            Spec::Residual {
                layers, downsample, ..
            } => {
                self.children(path, layers);
                self.maybe(&join(path, "downsample"), downsample);
            }
            Spec::BasicBlock {
                conv1,
                bn1,
                conv2,
                bn2,
                downsample,
            } => {
                self.units(path, ["conv", "bn"], &[(conv1, bn1), (conv2, bn2)]);
                self.maybe(&join(path, "downsample"), downsample);
            }
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
                self.units(path, ["conv", "bn"], &units);
                self.maybe(&join(path, "downsample"), downsample);
            }
            Spec::Fire {
                squeeze,
                expand1x1,
                expand3x3,
            } => {
                self.conv(&join(path, "squeeze"), squeeze);
                self.conv(&join(path, "expand1x1"), expand1x1);
                self.conv(&join(path, "expand3x3"), expand3x3);
            }
            Spec::DenseLayer {
                norm1,
                conv1,
                norm2,
                conv2,
            } => {
                self.norm(&join(path, "norm1"), norm1);
                self.conv(&join(path, "conv1"), conv1);
                self.norm(&join(path, "norm2"), norm2);
                self.conv(&join(path, "conv2"), conv2);
            }
            Spec::InvertedResidual { conv, .. } => self.children(&join(path, "conv"), conv),
            Spec::XResBlock { convs, idconv, .. } => {
                self.children(&join(path, "convs"), convs);
                self.maybe(&join(path, "idconv"), idconv);
            }
            Spec::LayerNorm(norm) => self.pixel_norm(path, norm),
            Spec::ConvNextBlock {
                conv_dw,
                norm,
                mlp,
                scale,
                ..
            } => {
                if *scale {
                    self.push(path, "gamma", vec![norm.channels]);
                }
                self.conv(&join(path, "conv_dw"), conv_dw);
                self.pixel_norm(&join(path, "norm"), norm);
                self.mlp(&join(path, "mlp"), mlp);
            }
            Spec::Tokens {
                channels,
                grid,
                class,
            } => {
                let positions = grid.saturating_mul(*grid);
                let positions = positions.saturating_add(usize::from(*class));
                self.push(path, "cls_token", vec![1, 1, *channels]);
                self.push(path, "pos_embed", vec![1, positions, *channels]);
            }
            Spec::TransformerBlock {
                norm1,
                qkv,
                proj,
                norm2,
                mlp,
                scale,
                ..
            } => {
                let factor = |list: &mut Self, name: &str| {
                    if *scale {
                        list.push(&join(path, name), "gamma", vec![norm1.channels]);
                    }
                };
                self.pixel_norm(&join(path, "norm1"), norm1);
                self.pointwise(&join(path, "attn.qkv"), qkv);
                self.pointwise(&join(path, "attn.proj"), proj);
                factor(self, "ls1");
                self.pixel_norm(&join(path, "norm2"), norm2);
                self.mlp(&join(path, "mlp"), mlp);
                factor(self, "ls2");
            }
        }
    }
}
