//! The load report: which tensors fit and which do not.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use vision_base::message::shown;

use super::choice::Wanted;
use super::file::WeightsFile;
use super::names::nearest;
use crate::error::first_few;
use crate::{Error, Result};

/// How a file's tensors match a model's parameters.
///
/// It prints as a line with the number of loaded tensors, how they were found, and the first names
/// that do not fit.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadReport {
    /// The file.
    pub file: PathBuf,
    /// Parameters and buffers found in the file, in the model's order.
    pub loaded: Vec<String>,
    /// Parameters and buffers missing in the file.
    pub missing: Vec<String>,
    /// Parameters and buffers that have another shape in the file.
    pub mismatched: Vec<Mismatch>,
    /// Tensors of the file that the model does not use.
    pub unused: Vec<String>,
    /// Tensors of the file that are not floating point, such as `num_batches_tracked`.
    pub skipped: Vec<String>,
    /// Parameters that need not fit because new ones replace them: see [`without`](Self::without).
    pub replaced: Vec<String>,
    /// How the tensors were found in the file: see [`WeightsFile::notes`].
    pub notes: Vec<String>,
    /// Batch norms that the file has folded into the layer before them (ONNX files with renamed
    /// tensors). They are correct at inference, but their statistics are lost: in training, where a
    /// batch norm uses the statistics of its batch, the network differs from the file's.
    pub folded: Vec<String>,
    /// The reason why the file may not fit any model, if known.
    pub(super) changed: Option<String>,
    /// Whether the graph of an ONNX file was used instead of the names.
    pub by_graph: bool,
}

/// A tensor whose shape differs from the model's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mismatch {
    /// Its name.
    pub name: String,
    /// The model's shape.
    pub expected: Vec<usize>,
    /// The file's shape.
    pub found: Vec<usize>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            expected,
            found,
        } = self;
        write!(f, "{name}: expected {expected:?}, found {found:?}")
    }
}

impl LoadReport {
    /// Compares a [matched](WeightsFile::matched) file with the names and shapes of a model,
    /// without reading values.
    pub fn compare(file: &WeightsFile, wanted: &Wanted) -> Self {
        let mut report = Self {
            file: file.path().to_owned(),
            skipped: file.skipped().map(str::to_owned).collect(),
            notes: file.notes().to_vec(),
            ..Self::default()
        };
        let mut unused: BTreeSet<&str> = file.names().collect();
        for (name, expected) in wanted.names.iter().zip(&wanted.shapes) {
            unused.remove(name.as_str());
            match file.shape(name) {
                None => report.missing.push(name.to_owned()),
                Some(found) if found == expected => report.loaded.push(name.to_owned()),
                Some(found) => report.mismatched.push(Mismatch {
                    name: name.to_owned(),
                    expected: expected.to_vec(),
                    found: found.to_vec(),
                }),
            }
        }
        report.unused = unused.into_iter().map(str::to_owned).collect();
        report.changed = file.unreadable(&report.missing).or_else(|| file.changed());
        report
    }

    /// Moves what a module (`fc`) lacks to [`replaced`](Self::replaced): for a part of the model
    /// that is not needed, or keeps its own values.
    pub fn without(mut self, module: &str) -> Self {
        let inside = |name: &str| {
            let rest = name.strip_prefix(module);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let missing = self.missing.extract_if(.., |name| inside(name));
        self.replaced.extend(missing);
        let mismatched = self.mismatched.extract_if(.., |m| inside(&m.name));
        self.replaced.extend(mismatched.map(|m| m.to_string()));
        self
    }

    /// Whether the file has every parameter and buffer in the right shape.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.mismatched.is_empty()
    }

    /// Returns an error that lists missing and mismatched parameters, with the likely reason, if
    /// there are any.
    ///
    /// # Errors
    ///
    /// [`Error::WeightsMisfit`] unless the report [is complete](Self::is_complete).
    pub fn require_complete(&self) -> Result<()> {
        if self.is_complete() {
            return Ok(());
        }
        Err(Error::WeightsMisfit {
            path: self.file.clone(),
            missing: self.missing.clone(),
            mismatched: self.mismatched.clone(),
            hint: self.hint(),
        })
    }

