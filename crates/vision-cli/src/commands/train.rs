//! `vision train`.

use std::path::{Path, PathBuf};

use vision::base::message::shown;

use crate::config;
use crate::course;
use crate::failure::{Outcome, Result};
use crate::new_file::check_new;
use crate::options::processes::ProcessOptions;
use crate::options::train::TrainOptions;
use crate::output::Output;
use crate::run_folder::RunFolder;
use crate::together::Together;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The folder of the results has model.safetensors (for `vision predict`), report.html, history.csv, \
                        vision.toml (the settings as used) and the steps from which `vision resume` goes on.\n\n\
                        Settings are also read from vision.toml in the current folder; options of the command line win.\n\n\
                        Examples:\n  \
                        vision train pets\n  \
                        vision train pets --arch resnet18 --size 128 --epochs 10 --early-stop 3 --out pets-1\n  \
                        vision train photos --csv labels.csv --label-column breed --valid-pct 0.1\n  \
                        vision train https://example.org/pets.tgz --sha256 0123abcd..\n  \
                        vision train pets --epochs 10 --save-config vision.toml\n  \
                        mpirun -n 4 vision train pets"
)]
pub(crate) struct Args {
    #[command(flatten)]
    options: TrainOptions,
    /// Leave training images as they are
    #[arg(long, conflicts_with = "augment", help_heading = "Images")]
    no_augment: bool,
    /// Settings file [default: vision.toml, if there is one]
    #[arg(long, value_name = "FILE", help_heading = "Settings")]
    config: Option<PathBuf>,
    /// Write the settings to a file, and do not train
    #[arg(long, value_name = "FILE", help_heading = "Settings")]
    save_config: Option<PathBuf>,
    /// Replace an earlier training, or settings file
    #[arg(long, help_heading = "Settings")]
    overwrite: bool,
    #[command(flatten)]
    processes: ProcessOptions,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result {
    let mut options = args.options.clone();
    if args.no_augment {
        options.images.augment = Some(false);
    }
    let here = Path::new(config::NAME);
    let file = args.config.as_deref().or(here.is_file().then_some(here));
    options.resolve(Path::new("."));
    if let Some(file) = file {
        options = options.or(&config::read(file)?)?;
    }
    if let Some(file) = &args.save_config {
        check_new(file, args.overwrite, "another name")?;
        config::write(file, &options)?;
        output.text(format_args!("settings: {}", shown(file)));
        output.value(&serde_json::json!({ "settings": file }))?;
        return Ok(Outcome::Done);
    }
    let out = options
        .course
        .out
        .take()
        .unwrap_or_else(|| PathBuf::from("run"));
    let together = Together::join(&args.processes)?;
    together.check(&options)?;
    let run = match together.scratch()? {
        Some(scratch) => scratch,
        None => RunFolder::create(&out, args.overwrite)?,
    };
    course::complete(&mut options)?;
    course::train(&mut options, &run, together, output)?;
    Ok(Outcome::Done)
}
