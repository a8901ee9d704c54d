//! PyTorch files: zip archives, the older stream of pickles, and the even older TAR archives.

mod archive;
mod pickle;
mod storages;
mod streams;
mod values;
mod view;

use std::fs::File;
use std::io::{BufReader, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use pickle::{Id, Node, Pickle};
use storages::Storages;

use super::contents::{Contents, Stored, bad, not_weights, read_error};
use crate::Result;

/// A tensor can be a view that repeats its storage, and so be larger than its file. Only small ones
/// may be.
const MAX_REPEATED_BYTES: u64 = 1 << 20;

/// The container format of a PyTorch file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    /// Since PyTorch 1.6.
    Zip,
    /// From 0.1.10 to 1.5, and with `_use_new_zipfile_serialization=False`.
    Legacy,
    /// Before 0.1.10.
    Tar,
}

impl Container {
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        // PyTorch's magic number, as written by pickle protocols from 2 on, and by older ones.
        const MAGIC: &[u8] = b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
        const MAGIC_TEXT: &[u8] = b"119547037146038801333356";
        let start = &head[..head.len().min(64)];
        let has = |magic: &[u8]| start.windows(magic.len()).any(|w| w == magic);
        if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
            Some(Self::Zip)
        } else if head.get(257..262) == Some(b"ustar") {
            Some(Self::Tar)
        } else if has(MAGIC) || has(MAGIC_TEXT) {
            Some(Self::Legacy)
        } else {
            None
        }
    }
}

/// Lists the tensors of a file of `len` bytes.
pub(super) fn open(
    path: &Path,
    mut file: File,
    len: u64,
    container: Container,
) -> Result<Contents> {
    file.seek(SeekFrom::Start(0))
        .map_err(|e| read_error(path, e))?;
    let mut pickle = Pickle::new(path);
    let file = BufReader::new(file);
    let (root, storages) = match container {
        Container::Zip => archive::open(&mut pickle, path, file, len)?,
        Container::Legacy => streams::legacy(&mut pickle, path, file, len)?,
        Container::Tar => streams::tar(&mut pickle, path, file, len)?,
    };
    list(&pickle, root, storages, path, len)
}

fn list(
    pickle: &Pickle<'_>,
    root: Id,
    storages: Storages,
    path: &Path,
    len: u64,
) -> Result<Contents> {
    if let Node::Object(object) = pickle.node(root)
        && object.class.starts_with("fastai.")
        && object.class.ends_with(".Learner")
    {
        return Err(not_weights(
            path,
            "it is a learner of fastai (learn.export), with its data and code; save its weights in Python: \
             torch.save(load_learner(path).model.state_dict(), \"weights.pth\")",
        ));
    }
    let found = values::find(pickle, root)?;
    let storages = Arc::new(storages);
    let mut contents = Contents {
        foreign: found.foreign,
        ..Contents::default()
    };
    for (name, view) in found.tensors {
        let bytes = view.len() as u64;
        let storage = &view.storage;
        let place = storages.places.get(storage);
        let place = place.ok_or_else(|| {
            bad(path, format!("tensor {name:?} is in the storage {storage:?} (data/{storage}), which does not exist"))
        })?;
        let declared = pickle.storages.get(storage);
        if place.len() < view.start + view.extent {
            let elements = declared.map_or(0, |s| s.len);
            let reason = format!(
                "tensor {name:?} is in the storage {storage:?}, which has {} bytes where the pickle declares {elements} elements",
                place.len()
            );
            return Err(bad(path, reason));
        }
        if bytes > len.max(place.len()).max(MAX_REPEATED_BYTES) {
            let reason = format!("tensor {name:?} claims {bytes} bytes, the whole file has {len}");
            return Err(bad(path, reason));
        }
        let (storages, view) = (storages.clone(), view.clone());
        let stored = Stored {
            shape: view.shape.clone(),
            dtype: view.element.dtype.clone(),
            place: Some((view.storage.clone(), view.start)),
            read: Arc::new(move || storages.read(&view)),
        };
        contents.tensors.insert(name, stored);
    }
    Ok(contents)
}
