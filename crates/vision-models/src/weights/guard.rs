//! A look at a PyTorch file before it is parsed.
//!
//! The reader builds a value of some hundred bytes for each one-byte operation of a pickle, and
//! decompresses what a zip archive compresses. So a small file could ask for all the memory there is.
//! Walking over the operations first, without building anything, puts a bound on that.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::contents::{bad, read_error};
use crate::{Error, Result};

/// All pickles of a file together. A state dict takes about 40 operations and 250 bytes a tensor.
const MAX_OPERATIONS: u64 = 1_000_000;
const MAX_PICKLE_BYTES: u64 = 64 << 20;
/// The longest text argument of an operation that has one.
const MAX_LINE: u64 = 1 << 16;
const MAX_ZIP_ENTRIES: usize = 100_000;
/// TAR files are held in memory as a whole.
const MAX_TAR_BYTES: u64 = 2 << 30;

/// How a PyTorch file packs its pickles and values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    /// Since PyTorch 1.6.
    Zip,
    /// From 0.1.10 to 1.5, and with `_use_new_zipfile_serialization=False`.
    Legacy,
    /// Before 0.1.10.
    Tar,
}

impl Container {
    /// Told by the same bytes, in the same order, as the reader does.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        // A number that PyTorch puts first, as protocols from 2 on write it and as older ones do.
        const MAGIC: &[u8] = b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
        const MAGIC_TEXT: &[u8] = b"119547037146038801333356";
        let start = &head[..head.len().min(64)];
        let has = |magic: &[u8]| start.windows(magic.len()).any(|w| w == magic);
        if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
            Some(Self::Zip)
        } else if head.get(257..262) == Some(b"ustar") {
            Some(Self::Tar)
        } else if has(MAGIC) || has(MAGIC_TEXT) {
            Some(Self::Legacy)
        } else {
            None
        }
    }
}

/// Refuses a file that goes beyond the limits or names a dangerous function.
pub(super) fn check(path: &Path, mut file: File, len: u64, container: Container) -> Result<()> {
    let mut guard = Guard {
        path,
        operations: MAX_OPERATIONS,
        bytes: MAX_PICKLE_BYTES,
    };
    file.seek(SeekFrom::Start(0))
        .map_err(|e| read_error(path, e))?;
    let file = BufReader::new(file);
    match container {
        Container::Zip => guard.zip(file, len),
        Container::Legacy => guard.legacy(file),
        Container::Tar => guard.tar(file, len),
    }
}

struct Guard<'a> {
    path: &'a Path,
    /// Operations that are left.
    operations: u64,
    /// Bytes that are left.
    bytes: u64,
}

