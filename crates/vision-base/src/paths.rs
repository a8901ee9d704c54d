//! Sibling files and parent folders.

use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom};
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

/// Opens a file that had so many bytes, to write after them. What comes later, written by a process that was ended, is cut
/// off; with 0 bytes it is a new file.
///
/// # Errors
///
/// If it cannot be opened or cut, if it is shorter than that, or if it is no regular file.
pub fn continue_file(file: &Path, bytes: u64) -> Result<File, IoError> {
    let fail = || io_error("continue", file);
    let invalid = |reason: String| fail()(io::Error::new(io::ErrorKind::InvalidData, reason));
    // Opening a pipe would wait for a reader.
    if fs::metadata(file).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(invalid("expected a file, found no regular file".to_owned()));
    }
    let mut open = File::options();
    open.read(true).write(true).create(true).truncate(false);
    let mut handle = open.open(file).map_err(fail())?;
    let found = handle.metadata().map_err(fail())?.len();
    if found < bytes {
        let reason = format!("it had {bytes} bytes and has {found}: it was cut or replaced");
        return Err(invalid(reason));
    }
    handle.set_len(bytes).map_err(fail())?;
    handle.seek(SeekFrom::End(0)).map_err(fail())?;
    Ok(handle)
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
