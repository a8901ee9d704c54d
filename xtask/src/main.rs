//! Developer tasks of the workspace: `cargo xtask <command>`.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bench;
mod ci;
mod data;
mod device_check;
mod fetch_weights;
mod layout;
mod parity;

use std::process::ExitCode;

use clap::Parser;

/// Developer tasks of the vision workspace.
#[derive(Parser)]
enum Command {
    /// Download torchvision's ImageNet weights into the cache
    FetchWeights(fetch_weights::Args),
    /// Compare every architecture with torchvision's numbers
    Parity(parity::Args),
    /// Time a ResNet: one JSON line a measurement
    Bench(bench::Args),
    /// Time the inspection of data and print one JSON line
    Data(data::Args),
    /// Check that a device computes what the CPU computes
    DeviceCheck(device_check::Args),
    /// Run what CI runs
    Ci(ci::Args),
}

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let result = match Command::parse() {
        Command::FetchWeights(args) => fetch_weights::run(&args),
        Command::Parity(args) => parity::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Data(args) => data::run(&args),
        Command::DeviceCheck(args) => device_check::run(&args),
        Command::Ci(args) => ci::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
