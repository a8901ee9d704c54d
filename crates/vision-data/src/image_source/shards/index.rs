//! The images of one shard: names, labels and places.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use serde::{Deserialize, Serialize};
use vision_base::message::quoted;
use vision_fetch::archive::{Limits, tar_files_in};

use crate::error::Result;
use crate::files::index::is_image_file;
use crate::image_source::shards::error::ShardError;

/// Bytes of a label at most.
const LABEL: u64 = 1024;
/// Bytes of an image at most, as in other archives.
const IMAGE: u64 = 1 << 30;

/// The images of a shard, from front to back.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Index {
    samples: Vec<Sample>,
    /// All names, one after the other.
    names: String,
    /// The labels, in the order in which they occur.
    pub(super) classes: Vec<String>,
}

/// An image: 24 bytes, of which a large data set has many millions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Sample {
    /// Where its bytes begin, and how many there are.
    offset: u64,
    len: u32,
    /// Where its name ends.
    name_end: u32,
    /// Position of its label among the classes; `UNLABELED` without one.
    class: u32,
}

const UNLABELED: u32 = u32::MAX;

/// A sample while its files are read.
#[derive(Default)]
struct Open {
    key: String,
    image: Option<(String, u64, u32)>,
    label: Option<String>,
}

impl Index {
    /// Reads the names and labels of a shard, which is called `shown` in messages.
    pub(super) fn read(archive: &File, shown: &Path) -> Result<Self> {
        let limits = Limits::new()
            .with_max_total(u64::MAX)
            .with_max_entry(u64::MAX);
        let is_label = |name: &str, len| key_of(name).1 == "cls" && len <= LABEL;
        let files = tar_files_in(archive, shown, &limits, is_label)?;
        let path = || shown.to_owned();
        let (mut index, mut known) = (Self::default(), HashMap::new());
        let mut sample = Open::default();
        for file in files {
            let name = file.name;
            if is_hidden(&name) {
                continue;
            }
            let (key, extension) = key_of(&name);
            if key != sample.key {
                index.keep(shown, std::mem::take(&mut sample), &mut known)?;
                key.clone_into(&mut sample.key);
            }
            if is_image_file(Path::new(&name)) {
                if sample.image.is_some() {
                    let (path, key) = (path(), sample.key);
                    return Err(ShardError::TwoImages { path, key }.into());
                }
                let len = u32::try_from(file.len)
                    .ok()
                    .filter(|len| u64::from(*len) <= IMAGE);
                let Some(len) = len else {
                    return Err(ShardError::TooLarge {
                        path: path(),
                        name,
                        len: file.len,
                        limit: IMAGE,
                    }
                    .into());
                };
                sample.image = Some((name, file.offset, len));
            } else if extension == "cls" {
                let found = match file.content {
                    Some(bytes) => label(bytes),
                    None => Err(format!("{} bytes", file.len)),
                };
                let label = found.map_err(|found| ShardError::BadLabel {
                    path: path(),
                    key: sample.key.clone(),
                    found,
                })?;
                sample.label = Some(label);
            }
        }
        index.keep(shown, sample, &mut known)?;
        Ok(index)
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
        let class = sample.label.map_or(UNLABELED, |label| {
            let next = self.classes.len() as u32;
            *known.entry(label).or_insert_with_key(|label| {
                self.classes.push(label.clone());
                next
            })
        });
        self.names.push_str(&name);
        self.samples.push(Sample {
            offset,
            len,
            name_end: self.names.len() as u32,
            class,
        });
        Ok(())
    }

    /// The number of images.
    pub(super) fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether it can be that of a shard of so many bytes: it may be read from a file that somebody has changed.
    pub(super) fn fits(&self, bytes: u64) -> bool {
        let mut begin = 0;
        self.samples.iter().all(|sample| {
            let name = self.names.get(begin..sample.name_end as usize);
            begin = sample.name_end as usize;
            let class = sample.class as usize;
            name.is_some_and(|name| !name.is_empty())
                && (sample.class == UNLABELED || class < self.classes.len())
                && sample.offset.saturating_add(sample.len.into()) <= bytes
        })
    }

    pub(super) fn name(&self, item: usize) -> &str {
        let begin = match item {
            0 => 0,
            item => self.samples[item - 1].name_end as usize,
        };
        &self.names[begin..self.samples[item].name_end as usize]
    }

    /// The position of its label.
    pub(super) fn class(&self, item: usize) -> Option<usize> {
        let class = self.samples[item].class;
        (class != UNLABELED).then_some(class as usize)
    }

    /// Where the bytes of an image begin, and how many there are.
    pub(super) fn place(&self, item: usize) -> (u64, usize) {
        let sample = self.samples[item];
        (sample.offset, sample.len as usize)
    }

    /// The key of an image without a label, if there is one.
    pub(super) fn unlabeled(&self) -> Option<&str> {
        let item = self.samples.iter().position(|s| s.class == UNLABELED)?;
        Some(key_of(self.name(item)).0)
    }

    /// Replaces the labels by positions in a list of all shards, and forgets them.
    pub(super) fn rename(&mut self, mut position: impl FnMut(String) -> u32) {
        let new: Vec<u32> = self.classes.drain(..).map(&mut position).collect();
        for sample in &mut self.samples {
            if let Some(new) = new.get(sample.class as usize) {
                sample.class = *new;
            }
        }
        self.classes.shrink_to_fit();
        self.samples.shrink_to_fit();
        self.names.shrink_to_fit();
    }
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

/// The name of a class, or what is there instead.
fn label(bytes: Vec<u8>) -> std::result::Result<String, String> {
    let text = String::from_utf8(bytes).map_err(|_| "bytes that are not text")?;
    let name = text.trim();
    let is_part = |c: char| c != '/' && c != '\\' && !c.is_control();
    let is_name = !["", ".", ".."].contains(&name) && name.chars().all(is_part);
    match is_name {
        true => Ok(name.to_owned()),
        false => Err(quoted(name).to_string()),
    }
}
