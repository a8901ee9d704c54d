//! Finding image files.

pub(crate) mod disjoint;
pub(crate) mod error;
pub(crate) mod folder_id;
pub(crate) mod index;
pub(crate) mod text;

pub use crate::files::index::{
    Index, IndexConfig, SkippedFolder, UnreadableFolders, image_files, index, is_image_file,
};
pub use crate::image::formats::{IMAGE_EXTENSIONS, UNREAD_EXTENSIONS};
