//! Precision, recall and F1 of classes, and their averages.

use std::fmt::{self, Write as _};

use serde::Serialize;
use vision_base::csv;
use vision_base::message::named;
use vision_learner::Interval;

/// Scores of one class, by scikit-learn's definitions with `zero_division=0`: a score of which
/// nothing can be known is 0. The precision is such a score if `predicted` is 0, the recall if `support`
/// is 0, and F1 if both are.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ClassScores {
    /// Name of the class.
    pub class: String,
    /// Of the items predicted as this class, the fraction that belongs to it: TP / (TP + FP).
    pub precision: f64,
    /// Of the items of this class, the fraction predicted as such: TP / (TP + FN).
    pub recall: f64,
    /// Harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN).
    pub f1: f64,
    /// Number of items of this class.
    pub support: u64,
    /// Number of items predicted as this class.
    pub predicted: u64,
    /// The 95 % interval of the precision: [`Interval::wilson`]. `None` if nothing is known of it.
    pub precision_interval: Option<Interval>,
    /// The 95 % interval of the recall: [`Interval::wilson`]. `None` if nothing is known of it.
    pub recall_interval: Option<Interval>,
}

/// An average of scores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AverageScores {
    /// The precision.
    pub precision: f64,
    /// The recall.
    pub recall: f64,
    /// F1: the average of the F1 scores, not the F1 score of the averages.
    pub f1: f64,
    /// Number of labels, which is the number of items if each has one class.
    pub support: u64,
}

/// Scores of all classes and their averages: scikit-learn's `classification_report` with
/// `zero_division=0`.
///
/// It prints as scikit-learn's report does. Under the table it names the classes of whose precision or
/// recall nothing can be known. `{report:#}` also prints the 95 % intervals of precision and recall.
///
/// For JSON, it implements serde's `Serialize`.
///
/// ```
/// use vision_interp::ConfusionMatrix;
///
/// # fn main() -> vision_interp::Result<()> {
/// let matrix = ConfusionMatrix::from_rows(["cat", "dog"], [[3, 1], [2, 2]])?;
/// let report = matrix.classification_report();
/// assert_eq!(report.classes[0].precision, 0.6);
/// assert_eq!(report.macro_avg.recall, 0.625);
/// println!("{report}");
/// let interval = report.classes[0].recall_interval.unwrap();
/// assert_eq!(format!("{interval:.2}"), "0.30 to 0.95");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ClassificationReport {
    /// Scores of each class.
    pub classes: Vec<ClassScores>,
    /// Scores of all labels together. If items have one class each, all three are the accuracy.
    pub micro_avg: AverageScores,
    /// The mean over the classes.
    pub macro_avg: AverageScores,
    /// The mean over the classes, each with the weight of its support.
    pub weighted_avg: AverageScores,
    /// The mean over the items; `None` if items have one class each.
    pub samples_avg: Option<AverageScores>,
}

/// A count of labels: of a class, of an item, or of all.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hits {
    /// Labels that are predicted and actual.
    pub(crate) both: u64,
    pub(crate) predicted: u64,
    pub(crate) actual: u64,
}

impl Hits {
    pub(crate) fn scores(self) -> AverageScores {
        AverageScores {
            precision: ratio_or_0(self.both, self.predicted),
            recall: ratio_or_0(self.both, self.actual),
            f1: ratio_or_0(2 * self.both, self.predicted + self.actual),
            support: self.actual,
        }
    }

    pub(crate) fn of_class(self, class: &str) -> ClassScores {
        let scores = self.scores();
        ClassScores {
            class: class.to_owned(),
            precision: scores.precision,
            recall: scores.recall,
            f1: scores.f1,
            support: self.actual,
            predicted: self.predicted,
            precision_interval: Interval::wilson(self.both, self.predicted),
            recall_interval: Interval::wilson(self.both, self.actual),
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            both: self.both + other.both,
            predicted: self.predicted + other.predicted,
            actual: self.actual + other.actual,
        }
    }
}

impl ClassificationReport {
    /// From the counts of the classes, and of the items if they may have several classes.
    pub(crate) fn new(names: &[String], classes: &[Hits], items: Option<&[Hits]>) -> Self {
        let all = classes.iter().copied().fold(Hits::default(), Hits::plus);
        let mean = |counts: &[Hits], weight: &dyn Fn(&Hits) -> u64| {
            let sum = counts.iter().map(weight).sum::<u64>().max(1) as f64;
            let mut mean = AverageScores {
                support: all.actual,
                ..AverageScores::default()
            };
            for count in counts {
                let (scores, part) = (count.scores(), weight(count) as f64 / sum);
                mean.precision += part * scores.precision;
                mean.recall += part * scores.recall;
                mean.f1 += part * scores.f1;
            }
            mean
        };
        let scores = names.iter().zip(classes);
        Self {
            classes: scores.map(|(name, hits)| hits.of_class(name)).collect(),
            micro_avg: all.scores(),
            macro_avg: mean(classes, &|_| 1),
            weighted_avg: mean(classes, &|class| class.actual),
            samples_avg: items.map(|items| mean(items, &|_| 1)),
        }
    }

