//! Findings: problems of a dataset, their severity, and advice.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use crate::image::problem::ImageProblem;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Training stops, or its result cannot be trusted.
    Error,
    /// Probably a mistake.
    Warning,
    /// Good to know.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// The kind of a finding, the most severe first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingKind {
    /// A folder that cannot be read.
    UnreadableFolder,
    /// A file that cannot be read.
    Unreadable,
    /// Images of different sizes in data without a size, or whose resize method does not make them
    /// equal.
    SizesDiffer,
    /// A symlink that leads to no file.
    DanglingLink,
    /// A file without bytes, or an image without pixels.
    Empty,
    /// A truncated file.
    Truncated,
    /// A file whose content violates its format.
    Damaged,
    /// A file that is not an image, or of an unknown format.
    NotAnImage,
    /// An unsupported variant of its format.
    Unsupported,
    /// An image beyond the limits of the decoder.
    TooLarge,
    /// The same file in training and in validation or test.
    DuplicateAcrossSplits,
    /// The same file under two labels.
    DuplicateUnderTwoLabels,
    /// A look-alike in training and in validation or test.
    NearDuplicateAcrossSplits,
    /// A look-alike under two labels.
    NearDuplicateUnderTwoLabels,
    /// The same file twice in one part, with the same label.
    Duplicate,
    /// An image in an unsupported format, which is not an item.
    UnreadFormat,
    /// Names of classes that print alike: they differ by Unicode normal form, invisible characters, or
    /// letters of other alphabets.
    NamesPrintAlike,
    /// Names of classes that differ by blanks or case only.
    NamesDifferByBlanks,
    /// A folder without images beside folders of classes.
    EmptyClassFolder,
    /// A class with fewer items than folds, or with a single item.
    FewItems,
    /// A class without training or without validation items.
    MissingInSplit,
    /// Classes of very different sizes.
    Imbalance,
    /// CMYK: four ink channels.
    Cmyk,
    /// Transparent pixels, without a background.
    Transparent,
    /// Sixteen bits per channel.
    SixteenBit,
    /// More than one frame.
    Animated,
    /// So many pixels that decoding is slow.
    Huge,
    /// Images much smaller than the size of the data.
    Enlarged,
    /// A look-alike in the same part, with the same label.
    NearDuplicate,
    /// An image of one color.
    Blank,
    /// The content has a different format than the extension.
    WrongExtension,
    /// Rotated or mirrored by its EXIF data.
    Rotated,
}

impl FindingKind {
    /// The severity of this kind.
    pub fn severity(self) -> Severity {
        match self {
            Self::UnreadableFolder
            | Self::Unreadable
            | Self::SizesDiffer
            | Self::DanglingLink
            | Self::Empty
            | Self::Truncated
            | Self::Damaged
            | Self::NotAnImage
            | Self::Unsupported
            | Self::TooLarge
            | Self::DuplicateAcrossSplits
            | Self::DuplicateUnderTwoLabels => Severity::Error,
            Self::NearDuplicateAcrossSplits
            | Self::NearDuplicateUnderTwoLabels
            | Self::Duplicate
            | Self::UnreadFormat
            | Self::NamesPrintAlike
            | Self::NamesDifferByBlanks
            | Self::EmptyClassFolder
            | Self::FewItems
            | Self::MissingInSplit
            | Self::Imbalance
            | Self::Cmyk
            | Self::Transparent
            | Self::SixteenBit
            | Self::Animated
            | Self::Huge => Severity::Warning,
            Self::Enlarged
            | Self::NearDuplicate
            | Self::Blank
            | Self::WrongExtension
            | Self::Rotated => Severity::Note,
        }
    }

