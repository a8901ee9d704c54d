//! Parts of a set that share no image: else validation would measure what was trained on.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::error::{Error, Result, io_error};
use crate::items::describe_folder;
use crate::shown::shown;

/// Refuses paths that are in both parts, which have names for messages.
pub(crate) fn check_apart<'a, P: AsRef<OsStr> + ?Sized + 'a>(
    (first, ours): (&'static str, impl IntoIterator<Item = &'a P>),
    (second, theirs): (&'static str, impl IntoIterator<Item = &'a P>),
) -> Result<()> {
    let theirs: HashSet<&OsStr> = theirs.into_iter().map(AsRef::as_ref).collect();
    let ours = ours.into_iter().map(AsRef::as_ref);
    let mut shared = ours.filter(|path| theirs.contains(path));
    match shared.next() {
        None => Ok(()),
        Some(path) => Err(Error::OnBothSides {
            parts: [first, second],
            first: path.into(),
            count: 1 + shared.count(),
        }),
    }
}

/// The folder of a part under the root.
pub(crate) fn part_folder(root: &Path, name: &str, part: &'static str) -> Result<PathBuf> {
    let inside = |path: &Path| {
        let mut components = path.components().peekable();
        components.peek().is_some() && components.all(|c| matches!(c, Component::Normal(_)))
    };
    // "." and "..", and links, are ways to name one folder twice.
    if !(inside(Path::new(name)) || Path::new(name).is_absolute()) {
        return Err(Error::BadOption {
            option: "folder of a part",
            expected: "one under the root, such as \"train\", or an absolute path (to split the \
                       images of the root itself use `valid_pct`)",
            found: format!("{name:?} for the {part} images"),
        });
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
        found.push_str(&format!(", of which `.{option}({other:?})` may be meant"));
    }
    Err(Error::MissingFolder {
        folder: root.to_owned(),
        name: name.to_owned(),
        part,
        found,
    })
}

/// Refuses two folders of which one is, or is in, the other, by a link too.
pub(crate) fn check_folders_apart(train: &Path, valid: &Path) -> Result<()> {
    let real = |folder| fs::canonicalize(folder).map_err(io_error("read the folder", folder));
    let (real_train, real_valid) = (real(train)?, real(valid)?);
    if real_train.starts_with(&real_valid) || real_valid.starts_with(&real_train) {
        return Err(Error::BadOption {
            option: "folders",
            expected: "one of its own for training and for validation",
            found: format!(
                "{}, and {} which is the same, or in it or around it",
                shown(train),
                shown(valid)
            ),
        });
    }
    Ok(())
}
