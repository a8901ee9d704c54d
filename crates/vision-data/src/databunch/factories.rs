//! Constructors of data bunches.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::data_block::label_lists::LabelLists;
use crate::databunch::ImageDataBunch;
use crate::databunch::builder::ImageDataBunchBuilder;
use crate::databunch::sources::classes::FromClasses;
use crate::databunch::sources::files::FromFiles;
use crate::databunch::sources::folder::FromFolder;
use crate::databunch::sources::table::{FromCsv, FromDf};
use crate::labels::Label;
use crate::split::PathFn;
use crate::table::Table;
use crate::transforms::lists::Transforms;

impl ImageDataBunch {
    /// Images in folders named after their classes: `train/CLASS/IMAGE` and `valid/CLASS/IMAGE`, or
    /// `CLASS/IMAGE` with [`valid_pct`](ImageDataBunchBuilder::valid_pct). Folders may be nested:
    /// the class is the name of the innermost folder, `indoors` for `train/cat/indoors/1.jpg`.
    ///
    /// Files are sorted by path, classes by name. Hidden files and files that are not images are
    /// skipped. Like all factories, this reads nothing before
    /// [`build`](ImageDataBunchBuilder::build).
    pub fn from_folder(path: impl Into<PathBuf>) -> ImageDataBunchBuilder {
        ImageDataBunchBuilder::new(FromFolder::new(path.into()))
    }

    /// Images listed in a CSV file with their labels. Defaults: `labels.csv` in the folder, names in the
    /// first column, labels in the second, a fifth of the images for validation.
    ///
    /// ```
    /// # use vision_data::{Image, ImageDataBunch};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path();
    /// # for i in 0..10 {
    /// #     Image::from_rgb8(4, 4, vec![0; 48])?.into_rgb_image().save(path.join(format!("{i}.png"))).unwrap();
    /// # }
    /// std::fs::write(
    ///     path.join("labels.csv"),
    ///     "name,label\n0,cat\n1,dog\n2,cat\n3,dog\n4,cat\n5,dog\n6,cat\n7,dog\n8,cat\n9,dog\n",
    /// ).unwrap();
    /// let data = ImageDataBunch::from_csv(path).suffix(".png").batch_size(4).build()?;
    /// assert_eq!(data.classes(), ["cat", "dog"]);
    /// assert_eq!((data.train_ds().len(), data.valid_ds().len()), (8, 2));
    /// # Ok::<(), vision_data::Error>(())
    /// ```
    pub fn from_csv(path: impl Into<PathBuf>) -> ImageDataBunchBuilder<FromCsv> {
        ImageDataBunchBuilder::new(FromCsv::new(path.into()))
    }

    /// Like [`from_csv`](Self::from_csv), with a table in memory.
    pub fn from_df(
        path: impl Into<PathBuf>,
        table: impl Into<Arc<Table>>,
    ) -> ImageDataBunchBuilder<FromDf> {
        ImageDataBunchBuilder::new(FromDf::new(path.into(), table.into()))
    }

    /// These images with these labels, a fifth of them for validation. A relative path is relative to
    /// the root, unless it already begins with the root.
    ///
    /// The type of the labels decides their kind; see [`Label`].
    pub fn from_lists<P: Into<PathBuf>, L: Into<Label>>(
        path: impl Into<PathBuf>,
        files: impl IntoIterator<Item = P>,
        labels: impl IntoIterator<Item = L>,
    ) -> ImageDataBunchBuilder<FromFiles> {
        let labels = labels.into_iter().map(Into::into).collect();
        ImageDataBunchBuilder::new(FromFiles::with_list(path.into(), all(files), labels))
    }

    /// These images, labeled by a function of their path; otherwise like
    /// [`from_lists`](Self::from_lists).
    pub fn from_name_func<P: Into<PathBuf>, L: Into<Label>>(
        path: impl Into<PathBuf>,
        files: impl IntoIterator<Item = P>,
        label: impl Fn(&Path) -> L + Send + Sync + 'static,
    ) -> ImageDataBunchBuilder<FromFiles> {
        let label = PathFn::new(move |path: &Path| label(path).into());
        ImageDataBunchBuilder::new(FromFiles::with_func(path.into(), all(files), label))
    }

    /// These images, labeled with what the first group of a regular expression captures in their path;
    /// otherwise like [`from_lists`](Self::from_lists).
    ///
    /// ```
    /// # use vision_data::{ImageDataBunch, files::image_files};
    /// # use vision_data::datasets::synthetic;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = synthetic::digits(&folder.path().join("digits"), 1, 20, 5)?;
    /// let files = image_files(&path)?;
    /// let data = ImageDataBunch::from_name_re(&path, files, r"/([^/]+)/[^/]+.png$").build()?;
    /// assert_eq!(data.classes(), ["3", "7"]);
    /// # Ok::<(), vision_data::Error>(())
    /// ```
    pub fn from_name_re<P: Into<PathBuf>>(
        path: impl Into<PathBuf>,
        files: impl IntoIterator<Item = P>,
        pattern: impl Into<String>,
    ) -> ImageDataBunchBuilder<FromFiles> {
        let source = FromFiles::with_pattern(path.into(), all(files), pattern.into());
        ImageDataBunchBuilder::new(source)
    }

    /// Data without images, for a learner that only predicts. Classes, size, transforms and statistics
    /// must be those with which it was trained.
    ///
    /// `path` is the folder in which the learner looks for its files; it is not read here.
    ///
    /// ```
    /// # use vision_data::{ImageDataBunch, Stats, get_transforms};
    /// let data = ImageDataBunch::single_from_classes("models", ["3", "7"])
    ///     .transforms(get_transforms())
    ///     .normalize(Stats::IMAGENET)
    ///     .build()?;
    /// assert_eq!(data.c(), 2);
    /// assert!(data.train_ds().is_empty());
    /// # Ok::<(), vision_data::Error>(())
    /// ```
    pub fn single_from_classes<S: Into<String>>(
        path: impl Into<PathBuf>,
        classes: impl IntoIterator<Item = S>,
    ) -> ImageDataBunchBuilder<FromClasses> {
        let classes = classes.into_iter().map(Into::into).collect();
        ImageDataBunchBuilder::new(FromClasses::new(path.into(), classes))
    }
}

impl LabelLists {
    /// Continues with the builder's options, with transforms such as
    /// [`get_transforms`](crate::get_transforms).
    pub fn transform(self, transforms: impl Into<Transforms>) -> ImageDataBunchBuilder<Self> {
        self.databunch().transforms(transforms)
    }

    /// Continues with the builder's options, without transforms.
    pub fn databunch(self) -> ImageDataBunchBuilder<Self> {
        ImageDataBunchBuilder::new(self)
    }
}

fn all<P: Into<PathBuf>>(files: impl IntoIterator<Item = P>) -> Vec<PathBuf> {
    files.into_iter().map(Into::into).collect()
}
