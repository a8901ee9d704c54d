//! A device whose memory is used up, or that is gone, as its driver's messages say it: an error, after which the learner works.

use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::Module;
use burn::nn::Initializer;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::Tensor;
use vision_learner::{Backbone, Body, BodyBuilder, Error, Result, Resumable};

use crate::prelude::*;
use crate::support;

/// What the runtimes say, from their sources: CubeCL 0.11, wgpu 29, CUDA's driver.
const MEMORY: [&str; 4] = [
    "Error while reading data: use `try_into_data` instead to catch the error at runtime: An error happened during execution\n\
     Caused by:\n  out of device memory allocating 411041792 bytes\n   0: cubecl_cuda::compute",
    "An out-of-memory error happened during launch\nCaused by:\n  out of memory launching kernel conv2d\nBacktrace\n",
    "wgpu error: Out of Memory\n",
    "CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\"",
];
const LOST: [&str; 2] = [
    "The device is poisoned\nCaused by:\n  Unknown: Device lost",
    "CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered",
];

/// The most images at once, and what is said of more. One model has no place for other state, so that tests share it: each
/// has a row of its own.
static LIMITS: [AtomicUsize; MEMORY.len() + LOST.len() + 2] =
    [const { AtomicUsize::new(usize::MAX) }; MEMORY.len() + LOST.len() + 2];

#[derive(Module, Debug)]
struct Small {
    conv: Conv2d,
    row: usize,
}

impl Body for Small {
    fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let says = MEMORY.iter().chain(&LOST).nth(self.row);
        if images.dims()[0] > LIMITS[self.row].load(Ordering::Relaxed) {
            panic!("{}", says.unwrap_or(&MEMORY[0]));
        }
        self.conv.forward(images)
    }
}

struct Limited(usize);

impl Backbone for Limited {
    type Body = Small;

    fn name(&self) -> String {
        "limited".to_owned()
    }

    fn body(&self, builder: &mut BodyBuilder<'_>) -> Result<(Small, usize)> {
        // Burn's own random numbers differ from learner to learner.
        let conv = Conv2dConfig::new([3, 4], [3, 3])
            .with_stride([4, 4])
            .with_initializer(Initializer::Constant { value: 0.1 });
        let conv = conv.init(&builder.init().device().clone());
        Ok((Small { conv, row: self.0 }, 4))
    }
}

fn learner(digits: &support::Digits, row: usize, batch_size: usize) -> Learner {
    let data = support::data(&digits.path, batch_size);
    let builder = create_cnn(data, Limited(row))
        .pretrained(false)
        .silent(true);
    builder.build().unwrap()
}

#[test]
fn memory_that_is_used_up_is_an_error_that_names_a_batch_that_fits() {
    let digits = support::digits(16, 4);
    for (row, says) in MEMORY.iter().enumerate() {
        let mut learner = learner(&digits, row, 16);
        learner.fit(1, 1e-3).unwrap();
        let before = learner.weights();
        LIMITS[row].store(5, Ordering::Relaxed);
        let error = learner.fit(1, 1e-3).unwrap_err();
        assert_matches!(
            error,
            Error::OutOfMemory { images: 16, fits: Some(4), device, .. } if device == "flex (CPU)"
        );
        let text = error.to_string();
        assert!(text.contains("A batch of 4 fits now"), "{text}");
        assert!(text.contains("memory"), "{text}");
        assert!(!text.contains("cubecl_cuda::compute"), "{says}: {text}");
        // Neither weights nor running statistics moved, and what is left works.
        assert_eq!(learner.weights(), before);
        LIMITS[row].store(usize::MAX, Ordering::Relaxed);
        learner.fit(1, 1e-3).unwrap();
    }
}

#[test]
fn not_even_one_image_fits() {
    let row = MEMORY.len() + LOST.len();
    let digits = support::digits(8, 4);
    let mut learner = learner(&digits, row, 8);
    learner.fit(1, 1e-3).unwrap();
    LIMITS[row].store(0, Ordering::Relaxed);
    let error = learner.fit(1, 1e-3).unwrap_err();
    assert_matches!(error, Error::OutOfMemory { fits: None, .. });
    assert!(!error.to_string().contains("fits now"), "{error}");
    let error = learner.get_preds(DatasetType::Valid).unwrap_err();
    assert_matches!(error, Error::OutOfMemory { images: 8, .. });
    let error = learner.validate().unwrap_err();
    assert_matches!(error, Error::OutOfMemory { .. });
    let data = learner.data();
    let valid = data.dataset(DatasetType::Valid).unwrap();
    let image = data.open(valid.path(0).unwrap()).unwrap();
    let error = learner.predict(&image).unwrap_err();
    assert_matches!(error, Error::OutOfMemory { images: 1, .. });
}

#[test]
fn a_lost_device_is_an_error() {
    let digits = support::digits(8, 4);
    for at in 0..LOST.len() {
        let row = MEMORY.len() + at;
        let mut learner = learner(&digits, row, 8);
        learner.fit(1, 1e-3).unwrap();
        LIMITS[row].store(0, Ordering::Relaxed);
        let error = learner.fit(1, 1e-3).unwrap_err();
        assert_matches!(error, Error::DeviceLost { .. });
        assert!(error.to_string().contains("goes on"), "{error}");
    }
}

#[test]
fn a_resumable_fit_goes_on_after_its_memory_was_used_up() {
    let row = MEMORY.len() + LOST.len() + 1;
    let digits = support::digits(16, 4);
    let run = tempfile::tempdir().unwrap();
    let config = || FitConfig::one_cycle(3).with_lr(1e-3);
    let resumable = || config().resumable(Resumable::new(run.path()).every_steps(1));

    /// Takes the memory away after some steps.
    struct Fill {
        row: usize,
        at: Option<usize>,
    }

    impl Callback for Fill {
        fn name(&self) -> String {
            "fill".to_owned()
        }

        fn on_batch_end(&mut self, ctx: &mut vision_learner::Context<'_>) -> Result<()> {
            if ctx.state.train && self.at == Some(ctx.state.iteration) {
                LIMITS[self.row].store(1, Ordering::Relaxed);
            }
            Ok(())
        }
    }

    let mut whole = learner(&digits, row, 8);
    whole.fit_with(config()).unwrap();
    let mut failed = learner(&digits, row, 8);
    let error = failed
        .fit_with(resumable().with_callback(Fill { row, at: Some(5) }))
        .unwrap_err();
    assert_matches!(error, Error::OutOfMemory { .. });
    drop(failed);
    LIMITS[row].store(usize::MAX, Ordering::Relaxed);
    let mut again = learner(&digits, row, 8);
    again
        .fit_with(resumable().with_callback(Fill { row, at: None }))
        .unwrap();
    assert_eq!(again.weights(), whole.weights());
}
