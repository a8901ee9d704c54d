//! `vision self-test`.

use std::path::PathBuf;

use serde_json::json;

use crate::deployed;
use crate::failure::{Outcome, Result};
use crate::output::Output;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The model file has images with the outputs at its export; the test predicts them here. The exit code is 1 \
                        if outputs differ.\n\n\
                        Examples:\n  \
                        vision self-test run/model.safetensors\n  \
                        vision self-test pets.safetensors --device cuda"
)]
pub(crate) struct Args {
    /// Model file, or folder of a training
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Device: cpu, cuda .. (see `vision devices`)
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result {
    let predictor = deployed::open(&args.model, args.device.as_deref())?;
    let test = predictor.self_test();
    if let Some(card) = predictor.card() {
        output.text(card);
    }
    output.text(&test);
    output.value(&json!({ "passed": test.passed(), "test": test, "card": predictor.card() }))?;
    Ok(if test.passed() {
        Outcome::Done
    } else {
        Outcome::Found
    })
}
