//! Files of the network in a folder of bounded size.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};
use vision_base::message::hex;
use vision_base::paths::{open_file, sibling};

use crate::download::Download;
use crate::error::{Error, Result, io_error};
use crate::options::Options;
use crate::url::file_name;

/// Files of the network that do not fit on the disk together: a folder that keeps what was used last, within a limit.
///
/// Each file is downloaded whole, as by [`Download`](crate::Download): with time limits, retries and resumption. Several
/// threads can ask at once, also for the same file, which is then downloaded once. One that is open can still be read after
/// it has been removed (on Windows it is removed later).
///
/// ```no_run
/// use vision_fetch::Store;
///
/// let store = Store::open("cache/shards", 20 << 30)?;
/// let (file, known) = store.get("https://example.org/train-000.tar", None)?;
/// // Later, it must be the same file.
/// let (file, _) = store.get("https://example.org/train-000.tar", Some(&known))?;
/// # Ok::<(), vision_fetch::Error>(())
/// ```
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    max_bytes: u64,
    options: Options,
    /// By the name of the file in the folder.
    slots: Mutex<HashMap<String, Arc<Slot>>>,
    clock: AtomicU64,
}

/// What is known of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its length in bytes.
    pub bytes: u64,
    /// Its SHA-256, as 64 hexadecimal digits.
    pub sha256: String,
}

#[derive(Debug, Default)]
struct Slot {
    /// Locked while the file is downloaded, opened or removed. What it is, once this process has verified it.
    verified: Mutex<Option<Known>>,
    /// The bytes on the disk.
    bytes: AtomicU64,
    /// When it was used last: the greater, the later.
    used: AtomicU64,
}

impl Store {
    /// Opens a folder for files of so many bytes together; it is created if it does not exist. There is always room for
    /// the files that are being downloaded, one for each thread that asks. Several processes can share a folder, but each
    /// counts only what it has found and downloaded.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the folder cannot be created or read.
    pub fn open(folder: impl Into<PathBuf>, max_bytes: u64) -> Result<Self> {
        let folder = folder.into();
        fs::create_dir_all(&folder).map_err(io_error("create the folder", &folder))?;
        let mut slots = HashMap::new();
        for entry in fs::read_dir(&folder).map_err(io_error("read the folder", &folder))? {
            let entry = entry.map_err(io_error("read the folder", &folder))?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if let (true, Ok(metadata)) = (is_ours(&name), entry.metadata()) {
                let slot = Slot::default();
                slot.bytes.store(metadata.len(), Ordering::Relaxed);
                slots.insert(name, Arc::new(slot));
            }
        }
        Ok(Self {
            folder,
            max_bytes,
            options: Options::new().with_progress(false),
            slots: Mutex::new(slots),
            clock: AtomicU64::new(1),
        })
    }

    /// Sets how to download. Default: as [`Options::new`], without progress bars.
    #[must_use]
    pub fn with_options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The limit in bytes.
    pub fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    /// Whether the file is in the folder, or on its way there.
    pub fn has(&self, url: &str) -> bool {
        let slot = Self::slot_name(url).map(|name| self.slot(&name));
        slot.is_ok_and(|slot| {
            let verified = slot.verified.try_lock();
            verified.map_or(true, |verified| verified.is_some())
        })
    }

