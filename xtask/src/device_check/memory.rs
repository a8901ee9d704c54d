//! Memory over many steps.

use std::process::Command;

use burn::tensor::Device;
use vision::data::device;
use vision::models::Arch;

use super::difference::Difference;
use super::table::Table;
use crate::bench::{What, Work, stepper};

/// Steps after which buffers have found their size.
const WARM_UP: usize = 50;
const STEPS: usize = 200;
/// Of the memory after the first steps.
const GROWTH: f64 = 0.05;

/// Trains a small network.
pub(super) fn check(device: &Device, table: &mut Table) {
    table.check("memory", &format!("growth over {STEPS} steps"), || {
        let work = Work {
            arch: Arch::MobileNetV3Small,
            batch: 8,
            size: 32,
        };
        let mut step = stepper(What::Train, work, device);
        for _ in 0..WARM_UP {
            step();
        }
        let before = used(device);
        for _ in 0..STEPS {
            step();
        }
        let after = used(device);
        let mut difference = Difference::new(GROWTH);
        match (before, after) {
            (Some(before), Some(after)) => {
                difference.error = (after / before - 1.0).max(0.0);
                let of = match device::is_cpu(device) || gpu().is_some() {
                    true => "",
                    false => " of the host alone: nvidia-smi does not list this process",
                };
                let (before, after) = (mib(before), mib(after));
                difference.note = format!("{before:.0} MiB, then {after:.0} MiB{of}");
            }
            // Nothing to compare is not a success.
            _ => difference.note("the memory in use cannot be read here", f64::INFINITY),
        }
        difference
    });
}

fn mib(bytes: f64) -> f64 {
    bytes / f64::from(1 << 20)
}

/// Bytes that this process uses: of the GPU where NVIDIA's driver says so, and of the host.
fn used(device: &Device) -> Option<f64> {
    let host = host()?;
    Some(match device::is_cpu(device) {
        true => host,
        false => host + gpu().unwrap_or(0.0),
    })
}

fn host() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(1024.0 * kilobytes)
}

fn gpu() -> Option<f64> {
    let output = Command::new("nvidia-smi")
        .args([
            "--query-compute-apps=pid,used_memory",
            "--format=csv,noheader,nounits",
        ])
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let own = std::process::id().to_string();
    let lines = text.lines().filter_map(|line| line.split_once(','));
    let own = lines.filter(|(pid, _)| pid.trim() == own);
    let used = own.filter_map(|(_, used)| used.trim().parse::<f64>().ok());
    // On each GPU that it uses.
    let mebibytes = used.reduce(|sum, used| sum + used)?;
    Some(mebibytes * f64::from(1 << 20))
}
