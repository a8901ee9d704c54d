use std::process::Command;

use crate::{Result, layout};

/// Runs `.ci/run`, which is what CI runs. What its tests would say of the layout at the end is said first.
pub(crate) fn run() -> Result<()> {
    layout::check()?;
    let status = Command::new("bash")
        .arg(".ci/run")
        .current_dir(layout::root())
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!(".ci/run: {status}").into())
    }
}
