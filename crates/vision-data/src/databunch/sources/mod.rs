//! What the factories of [`ImageDataBunch`](crate::ImageDataBunch) read: each is a short call of
//! the [data block](crate::data_block).

pub(crate) mod classes;
pub(crate) mod files;
pub(crate) mod folder;
pub(crate) mod saved;
pub(crate) mod table;

use std::path::{Path, PathBuf};

use crate::data_block::LabelLists;
use crate::databunch::builder::ImageDataBunchBuilder;
pub use crate::databunch::sources::classes::FromClasses;
pub use crate::databunch::sources::files::FromFiles;
pub use crate::databunch::sources::folder::FromFolder;
pub use crate::databunch::sources::saved::FromSaved;
pub use crate::databunch::sources::table::{FromCsv, FromDf, OfTable, TableColumns};
use crate::error::Result;
use crate::files::index::IndexConfig;
use crate::labels::{LabelOptions, UnknownLabels};
use crate::split::{Split, check_valid_pct};

/// The share of validation where fastai has it as default.
const VALID_PCT: f64 = 0.2;

/// Where a builder has its labelled files from.
pub trait Source: Sized {
    /// Checks the options before anything is read.
    #[doc(hidden)]
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Reads what there is, folders as `indexing` says; random splits go by `seed`.
    #[doc(hidden)]
    fn read(self, test: &TestFolder, seed: u64, indexing: &IndexConfig) -> Result<LabelLists>;

    /// The test folder that is used if nobody names one.
    #[doc(hidden)]
    fn optional_test(&self) -> Option<PathBuf> {
        None
    }

    /// The root folder.
    #[doc(hidden)]
    fn root(&self) -> &Path;
}

/// A source whose files are yet to be split and labelled.
pub trait Unlabelled: Source {
    /// Its options.
    #[doc(hidden)]
    fn reading(&mut self) -> &mut Reading;
}

/// Where to look for the test images.
#[derive(Clone, Debug)]
pub enum TestFolder {
    /// Where the source says: in `test`, if there is such a folder, when a folder is read.
    Default,
    /// There, and nowhere else.
    Named(String),
    /// Nowhere: a folder called `test` is one like the others.
    None,
}

/// How files are split and labelled.
#[derive(Clone, Debug)]
pub struct Reading {
    root: PathBuf,
    valid_pct: Option<f64>,
    split: Option<Split>,
    options: LabelOptions,
}

impl Reading {
    fn new(root: PathBuf, valid_pct: Option<f64>) -> Self {
        Self {
            root,
            valid_pct,
            split: None,
            options: LabelOptions::default(),
        }
    }

    fn check(&self) -> Result<()> {
        self.valid_pct.map_or(Ok(()), check_valid_pct)?;
        self.split.as_ref().map_or(Ok(()), Split::check)?;
        self.options.check()
    }

    /// The split that was asked for, if any was.
    fn split(&self, seed: u64) -> Option<Split> {
        let random = |valid_pct| Split::Random { valid_pct, seed };
        self.split.clone().or(self.valid_pct.map(random))
    }
}

impl Source for LabelLists {
    fn read(self, _: &TestFolder, _: u64, _: &IndexConfig) -> Result<LabelLists> {
        Ok(self)
    }

    fn root(&self) -> &Path {
        &self.path
    }
}

macro_rules! unlabelled {
    ($($source:ty),*) => { $(
        impl Unlabelled for $source {
            fn reading(&mut self) -> &mut Reading {
                &mut self.reading
            }
        }
    )* };
}

unlabelled!(FromFolder, FromCsv, FromDf, FromFiles);

impl<S: Unlabelled> ImageDataBunchBuilder<S> {
    /// Splits at random: this fraction of the images (rounded down) is for validation, 0 for none.
    ///
    /// From a folder these are all images of the root but those of the test folder.
    pub fn valid_pct(mut self, fraction: f64) -> Self {
        self.source.reading().valid_pct = Some(fraction);
        self
    }

    /// Splits in another way than by a random fraction, such as [`Split::Stratified`].
    pub fn split(mut self, split: Split) -> Self {
        self.source.reading().split = Some(split);
        self
    }

    /// The classes and their order.
    ///
    /// From a folder this is a choice: images of other classes are left out. Elsewhere another
    /// label is an error, unless [`drop_unknown`](Self::drop_unknown) is asked for.
    pub fn classes<C: Into<String>>(mut self, classes: impl IntoIterator<Item = C>) -> Self {
        let options = &mut self.source.reading().options;
        *options = options.clone().with_classes(classes);
        self
    }

    /// Leaves items out whose label is not among the classes, and keeps a record:
    /// [`ImageDataBunch::dropped`](crate::ImageDataBunch::dropped).
    pub fn drop_unknown(mut self) -> Self {
        self.source.reading().options.unknown = UnknownLabels::Drop;
        self
    }

    /// How the labels are read; what it leaves open stays as it was.
    pub fn label_with(mut self, options: LabelOptions) -> Self {
        let before = &mut self.source.reading().options;
        *before = before.clone().merged(options);
        self
    }

    /// Each label is a list of classes with this between them.
    pub fn label_delim(mut self, delimiter: impl Into<String>) -> Self {
        let options = &mut self.source.reading().options;
        *options = options.clone().with_delimiter(delimiter);
        self
    }
}
