//! What a folder is, by whatever path it is reached.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Folders that were met, numbered from 0: one that is met by several paths, through links, has one number.
#[derive(Debug, Default)]
pub(crate) struct Folders {
    met: HashMap<FolderId, Vec<(PathBuf, usize)>>,
    count: usize,
}

impl Folders {
    /// The number of a folder, and whether it is new.
    pub(crate) fn meet(&mut self, folder: &Path) -> io::Result<(usize, bool)> {
        let met = self.met.entry(FolderId::of(folder)?).or_default();
        if let Some((_, number)) = met.iter().find(|(known, _)| is_one(known, folder)) {
            return Ok((*number, false));
        }
        let number = self.count;
        met.push((folder.to_owned(), number));
        self.count += 1;
        Ok((number, true))
    }
}

/// Whether folders of one identity are one. Some file systems of networks give one to several.
fn is_one(a: &Path, b: &Path) -> bool {
    match (fs::canonicalize(a), fs::canonicalize(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => true,
    }
}

/// Equal for two paths that lead to one folder, by links too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct FolderId(Id);

/// Device and inode: one look of the system, however deep the folder is. To resolve the path would
/// take a look at each folder on the way.
#[cfg(unix)]
type Id = (u64, u64);
#[cfg(not(unix))]
type Id = std::path::PathBuf;

impl FolderId {
    fn of(folder: &Path) -> io::Result<Self> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt as _;
            fs::metadata(folder).map(|metadata| Self((metadata.dev(), metadata.ino())))
        }
        #[cfg(not(unix))]
        {
            fs::canonicalize(folder).map(Self)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn folders_of_one_identity_are_told_apart_by_their_paths() {
        let root = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| root.path().join(name));
        fs::create_dir(&a).unwrap();
        fs::create_dir(&b).unwrap();
        let mut folders = Folders::default();
        assert_eq!(folders.meet(&a).unwrap(), (0, true));
        assert_eq!(folders.meet(&a.join("../a")).unwrap(), (0, false));
        // As where a file system gives both one number.
        let met = folders.met.remove(&FolderId::of(&a).unwrap()).unwrap();
        folders.met.insert(FolderId::of(&b).unwrap(), met);
        assert_eq!(folders.meet(&b).unwrap(), (1, true));
        assert_eq!(folders.meet(&b).unwrap(), (1, false));
        assert!(folders.meet(&root.path().join("c")).is_err());
    }
}
