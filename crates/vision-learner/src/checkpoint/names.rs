//! Names of checkpoints.

use std::path::{MAIN_SEPARATOR, Path};

use vision_base::OptionError;
use vision_base::message::quoted;

use crate::{Error, Result};

/// Rejects names that are not valid file names, such as "..", "dir/" and "".
pub(crate) fn check_name(name: &Path) -> Result<()> {
    let text = name.to_string_lossy();
    let ends_as_folder = text.ends_with(['/', MAIN_SEPARATOR]) || text.ends_with("/.");
    if name.file_name().is_none() || ends_as_folder {
        return Err(Error::Option(OptionError::new(
            "name",
            "the name of a file, such as \"stage-1\"",
            quoted(&text),
        )));
    }
    Ok(())
}
