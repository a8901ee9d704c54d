//! What can be wrong with a folder of images.

use std::path::PathBuf;

use vision_base::message::shown;

use crate::image::formats::IMAGE_EXTENSIONS;

/// What can be wrong with a folder of images.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// The path is no folder.
    #[error("{} is not a folder ({found})", shown(path))]
    NotAFolder {
        /// The path, as given.
        path: PathBuf,
        /// What is there instead.
        found: &'static str,
    },
    /// A part of the set has no folder.
    #[error(
        "{} has no folder {name:?} for the {part} images: {}; found {found}",
        shown(folder),
        match *part {
            "test" => "expected one with images in it, at any depth".to_owned(),
            _ => format!(
                "expected {name}/CLASS/IMAGE, as in {name}/cat/1.jpg (or pass `.valid_pct(0.2)` to split \
                 the images at random)"
            ),
        }
    )]
    MissingFolder {
        /// The root of the set.
        folder: PathBuf,
        /// The folder that is missing.
        name: String,
        /// Training, validation or test.
        part: &'static str,
        /// What the root holds, and how to name what may be it: `.valid("val")`.
        found: String,
    },
    /// A folder has no image in it, at any depth.
    #[error(
        "{} holds no {part} image: expected CLASS/IMAGE in it, as in cat/1.jpg (extensions: {}; \
         hidden files do not count); found {found}",
        shown(folder),
        IMAGE_EXTENSIONS.join(", ")
    )]
    NoImages {
        /// The folder.
        folder: PathBuf,
        /// Training, validation, test, or nothing.
        part: &'static str,
        /// What it holds.
        found: String,
    },
    /// Files that are named in a list are not there.
    #[error(
        "{count} file(s) are not there, the first is {} ({named_by}): check the root, the folder \
         and the suffix",
        shown(first)
    )]
    MissingFiles {
        /// How many.
        count: usize,
        /// The first of them.
        first: PathBuf,
        /// The line, row or item that names it.
        named_by: String,
    },
}
