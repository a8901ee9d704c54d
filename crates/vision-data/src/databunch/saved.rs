//! Saving and loading a data bunch.
//!
//! The file is JSON: the names of the images relative to the root, how they are split and labeled, and
//! every option that affects a batch. It holds no pixels and no code: everything read from it passes the
//! checks of [`build`](ImageDataBunchBuilder::build). Saving replaces an earlier file only when the new
//! one is complete and on the disk.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{MAIN_SEPARATOR, Path, PathBuf, absolute};
use std::{fs, io};

use serde::{Deserialize, Serialize};
use vision_base::message::shown;
use vision_base::paths::parent_of;
use vision_base::{OptionError, atomic};

use crate::data_block::label_lists::LabelLists;
use crate::data_block::labeled::{Labeled, LabeledFiles};
use crate::databunch::ImageDataBunch;
use crate::databunch::builder::ImageDataBunchBuilder;
use crate::databunch::dataset::ImageDataset;
use crate::databunch::error::DataError;
use crate::databunch::sources::saved::FromSaved;
use crate::decisions::record::Decided;
use crate::error::{Error, Result, io_error};
use crate::files::index::Skipped;
use crate::files::text;
use crate::image::reader::ReadConfig;
use crate::labels::class_weights::{ClassWeights, Sampler};
use crate::labels::kind::TargetKind;
use crate::labels::options::{LabelOptions, check_classes, check_enough};
use crate::labels::targets::{MultiLabels, Targets};
use crate::loader::BadImages;
use crate::loader::stats::Stats;
use crate::transforms::batch::BatchTransform;
use crate::transforms::lists::Transforms;
use crate::transforms::resizing::Resizing;

const FORMAT: &str = "vision-data";
const VERSION: u32 = 1;

/// The limit on classes or numbers per item: a model has a row of weights for each.
const MOST_OUTPUTS: usize = 1 << 20;

/// The fields that every version of the file has.
#[derive(Deserialize)]
struct Header {
    format: String,
    version: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    format: String,
    version: u32,
    kind: TargetKind,
    classes: Vec<String>,
    outputs: usize,
    class_weights: Option<Vec<f32>>,
    sampler: Sampler,
    batch_size: usize,
    /// Set if it differs from `batch_size`.
    #[serde(default)]
    val_batch_size: Option<usize>,
    seed: u64,
    bad_images: BadImages,
    resizing: Resizing,
    stats: Option<Stats>,
    transforms: Transforms,
    batch_transforms: Vec<BatchTransform>,
    reading: ReadConfig,
    train: Part,
    valid: Part,
    test: Option<Part>,
}

/// Images with their labels, if any.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    files: Vec<File>,
    labels: Option<Labels>,
}

/// A path under the root with `/` as separator, or an absolute path; bytes if it is not UTF-8.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum File {
    Text(String),
    Bytes(Vec<u8>),
}

/// One label per item: the position of its class, the positions of its classes, or its numbers.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Labels {
    Category(Vec<u32>),
    MultiCategory(Vec<Vec<u32>>),
    Float(Vec<Vec<f32>>),
}

/// What is invalid in a file, and in which field.
struct Problem {
    field: String,
    expected: &'static str,
    found: String,
}

fn problem<T>(
    field: impl Into<String>,
    expected: &'static str,
    found: impl Into<String>,
) -> std::result::Result<T, Problem> {
    Err(Problem {
        field: field.into(),
        expected,
        found: found.into(),
    })
}

