//! The input stream of the tar reader: decompresses the archive and enforces the limits on its
//! output.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use flate2::read::MultiGzDecoder;
use vision_base::paths::open_file;

use crate::archive::limits::Limits;
use crate::error::{Error, Result, io_error};

/// Headers between two files, and the padding after the last one, must fit into this. Without the
/// limit a single long-name header could claim gigabytes, which the tar reader would collect in
/// memory.
pub(crate) const MAX_HEADERS: u64 = 1 << 20;

/// The compression ratio is not checked below this output size: a few small files of zeros are no
/// bomb.
const RATIO_GRACE: u64 = 32 << 20;

/// Counts compressed and decompressed bytes, and remembers why the stream was stopped.
#[derive(Debug)]
pub(crate) struct Meter {
    archive: PathBuf,
    max_ratio: u64,
    packed: Cell<u64>,
    unpacked: Cell<u64>,
    /// The current upper limit of `unpacked`.
    ceiling: Cell<u64>,
    ended: Cell<bool>,
    stopped: RefCell<Option<Error>>,
}

/// Opens a gzip file.
pub(crate) fn open(archive: &Path, limits: &Limits) -> Result<(Unpacked, Rc<Meter>)> {
    let file = open_file(archive)?;
    let head = head(&file, archive)?;
    if head != GZIP {
        return Err(Error::NotAnArchive {
            archive: archive.to_owned(),
            expected: ".tgz",
            found: described(&head),
        });
    }
    let meter = Rc::new(Meter {
        archive: archive.to_owned(),
        max_ratio: limits.max_ratio,
        packed: Cell::new(0),
        unpacked: Cell::new(0),
        ceiling: Cell::new(0),
        ended: Cell::new(false),
        stopped: RefCell::new(None),
    });
    let packed = Packed {
        head: io::Cursor::new(head),
        file,
        meter: Rc::clone(&meter),
    };
    let unpacked = Unpacked {
        inner: MultiGzDecoder::new(packed),
        meter: Rc::clone(&meter),
    };
    Ok((unpacked, meter))
}

/// The first two bytes of a gzip file.
pub(crate) const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The first two bytes of a file.
pub(crate) fn head(file: &File, archive: &Path) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    file.take(2)
        .read_to_end(&mut head)
        .map_err(io_error("read", archive))?;
    Ok(head)
}

/// The first bytes of a file, for a message.
pub(crate) fn described(head: &[u8]) -> String {
    match head {
        [] => "an empty file".to_owned(),
        head => format!("the bytes {head:02x?}"),
    }
}

impl Meter {
    /// Limits the next bytes to the size of headers or padding.
    pub(crate) fn expect_headers(&self) {
        self.ceiling.set(self.unpacked.get() + MAX_HEADERS);
    }

    /// Allows the contents of a file, whose size has been checked.
    pub(crate) fn expect_contents(&self) {
        self.ceiling.set(u64::MAX);
    }

    /// Reads the rest of the stream after the last entry, so that gzip verifies its checksum.
    pub(crate) fn finish(&self, rest: &mut Unpacked) -> Result<()> {
        // Every tar file ends in blocks of zeros. If the stream ends before them, entries may be
        // missing.
        if self.ended.get() {
            return Err(self.damaged("it has no end-of-archive mark"));
        }
        io::copy(rest, &mut io::sink())
            .map(|_| ())
            .map_err(|error| self.error(&error))
    }

    /// Replaces an error that the tar reader passed on with its original cause.
    pub(crate) fn error(&self, error: &io::Error) -> Error {
        match self.stopped.take() {
            Some(error) => error,
            None => self.damaged(&error.to_string()),
        }
    }

    pub(crate) fn damaged(&self, reason: &str) -> Error {
        Error::DamagedArchive {
            archive: self.archive.clone(),
            reason: reason.to_owned(),
        }
    }

    /// Stops the stream and remembers `error` as the cause.
    fn stop(&self, error: Error) -> io::Error {
        self.stopped.replace(Some(error));
        io::Error::other("stopped")
    }

    fn limit(&self, limit: &'static str, allowed: u64, found: u64) -> io::Error {
        self.stop(Error::ArchiveLimit {
            archive: self.archive.clone(),
            limit,
            allowed,
            found,
        })
    }
}

/// The compressed file.
#[derive(Debug)]
struct Packed {
    head: io::Cursor<Vec<u8>>,
    file: File,
    meter: Rc<Meter>,
}

impl Read for Packed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut n = self.head.read(buffer)?;
        if n == 0 {
            n = self.file.read(buffer).map_err(|source| {
                let archive = &self.meter.archive;
                self.meter.stop(io_error("read", archive)(source))
            })?;
        }
        self.meter.packed.set(self.meter.packed.get() + n as u64);
        Ok(n)
    }
}

/// The decompressed tar stream.
#[derive(Debug)]
pub(crate) struct Unpacked {
    inner: MultiGzDecoder<Packed>,
    meter: Rc<Meter>,
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let meter = &self.meter;
        let room = meter.ceiling.get().saturating_sub(meter.unpacked.get());
        if room == 0 {
            return Err(meter.limit("the size of headers", MAX_HEADERS, MAX_HEADERS + 1));
        }
        let length = buffer
            .len()
            .min(usize::try_from(room).unwrap_or(usize::MAX));
        let Some(buffer) = buffer.get_mut(..length) else {
            return Ok(0);
        };
        let n = self.inner.read(buffer)?;
        meter.ended.set(meter.ended.get() || (n == 0 && length > 0));
        let unpacked = meter.unpacked.get() + n as u64;
        meter.unpacked.set(unpacked);
        let ratio = unpacked / meter.packed.get().max(1);
        if unpacked > RATIO_GRACE && ratio > meter.max_ratio {
            return Err(meter.limit("the compression ratio", meter.max_ratio, ratio));
        }
        Ok(n)
    }
}
