//! Comparison of this crate's results with a reference.

use std::collections::HashMap;
use std::fmt;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};

use super::{ArchReference, BodyReference, Tolerances, TrainReference, fill};
use crate::layers::Sequential;
use crate::state::{self, values};
use crate::{Arch, Cut, Init, Result};

/// The largest error of one quantity.
#[derive(Clone, Debug, PartialEq)]
pub struct Deviation {
    /// `logits`, `body`, `loss`, `gradients` or `buffers`.
    pub quantity: &'static str,
    /// The largest relative error. Infinite if something is missing or NaN.
    pub error: f64,
    /// Its position: a row, a statistic or the name of a parameter.
    pub at: String,
    /// The largest error that counts as parity.
    pub tolerance: f64,
}

impl Deviation {
    fn new(quantity: &'static str, tolerance: f64) -> Self {
        Self {
            quantity,
            error: 0.0,
            at: "-".to_owned(),
            tolerance,
        }
    }

    /// Whether the error is within the tolerance.
    pub fn is_within_tolerance(&self) -> bool {
        self.error <= self.tolerance
    }

    /// Records the difference of two numbers, relative to `scale`.
    fn note(&mut self, at: &str, found: f64, expected: f64, scale: f64) {
        let difference = (found - expected).abs();
        // Two zeros agree, whatever the scale.
        let error = if difference == 0.0 {
            0.0
        } else {
            difference / scale
        };
        let error = if error.is_nan() { f64::INFINITY } else { error };
        if error > self.error {
            (self.error, self.at) = (error, at.to_owned());
        }
    }

    fn missing(&mut self, at: &str) {
        self.note(at, f64::NAN, 0.0, 1.0);
    }
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            quantity,
            error,
            at,
            tolerance,
        } = self;
        write!(
            f,
            "{quantity}: {error:.1e} at {at}, tolerance {tolerance:.0e}"
        )
    }
}

/// Fills an architecture with `seed`, runs it on `device` in both modes and compares with
/// `reference`.
///
/// Returns one [`Deviation`] per quantity, the same five for every architecture. Errors are
/// relative. The scale for logits is the largest logit. For the norm of a gradient it is that norm
/// or a thousandth of the largest norm, because the gradient of a bias before a batch norm is zero
/// except for rounding. For the sum of a buffer, whose terms may cancel, it is the largest sum that
/// its norm allows, √n times the norm. A parameter or buffer that only one side has counts as an
/// infinite error.
///
/// # Errors
///
/// [`Error::Reference`](crate::Error::Reference) if the reference is inconsistent.
pub fn compare(
    arch: Arch,
    reference: &ArchReference,
    seed: u64,
    device: &Device,
) -> Result<Vec<Deviation>> {
    let classes = reference.classes(arch)?;
    let tolerances = arch.info().tolerances;
    let pixels = TensorData::new(fill("input", &reference.input, seed), reference.input);
    let model = arch.build(classes, &mut Init::zeroed(device));
    let model = state::assign(model, &mut |name, shape| {
        let mut values = fill(name, shape, seed);
        if name.ends_with(".weight") && shape.len() > 1 {
            values.iter_mut().for_each(|value| *value *= reference.gain);
        }
        Some(values)
    });

    let input = Tensor::from_data(pixels.clone(), device);
    let logits = logits(&model, &reference.logits, input.clone(), tolerances.logits);
    let body = Cut::Default.apply(model.clone(), arch.info().cut)?;
    let body = features(&reference.body, body.forward(input), tolerances.body);

    let input = Tensor::from_data(pixels, &device.clone().autodiff());
    let training = train(
        model.without_dropout().train(),
        &reference.train,
        input,
        tolerances,
    );
    Ok([logits, body].into_iter().chain(training).collect())
}

fn logits(
    model: &Sequential,
    reference: &[Vec<f64>],
    input: Tensor<4>,
    tolerance: f64,
) -> Deviation {
    let mut deviation = Deviation::new("logits", tolerance);
    let found = values(model.forward(input));
    let largest = reference
        .iter()
        .flatten()
        .fold(0.0, |m: f64, v| m.max(v.abs()));
    let classes = reference.first().map_or(1, Vec::len);
    for (i, (found, expected)) in found.iter().zip(reference.iter().flatten()).enumerate() {
        let at = format!("image {}, class {}", i / classes, i % classes);
        deviation.note(&at, f64::from(*found), *expected, largest);
    }
    deviation
}

