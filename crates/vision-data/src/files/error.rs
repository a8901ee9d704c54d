//! Errors of a folder of images.

use std::path::PathBuf;

use vision_base::message::{named, quoted, shown};

use crate::image::formats::IMAGE_EXTENSIONS;

/// An error of a folder of images.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// The path is not a folder.
    #[error("{} is not a folder ({found})", shown(path))]
    NotAFolder {
        /// The path, as given.
        path: PathBuf,
        /// What the path leads to.
        found: &'static str,
    },
    /// A part of the set has no folder.
    #[error(
        "{} has no folder {} for the {part} images: {}; found {found}",
        shown(folder),
        quoted(name),
        match *part {
            "test" => "expected one with images in it, at any depth".to_owned(),
            _ => format!(
                "expected {0}/CLASS/IMAGE, as in {0}/cat/1.jpg (or pass `.valid_pct(0.2)` to split \
                 the images at random)",
                named(name)
            ),
        }
    )]
    MissingFolder {
        /// The root of the data set.
        folder: PathBuf,
        /// The folder that is missing.
        name: String,
        /// The part: training, validation or test.
        part: &'static str,
        /// What the root holds, and how to name the folder that was probably meant: `.valid("val")`.
        found: String,
    },
    /// A folder contains no image at any depth.
    #[error(
        "{} holds no {part} image: expected CLASS/IMAGE in it, as in cat/1.jpg (extensions: {}; \
         hidden files are skipped); found {found}",
        shown(folder),
        IMAGE_EXTENSIONS.join(", ")
    )]
    NoImages {
        /// The folder.
        folder: PathBuf,
        /// The part: training, validation, test, or empty.
        part: &'static str,
        /// What the folder holds.
        found: String,
    },
    /// Files named in a list do not exist.
    #[error(
        "{count} file(s) do not exist, the first is {} ({named_by}): check the root, the folder \
         and the suffix",
        shown(first)
    )]
    MissingFiles {
        /// The number of missing files.
        count: usize,
        /// The first missing file.
        first: PathBuf,
        /// The line, row or item that names the first one.
        named_by: String,
    },
}
