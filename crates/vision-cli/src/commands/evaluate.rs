//! `vision evaluate`.

use std::path::PathBuf;

use serde_json::{Map, Value, json};
use vision::base::message::shown;
use vision::data::TargetKind;
use vision::interp::{ClassificationInterpretation, MultiLabelInterpretation};
use vision::learner::{Interval, Predictions, Predictor, bootstrap, metric_named};

use crate::data::{self, Images};
use crate::deployed;
use crate::failure::{Failure, Outcome, Result};
use crate::options::images::ImageOptions;
use crate::options::source::SourceOptions;
use crate::output::Output;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The images are those of DATA/valid if there is DATA/train beside it, or of a split with --valid-pct and \
                        the --seed of the training; otherwise all.\n\n\
                        Examples:\n  \
                        vision evaluate run pets-test\n  \
                        vision evaluate run/model.safetensors pets --valid-pct 0.2 --metric accuracy,f1 --intervals 1000"
)]
pub(crate) struct Args {
    /// Model file, or folder of a training
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Folder of labeled images, a .tgz archive, or the URL of one
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
    /// Device: cpu, cuda .. (see `vision devices`)
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result {
    let predictor = deployed::open(&args.model, args.device.as_deref())?;
    let predictions = predictions(&predictor, &args.data, &args.source)?;
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
            metric_named(&name)?,
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
                    .with_threshold(predictor.threshold())?;
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
        "loss": loss,
        "scores": scores,
        "classes": predictor.classes(),
        "report": report,
        "confusion_matrix": matrix,
    }))?;
    Ok(Outcome::Done)
}

/// Predictions of a model for DATA.
pub(super) fn predictions(
    predictor: &Predictor,
    data: &str,
    source: &SourceOptions,
) -> Result<Predictions> {
    let root = data::folder(Some(data), source)?;
    let images = Images {
        root: &root,
        source,
        // The model's file says how images are prepared.
        options: &ImageOptions {
            device: Some("cpu".to_owned()),
            ..ImageOptions::default()
        },
        mixup: None,
    };
    let (data, part) = images.labeled()?;
    if data.dataset(part)?.is_empty() {
        return Err(Failure::failed(format!(
            "{} has no images to score",
            shown(&root)
        )));
    }
    Ok(predictor.get_preds(&data, part)?)
}

/// The interval of a share of right answers.
fn wilson(name: &str, share: f64, images: usize) -> Option<Interval> {
    let right = (share * images as f64).round() as u64;
    ["accuracy", "error_rate", "error-rate"]
        .contains(&name)
        .then(|| Interval::wilson(right, images as u64))
        .flatten()
}