    /// Opens a file for reading; downloads it if it is not in the folder. If it is known already, it must be the same. If the
    /// disk is full before the limit is reached, files that are not in use make room.
    ///
    /// # Errors
    ///
    /// Those of [`Download::fetch`](crate::Download::fetch), and [`Error::Io`].
    pub fn get(&self, url: &str, known: Option<&Known>) -> Result<(File, Known)> {
        let name = Self::slot_name(url)?;
        let path = self.folder.join(&name);
        let slot = self.slot(&name);
        slot.used.store(
            self.clock.fetch_add(1, Ordering::Relaxed),
            Ordering::Relaxed,
        );
        let mut verified = lock(&slot.verified);
        if let Some(is) = verified.take_if(|is| known.is_none_or(|known| known == is))
            && let Ok(file) = open_file(&path)
            && file.metadata().is_ok_and(|now| now.len() == is.bytes)
        {
            *verified = Some(is.clone());
            return Ok((file, is));
        }
        self.make_room(known.map_or(0, |known| known.bytes), &name);
        let mut download = Download::new(url, &path).with_options(self.options.clone());
        if let Some(known) = known {
            download = download.with_size(known.bytes).with_sha256(&known.sha256);
        }
        let fetched = match download.fetch() {
            // Of an earlier process, and not what is at the URL now.
            Err(Error::NotTheFile { .. }) => {
                fs::remove_file(&path).map_err(io_error("remove", &path))?;
                download.fetch()
            }
            // Less fits on the disk than the limit says. The others can be downloaded again.
            Err(Error::Io(error)) if is_full(error.source.kind()) => {
                self.make_room(u64::MAX, &name);
                download.fetch()
            }
            fetched => fetched,
        }
        .map_err(|error| Self::does_not_fit(&path, error))?;
        let is = Known {
            bytes: fetched.bytes,
            sha256: fetched.sha256,
        };
        // Another process may have removed it in the meantime, to make room.
        let file = open_file(&path).or_else(|_| {
            download.fetch()?;
            open_file(&path).map_err(Error::from)
        })?;
        slot.bytes.store(is.bytes, Ordering::Relaxed);
        *verified = Some(is.clone());
        self.make_room(0, &name);
        Ok((file, is))
    }

    /// If the disk is full although all that could be removed was: says what to do, and removes what there is of the file,
    /// which others need.
    fn does_not_fit(path: &Path, error: Error) -> Error {
        match error {
            Error::Io(error) if is_full(error.source.kind()) => {
                // If it cannot be removed, the error is the same.
                let _ = fs::remove_file(sibling(path, ".part"));
                let hint = "free some space, or open the store in a folder on another disk";
                Error::Io(error.with_hint(hint))
            }
            other => other,
        }
    }

    /// Removes the files that were used longest ago, until so many more bytes fit.
    fn make_room(&self, more: u64, except: &str) {
        let slots = lock(&self.slots);
        let mut others: Vec<(&String, &Arc<Slot>)> = slots.iter().collect();
        others.sort_unstable_by_key(|(_, slot)| slot.used.load(Ordering::Relaxed));
        let bytes = others
            .iter()
            .map(|(_, slot)| slot.bytes.load(Ordering::Relaxed));
        let mut total = bytes.fold(more, u64::saturating_add);
        for (name, slot) in others {
            let bytes = slot.bytes.load(Ordering::Relaxed);
            if total <= self.max_bytes || bytes == 0 || name == except {
                continue;
            }
            // One that is locked is in use.
            let Ok(mut verified) = slot.verified.try_lock() else {
                continue;
            };
            *verified = None;
            let removed = fs::remove_file(self.folder.join(name));
            // One that cannot be removed now, as an open one on Windows, counts on.
            if removed.is_ok() || !self.folder.join(name).exists() {
                slot.bytes.store(0, Ordering::Relaxed);
                total = total.saturating_sub(bytes);
            }
        }
    }

    fn slot(&self, name: &str) -> Arc<Slot> {
        Arc::clone(lock(&self.slots).entry(name.to_owned()).or_default())
    }

    /// The name in the folder: different for each URL, and recognizable.
    fn slot_name(url: &str) -> Result<String> {
        let name = file_name(url)?;
        // Names have an end on every file system, and endings are added.
        let skip = name.chars().count().saturating_sub(LONGEST_NAME);
        let name: String = name.chars().skip(skip).collect();
        let digest = Sha256::digest(url.as_bytes());
        Ok(format!("{}-{name}", hex(&digest[..8])))
    }
}

/// Whether there is no space left, on the disk or in what a user may take of it.
fn is_full(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// Characters of a URL's name that are kept.
const LONGEST_NAME: usize = 50;

/// Whether it is the name of a whole file of a store.
fn is_ours(name: &str) -> bool {
    let digits = name.split_once('-').map_or("", |(digits, _)| digits);
    let unfinished = [".lock", ".part", ".from"];
    digits.len() == 16
        && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        && !unfinished.iter().any(|end| name.ends_with(end))
}

/// A thread that panicked has changed nothing by halves.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
