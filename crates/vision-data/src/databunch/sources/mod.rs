//! The sources that the factories of [`ImageDataBunch`](crate::ImageDataBunch) read. Each one is
//! a shortcut for the steps of the data block.

pub(crate) mod classes;
pub(crate) mod files;
pub(crate) mod folder;
pub(crate) mod saved;
pub(crate) mod source;
pub(crate) mod table;
pub(crate) mod unlabeled;

pub use crate::databunch::sources::classes::FromClasses;
pub use crate::databunch::sources::files::FromFiles;
pub use crate::databunch::sources::folder::FromFolder;
pub use crate::databunch::sources::saved::FromSaved;
pub use crate::databunch::sources::source::{Reading, Source, TestFolder, Unlabeled};
pub use crate::databunch::sources::table::{FromCsv, FromDf, OfTable, TableColumns};
