//! What a folder is, by whatever path it is reached.

use std::fs;
use std::io;
use std::path::Path;

/// Equal for two paths that lead to one folder, by links too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FolderId(Id);

/// Device and inode: one look of the system, however deep the folder is. To resolve the path would
/// take a look at each folder on the way.
#[cfg(unix)]
type Id = (u64, u64);
#[cfg(not(unix))]
type Id = std::path::PathBuf;

impl FolderId {
    pub(crate) fn of(folder: &Path) -> io::Result<Self> {
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
