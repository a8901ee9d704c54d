//! Reference files.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Arch, Error, Result};

/// A reference file: JSON, created by `scripts/make_parity_reference.py`.
#[derive(Clone, Debug, Deserialize)]
pub struct Reference {
    /// PyTorch's version.
    pub torch: String,
    /// torchvision's version.
    pub torchvision: String,
    /// The numbers, by name of the architecture.
    pub archs: BTreeMap<String, ArchReference>,
}

/// The numbers of one architecture.
#[derive(Clone, Debug, Deserialize)]
pub struct ArchReference {
    /// Shape of the input, which is filled under the name `input`.
    pub input: [usize; 4],
    /// Factor of the weights of convolutions and linear layers.
    #[serde(default = "one")]
    pub gain: f32,
    /// Output in eval mode, `[batch][classes]`.
    pub logits: Vec<Vec<f64>>,
    /// Output of the body in eval mode.
    pub body: BodyReference,
    /// One pass in train mode.
    pub train: TrainReference,
}

fn one() -> f32 {
    1.0
}

/// A summary of the body's output.
#[derive(Clone, Debug, Deserialize)]
pub struct BodyReference {
    /// Its shape.
    pub shape: [usize; 4],
    /// The sum of its values.
    pub sum: f64,
    /// The sum of their squares.
    pub sum_sq: f64,
    /// The first values.
    pub first: Vec<f64>,
}

/// One forward and backward pass in train mode, without dropout.
#[derive(Clone, Debug, Deserialize)]
pub struct TrainReference {
    /// The class of each image.
    pub targets: Vec<usize>,
    /// Mean cross entropy.
    pub loss: f64,
    /// The L2 norm of the gradient of each parameter.
    pub grad_l2: BTreeMap<String, f64>,
    /// Sum and L2 norm of each buffer after the pass.
    pub buffers: BTreeMap<String, [f64; 2]>,
}

impl ArchReference {
    /// The number of classes, after checking that input, logits and targets fit together.
    pub(super) fn classes(&self, arch: Arch) -> Result<usize> {
        let [batch, channels, height, width] = self.input;
        let classes = self.logits.first().map_or(0, Vec::len);
        let wrong = |field, expected: String, found: String| Error::Reference {
            arch: arch.name(),
            field,
            expected,
            found,
        };
        if channels != 3 || batch * height * width == 0 {
            let expected = "[batch, 3, height, width], none of them zero".to_owned();
            return Err(wrong("input", expected, format!("{:?}", self.input)));
        }
        if classes == 0
            || self.logits.len() != batch
            || self.logits.iter().any(|row| row.len() != classes)
        {
            let expected = format!("{batch} rows of one length");
            let found: Vec<_> = self.logits.iter().map(Vec::len).collect();
            return Err(wrong("logits", expected, format!("rows of {found:?}")));
        }
        let targets = &self.train.targets;
        if targets.len() != batch || targets.iter().any(|&target| target >= classes) {
            let expected = format!("{batch} numbers below {classes}");
            return Err(wrong("train.targets", expected, format!("{targets:?}")));
        }
        Ok(classes)
    }
}

/// The largest error that counts as parity, per quantity.
///
/// PyTorch's own float32 results differ from its float64 results by up to a third of these.
/// Gradients of deep networks lose the most precision, because every batch norm over four images
/// amplifies rounding.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerances {
    /// Logits in eval mode.
    pub logits: f64,
    /// Output of the body.
    pub body: f64,
    /// Loss of the pass in train mode.
    pub loss: f64,
    /// Norms of gradients.
    pub gradients: f64,
    /// The one gradient that may deviate more, and by what factor: rounding decides on which side
    /// of an activation's kink a value lies.
    pub kink: Option<(&'static str, f64)>,
    /// Running statistics after the pass.
    pub buffers: f64,
}

impl Tolerances {
    /// A tolerance for the gradients, and 1e-4 for everything else.
    pub const fn gradients(gradients: f64) -> Self {
        Self {
            logits: 1e-4,
            body: 1e-4,
            loss: 1e-4,
            gradients,
            kink: None,
            buffers: 1e-4,
        }
    }

    /// Lets the gradient of one parameter deviate `times` as much as the others.
    pub const fn with_kink(mut self, parameter: &'static str, times: f64) -> Self {
        self.kink = Some((parameter, times));
        self
    }

    /// Sets the tolerance for the loss.
    pub const fn with_loss(mut self, loss: f64) -> Self {
        self.loss = loss;
        self
    }

    /// Sets the tolerance for logits and body.
    pub const fn with_logits(mut self, logits: f64) -> Self {
        self.logits = logits;
        self.body = logits;
        self
    }

    /// Sets the tolerance for the running statistics.
    pub const fn with_buffers(mut self, buffers: f64) -> Self {
        self.buffers = buffers;
        self
    }
}
