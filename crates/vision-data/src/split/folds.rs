//! The folds of a cross-validation.

use crate::split::{By, Split};

/// A division of the items into folds; each fold is the validation part once.
///
/// ```
/// use vision_data::{By, Folds};
///
/// let folds = Folds::stratified(5, By::Label).with_seed(7);
/// assert_eq!(folds.splits().count(), 5);
/// ```
#[doc(alias("KFold", "StratifiedKFold", "GroupKFold"))]
#[derive(Clone, Debug)]
pub struct Folds {
    folds: usize,
    seed: u64,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Plain,
    Stratified(By),
    Grouped(By),
}

impl Folds {
    fn of(folds: usize, kind: Kind) -> Self {
        let seed = 42;
        Self { folds, seed, kind }
    }

    /// Random folds: [`Split::Fold`]. Their sizes differ by at most one.
    pub fn new(folds: usize) -> Self {
        Self::of(folds, Kind::Plain)
    }

    /// Folds with the same share of each class: [`Split::StratifiedFold`].
    pub fn stratified(folds: usize, by: By) -> Self {
        Self::of(folds, Kind::Stratified(by))
    }

    /// Folds of whole groups, such as all images of a patient: [`Split::GroupedFold`].
    pub fn grouped(folds: usize, by: By) -> Self {
        Self::of(folds, Kind::Grouped(by))
    }

    /// Sets the seed of the division. Default: 42.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The number of folds.
    pub fn count(&self) -> usize {
        self.folds
    }

    /// The split of each fold, in order.
    pub fn splits(&self) -> impl Iterator<Item = Split> + '_ {
        (0..self.folds).map(|fold| self.split(fold))
    }

    fn split(&self, fold: usize) -> Split {
        let (folds, seed) = (self.folds, self.seed);
        match &self.kind {
            Kind::Plain => Split::Fold { fold, folds, seed },
            Kind::Stratified(by) => Split::StratifiedFold {
                fold,
                folds,
                seed,
                by: by.clone(),
            },
            Kind::Grouped(by) => Split::GroupedFold {
                fold,
                folds,
                seed,
                by: by.clone(),
            },
        }
    }
}
