use std::process::Command;

use crate::{Result, layout};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Check a GPU in software instead: installs Mesa's Vulkan driver with apt-get if there is none, builds with the
    /// feature wgpu, and runs `device-check --device wgpu`
    #[arg(long)]
    devices: bool,
}

/// Runs `.ci/run`, as CI does, or the check of devices. Checks the layout first, which `.ci/run` would check only at the end.
pub(crate) fn run(args: &Args) -> Result<()> {
    layout::check()?;
    run_script(if args.devices {
        "scripts/check_software_vulkan.sh"
    } else {
        ".ci/run"
    })
}

fn run_script(script: &str) -> Result<()> {
    let status = Command::new("bash")
        .arg(script)
        .current_dir(layout::root())
        .status()?;
    match status.success() {
        true => Ok(()),
        false => Err(format!("{script}: {status}").into()),
    }
}
