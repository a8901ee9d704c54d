//! Benchmark of latency: one image from JPEG bytes to its class through a deployed model, and the time from the start of a
//! process to its first prediction; the same in PyTorch, ONNX Runtime and OpenVINO.
//!
//! Each measurement is a process of its own. Its first line is printed after its first prediction, its second line are the
//! times of the following ones. Engines take turns.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use serde_json::json;
use vision::data::{Image, ImageDataBunch, Stats, Transforms, builtin};
use vision::learner::{Learner, Predictor};
use vision::models::Init;
use vision::models::export::OnnxConfig;

use super::Args;
use super::measurement::median;
use crate::Result;

/// Predictions per process, after [`WARM_UP`].
const RUNS: usize = 200;
const WARM_UP: usize = 10;
/// Classes of the network, as ImageNet's.
const CLASSES: usize = 1000;
/// Pixels beyond the size before the center is cut out, as torchvision's 256 for 224.
const EXTRA: u32 = 32;
/// The other engines, all run by `scripts/bench_latency.py`.
const OTHERS: [&str; 3] = ["torch", "onnxruntime", "openvino"];

/// What a process prints after its predictions.
#[derive(Deserialize, Serialize)]
struct Times {
    engine: String,
    seconds: Vec<f64>,
}

/// One process.
struct Measurement {
    times: Times,
    /// From the start of the process to its first prediction.
    cold_s: f64,
}

impl Measurement {
    fn of(command: &mut Command) -> Result<Self> {
        let program = PathBuf::from(command.get_program());
        let failed = |what: &str| format!("{}: {what}", program.display());
        let begin = Instant::now();
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or_else(|| failed("no output"))?;
        let mut lines = BufReader::new(output).lines();
        let first = lines.next();
        let cold_s = begin.elapsed().as_secs_f64();
        let last = lines.next();
        let status = child.wait()?;
        match (first, last) {
            (Some(Ok(_)), Some(Ok(json))) if status.success() => Ok(Self {
                times: serde_json::from_str(&json)?,
                cold_s,
            }),
            _ => Err(failed("it ended without a measurement").into()),
        }
    }

    fn median_ms(&self) -> f64 {
        1e3 * median(self.times.seconds.clone())
    }

    /// The 99th percentile: 198 of 200 predictions are no slower.
    fn percentile_ms(&self) -> f64 {
        let mut seconds = self.times.seconds.clone();
        seconds.sort_by(f64::total_cmp);
        let at = (seconds.len() * 99).div_ceil(100).saturating_sub(1);
        1e3 * seconds.get(at).copied().unwrap_or(f64::NAN)
    }

    fn print(&self, args: &Args) {
        println!(
            "{}",
            json!({
                "engine": self.times.engine, "what": "latency", "arch": args.arch.name(), "size": args.size,
                "threads": args.threads, "median_ms": self.median_ms(), "p99_ms": self.percentile_ms(),
                "cold_start_s": self.cold_s,
            })
        );
    }
}

/// Predicts in this process, from a deployed model and an image file.
pub(super) fn here(model: &Path, image: &Path, device: &Device) -> Result<()> {
    let predictor = Predictor::open_on(model, device.clone())?;
    let bytes = fs::read(image)?;
    let first = predictor.predict_bytes(&bytes)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", first.class)?;
    out.flush()?;
    for _ in 0..WARM_UP {
        predictor.predict_bytes(&bytes)?;
    }
    let mut seconds = Vec::with_capacity(RUNS);
    for _ in 0..RUNS {
        let begin = Instant::now();
        predictor.predict_bytes(&bytes)?;
        seconds.push(begin.elapsed().as_secs_f64());
    }
    let engine = format!("vision {}", env!("CARGO_PKG_VERSION"));
    writeln!(
        out,
        "{}",
        serde_json::to_string(&Times { engine, seconds })?
    )?;
    Ok(())
}

/// Alternates between the engines. Prints one JSON line per process, and one per ratio.
pub(super) fn run(args: &Args, device: &Device) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("vision-latency-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let result = measure(args, device, &folder);
    let removed = fs::remove_dir_all(&folder);
    result?;
    Ok(removed?)
}