    /// The likely reason for a mismatch.
    fn hint(&self) -> String {
        if let Some(changed) = &self.changed {
            return format!("; {}", shown(changed));
        }
        if let Some(what) = self.computed() {
            return format!("; {what}");
        }
        if let Some((trained, ours)) = self.classes() {
            return format!(
                "; it was trained on {trained} classes and the model has {ours}: build the model with \
                 {trained} classes, or load only the body and train a new head"
            );
        }
        if self.loaded.is_empty() && self.mismatched.is_empty() && self.nearest_unused().is_none() {
            return "; it has another architecture: it has none of the model's names".into();
        }
        match self.nearest_unused() {
            Some((missing, near)) => format!("; instead of {missing:?} it has {near:?}"),
            None if !self.mismatched.is_empty() => {
                "; it has another architecture or other sizes".into()
            }
            None => String::new(),
        }
    }

    /// The class counts of the file and of the model, if only the rows of the last layer differ.
    fn classes(&self) -> Option<(usize, usize)> {
        let layer = |m: &Mismatch| Some(m.name.rsplit_once('.')?.0.to_owned());
        let first = self.mismatched.first()?;
        let (trained, ours) = (*first.found.first()?, *first.expected.first()?);
        let only_rows = self.missing.is_empty()
            && self.mismatched.iter().all(|m| {
                layer(m) == layer(first)
                    && m.found.first() == Some(&trained)
                    && m.expected.first() == Some(&ours)
                    && m.found.get(1..) == m.expected.get(1..)
            });
        only_rows.then_some((trained, ours))
    }

    /// The reason if the file has, instead of a parameter, what a training tool computes it from.
    fn computed(&self) -> Option<String> {
        let has = |name: &str| self.unused.iter().any(|unused| unused.starts_with(name));
        self.missing.iter().take(4).find_map(|name| {
            let (module, last) = name.rsplit_once('.').unwrap_or(("", name));
            let call = if has(&format!("{name}_mask")) {
                "torch.nn.utils.prune.remove"
            } else if has(&format!("{module}.parametrizations.{last}.")) {
                "torch.nn.utils.parametrize.remove_parametrizations"
            } else if has(&format!("{name}_g")) {
                "torch.nn.utils.remove_weight_norm"
            } else if has(&format!("{name}_u")) {
                "torch.nn.utils.remove_spectral_norm"
            } else {
                return None;
            };
            Some(format!(
                "it has what {name:?} is computed from: call {call} in Python, then save"
            ))
        })
    }

    fn nearest_unused(&self) -> Option<(&str, String)> {
        let unused = || self.unused.iter().map(String::as_str);
        self.missing
            .iter()
            .take(4)
            .find_map(|name| Some((name.as_str(), nearest(name, unused())?)))
    }
}

/// Short, like `Display`: a file can have a thousand names.
impl fmt::Debug for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LoadReport({self})")
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.file.file_name().map_or(self.file.as_path(), Path::new);
        let shapes: Vec<_> = self.mismatched.iter().map(Mismatch::to_string).collect();
        write!(f, "{}: {} loaded", shown(name), self.loaded.len())?;
        if self.by_graph {
            write!(f, " by the order of the graph")?;
        }
        for note in &self.notes {
            write!(f, "\n  {note}")?;
        }
        let lists = [
            ("missing", &self.missing),
            ("of another shape", &shapes),
            ("not in the file, initialized anew", &self.replaced),
            ("unused", &self.unused),
            ("skipped, not floating point", &self.skipped),
            (
                "batch norms folded into the layer before them",
                &self.folded,
            ),
        ];
        for (what, names) in lists {
            if !names.is_empty() {
                write!(f, "\n  {} {what}: {}", names.len(), first_few(names))?;
            }
        }
        Ok(())
    }
}
