//! Files that are not overwritten unasked.

use std::path::Path;

use vision::base::message::shown;

use crate::failure::{Failure, Result};

/// Checks that a command may write a file: it does not exist, or may be replaced. `other` is what else to choose, such as
/// `another name`.
pub(crate) fn check_new(file: &Path, overwrite: bool, other: &str) -> Result<()> {
    if overwrite || !file.exists() {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "{} exists already: choose {other}, or replace it with --overwrite",
        shown(file)
    )))
}
