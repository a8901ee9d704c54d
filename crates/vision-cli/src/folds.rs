//! Cross-validation: each image is scored by a model that has not seen it, before the model of the run is trained on all.

use std::fmt;

use serde_json::{Map, Value, json};
use vision::base::message::shown;
use vision::base::{atomic, csv};
use vision::data::{By, Folds, ImageDataBunch, Target, TargetKind};
use vision::interp::{
    ClassificationInterpretation, HtmlReport, MultiLabelInterpretation, ReportConfig,
};
use vision::learner::{
    Bootstrap, CrossValidation, Learner, bootstrap, cross_validate, metric_named,
};

use crate::course::{fit, with_data};
use crate::failure::{Failure, Result};
use crate::options::train::TrainOptions;
use crate::output::note;
use crate::run_folder::RunFolder;

/// Random samples for the intervals.
const SAMPLES: usize = 1000;

/// Checks the number of folds before anything is trained.
pub(crate) fn check(folds: usize, data: &ImageDataBunch) -> Result<()> {
    let images = data.train_ds().len();
    if folds <= images {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "bad --folds: expected at most the number of images, {images}, found {folds}"
    )))
}

/// Checks that there is a whole batch, since an incomplete one at the end is dropped.
pub(crate) fn check_batch_size(folds: Option<usize>, data: &ImageDataBunch) -> Result<()> {
    let images = data.train_ds().len();
    let kept = folds.map_or(images, |folds| images - images.div_ceil(folds).min(images));
    let found = data.batch_size();
    if found <= kept {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "bad --batch-size: expected at most the number of training images, {kept}, found {found}"
    )))
}

/// The batch size that fits the training images of every fold.
pub(crate) fn batch_size(folds: usize, data: &ImageDataBunch) -> usize {
    let images = data.train_ds().len();
    // The folds of each class differ by one image.
    let largest = images.div_ceil(folds) + data.classes().len();
    data.batch_size().min(images.saturating_sub(largest)).max(1)
}

/// The result of a cross-validation, which is in the folder of the run.
pub(crate) struct Crossed {
    found: CrossValidation,
    /// The metrics of all images together.
    pooled: Vec<Bootstrap>,
    folds: usize,
}

impl Crossed {
    /// Trains a model for each fold. Folds that have ended before are read, since their steps are in the folder of the run.
    pub(crate) fn of(
        data: &ImageDataBunch,
        options: &TrainOptions,
        run: &RunFolder,
        count: usize,
        silent: bool,
    ) -> Result<Self> {
        let folds = match data.kind() {
            TargetKind::Category => Folds::stratified(count, By::Label),
            TargetKind::MultiCategory | TargetKind::Float => Folds::new(count),
        };
        let folds = folds.with_seed(data.seed());
        let found = cross_validate(data, &folds, |data, fold| {
            let number = fold + 1;
            note(format_args!("fold {number} of {count}"));
            let mut learner = with_data(options, data, &run.fold(number), silent, false)?;
            fit(&mut learner, options)?;
            Ok(learner)
        })?;
        let metrics = options.course.metric.iter();
        let pooled: Result<Vec<Bootstrap>> = metrics
            .map(|name| {
                let metric = metric_named(name)?;
                Ok(bootstrap(metric, &found.predictions, SAMPLES, data.seed())?)
            })
            .collect();
        let crossed = Self {
            found,
            pooled: pooled?,
            folds: count,
        };
        let file = run.cross_validation("json");
        let json = serde_json::to_string_pretty(&crossed.json())?;
        atomic::write(&file, (json + "\n").as_bytes())?;
        let file = run.cross_validation("csv");
        atomic::write(&file, crossed.csv(data).as_bytes())?;
        note(format_args!("predictions of all images: {}", shown(&file)));
        Ok(crossed)
    }

    /// The scores, for programs.
    pub(crate) fn json(&self) -> Value {
        let scores = self.found.scores.iter().map(|score| {
            let value = json!({
                "mean": score.mean,
                "interval": score.interval,
                "values": score.values,
            });
            (score.name.clone(), value)
        });
        let pooled = self.pooled.iter().map(|score| {
            let value = json!({ "value": score.value, "interval": score.interval });
            (score.metric.clone(), value)
        });
        json!({
            "folds": self.folds,
            "images": self.found.items.len(),
            "scores": scores.collect::<Map<_, _>>(),
            "pooled": pooled.collect::<Map<_, _>>(),
        })
    }

