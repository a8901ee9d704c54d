//! From the files of a data set to images, and what is kept of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};
use vision_base::OptionError;

use crate::error::{Error, Result};
use crate::image::Image;
use crate::image::disk_cache::{DiskCache, Key};
use crate::image::limits::Limits;
use crate::pipeline::sampling::pillow;
use crate::transforms::size::Size;

/// How files become images, and how many of those are kept.
///
/// ```
/// use vision_data::{ImageDataBunch, ReadConfig};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = vision_data::datasets::synthetic::digits(&folder.path().join("digits"), 1, 4, 2)?;
/// let data = ImageDataBunch::from_folder(path)
///     .batch_size(2)
///     .reading(ReadConfig::new().with_memory(4 << 30))
///     .build()?;
/// # Ok::<(), vision_data::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadConfig {
    limits: Limits,
    memory: usize,
    reduced_jpegs: bool,
    /// The side that the data was built for, of which reduced JPEGs are no less than twice.
    reduced_for: Option<u32>,
    #[serde(rename = "presize")]
    short_side: Option<u32>,
    // Of this machine; a file from elsewhere is not to say where something is written.
    #[serde(skip)]
    disk_cache: Option<PathBuf>,
}

impl Default for ReadConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            memory: 1 << 30,
            reduced_jpegs: false,
            reduced_for: None,
            short_side: None,
            disk_cache: None,
        }
    }
}

impl ReadConfig {
    /// The default [`Limits`], and 1 GiB of decoded images kept in memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// What one picture may ask for.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// What one picture may ask for.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The bytes of decoded images that all parts of the data together keep in memory, so that
    /// later epochs need not decode them; 1 GiB by default, 0 for none. A picture takes three bytes
    /// a pixel, and those that come first are kept. No result depends on which.
    pub fn with_memory(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self
    }

    /// The options that change pixels, in words: two of the same words read the same pixels.
    pub fn pixel_options(&self) -> String {
        // Pillow's filter: another one made other pixels.
        let presize = match self.short_side {
            None => "None".to_owned(),
            Some(side) => format!("{side} by Pillow's filter"),
        };
        format!(
            "reduced JPEGs {}, for {:?}, presize {presize}",
            self.reduced_jpegs, self.reduced_for
        )
    }

    /// Whether JPEGs much larger than the size of the data are decoded at 1/2, 1/4 or 1/8, the
    /// smallest of them that leaves the shorter side at least twice as long as the longer side of
    /// that size; not by default, since pixels differ from those of a whole picture that is made
    /// smaller. Means nothing without a size. A random crop or a zoom then finds fewer pixels to
    /// enlarge. For photos of many megapixels this halves the time or better, and takes 4 to 64
    /// times less memory. To predict, read files with
    /// [`ImageDataBunch::open`](crate::ImageDataBunch::open), which does the same.
    pub fn with_reduced_jpegs(mut self, reduced: bool) -> Self {
        self.reduced_jpegs = reduced;
        self
    }

    /// Makes images whose shorter side is longer than this smaller, once, when they are read, with Pillow's
    /// bilinear filter. (fastai v2 calls it presizing.) The pixels of all that follows change, so it is not done by default. With
    /// [`with_disk_cache`](Self::with_disk_cache) the large files are read once and never again. It is done to
    /// images that are predicted too. No less than the shorter side of the size.
    pub fn with_short_side(mut self, side: u32) -> Self {
        self.short_side = Some(side);
        self
    }