    /// The averages with their names in scikit-learn's report.
    fn averages(&self) -> Vec<(&'static str, AverageScores)> {
        let mut averages = vec![
            ("micro avg", self.micro_avg),
            ("macro avg", self.macro_avg),
            ("weighted avg", self.weighted_avg),
        ];
        averages.extend(self.samples_avg.map(|scores| ("samples avg", scores)));
        averages
    }

    /// The report as CSV: `class,precision,recall,f1,support,predicted`, and the 95 % intervals as
    /// `precision_low,precision_high,recall_low,recall_high`; one line per class. An interval of which
    /// nothing is known is empty. Names are quoted where they must be, and one that a spreadsheet would take for a formula has an
    /// apostrophe before it.
    pub fn to_csv(&self) -> String {
        let mut table = String::from(
            "class,precision,recall,f1,support,predicted,precision_low,precision_high,recall_low,recall_high\n",
        );
        for class in &self.classes {
            let ClassScores {
                precision,
                recall,
                f1,
                support,
                predicted,
                ..
            } = class;
            let name = csv::field(&class.class);
            let _ = write!(
                table,
                "{name},{precision:.6},{recall:.6},{f1:.6},{support},{predicted}"
            );
            for interval in [class.precision_interval, class.recall_interval] {
                match interval {
                    Some(Interval { low, high }) => _ = write!(table, ",{low:.6},{high:.6}"),
                    None => table.push_str(",,"),
                }
            }
            table.push('\n');
        }
        table
    }
}

/// A fraction. NaN for 0 of 0.
pub(crate) fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

fn ratio_or_0(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { ratio(part, whole) }
}

impl fmt::Display for ClassificationReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self
            .classes
            .iter()
            .map(|class| named(&class.class))
            .collect();
        let longest = names.iter().map(|name| name.chars().count()).max();
        let wide = longest.unwrap_or(0).max("weighted avg".len());
        let header = ["precision", "recall", "f1-score", "support"];
        write!(f, "{:>wide$} ", "")?;
        for title in header {
            write!(f, " {title:>9}")?;
        }
        if f.alternate() {
            write!(f, "   95 % of precision   95 % of recall")?;
        }
        write!(f, "\n\n")?;
        let line = |f: &mut fmt::Formatter<'_>, name: &str, scores: [f64; 3], support: u64| {
            let [precision, recall, f1] = scores;
            write!(
                f,
                "{name:>wide$}  {precision:>9.2} {recall:>9.2} {f1:>9.2} {support:>9}"
            )
        };
        let interval = |interval: Option<Interval>| {
            interval.map_or_else(|| "not known".to_owned(), |i| format!("{i:.2}"))
        };
        for (name, class) in names.iter().zip(&self.classes) {
            line(
                f,
                name,
                [class.precision, class.recall, class.f1],
                class.support,
            )?;
            if f.alternate() {
                let (precision, recall) = (
                    interval(class.precision_interval),
                    interval(class.recall_interval),
                );
                write!(f, "   {precision:>17}   {recall:>14}")?;
            }
            writeln!(f)?;
        }
        writeln!(f)?;
        for (name, scores) in self.averages() {
            let AverageScores {
                precision,
                recall,
                f1,
                support,
            } = scores;
            match (name, self.samples_avg) {
                ("micro avg", None) => {
                    writeln!(
                        f,
                        "{:>wide$}  {:>9} {:>9} {f1:>9.2} {support:>9}",
                        "accuracy", "", ""
                    )?;
                }
                _ => {
                    line(f, name, [precision, recall, f1], support)?;
                    writeln!(f)?;
                }
            }
        }
        for (what, unknown) in [
            (
                "never predicted, so their precision is not known and counts as 0",
                Self::unpredicted as fn(&ClassScores) -> bool,
            ),
            (
                "without items, so their recall is not known and counts as 0",
                Self::unsupported,
            ),
        ] {
            let found = names
                .iter()
                .zip(&self.classes)
                .filter(|(_, class)| unknown(class));
            let found: Vec<&String> = found.map(|(name, _)| name).collect();
            if !found.is_empty() {
                writeln!(
                    f,
                    "\n{what}: {}",
                    vision_base::message::listed(found.into_iter())
                )?;
            }
        }
        Ok(())
    }
}

impl ClassificationReport {
    fn unpredicted(class: &ClassScores) -> bool {
        class.predicted == 0
    }

    fn unsupported(class: &ClassScores) -> bool {
        class.support == 0
    }
}
