//! Finds image files in folders.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use vision_base::IoError;
use vision_base::message::shown;
use vision_base::progress::{Progress, Tracker};

use crate::error::{Error, Result, io_error};
use crate::files::error::FilesError;
use crate::files::folder_id::Folders;
use crate::image::formats::{IMAGE_EXTENSIONS, UNREAD_EXTENSIONS};

/// What to do about a folder that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnreadableFolders {
    /// Fail with an error that names the folder.
    #[default]
    Fail,
    /// Skip the folder; [`Index::skipped`] lists it.
    Skip,
}

/// The options of [`index`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct IndexConfig {
    unreadable: UnreadableFolders,
    progress: Progress,
}

impl IndexConfig {
    /// Fails on an unreadable folder; reports no progress.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what to do about a folder that cannot be read.
    pub fn with_unreadable(mut self, unreadable: UnreadableFolders) -> Self {
        self.unreadable = unreadable;
        self
    }

    /// Sets the progress reporter for the number of files found and the remaining time. Default: silent.
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }
}

/// The image files of a folder.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Index {
    /// The files, sorted by path.
    pub files: Vec<PathBuf>,
    /// The folders that could not be read, in order.
    pub skipped: Vec<SkippedFolder>,
    /// Images in unsupported formats ([`UNREAD_EXTENSIONS`]), sorted by path.
    pub unread: Vec<PathBuf>,
}

/// What indexing left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Skipped {
    /// The unreadable folders.
    pub(crate) folders: Vec<SkippedFolder>,
    /// Images in unsupported formats.
    pub(crate) unread: Vec<PathBuf>,
    /// Folders without images and folders, each with whether it has other files.
    pub(crate) bare: Vec<(PathBuf, bool)>,
}

impl Skipped {
    pub(crate) fn extend(&mut self, more: Self) {
        self.folders.extend(more.folders);
        self.unread.extend(more.unread);
        self.bare.extend(more.bare);
    }
}

/// A folder that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SkippedFolder {
    /// The folder.
    pub path: PathBuf,
    /// The error message of the system.
    pub reason: String,
}

/// All image files in a folder and its subfolders, sorted by path.
///
/// Hidden files and folders (names that begin with a dot) are skipped. Symlinks to folders are
/// followed, and each folder is read once, so that a loop of symlinks ends. A broken symlink counts
/// as a file; opening it fails later.
///
/// # Errors
///
/// [`FilesError::NotAFolder`](crate::FilesError::NotAFolder) if it is not a folder, [`Error::Io`] with
/// the unreadable folder.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let folder = folder.path();
/// std::fs::write(folder.join("b.PNG"), "")?;
/// std::fs::write(folder.join("a.jpg"), "")?;
/// std::fs::write(folder.join("labels.csv"), "")?;
///
/// let files = vision_data::files::image_files(folder)?;
/// assert_eq!(files, [folder.join("a.jpg"), folder.join("b.PNG")]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("get_image_files", "get_files"))]
pub fn image_files(folder: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    index(folder, &IndexConfig::default()).map(|index| index.files)
}

/// Like [`image_files`], with a choice of what to do about unreadable folders, and with progress.
///
/// # Errors
///
/// Those of [`image_files`]; with [`UnreadableFolders::Skip`] only for `folder` itself.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// use vision_data::files::{IndexConfig, UnreadableFolders, index};
///
/// let config = IndexConfig::new().with_unreadable(UnreadableFolders::Skip);
/// let found = index(folder.path(), &config)?;
/// assert!(found.files.is_empty() && found.skipped.is_empty());
/// # Ok::<(), vision_data::Error>(())
/// ```
pub fn index(folder: impl AsRef<Path>, config: &IndexConfig) -> Result<Index> {
    let (files, skipped) = index_outside::<&Path>(folder.as_ref(), &[], config)?;
    Ok(Index {
        files,
        skipped: skipped.folders,
        unread: skipped.unread,
    })
}