    /// A folder for images as they are after decoding and [`with_short_side`](Self::with_short_side), three
    /// bytes a pixel; it is made if it is not there. For sets that do not fit into memory: an image is
    /// taken from here as long as its file has the same path, length and time of change. Entries
    /// that are damaged or of another origin are made anew. Nothing in it is ever deleted. A folder that
    /// cannot be written is an error when the data is built; one that is full later gets no further
    /// entries.
    pub fn with_disk_cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.disk_cache = Some(folder.into());
        self
    }

    /// The longer side of the size that JPEGs are reduced for, if they are and the data has a size.
    pub fn reduced_jpegs(&self) -> Option<u32> {
        self.reduced_for.filter(|_| self.reduced_jpegs)
    }

    /// The shorter side that images are made smaller to, if they are.
    pub fn short_side(&self) -> Option<u32> {
        self.short_side
    }

    /// Checks that images keep the pixels that `size` needs.
    pub(crate) fn check(&self, size: Option<Size>) -> Result<()> {
        let least = size.map_or(1, |size| {
            let (height, width) = size.height_width();
            height.min(width).max(1)
        });
        match self.short_side {
            Some(side) if (side as usize) < least => Err(Error::Option(OptionError::new(
                "short_side",
                "no less than the shorter side of the size, which would be made of fewer pixels",
                format!("{side} for a side of {least}"),
            ))),
            _ => Ok(()),
        }
    }
}

/// Reads images for the parts of one data set.
#[derive(Debug)]
pub(crate) struct Reader {
    config: ReadConfig,
    disk: Option<DiskCache>,
    /// Whether an image could not be put there.
    disk_failed: AtomicBool,
    /// Bytes of images that are kept.
    kept: AtomicUsize,
}

impl Reader {
    /// `size` is the one that images are to get.
    pub(crate) fn new(mut config: ReadConfig, size: Option<Size>) -> Self {
        if config.reduced_jpegs {
            let longer = |(height, width): (usize, usize)| height.max(width) as u32;
            // Saved data may have been built for a larger size than it has.
            let size = size
                .map(|size| longer(size.height_width()))
                .max(config.reduced_for);
            config.reduced_for = config.short_side.or(size);
        }
        Self {
            disk: config.disk_cache.clone().map(DiskCache::new),
            disk_failed: AtomicBool::new(false),
            config,
            kept: AtomicUsize::new(0),
        }
    }

    pub(crate) fn config(&self) -> &ReadConfig {
        &self.config
    }

    /// Checks what can be known before an image is read.
    pub(crate) fn check(&self) -> Result<()> {
        self.disk.as_ref().map_or(Ok(()), DiskCache::check)
    }

    /// The image of a file, from the disk cache or by decoding it.
    pub(crate) fn read(&self, path: &Path) -> Result<Image> {
        let limits = &self.config.limits;
        let side = self.side();
        let sides = [self.config.short_side, side];
        // A file that cannot be looked at cannot be opened either, which says why.
        let entry = self.disk.as_ref().and_then(|disk| {
            let metadata = fs::metadata(path).ok()?;
            Some((disk, Key::of(path, &metadata, sides)?))
        });
        if let Some(image) = entry.and_then(|(disk, key)| disk.get(key, limits)) {
            return Ok(image);
        }
        let image = self.made_small(Image::open_reduced(path, limits, side)?);
        // It could be written when the data was built. A disk that is full by now is no reason to end
        // hours of training, which can do without.
        if let Some((disk, key)) = entry
            && !self.disk_failed.load(Ordering::Relaxed)
            && disk.put(key, &image).is_err()
        {
            self.disk_failed.store(true, Ordering::Relaxed);
        }
        Ok(image)
    }

    /// An image as small as all are made.
    pub(crate) fn made_small(&self, image: Image) -> Image {
        match self.config.short_side {
            Some(side) => shrunk(image, side),
            None => image,
        }
    }

    /// The side that JPEGs may be reduced to twice of.
    fn side(&self) -> Option<u32> {
        self.config.reduced_jpegs()
    }

    /// Whether images are read with all the pixels that `size` needs.
    pub(crate) fn serves(&self, size: Size) -> bool {
        let (height, width) = size.height_width();
        self.side()
            .is_none_or(|side| height.max(width) as u64 <= u64::from(side))
    }

