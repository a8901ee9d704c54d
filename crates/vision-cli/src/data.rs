//! From DATA and its options to a data bunch.

use std::path::{Path, PathBuf};

use vision::base::progress::Progress;
use vision::data::datasets::untar_data;
use vision::data::files::IndexConfig;
use vision::data::sources::{Source, Unlabeled};
use vision::data::{
    BatchTransform, DatasetType, Decisions, ImageDataBunch, ImageDataBunchBuilder, Split, Stats,
    Transforms, device, get_transforms,
};
use vision::fetch::is_http;

use crate::failure::{Failure, Result};
use crate::options::images::ImageOptions;
use crate::options::source::SourceOptions;
use crate::remote;

/// Names of the folder of validation images.
const VALID: [&str; 3] = ["valid", "val", "validation"];
const BATCH_SIZE: usize = 64;
/// The default fraction for validation.
const VALID_PCT: f64 = 0.2;
pub(crate) const SIZE: usize = 224;

/// DATA on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Located {
    /// The folder of the images, or a data file.
    pub(crate) root: PathBuf,
    /// The options, with what DATA itself says.
    pub(crate) source: SourceOptions,
}

/// Images with their labels.
pub(crate) struct Images<'a> {
    pub(crate) located: &'a Located,
    pub(crate) options: &'a ImageOptions,
    /// The alpha of MixUp.
    pub(crate) mixup: Option<f64>,
    /// The statistics that the weights of the network want.
    pub(crate) stats: Stats,
}

/// Finds DATA: an archive is unpacked into the cache, and downloaded before if it is a URL.
pub(crate) fn locate(data: Option<&str>, source: &SourceOptions) -> Result<Located> {
    let Some(data) = data else {
        return Err(Failure::usage(
            "DATA is missing: the folder of the images, a CSV file, a .tgz archive, or the URL of one",
        ));
    };
    let mut source = source.clone();
    let digits = source.sha256.take();
    if is_http(data) {
        let root = remote::folder(data, digits.as_deref())?;
        return Ok(Located { root, source });
    }
    if digits.is_some() {
        return Err(Failure::usage(
            "--sha256 is for an archive that is downloaded",
        ));
    }
    let path = Path::new(data);
    if path.is_file() && has_extension(path, "csv") {
        if source.csv.is_some() {
            return Err(Failure::usage(
                "DATA is a CSV file, and --csv names another: give one of them",
            ));
        }
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let root = path.parent().unwrap_or(Path::new("/")).to_owned();
        source.csv = Some(path);
        return Ok(Located { root, source });
    }
    let located = Located {
        root: match path.is_file() && has_extension(path, "json") {
            true => path.to_owned(),
            false => untar_data(data)?,
        },
        source,
    };
    if let (true, Some(option)) = (located.is_saved(), located.given_for_a_data_file()) {
        return Err(Failure::usage(format!(
            "--{option} is not for a data file, which says how its images are labeled and split"
        )));
    }
    Ok(located)
}

fn has_extension(path: &Path, extension: &str) -> bool {
    let found = path.extension().and_then(|found| found.to_str());
    found.is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

impl Located {
    /// Whether it is a data file, as the library saves data.
    pub(crate) fn is_saved(&self) -> bool {
        has_extension(&self.root, "json") && !self.root.is_dir()
    }

    fn given_for_a_data_file(&self) -> Option<&'static str> {
        let source = &self.source;
        let given = [
            ("csv", source.csv.is_some()),
            ("file-column", source.file_column.is_some()),
            ("label-column", source.label_column.is_some()),
            ("label-delim", source.label_delim.is_some()),
            ("valid-pct", source.valid_pct.is_some()),
            ("decisions", source.decisions.is_some()),
        ];
        given.into_iter().find(|(_, is)| *is).map(|(name, _)| name)
    }

    /// The folder of validation images beside `train`, if there are both.
    pub(crate) fn valid_folder(&self) -> Option<&'static str> {
        if self.source.csv.is_some() || self.is_saved() {
            return None;
        }
        let valid = VALID.into_iter().find(|name| self.root.join(name).is_dir());
        valid.filter(|_| self.root.join("train").is_dir())
    }

    /// The fraction of the images that is chosen for validation at random; none if something else says which they are.
    pub(crate) fn random_part(&self) -> Option<f64> {
        let is_open = self.valid_folder().is_none() && !self.is_saved();
        self.source.valid_pct.or(is_open.then_some(VALID_PCT))
    }
}

