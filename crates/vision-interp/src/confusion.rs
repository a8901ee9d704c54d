//! Confusion matrix.

use std::fmt;

use serde::Serialize;
use vision_base::message::named;
use vision_base::{OptionError, csv, shorten};

use crate::scores::{Hits, ratio};
use crate::{ClassScores, ClassificationReport, Error, Result};

/// Up to this number counts are exact as 64-bit floats, and no sum overflows.
const MOST_ITEMS: u128 = 1 << 53;

/// Counts of items by actual class (rows) and predicted class (columns).
///
/// Items are counted one at a time, so memory is 8 bytes x classes², for any number of items. For JSON, it implements serde's
/// `Serialize`.
///
/// ```
/// use vision_interp::ConfusionMatrix;
///
/// # fn main() -> vision_interp::Result<()> {
/// let mut matrix = ConfusionMatrix::new(["cat", "dog"]);
/// for (actual, predicted) in [(0, 0), (0, 1), (1, 1), (1, 1)] {
///     matrix.add(actual, predicted)?;
/// }
/// assert_eq!(matrix.get(0, 1), Some(1));
/// assert_eq!(matrix.accuracy(), 0.75);
/// assert_eq!(matrix.most_confused(1), [("cat".to_owned(), "dog".to_owned(), 1)]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfusionMatrix {
    classes: Vec<String>,
    /// Row-major `[actual, predicted]`.
    counts: Vec<u64>,
}

impl ConfusionMatrix {
    /// A matrix of zeros for these classes.
    pub fn new(classes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let classes: Vec<String> = classes.into_iter().map(Into::into).collect();
        let counts = vec![0; classes.len() * classes.len()];
        Self { classes, counts }
    }

    /// A matrix of known counts: one row per actual class, one column per predicted class.
    ///
    /// # Errors
    ///
    /// [`Error::Lengths`] if the number of rows, or of columns in a row, is not the number of
    /// classes; [`Error::Option`] if there are more than 2⁵³ items.
    pub fn from_rows(
        classes: impl IntoIterator<Item = impl Into<String>>,
        rows: impl IntoIterator<Item = impl AsRef<[u64]>>,
    ) -> Result<Self> {
        let classes: Vec<String> = classes.into_iter().map(Into::into).collect();
        let length = |field, found| match found == classes.len() {
            true => Ok(()),
            false => Err(Error::Lengths {
                field,
                expected: classes.len(),
                found,
            }),
        };
        let (mut counts, mut found) = (Vec::new(), 0);
        for row in rows {
            length("a row of the confusion matrix", row.as_ref().len())?;
            counts.extend_from_slice(row.as_ref());
            found += 1;
        }
        length("the confusion matrix", found)?;
        let total = counts.iter().map(|count| u128::from(*count)).sum::<u128>();
        if total > MOST_ITEMS {
            return Err(Error::Option(OptionError::new(
                "counts",
                "at most 2^53 items",
                total.to_string(),
            )));
        }
        Ok(Self { classes, counts })
    }

    /// Counts one item.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownClass`] if an index is not below the number of classes.
    pub fn add(&mut self, actual: usize, predicted: usize) -> Result<()> {
        let classes = self.classes.len();
        for (role, found) in [("actual", actual), ("predicted", predicted)] {
            if found >= classes {
                return Err(Error::UnknownClass {
                    role,
                    found,
                    classes,
                });
            }
        }
        self.counts[actual * classes + predicted] += 1;
        Ok(())
    }

    /// Names of the classes, in the order of rows and columns.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// How often `actual` was predicted as `predicted`. `None` if there is no such class.
    pub fn get(&self, actual: usize, predicted: usize) -> Option<u64> {
        self.rows().nth(actual)?.get(predicted).copied()
    }

