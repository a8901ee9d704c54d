//! `vision resume`.

use std::path::PathBuf;

use serde_json::json;
use vision::base::message::shown;

use crate::course;
use crate::failure::{Outcome, Result};
use crate::options::processes::ProcessOptions;
use crate::output::Output;
use crate::run_folder::RunFolder;
use crate::together::Together;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The training ends with the bits of one that was never interrupted.\n\n\
                        Example:\n  vision resume run\n\n\
                        Several processes may go on with what any number of them has begun."
)]
pub(crate) struct Args {
    /// Folder of the training
    #[arg(value_name = "RUN")]
    run: PathBuf,
    #[command(flatten)]
    processes: ProcessOptions,
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
    let together = Together::join(&args.processes)?;
    together.check(&options)?;
    let run = together.scratch()?.unwrap_or(run);
    course::train(&mut options, &run, together, output)?;
    Ok(Outcome::Done)
}
