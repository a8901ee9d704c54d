//! Disk cache of decoded images, optionally reduced in size.
//!
//! The file name of an entry is the SHA-256 of its key: the path, length and modification time of the
//! image file, the requested size, and the version of this format. An entry contains
//!
//! | bytes | |
//! |---|---|
//! | 8 | `vdimg\0\0\x02`; the last byte is the version |
//! | 32 | the key again |
//! | 4, 4 | width and height, little endian |
//! | 3 · width · height | red, green and blue, row by row |
//! | 4 | the CRC-32 of all preceding bytes |
//!
//! Invalid entries are ignored and rewritten. Entries are written in the subfolder `parts` and renamed into
//! place, so they are always complete and several programs can share a folder. What a killed program left
//! in `parts` is deleted when data is built.

use std::fs::{self, Metadata};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use sha2::{Digest as _, Sha256};
use vision_base::atomic;
use vision_base::message::hex;

use crate::error::{Result, io_error};
use crate::image::Image;
use crate::image::budget::{Held, Permit};
use crate::image::limits::Limits;

/// How the names of unfinished entries begin.
const PREFIX: &str = ".entry-";
const MAGIC: &[u8; 8] = b"vdimg\0\0\x02";

/// The length of an entry's header.
const HEADER: usize = MAGIC.len() + 32 + 8;

/// The key of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key([u8; 32]);

impl Key {
    /// The key of an image file, the sides it is reduced to, and the color behind it. `None` if the system does not report a
    /// modification time.
    pub(crate) fn of(
        path: &Path,
        metadata: &Metadata,
        sides: [Option<u32>; 2],
        background: Option<[u8; 3]>,
    ) -> Option<Self> {
        let changed = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        // Two programs may name one file differently, which costs a second entry. Different files never
        // share one.
        let path = std::path::absolute(path).ok()?;
        let mut hash = Sha256::new();
        hash.update(MAGIC);
        hash.update(metadata.len().to_le_bytes());
        hash.update(changed.as_nanos().to_le_bytes());
        for side in sides {
            hash.update(side.unwrap_or(0).to_le_bytes());
        }
        if let Some(color) = background {
            hash.update(color);
        }
        hash.update(path.as_os_str().as_encoded_bytes());
        Some(Self(hash.finalize().into()))
    }

    fn name(self) -> String {
        hex(&self.0)
    }
}

/// A folder of cache entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DiskCache {
    folder: PathBuf,
}

impl DiskCache {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Creates the folder and writes to it, so that a folder that is not writable is an error before any
    /// image is read.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) with the folder.
    pub(crate) fn check(&self) -> Result<()> {
        let folder = &self.folder;
        fs::create_dir_all(folder).map_err(io_error("create the folder", folder))?;
        tempfile::tempfile_in(folder).map_err(io_error("write into the folder", folder))?;
        let parts = self.parts();
        fs::create_dir_all(&parts).map_err(io_error("create the folder", &parts))?;
        atomic::clear_stale(&parts, PREFIX);
        Ok(())
    }

    /// The path of an entry. Subfolders hold at most a few thousand entries, which is fast on every file
    /// system.
    fn place(&self, key: Key) -> PathBuf {
        let name = key.name();
        let (folder, _) = name.split_at(2);
        self.folder.join(folder).join(&name)
    }

    /// The folder of entries that are being written.
    fn parts(&self) -> PathBuf {
        self.folder.join("parts")
    }

    /// The image of an entry, if the entry is valid and within the limits.
    pub(crate) fn get(&self, key: Key, limits: &Limits) -> Option<Held<Image>> {
        let place = self.place(key);
        let length = fs::metadata(&place).ok().filter(Metadata::is_file)?.len();
        let most = limits.max_pixels.saturating_mul(3).min(limits.max_bytes);
        if length > most.saturating_add(HEADER as u64 + 4) {
            return None;
        }
        let permit = Permit::take(length, limits.max_memory);
        let mut bytes = fs::read(place).ok()?;
        let (content, crc) = bytes.split_last_chunk::<4>()?;
        if crc32fast::hash(content) != u32::from_le_bytes(*crc) {
            return None;
        }
        let (magic, rest) = content.split_first_chunk::<8>()?;
        let (known, rest) = rest.split_first_chunk::<32>()?;
        let (width, rest) = rest.split_first_chunk::<4>()?;
        let (height, pixels) = rest.split_first_chunk::<4>()?;
        let (width, height) = (u32::from_le_bytes(*width), u32::from_le_bytes(*height));
        let expected = (u64::from(width) * u64::from(height)).saturating_mul(3);
        if (magic, known) != (MAGIC, &key.0) || pixels.len() as u64 != expected {
            return None;
        }
        bytes.truncate(bytes.len() - 4);
        bytes.drain(..HEADER);
        let image = Image::from_rgb8(width, height, bytes).ok()?;
        Some(Held::new(image, permit))
    }

