//! From DATA and its options to a data bunch.

use std::path::{Path, PathBuf};

use vision::base::progress::Progress;
use vision::data::datasets::{Dataset, untar_data};
use vision::data::files::IndexConfig;
use vision::data::sources::{Source, Unlabeled};
use vision::data::{
    BatchTransform, DatasetType, Decisions, ImageDataBunch, ImageDataBunchBuilder, Stats, device,
    get_transforms,
};
use vision::fetch::is_http;

use crate::failure::{Failure, Result};
use crate::options::images::ImageOptions;
use crate::options::source::SourceOptions;

/// Names of the folder of validation images.
const VALID: [&str; 3] = ["valid", "val", "validation"];
const BATCH_SIZE: usize = 64;
/// The default fraction for validation.
const VALID_PCT: f64 = 0.2;
pub(crate) const SIZE: usize = 224;

/// Images with their labels.
pub(crate) struct Images<'a> {
    /// The folder; see [`folder`].
    pub(crate) root: &'a Path,
    pub(crate) source: &'a SourceOptions,
    pub(crate) options: &'a ImageOptions,
    /// The alpha of MixUp.
    pub(crate) mixup: Option<f64>,
}

/// The folder of DATA: an archive is unpacked into the cache, and downloaded before if it is a URL.
pub(crate) fn folder(data: Option<&str>, source: &SourceOptions) -> Result<PathBuf> {
    let Some(data) = data else {
        return Err(Failure::usage(
            "DATA is missing: the folder of the images, a .tgz archive, or the URL of one",
        ));
    };
    match &source.sha256 {
        _ if Path::new(data).is_dir() => Ok(PathBuf::from(data)),
        Some(digits) if is_http(data) => {
            Ok(untar_data(Dataset::new(data).with_sha256(digits.as_str()))?)
        }
        Some(_) => Err(Failure::usage(
            "--sha256 is for an archive that is downloaded",
        )),
        None => Ok(untar_data(data)?),
    }
}

/// The folder of validation images beside `train`, if there are both.
pub(crate) fn valid_folder(root: &Path) -> Option<&'static str> {
    let valid = VALID.into_iter().find(|name| root.join(name).is_dir());
    valid.filter(|_| root.join("train").is_dir())
}

/// The fraction of the images that is chosen for validation at random; none if they have a folder.
pub(crate) fn random_part(root: &Path, source: &SourceOptions) -> Option<f64> {
    let has_folder = source.csv.is_none() && valid_folder(root).is_some();
    source.valid_pct.or((!has_folder).then_some(VALID_PCT))
}

impl Images<'_> {
    /// Split into training and validation.
    pub(crate) fn build(&self) -> Result<ImageDataBunch> {
        let split = random_part(self.root, self.source);
        let data = self.build_with(split, self.options.batch_size.unwrap_or(BATCH_SIZE))?;
        let images = data.train_ds().len();
        if self.options.batch_size.is_none() && images < BATCH_SIZE {
            return self.build_with(split, images.max(1));
        }
        Ok(data)
    }

    /// The labeled images to score a model with, and the part that they are: those for validation if there is such a part,
    /// otherwise all.
    pub(crate) fn labeled(&self) -> Result<(ImageDataBunch, DatasetType)> {
        let has_part = self.source.valid_pct.is_some()
            || (self.source.csv.is_none() && valid_folder(self.root).is_some());
        if has_part {
            return Ok((
                self.build_with(self.source.valid_pct, BATCH_SIZE)?,
                DatasetType::Valid,
            ));
        }
        Ok((self.build_with(Some(0.0), BATCH_SIZE)?, DatasetType::Fix))
    }

    fn build_with(&self, split: Option<f64>, batch_size: usize) -> Result<ImageDataBunch> {
        let source = self.source;
        match &source.csv {
            Some(csv) => {
                let mut builder = ImageDataBunch::from_csv(self.root).csv_labels(csv);
                if let Some(column) = &source.file_column {
                    builder = builder.fn_col(column.as_str());
                }
                if let Some(column) = &source.label_column {
                    builder = builder.label_col(column.as_str());
                }
                Ok(self
                    .labels(builder, split)?
                    .batch_size(batch_size)
                    .build()?)
            }
            None => {
                if let Some(option) = self.column_without_csv() {
                    return Err(Failure::usage(format!("--{option} needs --csv")));
                }
                let mut builder = ImageDataBunch::from_folder(self.root);
                if let Some(valid) = valid_folder(self.root) {
                    builder = builder.valid(valid);
                }
                Ok(self
                    .labels(builder, split)?
                    .batch_size(batch_size)
                    .build()?)
            }
        }
    }

    fn column_without_csv(&self) -> Option<&'static str> {
        let given = [
            ("file-column", self.source.file_column.is_some()),
            ("label-column", self.source.label_column.is_some()),
        ];
        given.into_iter().find(|(_, is)| *is).map(|(name, _)| name)
    }

    /// The options of all sources.
    fn labels<S: Unlabeled>(
        &self,
        mut builder: ImageDataBunchBuilder<S>,
        split: Option<f64>,
    ) -> Result<ImageDataBunchBuilder<S>> {
        if let Some(fraction) = split {
            builder = builder.valid_pct(fraction);
        }
        if let Some(delimiter) = &self.source.label_delim {
            builder = builder.label_delim(delimiter.as_str());
        }
        if let Some(file) = &self.source.decisions {
            builder = builder.decisions(Decisions::read(file)?);
        }
        self.batches(builder)
    }

    fn batches<S: Source>(
        &self,
        mut builder: ImageDataBunchBuilder<S>,
    ) -> Result<ImageDataBunchBuilder<S>> {
        let options = self.options;
        if options.augment.unwrap_or(true) {
            builder = builder.transforms(get_transforms());
        }
        if let Some(alpha) = self.mixup {
            builder = builder.batch_transforms([BatchTransform::mixup(alpha)]);
        }
        if let Some(name) = &options.device {
            builder = builder.device(device::parse(name)?);
        }
        if let Some(seed) = self.source.seed {
            builder = builder.seed(seed);
        }
        Ok(builder
            .size(options.size.unwrap_or(SIZE))
            .normalize(Stats::IMAGENET)
            .indexing(IndexConfig::new().with_progress(Progress::bar("Indexing"))))
    }
}
