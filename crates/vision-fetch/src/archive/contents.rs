//! The files of an archive, read without unpacking it.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use vision_base::OptionError;
use vision_base::paths::open_file;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::archive::limits::{Limits, limit};
use crate::archive::meter::{GZIP, described, head};
use crate::archive::names::{Kind, Names, clean};
use crate::archive::walk::walk;
use crate::error::{Error, Result};

/// The ratio is not checked below this: a few small files of zeros are not a bomb.
const RATIO_GRACE: u64 = 32 << 20;

/// The files of an archive, read without unpacking it.
///
/// A `.zip` stays on disk, and each call reads one file of it. A `.tgz` can be read only from its
/// beginning, so the requested files are kept in memory, in the encoded form of the archive. Rejects the
/// same entries as [`extract_tgz`](crate::archive::extract_tgz).
#[derive(Debug)]
pub struct Contents {
    archive: PathBuf,
    names: Vec<String>,
    store: Store,
}

#[derive(Debug)]
enum Store {
    Memory(Vec<Vec<u8>>),
    Zip {
        zip: Mutex<ZipArchive<BufReader<File>>>,
        /// Of each file its position in the archive and its size.
        places: Vec<(usize, u64)>,
    },
}

impl Contents {
    /// Opens an archive for the files of which `wanted` is true.
    ///
    /// # Errors
    ///
    /// [`Error::NotAnArchive`], [`Error::DamagedArchive`], [`Error::UnsafeEntry`], [`Error::ArchiveLimit`]
    /// and [`Error::EmptyArchive`] for the archive; [`Error::Io`] for the disk.
    pub fn open(
        archive: impl Into<PathBuf>,
        limits: &Limits,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Self> {
        let archive = archive.into();
        let file = open_file(&archive)?;
        let head = head(&file, &archive)?;
        let (names, store) = if head == GZIP {
            in_memory(&archive, limits, wanted)?
        } else if head == *b"PK" {
            on_disk(&archive, limits, wanted)?
        } else {
            return Err(Error::NotAnArchive {
                expected: ".tgz or .zip",
                found: described(&head),
                archive,
            });
        };
        Ok(Self {
            archive,
            names,
            store,
        })
    }

    /// The archive.
    pub fn path(&self) -> &Path {
        &self.archive
    }

    /// The names of the requested files, in the order of the archive, such as `train/cat/1.jpg`.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The bytes of a file, by its position in [`names`](Self::names).
    ///
    /// # Errors
    ///
    /// [`Error::DamagedArchive`], and [`Error::Option`] beyond the last file.
    pub fn read(&self, item: usize) -> Result<Vec<u8>> {
        if item >= self.names.len() {
            let expected = format!("a position below {}, the number of files", self.names.len());
            return Err(OptionError::new("item", expected, item).into());
        }
        let (zip, places) = match &self.store {
            Store::Memory(files) => return Ok(files[item].clone()),
            Store::Zip { zip, places } => (zip, places),
        };
        let (place, size) = places[item];
        // A thread that panicked has left the reader as it was: each call looks for its file.
        let mut zip = zip.lock().unwrap_or_else(PoisonError::into_inner);
        let file = zip.by_index(place);
        let file = file.map_err(|error| damaged(&self.archive, &error))?;
        let mut bytes = Vec::new();
        // One byte more than declared: reading to the end also checks the CRC.
        file.take(size.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|error| damaged(&self.archive, &error.into()))?;
        if bytes.len() as u64 != size {
            return Err(Error::DamagedArchive {
                archive: self.archive.clone(),
                reason: format!(
                    "{:?} does not have the size that the archive declares",
                    self.names[item]
                ),
            });
        }
        Ok(bytes)
    }
}

fn in_memory(
    archive: &Path,
    limits: &Limits,
    wanted: impl Fn(&str) -> bool,
) -> Result<(Vec<String>, Store)> {
    let (mut names, mut files) = (Vec::new(), Vec::new());
    walk(archive, limits, |entry| {
        if entry.kind == Kind::File && wanted(entry.name) {
            let mut bytes = Vec::new();
            let read = entry.contents.read_to_end(&mut bytes);
            read.map_err(|error| entry.meter.error(&error))?;
            if bytes.len() as u64 != entry.size {
                return Err(entry.meter.damaged("it ends in the middle of a file"));
            }
            names.push(entry.name.to_owned());
            files.push(bytes);
        }
        Ok(())
    })?;
    Ok((names, Store::Memory(files)))
}

fn on_disk(
    archive: &Path,
    limits: &Limits,
    wanted: impl Fn(&str) -> bool,
) -> Result<(Vec<String>, Store)> {
    let file = open_file(archive)?;
    let bad = |error: ZipError| damaged(archive, &error);
    let mut zip = ZipArchive::new(BufReader::new(file)).map_err(bad)?;
    limit(
        archive,
        "the number of entries",
        limits.max_entries,
        zip.len() as u64,
    )?;
    let (mut claimed, mut total, mut files) = (Names::default(), 0_u64, 0_u64);
    let (mut names, mut places) = (Vec::new(), Vec::new());
    for place in 0..zip.len() {
        let entry = zip.by_index_raw(place).map_err(bad)?;
        let raw = entry.name().map_err(bad)?.into_owned();
        let refuse = |reason: &str| Error::UnsafeEntry {
            archive: archive.to_owned(),
            entry: raw.clone(),
            reason: reason.to_owned(),
        };
        let name = clean(&raw).map_err(&refuse)?;
        let kind = match raw.ends_with('/') {
            true => Kind::Folder,
            false => Kind::File,
        };
        if name.is_empty()
            || name
                .split('/')
                .any(|part| part == "__MACOSX" || part.starts_with("._"))
        {
            continue;
        }
        if entry.is_symlink() {
            return Err(refuse("it is a symbolic link"));
        }
        if entry.encrypted() {
            return Err(refuse("it is encrypted"));
        }
        claimed
            .claim(&name, kind)
            .map_err(|reason| refuse(&reason))?;
        if kind == Kind::Folder {
            continue;
        }
        files += 1;
        let size = entry.size();
        total = total.saturating_add(size);
        limit(archive, "the size of one file", limits.max_entry, size)?;
        limit(archive, "the size of all files", limits.max_total, total)?;
        let ratio = size / entry.compressed_size().max(1);
        if size > RATIO_GRACE {
            limit(archive, "the compression ratio", limits.max_ratio, ratio)?;
        }
        if wanted(&name) {
            names.push(name);
            places.push((place, size));
        }
    }
    if files == 0 {
        return Err(Error::EmptyArchive {
            archive: archive.to_owned(),
        });
    }
    let zip = Mutex::new(zip);
    Ok((names, Store::Zip { zip, places }))
}

fn damaged(archive: &Path, error: &ZipError) -> Error {
    Error::DamagedArchive {
        archive: archive.to_owned(),
        reason: error.to_string(),
    }
}