    /// Whether there is room to keep so many bytes more. If so, they are taken into account.
    pub(crate) fn keep(&self, bytes: usize) -> bool {
        let grown = |kept: usize| {
            let grown = kept.checked_add(bytes)?;
            (grown <= self.config.memory).then_some(grown)
        };
        self.kept
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown)
            .is_ok()
    }

    /// So many bytes are kept no longer.
    pub(crate) fn forget(&self, bytes: usize) {
        self.kept.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// An image with a shorter side of at most `side`, the longer one rounded down.
fn shrunk(image: Image, side: u32) -> Image {
    let (width, height) = (image.width(), image.height());
    let short = width.min(height);
    if short <= side {
        return image;
    }
    let scaled = |length: u32| (u64::from(length) * u64::from(side) / u64::from(short)) as usize;
    pillow::resized(&image, (scaled(height), scaled(width)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Made by `scripts/make_reduced_fixtures.py`.
    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures/reduced")
            .join(name)
    }

    #[test]
    fn images_made_smaller_have_pillows_pixels() {
        let reader = Reader::new(ReadConfig::new().with_short_side(64), None);
        let found = reader.read(&fixture("picture.png")).unwrap();
        let expected = Image::open(fixture("picture_64.png")).unwrap();
        assert_eq!(found.size(), expected.size());
        // From version 13 on Pillow may take rows first, and differ by one.
        let pairs = found.pixels().iter().zip(expected.pixels());
        assert!(pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap() <= 1);
        // What is small enough stays as it is.
        let reader = Reader::new(ReadConfig::new().with_short_side(131), None);
        let whole = Image::open(fixture("picture.png")).unwrap();
        assert_eq!(reader.read(&fixture("picture.png")).unwrap(), whole);
    }

    #[test]
    fn a_cached_image_is_read_again_without_its_file_being_decoded_until_that_changes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("picture.png");
        fs::copy(fixture("picture.png"), &file).unwrap();
        let changed = fs::metadata(&file).unwrap().modified().unwrap();
        let config = ReadConfig::new().with_disk_cache(folder.path().join("cache"));
        let reader = Reader::new(config.clone().with_short_side(64), None);
        let first = reader.read(&file).unwrap();
        // As long and as old, but no picture: only the cache knows what it was.
        let length = fs::metadata(&file).unwrap().len() as usize;
        fs::write(&file, vec![0; length]).unwrap();
        let handle = fs::File::options().write(true).open(&file).unwrap();
        handle.set_modified(changed).unwrap();
        assert_eq!(reader.read(&file).unwrap(), first);
        // Another size is another entry, and another time another file.
        assert!(Reader::new(config, None).read(&file).is_err());
        handle
            .set_modified(changed + std::time::Duration::from_secs(1))
            .unwrap();
        assert!(reader.read(&file).is_err());
    }

    #[test]
    fn a_cache_that_cannot_be_written_is_an_error_that_names_it_before_anything_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let cache = folder.path().join("no folder");
        fs::write(&cache, "").unwrap();
        let reader = Reader::new(ReadConfig::new().with_disk_cache(&cache), None);
        let error = reader.check().unwrap_err();
        assert!(error.to_string().contains("no folder"), "{error}");
        // Later, on a disk that is full by then, images are read all the same.
        assert!(reader.read(&fixture("picture.png")).is_ok());
    }

    #[test]
    fn reduced_jpegs_serve_their_own_size_and_smaller_ones() {
        let read = |reduced| {
            let config = ReadConfig::new().with_reduced_jpegs(reduced);
            Reader::new(config, Some(128.into()))
        };
        assert!(read(true).serves(128.into()) && read(true).serves((64, 100).into()));
        assert!(!read(true).serves(129.into()) && read(false).serves(129.into()));
    }

    #[test]
    fn no_more_is_kept_than_the_budget_and_what_is_forgotten_makes_room() {
        let reader = Reader::new(ReadConfig::new().with_memory(100), None);
        assert!(reader.keep(60) && !reader.keep(41) && reader.keep(40) && !reader.keep(1));
        reader.forget(60);
        assert!(!reader.keep(usize::MAX) && reader.keep(60));
        assert!(!Reader::new(ReadConfig::new().with_memory(0), None).keep(1));
    }
}