    /// A row for each image: its fold, its label, the prediction by the model of that fold, and the probabilities.
    fn csv(&self, data: &ImageDataBunch) -> String {
        let CrossValidation {
            predictions,
            items,
            fold_of,
            ..
        } = &self.found;
        let classes = data.classes();
        let outputs: Vec<String> = match classes.is_empty() {
            true => (1..=predictions.classes).map(|n| n.to_string()).collect(),
            false => classes.to_vec(),
        };
        let names = outputs.iter().map(|name| csv::field(name));
        let header: Vec<_> = ["image", "fold", "label", "prediction"]
            .into_iter()
            .map(Into::into)
            .chain(names)
            .collect();
        let mut text = header.join(",") + "\n";
        for (row, item) in predictions.indices.iter().enumerate() {
            let path = items[*item]
                .strip_prefix(data.path())
                .unwrap_or(&items[*item]);
            let own = predictions.row(row);
            let predicted = match data.kind() {
                TargetKind::Category => Target::Category(predictions.predicted(row)),
                TargetKind::MultiCategory => {
                    let sure = own.iter().enumerate().filter(|(_, p)| **p >= 0.5);
                    Target::MultiCategory(sure.map(|(class, _)| class).collect())
                }
                TargetKind::Float => Target::Float(own.to_vec()),
            };
            let label = predictions.targets.get(row);
            let label = label.map_or(String::new(), |label| in_words(&label, classes));
            let fields = [
                csv::field(&path.to_string_lossy()).into_owned(),
                (fold_of[row] + 1).to_string(),
                csv::field(&label).into_owned(),
                csv::field(&in_words(&predicted, classes)).into_owned(),
            ];
            let numbers = own.iter().map(ToString::to_string);
            let fields: Vec<String> = fields.into_iter().chain(numbers).collect();
            text.push_str(&fields.join(","));
            text.push('\n');
        }
        text
    }

    /// The report on these predictions; none if the labels are numbers. Its heat maps would be those of a model that has
    /// seen the images.
    pub(crate) fn report(&self, learner: &Learner) -> Result<Option<HtmlReport>> {
        let data = learner.data().clone();
        let config = ReportConfig::new().with_heatmaps(false).with_note(format!(
            "Cross-validation with {} folds: each image was predicted by a model that was not trained on it. The model of \
             this training was then trained on all images.",
            self.folds
        ));
        let (kind, classes) = (data.kind(), data.classes().to_vec());
        let predictions = self.found.predictions.clone();
        let names = data.clone();
        let name = move |item: usize| {
            let path = &names.train_ds().paths()[item];
            let inside = path.strip_prefix(names.path()).unwrap_or(path);
            inside.to_string_lossy().into_owned()
        };
        let image = move |item: usize| {
            let image = data.train_ds().image(item)?;
            Ok(data.preprocessor().seen(&image)?)
        };
        Ok(match kind {
            TargetKind::Category => {
                let found =
                    ClassificationInterpretation::from_predictions(classes, predictions, image)?;
                Some(found.with_names(name).report_with(learner, &config)?)
            }
            TargetKind::MultiCategory => {
                let found =
                    MultiLabelInterpretation::from_predictions(classes, predictions, image)?;
                Some(found.with_names(name).report_with(learner, &config)?)
            }
            TargetKind::Float => None,
        })
    }
}

/// A line for the loss and for each metric.
impl fmt::Display for Crossed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.found)?;
        let images = self.found.items.len();
        for Bootstrap {
            metric,
            value,
            interval,
            ..
        } in &self.pooled
        {
            write!(f, "\n{metric} {value:.4} on all {images} images together")?;
            if let Some(interval) = interval {
                write!(f, " (95 % interval {interval})")?;
            }
        }
        Ok(())
    }
}

/// A label as it is written.
fn in_words(target: &Target, classes: &[String]) -> String {
    let name = |class: &usize| classes.get(*class).map_or("", String::as_str).to_owned();
    let parts: Vec<String> = match target {
        Target::Category(class) => vec![name(class)],
        Target::MultiCategory(own) => own.iter().map(name).collect(),
        Target::Float(numbers) => numbers.iter().map(ToString::to_string).collect(),
    };
    parts.join(";")
}
