//! The files of a tar archive that is not compressed, by their places.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::rc::Rc;

use vision_base::message::quoted;
use vision_base::paths::open_file;

use crate::archive::limits::{Limits, limit};
use crate::archive::meter::MAX_HEADERS;
use crate::archive::names::{Kind, Refusal, inspect};
use crate::error::{Error, Result, io_error};

/// Bytes of a block.
const BLOCK: u64 = 512;
/// Bytes that are read at once.
const BUFFER: usize = 4096;
/// Bytes of a name at most, as in a path of Linux.
const MAX_NAME: u64 = 4096;
/// Bytes of all names at most, which are kept in memory.
const MAX_NAMES: u64 = 256 << 20;

/// A file in a tar archive.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TarFile {
    /// Its name, such as `train/000001.jpg`.
    pub name: String,
    /// Where its bytes begin in the archive.
    pub offset: u64,
    /// How many there are.
    pub len: u64,
    /// The bytes, if they were wanted.
    pub content: Option<Vec<u8>>,
}

/// Lists the files of a tar archive that is not compressed, in their order, so that they can be read where they are. Reads
/// only the headers, and of each at most 1 MiB.
///
/// Rejects the same entries as `extract_tgz`, except that two names may differ only by case.
///
/// # Errors
///
/// [`Error::DamagedArchive`] if it is no tar archive, is damaged, or is cut off; [`Error::UnsafeEntry`],
/// [`Error::ArchiveLimit`] and [`Error::Io`].
pub fn tar_files(archive: &Path, limits: &Limits) -> Result<Vec<TarFile>> {
    tar_files_in(&open_file(archive)?, archive, limits, |_, _| false)
}

/// Like [`tar_files`], in an open file, which is called `archive` in messages. Also reads the content of the files of which
/// `wanted` is true, by name and length: small ones, of at most 1 MiB.
///
/// # Errors
///
/// As [`tar_files`].
pub fn tar_files_in(
    file: &File,
    archive: &Path,
    limits: &Limits,
    wanted: impl Fn(&str, u64) -> bool,
) -> Result<Vec<TarFile>> {
    let len = file.metadata().map_err(io_error("read", archive))?.len();
    let damaged = |reason: String| Error::DamagedArchive {
        archive: archive.to_owned(),
        reason,
    };
    let cut_off = |what: &str, needed: u64| {
        damaged(format!(
            "it is cut off: it has {len} bytes, and {what} would need {needed}"
        ))
    };
    (&mut &*file)
        .seek(SeekFrom::Start(0))
        .map_err(io_error("read", archive))?;
    let headers = Rc::new(Cell::new(0));
    let unreadable = |error: &io::Error| match headers.get() > MAX_HEADERS {
        true => Error::ArchiveLimit {
            archive: archive.to_owned(),
            limit: "the size of headers",
            allowed: MAX_HEADERS,
            found: headers.get(),
        },
        false => damaged(error.to_string()),
    };
    let refuse = |entry: String, reason: String| Error::UnsafeEntry {
        archive: archive.to_owned(),
        entry,
        reason,
    };
    let mut tar = tar::Archive::new(Headers {
        file: BufReader::with_capacity(BUFFER, file),
        at: 0,
        read: Rc::clone(&headers),
    });
    let mut files: Vec<TarFile> = Vec::new();
    let mut names = 0;
    let (mut end, mut count, mut total) = (0_u64, 0, 0_u64);
    for entry in tar
        .entries_with_seek()
        .map_err(|error| unreadable(&error))?
    {
        let mut entry = entry.map_err(|error| unreadable(&error))?;
        let (name, kind) = inspect(&mut entry).map_err(|refusal| match refusal {
            Refusal::Unsafe { entry, reason } => refuse(entry, reason),
            Refusal::Unreadable(error) => unreadable(&error),
        })?;
        headers.set(0);
        count += 1;
        limit(archive, "the number of entries", limits.max_entries, count)?;
        let (offset, size) = (entry.raw_file_position(), entry.size());
        let shown = name.as_deref().unwrap_or("an entry without a name");
        let needed = offset.saturating_add(size);
        if needed > len {
            return Err(cut_off(&format!("{} in it", quoted(shown)), needed));
        }
        end = needed.next_multiple_of(BLOCK);
        let (Some(name), Kind::File) = (name, kind) else {
            continue;
        };
        limit(archive, "the size of one file", limits.max_entry, size)?;
        total = total.saturating_add(size);
        limit(archive, "the size of all files", limits.max_total, total)?;
        limit(archive, "the length of a name", MAX_NAME, name.len() as u64)?;
        names += name.len() as u64;
        limit(archive, "the size of all names", MAX_NAMES, names)?;
        let mut content = None;
        if wanted(&name, size) {
            let mut bytes = Vec::new();
            entry
                .read_to_end(&mut bytes)
                .map_err(|error| unreadable(&error))?;
            headers.set(0);
            content = Some(bytes);
        }
        files.push(TarFile {
            name,
            offset,
            len: size,
            content,
        });
    }
    // A tar archive ends in at least one empty block; without it, files may be missing.
    let needed = end.saturating_add(BLOCK);
    if needed > len {
        return Err(cut_off("its end", needed));
    }
    let mut sorted: Vec<&str> = files.iter().map(|file| &*file.name).collect();
    sorted.sort_unstable();
    match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => {
            let reason = "an earlier entry has the same name";
            Err(refuse(pair[0].to_owned(), reason.to_owned()))
        }
        None => Ok(files),
    }
}

/// The headers of an archive: contents are skipped by seeking. The tar reader collects long names and extended headers in
/// memory, whatever size they claim.
struct Headers<'a> {
    /// Between two large files are a few blocks, of which one read gets all.
    file: BufReader<&'a File>,
    at: u64,
    /// The bytes since the last entry.
    read: Rc<Cell<u64>>,
}

impl Read for Headers<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(buffer)?;
        self.at += n as u64;
        self.read.set(self.read.get() + n as u64);
        match self.read.get() > MAX_HEADERS {
            true => Err(io::Error::other("its headers are too large")),
            false => Ok(n),
        }
    }
}

impl Seek for Headers<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match to {
            // Keeps what has been read.
            SeekFrom::Current(more) => {
                self.file.seek_relative(more)?;
                self.at = self.at.saturating_add_signed(more);
            }
            to => self.at = self.file.seek(to)?,
        }
        Ok(self.at)
    }
}
