//! Loads weights with another head, or from another program.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use vision_models::state::Entry;
use vision_models::weights::{LoadReport, Wanted, WeightsFile, WeightsSource};
use vision_models::{Arch, Init};

use crate::checkpoint::place::{check_name, checkpoint_path};
use crate::learner::Learner;
use crate::{Error, Result};

/// Extensions of weights files.
const WEIGHTS: [&str; 6] = ["safetensors", "pth", "pt", "ckpt", "bin", "onnx"];
/// How many files of a folder an error message looks at.
const MOST_FILES: usize = 1000;

impl Learner {
    /// Loads the body from a file with fastai's names, and as much of the head as fits. Use it for a
    /// checkpoint with other classes, whose last layer has another number of rows (fastai's
    /// `strict=False`).
    ///
    /// The head's other parameters keep their values, and the report lists them as
    /// [`replaced`](LoadReport::replaced). Nothing changes unless the whole body fits. The optimizer is
    /// reset.
    ///
    /// # Errors
    ///
    /// [`Error::Models`](crate::Error::Models) if the file cannot be read, or a parameter of the body is missing or has another
    /// shape.
    #[doc(alias = "strict")]
    pub fn load_partial(&mut self, name: impl Into<WeightsSource>) -> Result<LoadReport> {
        let source = self.existing(name.into())?;
        let entries = self.model.entries();
        let file = self.find_model(&WeightsFile::open(source)?, &entries)?;
        let mut new = absent_biases(&file, &entries);
        let zeroed: Vec<String> = new.keys().cloned().collect();
        let report = compare(&file, &entries, &zeroed).without("1");
        report.require_complete()?;
        for name in &report.loaded {
            new.insert(name.clone(), file.read_f32(name)?);
        }
        self.put(new);
        self.optimizer = None;
        Ok(self.keep_report(report))
    }

    /// The file of that name: exactly as given if it exists, otherwise with `.safetensors` appended.
    pub(crate) fn existing(&self, source: WeightsSource) -> Result<WeightsSource> {
        if source.path().file_name().is_none() {
            check_name(source.path())?;
        }
        let named = self.model_dir().join(source.path());
        let path = match named.is_file() {
            true => named,
            false => checkpoint_path(&self.model_dir(), source.path())?,
        };
        if path.exists() {
            return Ok(source.with_path(path));
        }
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        let files = fs::read_dir(&folder).into_iter().flatten().flatten();
        let mut files: Vec<String> = files
            .filter(|entry| {
                entry
                    .path()
                    .extension()
                    .is_some_and(|e| WEIGHTS.iter().any(|w| e == *w))
            })
            .take(MOST_FILES)
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        files.sort();
        Err(Error::NoSuchFile {
            path,
            folder,
            files,
        })
    }

    /// The part of a file that corresponds to this learner's model.
    pub(crate) fn find_model(&self, file: &WeightsFile, entries: &[Entry]) -> Result<WeightsFile> {
        let mut wanted = wanted(entries);
        // An architecture's model may be in the file with timm's names around it.
        if let Ok(arch) = self.arch().parse::<Arch>() {
            let whole = arch.build(1, &mut Init::zeroed(self.data().device()));
            let children: Vec<&str> = whole.names().collect();
            wanted = wanted.with_body(&children);
        }
        Ok(file.matched(&wanted)?)
    }

    /// Changes values in a copy, because clones share running statistics, which are written in place.
    pub(crate) fn put(&mut self, mut new: HashMap<String, Vec<f32>>) {
        let mut model = self.model.snapshot();
        model.assign(&mut |name, _| new.remove(name));
        self.model = model;
        self.recheck_features();
    }

    pub(crate) fn keep_report(&mut self, report: LoadReport) -> LoadReport {
        self.report = Some(report.clone());
        report
    }
}

fn wanted(entries: &[Entry]) -> Wanted {
    Wanted::new(entries.iter().map(|e| (e.name.as_str(), &e.shape[..])))
}

/// Which parameters of the file fit, ignoring the optimizer's state and biases that are set to zero.
pub(crate) fn compare(file: &WeightsFile, entries: &[Entry], zeroed: &[String]) -> LoadReport {
    let mut report = LoadReport::compare(file, &wanted(entries));
    report.unused.retain(|name| !name.starts_with("optimizer."));
    report.missing.retain(|name| !zeroed.contains(name));
    if !zeroed.is_empty() {
        report.notes.push(format!(
            "its head has no biases, like the heads of fastai 2: {} biases set to 0",
            zeroed.len()
        ));
    }
    report
}

/// Zero biases for a head in a file without any head bias, for layers whose weight is present and fits.
pub(crate) fn absent_biases(file: &WeightsFile, entries: &[Entry]) -> HashMap<String, Vec<f32>> {
    let weight = |bias: &Entry| bias.name.replace(".bias", ".weight");
    let biases = || {
        let linear = entries.iter().filter(|e| e.owner == "Linear");
        linear.filter(|e| e.name.starts_with("1.") && e.name.ends_with(".bias"))
    };
    if biases().any(|bias| file.contains(&bias.name)) {
        return HashMap::new();
    }
    let fits = |bias: &&Entry| {
        let weight = weight(bias);
        let ours = entries.iter().find(|e| e.name == weight);
        ours.is_some_and(|ours| file.shape(&weight) == Some(&ours.shape[..]))
    };
    biases()
        .filter(fits)
        .map(|bias| (bias.name.clone(), vec![0.0; bias.len()]))
        .collect()
}