impl ImageDataBunch {
    /// Saves the data as a JSON file and returns its path: `file` under the root, or `file` itself if
    /// that is absolute.
    ///
    /// [`load`](Self::load) restores data whose batches are the same bit for bit. The file does not store
    /// what belongs to the machine (device, worker threads, the folder of a disk cache), nor the records of
    /// what was left out or changed while the data was built
    /// ([`dropped`](Self::dropped), [`skipped_folders`](Self::skipped_folders), [`decided`](Self::decided)).
    ///
    /// ```
    /// use vision_data::{DatasetType, ImageDataBunch, Stats};
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = vision_data::datasets::synthetic::digits(&folder.path().join("digits"), 1, 20, 5)?;
    /// let data = ImageDataBunch::from_folder(&path).batch_size(8).normalize(Stats::MNIST).build()?;
    /// data.save("data.json")?;
    ///
    /// let same = ImageDataBunch::load(&path, "data.json")?.build()?;
    /// assert_eq!(same.one_batch(DatasetType::Train)?.shape(), [8, 3, 28, 28]);
    /// # Ok::<(), vision_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Option`] if `file` is not the name of a file; [`Error::Io`] if it cannot be written;
    /// [`DataError::NotFiles`](crate::DataError::NotFiles) for images that are not files.
    pub fn save(&self, file: impl AsRef<Path>) -> Result<PathBuf> {
        let file = file.as_ref();
        if file.file_name().is_none() {
            let expected = "the name of a file, such as \"data.json\"";
            return Err(OptionError::new("file", expected, shown(file)).into());
        }
        let path = self.path().join(file);
        let saved = Saved {
            format: FORMAT.to_owned(),
            version: VERSION,
            kind: self.kind(),
            classes: self.classes().to_vec(),
            outputs: self.c(),
            class_weights: self.class_weights.as_deref().map(<[f32]>::to_vec),
            sampler: match self.draw {
                None => Sampler::Shuffled,
                Some(_) => Sampler::Balanced,
            },
            batch_size: self.batch_size,
            val_batch_size: Some(self.val_batch_size).filter(|&items| items != self.batch_size),
            seed: self.seed,
            bad_images: self.bad_images,
            resizing: self.resizing,
            stats: self.stats,
            transforms: Transforms::clone(&self.transforms),
            batch_transforms: self.batch_transforms.to_vec(),
            reading: self.train_ds().reading().clone(),
            train: self.saved_part(self.train_ds())?,
            valid: self.saved_part(self.valid_ds())?,
            test: self
                .test_ds()
                .map(|test| self.saved_part(test))
                .transpose()?,
        };
        let json = serde_json::to_vec_pretty(&saved)
            .map_err(|error| io_error("write", &path)(error.into()))?;
        let folder = parent_of(&path);
        fs::create_dir_all(folder).map_err(io_error("create the folder", folder))?;
        atomic::write(&path, &json)?;
        Ok(path)
    }

    /// Loads what [`save`](Self::save) wrote. The images are under the root `path`, which may differ from
    /// the root at saving. `file` is relative to that root, or absolute.
    ///
    /// Options given before [`build`](ImageDataBunchBuilder::build) override the saved ones.
    ///
    /// ```no_run
    /// use vision_data::ImageDataBunch;
    /// let data = ImageDataBunch::load("pets", "data.json")?.batch_size(16).num_workers(4).build()?;
    /// # Ok::<(), vision_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be read; [`DataError::BadFile`](crate::DataError::BadFile) with
    /// the invalid field; [`Error::Transform`] for a custom transform that is not
    /// [registered](crate::register_transform). `build` checks that the images exist
    /// ([`FilesError::MissingFiles`](crate::FilesError::MissingFiles)), unless
    /// [`no_check`](ImageDataBunchBuilder::no_check) was called.
    #[doc(alias = "load_data")]
    pub fn load(
        path: impl Into<PathBuf>,
        file: impl AsRef<Path>,
    ) -> Result<ImageDataBunchBuilder<FromSaved>> {
        let root = path.into();
        let file = root.join(file);
        let json = text::read(&file)?;
        let json = json.strip_prefix(text::MARK.as_bytes()).unwrap_or(&json);
        let bad = |problem: Problem| {
            Error::Data(DataError::BadFile {
                path: file.clone(),
                field: problem.field,
                expected: problem.expected,
                found: shown(problem.found),
            })
        };
        let saved = parsed(json).map_err(bad)?;
        saved.transforms.usable()?;
        saved.builder(root, &file).map_err(bad)
    }

    fn saved_part(&self, dataset: &ImageDataset) -> Result<Part> {
        if !dataset.are_files() {
            return Err(Error::Data(DataError::NotFiles { action: "be saved" }));
        }
        let files = dataset.paths().iter();
        Ok(Part {
            files: files
                .map(|path| File::new(self.path(), path))
                .collect::<Result<_>>()?,
            labels: Labels::new(dataset.labels()),
        })
    }
}

