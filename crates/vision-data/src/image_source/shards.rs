//! Images in shards: tar files in the layout of WebDataset.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use vision_base::io_error;
use vision_base::message::quoted;

use crate::error::Result;
use crate::files::index::is_image_file;
use crate::image_source::shard_error::ShardError;
use crate::image_source::{ImageContent, ImageSource};

/// Images of the shuffle buffer, if nothing else is said.
const BUFFER: usize = 10_000;
/// Bytes of a block of a tar file.
const BLOCK: u64 = 512;
/// Bytes of a label at most.
const LABEL: u64 = 1024;
/// Bytes of an image at most, as in other archives.
const IMAGE: u64 = 1 << 30;

/// The images of tar files in the layout of [WebDataset](https://github.com/webdataset/webdataset), for data sets of more files than
/// a file system likes, or than fit in memory.
///
/// The files of a sample have one name up to the first dot, and follow each other: `000001.jpg`, `000001.cls`. An image's
/// name here is `SHARD/CLASS/000001.jpg`, with the class from the `.cls` file as its folder, so that
/// `label_from_folder` finds it; without such files it is `SHARD/` and the name in the shard. Other
/// files are skipped. Shards are read where they are: opening them reads the names, 512 bytes for each file in them.
///
/// An epoch goes through the shards in random order, and through a buffer of images from which each next one is drawn at
/// random, so that what is read together lies together. The order depends only on seed and epoch, as for other data: runs
/// are repeatable, and can be resumed anywhere.
///
/// ```no_run
/// use vision_data::{ImageList, ShardImages};
///
/// let data = ImageList::from_source(".", ShardImages::open_folder("imagenet/train")?)?
///     .split_by_rand_pct(0.01, 42)?
///     .label_from_folder()?
///     .databunch()
///     .size(224)
///     .build()?;
/// # Ok::<(), vision_data::Error>(())
/// ```
#[derive(Debug)]
pub struct ShardImages {
    shards: Vec<PathBuf>,
    classes: Vec<String>,
    /// In the order of the shards, and of each from front to back.
    samples: Vec<Sample>,
    /// All names, one after the other.
    names: String,
    buffer: usize,
}

#[derive(Debug)]
struct Sample {
    shard: u32,
    /// Position among the classes; none without labels.
    class: Option<u32>,
    /// Where its bytes begin, and how many there are.
    offset: u64,
    len: u64,
    /// Where its name ends.
    name_end: u64,
}

/// A sample while its files are read.
#[derive(Default)]
struct Open {
    key: String,
    image: Option<(String, u64, u64)>,
    label: Option<String>,
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

    /// Opens shards, in this order.
    ///
    /// # Errors
    ///
    /// [`Error::Shard`](crate::Error::Shard) with the shard and what is wrong with it, and
    /// [`Error::Io`](crate::Error::Io) if one cannot be read.
    pub fn open<P: AsRef<Path>>(shards: impl IntoIterator<Item = P>) -> Result<Self> {
        let mut opened = Self {
            shards: Vec::new(),
            classes: Vec::new(),
            samples: Vec::new(),
            names: String::new(),
            buffer: BUFFER,
        };
        let mut known = HashMap::new();
        for shard in shards {
            opened.shards.push(shard.as_ref().to_owned());
            opened.scan(&mut known)?;
        }
        if opened.samples.is_empty() {
            let shards = opened.shards.len();
            return Err(ShardError::NoImages { shards }.into());
        }
        opened.check_labels()?;
        Ok(opened)
    }

    /// Sets the number of images in the shuffle buffer: more mix better, and spread what is read over more shards. Default: 10,000. With
    /// all images, or more, the order is that of other data.
    pub fn with_buffer(mut self, images: usize) -> Self {
        self.buffer = images;
        self
    }

    /// The number of shards.
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Reads the last shard's names and labels.
    fn scan(&mut self, known: &mut HashMap<String, u32>) -> Result<()> {
        let number = self.shards.len() - 1;
        let path = self.shards[number].clone();
        let fail = || io_error("open the shard", &path);
        // Opening a pipe would wait for a writer.
        if !std::fs::metadata(&path).map_err(fail())?.is_file() {
            let reason = "it is not a regular file";
            return Err(fail()(std::io::Error::new(
                std::io::ErrorKind::InvalidInput,
                reason,
            ))
            .into());
        }
        let open = || File::open(&path).map_err(fail());
        let mut bytes = open()?;
        let len = bytes.metadata().map_err(io_error("read", &path))?.len();
        let damaged = |error: std::io::Error| ShardError::Damaged {
            path: path.clone(),
            problem: error.to_string(),
        };
        let mut archive = tar::Archive::new(open()?);
        let mut sample = Open::default();
        let mut end = 0;
        for entry in archive.entries_with_seek().map_err(damaged)? {
            let entry = entry.map_err(damaged)?;
            let (offset, size) = (entry.raw_file_position(), entry.size());
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let needed = offset.saturating_add(size);
            if needed > len {
                let what = format!("the file {} in it", quoted(&name));
                return Err(cut_off(&path, len, what, needed));
            }
            end = needed.next_multiple_of(BLOCK);
            let name = name.strip_prefix("./").unwrap_or(&name);
            if !entry.header().entry_type().is_file() {
                continue;
            }
            if !is_safe(name) {
                let name = name.to_owned();
                return Err(ShardError::UnsafeName { path, name }.into());
            }
            if is_hidden(name) {
                continue;
            }
            let (key, extension) = key_of(name);
            if key != sample.key {
                self.keep(&path, std::mem::take(&mut sample), known)?;
                sample.key = key.to_owned();
            }
            if is_image_file(Path::new(name)) {
                if sample.image.is_some() {
                    return Err(ShardError::TwoImages {
                        path,
                        key: sample.key,
                    }
                    .into());
                }
                let name = name.to_owned();
                if size > IMAGE {
                    let (len, limit) = (size, IMAGE);
                    return Err(ShardError::TooLarge {
                        path,
                        name,
                        len,
                        limit,
                    }
                    .into());
                }
                sample.image = Some((name, offset, size));
            } else if extension == "cls" {
                let label = label(&mut bytes, &path, offset, size);
                let label = label?.map_err(|found| ShardError::BadLabel {
                    path: path.clone(),
                    key: sample.key.clone(),
                    found,
                })?;
                sample.label = Some(label);
            }
        }
        self.keep(&path, sample, known)?;
        // The end is at least one empty block.
        let needed = end + BLOCK;
        if needed > len {
            return Err(cut_off(&path, len, "its end".to_owned(), needed));
        }
        Ok(())
    }

