//! Split and labeled images: the result of the data block, which a data bunch keeps.

use std::path::PathBuf;
use std::sync::Arc;

use crate::decisions::record::Decided;
use crate::files::index::Skipped;
use crate::image_source::chosen::Chosen;
use crate::labels::kind::{Dropped, TargetKind};
use crate::labels::targets::Targets;

/// Split and labeled images; `P` is the type of one part.
#[derive(Clone, Debug)]
pub(crate) struct Labeled<P> {
    /// The root folder.
    pub(crate) path: PathBuf,
    pub(crate) kind: TargetKind,
    pub(crate) classes: Arc<[String]>,
    /// The number of outputs of a model: one per class, or one per number.
    pub(crate) c: usize,
    pub(crate) dropped: Vec<Dropped>,
    pub(crate) skipped: Skipped,
    /// What decisions changed.
    pub(crate) decided: Decided,
    pub(crate) train: P,
    pub(crate) valid: P,
    pub(crate) test: Option<P>,
}

impl<P> Labeled<P> {
    /// Converts each part with `part`.
    pub(crate) fn map<Q>(self, mut part: impl FnMut(P) -> Q) -> Labeled<Q> {
        Labeled {
            path: self.path,
            kind: self.kind,
            classes: self.classes,
            c: self.c,
            dropped: self.dropped,
            skipped: self.skipped,
            decided: self.decided,
            train: part(self.train),
            valid: part(self.valid),
            test: self.test.map(part),
        }
    }
}

/// Files with their labels.
#[derive(Clone, Debug)]
pub struct LabeledFiles {
    pub(crate) files: Vec<PathBuf>,
    /// The source of images that are not files.
    pub(crate) source: Option<Chosen>,
    pub(crate) targets: Targets,
}

impl LabeledFiles {
    /// The files at these positions, in this order.
    pub(crate) fn at(&self, positions: &[usize]) -> Self {
        let files = positions
            .iter()
            .map(|&position| self.files[position].clone());
        let source = self.source.as_ref();
        Self {
            files: files.collect(),
            source: source.map(|source| source.at(positions.iter().copied())),
            targets: self.targets.select(positions),
        }
    }

    /// The files, in order; for images that are not files, their names.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Their labels.
    pub fn targets(&self) -> &Targets {
        &self.targets
    }
}
