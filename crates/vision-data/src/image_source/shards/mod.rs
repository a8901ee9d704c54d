//! Images in shards: tar files in the layout of WebDataset.

pub(crate) mod error;
mod index;
mod pattern;
mod place;
mod remote;

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use vision_base::io_error;
use vision_base::paths::open_file;
use vision_base::progress::Progress;
use vision_base::workers;
use vision_fetch::{Known, Store};

use crate::error::Result;
use crate::image_source::shards::error::ShardError;
use crate::image_source::shards::index::Index;
use crate::image_source::shards::place::Place;
use crate::image_source::shards::remote::Remote;
use crate::image_source::{ImageContent, ImageSource};

/// Images of the shuffle buffer, if nothing else is said.
const BUFFER: usize = 10_000;
/// Shards that are opened at once.
const AT_ONCE: usize = 4;

/// The images of tar files in the layout of [WebDataset](https://github.com/webdataset/webdataset), for data sets of more files than
/// a file system likes, or than fit in memory or on the disk.
///
/// The files of a sample have one name up to the first dot, and follow each other: `000001.jpg`, `000001.cls`. An image's
/// name here is `SHARD/CLASS/000001.jpg`, with the class from the `.cls` file as its folder, so that
/// `label_from_folder` finds it; without such files it is `SHARD/` and the name in the shard. Other
/// files are skipped. Opening shards reads their headers and labels, 4 KiB between two images.
///
/// Shards are files, which are read where they are, or URLs (`https`). Those are downloaded whole when they are needed or soon will
/// be, and a [`Store`] keeps those used last, so the data set need not fit on the disk. What is in them is found out once:
/// the first time, opening them downloads each.
///
/// An epoch goes through the shards in random order, and through a buffer of images from which each next one is drawn at
/// random, so that what is read together lies together: each shard is needed for one stretch of the epoch. The order depends
/// only on seed, epoch and the settings of the data, as for other data: runs are repeatable, and can be resumed anywhere.
///
/// ```no_run
/// use vision_data::{ImageList, ShardImages};
///
/// let shards = ShardImages::expand("https://example.org/imagenet/train-{0000..0999}.tar")?;
/// let data = ImageList::from_source(".", ShardImages::open(shards)?)?
///     .split_by_rand_pct(0.01, 42)?
///     .label_from_folder()?
///     .databunch()
///     .size(224)
///     .build()?;
/// # Ok::<(), vision_data::Error>(())
/// ```
#[derive(Debug)]
pub struct ShardImages {
    shards: Vec<Shard>,
    /// Where the images of each shard end among all.
    ends: Vec<usize>,
    classes: Vec<String>,
    buffer: usize,
    streams: usize,
    /// For shards on the network.
    remote: Option<Remote>,
}

#[derive(Debug)]
struct Shard {
    place: Place,
    /// Of one on the network.
    known: Option<Known>,
    index: Index,
}

