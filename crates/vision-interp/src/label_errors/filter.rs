//! Which labels are probably wrong.

use std::cmp::Ordering;

use vision_base::progress::Progress;
use vision_base::workers;

use crate::label_errors::config::LabelFilter;
use crate::label_errors::given::Given;
use crate::label_errors::joint::ConfidentJoint;

/// How much less probable than the others the given class may be without being wrong, as in cleanlab.
const TOLERANCE: f64 = 1e-6;

impl LabelFilter {
    /// The rows whose label is probably wrong, ascending.
    pub(super) fn wrong(self, given: &Given<'_>, joint: &ConfidentJoint) -> Vec<usize> {
        let wrong = match self {
            Self::PruneByNoiseRate => by_noise_rate(given, joint),
            Self::PruneByClass => by_class(given, joint),
            Self::Both => {
                let mut both = by_noise_rate(given, joint);
                let other = by_class(given, joint);
                both.iter_mut()
                    .zip(other)
                    .for_each(|(one, other)| *one &= other);
                both
            }
            Self::ConfidentLearning => {
                let is_other = |row| {
                    joint
                        .confident(given, row)
                        .is_some_and(|c| c != given.labels[row])
                };
                (0..given.len()).map(is_other).collect()
            }
        };
        let wrong = wrong.into_iter().enumerate().filter(|(_, wrong)| *wrong);
        let wrong = wrong.map(|(row, _)| row);
        wrong.filter(|row| !is_predicted(given, *row)).collect()
    }
}

/// Whether the given class is the most probable one, or as good as that.
fn is_predicted(given: &Given<'_>, row: usize) -> bool {
    let (label, own) = (given.labels[row], given.own(row) + TOLERANCE);
    let probabilities = given.row(row).iter().enumerate();
    let mut others = probabilities.filter(|(class, _)| *class != label);
    // Ties go to the first class.
    others.all(|(class, p)| own > f64::from(*p) || own == f64::from(*p) && label < class)
}

fn by_class(given: &Given<'_>, joint: &ConfidentJoint) -> Vec<bool> {
    mark(given, joint, |class, rows, to_prune| {
        let wrong = rows.len().saturating_sub(to_prune[class] as usize);
        first(rows, wrong, |row| given.probability(row, class))
    })
}

fn by_noise_rate(given: &Given<'_>, joint: &ConfidentJoint) -> Vec<bool> {
    mark(given, joint, |class, rows, to_prune| {
        let mut found = Vec::new();
        for (other, count) in to_prune.iter().enumerate() {
            if other != class && *count > 0 {
                found.extend(first(rows, *count as usize, |row| {
                    given.probability(row, class) - given.probability(row, other)
                }));
            }
        }
        found
    })
}

/// Marks what `choose` returns for each class, its rows and how many of them are of each class. A class of one item
/// keeps it.
fn mark(
    given: &Given<'_>,
    joint: &ConfidentJoint,
    choose: impl Fn(usize, &[usize], &[u64]) -> Vec<usize> + Sync,
) -> Vec<bool> {
    let (rows, to_prune) = (given.rows_by_class(), joint.to_prune());
    let of_class = |class: usize| match rows[class].as_slice() {
        [] | [_] => Vec::new(),
        rows => choose(class, rows, &to_prune[class]),
    };
    let chosen = workers::map(
        given.classes,
        workers::cores(),
        &Progress::silent(),
        of_class,
    );
    let mut marks = vec![false; given.len()];
    for row in chosen.into_iter().flatten() {
        marks[row] = true;
    }
    marks
}

/// The `count` rows with the smallest values, in any order. Of equal values the first rows are taken.
fn first(rows: &[usize], count: usize, value: impl Fn(usize) -> f64) -> Vec<usize> {
    let mut all: Vec<(f64, usize)> = rows.iter().map(|&row| (value(row), row)).collect();
    if count < all.len() {
        all.select_nth_unstable_by(count, |a, b| {
            let values = a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal);
            values.then(a.1.cmp(&b.1))
        });
        all.truncate(count);
    }
    all.into_iter().map(|(_, row)| row).collect()
}
