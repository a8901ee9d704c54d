//! Checks that parts share no image, which would make validation measure training images.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};

use vision_base::OptionError;
use vision_base::message::shown;

use crate::error::{Error, Result, io_error};
use crate::files::error::FilesError;
use crate::files::folder_id::Folders;
use crate::files::index::describe_folder;
use crate::split::error::SplitError;

/// Rejects images that are in both parts; the part names are for messages. A folder reached by
/// several paths through symlinks counts as one; a symlink to a single file counts as its own file.
pub(crate) fn check_apart<'a, P: AsRef<Path> + ?Sized + 'a>(
    (first, ours): (&'static str, impl IntoIterator<Item = &'a P>),
    (second, theirs): (&'static str, impl IntoIterator<Item = &'a P>),
) -> Result<()> {
    let mut places = Places::default();
    let theirs = theirs.into_iter().map(|path| places.of(path.as_ref()));
    let theirs: HashSet<Place> = theirs.collect();
    let ours = ours.into_iter().map(AsRef::as_ref);
    let mut shared = ours.filter(|path| theirs.contains(&places.of(path)));
    match shared.next() {
        None => Ok(()),
        Some(path) => Err(Error::Split(SplitError::OnBothSides {
            parts: [first, second],
            first: path.into(),
            count: 1 + shared.count(),
        })),
    }
}

/// The number of a folder, and the name of a file in it.
type Place<'a> = (usize, &'a OsStr);

/// Numbers folders; all paths to one folder get the same number.
#[derive(Default)]
struct Places<'a> {
    by_path: HashMap<&'a OsStr, usize>,
    folders: Folders,
    /// The last folder: consecutive files are mostly in the same one.
    last: Option<(&'a OsStr, usize)>,
}

impl<'a> Places<'a> {
    fn of(&mut self, file: &'a Path) -> Place<'a> {
        let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else {
            return (usize::MAX, file.as_os_str());
        };
        let path = folder.as_os_str();
        let number = match self.last {
            Some((last, number)) if last == path => number,
            _ => self.number(folder),
        };
        self.last = Some((path, number));
        (number, name)
    }

    fn number(&mut self, folder: &'a Path) -> usize {
        let unknown = usize::MAX - 1 - self.by_path.len();
        let folders = &mut self.folders;
        // A folder that does not exist is identified by its path alone.
        let new = || folders.meet(folder).map_or(unknown, |(number, _)| number);
        *self.by_path.entry(folder.as_os_str()).or_insert_with(new)
    }
}

/// The folder of a part under the root.
pub(crate) fn part_folder(root: &Path, name: &str, part: &'static str) -> Result<PathBuf> {
    let inside = |path: &Path| {
        let mut components = path.components().peekable();
        components.peek().is_some() && components.all(|c| matches!(c, Component::Normal(_)))
    };
    // ".", ".." and symlinks can name one folder twice.
    if !(inside(Path::new(name)) || Path::new(name).is_absolute()) {
        return Err(Error::Option(OptionError::new(
            "folder of a part",
            "a folder under the root, such as \"train\", or an absolute path (to split the images of the root \
                       itself use `valid_pct`)",
            format!("{name:?} for the {part} images"),
        )));
    }
    let folder = root.join(name);
    if folder.is_dir() {
        return Ok(folder);
    }
    let (option, others): (_, &[&str]) = match part {
        "training" => ("train", &["train", "training"]),
        "validation" => ("valid", &["valid", "val", "validation", "dev", "test"]),
        _ => ("test", &["test", "testing"]),
    };
    let mut found = describe_folder(root);
    if let Some(other) = others.iter().find(|other| root.join(other).is_dir()) {
        found.push_str(&format!("; did you mean `.{option}({other:?})`?"));
    }
    Err(Error::Files(FilesError::MissingFolder {
        folder: root.to_owned(),
        name: name.to_owned(),
        part,
        found,
    }))
}

/// Rejects two folders if one is, or contains, the other, also through symlinks.
pub(crate) fn check_folders_apart(train: &Path, valid: &Path) -> Result<()> {
    if !overlap(train, valid)? {
        return Ok(());
    }
    Err(Error::Option(OptionError::new(
        "folders",
        "separate folders for training and for validation",
        format!(
            "{} and {}, of which one is or contains the other",
            shown(train),
            shown(valid)
        ),
    )))
}

/// The other folders that neither are, contain, nor are inside of the folder: they overlap it only
/// through symlinks.
pub(crate) fn apart_from<'a>(
    folder: &Path,
    others: impl Iterator<Item = &'a Path>,
) -> Vec<&'a Path> {
    let apart = |other: &&Path| overlap(folder, other).is_ok_and(|overlap| !overlap);
    others.filter(apart).collect()
}

/// Whether the folders are the same, or one contains the other.
fn overlap(a: &Path, b: &Path) -> Result<bool> {
    let real = |folder| fs::canonicalize(folder).map_err(io_error("read the folder", folder));
    let (a, b) = (real(a)?, real(b)?);
    Ok(a.starts_with(&b) || b.starts_with(&a))
}
