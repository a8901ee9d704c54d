//! Which images a model is scored on.

use std::path::Path;

use serde_json::{Value, json};
use vision::base::message::shown;
use vision::base::progress::Progress;
use vision::data::{DatasetType, ImageDataBunch, Stats};
use vision::learner::{Card, Predictions, Predictor};

use crate::data::{self, Images, Located};
use crate::failure::{Failure, Result};
use crate::options::images::ImageOptions;
use crate::options::source::SourceOptions;
use crate::options::train::TrainOptions;
use crate::output::{note, warn};
use crate::run_folder::RunFolder;

/// How the images were chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    /// As the training of a model did: the images that it validated with.
    Training,
    /// The folder of validation images, or what a data file says.
    Folder,
    /// At random, as `--valid-pct` says.
    Random,
    All,
}

/// The images that models are scored on.
pub(crate) struct Scored {
    pub(crate) data: ImageDataBunch,
    pub(crate) part: DatasetType,
    root: String,
    choice: Choice,
    /// How many of them each model was trained on; unknown of a model whose training images are.
    trained_on: Vec<Option<usize>>,
}

/// A model, and what is known of its training.
pub(crate) struct Model<'a> {
    pub(crate) path: &'a Path,
    pub(crate) predictor: &'a Predictor,
}

impl Model<'_> {
    /// The settings of its training, if it is the folder of one.
    fn settings(&self) -> Result<Option<TrainOptions>> {
        match self.path.is_dir() {
            true => Ok(Some(RunFolder::open(self.path)?.options()?)),
            false => Ok(None),
        }
    }

    fn card(&self) -> Option<&Card> {
        self.predictor.card()
    }
}

/// Images are only read as the model's file says.
fn plain() -> ImageOptions {
    ImageOptions {
        device: Some("cpu".to_owned()),
        ..ImageOptions::default()
    }
}

