//! Times the loading of a weights file and measures the memory that it takes: one line of JSON.
//!
//! ```text
//! cargo run -p vision-models --example load_weights -- resnet50 FILE [OUT.safetensors] [options]
//! python3 scripts/time_load.py resnet50 FILE      # the same with PyTorch
//! ```
//!
//! The options choose one of several sets: `--averaged`, `--key KEY`, `--prefix PREFIX`.
//!
//! `seconds` is the time to open the file and load it into an existing model, as `torch.load` and
//! `load_state_dict` do. `peak_bytes` is the increase of the process's peak memory. With OUT, the
//! loaded weights are then written there (`scripts/check_round_trip.py` and `scripts/check_weights_forms.py`
//! compare them in PyTorch).

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::process::ExitCode;
use std::time::Instant;

use vision_models::weights::WeightsSource;
use vision_models::{Arch, Init, state, weights};

const USAGE: &str =
    "usage: load_weights ARCH FILE [OUT.safetensors] [--averaged] [--key KEY] [--prefix PREFIX]";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(arch), Some(path)) = (args.next(), args.next()) else {
        return Err(USAGE.into());
    };
    let (mut source, mut out) = (WeightsSource::new(&path), None);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(USAGE);
        match arg.as_str() {
            "--averaged" => source = source.averaged(),
            "--key" => source = source.key(value()?),
            "--prefix" => source = source.prefix(value()?),
            _ if out.is_none() && !arg.starts_with("--") => out = Some(arg),
            _ => return Err(USAGE.into()),
        }
    }
    let arch: Arch = arch.parse()?;
    let classes = arch.info().weights.as_ref().map_or(1000, |w| w.classes);
    // The device starts its threads at its first use, which is not part of loading.
    let device = vision_models::test_device();
    drop(Init::new(0, &device).zeros([1]).val());
    let before = resident("VmRSS");

    let begin = Instant::now();
    let model = arch.build(classes, &mut Init::zeroed(&device));
    let built = begin.elapsed();
    let last = model.names().last().unwrap_or_default().to_owned();
    let begin = Instant::now();
    let file = weights::WeightsFile::open(source)?;
    let opened = begin.elapsed();
    let (model, report) = weights::load_layers(model, &file)?;
    let loaded = begin.elapsed();

    let peak = resident("VmHWM")
        .zip(before)
        .map(|(peak, before)| peak - before);
    // A file with other classes, or a fastai file, has another classifier.
    let report = report.without(&last);
    eprintln!("{report}");
    report.require_complete()?;
    let size = fs::metadata(&path)?.len();
    println!(
        "{}",
        serde_json::json!({
            "engine": format!("vision {}", env!("CARGO_PKG_VERSION")), "arch": arch.name(), "bytes": size,
            "build_s": built.as_secs_f64(), "open_s": opened.as_secs_f64(), "seconds": loaded.as_secs_f64(),
            "peak_bytes": peak, "peak_per_file": peak.map(|peak| peak as f64 / size as f64),
        })
    );
    if let Some(out) = out {
        weights::write_safetensors(out, &state::tensors(&model), &BTreeMap::new())?;
    }
    Ok(())
}

/// A line of `/proc/self/status`, in bytes. Only Linux has that file.
fn resident(field: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}
