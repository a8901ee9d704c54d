//! The files to examine.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::databunch::ImageDataBunch;
use crate::databunch::dataset::ImageDataset;
use crate::files::index::Skipped;
use crate::image::budget::Held;
use crate::image::decode::read;
use crate::image::limits::Limits;
use crate::image::problem::ImageProblem;
use crate::image_source::ImageContent;
use crate::inspect::doctor::finding::{FoundFile, Split};
use crate::inspect::doctor::report::ClassCount;
use crate::labels::targets::Target;
use crate::transforms::lists::Transforms;
use crate::transforms::size::ResizeMethod;
use crate::transforms::transform::Transform;

/// One file to examine.
pub(super) struct Case {
    pub(super) path: PathBuf,
    pub(super) split: Option<Split>,
    /// The index into the list of labels.
    pub(super) label: Option<u32>,
    /// The item of a dataset, if it is one.
    item: Option<(ImageDataset, usize)>,
}

impl Case {
    /// The bytes of the file, or the content that its source provides.
    pub(super) fn content(&self, limits: &Limits) -> Result<Held<ImageContent>, ImageProblem> {
        match &self.item {
            Some((dataset, item)) => dataset.content(*item, limits),
            None => Ok(read(&self.path, limits)?.map(ImageContent::Encoded)),
        }
    }

    pub(super) fn is_file(&self) -> bool {
        let dataset = self.item.as_ref().map(|(dataset, _)| dataset);
        dataset.is_none_or(ImageDataset::are_files)
    }
}

/// All files to examine.
#[derive(Default)]
pub(super) struct Cases {
    pub(super) all: Vec<Case>,
    /// The labels in words.
    labels: Vec<String>,
    /// The classes in the order of the data, with their items in each part; empty if labels are not
    /// classes.
    pub(super) classes: Vec<ClassCount>,
    /// Other files in the folders.
    pub(super) skipped: Skipped,
    /// The parts whose images go into batches in their own sizes.
    pub(super) unsized_parts: Vec<Split>,
    /// The shorter side that images are resized to.
    pub(super) side: Option<usize>,
    /// The color behind transparent pixels.
    pub(super) background: Option<[u8; 3]>,
}

impl Cases {
    /// All images of a data bunch.
    pub(super) fn of(data: &ImageDataBunch) -> Self {
        let mut cases = Cases {
            classes: data
                .classes()
                .iter()
                .map(|name| ClassCount::named(name))
                .collect(),
            skipped: data.labeled.skipped.clone(),
            unsized_parts: unsized_parts(data),
            side: data.size().map(|size| {
                let (height, width) = size.height_width();
                height.min(width)
            }),
            background: data.train_ds().reading().background(),
            ..Cases::default()
        };
        let parts = [
            (Split::Train, Some(data.train_ds())),
            (Split::Valid, Some(data.valid_ds())),
            (Split::Test, data.test_ds()),
        ];
        let mut known = HashMap::new();
        for (split, dataset) in parts {
            if let Some(dataset) = dataset {
                cases.add(split, dataset, &mut known);
            }
        }
        cases
    }

    fn add(&mut self, split: Split, dataset: &ImageDataset, known: &mut HashMap<String, u32>) {
        for (item, path) in dataset.paths().iter().enumerate() {
            let label = dataset
                .label_text(item)
                .map(|text| intern(&mut self.labels, known, text));
            self.all.push(Case {
                path: path.clone(),
                split: Some(split),
                label,
                item: Some((dataset.clone(), item)),
            });
        }
        for item in 0..dataset.len() {
            let classes = match dataset.labels().get(item) {
                Some(Target::Category(class)) => vec![class],
                Some(Target::MultiCategory(classes)) => classes,
                Some(Target::Float(_)) | None => Vec::new(),
            };
            for class in classes {
                if let Some(class) = self.classes.get_mut(class) {
                    class.add(Some(split));
                }
            }
        }
    }

    pub(super) fn in_folder(root: &Path, files: Vec<PathBuf>, skipped: Skipped) -> Self {
        let mut cases = Self {
            skipped,
            ..Self::default()
        };
        let mut known = HashMap::new();
        for path in files {
            let inside = path.strip_prefix(root).unwrap_or(&path);
            let top = inside.parent().and_then(|folder| folder.iter().next());
            let split = match top.and_then(|name| name.to_str()) {
                Some("train") => Some(Split::Train),
                Some("valid" | "val" | "validation") => Some(Split::Valid),
                Some("test") => Some(Split::Test),
                _ => None,
            };
            // Whatever the folders of test images are called, their names are not labels.
            let labeled = split != Some(Split::Test);
            let folder = inside.parent().and_then(Path::file_name);
            let class = folder
                .map(|name| name.to_string_lossy().into_owned())
                .filter(|_| labeled && (split.is_none() || inside.iter().count() > 2));
            let label = class.map(|class| intern(&mut cases.labels, &mut known, class));
            if let Some(label) = label {
                let new = cases
                    .labels
                    .get(cases.classes.len())
                    .map(|name| ClassCount::named(name));
                cases.classes.extend(new);
                if let Some(class) = cases.classes.get_mut(label as usize) {
                    class.add(split);
                }
            }
            cases.all.push(Case {
                path,
                split,
                label,
                item: None,
            });
        }
        cases
    }

    pub(super) fn file(&self, item: usize) -> FoundFile {
        let case = &self.all[item];
        let label = case.label.and_then(|label| self.labels.get(label as usize));
        FoundFile {
            path: case.path.clone(),
            split: case.split,
            label: label.cloned(),
            likeness: None,
            quarantine: false,
        }
    }
}

/// The parts whose images are not resized to one size.
fn unsized_parts(data: &ImageDataBunch) -> Vec<Split> {
    let crops = |transforms: &[Transform]| {
        transforms.iter().any(|transform| {
            matches!(
                transform,
                Transform::Crop(_)
                    | Transform::RandomResizedCrop(_)
                    | Transform::ResizeCenterCrop(_)
            )
        })
    };
    let Transforms { train, valid } = data.transforms();
    let parts = [
        (Split::Train, train),
        (Split::Valid, valid),
        (Split::Test, valid),
    ];
    let parts = parts
        .into_iter()
        .filter(|(_, transforms)| !crops(transforms));
    let parts = parts.map(|(split, _)| split);
    let sized = data.size().is_some() && data.resizing().method() != ResizeMethod::No;
    parts.filter(|_| !sized).collect()
}

/// The index of a label in the list of all labels so far.
fn intern(labels: &mut Vec<String>, known: &mut HashMap<String, u32>, text: String) -> u32 {
    if let Some(&label) = known.get(&text) {
        return label;
    }
    let label = labels.len() as u32;
    labels.push(text.clone());
    known.insert(text, label);
    label
}
