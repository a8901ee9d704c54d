use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use burn::{
    module::{Module, ParamGroup},
    tensor::{Device, Int, Tensor, TensorData},
};
use clap::ValueEnum;
use serde_json::json;
use vision::{
    data::device,
    kernels::{conv::Accuracy, ops},
    learner::{Adam, CrossEntropy, GroupedOptimizer, Loss},
    models::{Arch, Init, layers::Sequential, parity, state},
};

use crate::Result;

#[derive(Clone, Copy, PartialEq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum What {
    /// Forward pass in eval mode
    Inference,
    /// Forward, backward and Adam over every parameter
    Train,
    /// The same where only batch norms and the last layer train
    TrainFrozenBody,
}

impl What {
    fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or(String::new(), |v| v.get_name().to_owned())
    }
}

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to time; all three if not given
    #[arg(long)]
    what: Option<What>,
    #[arg(long, default_value = "resnet18")]
    arch: Arch,
    #[arg(long, default_value_t = 16)]
    batch: usize,
    /// Side of the pictures in pixels
    #[arg(long, default_value_t = 224)]
    size: usize,
    #[arg(long, default_value_t = 2)]
    threads: usize,
    #[arg(long, default_value_t = 5)]
    repeats: usize,
    /// A Python with torch and torchvision: alternate with it, and print ratios
    #[arg(long, value_name = "PYTHON")]
    against_torch: Option<PathBuf>,
    /// Alternations with PyTorch
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    #[arg(long, default_value = "cpu")]
    device: String,
    /// What convolutions may give of their accuracy for speed, on the CPU: direct, balanced or fast
    #[arg(long, default_value = "balanced", value_parser = accuracy)]
    accuracy: Accuracy,
}

fn accuracy(name: &str) -> std::result::Result<Accuracy, String> {
    match name {
        "direct" => Ok(Accuracy::Direct),
        "balanced" => Ok(Accuracy::Balanced),
        "fast" => Ok(Accuracy::Fast),
        _ => Err("expected direct, balanced or fast".to_owned()),
    }
}

/// Times a network, step by step: one JSON line a kind of work, or, against PyTorch, one a measurement
/// and one a ratio.
pub(crate) fn run(args: &Args) -> Result<()> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(args.threads)
        .build_global()?;
    ops::set_accuracy(args.accuracy);
    let device = device::parse(&args.device)?;
    let all = [What::Inference, What::Train, What::TrainFrozenBody];
    for what in all
        .into_iter()
        .filter(|what| args.what.is_none_or(|only| only == *what))
    {
        let mut pairs = Vec::new();
        let rounds = args
            .against_torch
            .as_ref()
            .map_or(1, |_| args.rounds.max(1));
        for _ in 0..rounds {
            let ours = Times::of(time(what, args, &device));
            print(&what.name(), args, &device, &ours, None);
            if let Some(python) = &args.against_torch {
                let (theirs, engine) = torch(python, what, args)?;
                print(&what.name(), args, &device, &theirs, Some(&engine));
                pairs.push((ours, theirs));
            }
        }
        if !pairs.is_empty() {
            let ratio = |of: fn(&Times) -> f64| {
                let ratios = pairs.iter().map(|(ours, theirs)| of(ours) / of(theirs));
                Times::of(ratios.collect()).median
            };
            let minima =
                |of: fn(&(Times, Times)) -> f64| pairs.iter().map(of).fold(f64::MAX, f64::min);
            println!(
                "{}",
                json!({
                    "what": what.name(), "ours_over_torch": "median of the rounds' ratios of medians",
                    "ratio_of_medians": ratio(|t| t.median),
                    "ratio_of_minima": minima(|p| p.0.min) / minima(|p| p.1.min),
                    "rounds": pairs.len(),
                })
            );
        }
    }
    Ok(())
}

/// Seconds of the steps, in short.
struct Times {
    min: f64,
    median: f64,
}

impl Times {
    fn of(mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        Self {
            min: seconds.first().copied().unwrap_or(f64::NAN),
            median: seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN),
        }
    }
}

fn time(what: What, args: &Args, device: &Device) -> Vec<f64> {
    let mut step = stepper(what, args, device);
    for _ in 0..2 {
        step();
    }
    (0..args.repeats.max(1))
        .map(|_| {
            let begin = Instant::now();
            step();
            begin.elapsed().as_secs_f64()
        })
        .collect()
}

/// The same work in PyTorch, in a process of its own.
fn torch(python: &Path, what: What, args: &Args) -> Result<(Times, String)> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/bench_torch.py");
    let numbers = [args.batch, args.size, args.threads, args.repeats.max(1)];
    let output = Command::new(python)
        .arg(script)
        .args([what.name().as_str(), args.arch.name()])
        .args(numbers.map(|n| n.to_string()))
        .output()
        .map_err(|e| format!("{}: {e}", python.display()))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {}", python.display(), text.trim()).into());
    }
    let line: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let seconds = serde_json::from_value(line["seconds"].clone())?;
    Ok((
        Times::of(seconds),
        line["engine"].as_str().unwrap_or("torch").to_owned(),
    ))
}

fn print(what: &str, args: &Args, device: &Device, times: &Times, torch: Option<&str>) {
    let ours = format!("vision {}", env!("CARGO_PKG_VERSION"));
    let accuracy = format!("{:?}", args.accuracy).to_lowercase();
    println!(
        "{}",
        json!({
            "engine": torch.unwrap_or(&ours), "what": what, "format": "nhwc", "arch": args.arch.name(),
            "batch": args.batch, "size": args.size, "threads": args.threads,
            "device": torch.map_or_else(|| device::describe(device), |_| "cpu".to_owned()),
            "accuracy": torch.map_or(accuracy.as_str(), |_| ""),
            "min_s": times.min, "median_s": times.median, "images_per_s": args.batch as f64 / times.median,
        })
    );
}

/// One step of the work, to be called again and again; it returns when the device is done.
fn stepper(what: What, args: &Args, device: &Device) -> Box<dyn FnMut()> {
    let plain = device.clone();
    let shape = [args.batch, 3, args.size, args.size];
    let model = args.arch.build(2, &mut Init::new(0, device));
    let pixels = TensorData::new(parity::fill("input", &shape, 0), shape);
    if what == What::Inference {
        let x = Tensor::<4>::from_data(pixels, device);
        return Box::new(move || {
            drop(model.forward(x.clone()));
            drop(plain.sync());
        });
    }
    let device = device.clone().autodiff();
    let x = Tensor::<4>::from_data(pixels, &device);
    let classes: Vec<i64> = (0..args.batch as i64).map(|i| i % 2).collect();
    let y = Tensor::<1, Int>::from_data(TensorData::new(classes, [args.batch]), &device);
    let mut model = model.train();
    if what == What::TrainFrozenBody {
        let entries = state::entries(&model).into_iter();
        let frozen = entries.filter(|e| !(e.is_batch_norm() || e.name.starts_with("fc.")));
        let frozen = frozen.map(|e| e.id).collect();
        model = model.set_require_grad_group(ParamGroup::from_ids(frozen), false);
    }
    let groups = [state::entries(&model)];
    let mut optimizer = GroupedOptimizer::new(Box::new(Adam::default()), &groups, true, true);
    let mut slot: Option<Sequential> = Some(model);
    Box::new(move || {
        slot = slot.take().map(|model| {
            let logits = model.forward(x.clone()).flatten(1, 3);
            let mut grads = CrossEntropy.mean(logits, y.clone()).backward();
            optimizer.step(model, &mut grads)
        });
        drop(plain.sync());
    })
}
