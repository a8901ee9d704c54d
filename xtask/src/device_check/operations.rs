//! Each operation and its gradients, at sizes of real networks.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use vision::kernels::adam::Adam;
use vision::kernels::ops::{self, Activation, BatchNormEval, Conv, MaxPool, MeanPool, Padding};
use vision::models::parity;

use super::difference::{Difference, largest, wide};
use super::table::Table;

/// Of the largest value. Sums have up to 50,000 terms.
const TOLERANCE: f64 = 1e-4;
const BATCH: usize = 2;

/// Compares with Burn's own operations on the CPU in 64 bits.
pub(super) fn check(device: &Device, cpu: &Device, table: &mut Table) {
    for case in cases() {
        table.check("operations", &case.name, || case.compare(device, cpu));
    }
    let name = "batch_norm_training, ReLU, what is not a number";
    table.check("operations", name, || {
        let [found, expected] = [device, cpu].map(not_a_number);
        let mut difference = Difference::new(0.0);
        if found != expected || found.iter().all(|is| *is) || !found.contains(&true) {
            difference.note("which values are none", f64::INFINITY);
        }
        difference
    });
}

/// Which outputs and gradients of a batch normalization are no numbers, if a channel has a NaN and another one an infinity. A
/// device that turned them into numbers would hide that training has failed.
fn not_a_number(device: &Device) -> Vec<bool> {
    let (device, shape) = (device.clone().autodiff(), [BATCH, 4, 4, 5]);
    let mut values = parity::fill("not a number", &shape, 0);
    (values[1], values[13]) = (f32::NAN, f32::INFINITY);
    let x = Tensor::<4>::from_data(TensorData::new(values, shape), &device).require_grad();
    let affine = [1.0, 0.5].map(|value| Tensor::<1>::full([5], value, &device));
    let relu = Some(Activation::Relu);
    let output = ops::batch_norm_training(x.clone(), affine, 1e-5, None, relu).output;
    let gradient = x.grad(&output.clone().sum().backward());
    let gradient = gradient.map(wide).unwrap_or_default();
    let outputs = wide(output).into_iter();
    outputs.chain(gradient).map(f64::is_nan).collect()
}

type Operation = Box<dyn Fn(&mut Inputs) -> Tensor<1>>;

struct Case {
    name: String,
    inputs: Vec<Vec<usize>>,
    /// Whether gradients are compared, too. Without them operations may be fused.
    gradients: bool,
    run: Operation,
}

/// The inputs of an operation, in their order.
struct Inputs {
    tensors: std::vec::IntoIter<(Tensor<1>, Vec<usize>)>,
    device: Device,
}

impl Inputs {
    #[expect(clippy::expect_used, reason = "a case that names too few inputs")]
    fn next<const D: usize>(&mut self) -> Tensor<D> {
        let (tensor, shape) = self.tensors.next().expect("an input");
        tensor.reshape(<[usize; D]>::try_from(shape).expect("the dimensions"))
    }

    /// A weight of a layer with so many inputs for each output, so that outputs are about 1.
    fn weight<const D: usize>(&mut self) -> Tensor<D> {
        let weight = self.next::<D>();
        let shape = weight.dims();
        let fan_in: usize = shape[1..].iter().product();
        weight.mul_scalar((3.0 / fan_in as f64).sqrt())
    }

    /// A mean, and a variance above 0.
    fn norm(&mut self, activation: Option<Activation>) -> BatchNormEval {
        BatchNormEval {
            gamma: self.next(),
            beta: self.next(),
            mean: self.next(),
            variance: self.next::<1>().abs().add_scalar(0.5).detach(),
            eps: 1e-5,
            activation,
        }
    }
}

