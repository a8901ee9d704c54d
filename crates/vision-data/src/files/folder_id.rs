//! Identifies folders, independently of the path.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The folders seen so far, numbered from 0. A folder reached by several paths (symlinks) has one number.
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

/// Whether folders with the same identity are the same; some network file systems reuse identities.
fn is_one(a: &Path, b: &Path) -> bool {
    match (fs::canonicalize(a), fs::canonicalize(b)) {
        (Ok(a), Ok(b)) => a == b,
        _ => true,
    }
}

/// Equal for two paths that lead to the same folder, also through symlinks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct FolderId(Id);

/// Device and inode: one system call, however deep the folder is. Resolving the path would take one
/// for each parent.
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
        // Simulates a file system that gives both folders the same number.
        let met = folders.met.remove(&FolderId::of(&a).unwrap()).unwrap();
        folders.met.insert(FolderId::of(&b).unwrap(), met);
        assert_eq!(folders.meet(&b).unwrap(), (1, true));
        assert_eq!(folders.meet(&b).unwrap(), (1, false));
        assert!(folders.meet(&root.path().join("c")).is_err());
    }
}
