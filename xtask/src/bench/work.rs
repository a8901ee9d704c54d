//! The kinds of work that are timed.

use burn::module::{Module, ParamGroup};
use burn::tensor::{Device, Int, Tensor, TensorData};
use clap::ValueEnum;
use vision::kernels::ops;
use vision::learner::{Adam, GroupedOptimizer};
use vision::models::layers::Sequential;
use vision::models::{Arch, Init, parity, state};

/// A network and its batches.
#[derive(Clone, Copy)]
pub(crate) struct Work {
    pub(crate) arch: Arch,
    pub(crate) batch: usize,
    /// Side of the images in pixels.
    pub(crate) size: usize,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum What {
    /// Forward pass in evaluation mode
    Inference,
    /// Forward, backward and Adam step of all parameters
    Train,
    /// The same, with only batch norms and the last layer training
    TrainFrozenBody,
    /// From the image files in `--data` to batches on the device
    Loader,
    /// A single image from JPEG bytes to its class through a deployed model, and the start of a process
    Latency,
    /// Fits of `--repeats` batches: plain, resumable, with an average of the weights
    Fit,
    /// Single images from a `Predictor`, called by one thread and by eight
    Predict,
    /// The shards in the folder `--data`: opening, order, reading (`scripts/make_many_shards.py`)
    Shards,
    /// The interpretation of a million predictions of a thousand classes
    Interpret,
}

impl What {
    pub(super) fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or(String::new(), |v| v.get_name().to_owned())
    }
}

/// Returns a function that does one step of the work, and returns when the device has finished.
pub(crate) fn stepper(what: What, work: Work, device: &Device) -> Box<dyn FnMut()> {
    let plain = device.clone();
    let shape = [work.batch, 3, work.size, work.size];
    let model = work.arch.build(2, &mut Init::new(0, device));
    let pixels = TensorData::new(parity::fill("input", &shape, 0), shape);
    if what == What::Inference {
        let x = Tensor::<4>::from_data(pixels, device);
        return Box::new(move || {
            drop(model.forward(x.clone()));
            drop(plain.sync());
        });
    }
    let device = device.clone().autodiff();
    let x = Tensor::<4>::from_data(pixels, &device);
    let classes: Vec<i64> = (0..work.batch as i64).map(|i| i % 2).collect();
    let y = Tensor::<1, Int>::from_data(TensorData::new(classes, [work.batch]), &device);
    let mut model = model.train();
    if what == What::TrainFrozenBody {
        let entries = state::entries(&model).into_iter();
        let frozen = entries.filter(|e| !(e.is_batch_norm() || e.name.starts_with("fc.")));
        let frozen = frozen.map(|e| e.id).collect();
        model = model.set_require_grad_group(ParamGroup::from_ids(frozen), false);
    }
    let groups = [state::entries(&model)];
    let mut optimizer = GroupedOptimizer::new(Box::new(Adam::default()), &groups, true, true);
    let mut slot: Option<Sequential> = Some(model);
    Box::new(move || {
        slot = slot.take().map(|model| {
            let logits = model.forward(x.clone()).flatten(1, 3);
            let mut grads = ops::cross_entropy(logits, y.clone(), 0.0, None)
                .mean()
                .backward();
            optimizer.step(model, &mut grads)
        });
        drop(plain.sync());
    })
}