impl Images<'_> {
    /// Split into training and validation.
    pub(crate) fn build(&self) -> Result<ImageDataBunch> {
        let split = self.located.random_part();
        let data = self.build_with(split, self.options.batch_size)?;
        let images = data.train_ds().len();
        let is_open = self.options.batch_size.is_none() && !self.located.is_saved();
        if is_open && images < BATCH_SIZE {
            return self.build_with(split, Some(images.max(1)));
        }
        Ok(data)
    }

    /// All of them for training.
    pub(crate) fn build_unsplit(&self) -> Result<ImageDataBunch> {
        Ok(self.build()?.with_split(&Split::None)?)
    }

    /// The labeled images to score a model with, and the part that they are: those for validation if DATA or the options
    /// name such a part, otherwise all.
    pub(crate) fn labeled(&self) -> Result<(ImageDataBunch, DatasetType)> {
        let located = self.located;
        let split = located.source.valid_pct;
        if located.is_saved() {
            let data = self.build_with(None, None)?;
            let part = match data.valid_ds().is_empty() {
                true => DatasetType::Fix,
                false => DatasetType::Valid,
            };
            return Ok((data, part));
        }
        if split.is_some() || located.valid_folder().is_some() {
            return Ok((self.build_with(split, None)?, DatasetType::Valid));
        }
        Ok((self.build_with(Some(0.0), None)?, DatasetType::Fix))
    }

    fn build_with(&self, split: Option<f64>, batch_size: Option<usize>) -> Result<ImageDataBunch> {
        let Located { root, source } = self.located;
        if self.located.is_saved() {
            return self.saved();
        }
        let batch_size = batch_size.unwrap_or(BATCH_SIZE);
        match &source.csv {
            Some(csv) => {
                let mut builder = ImageDataBunch::from_csv(root).csv_labels(csv);
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
                let mut builder = ImageDataBunch::from_folder(root);
                if let Some(valid) = self.located.valid_folder() {
                    builder = builder.valid(valid);
                }
                Ok(self
                    .labels(builder, split)?
                    .batch_size(batch_size)
                    .build()?)
            }
        }
    }

    /// The data of a data file; what it says holds unless an option says otherwise.
    fn saved(&self) -> Result<ImageDataBunch> {
        let file = std::path::absolute(&self.located.root);
        let file = file.unwrap_or_else(|_| self.located.root.clone());
        let root = file.parent().unwrap_or(Path::new("/"));
        let options = self.options;
        let mut builder = ImageDataBunch::load(root, &file)?;
        if let Some(size) = options.size {
            builder = builder.size(size);
        }
        if let Some(images) = options.batch_size {
            builder = builder.batch_size(images);
        }
        if options.augment == Some(false) {
            let valid = ImageDataBunch::load(root, &file)?
                .build()?
                .transforms()
                .valid
                .clone();
            let train = Vec::new();
            builder = builder.transforms(Transforms { train, valid });
        }
        Ok(self.common(builder)?.build()?)
    }

    fn column_without_csv(&self) -> Option<&'static str> {
        let given = [
            ("file-column", self.located.source.file_column.is_some()),
            ("label-column", self.located.source.label_column.is_some()),
        ];
        given.into_iter().find(|(_, is)| *is).map(|(name, _)| name)
    }

    /// The options of all sources that are labeled and split here.
    fn labels<S: Unlabeled>(
        &self,
        mut builder: ImageDataBunchBuilder<S>,
        split: Option<f64>,
    ) -> Result<ImageDataBunchBuilder<S>> {
        let source = &self.located.source;
        if let Some(fraction) = split {
            builder = builder.valid_pct(fraction);
        }
        if let Some(delimiter) = &source.label_delim {
            builder = builder.label_delim(delimiter.as_str());
        }
        if let Some(file) = &source.decisions {
            builder = builder.decisions(Decisions::read(file)?);
        }
        if self.options.augment.unwrap_or(true) {
            builder = builder.transforms(get_transforms());
        }
        let builder = builder
            .size(self.options.size.unwrap_or(SIZE))
            .normalize(self.stats);
        self.common(builder)
    }

    /// The options of all sources.
    fn common<S: Source>(
        &self,
        mut builder: ImageDataBunchBuilder<S>,
    ) -> Result<ImageDataBunchBuilder<S>> {
        if let Some(alpha) = self.mixup {
            builder = builder.batch_transforms([BatchTransform::mixup(alpha)]);
        }
        if let Some(resize) = self.options.resize {
            builder = builder.resize_method(resize.into());
        }
        if let Some(name) = &self.options.device {
            builder = builder.device(device::parse(name)?);
        }
        if let Some(seed) = self.located.source.seed {
            builder = builder.seed(seed);
        }
        Ok(builder.indexing(IndexConfig::new().with_progress(Progress::bar("Indexing"))))
    }
}