/// Whether the extension is that of a supported image format.
pub fn is_image_file(path: &Path) -> bool {
    has_extension(path, &IMAGE_EXTENSIONS)
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let is = |found: &str| {
        extensions
            .iter()
            .any(|known| known.eq_ignore_ascii_case(found))
    };
    extension.is_some_and(is)
}

/// The image files directly in a folder, and the number of its subfolders.
pub(crate) fn index_directly(folder: &Path) -> Result<(Index, usize)> {
    check_folder(folder)?;
    let listing = Listing::read(folder, 1.0, &mut Folders::default())?.unwrap_or_default();
    let mut index = Index::default();
    for entry in listing.entries {
        match entry.kind {
            Kind::Image => index.files.push(joined(folder, &entry.name)),
            Kind::Unread => index.unread.push(joined(folder, &entry.name)),
            Kind::Folder => {}
        }
    }
    Ok((index, listing.folders))
}

/// Like [`index`], but skips the folders `outside`, by whatever path they are reached.
pub(crate) fn index_outside<P: AsRef<Path>>(
    folder: &Path,
    outside: &[P],
    config: &IndexConfig,
) -> Result<(Vec<PathBuf>, Skipped)> {
    check_folder(folder)?;
    let mut files = Vec::new();
    let mut skipped = Skipped::default();
    let mut seen = Folders::default();
    let tracker = Tracker::new(&config.progress);
    let mut finished = 0.0;
    // The stack of folders being read, each with its remaining entries. Entries are sorted by name, so
    // that files come in the order of their paths, and of two symlinks to one folder the same one is
    // always followed.
    let mut open = vec![Listing::read(folder, 1.0, &mut seen)?.unwrap_or_default()];
    let outside = outside.iter().map(AsRef::as_ref);
    for folder in outside {
        // If it cannot be stat'ed it cannot be reached; ignore the error.
        let _ = seen.meet(folder);
    }
    while let Some(listing) = open.last_mut() {
        let Some(entry) = listing.entries.next() else {
            finished += listing.own_share();
            open.pop();
            continue;
        };
        let path = joined(&listing.folder, &entry.name);
        match entry.kind {
            Kind::Image => {
                files.push(path);
                tracker.add(1, |_| finished);
                continue;
            }
            Kind::Unread => {
                skipped.unread.push(path);
                continue;
            }
            Kind::Folder => {}
        }
        let share = listing.share / listing.folders as f64;
        match Listing::read(&path, share, &mut seen) {
            Ok(Some(listing)) => {
                if listing.entries.len() == 0 {
                    skipped.bare.push((path, listing.others));
                }
                open.push(listing);
            }
            Ok(None) => finished += share,
            Err(Error::Io(IoError { path, source, .. }))
                if config.unreadable == UnreadableFolders::Skip =>
            {
                finished += share;
                skipped.folders.push(SkippedFolder {
                    path,
                    reason: source.to_string(),
                });
            }
            Err(error) => return Err(error),
        }
    }
    tracker.finish();
    Ok((files, skipped))
}

/// The remaining work of a folder.
#[derive(Default)]
struct Listing {
    folder: PathBuf,
    entries: std::vec::IntoIter<Entry>,
    /// Its estimated share of all work; the subfolders of a folder are assumed to be equally large.
    share: f64,
    /// The number of its subfolders.
    folders: usize,
    /// Whether it has other files than images.
    others: bool,
}

struct Entry {
    name: OsString,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Folder,
    Image,
    /// An image in an unsupported format.
    Unread,
}

