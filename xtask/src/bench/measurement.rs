//! One measurement in a separate process, with this library or with PyTorch.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use super::Args;
use super::work::{What, stepper};
use crate::Result;

/// The output of a measuring process.
#[derive(Deserialize, Serialize)]
pub(super) struct Measurement {
    pub(super) engine: String,
    /// Duration of the first step, in which a GPU compiles and tunes its kernels.
    pub(super) first_s: f64,
    /// Duration of each step after two.
    pub(super) seconds: Vec<f64>,
    /// Peak memory of the process, if the system reports it.
    pub(super) peak_memory_bytes: Option<f64>,
    /// Memory before the model was created, which is mostly the libraries.
    pub(super) memory_before_bytes: Option<f64>,
}

impl Measurement {
    /// Measures in this process.
    pub(super) fn here(what: What, args: &Args, device: &Device) -> Self {
        let memory_before_bytes = memory("VmRSS:");
        let mut step = stepper(what, args.work(), device);
        let begin = Instant::now();
        step();
        let first_s = begin.elapsed().as_secs_f64();
        step();
        let mut seconds = Vec::new();
        for _ in 0..args.repeats.max(1) {
            let begin = Instant::now();
            step();
            seconds.push(begin.elapsed().as_secs_f64());
        }
        Self {
            engine: format!("vision {}", env!("CARGO_PKG_VERSION")),
            first_s,
            seconds,
            peak_memory_bytes: memory("VmHWM:"),
            memory_before_bytes,
        }
    }

    /// Measures this library in a separate process, so that the memory is that of this work alone.
    pub(super) fn ours(what: What, args: &Args) -> Result<Self> {
        let numbers = [
            ("--batch", args.batch),
            ("--size", args.size),
            ("--threads", args.threads),
            ("--repeats", args.repeats),
        ];
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bench", "--once", "--what", &what.name()]);
        command.args(["--arch", args.arch.name(), "--device", &args.device]);
        command.args(["--accuracy", &args.accuracy.name()]);
        for (name, value) in numbers {
            command.args([name, &value.to_string()]);
        }
        Self::of(command)
    }

    /// Measures PyTorch in a separate process.
    pub(super) fn torch(python: &Path, what: What, args: &Args) -> Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/bench_torch.py");
        let numbers = [args.batch, args.size, args.threads, args.repeats.max(1)];
        let mut command = Command::new(python);
        command
            .arg(script)
            .args([what.name().as_str(), args.arch.name()])
            .args(numbers.map(|n| n.to_string()));
        let kind = args.device.split(':').next();
        if let Some("cuda") = kind {
            command.args(["cuda", &args.torch_precision]);
        }
        Self::of(command)
    }

    fn of(mut command: Command) -> Result<Self> {
        let program = PathBuf::from(command.get_program());
        let output = command
            .output()
            .map_err(|e| format!("{}: {e}", program.display()))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{}: {}", program.display(), text.trim()).into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// Peak memory of the work alone.
    pub(super) fn memory_of_work(&self) -> Option<f64> {
        Some(self.peak_memory_bytes? - self.memory_before_bytes?)
    }

    pub(super) fn median(&self) -> f64 {
        median(self.seconds.clone())
    }

    pub(super) fn min(&self) -> f64 {
        self.seconds.iter().copied().fold(f64::MAX, f64::min)
    }
}

pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A line of Linux's `/proc/self/status`, in bytes.
pub(super) fn memory(field: &str) -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kilobytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(1024.0 * kilobytes)
}

/// Processor time of this process on Linux, in all threads.
pub(super) fn processor_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in brackets, may hold blanks.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}