    /// One row per actual class: `[predicted]`.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[u64]> {
        // `max` because chunks of 0 would panic; a matrix without classes has no rows either way.
        self.counts.chunks(self.classes.len().max(1))
    }

    /// Number of items.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Number of items on the diagonal.
    pub fn correct(&self) -> u64 {
        self.counts.iter().step_by(self.classes.len() + 1).sum()
    }

    /// The fraction of items on the diagonal. NaN if there are none.
    pub fn accuracy(&self) -> f64 {
        ratio(self.correct(), self.total())
    }

    /// Each row divided by its sum, so that the diagonal is the recall. NaN in a row without items.
    pub fn normalized(&self) -> Vec<Vec<f64>> {
        let normalize = |row: &[u64]| {
            let sum = row.iter().sum();
            row.iter().map(|count| ratio(*count, sum)).collect()
        };
        self.rows().map(normalize).collect()
    }

    /// Pairs of classes that were confused at least `min_val` times: (actual, predicted, count),
    /// most frequent first. Pairs with equal counts keep the order of the matrix.
    ///
    /// Pairs that never occurred are omitted, even for a `min_val` of 0.
    #[doc(alias = "min_val")]
    pub fn most_confused(&self, min_val: usize) -> Vec<(String, String, usize)> {
        let mut pairs = Vec::new();
        for (actual, row) in self.classes.iter().zip(self.rows()) {
            for (predicted, count) in self.classes.iter().zip(row) {
                // Compare addresses: two classes could have the same name.
                if *count >= (min_val as u64).max(1) && !std::ptr::eq(actual, predicted) {
                    pairs.push((actual.clone(), predicted.clone(), *count as usize));
                }
            }
        }
        pairs.sort_by_key(|(_, _, count)| std::cmp::Reverse(*count));
        pairs
    }

    /// The counts as CSV: a row for each actual class, a column for each predicted one. A name that a spreadsheet would take
    /// for a formula has an apostrophe before it.
    pub fn to_csv(&self) -> String {
        let mut table = String::from("actual");
        for class in &self.classes {
            table.push(',');
            table.push_str(&csv::field(class));
        }
        for (class, row) in self.classes.iter().zip(self.rows()) {
            table.push('\n');
            table.push_str(&csv::field(class));
            for count in row {
                table.push(',');
                table.push_str(&count.to_string());
            }
        }
        table.push('\n');
        table
    }

    /// Precision, recall and F1 of every class.
    pub fn per_class(&self) -> Vec<ClassScores> {
        self.classification_report().classes
    }

    /// Precision, recall and F1 of every class, and their averages.
    pub fn classification_report(&self) -> ClassificationReport {
        let mut hits = vec![Hits::default(); self.classes.len()];
        for (actual, row) in self.rows().enumerate() {
            for (predicted, count) in row.iter().enumerate() {
                hits[predicted].predicted += count;
                hits[actual].actual += count;
            }
            hits[actual].both = row[actual];
        }
        ClassificationReport::new(&self.classes, &hits, None)
    }
}

/// A table with a row per actual class. With more than 20 classes, only size, total and accuracy.
impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 20;
        let c = self.classes.len();
        if c > MOST {
            let (total, accuracy) = (self.total(), self.accuracy());
            return write!(
                f,
                "{c} x {c} confusion matrix of {total} items, accuracy {accuracy:.4}"
            );
        }
        let names: Vec<String> = self.classes.iter().map(|class| named(class)).collect();
        let names = shorten::apart(names.iter().map(|name| (name.as_str(), 16.0)), |_| 1.0);
        let corner = "actual \\ predicted";
        let chars = |text: &str| text.chars().count();
        let first = names
            .iter()
            .map(|n| chars(n))
            .max()
            .unwrap_or(0)
            .max(chars(corner));
        write!(f, "{corner:first$}")?;
        let columns = names.iter().enumerate().map(|(column, name)| {
            let counts = self.rows().filter_map(|row| row.get(column));
            let digits = counts.map(|count| chars(&count.to_string())).max();
            digits.unwrap_or(0).max(chars(name))
        });
        let widths: Vec<_> = columns.collect();
        for (name, width) in names.iter().zip(&widths) {
            write!(f, "  {name:>width$}")?;
        }
        for (name, row) in names.iter().zip(self.rows()) {
            write!(f, "\n{name:first$}")?;
            for (count, width) in row.iter().zip(&widths) {
                write!(f, "  {count:>width$}")?;
            }
        }
        Ok(())
    }
}
