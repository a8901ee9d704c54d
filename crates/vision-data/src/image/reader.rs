//! Reads the image files of a data set, and caches decoded images.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};
use vision_base::OptionError;

use crate::error::{Error, Result};
use crate::image::Image;
use crate::image::budget::{Held, Permit};
use crate::image::decode::How;
use crate::image::disk_cache::{DiskCache, Key};
use crate::image::limits::Limits;
use crate::pipeline::sampling::pillow;
use crate::transforms::size::Size;

/// How files are decoded, and how many images are cached.
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
    /// The side that the data was built for. The shorter side of a reduced JPEG is at least twice this.
    reduced_for: Option<u32>,
    #[serde(rename = "presize")]
    short_side: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    background: Option<[u8; 3]>,
    // Local to this machine: a file from elsewhere must not decide where data is written.
    #[serde(skip)]
    disk_cache: Option<PathBuf>,
}

impl Default for ReadConfig {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            memory: 768 << 20,
            reduced_jpegs: false,
            reduced_for: None,
            short_side: None,
            background: None,
            disk_cache: None,
        }
    }
}

impl ReadConfig {
    /// The default [`Limits`], and 768 MiB of decoded images kept in memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the limits per image.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The limits per image.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Sets how many bytes of decoded images all parts of the data together keep in memory, so that later
    /// epochs need not decode them again. Default: 768 MiB, which with the default limits keeps a process below
    /// 2 GiB, batches apart; 0 keeps none. An image takes three bytes per
    /// pixel. The first images read are kept. The choice does not affect any result.
    pub fn with_memory(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self
    }

    /// The options that change pixels, in words. Equal words mean equal pixels.
    pub fn pixel_options(&self) -> String {
        // Names Pillow's filter: an earlier filter produced different pixels.
        let presize = match self.short_side {
            None => "None".to_owned(),
            Some(side) => format!("{side} by Pillow's filter"),
        };
        let background = match self.background {
            None => String::new(),
            Some(color) => format!(", background {color:?}"),
        };
        format!(
            "reduced JPEGs {}, for {:?}, presize {presize}{background}",
            self.reduced_jpegs, self.reduced_for
        )
    }

    /// Sets the color (red, green, blue) behind transparent pixels: `[255; 3]` is white. By default alpha is
    /// dropped, as by Pillow and fastai: a transparent pixel has the color that the file stores for it, which
    /// no viewer shows and which is often black. Applies to images to predict if they are read with
    /// [`ImageDataBunch::open`](crate::ImageDataBunch::open). Pixels are those of Pillow's
    /// `Image.new("RGB", size, color).paste(image, mask=alpha)`.
    pub fn with_background(mut self, color: [u8; 3]) -> Self {
        self.background = Some(color);
        self
    }

    /// The color behind transparent pixels, if any.
    pub fn background(&self) -> Option<[u8; 3]> {
        self.background
    }

    /// The options of which pixels are made, as [`Preprocessing`](crate::Preprocessing) lists them.
    pub(crate) fn of_pixels(
        short_side: Option<u32>,
        reduced_jpegs: Option<u32>,
        background: Option<[u8; 3]>,
    ) -> Self {
        Self {
            reduced_jpegs: reduced_jpegs.is_some(),
            reduced_for: reduced_jpegs,
            short_side,
            background,
            ..Self::default()
        }
    }

    /// How files are decoded.
    pub(crate) fn how(&self) -> How {
        How {
            side: self.reduced_jpegs(),
            background: self.background,
        }
    }

    /// Sets whether JPEGs much larger than the size of the data are decoded at 1/2, 1/4 or 1/8. The
    /// smallest scale is chosen whose shorter side is at least twice the longer side of that size. Off by
    /// default, since the pixels differ from those of an image decoded in full and then reduced. Has no
    /// effect without a size. A random crop or a zoom then has fewer pixels to enlarge. For photos of
    /// many megapixels, the time is halved or better, and memory is 4 to 64 times smaller. To predict,
    /// read files with [`ImageDataBunch::open`](crate::ImageDataBunch::open), which applies the same
    /// reduction.
    pub fn with_reduced_jpegs(mut self, reduced: bool) -> Self {
        self.reduced_jpegs = reduced;
        self
    }

    /// Reduces images with a longer shorter side to this shorter side, once, when they are read, with
    /// Pillow's bilinear filter. (fastai v2 calls this presizing.) Off by default, since it changes the
    /// input of all later steps. With [`with_disk_cache`](Self::with_disk_cache), large files are read
    /// only once. Also applies to images to predict. The value must not be below the shorter side of the
    /// size.
    pub fn with_short_side(mut self, side: u32) -> Self {
        self.short_side = Some(side);
        self
    }

