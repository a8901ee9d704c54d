//! `vision compare`.

use std::path::PathBuf;

use serde_json::json;
use vision::base::atomic;
use vision::base::message::shown;
use vision::interp::ClassificationInterpretation;
use vision::learner::Predictor;

use crate::deployed;
use crate::failure::{Failure, Outcome, Result};
use crate::new_file::check_new;
use crate::options::source::SourceOptions;
use crate::output::{Output, note};
use crate::scored::{Model, Scored};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The images are chosen as by `vision evaluate`: those that A kept for validation, or else B. Both models must \
                        have the same classes, one per image.\n\n\
                        Examples:\n  \
                        vision compare run-1 run-2 pets-test\n  \
                        vision compare old.safetensors new.safetensors pets-test --changed changed.csv"
)]
pub(crate) struct Args {
    /// Model file, or folder of a training
    #[arg(value_name = "A")]
    a: PathBuf,
    /// Model file, or folder of a training
    #[arg(value_name = "B")]
    b: PathBuf,
    /// Labeled images: a folder, a CSV file, a .tgz archive, or the URL of one
    #[arg(value_name = "DATA")]
    data: String,
    #[command(flatten)]
    source: SourceOptions,
    /// Predict the mean over the image and eight enlarged and mirrored variants of it, which takes nine times as long
    #[arg(long)]
    tta: bool,
    /// Write the images for which only one of them is right to a CSV file
    #[arg(long, value_name = "FILE")]
    changed: Option<PathBuf>,
    /// Replace that file
    #[arg(long)]
    overwrite: bool,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result {
    if let Some(file) = &args.changed {
        check_new(file, args.overwrite, "another name")?;
    }
    let a = deployed::open_for(&args.a, None, args.tta)?;
    let b = deployed::open_for(&args.b, None, args.tta)?;
    let models = [(&args.a, &a), (&args.b, &b)].map(|(path, predictor)| Model { path, predictor });
    let scored = Scored::choose(&models, &args.data, &args.source)?;
    let interpreted = |predictor: &Predictor| {
        let predictions = scored.predictions(predictor)?;
        let classes = predictor.classes().to_vec();
        let no_image = |_| Err("images are not drawn here".into());
        let interp = ClassificationInterpretation::from_predictions(classes, predictions, no_image);
        Ok::<_, Failure>(interp?)
    };
    let compared = interpreted(&a)?.compare(&interpreted(&b)?)?;
    output.text(&compared);
    let found = &compared.comparison;
    output.value(&json!({
        "images": found.items,
        "scored": scored.json(),
        "accuracy_a": found.accuracy_a,
        "accuracy_b": found.accuracy_b,
        "difference": found.difference,
        "interval": found.interval,
        "p_value": found.test.p_value,
        "within_noise": found.is_within_noise(),
        "only_a": compared.only_a,
        "only_b": compared.only_b,
    }))?;
    if let Some(file) = &args.changed {
        atomic::write(file, compared.to_csv().as_bytes())?;
        note(format_args!("changed images: {}", shown(file)));
    }
    Ok(Outcome::Done)
}