impl Listing {
    /// The image files and folders in a folder, sorted by name; `None` if it was read before.
    fn read(folder: &Path, share: f64, seen: &mut Folders) -> Result<Option<Self>> {
        let met = seen.meet(folder);
        let (_, is_new) = met.map_err(io_error("read the folder", folder))?;
        if !is_new {
            return Ok(None);
        }
        let mut entries = Vec::new();
        let (mut folders, mut others) = (0, false);
        for entry in fs::read_dir(folder).map_err(io_error("read the folder", folder))? {
            let entry = entry.map_err(io_error("read the folder", folder))?;
            let name = entry.file_name();
            if is_hidden(&name) {
                continue;
            }
            let kind = entry
                .file_type()
                .map_err(|source| io_error("look at", &entry.path())(source))?;
            // Only a symlink needs a second system call, for its target.
            let target = kind.is_symlink().then(|| fs::metadata(entry.path()).ok());
            let target = target.flatten();
            let is_folder = kind.is_dir() || target.as_ref().is_some_and(fs::Metadata::is_dir);
            // A broken symlink counts as a file that cannot be opened; one to a pipe or device does not.
            let is_file = kind.is_file()
                || kind.is_symlink() && target.as_ref().is_none_or(fs::Metadata::is_file);
            let path = Path::new(&name);
            let kind = match is_file {
                _ if is_folder => Kind::Folder,
                true if is_image_file(path) => Kind::Image,
                true if has_extension(path, &UNREAD_EXTENSIONS) => Kind::Unread,
                _ => {
                    others |= !is_of_a_file_manager(&name);
                    continue;
                }
            };
            folders += usize::from(is_folder);
            entries.push(Entry { name, kind });
        }
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(Some(Self {
            folder: folder.to_owned(),
            entries: entries.into_iter(),
            share,
            folders,
            others,
        }))
    }

    /// The share of the work that belongs to the folder itself, not to its subfolders.
    fn own_share(&self) -> f64 {
        if self.folders == 0 { self.share } else { 0.0 }
    }
}

/// Whether it is a file that file managers of Windows leave in folders. (Those of others are hidden.)
fn is_of_a_file_manager(name: &OsStr) -> bool {
    ["Thumbs.db", "desktop.ini"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
}

/// `folder/name`, without the spare capacity that `Path::join` may leave: there are millions.
fn joined(folder: &Path, name: &OsStr) -> PathBuf {
    let mut path = PathBuf::with_capacity(folder.as_os_str().len() + 1 + name.len());
    path.push(folder);
    path.push(name);
    path
}

/// The content of a folder, for an error message: "train/, valid/, labels.csv and 3 more".
pub(crate) fn describe_folder(folder: &Path) -> String {
    const MOST: usize = 8;
    let Ok(entries) = fs::read_dir(folder) else {
        return "a folder that cannot be read".to_owned();
    };
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| {
            let slash = if entry.path().is_dir() { "/" } else { "" };
            format!("{}{slash}", shown(entry.file_name()))
        })
        .collect();
    names.sort_unstable();
    match names.len() {
        0 => "an empty folder".to_owned(),
        n if n <= MOST => names.join(", "),
        n => {
            names.truncate(MOST);
            format!("{} and {} more", names.join(", "), n - MOST)
        }
    }
}

/// Resolves a path relative to the root, unless it already begins with the root.
pub(crate) fn under(root: &Path, file: PathBuf) -> PathBuf {
    match file.starts_with(root) {
        true => file,
        false => root.join(file),
    }
}

pub(crate) fn no_images(folder: &Path, part: &'static str) -> Error {
    Error::Files(FilesError::NoImages {
        folder: folder.to_owned(),
        part,
        found: describe_folder(folder),
    })
}

pub(crate) fn check_folder(path: &Path) -> Result<()> {
    let found = match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Ok(_) => "it is a file",
        Err(_) if path.as_os_str().is_empty() => {
            "the path is empty; use \".\" for the current folder"
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "it does not exist",
        Err(source) => return Err(io_error("read the folder", path)(source)),
    };
    Err(Error::Files(FilesError::NotAFolder {
        path: path.to_owned(),
        found,
    }))
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().first() == Some(&b'.')
}
