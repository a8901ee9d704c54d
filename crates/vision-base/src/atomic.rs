//! Atomic file writes: a file is complete or absent.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::error::{IoError, io_error};
use crate::paths::parent_of;

/// Writes a file atomically: a reader sees the old file or the new one, never a part.
///
/// The bytes go to a temporary file in the same folder, which is synced and then renamed. Until
/// then, and after an error, an existing file of that name is unchanged.
///
/// # Errors
///
/// If the folder does not exist or cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), IoError> {
    write_with(path, |out| out.write_all(bytes))
}

/// Like [`write()`], with the bytes that `content` writes.
///
/// # Errors
///
/// As [`write()`], or the error that `content` returns.
pub fn write_with(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> Result<(), IoError> {
    let folder = parent_of(path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".vision-").suffix(".part");
    // A temporary file is private to its owner; give this one the usual permissions.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let temporary = builder
        .tempfile_in(folder)
        .map_err(io_error("create a file for", path))?;
    let mut out = BufWriter::with_capacity(1 << 20, temporary.as_file());
    content(&mut out)
        .and_then(|()| out.flush())
        // Sync the content before the rename: after a crash the name must not refer to an empty
        // file.
        .and_then(|()| temporary.as_file().sync_all())
        .map_err(io_error("write", path))?;
    drop(out);
    temporary
        .persist(path)
        .map_err(|error| io_error("write", path)(error.error))?;
    // Sync the folder, so that the new name survives a crash. Not every system supports this, and
    // the file is in place already.
    if cfg!(unix) {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
    Ok(())
}
