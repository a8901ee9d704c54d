mod fit;
mod interpret;
mod latency;
mod loader;
mod measurement;
mod predict;
mod profile;
mod shards;
mod work;

use std::path::PathBuf;

use loader::Kind;
use measurement::{Measurement, median};
use serde_json::json;
use vision::data::device;
use vision::kernels::conv::Accuracy;
use vision::kernels::ops;
use vision::models::Arch;
pub(crate) use work::{What, Work, stepper};

use crate::Result;

/// How much accuracy convolutions may trade for speed.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Mode {
    Direct,
    Balanced,
    Fast,
}

impl Mode {
    fn name(self) -> String {
        format!("{:?}", self.accuracy()).to_lowercase()
    }

    fn accuracy(self) -> Accuracy {
        match self {
            Self::Direct => Accuracy::Direct,
            Self::Balanced => Accuracy::Balanced,
            Self::Fast => Accuracy::Fast,
        }
    }
}

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to time. Default: all three kinds of work on the network
    #[arg(long)]
    what: Option<What>,
    #[arg(long, default_value = "resnet18")]
    arch: Arch,
    #[arg(long, default_value_t = 16)]
    batch: usize,
    /// Side of the images in pixels
    #[arg(long, default_value_t = 224)]
    size: usize,
    #[arg(long, default_value_t = 2)]
    threads: usize,
    #[arg(long, default_value_t = 5)]
    repeats: usize,
    /// A Python with torch and torchvision (for the loader, fastai; for the latency, onnxruntime and openvino too):
    /// alternate with it and print ratios
    #[arg(long, value_name = "PYTHON")]
    against_torch: Option<PathBuf>,
    /// Precision of PyTorch on a GPU: f32 (without TF32), tf32, or bf16 (by autocast)
    #[arg(long, default_value = "f32")]
    torch_precision: String,
    /// Number of alternations with PyTorch
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    #[arg(long, default_value = "cpu")]
    device: String,
    /// For the loader: a folder with the folders `train` and `valid`; for shards, their folder, or their
    /// URLs as a pattern
    #[arg(long, value_name = "DIR", required_if_eq_any([("what", "loader"), ("what", "shards")]))]
    data: Option<PathBuf>,
    /// For shards at URLs: how many bytes of them are kept on the disk
    #[arg(long, default_value_t = 4 << 30)]
    shard_bytes: u64,
    /// For the loader: the kind of images
    #[arg(long, required_if_eq("what", "loader"))]
    kind: Option<Kind>,
    /// How much accuracy convolutions may trade for speed, on the CPU
    #[arg(long, default_value = "balanced")]
    accuracy: Mode,
    /// Print a profile: one line per kernel and shape, with the limits of the machine
    #[arg(long, conflicts_with = "against_torch")]
    profile: bool,
    /// Measure in this process, and print each step
    #[arg(long, hide = true, requires = "what")]
    once: bool,
    /// For the latency in this process: the deployed model
    #[arg(long, hide = true, requires = "image")]
    model: Option<PathBuf>,
    /// For the latency in this process: the image file
    #[arg(long, hide = true, requires = "model")]
    image: Option<PathBuf>,
}

impl Args {
    fn work(&self) -> Work {
        Work {
            arch: self.arch,
            batch: self.batch,
            size: self.size,
        }
    }
}

/// Times a network, step by step. Prints one JSON line per kind of work; with PyTorch, one per
/// measurement and one per ratio; as a profile, one per kernel and shape.
pub(crate) fn run(args: &Args) -> Result<()> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(args.threads)
        .build_global()?;
    ops::set_accuracy(args.accuracy.accuracy());
    let device = device::parse(&args.device)?;
    if let (Some(What::Loader), Some(folder), Some(kind)) = (args.what, &args.data, args.kind) {
        return loader::run(&loader::Work {
            folder,
            kind,
            workers: args.threads,
            device: &device,
            python: args.against_torch.as_ref(),
            rounds: args.rounds,
        });
    }
    if args.what == Some(What::Latency) {
        return match (&args.model, &args.image) {
            (Some(model), Some(image)) => latency::here(model, image, &device),
            _ => latency::run(args, &device),
        };
    }
    if args.what == Some(What::Fit) {
        return fit::run(args, &device);
    }
    if let (Some(What::Shards), Some(folder)) = (args.what, &args.data) {
        return shards::run(folder, args.shard_bytes, args.size, args.threads);
    }
    if args.what == Some(What::Interpret) {
        return interpret::run();
    }
    if args.what == Some(What::Predict) {
        return predict::run(args, &device);
    }
    let all = [What::Inference, What::Train, What::TrainFrozenBody];
    let chosen = |what: &What| args.what.is_none_or(|only| only == *what);
    for what in all.into_iter().filter(chosen) {
        if args.once {
            let measurement = Measurement::here(what, args, &device);
            println!("{}", serde_json::to_string(&measurement)?);
        } else if args.profile {
            profile::print(what, args, &device);
        } else if let Some(python) = &args.against_torch {
            let mut pairs = Vec::new();
            for _ in 0..args.rounds.max(1) {
                let ours = Measurement::ours(what, args)?;
                print(what, args, &device::describe(&device), &ours);
                let theirs = Measurement::torch(python, what, args)?;
                let device = if args.device.starts_with("cuda") {
                    "cuda"
                } else {
                    "cpu"
                };
                print(what, args, device, &theirs);
                pairs.push((ours, theirs));
            }
            print_ratios(what, &pairs);
        } else {
            let ours = Measurement::ours(what, args)?;
            print(what, args, &device::describe(&device), &ours);
        }
    }
    Ok(())
}

fn print(what: What, args: &Args, device: &str, measured: &Measurement) {
    let median = measured.median();
    println!(
        "{}",
        json!({
            "engine": measured.engine, "what": what.name(), "format": "nhwc", "arch": args.arch.name(),
            "batch": args.batch, "size": args.size, "threads": args.threads, "device": device,
            "accuracy": args.accuracy.name(), "first_s": measured.first_s, "min_s": measured.min(), "median_s": median,
            "images_per_s": args.batch as f64 / median, "peak_memory_bytes": measured.peak_memory_bytes,
            "memory_of_work_bytes": measured.memory_of_work(),
        })
    );
}

/// Prints the ratios of this library's numbers to PyTorch's.
fn print_ratios(what: What, pairs: &[(Measurement, Measurement)]) {
    let ratio = |of: fn(&Measurement) -> Option<f64>| {
        let ratios = pairs
            .iter()
            .map(|(ours, theirs)| Some(of(ours)? / of(theirs)?));
        ratios.collect::<Option<_>>().map(median)
    };
    let minima =
        |of: fn(&(Measurement, Measurement)) -> f64| pairs.iter().map(of).fold(f64::MAX, f64::min);
    println!(
        "{}",
        json!({
            "what": what.name(), "ours_over_torch": "medians of the rounds' ratios, and the ratio of minima",
            "ratio_of_medians": ratio(|m| Some(m.median())),
            "ratio_of_minima": minima(|p| p.0.min()) / minima(|p| p.1.min()),
            "ratio_of_peak_memory": ratio(|m| m.peak_memory_bytes),
            "ratio_of_memory_of_work": ratio(Measurement::memory_of_work),
            "rounds": pairs.len(),
        })
    );
}
