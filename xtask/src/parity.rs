use std::path::PathBuf;

use vision::data::device;
use vision::models::{Arch, parity};

use crate::Result;

const FIXTURE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../crates/vision-models/tests/fixtures/parity.json"
);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Reference file, created by scripts/make_parity_reference.py [default: that of the tests]
    #[arg(long, default_value = FIXTURE, hide_default_value = true)]
    reference: PathBuf,
    /// Seed of the fill rule; must be that of the file
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Device
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Architectures. Default: all that both the file and this library have
    archs: Vec<Arch>,
}

/// Compares, and prints the largest error of each quantity.
pub(crate) fn run(args: &Args) -> Result<()> {
    let file = args.reference.display();
    let text = std::fs::read_to_string(&args.reference).map_err(|e| format!("{file}: {e}"))?;
    let reference: parity::Reference =
        serde_json::from_str(&text).map_err(|e| format!("{file}: not a reference file: {e}"))?;
    let device = device::parse(&args.device)?;
    let all: Vec<Arch> = if args.archs.is_empty() {
        let known = |arch: &&Arch| reference.archs.contains_key(arch.name());
        Arch::ALL.iter().filter(known).copied().collect()
    } else {
        args.archs.clone()
    };
    let mut beyond = 0;
    println!(
        "{:<14} {:<10} {:>9} {:>9}  at",
        "arch", "quantity", "error", "allowed"
    );
    for arch in all {
        let numbers = reference.archs.get(arch.name());
        let numbers = numbers.ok_or_else(|| format!("{file} has no entry for {arch}"))?;
        for d in parity::compare(arch, numbers, args.seed, &device)? {
            let mark = if d.is_within_tolerance() {
                ""
            } else {
                "  BEYOND"
            };
            beyond += usize::from(!d.is_within_tolerance());
            println!(
                "{:<14} {:<10} {:>9.1e} {:>9.0e}  {}{mark}",
                arch.name(),
                d.quantity,
                d.error,
                d.tolerance,
                d.at
            );
        }
    }
    if beyond == 0 {
        Ok(())
    } else {
        Err(format!("{beyond} quantities are beyond their tolerance").into())
    }
}
