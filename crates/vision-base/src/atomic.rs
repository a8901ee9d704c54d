//! Files that are whole or absent.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::error::{IoError, io_error};
use crate::paths::parent_of;

/// Writes a file so that nobody ever sees half of it.
///
/// The bytes go to a temporary file in the same folder, which takes the name when it is complete and on
/// the disk. Until then, and after an error, a file of that name stays as it was.
///
/// # Errors
///
/// If the folder does not exist or cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), IoError> {
    write_with(path, |out| out.write_all(bytes))
}

/// As [`write()`], of what `content` writes.
///
/// # Errors
///
/// As [`write()`], and what `content` returns.
pub fn write_with(
    path: &Path,
    content: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> Result<(), IoError> {
    let folder = parent_of(path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".vision-").suffix(".part");
    // Temporary files are for their owner only; this one gets the rights that files get here.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let temporary = builder
        .tempfile_in(folder)
        .map_err(io_error("create a file for", path))?;
    let mut out = BufWriter::with_capacity(1 << 20, temporary.as_file());
    content(&mut out)
        .and_then(|()| out.flush())
        // Content before name: after a crash the name must not stand for an empty file.
        .and_then(|()| temporary.as_file().sync_all())
        .map_err(io_error("write", path))?;
    drop(out);
    temporary
        .persist(path)
        .map_err(|error| io_error("write", path)(error.error))?;
    // The name itself is safe once its folder is. Not every system can do this, and the file is there.
    if cfg!(unix) {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
    Ok(())
}
