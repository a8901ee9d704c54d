//! Training with more memory than a device has.

use std::path::Path;

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::Tensor;
use vision::data::Device;
use vision::data::datasets::synthetic;
use vision::data::device::is_cpu;
use vision::learner::{self, Body, BodyBuilder};
use vision::prelude::*;

use super::difference::Difference;
use super::table::Table;
use crate::Result;

/// Images at once for which the memory suffices.
const FIT: usize = 4;
const BATCH: usize = 8;
/// Values of 4 bytes; 4 GiB at once, and 1 TiB in all, which no device has.
const CHUNK: usize = 1 << 30;
const CHUNKS: usize = 256;

#[derive(Module, Debug)]
struct Greedy {
    conv: Conv2d,
}

impl Body for Greedy {
    fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let features = self.conv.forward(images);
        if features.dims()[0] <= FIT {
            return features;
        }
        let mut held = Vec::new();
        for _ in 0..CHUNKS {
            let chunk = Tensor::<1>::empty([CHUNK], &features.device());
            // The device says no when a value is read.
            let _ = chunk.clone().slice(0..1).into_data();
            held.push(chunk);
        }
        features
    }
}

struct Backbone;

impl learner::Backbone for Backbone {
    type Body = Greedy;

    fn name(&self) -> String {
        "greedy".to_owned()
    }

    fn body(&self, builder: &mut BodyBuilder<'_>) -> learner::Result<(Greedy, usize)> {
        let conv = Conv2dConfig::new([3, 4], [3, 3]).with_stride([4, 4]);
        let conv = conv.init(&builder.init().device().clone());
        Ok((Greedy { conv }, 4))
    }
}

/// Memory that is used up is an error that names what fits, and the device works on. Not on the CPU, where the system ends a
/// process that takes too much.
pub(super) fn check(device: &Device, table: &mut Table) -> Result<()> {
    if is_cpu(device) {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let path = &folder.path().join("digits");
    synthetic::digits(path, 1, BATCH, BATCH)?;
    table.check(
        "memory",
        "used up: an error, and the device works on",
        || {
            let mut difference = Difference::new(0.0);
            match used_up(path, device) {
                Ok(text) => difference.note = text,
                Err(error) => difference.note(&error.to_string(), f64::INFINITY),
            }
            difference
        },
    );
    Ok(())
}

fn used_up(path: &Path, device: &Device) -> Result<String> {
    let learner = |batch_size: usize| -> Result<Learner> {
        let data = ImageDataBunch::from_folder(path)
            .batch_size(batch_size)
            .device(device.clone())
            .build()?;
        let learner = create_cnn(data, Backbone).pretrained(false).silent(true);
        Ok(learner.build()?)
    };
    let text = match learner(BATCH)?.fit(1, 1e-3) {
        Err(
            error @ learner::Error::OutOfMemory {
                fits: Some(FIT), ..
            },
        ) => error.to_string(),
        other => {
            return Err(format!("expected an error that {FIT} images fit, found {other:?}").into());
        }
    };
    learner(FIT)?.fit(1, 1e-3)?;
    Ok(text)
}
