//! A selection of the images of a source.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use vision_base::OptionError;
use vision_base::message::shown;

use crate::error::Result;
use crate::image::Image;
use crate::image::budget::Held;
use crate::image::decode::{How, decode_to};
use crate::image::limits::Limits;
use crate::image::problem::ImageProblem;
use crate::image_source::order::ShardOrder;
use crate::image_source::{ImageContent, ImageSource};
use crate::rng::Rng;

/// A selection of the images of a source, by position.
#[derive(Clone)]
pub(crate) struct Chosen {
    source: Arc<dyn ImageSource>,
    positions: Vec<usize>,
}

impl Chosen {
    /// Selects all images, and returns their names.
    pub(crate) fn all(source: Arc<dyn ImageSource>) -> Result<(Self, Vec<PathBuf>)> {
        let bad = |expected, found| {
            let error = OptionError::new("source of images", expected, found);
            Err(crate::Error::Option(error))
        };
        let positions: Vec<usize> = (0..source.len()).collect();
        if positions.is_empty() {
            return bad("at least one image", "none".to_owned());
        }
        let names: Vec<PathBuf> = positions.iter().map(|&item| source.name(item)).collect();
        let mut met = HashMap::with_capacity(names.len());
        for (item, name) in names.iter().enumerate() {
            if let Some(earlier) = met.insert(name, item) {
                let found = format!("images {earlier} and {item} are both {}", shown(name));
                return bad("a different name for each image", found);
            }
        }
        Ok((Self { source, positions }, names))
    }

    /// Keeps only the images whose flag is set.
    pub(crate) fn retain(&mut self, kept: &[bool]) {
        let mut flags = kept.iter();
        self.positions.retain(|_| flags.next() == Some(&true));
    }

    /// The images at these positions of the selection, in this order.
    pub(crate) fn at(&self, places: impl IntoIterator<Item = usize>) -> Self {
        Self {
            source: Arc::clone(&self.source),
            positions: places
                .into_iter()
                .map(|place| self.positions[place])
                .collect(),
        }
    }

    /// These images, then those of another selection of the same source.
    pub(crate) fn and(&self, more: &Self) -> Self {
        Self {
            source: Arc::clone(&self.source),
            positions: [self.positions.as_slice(), &more.positions].concat(),
        }
    }

    /// How an epoch goes through the shards; `None` if any order is as likely as another.
    pub(crate) fn shard_order(&self) -> Option<ShardOrder> {
        let (buffer, streams) = (self.source.shuffle_buffer(), self.source.streams());
        let all = buffer >= self.positions.len();
        let buffer = buffer.min(self.positions.len());
        (!all || streams > 1).then_some(ShardOrder { buffer, streams })
    }

    /// A random order of the selection for batches of so many items: any, or one that goes through shards.
    pub(crate) fn order(&self, batch: usize, rng: &mut Rng) -> Vec<usize> {
        let Some(order) = self.shard_order() else {
            return rng.order(self.positions.len());
        };
        let mut shards: Vec<Vec<usize>> = Vec::new();
        let mut last = None;
        // A selection may have been put together from several.
        let mut places: Vec<usize> = (0..self.positions.len()).collect();
        places.sort_by_key(|&place| self.positions[place]);
        for place in places {
            let shard = Some(self.source.shard(self.positions[place]));
            if shard != last {
                shards.push(Vec::new());
                last = shard;
            }
            if let Some(shard) = shards.last_mut() {
                shard.push(place);
            }
        }
        order.order(shards, batch, rng)
    }

    /// How many images ahead the source wants to know what is read.
    pub(crate) fn read_ahead(&self) -> usize {
        self.source.read_ahead()
    }

    /// Tells the source of an image that will be read.
    pub(crate) fn expect(&self, item: usize) {
        self.source.expect(self.positions[item]);
    }

    /// The content of an image in the source.
    pub(crate) fn content(
        &self,
        item: usize,
        limits: &Limits,
    ) -> std::result::Result<ImageContent, ImageProblem> {
        let content = self.source.read(self.positions[item]);
        // A link that fails says nothing about the image.
        let problem = |error: Box<dyn Error + Send + Sync>| match error.is::<crate::Error>() {
            true => ImageProblem::Unavailable(error.to_string()),
            false => ImageProblem::Unreadable(error.to_string()),
        };
        match content.map_err(problem)? {
            ImageContent::Encoded(bytes) if bytes.len() as u64 > limits.max_bytes => {
                Err(ImageProblem::TooManyBytes {
                    limit: limits.max_bytes,
                })
            }
            content => Ok(content),
        }
    }
}

impl ImageContent {
    /// Decodes an image.
    pub(crate) fn decode(
        self,
        limits: &Limits,
        how: How,
    ) -> std::result::Result<Held<Image>, ImageProblem> {
        let bytes = match self {
            Self::Pixels(image) => return Ok(Held::new(image, None)),
            Self::Encoded(bytes) => bytes,
        };
        let image = decode_to(&bytes, limits, how)?;
        let Held { value, permit } = image;
        let image = Image::try_from(value);
        let image = image.map_err(|error| ImageProblem::Damaged(error.to_string()))?;
        Ok(Held::new(image, permit))
    }
}

impl fmt::Debug for Chosen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} images of a source", self.positions.len())
    }
}