    /// Adds an entry.
    ///
    /// # Errors
    ///
    /// [`Error::Io`](crate::Error::Io) with the folder, if the entry cannot be written.
    pub(crate) fn put(&self, key: Key, image: &Image) -> Result<()> {
        let place = self.place(key);
        let folder = place.parent().expect("an entry is in a folder");
        fs::create_dir_all(folder).map_err(io_error("create the folder", folder))?;
        let mut hash = crc32fast::Hasher::new();
        let parts = self.parts();
        fs::create_dir_all(&parts).map_err(io_error("create the folder", &parts))?;
        let mut file =
            atomic::temporary(&parts, PREFIX).map_err(io_error("write into the folder", &parts))?;
        let (width, height) = (image.width().to_le_bytes(), image.height().to_le_bytes());
        for part in [MAGIC.as_slice(), &key.0, &width, &height, image.pixels()] {
            hash.update(part);
            file.write_all(part).map_err(io_error("write", &place))?;
        }
        file.write_all(&hash.finalize().to_le_bytes())
            .map_err(io_error("write", &place))?;
        // No sync is needed: an entry left incomplete by a crash fails its checksum.
        file.persist(&place)
            .map_err(|error| io_error("write", &place)(error.error))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn image() -> Image {
        Image::from_rgb8(3, 2, (0..18).collect()).unwrap()
    }

    #[test]
    fn an_entry_damaged_anywhere_is_passed_over_and_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let cache = DiskCache::new(folder.path().to_owned());
        let key = Key([7; 32]);
        assert!(cache.get(key, &Limits::default()).is_none());
        cache.put(key, &image()).unwrap();
        let whole = fs::read(cache.place(key)).unwrap();
        assert_eq!(whole.len(), HEADER + 18 + 4);
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(cache.place(key), &damaged).unwrap();
            assert!(cache.get(key, &Limits::default()).is_none(), "byte {at}");
            fs::write(cache.place(key), &whole[..at]).unwrap();
            assert!(cache.get(key, &Limits::default()).is_none(), "{at} bytes");
        }
        cache.put(key, &image()).unwrap();
        let found = cache.get(key, &Limits::default());
        assert_eq!(found.map(|found| found.value), Some(image()));
    }

    #[test]
    fn an_entry_under_another_name_or_beyond_the_limits_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let cache = DiskCache::new(folder.path().to_owned());
        let (key, other) = (Key([1; 32]), Key([2; 32]));
        cache.put(key, &image()).unwrap();
        cache.put(other, &image()).unwrap();
        fs::copy(cache.place(key), cache.place(other)).unwrap();
        assert!(cache.get(other, &Limits::default()).is_none());
        let tight = Limits {
            max_pixels: 5,
            ..Limits::default()
        };
        assert!(cache.get(key, &tight).is_none());
    }

    #[test]
    fn a_key_changes_with_the_file_its_length_its_time_and_the_size() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&a, "one").unwrap();
        fs::copy(&a, &b).unwrap();
        let key = |path: &Path, side| {
            Key::of(path, &fs::metadata(path).unwrap(), [side, None], None).unwrap()
        };
        let before = key(&a, None);
        assert_eq!(before, key(&a, None));
        assert_ne!(before, key(&b, None));
        assert_ne!(before, key(&a, Some(9)));
        let file = fs::File::options().write(true).open(&a).unwrap();
        file.set_modified(UNIX_EPOCH + std::time::Duration::from_secs(5))
            .unwrap();
        let touched = key(&a, None);
        assert_ne!(before, touched);
        fs::write(&a, "longer").unwrap();
        file.set_modified(UNIX_EPOCH + std::time::Duration::from_secs(5))
            .unwrap();
        assert_ne!(touched, key(&a, None));
    }
}
