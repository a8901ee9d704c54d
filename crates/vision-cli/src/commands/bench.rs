//! `vision bench`.

use std::thread::available_parallelism;
use std::time::Duration;

use serde_json::json;
use vision::data::device;
use vision::kernels::Isa;
use vision::models::Arch;
use vision::system::peak_memory_bytes;

use crate::failure::{Failure, Outcome, Result};
use crate::output::{Output, note};
use crate::speed::{self, PHOTO};

/// Images for each core when many are predicted.
const PER_CORE: usize = 4;
const MOST_SECONDS: u64 = 3600;
const MOST_IMAGES: usize = 4096;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Nothing is downloaded or read: the images are drawn, and the weights are random, which changes no speed. \
                        Decoding of files is not measured. Let nothing else run.\n\n\
                        Examples:\n  \
                        vision bench\n  \
                        vision bench --arch resnet50 --size 160 --batch-size 32 --device cuda\n  \
                        vision bench --seconds 60 --json"
)]
pub(crate) struct Args {
    /// Architecture (see `vision weights list`)
    #[arg(long, value_name = "NAME", default_value = "resnet34")]
    arch: Arch,
    /// Side of the square images in pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 224)]
    size: usize,
    /// Images in a training batch
    #[arg(long, value_name = "NUMBER", default_value_t = 16)]
    batch_size: usize,
    /// Device: cpu, cuda .. (see `vision devices`) [default: the first GPU, or else the CPU]
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Seconds for each of the three measurements, after a first step
    #[arg(long, value_name = "NUMBER", default_value_t = 8)]
    seconds: u64,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result {
    if !(1..=MOST_SECONDS).contains(&args.seconds) {
        return Err(Failure::usage(format!(
            "bad --seconds: expected 1 to {MOST_SECONDS}, found {}",
            args.seconds
        )));
    }
    if !(1..=MOST_IMAGES).contains(&args.batch_size) {
        return Err(Failure::usage(format!(
            "bad --batch-size: expected 1 to {MOST_IMAGES}, found {}",
            args.batch_size
        )));
    }
    let budget = Duration::from_secs(args.seconds);
    let device = args.device.as_deref().map(device::parse).transpose()?;
    let mut learner = speed::learner(args.arch, args.size, args.batch_size, device)?;
    let device = device::describe(learner.data().device());
    let isa = device::is_cpu(learner.data().device()).then(|| format!("{:?}", Isa::detect()));
    let cores = available_parallelism().map_or(1, usize::from);
    let isa_shown = isa.as_ref().map_or(String::new(), |isa| format!(", {isa}"));
    output.text(format_args!(
        "{} at {} px on {device}{isa_shown}, {cores} cores, random weights",
        args.arch, args.size
    ));

    let predictor = learner.predictor();
    note("predicting single images");
    let single = speed::single(&predictor, budget)?;
    let [p50, p99] = [0.5, 0.99].map(|share| 1e3 * speed::percentile(&single, share));
    output.text(format_args!(
        "predict, one image at a time: {p50:.1} ms in the median, {p99:.1} ms at the 99th percentile ({} images)",
        single.len()
    ));
    let together = PER_CORE * cores;
    note(format_args!("predicting {together} images at a time"));
    let many = speed::many(&predictor, together, budget)?;
    let memory = peak_memory_bytes();
    output.text(format_args!(
        "predict, {together} images at a time: {many:.1} images a second"
    ));
    drop(predictor);
    note("training");
    let found = speed::training(&mut learner, budget)?;
    let trained = (found.steps * args.batch_size) as f64 / found.seconds;
    output.text(format_args!(
        "train all layers, batches of {}: {trained:.1} images a second ({} steps)",
        args.batch_size, found.steps
    ));
    let all_memory = peak_memory_bytes();
    if let (Some(memory), Some(all_memory)) = (memory, all_memory) {
        output.text(format_args!(
            "peak memory: {} MiB to predict, {} MiB to train",
            memory >> 20,
            all_memory >> 20
        ));
    }
    output.value(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "arch": args.arch.name(),
        "size": args.size,
        "device": device,
        "instruction_set": isa,
        "cores": cores,
        "weights": "random",
        "image": PHOTO,
        "predict_one": { "p50_ms": p50, "p99_ms": p99, "images": single.len() },
        "predict_many": { "images_per_second": many, "at_a_time": together },
        "train": {
            "images_per_second": trained,
            "batch_size": args.batch_size,
            "steps": found.steps,
        },
        "peak_memory_bytes": { "predict": memory, "train": all_memory },
    }))?;
    Ok(Outcome::Done)
}
