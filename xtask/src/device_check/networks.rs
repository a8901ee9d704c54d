//! Predictions and training steps of whole networks.

use std::collections::HashMap;

use burn::module::{Module, ModuleVisitor, Param, ParamGroup, ParamId};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Gradients, Int, Tensor, TensorData};
use vision::models::layers::Sequential;
use vision::models::{Arch, Init, mode, parity, state};

use super::difference::{Difference, largest, length, norm, wide};
use super::table::Table;

/// Networks of all kinds, and the side of their images.
const NETWORKS: [(Arch, usize); 10] = [
    (Arch::ResNet18, 128),
    (Arch::ResNet50, 128),
    (Arch::DenseNet121, 128),
    (Arch::SqueezeNet1_1, 128),
    (Arch::MobileNetV3Small, 128),
    (Arch::MobileNetV4ConvSmall, 128),
    (Arch::EfficientNetB0, 128),
    (Arch::RegNetY004, 128),
    (Arch::ConvNextAtto, 128),
    (Arch::VitTinyPatch16_224, 224),
];
const BATCH: usize = 4;
const CLASSES: usize = 10;
/// Of the largest logit.
const LOGITS: f64 = 1e-4;
/// Relative.
const LOSS: f64 = 1e-4;
/// The norm of the difference over that of the gradient. A value that rounding moves across the kink of a ReLU changes the
/// gradients of all layers below.
const GRADIENTS: f64 = 1e-2;
/// Where rounding changes gradients by more, a device may differ by this multiple of what the CPU's own gradients change by if
/// all pixels change by `NUDGE`: two engines round as differently as that, and which values cross a kink is chance.
const ROUNDING: f64 = 3.0;
/// Relative. About eight times the smallest change that 32 bits hold.
const NUDGE: f32 = 1e-6;
/// Relative.
const BUFFERS: f64 = 1e-4;
/// Gradients that are smaller than this part of the largest are zero but for rounding, such as that of a bias before a batch
/// norm.
const SMALL: f64 = 1e-3;

/// Compares with the CPU.
pub(super) fn check(device: &Device, cpu: &Device, table: &mut Table) {
    for (arch, side) in NETWORKS {
        let name = arch.name();
        table.check("networks", &format!("{name}: predictions"), || {
            let found = predictions(arch, side, device);
            let expected = predictions(arch, side, cpu);
            let mut difference = Difference::new(LOGITS);
            difference.note("logits", largest(&found, &expected));
            difference
        });
        for frozen in [false, true] {
            let expected = Step::of(arch, side, frozen, cpu, 0.0);
            let nudged = Step::of(arch, side, frozen, cpu, NUDGE);
            let rounding = nudged.gradients(&expected, 0.0).error;
            let allowed = GRADIENTS.max(ROUNDING * rounding);
            let step = if frozen { "frozen step" } else { "step" };
            let mut at = None;
            table.check("networks", &format!("{name}: {step}, gradients"), || {
                let found = Step::of(arch, side, frozen, device, 0.0);
                let difference = found.gradients(&expected, allowed);
                at = Some(found);
                difference
            });
            let Some(found) = at else { continue };
            table.check("networks", &format!("{name}: {step}, loss"), || {
                let mut difference = Difference::new(LOSS);
                difference.note("loss", norm(&[found.loss], &[expected.loss], expected.loss));
                difference
            });
            if !expected.buffers.is_empty() {
                table.check("networks", &format!("{name}: {step}, statistics"), || {
                    found.statistics(&expected)
                });
            }
        }
    }
}

fn model(arch: Arch, device: &Device) -> Sequential {
    arch.build(CLASSES, &mut Init::new(0, device))
}

/// Every other pixel is changed by a part of itself, and its neighbor by as much the other way.
fn images(side: usize, nudge: f32, device: &Device) -> Tensor<4> {
    let shape = [BATCH, 3, side, side];
    let mut pixels = parity::fill("input", &shape, 0);
    for pair in pixels.chunks_exact_mut(2) {
        pair[0] *= 1.0 + nudge;
        pair[1] *= 1.0 - nudge;
    }
    Tensor::from_data(TensorData::new(pixels, shape), device)
}

fn predictions(arch: Arch, side: usize, device: &Device) -> Vec<f64> {
    let logits = model(arch, device).forward(images(side, 0.0, device));
    wide(logits)
}

