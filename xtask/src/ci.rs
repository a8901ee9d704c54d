use std::path::Path;
use std::process::Command;

use crate::Result;

/// Runs `.ci/run`, which is what CI runs.
pub(crate) fn run() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let status = Command::new("bash")
        .arg(".ci/run")
        .current_dir(root)
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!(".ci/run: {status}").into())
    }
}