    /// Keeps a sample that has an image.
    fn keep(&mut self, path: &Path, sample: Open, known: &mut HashMap<String, u32>) -> Result<()> {
        let Some((name, offset, len)) = sample.image else {
            let (path, key) = (path.to_owned(), sample.key);
            return match sample.label {
                Some(_) => Err(ShardError::NoImage { path, key }.into()),
                None => Ok(()),
            };
        };
        let class = sample.label.map(|label| {
            let next = self.classes.len() as u32;
            *known.entry(label).or_insert_with_key(|label| {
                self.classes.push(label.clone());
                next
            })
        });
        self.names.push_str(&name);
        self.samples.push(Sample {
            shard: self.shards.len() as u32 - 1,
            class,
            offset,
            len,
            name_end: self.names.len() as u64,
        });
        Ok(())
    }

    /// Either all images have a label or none has.
    fn check_labels(&self) -> Result<()> {
        let without = self
            .samples
            .iter()
            .position(|sample| sample.class.is_none());
        match without {
            Some(item) if !self.classes.is_empty() => Err(ShardError::NoLabel {
                path: self.shards[self.samples[item].shard as usize].clone(),
                key: key_of(self.name_inside(item)).0.to_owned(),
            }
            .into()),
            _ => Ok(()),
        }
    }

    fn name_inside(&self, item: usize) -> &str {
        let begin = match item {
            0 => 0,
            item => self.samples[item - 1].name_end as usize,
        };
        &self.names[begin..self.samples[item].name_end as usize]
    }
}

impl ImageSource for ShardImages {
    fn len(&self) -> usize {
        self.samples.len()
    }

    fn name(&self, item: usize) -> PathBuf {
        let sample = &self.samples[item];
        let shard = self.shards[sample.shard as usize].file_name();
        let mut name = PathBuf::from(shard.unwrap_or_default());
        let inside = Path::new(self.name_inside(item));
        if let (Some(class), Some(file)) = (sample.class, inside.file_name()) {
            name.extend(inside.parent());
            name.push(&self.classes[class as usize]);
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
        let sample = &self.samples[item];
        let mut file = File::open(&self.shards[sample.shard as usize])?;
        file.seek(SeekFrom::Start(sample.offset))?;
        let mut bytes = Vec::new();
        let read = file.take(sample.len).read_to_end(&mut bytes)?;
        if read as u64 != sample.len {
            return Err("the shard has become shorter since it was opened".into());
        }
        Ok(bytes.into())
    }

    fn shard(&self, item: usize) -> usize {
        self.samples[item].shard as usize
    }

    fn shuffle_buffer(&self) -> usize {
        self.buffer
    }
}

fn cut_off(path: &Path, len: u64, what: String, needed: u64) -> crate::Error {
    ShardError::CutOff {
        path: path.to_owned(),
        len,
        what,
        needed,
    }
    .into()
}

/// Whether the name stays below a folder, on any system.
fn is_safe(name: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part != ".." && part != ".";
    name.split('/').all(is_part) && !name.contains(['\\', ':', '\0'])
}

fn is_hidden(name: &str) -> bool {
    name.split('/').any(|part| part.starts_with('.'))
}

/// The name up to the first dot of its last part, and what follows.
fn key_of(name: &str) -> (&str, &str) {
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    match name[last..].find('.') {
        Some(dot) => (&name[..last + dot], &name[last + dot + 1..]),
        None => (name, ""),
    }
}

/// Reads a label; the inner error is what it is instead.
fn label(
    file: &mut File,
    path: &Path,
    offset: u64,
    size: u64,
) -> Result<std::result::Result<String, String>> {
    if size > LABEL {
        return Ok(Err(format!("{size} bytes")));
    }
    let mut text = Vec::new();
    let read = file
        .seek(SeekFrom::Start(offset))
        .and_then(|_| file.take(size).read_to_end(&mut text));
    read.map_err(io_error("read the shard", path))?;
    let Ok(text) = String::from_utf8(text) else {
        return Ok(Err("bytes that are not text".to_owned()));
    };
    let name = text.trim();
    let is_part = |c: char| c != '/' && c != '\\' && !c.is_control();
    let is_name = !["", ".", ".."].contains(&name) && name.chars().all(is_part);
    Ok(match is_name {
        true => Ok(name.to_owned()),
        false => Err(quoted(name).to_string()),
    })
}
