//! What is in the cache of the hub's tools.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::hub::environment;
use crate::hub::layout::Layout;
use crate::hub::name;

/// A model repository of which the cache has a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CachedRepository {
    /// `ORGANIZATION/NAME`.
    pub name: String,
    /// The commit of `main`, or the only one that is here.
    pub commit: String,
    /// The folder of that commit's files.
    pub folder: PathBuf,
    /// Bytes of its files.
    pub bytes: u64,
}

/// The model repositories in the cache, by name. `cache` is the folder; `None` is the one that the environment says
/// (`HF_HUB_CACHE`, `HF_HOME`).
///
/// ```
/// let folder = std::env::temp_dir().join("no such cache");
/// assert!(vision_fetch::hub::cached_repositories(Some(&folder))?.is_empty());
/// # Ok::<(), vision_fetch::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::NoHome`](crate::Error::NoHome) if no folder is given and none is known. A folder that cannot be read counts as
/// empty.
pub fn cached_repositories(cache: Option<&Path>) -> Result<Vec<CachedRepository>> {
    let cache = match cache {
        Some(cache) => cache.to_owned(),
        None => environment::cache()?,
    };
    let mut found = Vec::new();
    for folder in names(&cache) {
        let Some(name) = folder.strip_prefix("models--") else {
            continue;
        };
        // The hub allows no `--` in a name.
        let Ok(name) = name::repository(&name.replacen("--", "/", 1)) else {
            continue;
        };
        let layout = Layout::new(&cache, &name);
        let snapshots = names(&layout.folder().join("snapshots"));
        let commit = layout
            .commit("main")
            .filter(|main| snapshots.contains(main));
        let Some(commit) =
            commit.or_else(|| snapshots.into_iter().find(|name| name::is_commit(name)))
        else {
            continue;
        };
        let folder = layout.folder().join("snapshots").join(&commit);
        let files = names(&folder).into_iter();
        let bytes = files.filter_map(|file| fs::metadata(folder.join(file)).ok());
        let bytes: u64 = bytes
            .filter(|file| file.is_file())
            .map(|file| file.len())
            .sum();
        if bytes > 0 {
            found.push(CachedRepository {
                name,
                commit,
                folder,
                bytes,
            });
        }
    }
    Ok(found)
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}