fn measure(args: &Args, device: &Device, folder: &Path) -> Result<()> {
    let names = ["model.safetensors", "model.onnx", "photo.jpg"];
    let [model, onnx, photo] = names.map(|name| folder.join(name));
    let learner = learner(args, device)?;
    learner.export(&model)?;
    learner.export_onnx_with(&onnx, &OnnxConfig::default())?;
    draw_photo(&photo)?;
    let threads = args.threads.to_string();
    let ours = || {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([
            "bench",
            "--once",
            "--what",
            "latency",
            "--threads",
            &threads,
        ]);
        command.args([
            "--device",
            &args.device,
            "--accuracy",
            &args.accuracy.name(),
        ]);
        command
            .arg("--model")
            .arg(&model)
            .arg("--image")
            .arg(&photo);
        Measurement::of(&mut command)
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/bench_latency.py");
    let theirs = |python: &Path, engine: &str| {
        let mut command = Command::new(python);
        command.arg(&script).args([engine, args.arch.name()]);
        command.arg(&onnx).arg(&photo);
        command
            .args([args.size, EXTRA as usize, args.threads, WARM_UP, RUNS].map(|n| n.to_string()));
        Measurement::of(&mut command)
    };
    let mut all: Vec<Vec<Measurement>> = Vec::new();
    for _ in 0..args.rounds.max(1) {
        let mut round = vec![ours()?];
        if let Some(python) = &args.against_torch {
            for engine in OTHERS {
                round.push(theirs(python, engine)?);
            }
        }
        round.iter().for_each(|measurement| measurement.print(args));
        all.push(round);
    }
    print_ratios(&all);
    Ok(())
}

/// For each other engine, the median over the rounds of this library's numbers divided by its own.
fn print_ratios(rounds: &[Vec<Measurement>]) {
    let engines = rounds.first().map_or(0, Vec::len);
    for engine in 1..engines {
        let ratio = |of: fn(&Measurement) -> f64| {
            let ratios = rounds
                .iter()
                .map(|round| of(&round[0]) / of(&round[engine]));
            median(ratios.collect())
        };
        println!(
            "{}",
            json!({
                "what": "latency", "ratio_to": rounds[0][engine].times.engine,
                "median": ratio(Measurement::median_ms), "p99": ratio(Measurement::percentile_ms),
                "cold_start": ratio(|measurement| measurement.cold_s),
            })
        );
    }
}

/// A whole network with random weights, and torchvision's preprocessing.
fn learner(args: &Args, device: &Device) -> Result<Learner> {
    let classes: Vec<String> = (0..CLASSES).map(|class| class.to_string()).collect();
    let center = builtin::ResizeCenterCrop { extra: EXTRA };
    let data = ImageDataBunch::single_from_classes(".", classes)
        .size(args.size)
        .transforms(Transforms {
            valid: vec![center.into()],
            ..Transforms::default()
        })
        .normalize(Stats::IMAGENET)
        .device(device.clone())
        .build()?;
    let net = args.arch.build(CLASSES, &mut Init::new(0, device));
    Ok(Learner::builder(data, net).silent(true).build()?)
}

/// A JPEG of 500x375 pixels with edges, smooth parts and noise, of a photo's number of bytes.
fn draw_photo(path: &Path) -> Result<()> {
    let (width, height) = (500_u32, 375_u32);
    let mut pixels = Vec::with_capacity((3 * width * height) as usize);
    let mut noise = 1_u32;
    for y in 0..height {
        for x in 0..width {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let grain = (noise >> 24) as f32 / 16.0;
            let disk = (x as f32 - 300.0).hypot(y as f32 - 180.0) < 110.0;
            for wave in [0.013_f32, 0.029, 0.051] {
                let level = 110.0 + 70.0 * (x as f32 * wave).sin() * (y as f32 * wave * 0.7).cos();
                let level = if disk { 255.0 - level } else { level };
                pixels.push((level + grain) as u8);
            }
        }
    }
    let image = Image::from_rgb8(width, height, pixels)?;
    Ok(image.as_rgb_image().save(path)?)
}