impl ShardImages {
    /// Opens the `.tar` files of a folder, sorted by name.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_folder(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let fail = || io_error("read the folder", folder);
        let mut shards = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(fail())? {
            let path = entry.map_err(fail())?.path();
            if path.extension().is_some_and(|extension| extension == "tar") {
                shards.push(path);
            }
        }
        if shards.is_empty() {
            let folder = folder.to_owned();
            return Err(ShardError::NoShards { folder }.into());
        }
        shards.sort();
        Self::open(shards)
    }

    /// Opens shards, in this order: files or URLs. Those of URLs are kept in the folder `shards` of the
    /// [cache](vision_fetch::cache), up to 32 GiB.
    ///
    /// # Errors
    ///
    /// [`Error::Shard`](crate::Error::Shard) with the shard and what is wrong with it,
    /// [`Error::Fetch`](crate::Error::Fetch) if it is no tar file that can be read, is cut off, or cannot be downloaded, and
    /// [`Error::Io`](crate::Error::Io).
    pub fn open<P: AsRef<Path>>(shards: impl IntoIterator<Item = P>) -> Result<Self> {
        let places = places(shards);
        let is_remote = |place: &Place| matches!(place, Place::Url(_));
        let remote = places.iter().any(is_remote).then(Remote::in_cache);
        Self::at(places, remote.transpose()?)
    }

    /// Opens shards, in this order: files or URLs. Those of URLs are kept in this store. The shards that are in use at
    /// once should fit in it, or some are downloaded again: those of the shuffle buffer, and a few more.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_in<P: AsRef<Path>>(
        shards: impl IntoIterator<Item = P>,
        store: Store,
    ) -> Result<Self> {
        Self::at(places(shards), Some(Remote::new(store)))
    }

    /// The names that a pattern stands for, as WebDataset writes them: `{000..999}` for numbers with as many digits, and
    /// `{a,b}` for a choice.
    ///
    /// ```
    /// use vision_data::ShardImages;
    ///
    /// let shards = ShardImages::expand("https://example.org/train-{08..11}.tar")?;
    /// assert_eq!(shards.len(), 4);
    /// assert_eq!(shards[1], "https://example.org/train-09.tar");
    /// # Ok::<(), vision_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ShardError::BadPattern`], also for more than a million names.
    pub fn expand(pattern: &str) -> Result<Vec<String>> {
        pattern::expanded(pattern)
    }

    /// Sets the number of images in the shuffle buffer: more mix better, and keep more shards in use at once. Default:
    /// 10,000. With all images, or more, the order is that of other data.
    pub fn with_buffer(mut self, images: usize) -> Self {
        self.buffer = images;
        self
    }

    /// Sets the number of streams, each of other shards, that are read side by side: slice s of each batch,
    /// of `batch_size / streams` images, comes from stream s. So several processes that each prepare a slice of each batch read other shards,
    /// as long as their number divides the streams, while the batches are those of one process. Which shards are of a
    /// stream does not change from epoch to epoch. Default: 1.
    ///
    /// When one stream is at its end and others are not, these take its place: give streams equally many images.
    pub fn with_streams(mut self, streams: usize) -> Self {
        self.streams = streams.max(1);
        self
    }

    /// The number of shards.
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    fn at(places: Vec<Place>, remote: Option<Remote>) -> Result<Self> {
        let failed = AtomicBool::new(false);
        let found = workers::map(places.len(), AT_ONCE, &Progress::silent(), |shard| {
            // After an error the others do not matter.
            if failed.load(Ordering::Relaxed) {
                return None;
            }
            let found = examined(&places[shard], remote.as_ref());
            failed.fetch_or(found.is_err(), Ordering::Relaxed);
            Some(found)
        });
        let mut opened = Self {
            shards: Vec::with_capacity(places.len()),
            ends: Vec::with_capacity(places.len()),
            classes: Vec::new(),
            buffer: BUFFER,
            streams: 1,
            remote,
        };
        let mut known_classes = HashMap::new();
        let mut unlabeled = None;
        for (place, found) in places.into_iter().zip(found) {
            let Some(found) = found else { continue };
            let (known, mut index) = found?;
            if let (None, Some(key)) = (&unlabeled, index.unlabeled()) {
                unlabeled = Some((place.shown(), key.to_owned()));
            }
            index.rename(|label| {
                let next = opened.classes.len() as u32;
                *known_classes.entry(label).or_insert_with_key(|label| {
                    opened.classes.push(String::clone(label));
                    next
                })
            });
            opened.ends.push(opened.len() + index.len());
            opened.shards.push(Shard {
                place,
                known,
                index,
            });
        }
        if opened.len() == 0 {
            let shards = opened.shards.len();
            return Err(ShardError::NoImages { shards }.into());
        }
        // Either all images have a label or none has.
        match unlabeled {
            Some((path, key)) if !opened.classes.is_empty() => {
                Err(ShardError::NoLabel { path, key }.into())
            }
            _ => Ok(opened),
        }
    }

    /// The shard of an image, and its position in there.
    fn find(&self, item: usize) -> (&Shard, usize) {
        let shard = self.shard(item);
        let begin = match shard {
            0 => 0,
            shard => self.ends[shard - 1],
        };
        (&self.shards[shard], item - begin)
    }
}

fn places<P: AsRef<Path>>(shards: impl IntoIterator<Item = P>) -> Vec<Place> {
    let shards = shards.into_iter();
    shards
        .map(|shard| Place::of(shard.as_ref().to_owned()))
        .collect()
}

/// Finds out what is in a shard.
fn examined(place: &Place, remote: Option<&Remote>) -> Result<(Option<Known>, Index)> {
    match (place, remote) {
        (Place::Url(url), Some(remote)) => {
            let (known, index) = remote.index(url)?;
            Ok((Some(known), index))
        }
        _ => {
            let path = place.shown();
            Ok((None, Index::read(&open_file(&path)?, &path)?))
        }
    }
}

impl Shard {
    fn open(&self, remote: Option<&Remote>) -> Result<File> {
        match (&self.place, remote, &self.known) {
            (Place::Url(url), Some(remote), Some(known)) => remote.open(url, known),
            _ => Ok(open_file(&self.place.shown())?),
        }
    }
}

impl ImageSource for ShardImages {
    fn len(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    fn name(&self, item: usize) -> PathBuf {
        let (shard, item) = self.find(item);
        let mut name = shard.place.name();
        let inside = Path::new(shard.index.name(item));
        if let (Some(class), Some(file)) = (shard.index.class(item), inside.file_name()) {
            name.extend(inside.parent());
            name.push(&self.classes[class]);
            name.push(file);
        } else {
            name.push(inside);
        }
        name
    }

    fn read(
        &self,
        item: usize,
    ) -> std::result::Result<ImageContent, Box<dyn std::error::Error + Send + Sync>> {
        let (shard, item) = self.find(item);
        let (offset, len) = shard.index.place(item);
        let mut file = shard.open(self.remote.as_ref())?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        let read = file.take(len as u64).read_to_end(&mut bytes)?;
        if read != len {
            return Err("the shard has become shorter since it was opened".into());
        }
        Ok(bytes.into())
    }

    fn shard(&self, item: usize) -> usize {
        self.ends.partition_point(|end| *end <= item)
    }

    fn shuffle_buffer(&self) -> usize {
        self.buffer
    }

    fn streams(&self) -> usize {
        self.streams
    }

    fn read_ahead(&self) -> usize {
        match &self.remote {
            // The shards after those that are being read, one of each stream.
            Some(_) => self.len() / self.shards.len().max(1) * self.streams.min(self.shards.len()),
            None => 0,
        }
    }

    fn expect(&self, item: usize) {
        let (shard, _) = self.find(item);
        if let (Place::Url(url), Some(remote), Some(known)) =
            (&shard.place, &self.remote, &shard.known)
        {
            remote.expect(url, known);
        }
    }
}
