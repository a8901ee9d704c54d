//! Shards on the network.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use vision_base::message::hex;
use vision_base::{atomic, io_error};
use vision_fetch::{Known, Store, cache};

use crate::error::Result;
use crate::image_source::shards::error::ShardError;
use crate::image_source::shards::index::Index;

/// Bytes of shards on the disk, if nothing else is said.
const MAX_BYTES: u64 = 32 << 30;
/// Shards that are downloaded ahead at once.
const AHEAD: usize = 4;
const FORMAT: u32 = 1;

/// Shards on the network: whole ones are kept on the disk within a limit, and what was found in them for good.
#[derive(Clone, Debug)]
pub(super) struct Remote {
    store: Arc<Store>,
    /// Downloads that nobody waits for yet.
    ahead: Arc<AtomicUsize>,
}

/// What was found in a shard, as a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    format: u32,
    url: String,
    bytes: u64,
    sha256: String,
    index: Index,
}

impl Remote {
    pub(super) fn new(store: Store) -> Self {
        Self {
            store: Arc::new(store),
            ahead: Arc::default(),
        }
    }

    /// In the cache of this program.
    pub(super) fn in_cache() -> Result<Self> {
        let folder = cache::home()?.join("shards");
        Ok(Self::new(Store::open(folder, MAX_BYTES)?))
    }

    /// The images of a shard: as found earlier, or else the shard is downloaded.
    pub(super) fn index(&self, url: &str) -> Result<(Known, Index)> {
        let saved = self.saved(url);
        if let Some(found) = read(&saved, url) {
            return Ok(found);
        }
        let (file, known) = self.store.get(url, None)?;
        let saving = Saved {
            format: FORMAT,
            url: url.to_owned(),
            bytes: known.bytes,
            sha256: known.sha256.clone(),
            index: Index::read(&file, Path::new(url))?,
        };
        if let Some(folder) = saved.parent() {
            fs::create_dir_all(folder).map_err(io_error("create the folder", folder))?;
        }
        let failed = |error| io_error("write", &saved)(std::io::Error::other(error));
        let json = serde_json::to_vec(&saving).map_err(|error: serde_json::Error| failed(error))?;
        atomic::write(&saved, &json)?;
        Ok((known, saving.index))
    }

    /// Opens a shard, which must be the one whose images are known.
    pub(super) fn open(&self, url: &str, known: &Known) -> Result<File> {
        use vision_fetch::Error::{HashMismatch, SizeMismatch};
        match self.store.get(url, Some(known)) {
            Ok((file, _)) => Ok(file),
            Err(error @ (HashMismatch { .. } | SizeMismatch { .. })) => Err(ShardError::Changed {
                path: url.into(),
                index: self.saved(url),
                problem: error.to_string(),
            }
            .into()),
            Err(error) => Err(error.into()),
        }
    }

    /// Downloads a shard that will be needed, unless enough others are on their way. An error comes when it is needed.
    pub(super) fn expect(&self, url: &str, known: &Known) {
        if self.store.has(url) || self.ahead.load(Ordering::Relaxed) >= AHEAD {
            return;
        }
        self.ahead.fetch_add(1, Ordering::Relaxed);
        let (remote, url, known) = (self.clone(), url.to_owned(), known.clone());
        let thread = thread::Builder::new().name("vision-shard".to_owned());
        let started = thread.spawn(move || {
            let _ = remote.open(&url, &known);
            remote.ahead.fetch_sub(1, Ordering::Relaxed);
        });
        if started.is_err() {
            self.ahead.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn saved(&self, url: &str) -> PathBuf {
        let name = hex(&Sha256::digest(url.as_bytes())[..16]);
        self.store
            .folder()
            .join("index")
            .join(format!("{name}.json"))
    }
}

/// What was found in a shard earlier. Anything else than that is replaced.
fn read(saved: &Path, url: &str) -> Option<(Known, Index)> {
    let json = fs::read(saved).ok()?;
    let saved: Saved = serde_json::from_slice(&json).ok()?;
    let is_right = saved.format == FORMAT && saved.url == url && saved.index.fits(saved.bytes);
    let known = Known {
        bytes: saved.bytes,
        sha256: saved.sha256,
    };
    is_right.then_some((known, saved.index))
}