fn parsed(json: &[u8]) -> std::result::Result<Saved, Problem> {
    let expected = "JSON as `ImageDataBunch::save` writes it";
    let Header { format, version } = serde_json::from_slice(json)
        .or_else(|error| problem("the file", expected, error.to_string()))?;
    if format != FORMAT {
        return problem("format", "\"vision-data\"", format!("{format:?}"));
    }
    if version != VERSION {
        let expected = "version 1, the only one that this program reads";
        return problem("version", expected, version.to_string());
    }
    serde_json::from_slice(json).or_else(|error| {
        // Read again to find the name of the field; tracking it in the first pass would cost time.
        let mut again = serde_json::Deserializer::from_slice(json);
        let field = match serde_path_to_error::deserialize::<_, Saved>(&mut again) {
            Err(error) if error.path().iter().next().is_some() => shown(error.path().to_string()),
            _ => "the file".to_owned(),
        };
        problem(field, expected, error.to_string())
    })
}

impl Saved {
    fn builder(
        self,
        root: PathBuf,
        file: &Path,
    ) -> std::result::Result<ImageDataBunchBuilder<FromSaved>, Problem> {
        let Self {
            kind,
            classes,
            outputs,
            ..
        } = self;
        let has_classes = kind != TargetKind::Float;
        if has_classes {
            check_classes(&classes)
                .and_then(|()| check_enough(kind, &classes, &root))
                .or_else(|error| problem("classes", "different names", error.to_string()))?;
        }
        if !(1..=MOST_OUTPUTS).contains(&outputs) || has_classes && outputs != classes.len() {
            return problem(
                "outputs",
                "the number of classes, or of numbers",
                outputs.to_string(),
            );
        }
        let class_weights = match self.class_weights {
            None => ClassWeights::None,
            Some(weights) if weights.iter().any(|w| !(w.is_finite() && *w >= 0.0)) => {
                let expected = "numbers of at least 0";
                return problem("class_weights", expected, format!("{weights:?}"));
            }
            Some(weights) if weights.len() == classes.len() => {
                let weights: BTreeMap<String, f32> = classes.iter().cloned().zip(weights).collect();
                ClassWeights::Map(weights)
            }
            Some(weights) => {
                let found = format!("{} weights for {} classes", weights.len(), classes.len());
                return problem("class_weights", "one weight per class", found);
            }
        };
        let part = |name, part: Part| part.labeled(name, kind, outputs, &root);
        let lists = LabelLists {
            labeled: Labeled {
                train: part("train", self.train)?,
                valid: part("valid", self.valid)?,
                test: self.test.map(|test| part("test", test)).transpose()?,
                kind,
                c: outputs,
                classes: classes.into(),
                dropped: Vec::new(),
                skipped: Skipped::default(),
                decided: Decided::default(),
                path: root,
            },
            options: LabelOptions::default(),
            folders: Vec::new(),
            decisions: None,
            test_decisions: None,
        };
        let mut builder = ImageDataBunchBuilder::new(FromSaved::new(lists, file.to_owned()))
            .class_weights(class_weights)
            .sampler(self.sampler)
            .batch_size(self.batch_size)
            .seed(self.seed)
            .bad_images(self.bad_images)
            .resizing(self.resizing)
            .transforms(self.transforms)
            .reading(self.reading)
            .batch_transforms(self.batch_transforms);
        if let Some(stats) = self.stats {
            builder = builder.normalize(stats);
        }
        if let Some(items) = self.val_batch_size {
            builder = builder.val_batch_size(items);
        }
        match builder.check() {
            Ok(()) => Ok(builder),
            Err(error) => problem("an option", "a valid value", error.to_string()),
        }
    }
}

