//! Times the loading of a weights file and measures the memory that it takes: one line of JSON.
//!
//! ```text
//! cargo run -p vision-models --example load_weights -- resnet50 FILE [OUT.safetensors]
//! python3 scripts/time_load.py resnet50 FILE      # the same with PyTorch
//! ```
//!
//! `seconds` is the time to open the file and load it into an existing model, as `torch.load` and
//! `load_state_dict` do. `peak_bytes` is the increase of the process's peak memory. With OUT, the
//! loaded weights are then written there (`scripts/check_round_trip.py` compares them in PyTorch).

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::time::Instant;

use vision_models::{Arch, Init, state, weights};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(arch), Some(path)) = (args.next(), args.next()) else {
        return Err("usage: load_weights ARCH FILE [OUT.safetensors]".into());
    };
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
    let file = weights::WeightsFile::open(&path)?;
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
    if let Some(out) = args.next() {
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
