//! The storages of a PyTorch file: where the values are, in any container format.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use zip::{ZipArchive, ZipReadOptions};

use super::view::View;

/// The storages of a file, by key.
pub(super) struct Storages {
    pub(super) file: Mutex<File>,
    pub(super) places: HashMap<Arc<str>, Place>,
    /// The archive, for compressed entries.
    pub(super) archive: Option<Mutex<ZipArchive<BufReader<File>>>>,
    /// Whether the values are big-endian.
    pub(super) big_endian: bool,
}

/// The location of a storage.
pub(super) enum Place {
    /// A byte range of the file, with its CRC-32 if there is one.
    Bytes {
        start: u64,
        len: u64,
        crc: Option<u32>,
    },
    /// An entry of the archive, with its unpacked size.
    Packed { index: usize, len: u64 },
}

impl Place {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Bytes { len, .. } | Self::Packed { len, .. } => *len,
        }
    }
}

impl Storages {
    /// Reads the values of a tensor, row-major, in native byte order.
    pub(super) fn read(&self, view: &View) -> io::Result<Vec<u8>> {
        let damaged = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
        let key = &view.storage;
        let place = self.places.get(key);
        let place = place.ok_or_else(|| damaged(format!("it has no storage {key:?}")))?;
        let bytes = match *place {
            Place::Bytes { start, len, crc } => {
                let mut bytes = vec![0; view.extent as usize];
                let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
                file.seek(SeekFrom::Start(start + view.start))?;
                file.read_exact(&mut bytes)?;
                // A checksum covers the whole storage.
                let whole = view.start == 0 && view.extent == len;
                if whole && crc.is_some_and(|crc| crc != crc32fast::hash(&bytes)) {
                    return Err(damaged(format!("the checksum of storage {key:?} is wrong")));
                }
                bytes
            }
            Place::Packed { index, .. } => {
                let archive = self.archive.as_ref();
                let archive = archive.ok_or_else(|| damaged("it has no archive".into()))?;
                let mut archive = archive.lock().unwrap_or_else(PoisonError::into_inner);
                let options = ZipReadOptions::new();
                let entry = archive.by_index_with_options(index, options);
                let mut entry = entry.map_err(io::Error::other)?;
                io::copy(&mut entry.by_ref().take(view.start), &mut io::sink())?;
                let mut bytes = Vec::new();
                entry.by_ref().take(view.extent).read_to_end(&mut bytes)?;
                // The checksum is verified at the end of the entry.
                io::copy(&mut entry, &mut io::sink())?;
                if (bytes.len() as u64) < view.extent {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                bytes
            }
        };
        let mut bytes = view.gather(bytes);
        if self.big_endian != cfg!(target_endian = "big") {
            bytes
                .chunks_mut(view.element.unit())
                .for_each(<[u8]>::reverse);
        }
        Ok(bytes)
    }
}
