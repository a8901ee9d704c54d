//! The program `vision`: from a folder of images to a trained, reported and deployed classifier without code.

// Output goes through `output`: a failed write must not end in a panic.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

mod commands;
mod config;
mod course;
mod data;
mod deployed;
mod epochs;
mod failure;
mod folds;
mod interrupt;
mod new_file;
mod options;
mod output;
mod page;
mod remote;
mod run_folder;
mod scored;
mod speed;
mod together;
mod weights;
mod wording;

use std::process::ExitCode;

use clap::Parser;

use crate::commands::Command;
use crate::failure::{Outcome, exit_code};
use crate::output::Output;

/// musl's own is several times slower for the memory of tensors.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// From a folder of images to a trained, reported and deployed classifier.
///
/// Images are in DATA/train/CLASS and DATA/valid/CLASS, or in DATA/CLASS. `vision train DATA` trains, `vision predict MODEL
/// IMAGE` predicts.
#[derive(Parser)]
#[command(
    name = "vision",
    version,
    after_help = "Exit codes: 0 done; 1 the work failed, or a check found something; 2 wrong usage; 3 interrupted.\n\n\
                  Examples:\n  \
                  vision doctor pets\n  \
                  vision train pets --out run\n  \
                  vision predict run/model.safetensors new/*.jpg"
)]
pub(crate) struct Program {
    /// Print JSON on standard output, for programs; messages stay on standard error
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let program = Program::parse();
    interrupt::register();
    let output = Output::new(program.json);
    let result = program.command.run(&output);
    let result = result.and_then(|outcome| output.finish().map(|()| outcome));
    match result {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Found) => ExitCode::from(exit_code::FAILED),
        Err(failure) => {
            if !failure.message().is_empty() {
                output::error(failure.message());
            }
            ExitCode::from(failure.code())
        }
    }
}
