//! Finding image files in a folder.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result, io_error};

/// The extensions of image files, in lower case; a file's own may be in any case. The list is the
/// same on every machine, where fastai's depends on the system's table of types.
pub const IMAGE_EXTENSIONS: [&str; 10] = [
    "bmp", "gif", "jfif", "jpe", "jpeg", "jpg", "png", "tif", "tiff", "webp",
];

/// All image files in a folder and the folders in it, sorted by path.
///
/// Hidden files and folders (their names begin with a dot) are passed over. Links to folders are
/// followed, and each folder is read once, so that a loop of links ends. A link that leads nowhere
/// counts as a file, which cannot be opened later.
///
/// # Errors
///
/// [`Error::NotAFolder`] if it is none, [`Error::Io`] with the folder that cannot be read.
///
/// ```
/// # let folder = tempfile::tempdir().unwrap();
/// # let folder = folder.path();
/// std::fs::write(folder.join("b.PNG"), "")?;
/// std::fs::write(folder.join("a.jpg"), "")?;
/// std::fs::write(folder.join("labels.csv"), "")?;
///
/// let files = vision_data::items::image_files(folder)?;
/// assert_eq!(files, [folder.join("a.jpg"), folder.join("b.PNG")]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn image_files(folder: impl AsRef<Path>) -> Result<Vec<PathBuf>> {
    image_files_outside(folder.as_ref(), None)
}

/// Whether the extension is that of an image.
pub fn is_image_file(path: &Path) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| {
            IMAGE_EXTENSIONS
                .iter()
                .any(|known| known.eq_ignore_ascii_case(extension))
        })
}

/// As [`image_files`], without what is in `excluded` (compared as a whole path).
pub(crate) fn image_files_outside(folder: &Path, excluded: Option<&Path>) -> Result<Vec<PathBuf>> {
    check_folder(folder)?;
    let mut files = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    let mut seen = HashSet::new();
    while let Some(folder) = waiting.pop() {
        let real = fs::canonicalize(&folder).map_err(io_error("read the folder", &folder))?;
        if !seen.insert(real) {
            continue;
        }
        let mut folders = Vec::new();
        for entry in fs::read_dir(&folder).map_err(io_error("read the folder", &folder))? {
            let entry = entry.map_err(io_error("read the folder", &folder))?;
            if is_hidden(&entry.file_name()) {
                continue;
            }
            let path = entry.path();
            let kind = entry.file_type().map_err(io_error("look at", &path))?;
            // Only a link needs a second look at what it leads to.
            let is_folder = kind.is_dir() || (kind.is_symlink() && path.is_dir());
            let is_file = kind.is_file() || (kind.is_symlink() && !is_special(&path));
            if is_folder {
                if excluded != Some(path.as_path()) {
                    folders.push(path);
                }
            } else if is_file && is_image_file(&path) {
                files.push(path);
            }
        }
        // Sorted, so that of two links to one folder always the same one is followed.
        folders.sort_unstable_by(|a, b| b.cmp(a));
        waiting.append(&mut folders);
    }
    files.sort_unstable();
    Ok(files)
}

/// What a folder holds, for an error message: "train/, valid/, labels.csv and 3 more".
pub(crate) fn describe_folder(folder: &Path) -> String {
    const MOST: usize = 8;
    let Ok(entries) = fs::read_dir(folder) else {
        return "a folder that cannot be read".to_owned();
    };
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| {
            let slash = if entry.path().is_dir() { "/" } else { "" };
            format!("{}{slash}", entry.file_name().to_string_lossy())
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

pub(crate) fn check_folder(path: &Path) -> Result<()> {
    let found = match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Ok(_) => "it is a file",
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "there is nothing there",
        Err(source) => return Err(io_error("read the folder", path)(source)),
    };
    Err(Error::NotAFolder {
        path: path.to_owned(),
        found,
    })
}

fn is_hidden(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().first() == Some(&b'.')
}

/// Whether a link leads to a pipe, a device or a socket.
fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !metadata.is_file())
}
