//! `vision report`.

use std::path::PathBuf;

use serde_json::{Value, json};
use vision::base::message::shown;
use vision::base::progress::Progress;
use vision::data::TargetKind;
use vision::interp::{
    ClassificationInterpretation, HtmlReport, MultiLabelInterpretation, ReportConfig,
};
use vision::learner::Predictor;

use crate::course;
use crate::deployed;
use crate::failure::{Failure, Outcome, Result};
use crate::new_file::check_new;
use crate::options::source::SourceOptions;
use crate::output::{Output, note};
use crate::page;
use crate::run_folder::RunFolder;
use crate::scored::{Model, Scored};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without DATA it is the report that the training wrote, with the course of the training. With DATA it is about \
                        the model on these images, which are chosen as by `vision evaluate`.\n\n\
                        Examples:\n  \
                        vision report run --overwrite\n  \
                        vision report run --out leaves.html --title 'Leaf spots' --note 'Photos of 2026' --similar-images\n  \
                        vision report run/model.safetensors pets-test --out test.html"
)]
pub(crate) struct Args {
    /// Folder of the training; with DATA also a model file
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Labeled images: a folder, a CSV file, a .tgz archive, or the URL of one
    #[arg(value_name = "DATA")]
    data: Option<String>,
    #[command(flatten)]
    source: SourceOptions,
    /// File of the report [default: report.html in the folder of the training]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Title of the page
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// A paragraph under the title
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Look for near duplicates and unusual images, too
    #[arg(long, conflicts_with = "data")]
    similar_images: bool,
    /// Replace an earlier report
    #[arg(long)]
    overwrite: bool,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result {
    let file = match (&args.out, args.model.is_dir()) {
        (Some(file), _) => file.clone(),
        (None, true) if args.data.is_none() => RunFolder::open(&args.model)?.report(),
        _ => {
            return Err(Failure::usage(
                "--out is missing: the file of the report on a model and DATA",
            ));
        }
    };
    check_new(&file, args.overwrite, "another file with --out")?;
    let mut config = ReportConfig::new().with_similar_images(args.similar_images);
    if let Some(title) = &args.title {
        config = config.with_title(title);
    }
    if let Some(text) = &args.note {
        config = config.with_note(text);
    }
    let (report, scored) = match &args.data {
        None => {
            let learner = course::finished(&RunFolder::open(&args.model)?)?;
            (page::report(&learner, &config)?, Value::Null)
        }
        Some(data) => on(args, data, config)?,
    };
    let Some(report) = report else {
        return Ok(Outcome::Found);
    };
    page::save_report(&report, &file)?;
    output.text(format_args!("report: {}", shown(&file)));
    output.value(&json!({ "report": file, "problems": report.problems(), "scored": scored }))?;
    Ok(Outcome::Done)
}

/// The report on a model and labeled images, and what they are.
fn on(args: &Args, data: &str, mut config: ReportConfig) -> Result<(Option<HtmlReport>, Value)> {
    let predictor = deployed::open(&args.model, None)?;
    let model = Model {
        path: &args.model,
        predictor: &predictor,
    };
    let scored = Scored::choose(&[model], data, &args.source)?;
    if args.note.is_none() {
        config = config.with_note(said(&predictor, &scored));
    }
    let config = config.with_data(scored.data.clone());
    let learner = deployed::learner(&args.model)?;
    let progress = Progress::bar("Scoring");
    let (data, part) = (&scored.data, scored.part);
    let report = match predictor.kind() {
        TargetKind::Category => Some(
            ClassificationInterpretation::from_predictor(&predictor, data, part, &progress)?
                .report_with(&learner, &config)?,
        ),
        TargetKind::MultiCategory => Some(
            MultiLabelInterpretation::from_predictor(&predictor, data, part, &progress)?
                .with_threshold(predictor.threshold())?
                .report_with(&learner, &config)?,
        ),
        TargetKind::Float => {
            note("no report: the labels are numbers");
            None
        }
    };
    Ok((report, scored.json()))
}

/// What a reader must know of the model and the images.
fn said(predictor: &Predictor, scored: &Scored) -> String {
    let mut text = String::new();
    if let Some(card) = predictor.card() {
        let epochs = match card.epochs_trained {
            1 => "1 epoch".to_owned(),
            epochs => format!("{epochs} epochs"),
        };
        text = format!(
            "The model was trained for {epochs} on {} images. ",
            card.data.train
        );
    }
    text + &scored.sentence()
}
