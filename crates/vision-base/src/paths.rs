//! The files beside a file.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::error::{IoError, io_error};

/// `folder/name` + `suffix`, in the same folder.
pub fn sibling(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    file.with_file_name(name)
}

/// The folder of a file; the current one for a bare name.
pub fn parent_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes a rename last. Windows has no such call, and needs none.
///
/// # Errors
///
/// If the system cannot do it.
pub fn sync_folder(folder: &Path) -> Result<(), IoError> {
    if cfg!(unix) {
        File::open(folder)
            .and_then(|handle| handle.sync_all())
            .map_err(io_error("sync the folder", folder))?;
    }
    Ok(())
}
