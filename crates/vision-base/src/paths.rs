//! Sibling files and parent folders.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::error::{IoError, io_error};

/// `folder/name` + `suffix`, in the same folder.
pub fn sibling(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    file.with_file_name(name)
}

/// The folder of a file; the current folder for a bare file name.
pub fn parent_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Syncs a folder, so that a rename in it survives a crash. Does nothing on Windows, which has no
/// such call.
///
/// # Errors
///
/// If the system cannot sync the folder.
pub fn sync_folder(folder: &Path) -> Result<(), IoError> {
    if cfg!(unix) {
        File::open(folder)
            .and_then(|handle| handle.sync_all())
            .map_err(io_error("sync the folder", folder))?;
    }
    Ok(())
}