impl Scored {
    /// Chooses the images of DATA: those that a model validated with, if DATA, split as its training split it, is the data
    /// that it was trained on; otherwise what DATA or the options name; otherwise all. Says on standard error which they
    /// are, and warns of those that a model was trained on.
    pub(crate) fn choose(models: &[Model<'_>], data: &str, source: &SourceOptions) -> Result<Self> {
        let located = data::locate(Some(data), source)?;
        let settings: Vec<Option<TrainOptions>> =
            models.iter().map(Model::settings).collect::<Result<_>>()?;
        let own = models
            .iter()
            .zip(&settings)
            .find_map(|(model, settings)| split_of(model, settings.as_ref(), &located));
        let (data, part, choice) = match own {
            Some((data, part)) => (data, part, Choice::Training),
            None => {
                let options = plain();
                let images = Images {
                    located: &located,
                    options: &options,
                    mixup: None,
                    stats: Stats::IMAGENET,
                };
                let (data, part) = images.labeled()?;
                let choice = match (part, source.valid_pct) {
                    (DatasetType::Fix, _) => Choice::All,
                    (_, Some(_)) => Choice::Random,
                    _ => Choice::Folder,
                };
                (data, part, choice)
            }
        };
        if data.dataset(part)?.is_empty() {
            return Err(Failure::failed(format!(
                "{} has no images to score",
                shown(&located.root)
            )));
        }
        let trained_on = models
            .iter()
            .zip(&settings)
            .map(|(model, settings)| trained_on(model, settings.as_ref(), &data, part));
        let scored = Self {
            trained_on: trained_on.collect::<Result<_>>()?,
            root: shown(&located.root),
            data,
            part,
            choice,
        };
        note(scored.in_words(source));
        for (model, trained_on) in models.iter().zip(&scored.trained_on) {
            scored.warn(model, *trained_on);
        }
        Ok(scored)
    }

    /// What a model predicts for them.
    pub(crate) fn predictions(&self, predictor: &Predictor) -> Result<Predictions> {
        let progress = Progress::bar("Scoring");
        Ok(predictor.get_preds_with(&self.data, self.part, &progress)?)
    }

    fn images(&self) -> usize {
        self.data.dataset(self.part).map_or(0, |part| part.len())
    }

    /// For a reader who does not know the command: which images were scored, and whether the model has seen them.
    pub(crate) fn sentence(&self) -> String {
        let images = self.images();
        let what = match (self.choice, self.part) {
            (Choice::Training, DatasetType::Valid) => {
                format!("The {images} images here are those that its training kept for validation.")
            }
            (Choice::Folder, _) => {
                format!("The {images} validation images of the data are scored.")
            }
            (Choice::Random, _) => {
                format!("{images} images of the data, chosen at random, are scored.")
            }
            (Choice::Training | Choice::All, _) => {
                format!("All {images} images of the data are scored.")
            }
        };
        let seen = match self.trained_on.first().copied().flatten() {
            Some(0) => "It was trained on none of them.".to_owned(),
            Some(trained) => {
                format!("It was trained on {trained} of them, so that the scores are too good.")
            }
            None => "Whether it was trained on some of them is not known.".to_owned(),
        };
        format!("{what} {seen}")
    }

    fn in_words(&self, source: &SourceOptions) -> String {
        let (images, root) = (self.images(), &self.root);
        match (self.choice, self.part) {
            (Choice::Training, DatasetType::Valid) => format!(
                "scoring {images} images of {root}: those that the training kept for validation"
            ),
            (Choice::Training | Choice::All, _) => format!("scoring all {images} images of {root}"),
            (Choice::Folder, _) => format!("scoring the {images} validation images of {root}"),
            (Choice::Random, _) => format!(
                "scoring {images} images of {root}, chosen at random (--valid-pct {})",
                source.valid_pct.unwrap_or_default()
            ),
        }
    }

    fn warn(&self, model: &Model<'_>, trained_on: Option<usize>) {
        let (images, path) = (self.images(), shown(model.path));
        match trained_on {
            Some(0) => {}
            Some(trained) => warn(format_args!(
                "{path} was trained on {trained} of these {images} images, so the scores are too good: score it on images \
                 that it has not seen"
            )),
            None => note(format_args!(
                "whether {path} was trained on some of them is not known: the names of its training images are not there"
            )),
        }
    }

    /// What was scored, for programs. Of several models there is a number of training images for each.
    pub(crate) fn json(&self) -> Value {
        let part = match self.part {
            DatasetType::Valid => "validation",
            _ => "all",
        };
        let split = match (self.choice, self.part) {
            (_, DatasetType::Fix) | (Choice::All, _) => None,
            (Choice::Training, _) => Some("training"),
            (Choice::Folder, _) => Some("data"),
            (Choice::Random, _) => Some("random"),
        };
        let trained_on = match &self.trained_on[..] {
            [one] => json!(one),
            several => json!(several),
        };
        json!({
            "data": self.data.path(),
            "part": part,
            "split": split,
            "images": self.images(),
            "trained_on": trained_on,
        })
    }
}

/// The data, split as in the training of the model, and the part that it was not trained on, if it is the data of that
/// training: its fingerprint is in the model's file. Of a model file, the usual split is tried.
fn split_of(
    model: &Model<'_>,
    settings: Option<&TrainOptions>,
    located: &Located,
) -> Option<(ImageDataBunch, DatasetType)> {
    let card = model.card()?;
    let mut located = located.clone();
    let mut folds = false;
    if let Some(settings) = settings {
        located.source = located.source.or(&settings.source);
        folds = settings.course.folds.is_some();
    }
    let options = plain();
    let images = Images {
        located: &located,
        options: &options,
        mixup: None,
        stats: Stats::IMAGENET,
    };
    // Data that cannot be split so is other data.
    let data = match folds {
        true => images.build_unsplit().ok()?,
        false => images.build().ok()?,
    };
    let part = match data.valid_ds().is_empty() {
        true => DatasetType::Fix,
        false => DatasetType::Valid,
    };
    (data.fingerprint() == card.data).then_some((data, part))
}

/// How many of the images a model was trained on.
fn trained_on(
    model: &Model<'_>,
    settings: Option<&TrainOptions>,
    data: &ImageDataBunch,
    part: DatasetType,
) -> Result<Option<usize>> {
    let scored = data.dataset(part)?;
    if model
        .card()
        .is_some_and(|card| card.data == data.fingerprint())
    {
        let all = scored.len();
        return Ok(Some(if part == DatasetType::Valid { 0 } else { all }));
    }
    let Some(settings) = settings else {
        return Ok(None);
    };
    let found = || {
        let located = data::locate(settings.data.as_deref(), &settings.source)?;
        let options = plain();
        let images = Images {
            located: &located,
            options: &options,
            mixup: None,
            stats: Stats::IMAGENET,
        };
        let trained = match settings.course.folds {
            Some(_) => images.build_unsplit()?,
            None => images.build()?,
        };
        Ok::<_, Failure>(scored.also_in(trained.train_ds())?.len())
    };
    // The data of the training may be gone.
    Ok(found().ok())
}
