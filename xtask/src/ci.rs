use std::process::Command;

use crate::{Result, layout};

/// Runs `.ci/run`, as CI does. Checks the layout first, which `.ci/run` would check only at the
/// end.
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
