//! `vision evaluate`.

use std::fmt;
use std::path::PathBuf;

use serde_json::{Map, Value, json};
use vision::base::message::shown;
use vision::data::{Target, TargetKind};
use vision::interp::{ClassificationInterpretation, MultiLabelInterpretation};
use vision::learner::{
    Interval, Metric, Predictions, Threshold, accuracy_thresh, bootstrap, metric_named,
};

use crate::deployed;
use crate::failure::{Outcome, Result};
use crate::options::source::SourceOptions;
use crate::output::Output;
use crate::scored::{Model, Scored};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "If DATA is what the model was trained on, the images that it kept for validation are scored. Of other data \
                        these are the images of DATA/valid if there is DATA/train beside it, or a random part with \
                        --valid-pct; otherwise all. Standard error and \"scored\" of --json say which, and how many of them \
                        the model was trained on.\n\n\
                        Examples:\n  \
                        vision evaluate run pets\n  \
                        vision evaluate run pets-test --tta\n  \
                        vision evaluate run/model.safetensors pets-test --metric accuracy,f1 --intervals 1000"
)]
pub(crate) struct Args {
    /// Model file, or folder of a training
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Labeled images: a folder, a CSV file, a .tgz archive, or the URL of one
    #[arg(value_name = "DATA")]
    data: String,
    #[command(flatten)]
    source: SourceOptions,
    /// Metrics, such as accuracy,f1,roc_auc [default: accuracy, or what fits the labels]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    metric: Vec<String>,
    /// Give each metric its 95 % interval, from so many random samples of the images (bootstrap)
    #[arg(long, value_name = "SAMPLES")]
    intervals: Option<usize>,
    /// Predict the mean over the image and eight enlarged and mirrored variants of it, which takes nine times as long
    #[arg(long)]
    tta: bool,
    /// Probability from which on an image has a class; if it has just one, also say how many reach it, and how many of
    /// those are right
    #[arg(long, value_name = "PROBABILITY")]
    threshold: Option<f32>,
    /// Device: cpu, cuda .. (see `vision devices`)
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result {
    let predictor = deployed::open_for(&args.model, args.device.as_deref(), args.tta)?;
    if let Some(threshold) = args.threshold {
        Threshold::All(threshold).check(predictor.classes().len())?;
    }
    let model = Model {
        path: &args.model,
        predictor: &predictor,
    };
    let scored = Scored::choose(&[model], &args.data, &args.source)?;
    let predictions = scored.predictions(&predictor)?;
    let names = match (args.metric.is_empty(), predictor.kind()) {
        (false, _) => args.metric.clone(),
        (true, TargetKind::Category) => vec!["accuracy".to_owned()],
        (true, TargetKind::MultiCategory) => {
            vec!["accuracy_thresh".to_owned(), "roc_auc".to_owned()]
        }
        (true, TargetKind::Float) => vec!["rmse".to_owned(), "mae".to_owned()],
    };
    let mut scores = Map::new();
    let mut lines = vec![format!(
        "{} images of {}",
        predictions.len(),
        shown(&args.data)
    )];
    for name in names {
        let found = bootstrap(
            metric(&name, args.threshold)?,
            &predictions,
            args.intervals.unwrap_or(1),
            42,
        )?;
        let interval = found.interval.filter(|_| args.intervals.is_some());
        // Exact, and cheap: for every evaluation.
        let interval = interval.or_else(|| wilson(&name, found.value, predictions.len()));
        lines.push(match interval {
            Some(Interval { low, high }) => {
                format!(
                    "{} {:.4} (95 % interval {low:.4} to {high:.4})",
                    found.metric, found.value
                )
            }
            None => format!("{} {:.4}", found.metric, found.value),
        });
        scores.insert(
            found.metric,
            json!({ "value": found.value, "interval": interval }),
        );
    }
    let loss = predictions
        .losses
        .iter()
        .copied()
        .map(f64::from)
        .sum::<f64>();
    let loss = loss / predictions.len().max(1) as f64;
    lines.push(format!("loss {loss:.4}"));
    let answered = args
        .threshold
        .filter(|_| predictor.kind() == TargetKind::Category)
        .map(|threshold| Answered::of(&predictions, threshold));
    if let Some(answered) = &answered {
        lines.push(answered.to_string());
    }
    let classes = predictor.classes().to_vec();
    let images = predictions.len();
    let no_image = |_| Err("images are not drawn here".into());
    let (report, matrix) = match predictor.kind() {
        TargetKind::Category => {
            let interp =
                ClassificationInterpretation::from_predictions(classes, predictions, no_image)?;
            let matrix = interp.confusion_matrix();
            let rows: Vec<&[u64]> = matrix.rows().collect();
            (Some(matrix.classification_report()), json!(rows))
        }
        TargetKind::MultiCategory => {
            let interp =
                MultiLabelInterpretation::from_predictions(classes, predictions, no_image)?
                    .with_threshold(
                        args.threshold
                            .map_or_else(|| predictor.threshold(), Threshold::All),
                    )?;
            (Some(interp.classification_report()), Value::Null)
        }
        TargetKind::Float => (None, Value::Null),
    };
    for line in lines {
        output.text(line);
    }
    if let Some(report) = &report {
        output.text(format_args!("\n{report}"));
    }
    output.value(&json!({
        "images": images,
        "scored": scored.json(),
        "loss": loss,
        "scores": scores,
        "classes": predictor.classes(),
        "report": report,
        "confusion_matrix": matrix,
        "answered": answered.as_ref().map(Answered::json),
    }))?;
    Ok(Outcome::Done)
}

/// A metric, with the threshold for several classes per image if one is given.
fn metric(name: &str, threshold: Option<f32>) -> Result<Box<dyn Metric>> {
    Ok(match threshold {
        Some(threshold) if name.replace('-', "_") == "accuracy_thresh" => {
            Box::new(accuracy_thresh(threshold))
        }
        _ => metric_named(name)?,
    })
}

/// The images whose most probable class reaches a threshold.
struct Answered {
    threshold: f32,
    answered: usize,
    right: usize,
    images: usize,
}

impl Answered {
    fn of(predictions: &Predictions, threshold: f32) -> Self {
        let images = predictions.len();
        let is_answered = |item: &usize| {
            let own = predictions.row(*item).get(predictions.predicted(*item));
            own.is_some_and(|p| *p >= threshold)
        };
        let is_right = |item: &usize| {
            predictions.targets.get(*item) == Some(Target::Category(predictions.predicted(*item)))
        };
        let answered: Vec<usize> = (0..images).filter(is_answered).collect();
        Self {
            threshold,
            answered: answered.len(),
            right: answered.iter().filter(|item| is_right(item)).count(),
            images,
        }
    }

    fn json(&self) -> Value {
        json!({
            "threshold": self.threshold,
            "images": self.answered,
            "right": self.right,
            "interval": Interval::wilson(self.right as u64, self.answered as u64),
        })
    }
}

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            threshold,
            answered,
            right,
            images,
        } = self;
        write!(
            f,
            "a probability of {threshold} or more: {answered} of {images} images, of which {right} are right"
        )?;
        if let Some(Interval { low, high }) = Interval::wilson(*right as u64, *answered as u64) {
            let share = *right as f64 / *answered as f64;
            write!(f, ", {share:.4} (95 % interval {low:.4} to {high:.4})")?;
        }
        Ok(())
    }
}

/// The interval of a share of right answers.
fn wilson(name: &str, share: f64, images: usize) -> Option<Interval> {
    let right = (share * images as f64).round() as u64;
    ["accuracy", "error_rate", "error-rate"]
        .contains(&name)
        .then(|| Interval::wilson(right, images as u64))
        .flatten()
}