impl Guard<'_> {
    fn zip(&mut self, file: BufReader<File>, len: u64) -> Result<()> {
        let mut archive = ZipArchive::new(file).map_err(|e| self.zip_error(e))?;
        if archive.len() > MAX_ZIP_ENTRIES {
            return Err(self.bad(format!("its archive has {} entries", archive.len())));
        }
        // Few bytes that many entries share are how a small archive becomes a large one.
        if archive
            .has_overlapping_entries()
            .map_err(|e| self.zip_error(e))?
        {
            return Err(self.bad("entries of its archive overlap"));
        }
        for index in 0..archive.len() {
            let entry = archive
                .by_index_data(index)
                .map_err(|e| self.zip_error(e))?;
            let name = entry.name().map_err(|e| self.zip_error(e))?;
            let size = entry.size();
            if entry.compression() != CompressionMethod::Stored || size > len {
                return Err(self.bad(format!(
                    "entry {name:?} of its archive is compressed or larger than the file, which \
                     torch.save never writes"
                )));
            }
            if name.ends_with("data.pkl") {
                let entry = archive.by_index(index).map_err(|e| self.zip_error(e))?;
                self.pickle(&mut BufReader::new(entry))?;
            }
        }
        Ok(())
    }

    /// Magic number, protocol, system, the object itself and the list of storages.
    fn legacy(&mut self, mut file: BufReader<File>) -> Result<()> {
        for _ in 0..5 {
            self.pickle(&mut file)?;
        }
        Ok(())
    }

    fn tar(&mut self, file: BufReader<File>, len: u64) -> Result<()> {
        if len > MAX_TAR_BYTES {
            return Err(Error::WeightsTooLarge {
                path: self.path.to_owned(),
                found: len,
                limit: MAX_TAR_BYTES,
            });
        }
        let mut archive = tar::Archive::new(file);
        for entry in archive.entries().map_err(|e| self.io(e))? {
            let entry = entry.map_err(|e| self.io(e))?;
            let name = entry.path().map_err(|e| self.io(e))?;
            let name = name.to_string_lossy().trim_start_matches("./").to_owned();
            // A sparse entry has a size without having the bytes.
            if entry.size() > len {
                return Err(self.bad(format!("entry {name:?} is larger than the file")));
            }
            let mut entry = BufReader::new(entry);
            match name.as_str() {
                "sys_info" | "pickle" => self.pickle(&mut entry).map(drop)?,
                "storages" => self.tar_storages(&mut entry)?,
                "tensors" => self.tar_tensors(&mut entry)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// A count; then for each storage a pickle that names its type, the number of values and the values;
    /// then one more pickle.
    fn tar_storages(&mut self, entry: &mut impl BufRead) -> Result<()> {
        self.pickle(entry)?;
        while let Some(class) = self.pickle(entry)? {
            let size = match class.as_str() {
                "DoubleStorage" | "LongStorage" => 8,
                "FloatStorage" | "IntStorage" => 4,
                "HalfStorage" | "ShortStorage" => 2,
                _ => 1,
            };
            let values = u64::from_le_bytes(self.array(entry)?);
            let bytes = values.saturating_mul(size);
            let skipped = io::copy(&mut entry.take(bytes), &mut io::sink());
            if skipped.map_err(|e| self.io(e))? < bytes {
                return Err(self.bad("a storage ends too early"));
            }
        }
        Ok(())
    }

    /// A count; then for each tensor a pickle, its rank, sizes, strides and offset.
    fn tar_tensors(&mut self, entry: &mut impl BufRead) -> Result<()> {
        self.pickle(entry)?;
        while !entry.fill_buf().map_err(|e| self.io(e))?.is_empty() {
            self.pickle(entry)?;
            let rank = u64::from_le_bytes(self.array(entry)?) & 0xffff_ffff;
            for _ in 0..2 * rank.min(64) + 1 {
                self.array::<8>(entry)?;
            }
        }
        Ok(())
    }

    /// Walks over one pickle and returns the name of the last class that it mentions.
    ///
    /// An operation that is not known here ends the walk with an error, so nothing can hide behind it.
    fn pickle(&mut self, from: &mut impl BufRead) -> Result<Option<String>> {
        let mut class = None;
        // The two texts before STACK_GLOBAL, which takes its names from the stack. Names that come
        // from elsewhere escape this; the reader does not call them either.
        let mut texts = [String::new(), String::new()];
        loop {
            self.operations = self.operations.checked_sub(1).ok_or_else(|| {
                self.bad(format!("its pickles have over {MAX_OPERATIONS} operations"))
            })?;
            let [operation] = self.array(from)?;
            match operation {
                b'.' => return Ok(class),
                // GLOBAL: module and name, a line each.
                b'c' => {
                    let (module, name) = (self.line(from)?, self.line(from)?);
                    self.refuse_dangerous(&module, &name)?;
                    class = Some(name);
                }
                // STACK_GLOBAL
                0x93 => {
                    let [module, name] = texts.clone();
                    self.refuse_dangerous(&module, &name)?;
                    class = Some(name);
                }
                // BINUNICODE with a length of 1, 4 or 8 bytes
                0x8c | b'X' | 0x8d => {
                    let text = match operation {
                        0x8c => self.counted::<1>(from)?,
                        b'X' => self.counted::<4>(from)?,
                        _ => self.counted::<8>(from)?,
                    };
                    texts.rotate_left(1);
                    texts[1] = text;
                }
                // The other strings, bytes and long integers with a length before them.
                b'U' | b'C' | 0x8a => drop(self.counted::<1>(from)?),
                b'T' | b'B' | 0x8b => drop(self.counted::<4>(from)?),
                0x8e | 0x96 => drop(self.counted::<8>(from)?),
                // Numbers, names and memo indices that end with the line.
                b'I' | b'L' | b'F' | b'V' | b'g' | b'p' | b'P' => drop(self.line(from)?),
                // Numbers and memo indices of 1, 2, 4 and 8 bytes; PROTO, FRAME.
                b'K' | b'h' | b'q' | 0x80 => drop(self.array::<1>(from)?),
                b'M' => drop(self.array::<2>(from)?),
                b'J' | b'j' | b'r' => drop(self.array::<4>(from)?),
                b'G' | 0x95 => drop(self.array::<8>(from)?),
                // Everything that has no argument.
                b'('
                | b'0'
                | b'1'
                | b'2'
                | b'N'
                | b'R'
                | b'b'
                | b'd'
                | b'l'
                | b't'
                | b's'
                | b'a'
                | b')'
                | b']'
                | b'}'
                | b'e'
                | b'u'
                | b'Q'
                | 0x81
                | 0x85..=0x89
                | 0x8f..=0x92
                | 0x94 => {}
                other => return Err(self.bad(format!("its pickle has an operation {other:#04x}"))),
            }
        }
    }

    fn array<const N: usize>(&mut self, from: &mut impl Read) -> Result<[u8; N]> {
        self.spend(N as u64)?;
        let mut bytes = [0; N];
        from.read_exact(&mut bytes).map_err(|e| self.io(e))?;
        Ok(bytes)
    }

    fn line(&mut self, from: &mut impl BufRead) -> Result<String> {
        let mut line = Vec::new();
        let read = from.take(MAX_LINE).read_until(b'\n', &mut line);
        self.spend(read.map_err(|e| self.io(e))? as u64)?;
        if line.pop() != Some(b'\n') {
            return Err(self.bad("a line of its pickle has no end"));
        }
        Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
    }

    /// Passes over bytes that follow their number, itself of `N` bytes; returns short ones.
    fn counted<const N: usize>(&mut self, from: &mut impl Read) -> Result<String> {
        const SHORT: u64 = 256;
        let mut len = [0; 8];
        len[..N].copy_from_slice(&self.array::<N>(from)?);
        let len = u64::from_le_bytes(len);
        self.spend(len)?;
        let mut short = Vec::new();
        let mut bytes = from.take(len);
        let kept = bytes.by_ref().take(SHORT).read_to_end(&mut short);
        let kept = kept.map_err(|e| self.io(e))? as u64;
        let rest = io::copy(&mut bytes, &mut io::sink()).map_err(|e| self.io(e))?;
        if kept + rest < len {
            return Err(self.io(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(String::from_utf8_lossy(&short).into_owned())
    }

    fn spend(&mut self, bytes: u64) -> Result<()> {
        let left = self.bytes.checked_sub(bytes);
        self.bytes = left.ok_or_else(|| {
            self.bad(format!(
                "its pickles are longer than {MAX_PICKLE_BYTES} bytes"
            ))
        })?;
        Ok(())
    }

    /// Nothing is called in any case; but a file that asks for this was made to do harm.
    fn refuse_dangerous(&self, module: &str, name: &str) -> Result<()> {
        const MODULES: &[&str] = &[
            "asyncio",
            "bdb",
            "code",
            "commands",
            "ctypes",
            "ftplib",
            "http",
            "importlib",
            "marshal",
            "multiprocessing",
            "nt",
            "os",
            "pdb",
            "pickle",
            "pip",
            "posix",
            "pty",
            "runpy",
            "shutil",
            "signal",
            "smtplib",
            "socket",
            "subprocess",
            "sys",
            "telnetlib",
            "urllib",
            "webbrowser",
        ];
        const BUILTINS: &[&str] = &[
            "__import__",
            "breakpoint",
            "compile",
            "eval",
            "exec",
            "execfile",
            "input",
            "open",
        ];
        let root = module.split('.').next().unwrap_or_default();
        let builtin = matches!(module, "builtins" | "__builtin__" | "io" | "_io");
        if MODULES.contains(&root) || builtin && BUILTINS.contains(&name) {
            return Err(Error::UnsafeWeights {
                path: self.path.to_owned(),
                call: format!("{module}.{name}"),
            });
        }
        Ok(())
    }

    fn bad(&self, reason: impl Into<String>) -> Error {
        bad(self.path, reason)
    }

    fn io(&self, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.bad("it ends in the middle of a pickle"),
            _ => read_error(self.path, error),
        }
    }

    fn zip_error(&self, error: ZipError) -> Error {
        match error {
            ZipError::Io(error) => self.io(error),
            other => self.bad(format!("its zip archive is damaged or cut off: {other}")),
        }
    }
}
