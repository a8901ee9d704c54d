//! Safe extraction of `.tgz` archives.
//!
//! Archives from the network are treated as hostile. [`extract_tgz`] creates only regular files and
//! folders, and only below a new folder. It rejects the following, with an error that names the
//! archive and the entry:
//!
//! * absolute names, `..`, backslashes, drive letters, control characters, names that are not
//!   UTF-8;
//! * symlinks, hard links, devices, pipes, sparse files, and every other type except file and
//!   folder;
//! * a name given twice, or two names that differ only by case (on Windows and macOS one would
//!   overwrite the other);
//! * entries whose two headers disagree about their size, a way to show different contents to
//!   different programs;
//! * anything beyond the [`Limits`].
//!
//! Owners, permissions, times and extended attributes are ignored. The entries `._NAME` and
//! `__MACOSX` of macOS are skipped.
//!
//! Extraction is atomic. The destination appears by one rename, after the archive was read to its
//! last byte and its checksum was verified. A truncated archive, an error or a killed process
//! leaves no folder of that name, and the next call removes what a killed process left behind. (A
//! power failure within seconds after the end can still lose contents, because thousands of small
//! files are not synced one by one.)

pub(crate) mod contents;
pub(crate) mod limits;
pub(crate) mod meter;
pub(crate) mod names;
pub(crate) mod tar_files;
pub(crate) mod walk;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use vision_base::paths::{parent_of, sibling, sync_folder};

pub use crate::archive::contents::Contents;
pub use crate::archive::limits::Limits;
use crate::archive::meter::Meter;
use crate::archive::names::Kind;
pub use crate::archive::tar_files::{TarFile, tar_files, tar_files_in};
use crate::archive::walk::walk;
use crate::error::{Error, Result, io_error};
use crate::lock;

/// Extracts `archive` as the folder `dest`, completely or not at all.
///
/// If everything in the archive is in one top folder, that folder becomes `dest`, whatever its
/// name. Otherwise `dest` is created and holds everything. Missing parent folders of `dest` are
/// created, and a lock file `.NAME.lock` stays beside it.
///
/// # Errors
///
/// [`Error::AlreadyExists`] if `dest` exists; [`Error::NotAnArchive`], [`Error::DamagedArchive`],
/// [`Error::UnsafeEntry`], [`Error::ArchiveLimit`] and [`Error::EmptyArchive`] for the archive;
/// [`Error::Io`] for the file system; [`Error::Locked`] if another process has held the lock for
/// half an hour. After an error `dest` does not exist.
///
/// ```no_run
/// use vision_fetch::archive::{Limits, extract_tgz};
///
/// extract_tgz("mnist_sample.tgz".as_ref(), "data/mnist_sample".as_ref(), &Limits::default())?;
/// # Ok::<(), vision_fetch::Error>(())
/// ```
pub fn extract_tgz(archive: &Path, dest: &Path, limits: &Limits) -> Result<()> {
    extract(
        archive,
        dest,
        limits,
        Existing::Refuse,
        Duration::from_secs(30 * 60),
    )
}

/// What to do if the destination exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Return [`Error::AlreadyExists`].
    Refuse,
    /// Keep it. It is complete, because it got its name after the extraction.
    Keep,
    /// Replace it after the archive has been extracted.
    Replace,
}

/// Like [`extract_tgz`]; `existing` says what to do if the destination exists, and `patience` how
/// long to wait for another process that extracts to it.
///
/// # Errors
///
/// As [`extract_tgz`], and [`Error::Locked`] if the other process takes longer than `patience`.
pub fn extract(
    archive: &Path,
    dest: &Path,
    limits: &Limits,
    existing: Existing,
    patience: Duration,
) -> Result<()> {
    let refuse = || Error::AlreadyExists {
        path: dest.to_owned(),
    };
    let name = dest.file_name().ok_or_else(refuse)?.to_string_lossy();
    let parent = parent_of(dest);
    fs::create_dir_all(parent).map_err(io_error("create the folder", parent))?;
    let lock = sibling(&dest.with_file_name(format!(".{name}")), ".lock");
    let _lock = lock::acquire(&lock, patience)?;
    if dest.symlink_metadata().is_ok() {
        match existing {
            Existing::Keep if dest.is_dir() => return Ok(()),
            Existing::Replace => {}
            Existing::Keep | Existing::Refuse => return Err(refuse()),
        }
    }

    // We hold the lock, so a folder with this prefix is left over from a crash.
    let prefix = format!(".{name}.unpacking-");
    clear(parent, &prefix);
    let temporary = tempfile::Builder::new()
        .prefix(&prefix)
        .tempdir_in(parent)
        .map_err(io_error("create a temporary folder in", parent))?;
    // A folder inside, because the temporary folder is private to this user.
    let root = temporary.path().join("new");
    fs::create_dir(&root).map_err(io_error("create the folder", &root))?;
    let top = unpack(archive, &root, limits)?;
    let whole = top.map_or_else(|| root.clone(), |top| root.join(top));
    swap(&whole, dest, &temporary)?;
    Ok(sync_folder(parent)?)
}

/// Renames `whole` to `dest`. If that fails, an older `dest` is restored; otherwise it is deleted.
fn swap(whole: &Path, dest: &Path, temporary: &TempDir) -> Result<()> {
    let old = temporary.path().join("old");
    let replacing = dest.symlink_metadata().is_ok();
    if replacing {
        fs::rename(dest, &old).map_err(io_error("move away", dest))?;
    }
    fs::rename(whole, dest).map_err(|source| {
        if replacing {
            // If this fails too, nothing is left to try; the error below is returned.
            let _ = fs::rename(&old, dest);
        }
        io_error("rename to", dest)(source)
    })
}

fn clear(parent: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            // A leftover that cannot be removed now does no harm; it only takes up space.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Extracts into the empty folder `root`. Returns the single top folder if it holds everything.
fn unpack(archive: &Path, root: &Path, limits: &Limits) -> Result<Option<String>> {
    let names = walk(archive, limits, |entry| {
        let path = root.join(entry.name);
        match entry.kind {
            Kind::Folder => fs::create_dir_all(&path).map_err(io_error("create the folder", &path)),
            Kind::File => write(entry.contents, &path, entry.size, entry.meter),
        }
    })?;
    Ok(names.single_top_folder())
}

fn write(entry: &mut dyn Read, path: &Path, size: u64, meter: &Meter) -> Result<()> {
    let folder = parent_of(path);
    fs::create_dir_all(folder).map_err(io_error("create the folder", folder))?;
    // `create_new` also rejects two names that only this file system considers equal.
    let mut file = File::create_new(path).map_err(io_error("create", path))?;
    let mut buffer = [0; 1 << 15];
    let mut left = size;
    while left > 0 {
        let n = entry
            .read(&mut buffer)
            .map_err(|error| meter.error(&error))?;
        let Some(bytes) = buffer.get(..n).filter(|bytes| !bytes.is_empty()) else {
            return Err(meter.damaged("it ends in the middle of a file"));
        };
        file.write_all(bytes).map_err(io_error("write to", path))?;
        left = left.saturating_sub(n as u64);
    }
    Ok(())
}
