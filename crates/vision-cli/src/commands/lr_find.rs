//! `vision lr-find`.

use std::path::PathBuf;

use serde_json::json;
use vision::interp::plot_lr_find;
use vision::learner::LrFindConfig;

use crate::course;
use crate::data::{self, Images};
use crate::failure::{Outcome, Result};
use crate::new_file::check_new;
use crate::options::images::ImageOptions;
use crate::options::model::ModelOptions;
use crate::options::source::SourceOptions;
use crate::output::Output;
use crate::weights;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "`vision train --lr auto` does this itself, and takes the valley.\n\n\
                        Examples:\n  \
                        vision lr-find pets --arch resnet18 --plot lr.png\n  \
                        vision lr-find pets --json"
)]
pub(crate) struct Args {
    /// Folder of the images, a CSV file, a .tgz archive, or the URL of one
    #[arg(value_name = "DATA")]
    data: String,
    #[command(flatten)]
    source: SourceOptions,
    #[command(flatten)]
    images: ImageOptions,
    #[command(flatten)]
    model: ModelOptions,
    /// Batches to try rates with
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    batches: usize,
    /// Draw the losses to a file, PNG or SVG
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Replace that file
    #[arg(long)]
    overwrite: bool,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result {
    if let Some(file) = &args.plot {
        check_new(file, args.overwrite, "another name")?;
    }
    let located = data::locate(Some(&args.data), &args.source)?;
    let mut model = args.model.clone();
    let weights = weights::choose(&mut model)?;
    let mut options = args.images.clone();
    if let (None, false) = (options.size, located.is_saved()) {
        options.size = Some(weights.side);
    }
    let images = Images {
        located: &located,
        options: &options,
        mixup: None,
        stats: weights.stats,
    };
    let mut learner = course::plain_learner(&images, &model, output.is_json())?;
    let found = learner.lr_find_with(LrFindConfig::new().with_num_it(args.batches))?;
    if let Some(file) = &args.plot {
        plot_lr_find(&found)?.save(file)?;
    }
    let suggestion = found.suggestion();
    match &suggestion {
        Some(suggestion) => output.text(suggestion),
        None => output.text("no suggestion: there are too few batches"),
    }
    output.value(&json!({
        "valley": suggestion.map(|found| found.valley),
        "steepest": suggestion.map(|found| found.steepest),
        "minimum": suggestion.map(|found| found.minimum),
        "lrs": found.lrs,
        "losses": found.losses,
    }))?;
    Ok(if suggestion.is_some() {
        Outcome::Done
    } else {
        Outcome::Found
    })
}
