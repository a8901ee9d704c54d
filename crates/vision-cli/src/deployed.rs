//! Deployed models, and learners made from them.

use std::path::Path;

use vision::base::message::shown;
use vision::data::{ImageDataBunch, ReadConfig, Resizing, Transforms, device};
use vision::learner::{Learner, Predictor, TtaConfig, create_cnn};
use vision::models::Arch;

use crate::failure::{Failure, Result};
use crate::run_folder::RunFolder;

/// Opens a model file, or that of the folder of a training.
pub(crate) fn open(path: &Path, on: Option<&str>) -> Result<Predictor> {
    let file = match path.is_dir() {
        true => RunFolder::open(path)?.model(),
        false => path.to_owned(),
    };
    Ok(match on {
        Some(name) => Predictor::open_on(file, device::parse(name)?)?,
        None => Predictor::open(file)?,
    })
}

/// The same, with test-time augmentation if that is wanted.
pub(crate) fn open_for(path: &Path, on: Option<&str>, tta: bool) -> Result<Predictor> {
    let predictor = open(path, on)?;
    Ok(match tta {
        // Random transforms belong to training.
        true => predictor.with_tta(&TtaConfig::new().with_random(false))?,
        false => predictor,
    })
}

/// A learner with the network of a model, without the data and the history of its training.
pub(crate) fn learner(path: &Path) -> Result<Learner> {
    let path = &match path.is_dir() {
        true => RunFolder::open(path)?.model(),
        false => path.to_owned(),
    };
    let predictor = Predictor::open(path)?;
    let arch: Arch = predictor.arch().parse().map_err(|_| {
        Failure::failed(format!(
            "{}: expected a network of a known architecture, found {:?}: export it with a program of yours",
            shown(path),
            predictor.arch()
        ))
    })?;
    let preprocessing = predictor.preprocessing();
    let mut reading = ReadConfig::new();
    if let Some(side) = preprocessing.short_side {
        reading = reading.with_short_side(side);
    }
    if let Some(color) = preprocessing.background {
        reading = reading.with_background(color);
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let data = ImageDataBunch::single_from_classes(folder, predictor.classes().to_vec())
        .kind(predictor.kind())
        .resizing(Resizing {
            size: preprocessing.size,
            resize_method: preprocessing.resize_method,
            mult: preprocessing.mult,
            padding_mode: preprocessing.padding_mode,
        })
        .transforms(Transforms {
            train: Vec::new(),
            valid: preprocessing.transforms.clone(),
        })
        .normalize(preprocessing.normalize)
        .reading(reading.with_reduced_jpegs(preprocessing.reduced_jpegs.is_some()))
        .build()?;
    let mut learner = create_cnn(data, arch)
        .pretrained(false)
        .silent(true)
        .build()?;
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    learner.load(path)?;
    Ok(learner)
}
