//! `vision resume`.

use std::path::PathBuf;

use serde_json::json;
use vision::base::message::shown;

use crate::course;
use crate::failure::{Outcome, Result};
use crate::output::Output;
use crate::run_folder::RunFolder;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The training ends with the bits of one that was never interrupted.\n\n\
                        Example:\n  vision resume run"
)]
pub(crate) struct Args {
    /// Folder of the training
    #[arg(value_name = "RUN")]
    run: PathBuf,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result {
    let run = RunFolder::open(&args.run)?;
    if run.is_finished() {
        output.text(format_args!(
            "{} is finished: its model is {}",
            shown(run.path()),
            shown(run.model())
        ));
        output.value(&json!({ "run": run.path(), "finished": true, "model": run.model() }))?;
        return Ok(Outcome::Done);
    }
    let mut options = run.options()?;
    course::train(&mut options, &run, output)?;
    Ok(Outcome::Done)
}
