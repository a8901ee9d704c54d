//! Finding image files.

pub(crate) mod disjoint;
pub(crate) mod error;
pub(crate) mod folder_id;
pub(crate) mod index;
pub(crate) mod text;

pub use crate::files::index::{
    IMAGE_EXTENSIONS, Index, IndexConfig, SkippedFolder, UNREAD_EXTENSIONS, UnreadableFolders,
    image_files, index, is_image_file,
};
