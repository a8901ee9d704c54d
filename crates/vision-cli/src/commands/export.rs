//! `vision export`.

use std::path::PathBuf;

use serde_json::{Map, json};
use vision::base::message::shown;
use vision::learner::ExportConfig;
use vision::models::export::Names;

use crate::deployed;
use crate::failure::{Outcome, Result};
use crate::new_file::check_new;
use crate::output::Output;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The ONNX model has the preprocessing in it: it takes a decoded image of any size, and gives \
                        probabilities. The safetensors file has fastai's names, for PyTorch.\n\n\
                        Examples:\n  \
                        vision export run --onnx pets.onnx\n  \
                        vision export run/model.safetensors --half small.safetensors --safetensors pets.safetensors"
)]
pub(crate) struct Args {
    /// Folder of a training, or model file
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    #[command(flatten)]
    files: Files,
    /// Replace files
    #[arg(long)]
    overwrite: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
struct Files {
    /// ONNX model with its preprocessing
    #[arg(long, value_name = "FILE")]
    onnx: Option<PathBuf>,
    /// Weights alone, for Python
    #[arg(long, value_name = "FILE")]
    safetensors: Option<PathBuf>,
    /// Model file with 16-bit weights, for `vision predict`
    #[arg(long, value_name = "FILE")]
    half: Option<PathBuf>,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result {
    let Files {
        onnx,
        safetensors,
        half,
    } = &args.files;
    let files = [("onnx", onnx), ("safetensors", safetensors), ("half", half)];
    for file in files.iter().filter_map(|(_, file)| file.as_ref()) {
        check_new(file, args.overwrite, "another name")?;
    }
    let predictor = deployed::open(&args.model, None)?;
    let learner = deployed::learner(&args.model)?;
    if let Some(file) = onnx {
        match predictor.temperature() {
            Some(temperature) => learner.export_onnx_calibrated(file, temperature)?,
            None => learner.export_onnx_with_preprocessing(file)?,
        }
    }
    if let Some(file) = safetensors {
        learner.export_safetensors(file, Names::FastAi)?;
    }
    if let Some(file) = half {
        let mut config = ExportConfig::new().with_half(true);
        if let Some(card) = predictor.card() {
            config = config.with_card(card);
        }
        learner.export_with(file, config)?;
    }
    let mut written = Map::new();
    for (name, file) in files {
        if let Some(file) = file {
            output.text(format_args!("{name}: {}", shown(file)));
            written.insert(name.to_owned(), json!(file));
        }
    }
    output.value(&written)?;
    Ok(Outcome::Done)
}
