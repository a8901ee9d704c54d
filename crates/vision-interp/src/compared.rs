//! Two classifiers on the same images.

use std::fmt::{self, Write as _};

use serde::Serialize;
use vision_base::csv;
use vision_learner::{Comparison, compare};

use crate::items::{Items, check_classes};
use crate::plot::NamedTitle;
use crate::{ClassificationInterpretation, Figure, Result, TopLossesConfig};

/// Two classifiers on the same images: [`ClassificationInterpretation::compare`]. `Display` is one or two sentences.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Compared {
    /// The accuracies, their difference with its interval, and whether it is within noise.
    pub comparison: Comparison,
    /// The images for which only the first is right, in the order of the data.
    pub only_a: Vec<ChangedItem>,
    /// The images for which only the second is right, in the order of the data.
    pub only_b: Vec<ChangedItem>,
}

/// An image for which one classifier is right and the other wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ChangedItem {
    /// Position of the item in the data set.
    pub item: usize,
    /// The name of the item, such as its file.
    pub name: Option<String>,
    /// Name of the actual class.
    pub actual: String,
    /// Name of the class that the first predicts.
    pub predicted_a: String,
    /// Name of the class that the second predicts.
    pub predicted_b: String,
    /// Probability of the actual class, by the first.
    pub probability_a: f32,
    /// Probability of the actual class, by the second.
    pub probability_b: f32,
}

impl ClassificationInterpretation {
    /// Compares this classifier (A) with another one (B) on the same images: the difference of their accuracies with a 95 %
    /// interval, whether it is within noise ([`compare`]), and the images for which only one of them is right.
    ///
    /// ```no_run
    /// # fn example(before: &vision_learner::Learner, after: &vision_learner::Learner) -> vision_interp::Result<()> {
    /// use vision_interp::ClassificationInterpretation;
    ///
    /// let before = ClassificationInterpretation::from_learner(before)?;
    /// let after = ClassificationInterpretation::from_learner(after)?;
    /// let compared = before.compare(&after)?;
    /// println!("{compared}");
    /// // Run B is 1.2 points more accurate (95 % interval -0.2 to 2.6, p = 0.11): within noise. Only A is right for 9 images, ..
    /// for image in &compared.only_a {
    ///     println!("{:?} is now taken for {}", image.name, image.predicted_b);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Learner`](crate::Error::Learner) if the two do not have the same images with the same labels in the same order, or none;
    /// [`Error::Option`](crate::Error::Option) for other classes.
    pub fn compare(&self, other: &Self) -> Result<Compared> {
        check_classes(&self.items.classes, "B", other.classes())?;
        let comparison = compare(self.predictions(), other.predictions())?;
        let rows = |right: bool| self.changed_rows(other, right).into_iter();
        let changed = |row: usize| self.changed(other, row);
        Ok(Compared {
            comparison,
            only_a: rows(true).map(changed).collect(),
            only_b: rows(false).map(changed).collect(),
        })
    }

    /// A grid of up to `k` images for which only one of two classifiers is right: first those that B lost, then those that
    /// it gained, each with what A and B predict, the actual class, and the loss and the probability of the actual class by
    /// B.
    ///
    /// # Errors
    ///
    /// As [`compare`](Self::compare); [`Error::Figure`](crate::Error::Figure) if there is no such image, [`Error::Image`](crate::Error::Image) if one cannot be read.
    pub fn plot_changed(&self, other: &Self, k: usize) -> Result<Figure> {
        self.compare(other)?;
        let lost = self.changed_rows(other, true).into_iter();
        let rows = lost.chain(self.changed_rows(other, false)).take(k);
        let config = TopLossesConfig::new(k).with_title("Prediction A → B/Actual/Loss/Probability");
        Items::grid(
            rows.collect(),
            &config,
            |row| self.items.image(row),
            |row| {
                let mut title = other.loss_title(row);
                let before = &self.classes()[self.predictions().predicted(row)];
                title.predicted = format!("{before} → {}", title.predicted);
                NamedTitle {
                    title,
                    name: self.items.name(row),
                }
            },
        )
    }

    /// The rows for which only this classifier is right, or only the other one.
    pub(crate) fn changed_rows(&self, other: &Self, own: bool) -> Vec<usize> {
        let right = |interp: &Self, row: usize| {
            interp.predictions().predicted(row) == self.actual_class(row)
        };
        let rows = 0..self.predictions().len();
        rows.filter(|row| right(self, *row) == own && right(other, *row) != own)
            .collect()
    }

    fn changed(&self, other: &Self, row: usize) -> ChangedItem {
        let actual = self.actual_class(row);
        let name = |class: usize| self.classes()[class].clone();
        let (a, b) = (self.predictions(), other.predictions());
        ChangedItem {
            item: a.indices[row],
            name: self.items.name(row),
            actual: name(actual),
            predicted_a: name(a.predicted(row)),
            predicted_b: name(b.predicted(row)),
            probability_a: a.row(row)[actual],
            probability_b: b.row(row)[actual],
        }
    }
}

impl Compared {
    /// The changed images as CSV: `image,actual,predicted_a,predicted_b,probability_a,probability_b`, first those for which
    /// only A is right. An image without a name has its position in the data set. A name that a spreadsheet would take for a
    /// formula has an apostrophe before it.
    pub fn to_csv(&self) -> String {
        let mut table =
            "image,actual,predicted_a,predicted_b,probability_a,probability_b\n".to_owned();
        for one in self.only_a.iter().chain(&self.only_b) {
            let name = one.name.clone().unwrap_or_else(|| one.item.to_string());
            // Writing to a string cannot fail.
            let _ = writeln!(
                table,
                "{},{},{},{},{},{}",
                csv::field(&name),
                csv::field(&one.actual),
                csv::field(&one.predicted_a),
                csv::field(&one.predicted_b),
                one.probability_a,
                one.probability_b
            );
        }
        table
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let images = |count: usize| match count {
            1 => "1 image".to_owned(),
            _ => format!("{count} images"),
        };
        write!(
            f,
            "{}. Only A is right for {}, only B for {}.",
            self.comparison,
            images(self.only_a.len()),
            images(self.only_b.len())
        )
    }
}
