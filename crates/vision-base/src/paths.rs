//! Sibling files and parent folders.

use std::fs::{self, File};
use std::io;
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

/// Opens a regular file for reading. A pipe or a device is refused: reading it might never end.
///
/// # Errors
///
/// If there is no such file, or if it cannot be opened.
pub fn open_file(file: &Path) -> Result<File, IoError> {
    let metadata = fs::metadata(file).map_err(io_error("open", file))?;
    if !metadata.is_file() {
        let reason = "expected a file, found no regular file";
        let reason = io::Error::new(io::ErrorKind::InvalidInput, reason);
        return Err(io_error("open", file)(reason));
    }
    File::open(file).map_err(io_error("open", file))
}

/// Syncs a folder, so that a rename in it survives a crash. Does nothing on Windows, which has no
/// such call.
///
/// # Errors
///
/// If the system cannot sync the folder.
pub fn sync_folder(folder: &Path) -> Result<(), IoError> {
    if cfg!(unix) {
        // Opening a pipe would wait for a writer.
        if !folder.is_dir() {
            let reason = io::Error::from(io::ErrorKind::NotADirectory);
            return Err(io_error("sync the folder", folder)(reason));
        }
        File::open(folder)
            .and_then(|handle| handle.sync_all())
            .map_err(io_error("sync the folder", folder))?;
    }
    Ok(())
}