impl Case {
    fn new(
        name: impl Into<String>,
        inputs: &[&[usize]],
        run: impl Fn(&mut Inputs) -> Tensor<1> + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            inputs: inputs.iter().map(|shape| shape.to_vec()).collect(),
            gradients: true,
            run: Box::new(run),
        }
    }

    fn without_gradients(mut self) -> Self {
        self.gradients = false;
        self
    }

    fn compare(&self, device: &Device, cpu: &Device) -> Difference {
        let found = self.compute(device, DType::F32);
        let expected = self.compute(cpu, DType::F64);
        let mut difference = Difference::new(TOLERANCE);
        for ((name, found), (_, expected)) in found.iter().zip(&expected) {
            match (found, expected) {
                (Some(found), Some(expected)) => difference.note(name, largest(found, expected)),
                (None, None) => {}
                _ => difference.note(name, f64::INFINITY),
            }
        }
        difference
    }

    /// The output and the gradients of all inputs.
    fn compute(&self, device: &Device, dtype: DType) -> Vec<(String, Option<Vec<f64>>)> {
        let device = match self.gradients {
            true => device.clone().autodiff(),
            false => device.clone(),
        };
        let values = |what: &str, shape: &[usize]| {
            let values = parity::fill(&format!("{}: {what}", self.name), shape, 0);
            let len = values.len();
            Tensor::<1>::from_data(TensorData::new(values, [len]), &device).cast(dtype)
        };
        let leaves: Vec<Tensor<1>> = (1..)
            .zip(&self.inputs)
            .map(|(n, shape)| values(&format!("input {n}"), shape))
            .map(|leaf| {
                if self.gradients {
                    leaf.require_grad()
                } else {
                    leaf
                }
            })
            .collect();
        let tensors: Vec<_> = leaves.iter().cloned().zip(self.inputs.clone()).collect();
        let output = (self.run)(&mut Inputs {
            tensors: tensors.into_iter(),
            device: device.clone(),
        });
        let mut all = vec![("output".to_owned(), Some(wide(output.clone())))];
        if self.gradients {
            let weights = values("weights of the output", &output.dims());
            let gradients = (output * weights).sum().backward();
            for (n, leaf) in (1..).zip(&leaves) {
                let name = format!("gradient of input {n}");
                all.push((name, leaf.grad(&gradients).map(wide)));
            }
        }
        all
    }
}

fn flat<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    tensor.flatten(0, D - 1)
}

fn cases() -> Vec<Case> {
    let mut all = convolutions();
    all.extend(norms());
    all.extend(pools());
    all.extend(pointwise());
    all.extend(tokens());
    all.extend(losses());
    all.extend(steps());
    all
}

fn convolutions() -> Vec<Case> {
    let same = |stride, padding: usize, groups| Conv {
        stride,
        padding: padding.into(),
        groups,
        dilation: 1,
    };
    // Side of the image, channels in and out, side of the kernel.
    let layers = [
        ("7x7 stride 2", 112, 3, 64, 7, same(2, 3, 1)),
        ("3x3", 56, 64, 64, 3, same(1, 1, 1)),
        ("3x3 stride 2", 28, 128, 256, 3, same(2, 1, 1)),
        ("3x3 small maps", 7, 512, 512, 3, same(1, 1, 1)),
        ("1x1", 14, 256, 1024, 1, same(1, 0, 1)),
        ("1x1 stride 2", 28, 256, 512, 1, same(2, 0, 1)),
        ("3x3 in 32 groups", 28, 128, 128, 3, same(1, 1, 32)),
        ("depthwise 3x3", 56, 96, 96, 3, same(1, 1, 96)),
        ("depthwise 3x3 stride 2", 56, 96, 96, 3, same(2, 1, 96)),
        ("depthwise 5x5", 28, 120, 120, 5, same(1, 2, 120)),
        ("depthwise 7x7", 28, 192, 192, 7, same(1, 3, 192)),
        ("4x4 stride 4", 112, 3, 96, 4, same(4, 0, 1)),
        (
            "3x3 stride 2, zeros below and right",
            56,
            32,
            64,
            3,
            Conv {
                padding: Padding {
                    rows: [0, 1],
                    columns: [0, 1],
                },
                ..same(2, 0, 1)
            },
        ),
        (
            "3x3 dilated",
            28,
            64,
            64,
            3,
            Conv {
                dilation: 2,
                ..same(1, 2, 1)
            },
        ),
    ];
    let mut cases = Vec::new();
    for (name, side, from, to, kernel, conv) in layers {
        let image = [BATCH, side, side, from];
        let weight = [to, from / conv.groups, kernel, kernel];
        cases.push(Case::new(
            format!("conv2d {name}, {from} to {to} channels"),
            &[&image, &weight, &[to]],
            move |i| {
                let (x, w) = (i.next(), i.weight());
                flat(ops::conv2d(x, w, Some(i.next()), conv, None))
            },
        ));
    }
    let conv = same(1, 1, 1);
    cases.push(
        Case::new(
            "conv2d_batch_norm 3x3, residual, ReLU",
            &[
                &[BATCH, 28, 28, 128],
                &[128, 128, 3, 3],
                &[128],
                &[128],
                &[128],
                &[128],
                &[BATCH, 28, 28, 128],
            ],
            move |i| {
                let (x, w) = (i.next(), i.weight());
                let norm = i.norm(Some(Activation::Relu));
                flat(ops::conv2d_batch_norm(
                    x,
                    w,
                    conv,
                    norm,
                    Some(i.next()),
                    None,
                ))
            },
        )
        .without_gradients(),
    );
    cases.push(
        Case::new(
            "conv2d_activation 1x1, GELU",
            &[&[BATCH, 14, 14, 384], &[1536, 384, 1, 1], &[1536]],
            move |i| {
                let (x, w, bias) = (i.next(), i.weight(), Some(i.next()));
                let conv = Conv::default();
                flat(ops::conv2d_activation(
                    x,
                    w,
                    bias,
                    conv,
                    Activation::Gelu,
                    None,
                ))
            },
        )
        .without_gradients(),
    );
    cases
}

