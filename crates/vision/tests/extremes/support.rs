//! What the tables work on: files, data, a learner that trains in moments.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Tensor;
use tempfile::TempDir;
use vision::burn;
use vision::data::datasets::synthetic;
use vision::data::{Image, ImageDataBunchBuilder};
use vision::learner::{Backbone, BodyBuilder, Callback, CnnPlan, Context, LearnerBuilder, Result};
use vision::models::Init;
use vision::models::layers::{ConvConfig, Layer, Sequential};
use vision::prelude::*;

/// A folder of the process, with one file of each kind.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("folder")).unwrap();
        fs::write(at("folder/inside"), "text").unwrap();
        fs::write(at("file.txt"), "text").unwrap();
        image::RgbImage::new(8, 8).save(at("image.png")).unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(at("loop"), at("loop")).unwrap();
            let made = std::process::Command::new("mkfifo")
                .arg(at("pipe"))
                .status()
                .unwrap();
            assert!(made.success());
        }
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Eight training and four validation images of two classes.
    pub(crate) fn digits(&self) -> PathBuf {
        synthetic::digits(&self.path().join("digits"), 0, 4, 2).unwrap()
    }
}

/// Data of tiny images.
pub(crate) fn builder(path: &Path) -> ImageDataBunchBuilder {
    ImageDataBunch::from_folder(path)
        .batch_size(4)
        .num_workers(0)
}

pub(crate) fn data(path: &Path) -> ImageDataBunch {
    builder(path).build().unwrap()
}

/// The first training batch: for options that take effect there.
pub(crate) fn one_batch(data: &ImageDataBunch) -> vision::data::Result<()> {
    let batch = data.one_batch(DatasetType::Train)?;
    let images = batch.to_device(data.device(), data.stats().as_ref());
    assert_finite(&images);
    Ok(())
}

pub(crate) fn assert_finite<const D: usize>(tensor: &Tensor<D>) {
    let values = vision::models::state::values(tensor.clone());
    assert!(
        values.iter().all(|value| value.is_finite()),
        "values that are not finite"
    );
}

pub(crate) fn small_image() -> Image {
    Image::from_rgb8(8, 8, vec![99; 192]).unwrap()
}

/// A convolution.
pub(crate) struct Tiny;

impl Backbone for Tiny {
    type Body = Sequential;

    fn name(&self) -> String {
        "tiny".to_owned()
    }

    fn body(&self, builder: &mut BodyBuilder<'_>) -> Result<(Sequential, usize)> {
        let net = builder.load_layers(tiny)?;
        let body = builder.cut(net, 2)?;
        Ok((body, 4))
    }
}

pub(crate) fn tiny(init: &mut Init) -> Sequential {
    let conv = ConvConfig::new(3, 4, 3).with_stride(2).init(init);
    Sequential::numbered([Layer::Conv2d(conv), Layer::Relu])
}

pub(crate) fn learner_of(data: ImageDataBunch) -> LearnerBuilder<CnnPlan<Tiny>> {
    create_cnn(data, Tiny)
        .pretrained(false)
        .silent(true)
        .lin_ftrs([4])
}

pub(crate) fn learner(path: &Path) -> Learner {
    learner_of(data(path)).build().unwrap()
}

/// Ends a run after its first batch.
pub(crate) struct Stop;

impl Callback for Stop {
    fn on_batch_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        (ctx.state.stop_epoch, ctx.state.stop_training) = (true, true);
        Ok(())
    }
}