impl Part {
    /// The files of the part called `name` under a root, with their labels.
    fn labeled(
        self,
        name: &str,
        kind: TargetKind,
        outputs: usize,
        root: &Path,
    ) -> std::result::Result<LabeledFiles, Problem> {
        let files: Option<Vec<PathBuf>> = self
            .files
            .into_iter()
            .map(|file| file.under(root))
            .collect();
        let Some(files) = files else {
            return problem(
                format!("{name}.files"),
                "file names that this system supports",
                "bytes",
            );
        };
        let field = || format!("{name}.labels");
        let targets = match (self.labels, kind) {
            // Only test images may have no labels.
            (None, _) if name == "test" || files.is_empty() => Targets::Empty(files.len()),
            (Some(Labels::Category(positions)), TargetKind::Category) => {
                match positions
                    .iter()
                    .find(|&&position| position as usize >= outputs)
                {
                    None => Targets::Category(positions),
                    Some(position) => {
                        return problem(field(), "positions of classes", position.to_string());
                    }
                }
            }
            (Some(Labels::MultiCategory(items)), TargetKind::MultiCategory) => {
                let mut labels = MultiLabels::new(outputs);
                for positions in items {
                    labels
                        .push(positions.into_iter().map(|position| position as usize))
                        .or_else(|error| {
                            problem(field(), "positions of classes", error.to_string())
                        })?;
                }
                Targets::MultiCategory(labels)
            }
            (Some(Labels::Float(rows)), TargetKind::Float) => {
                let usable =
                    |row: &[f32]| row.len() == outputs && row.iter().all(|x| x.is_finite());
                if let Some(row) = rows.iter().find(|row| !usable(row)) {
                    let expected = "one finite number per output";
                    return problem(field(), expected, format!("{row:?}"));
                }
                Targets::Float {
                    columns: outputs,
                    values: rows.concat(),
                }
            }
            (labels, _) => {
                let found = match labels {
                    None => "none",
                    Some(Labels::Category(_)) => "category",
                    Some(Labels::MultiCategory(_)) => "multi_category",
                    Some(Labels::Float(_)) => "float",
                };
                return problem(field(), "labels of the kind that `kind` names", found);
            }
        };
        if targets.len() != files.len() {
            let found = format!("{} labels for {} files", targets.len(), files.len());
            return problem(field(), "one label per file", found);
        }
        Ok(LabeledFiles {
            files,
            source: None,
            targets,
        })
    }
}

impl Labels {
    fn new(targets: &Targets) -> Option<Self> {
        match targets {
            Targets::Empty(_) => None,
            Targets::Category(positions) => Some(Self::Category(positions.clone())),
            Targets::MultiCategory(labels) => {
                let items = (0..labels.len()).filter_map(|item| labels.get(item));
                Some(Self::MultiCategory(items.map(<[u32]>::to_vec).collect()))
            }
            Targets::Float { columns, values } => {
                let rows = values.chunks_exact((*columns).max(1));
                Some(Self::Float(rows.map(<[f32]>::to_vec).collect()))
            }
        }
    }
}

impl File {
    fn new(root: &Path, path: &Path) -> Result<Self> {
        let inner = match path.strip_prefix(root) {
            Ok(inner) => inner.to_owned(),
            // A file under another root, such as that of a test set, must be found from any root.
            Err(_) => absolute(path).map_err(io_error("find", path))?,
        };
        match inner.into_os_string().into_string() {
            Ok(text) if MAIN_SEPARATOR == '/' => Ok(Self::Text(text)),
            Ok(text) => Ok(Self::Text(text.replace(MAIN_SEPARATOR, "/"))),
            Err(name) => Self::of_bytes(name).ok_or_else(|| {
                let reason = "its name is not valid UTF-8: rename it";
                let source = io::Error::new(io::ErrorKind::InvalidInput, reason);
                io_error("save the name of", path)(source)
            }),
        }
    }

    #[cfg(unix)]
    fn of_bytes(name: OsString) -> Option<Self> {
        use std::os::unix::ffi::OsStringExt as _;
        Some(Self::Bytes(name.into_vec()))
    }

    #[cfg(not(unix))]
    fn of_bytes(_: OsString) -> Option<Self> {
        None
    }

    /// The path, or `None` if this system cannot represent it.
    fn under(self, root: &Path) -> Option<PathBuf> {
        match self {
            Self::Text(text) => Some(root.join(text)),
            #[cfg(unix)]
            Self::Bytes(bytes) => {
                use std::os::unix::ffi::OsStringExt as _;
                Some(root.join(OsString::from_vec(bytes)))
            }
            #[cfg(not(unix))]
            Self::Bytes(_) => None,
        }
    }
}