    /// A short title.
    pub fn title(self) -> &'static str {
        match self {
            Self::UnreadableFolder => "unreadable folder",
            Self::Unreadable => "unreadable file",
            Self::SizesDiffer => "sizes differ",
            Self::DanglingLink => "dangling link",
            Self::Empty => "empty file",
            Self::Truncated => "truncated",
            Self::Damaged => "damaged",
            Self::NotAnImage => "no image",
            Self::Unsupported => "unsupported variant",
            Self::TooLarge => "beyond the limits",
            Self::DuplicateAcrossSplits => "duplicate across splits",
            Self::DuplicateUnderTwoLabels => "duplicate under two labels",
            Self::NearDuplicateAcrossSplits => "look-alike across splits",
            Self::NearDuplicateUnderTwoLabels => "look-alike under two labels",
            Self::Duplicate => "duplicate",
            Self::UnreadFormat => "format not read",
            Self::NamesPrintAlike => "classes print alike",
            Self::NamesDifferByBlanks => "classes differ by blanks",
            Self::EmptyClassFolder => "empty class folder",
            Self::FewItems => "few items",
            Self::MissingInSplit => "class missing in a split",
            Self::Imbalance => "class imbalance",
            Self::Cmyk => "CMYK",
            Self::Transparent => "transparent",
            Self::SixteenBit => "16 bits per channel",
            Self::Animated => "animated",
            Self::Huge => "huge",
            Self::Enlarged => "enlarged",
            Self::NearDuplicate => "look-alike",
            Self::Blank => "blank",
            Self::WrongExtension => "wrong extension",
            Self::Rotated => "rotated by EXIF",
        }
    }

    /// What to do about it.
    pub fn advice(self) -> &'static str {
        match self {
            Self::UnreadableFolder => {
                "Give this user permission to read the folder; its files are missing from the data."
            }
            Self::Unreadable => "Give this user permission to read the file, or copy it again.",
            Self::DanglingLink => "Restore the file it points to, or remove the link.",
            Self::Empty | Self::Truncated => "Download the file again, or remove it.",
            Self::Damaged => {
                "Download the file again, save it again with an image editor, or remove it."
            }
            Self::NotAnImage => {
                "Often the error page of a failed download: download it again, or remove it."
            }
            Self::Unsupported => "Convert it to JPEG or PNG with 8 bits per channel.",
            Self::TooLarge => "Scale it down (verify_images with max_size), or raise the limits.",
            Self::DuplicateAcrossSplits => {
                "The model would be validated on images it was trained on: remove the copies from training."
            }
            Self::DuplicateUnderTwoLabels => "One label at most is right: keep that one.",
            Self::NearDuplicateAcrossSplits => {
                "Look at them: if they show the same thing, keep them on one side (a grouped split)."
            }
            Self::NearDuplicateUnderTwoLabels => {
                "Look at them: if they show the same thing, one label is wrong."
            }
            Self::Duplicate => "It counts twice: keep one.",
            Self::SizesDiffer => {
                "They do not fit in one batch: give the data a size, such as `.size(224)`, and a resize method \
                 other than `No`."
            }
            Self::UnreadFormat => "Convert it to JPEG or PNG, or remove it.",
            Self::NamesPrintAlike => {
                "These are two classes: rename them so that they are one, or so that they can be told apart."
            }
            Self::NamesDifferByBlanks => {
                "These are two classes: if they mean the same, rename them so that they are one."
            }
            Self::EmptyClassFolder => "Its class does not exist: add images, or remove the folder.",
            Self::FewItems => "Add items, merge the class with another, or use fewer folds.",
            Self::MissingInSplit => "Use a stratified split, or move items by hand.",
            Self::Imbalance => {
                "Weight the classes or sample them evenly; look at the scores of each class."
            }
            Self::Cmyk => "Convert it to RGB with its color profile; colors are off without one.",
            Self::Transparent => {
                "Set the color behind it: .reading(ReadConfig::new().with_background([255; 3])) for white."
            }
            Self::SixteenBit => {
                "The lower 8 bits are dropped: if its contrast is in them, convert it first."
            }
            Self::Animated => "Only the first frame is used: extract the one you want.",
            Self::Huge => {
                "Scale it down once (verify_images with max_size) to make loading faster."
            }
            Self::Enlarged => {
                "A smaller size trains faster on the same pixels; or use the original images."
            }
            Self::NearDuplicate => "Look at them: keep one if they show the same thing.",
            Self::Blank => "Check whether this is intended.",
            Self::WrongExtension => {
                "vision detects the format from the content; rename it for other programs."
            }
            Self::Rotated => {
                "vision turns it upright; check boxes or masks that were made without turning."
            }
        }
    }

    pub(super) fn of(problem: &ImageProblem) -> Self {
        match problem {
            ImageProblem::Unreadable(_) | ImageProblem::Unavailable(_) => Self::Unreadable,
            ImageProblem::Empty => Self::Empty,
            ImageProblem::Truncated(_) => Self::Truncated,
            ImageProblem::UnknownFormat { .. } => Self::NotAnImage,
            ImageProblem::Unsupported(_) => Self::Unsupported,
            ImageProblem::TooManyPixels { .. } | ImageProblem::TooManyBytes { .. } => {
                Self::TooLarge
            }
            ImageProblem::Damaged(_) | ImageProblem::DecoderPanic(_) => Self::Damaged,
        }
    }
}

/// A part of a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// Training.
    Train,
    /// Validation.
    Valid,
    /// Test.
    Test,
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Train => "train",
            Self::Valid => "valid",
            Self::Test => "test",
        })
    }
}

/// A file that a finding is about.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FoundFile {
    /// The file. In JSON, bytes that are not UTF-8 are replaced, and `path_bytes` has the full
    /// path, with such bytes as `\xNN`.
    #[serde(flatten, serialize_with = "recoverable")]
    pub path: PathBuf,
    /// Its part of the dataset, if known.
    pub split: Option<Split>,
    /// Its label in words, if it has one.
    pub label: Option<String>,
    /// The similarity to the first image of its group: the correlation of small gray images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub likeness: Option<f32>,
    /// Whether it is on the quarantine list.
    pub quarantine: bool,
}

impl FoundFile {
    /// A file or folder that is not among the items.
    pub(super) fn of_path(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            split: None,
            label: None,
            likeness: None,
            quarantine: false,
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The severity.
    pub severity: Severity,
    /// The kind.
    pub kind: FindingKind,
    /// The details.
    pub message: String,
    /// What to do about it.
    pub advice: &'static str,
    /// The files concerned. For duplicates, all files of the group.
    pub files: Vec<FoundFile>,
}

/// Serializes a path as `path`, and if it is not UTF-8, its bytes as `path_bytes` too.
pub(crate) fn recoverable<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    let mut entries = to.serialize_map(None)?;
    entries.serialize_entry("path", &path.to_string_lossy())?;
    if path.to_str().is_none() {
        let bytes = path.as_os_str().as_encoded_bytes().escape_ascii();
        entries.serialize_entry("path_bytes", &bytes.to_string())?;
    }
    entries.end()
}

pub(crate) fn lossy<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&path.to_string_lossy())
}