/// What one training step computes.
struct Step {
    loss: f64,
    /// By name; none for a parameter without a gradient.
    gradients: Vec<(String, Option<Vec<f64>>)>,
    /// The running statistics afterwards.
    buffers: Vec<(String, Vec<f64>)>,
}

impl Step {
    /// Without dropout. `frozen`: only batch norms and the last layer train, as in fastai.
    fn of(arch: Arch, side: usize, frozen: bool, device: &Device, nudge: f32) -> Self {
        let model = model(arch, device).train();
        let model = mode::set_training(model, &mut |mode| mode.owner == "BatchNorm");
        let entries = state::entries(&model);
        let last = entries.iter().rev().find(|entry| !entry.buffer);
        let last = last.and_then(|entry| entry.name.rsplit_once('.'));
        let last = last.map_or(String::new(), |(layer, _)| format!("{layer}."));
        let is_frozen =
            |e: &&state::Entry| frozen && !e.is_batch_norm() && !e.name.starts_with(&last);
        let ids = entries.iter().filter(is_frozen).map(|e| e.id).collect();
        let model = model.set_require_grad_group(ParamGroup::from_ids(ids), false);

        let device = device.clone().autodiff();
        let targets: Vec<i32> = (0..BATCH as i32).map(|i| i * 3 % CLASSES as i32).collect();
        let targets = Tensor::<2, Int>::from_data(TensorData::new(targets, [BATCH, 1]), &device);
        let logits: Tensor<2> = model.forward(images(side, nudge, &device)).flatten(1, 3);
        let loss = log_softmax(logits, 1).gather(1, targets).mean().neg();
        let value = wide(loss.clone()).first().copied();
        let gradients = loss.backward();
        let mut found = ByParameter {
            gradients: &gradients,
            found: HashMap::new(),
        };
        model.visit(&mut found);
        let parameters = entries.iter().filter(|entry| !entry.buffer);
        let of = |entry: &state::Entry| (entry.name.clone(), found.found.get(&entry.id).cloned());
        let gradients = parameters.map(of).collect();

        // The copy for inference has the statistics of this step.
        let buffers = state::tensors(&model.valid()).into_iter();
        let is_buffer = |name: &str| entries.iter().any(|e| e.buffer && e.name == name);
        let buffers = buffers.filter(|tensor| is_buffer(&tensor.name));
        let buffers = buffers.map(|tensor| {
            let values = tensor.values.into_iter().map(f64::from);
            (tensor.name, values.collect())
        });
        Self {
            loss: value.unwrap_or(f64::NAN),
            gradients,
            buffers: buffers.collect(),
        }
    }

    fn gradients(&self, expected: &Self, allowed: f64) -> Difference {
        let norms = expected.gradients.iter();
        let norms = norms.filter_map(|(_, gradient)| Some(length(gradient.as_ref()?)));
        let most = norms.fold(0.0, f64::max);
        let mut difference = Difference::new(allowed);
        for ((name, found), (_, expected)) in self.gradients.iter().zip(&expected.gradients) {
            match (found, expected) {
                (Some(found), Some(expected)) => {
                    let scale = length(expected).max(SMALL * most);
                    difference.note(name, norm(found, expected, scale));
                }
                (None, None) => {}
                // One trains that should not, or the other way round.
                _ => difference.note(name, f64::INFINITY),
            }
        }
        difference
    }

    fn statistics(&self, expected: &Self) -> Difference {
        let mut difference = Difference::new(BUFFERS);
        for ((name, found), (_, values)) in self.buffers.iter().zip(&expected.buffers) {
            // A mean can be 0 but for rounding, such as that of a convolution of normalized maps: it counts beside the deviation.
            let deviation = match name.strip_suffix("running_mean") {
                Some(layer) => expected.deviation(layer),
                None => 0.0,
            };
            difference.note(name, norm(found, values, length(values).max(deviation)));
        }
        difference
    }

    /// The norm of the running standard deviations of a layer.
    fn deviation(&self, layer: &str) -> f64 {
        let name = format!("{layer}running_var");
        let variances = self.buffers.iter().find(|(own, _)| *own == name);
        variances.map_or(0.0, |(_, values)| values.iter().sum::<f64>().sqrt())
    }
}

struct ByParameter<'a> {
    gradients: &'a Gradients,
    found: HashMap<ParamId, Vec<f64>>,
}

impl ModuleVisitor for ByParameter<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad(self.gradients) {
            self.found.insert(param.id, wide(gradient));
        }
    }
}
