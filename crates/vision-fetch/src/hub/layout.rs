//! Where a repository is in the cache of the hub's tools.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use vision_base::atomic;
use vision_base::paths::parent_of;

use crate::checksum::Etag;
use crate::error::{Result, io_error};
use crate::hub::name;

/// The folder of one repository.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    cache: PathBuf,
    folder: PathBuf,
    name: String,
}

impl Layout {
    /// `repository` is a checked name.
    pub(crate) fn new(cache: &Path, repository: &str) -> Self {
        let name = format!("models--{}", repository.replace('/', "--"));
        Self {
            cache: cache.to_owned(),
            folder: cache.join(&name),
            name,
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn blob(&self, etag: &Etag) -> PathBuf {
        self.folder.join("blobs").join(etag.digits())
    }

    /// The lock of the hub's tools for this content.
    pub(crate) fn lock(&self, etag: &Etag) -> PathBuf {
        let name = format!("{}.lock", etag.digits());
        self.cache.join(".locks").join(&self.name).join(name)
    }

    /// A file of a commit.
    pub(crate) fn pointer(&self, commit: &str, file: &str) -> PathBuf {
        let snapshot = self.folder.join("snapshots").join(commit);
        file.split('/').fold(snapshot, |path, part| path.join(part))
    }

    fn reference(&self, revision: &str) -> PathBuf {
        revision
            .split('/')
            .fold(self.folder.join("refs"), |path, part| path.join(part))
    }

    /// The commit that a revision was when it was last downloaded.
    pub(crate) fn commit(&self, revision: &str) -> Option<String> {
        if name::is_commit(revision) {
            return Some(revision.to_owned());
        }
        let mut text = String::new();
        let file = fs::File::open(self.reference(revision)).ok()?;
        file.take(100).read_to_string(&mut text).ok()?;
        let commit = text.trim();
        name::is_commit(commit).then(|| commit.to_owned())
    }

    /// Notes the commit of a revision.
    pub(crate) fn remember(&self, revision: &str, commit: &str) -> Result<()> {
        if revision == commit || self.commit(revision).as_deref() == Some(commit) {
            return Ok(());
        }
        let file = self.reference(revision);
        let folder = parent_of(&file);
        fs::create_dir_all(folder).map_err(io_error("create the folder", folder))?;
        Ok(atomic::write(&file, commit.as_bytes())?)
    }

    /// What a file of a snapshot must be, by the name of the content that it links to. None if it is a copy.
    pub(crate) fn etag_of(pointer: &Path) -> Option<Etag> {
        let target = fs::read_link(pointer).ok()?;
        Etag::parse(target.file_name()?.to_str()?)
    }

    /// Makes a file of a commit out of content: a relative link, or, where links are impossible or unwanted, the content
    /// itself, moved if it is `new` and may be nobody else's.
    pub(crate) fn point(
        blob: &Path,
        pointer: &Path,
        depth: usize,
        new: bool,
        links: bool,
    ) -> Result<()> {
        let folder = parent_of(pointer);
        fs::create_dir_all(folder).map_err(io_error("create the folder", folder))?;
        let temporary = tempfile::Builder::new()
            .prefix(".vision-")
            .tempdir_in(folder)
            .map_err(io_error("create a folder in", folder))?;
        let made = temporary.path().join("file");
        // A link is relative to the folder that it will be in: blobs is beside snapshots/COMMIT.
        let mut target: PathBuf = std::iter::repeat_n("..", depth + 2).collect();
        target.push("blobs");
        target.push(blob.file_name().unwrap_or_default());
        if !links || link(&target, &made).is_err() {
            if new {
                fs::rename(blob, &made).map_err(io_error("move", blob))?;
            } else {
                fs::copy(blob, &made).map_err(io_error("copy", blob))?;
            }
        }
        fs::rename(&made, pointer).map_err(io_error("create", pointer))
    }
}

#[cfg(unix)]
fn link(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

/// Needs a right that most users of Windows do not have.
#[cfg(windows)]
fn link(target: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}

#[cfg(not(any(unix, windows)))]
fn link(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