fn norms() -> Vec<Case> {
    let image = [BATCH, 28, 28, 128];
    let mut cases = Vec::new();
    for activation in [None, Some(Activation::Relu), Some(Activation::Silu)] {
        let then = activation.map_or(String::new(), |function| format!(", {function:?}"));
        cases.push(Case::new(
            format!("batch_norm_training, residual{then}"),
            &[&image, &[128], &[128], &image],
            move |i| {
                let (x, gamma, beta) = (i.next(), i.next(), i.next());
                let residual = Some(i.next());
                let found = ops::batch_norm_training(x, [gamma, beta], 1e-5, residual, activation);
                Tensor::cat(vec![flat(found.output), found.mean, found.variance], 0)
            },
        ));
    }
    // Whole rows of units, parts of them, and more channels than pixels.
    for (size, channels) in [(56, 64), (37, 24), (3, 1000)] {
        cases.push(Case::new(
            format!("batch_norm_training, ReLU, {size} px, {channels} channels"),
            &[&[BATCH, size, size, channels], &[channels], &[channels]],
            |i| {
                // A mean far from zero, which costs the variance its last bits.
                let x = i.next::<4>().add_scalar(30.0);
                let affine = [i.next(), i.next()];
                let relu = Some(Activation::Relu);
                let found = ops::batch_norm_training(x, affine, 1e-5, None, relu);
                Tensor::cat(vec![flat(found.output), found.mean, found.variance], 0)
            },
        ));
    }
    cases.push(Case::new(
        "batch_norm_eval, residual, ReLU",
        &[&image, &[128], &[128], &[128], &[128], &image],
        |i| {
            let x = i.next();
            let mut norm = i.norm(Some(Activation::Relu));
            norm.mean = norm.mean.detach();
            flat(ops::batch_norm_eval(x, norm, Some(i.next())))
        },
    ));
    cases.push(Case::new(
        "layer_norm",
        &[&[BATCH, 14, 14, 384], &[384], &[384]],
        |i| flat(ops::layer_norm(i.next(), [i.next(), i.next()], 1e-6)),
    ));
    cases
}

fn pools() -> Vec<Case> {
    let max = |kernel, stride, padding, ceil_mode| MaxPool {
        kernel,
        stride,
        padding,
        ceil_mode,
    };
    let mut cases = Vec::new();
    for (name, pool) in [
        ("3x3 stride 2", max(3, 2, 1, false)),
        ("2x2", max(2, 2, 0, false)),
        ("3x3 stride 2, beyond the edge", max(3, 2, 0, true)),
    ] {
        cases.push(Case::new(
            format!("max_pool {name}"),
            &[&[BATCH, 56, 56, 64]],
            move |i| flat(ops::max_pool(i.next(), pool)),
        ));
    }
    for ceil_mode in [false, true] {
        let pool = MeanPool { size: 2, ceil_mode };
        let beyond = if ceil_mode { ", beyond the edge" } else { "" };
        cases.push(Case::new(
            format!("mean_windows 2x2{beyond}"),
            &[&[BATCH, 27, 27, 128]],
            move |i| flat(ops::mean_windows(i.next(), pool)),
        ));
    }
    let map = [BATCH, 7, 7, 512];
    cases.push(Case::new("concat_pool", &[&map], |i| {
        flat(ops::concat_pool(i.next()))
    }));
    cases.push(Case::new("mean_pool", &[&map], |i| {
        flat(ops::mean_pool(i.next()))
    }));
    cases
}

