//! Whether a device computes what the CPU computes.

mod difference;
mod exhausted;
mod learning;
mod memory;
mod networks;
mod operations;
mod table;

use clap::ValueEnum;
use table::Table;
use vision::data::{Device, device};

use crate::Result;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Device: cpu, cuda, cuda:1, wgpu ..
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Check only these parts
    #[arg(long, value_delimiter = ',')]
    only: Vec<Part>,
    /// Do only the checks with this text in their names; those that compare with an earlier check need that too
    #[arg(long, default_value = "", value_name = "TEXT")]
    check: String,
    /// Print JSON lines instead of the table
    #[arg(long)]
    json: bool,
}

/// The parts of the check, in their order.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Each operation and its gradients at the sizes of real networks, against the CPU in 64 bits
    Operations,
    /// Predictions, and a training step with each parameter's gradient, of ten architectures, frozen and not, against the
    /// CPU
    Networks,
    /// The losses of 20 steps, cached features, test-time augmentation, export, against the CPU
    Learning,
    /// Memory over 200 steps, and when it is used up
    Memory,
}

impl Part {
    fn check(self, device: &Device, cpu: &Device, table: &mut Table) -> Result<()> {
        match self {
            Self::Operations => operations::check(device, cpu, table),
            Self::Networks => networks::check(device, cpu, table),
            Self::Learning => learning::check(device, cpu, table)?,
            Self::Memory => {
                memory::check(device, table);
                exhausted::check(device, table)?;
            }
        }
        Ok(())
    }
}

/// Checks a device, and prints a table. An error if a difference is beyond its tolerance.
pub(crate) fn run(args: &Args) -> Result<()> {
    let (device, cpu) = (device::parse(&args.device)?, device::parse("cpu")?);
    let mut table = Table::new(&device::describe(&device), args.json, &args.check);
    let is_chosen = |part: &&Part| args.only.is_empty() || args.only.contains(part);
    for part in Part::value_variants().iter().filter(is_chosen) {
        part.check(&device, &cpu, &mut table)?;
    }
    table.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_passes() {
        run(&Args {
            device: "cpu".to_owned(),
            only: Vec::new(),
            check: String::new(),
            json: false,
        })
        .unwrap();
    }
}