fn features(reference: &BodyReference, found: Tensor<4>, tolerance: f64) -> Deviation {
    let mut deviation = Deviation::new("body", tolerance);
    if found.dims() != reference.shape {
        deviation.missing(&format!("shape {:?}", found.dims()));
        return deviation;
    }
    let found = values(found);
    let [sum, norm] = sum_and_norm(&found);
    let expected_norm = reference.sum_sq.sqrt();
    deviation.note(
        "sum",
        sum,
        reference.sum,
        reference.sum.abs().max(expected_norm),
    );
    deviation.note(
        "sum of squares",
        norm * norm,
        reference.sum_sq,
        reference.sum_sq,
    );
    // Most features may be zero, so the first eight alone give no scale.
    let typical = expected_norm / (found.len() as f64).sqrt();
    for (i, (found, expected)) in found.iter().zip(&reference.first).enumerate() {
        let scale = expected.abs().max(typical);
        deviation.note(&format!("value {i}"), f64::from(*found), *expected, scale);
    }
    deviation
}

/// One pass in train mode, without dropout: loss, gradients, buffers.
fn train(
    model: Sequential,
    reference: &TrainReference,
    input: Tensor<4>,
    tolerances: Tolerances,
) -> [Deviation; 3] {
    let device = input.device();
    let targets: Vec<i32> = reference.targets.iter().map(|&t| t as i32).collect();
    let targets = TensorData::new(targets, [reference.targets.len(), 1]);
    let targets = Tensor::<2, Int>::from_data(targets, &device);
    let logits: Tensor<2> = model.forward(input).flatten(1, 3);
    let loss = log_softmax(logits, 1).gather(1, targets).mean().neg();

    let mut losses = Deviation::new("loss", tolerances.loss);
    let found = values(loss.clone())
        .first()
        .map_or(f64::NAN, |&v| f64::from(v));
    losses.note("the mean", found, reference.loss, reference.loss.abs());

    let grads = loss.backward();
    let mut found = Statistics {
        grads: &grads,
        by_id: HashMap::new(),
    };
    model.visit(&mut found);

    let mut gradients = Deviation::new("gradients", tolerances.gradients);
    let mut buffers = Deviation::new("buffers", tolerances.buffers);
    let largest = reference.grad_l2.values().fold(0.0, |m: f64, v| m.max(*v));
    let entries = state::entries(&model);
    for entry in &entries {
        let name = entry.name.as_str();
        let found = found.by_id.get(&entry.id);
        if entry.buffer {
            match (found, reference.buffers.get(name)) {
                (Some(found), Some(expected)) => {
                    let [sum, norm] = *expected;
                    let largest_sum = norm * (entry.len() as f64).sqrt();
                    buffers.note(name, found[0], sum, largest_sum);
                    buffers.note(name, found[1], norm, norm);
                }
                _ => buffers.missing(name),
            }
        } else {
            match (found, reference.grad_l2.get(name)) {
                (Some(found), Some(&norm)) => {
                    let kink = tolerances.kink.filter(|(kink, _)| *kink == name);
                    let scale = norm.max(largest / 1000.0) * kink.map_or(1.0, |(_, times)| times);
                    gradients.note(name, found[1], norm, scale);
                }
                _ => gradients.missing(name),
            }
        }
    }
    let here = |name: &str| entries.iter().any(|entry| entry.name == name);
    for name in reference.grad_l2.keys().filter(|name| !here(name)) {
        gradients.missing(name);
    }
    for name in reference.buffers.keys().filter(|name| !here(name)) {
        buffers.missing(name);
    }
    [losses, gradients, buffers]
}

/// Sum and L2 norm of each parameter's gradient and of each buffer's values.
struct Statistics<'a> {
    grads: &'a Gradients,
    by_id: HashMap<ParamId, [f64; 2]>,
}

impl ModuleVisitor for Statistics<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = if param.is_require_grad() {
            param.val().grad(self.grads)
        } else {
            Some(param.val())
        };
        if let Some(tensor) = tensor {
            self.by_id.insert(param.id, sum_and_norm(&values(tensor)));
        }
    }
}

fn sum_and_norm(values: &[f32]) -> [f64; 2] {
    let wide = || values.iter().map(|&v| f64::from(v));
    [wide().sum(), wide().map(|v| v * v).sum::<f64>().sqrt()]
}