    /// Sets a folder that caches images after decoding and [`with_short_side`](Self::with_short_side),
    /// three bytes per pixel. It is created if it does not exist. Use it for data sets that do not fit
    /// into memory. An entry is used as long as its file has the same path, length and modification time.
    /// Entries that are damaged or of another origin are rewritten. Nothing in the folder is ever
    /// deleted. A folder that is not writable is an error when the data is built; a folder that becomes
    /// full later gets no further entries.
    pub fn with_disk_cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.disk_cache = Some(folder.into());
        self
    }

    /// The longer side of the size that JPEGs are reduced for, if reduction is on and the data has a size.
    pub fn reduced_jpegs(&self) -> Option<u32> {
        self.reduced_for.filter(|_| self.reduced_jpegs)
    }

    /// The shorter side that images are reduced to, if any.
    pub fn short_side(&self) -> Option<u32> {
        self.short_side
    }

    /// Checks that the reduced images keep the pixels that `size` needs.
    pub(crate) fn check(&self, size: Option<Size>) -> Result<()> {
        self.limits.check()?;
        let least = size.map_or(1, |size| {
            let (height, width) = size.height_width();
            height.min(width).max(1)
        });
        match self.short_side {
            Some(side) if (side as usize) < least => Err(Error::Option(OptionError::new(
                "short_side",
                "at least the shorter side of the size",
                format!("{side} for a side of {least}"),
            ))),
            _ => Ok(()),
        }
    }
}

/// Reads the images of all parts of a data set.
#[derive(Debug)]
pub(crate) struct Reader {
    config: ReadConfig,
    disk: Option<DiskCache>,
    /// Whether writing an entry has failed.
    disk_failed: AtomicBool,
    /// Bytes of images kept in memory.
    kept: AtomicUsize,
}

impl Reader {
    /// `size` is the size that images are resized to.
    pub(crate) fn new(mut config: ReadConfig, size: Option<Size>) -> Self {
        if config.reduced_jpegs {
            let longer = |(height, width): (usize, usize)| height.max(width) as u32;
            // Saved data may have been built for a larger size than its current one.
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

    /// Checks what can be checked before any image is read.
    pub(crate) fn check(&self) -> Result<()> {
        self.disk.as_ref().map_or(Ok(()), DiskCache::check)
    }

    /// The image of a file, from the disk cache or by decoding it.
    pub(crate) fn read(&self, path: &Path) -> Result<Held<Image>> {
        let limits = &self.config.limits;
        let how = self.config.how();
        let sides = [self.config.short_side, how.side];
        // If metadata cannot be read, opening the file fails as well, with the reason.
        let entry = self.disk.as_ref().and_then(|disk| {
            let metadata = fs::metadata(path).ok()?;
            Some((disk, Key::of(path, &metadata, sides, how.background)?))
        });
        if let Some(image) = entry.and_then(|(disk, key)| disk.get(key, limits)) {
            return Ok(image);
        }
        let image = self.made_small(Image::open_as(path, limits, how)?);
        // The folder was writable when the data was built. If the disk is full by now, continue without the
        // cache rather than end hours of training.
        if let Some((disk, key)) = entry
            && !self.disk_failed.load(Ordering::Relaxed)
            && disk.put(key, &image).is_err()
        {
            self.disk_failed.store(true, Ordering::Relaxed);
        }
        Ok(image)
    }

    /// Reduces an image to [`ReadConfig::short_side`].
    pub(crate) fn made_small(&self, image: Held<Image>) -> Held<Image> {
        let short = image.width().min(image.height());
        let Some(side) = self.config.short_side.filter(|side| *side < short) else {
            return image;
        };
        // The copy that is reduced on one side only is smaller than the image.
        let bytes = image.pixels().len() as u64;
        let copies = Permit::take(bytes, self.config.limits.max_memory);
        let mut image = image.map(|image| shrunk(image, side));
        drop(copies);
        let bytes = image.pixels().len() as u64;
        image
            .permit
            .iter_mut()
            .for_each(|permit| permit.shrink(bytes));
        image
    }

    /// Reduced JPEGs keep a shorter side of at least twice this.
    fn side(&self) -> Option<u32> {
        self.config.reduced_jpegs()
    }

    /// Whether images are read with all the pixels that `size` needs.
    pub(crate) fn serves(&self, size: Size) -> bool {
        let (height, width) = size.height_width();
        self.side()
            .is_none_or(|side| height.max(width) as u64 <= u64::from(side))
    }

    /// Whether decoded images are kept in memory.
    pub(crate) fn keeps_any(&self) -> bool {
        self.config.memory > 0
    }

    /// Reserves memory for this many more bytes; `false` if there is no room.
    pub(crate) fn keep(&self, bytes: usize) -> bool {
        let grown = |kept: usize| {
            let grown = kept.checked_add(bytes)?;
            (grown <= self.config.memory).then_some(grown)
        };
        self.kept
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown)
            .is_ok()
    }

    /// Releases this many bytes.
    pub(crate) fn forget(&self, bytes: usize) {
        self.kept.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Reduces an image to a shorter side of at most `side`. The longer side is rounded down.
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
        // From version 13 on, Pillow may process rows first, and differ by one.
        let pairs = found.pixels().iter().zip(expected.pixels());
        assert!(pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap() <= 1);
        // Images that are small enough are unchanged.
        let reader = Reader::new(ReadConfig::new().with_short_side(131), None);
        let whole = Image::open(fixture("picture.png")).unwrap();
        assert_eq!(reader.read(&fixture("picture.png")).unwrap().value, whole);
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
        // Same length and time, but no image: only the cache knows the previous content.
        let length = fs::metadata(&file).unwrap().len() as usize;
        fs::write(&file, vec![0; length]).unwrap();
        let handle = fs::File::options().write(true).open(&file).unwrap();
        handle.set_modified(changed).unwrap();
        assert_eq!(reader.read(&file).unwrap().value, first.value);
        // Another size is another entry, and another modification time is another file.
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
        // If the disk becomes full later, images are still read.
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