fn pointwise() -> Vec<Case> {
    let all = [
        Activation::Relu,
        Activation::Relu6,
        Activation::Silu,
        Activation::HardSwish,
        Activation::HardSigmoid,
        Activation::Sigmoid,
        Activation::Gelu,
    ];
    let mut cases: Vec<Case> = Vec::new();
    for function in all {
        cases.push(Case::new(
            format!("activate {function:?}"),
            &[&[BATCH, 28, 28, 96]],
            // To both sides of all kinks.
            move |i| flat(ops::activate(i.next::<4>().mul_scalar(8.0), function)),
        ));
    }
    cases.push(Case::new(
        "scale_channels",
        &[&[BATCH, 28, 28, 240], &[BATCH, 1, 1, 240]],
        |i| flat(ops::scale_channels(i.next(), i.next())),
    ));
    cases.push(Case::new(
        "response_norm",
        &[&[BATCH, 14, 14, 384], &[384], &[384]],
        |i| flat(ops::response_norm(i.next(), [i.next(), i.next()], 1e-6)),
    ));
    cases.push(Case::new(
        "add_branch, with a factor per channel",
        &[&[BATCH, 14, 14, 384], &[BATCH, 14, 14, 384], &[384]],
        |i| flat(ops::add_branch(i.next(), i.next(), Some(i.next()))),
    ));
    cases
}

fn tokens() -> Vec<Case> {
    let tokens = 197;
    vec![
        Case::new(
            "linear, 384 to 1536, tokens",
            &[&[BATCH * tokens, 384], &[1536, 384], &[1536]],
            |i| {
                let (x, w) = (i.next(), i.weight());
                flat(ops::linear(x, w, Some(i.next())))
            },
        ),
        Case::new(
            "linear, 2048 to 1000, a batch",
            &[&[BATCH, 2048], &[1000, 2048], &[1000]],
            |i| {
                let (x, w) = (i.next(), i.weight());
                flat(ops::linear(x, w, Some(i.next())))
            },
        ),
        Case::new(
            "linear_activation, GELU",
            &[&[BATCH * tokens, 384], &[1536, 384], &[1536]],
            |i| {
                let (x, w) = (i.next(), i.weight());
                flat(ops::linear_activation(
                    x,
                    w,
                    Some(i.next()),
                    Activation::Gelu,
                ))
            },
        )
        .without_gradients(),
        Case::new(
            "attention, 6 heads of 64, 197 tokens",
            &[&[BATCH, 1, tokens, 3 * 384]],
            |i| flat(ops::attention(i.next::<4>().mul_scalar(3.0), 6)),
        ),
    ]
}

fn losses() -> Vec<Case> {
    let (items, classes) = (64, 1000);
    let targets = move |device: &Device| {
        let targets: Vec<i32> = (0..items).map(|item| item * 31 % 1000).collect();
        Tensor::<1, Int>::from_data(TensorData::new(targets, [items as usize]), device)
    };
    let shape = [items as usize, classes];
    let mut cases = Vec::new();
    for smoothing in [0.0, 0.1] {
        cases.push(Case::new(
            format!("cross_entropy, smoothing {smoothing}"),
            &[&shape],
            move |i| {
                let logits = i.next::<2>().mul_scalar(10.0);
                ops::cross_entropy(logits, targets(&i.device), smoothing, None)
            },
        ));
    }
    cases.push(Case::new("binary_cross_entropy", &[&shape], |i| {
        let logits = i.next::<2>().mul_scalar(10.0);
        let targets = logits.clone().greater_elem(0.0).float();
        let targets = targets.cast(logits.dtype()).detach();
        ops::binary_cross_entropy(logits, targets, None)
    }));
    cases
}

fn steps() -> Vec<Case> {
    let len = 1 << 20;
    vec![
        // 3 x 37 x 37 bytes of two images are no whole words.
        Case::new("images_of_bytes", &[&[1]], |i| {
            let device = i.next::<1>().device();
            let shape = [BATCH, 3, 37, 37];
            let len: usize = shape.iter().product();
            let bytes: Vec<u8> = (0..len).map(|i| (i * 7 % 256) as u8).collect();
            let stats = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];
            let images = ops::images_of_bytes(&bytes, shape, stats, &device);
            flat(images.expect("as many bytes as the shape says"))
        })
        .without_gradients(),
        Case::new("move_to", &[&[len], &[len]], |i| {
            let (average, value) = (i.next(), i.next());
            ops::move_to(average, &value, 0.01)
        })
        .without_gradients(),
        Case::new("adam", &[&[len], &[len], &[len], &[len]], |i| {
            let rule = Adam {
                lr: 1e-2,
                beta1: 0.9,
                beta2: 0.99,
                eps: 1e-5,
                weight_decay: 1e-2,
                step: 3,
            };
            let (value, grad, m) = (i.next(), i.next(), i.next());
            let v = i.next::<1>().abs();
            let found = ops::adam(&rule, value, grad, [m, v]);
            Tensor::cat(found.to_vec(), 0)
        })
        .without_gradients(),
    ]
}
