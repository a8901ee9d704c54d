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
/// all pixels change by `NUDGE`: two engines round as differently as that.
const ROUNDING: f64 = 3.0;
/// Relative. About eight times the smallest change that 32 bits hold.
const NUDGE: f32 = 1e-6;
/// Which values cross a kink is chance: pixels change up and down with each of these periods in turn, and the most counts.
const PERIODS: [usize; 5] = [1, 2, 3, 5, 7];
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
            let step = if frozen { "frozen step" } else { "step" };
            let named = |what: &str| format!("{name}: {step}, {what}");
            if !["gradients", "loss", "statistics"]
                .map(named)
                .iter()
                .any(|check| table.wants(check))
            {
                continue;
            }
            let expected = Step::of(arch, side, frozen, cpu, None);
            let mut at = None;
            table.check("networks", &named("gradients"), || {
                let found = Step::of(arch, side, frozen, device, None);
                let mut difference = found.gradients(&expected, GRADIENTS);
                if !difference.is_within_tolerance() {
                    let nudged = PERIODS.map(|period| {
                        let nudged = Step::of(arch, side, frozen, cpu, Some(period));
                        nudged.gradients(&expected, 0.0).error
                    });
                    let rounding = nudged.into_iter().fold(0.0, f64::max);
                    let allowed = GRADIENTS.max(ROUNDING * rounding);
                    difference = found.gradients(&expected, allowed);
                }
                at = Some(found);
                difference
            });
            let Some(found) = at else { continue };
            table.check("networks", &named("loss"), || {
                let mut difference = Difference::new(LOSS);
                difference.note("loss", norm(&[found.loss], &[expected.loss], expected.loss));
                difference
            });
            if !expected.buffers.is_empty() {
                table.check("networks", &named("statistics"), || {
                    found.statistics(&expected)
                });
            }
        }
    }
}

fn model(arch: Arch, device: &Device) -> Sequential {
    arch.build(CLASSES, &mut Init::new(0, device))
}

/// With a period, that many pixels are changed by `NUDGE` of themselves, as many after them the other way, and so on.
fn images(side: usize, period: Option<usize>, device: &Device) -> Tensor<4> {
    let shape = [BATCH, 3, side, side];
    let mut pixels = parity::fill("input", &shape, 0);
    if let Some(period) = period {
        for (i, pixel) in pixels.iter_mut().enumerate() {
            let sign = if (i / period).is_multiple_of(2) {
                1.0
            } else {
                -1.0
            };
            *pixel *= 1.0 + sign * NUDGE;
        }
    }
    Tensor::from_data(TensorData::new(pixels, shape), device)
}

fn predictions(arch: Arch, side: usize, device: &Device) -> Vec<f64> {
    let logits = model(arch, device).forward(images(side, None, device));
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
    fn of(arch: Arch, side: usize, frozen: bool, device: &Device, nudge: Option<usize>) -> Self {
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
