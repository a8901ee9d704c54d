//! `vision report`.

use std::path::PathBuf;

use serde_json::json;
use vision::base::message::shown;
use vision::interp::ReportConfig;

use crate::course;
use crate::failure::{Outcome, Result};
use crate::new_file::check_new;
use crate::output::Output;
use crate::run_folder::RunFolder;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
                        vision report run --overwrite\n  \
                        vision report run --out leaves.html --title 'Leaf spots' --note 'Photos of 2026' --similar-images")]
pub(crate) struct Args {
    /// Folder of the training
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// File of the report [default: report.html in RUN]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Title of the page
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// A paragraph under the title
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Look for near duplicates and unusual images, too
    #[arg(long)]
    similar_images: bool,
    /// Replace an earlier report
    #[arg(long)]
    overwrite: bool,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result {
    let run = RunFolder::open(&args.run)?;
    let file = args.out.clone().unwrap_or_else(|| run.report());
    check_new(&file, args.overwrite, "another file with --out")?;
    let learner = course::finished(&run)?;
    let mut config = ReportConfig::new().with_similar_images(args.similar_images);
    if let Some(title) = &args.title {
        config = config.with_title(title);
    }
    if let Some(text) = &args.note {
        config = config.with_note(text);
    }
    let Some(report) = course::report(&learner, &config)? else {
        return Ok(Outcome::Found);
    };
    course::save_report(&report, &file)?;
    output.text(format_args!("report: {}", shown(&file)));
    output.value(&json!({ "report": file, "problems": report.problems() }))?;
    Ok(Outcome::Done)
}
