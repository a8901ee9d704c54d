//! Atomic file writes: a file is complete or absent.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use tempfile::NamedTempFile;

use crate::error::{IoError, io_error};
use crate::paths::parent_of;

/// The end of the name of a file that is being written.
const SUFFIX: &str = ".part";

/// Writes a file atomically: a reader sees the old file or the new one, never a part.
///
/// The bytes go to a temporary file in the same folder, which is synced and then renamed. Until
/// then, and after an error, an existing file of that name is unchanged.
///
/// A process that is killed leaves its temporary file behind. The next call for the same name clears it away, and
/// leaves alone those of processes that are still writing, which hold a lock.
///
/// # Errors
///
/// If the folder does not exist or cannot be written, or if something else than a file has that name: a folder, a
/// device or a pipe, which would be replaced.
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
    let is_other = fs::metadata(path).is_ok_and(|metadata| !metadata.is_file());
    if is_other || path.file_name().is_none() {
        let reason = "expected the name of a file, found no regular file";
        let reason = io::Error::new(io::ErrorKind::InvalidInput, reason);
        return Err(io_error("write", path)(reason));
    }
    let folder = parent_of(path);
    let prefix = prefix(path);
    clear_stale(folder, &prefix);
    let temporary = temporary(folder, &prefix).map_err(io_error("create a file for", path))?;
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

/// How the names of temporary files for `path` begin.
fn prefix(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // Names have a limit of 255 bytes on most systems.
    let short: String = name.chars().take(40).collect();
    format!(".{short}.vision-")
}

/// A locked temporary file in `folder`, for content that is renamed when it is complete, and deleted on
/// an error. [`clear_stale`] with the same prefix deletes those of killed processes.
///
/// # Errors
///
/// If the folder does not exist or cannot be written.
pub fn temporary(folder: &Path, prefix: &str) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).suffix(SUFFIX);
    // Temporary files are for their owner only; this one gets the rights that files get here.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    loop {
        let temporary = builder.tempfile_in(folder)?;
        // A system without locks has no stale files cleared by others either.
        if temporary.as_file().lock().is_err() {
            return Ok(temporary);
        }
        // Another process may have cleared it away between its creation and its lock.
        if temporary.path().exists() {
            return Ok(temporary);
        }
    }
}

/// Deletes the files of [`temporary`] that no process holds, because theirs has ended.
pub fn clear_stale(folder: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !(name.starts_with(prefix) && name.ends_with(SUFFIX)) {
            continue;
        }
        let file = File::options().write(true).open(entry.path());
        if file.is_ok_and(|file| file.try_lock().is_ok()) {
            // What cannot be deleted now only takes room.
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_a_killed_process_left_is_cleared_by_the_next_write_of_the_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        for stale in [".a.bin.vision-1.part", ".a.bin.vision-xyz.part"] {
            fs::write(folder.path().join(stale), b"half").unwrap();
        }
        let others = [".ab.bin.vision-1.part", "a.bin.part", ".a.bin.vision-1.txt"];
        for other in others {
            fs::write(folder.path().join(other), b"kept").unwrap();
        }
        write(&path, b"whole").unwrap();
        let mut expected = vec!["a.bin"];
        expected.extend(others);
        expected.sort_unstable();
        assert_eq!(names(folder.path()), expected);
        assert_eq!(fs::read(&path).unwrap(), b"whole");
    }

    #[test]
    fn a_file_that_is_being_written_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        write_with(&path, |out| {
            // Another writer of the same name, in the middle of ours.
            write(&path, b"second").unwrap();
            assert_eq!(names(folder.path()).len(), 2, "ours is still there");
            out.write_all(b"first")
        })
        .unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(names(folder.path()), ["a.bin"]);
    }

    #[test]
    fn an_error_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        write(&path, b"old").unwrap();
        let error = write_with(&path, |_| Err(io::Error::other("no"))).unwrap_err();
        assert_eq!(error.path, path);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["a.bin"]);
        let long = folder.path().join(format!("{}.bin", "ä".repeat(120)));
        write(&long, b"long").unwrap();
        assert_eq!(fs::read(&long).unwrap(), b"long");
    }
}
