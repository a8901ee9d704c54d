//! Interpretation of predictions of several classes per item.

use std::fmt;

use image::RgbImage;
use vision_base::message::printable;
use vision_data::{TargetKind, Targets};
use vision_figure::{Caption, shorten_apart, shorten_middle, shorten_start, width};
use vision_learner::{Average, Predictions, RankingMetric, Threshold, average_precision, roc_auc};

use crate::items::Items;
use crate::plot::{binary_matrices, decimals};
use crate::scores::Hits;
use crate::{
    ClassificationReport, ConfusionPlotConfig, Error, Figure, ImageError, Result, TopLossesConfig,
};

/// Predictions, losses and targets of a data set whose items have any number of classes, with the
/// analysis of them. For items with one class each see
/// [`ClassificationInterpretation`](crate::ClassificationInterpretation).
///
/// A class is predicted if its probability is *above* the [threshold](Self::with_threshold), as in
/// [`accuracy_thresh`](vision_learner::accuracy_thresh). (`Learner::predict` takes a probability equal to
/// the threshold too; both as in fastai.)
///
/// Create it [from a learner](Self::from_learner) or [from any
/// predictions](Self::from_predictions).
#[derive(Clone)]
#[doc(alias = "MultiLabelClassificationInterpretation")]
pub struct MultiLabelInterpretation {
    pub(crate) items: Items,
    threshold: Threshold,
    /// Whether each item has each class, and whether it is predicted; row-major `[items, classes]`.
    cells: Vec<Cell>,
    matrices: Vec<BinaryMatrix>,
}

#[derive(Clone, Copy, Default)]
struct Cell {
    actual: bool,
    predicted: bool,
}

/// Counts of items that have a class or not, by whether it was predicted or not: one matrix of
/// scikit-learn's `multilabel_confusion_matrix`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BinaryMatrix {
    /// Name of the class.
    pub class: String,
    /// Items without the class for which it was not predicted.
    pub true_negatives: u64,
    /// Items without the class for which it was predicted.
    pub false_positives: u64,
    /// Items with the class for which it was not predicted.
    pub false_negatives: u64,
    /// Items with the class for which it was predicted.
    pub true_positives: u64,
}

impl BinaryMatrix {
    /// `[[TN, FP], [FN, TP]]`: rows are actual, columns predicted, and "no" is before "yes".
    pub fn rows(&self) -> [[u64; 2]; 2] {
        [
            [self.true_negatives, self.false_positives],
            [self.false_negatives, self.true_positives],
        ]
    }

    fn add(&mut self, cell: Cell) {
        let count = match (cell.actual, cell.predicted) {
            (false, false) => &mut self.true_negatives,
            (false, true) => &mut self.false_positives,
            (true, false) => &mut self.false_negatives,
            (true, true) => &mut self.true_positives,
        };
        *count += 1;
    }

    fn hits(&self) -> Hits {
        Hits {
            both: self.true_positives,
            predicted: self.true_positives + self.false_positives,
            actual: self.true_positives + self.false_negatives,
        }
    }
}

/// An item with its predicted and actual classes, its loss, and the class with the largest loss.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MultiLabelLoss {
    /// Position of the item in the data set.
    pub item: usize,
    /// The name of the item, such as its file.
    pub name: Option<String>,
    /// Names of the predicted classes.
    pub predicted: Vec<String>,
    /// Names of the actual classes.
    pub actual: Vec<String>,
    /// The loss of the item.
    pub loss: f32,
    /// The class with the largest loss: that of which the prediction is most wrong. (Weights of the
    /// loss do not count here.)
    pub worst: String,
    /// Probability of this class, from 0 to 1.
    pub probability: f32,
}

impl MultiLabelInterpretation {
    /// Interprets existing predictions, with a threshold of 0.5. `images` returns the image at a
    /// position of the data set; it is called only for the few images that are drawn.
    ///
    /// ```
    /// use vision_data::{MultiLabels, Targets};
    /// use vision_interp::MultiLabelInterpretation;
    /// use vision_learner::Predictions;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut labels = MultiLabels::new(2);
    /// labels.push([0, 1])?;
    /// labels.push([])?;
    /// let predictions = Predictions {
    ///     probabilities: vec![0.9, 0.2, 0.6, 0.1],
    ///     classes: 2,
    ///     targets: Targets::MultiCategory(labels),
    ///     losses: vec![0.8574, 0.5108],
    ///     indices: vec![0, 1],
    /// };
    /// let classes = vec!["clear".to_owned(), "water".to_owned()];
    /// let image = |_item| Ok(image::RgbImage::new(28, 28));
    /// let interp = MultiLabelInterpretation::from_predictions(classes, predictions, image)?;
    /// assert_eq!(interp.confusion_matrices()[0].rows(), [[0, 1], [0, 1]]);
    /// assert_eq!(interp.multi_top_losses(1)[0].worst, "water");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Lengths`] if the arguments do not fit together, [`Error::LabelKind`] if the items do not
    /// have several classes each.
    pub fn from_predictions(
        classes: Vec<String>,
        predictions: Predictions,
        images: impl Fn(usize) -> std::result::Result<RgbImage, ImageError> + Send + Sync + 'static,
    ) -> Result<Self> {
        let items = Items::new(TargetKind::MultiCategory, classes, predictions, images)?;
        Self::new(items)
    }

    pub(crate) fn new(items: Items) -> Result<Self> {
        let classes = items.classes.len();
        let mut cells = vec![Cell::default(); items.predictions.probabilities.len()];
        if let Targets::MultiCategory(labels) = &items.predictions.targets {
            if labels.classes() != classes {
                return Err(Error::Lengths {
                    field: "the classes of the labels",
                    expected: classes,
                    found: labels.classes(),
                });
            }
            for (item, row) in cells.chunks_mut(classes.max(1)).enumerate() {
                for class in labels.get(item).unwrap_or_default() {
                    row[*class as usize].actual = true;
                }
            }
        }
        Ok(Self {
            items,
            threshold: Threshold::default(),
            cells,
            matrices: Vec::new(),
        }
        .counted())
    }

    /// Applies the threshold and counts.
    fn counted(mut self) -> Self {
        let named = |class: &String| BinaryMatrix {
            class: class.clone(),
            ..BinaryMatrix::default()
        };
        self.matrices = self.items.classes.iter().map(named).collect();
        let places = (0..self.matrices.len()).cycle();
        let probabilities = &self.items.predictions.probabilities;
        for ((cell, probability), class) in self.cells.iter_mut().zip(probabilities).zip(places) {
            cell.predicted = *probability > self.threshold.of(class);
            self.matrices[class].add(*cell);
        }
        self
    }

    /// Sets the probability above which a class is predicted: one for all classes, or one for each, such as
    /// [`BestThresholds::thresholds`](crate::BestThresholds::thresholds). Default: 0.5.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] if one is not from 0 to 1, or if there is not one for each class.
    pub fn with_threshold(mut self, threshold: impl Into<Threshold>) -> Result<Self> {
        let threshold = threshold.into();
        threshold.check(self.items.classes.len())?;
        self.threshold = threshold;
        Ok(self.counted())
    }

    /// Sets the name of the item at a position of the data set, such as its file, which the figures of
    /// top losses write under the prediction. Default: the file of a learner's item; none for
    /// predictions.
    pub fn with_names(mut self, names: impl Fn(usize) -> String + Send + Sync + 'static) -> Self {
        self.items = self.items.with_names(names);
        self
    }

    /// Names of the classes.
    pub fn classes(&self) -> &[String] {
        &self.items.classes
    }

    /// The predictions.
    pub fn predictions(&self) -> &Predictions {
        &self.items.predictions
    }

    /// The probability above which a class is predicted.
    pub fn threshold(&self) -> &Threshold {
        &self.threshold
    }

    /// The fraction of correct answers over items and classes, as in
    /// [`accuracy_thresh`](vision_learner::accuracy_thresh). NaN if there are no items.
    pub fn accuracy(&self) -> f64 {
        let right = |cell: &&Cell| cell.actual == cell.predicted;
        self.cells.iter().filter(right).count() as f64 / self.cells.len() as f64
    }

    /// The `k` largest losses in descending order, and the positions of their items in the data set. The
    /// loss of an item is that of training: by default the mean of the binary cross-entropies of its
    /// classes.
    ///
    /// Returns all of them if there are fewer than `k`. Equal losses keep the order of the items.
    /// As in `torch.topk`, NaN counts as larger than every number, so a broken item appears first.
    pub fn top_losses(&self, k: usize) -> (Vec<f32>, Vec<usize>) {
        self.items.losses(k, true)
    }

    /// The `k` smallest losses in ascending order, and the positions of their items in the data set
    /// (fastai's `largest=False`). NaN comes last.
    pub fn lowest_losses(&self, k: usize) -> (Vec<f32>, Vec<usize>) {
        self.items.losses(k, false)
    }

    /// Of the items whose predicted classes are not exactly the actual ones, the `k` with the largest
    /// losses, in descending order.
    ///
    /// fastai's `plot_multi_top_losses` compares only the most probable class of an item; here all
    /// classes count.
    pub fn multi_top_losses(&self, k: usize) -> Vec<MultiLabelLoss> {
        let rows = self.wrong_rows(k, true);
        rows.into_iter().map(|row| self.loss(row)).collect()
    }

    fn cells_of(&self, row: usize) -> &[Cell] {
        let classes = self.items.classes.len();
        &self.cells[row * classes..(row + 1) * classes]
    }

    fn wrong_rows(&self, k: usize, largest: bool) -> Vec<usize> {
        let wrong = |row: &usize| {
            self.cells_of(*row)
                .iter()
                .any(|cell| cell.actual != cell.predicted)
        };
        let rows = (0..self.items.predictions.len()).filter(wrong);
        self.items.ranked(rows, k, largest)
    }

    pub(crate) fn loss(&self, row: usize) -> MultiLabelLoss {
        let (items, cells) = (&self.items, self.cells_of(row));
        let probabilities = items.predictions.row(row);
        let names = |is: fn(&Cell) -> bool| {
            let named = items.classes.iter().zip(cells).filter(|(_, cell)| is(cell));
            named.map(|(name, _)| name.clone()).collect()
        };
        // Binary cross-entropy grows with the distance from the target. Ties go to the first.
        let error = |class: &usize| {
            let target = f32::from(u8::from(cells[*class].actual));
            (probabilities[*class] - target).abs()
        };
        let worst = (0..cells.len())
            .rev()
            .max_by(|a, b| error(a).total_cmp(&error(b)));
        MultiLabelLoss {
            item: items.predictions.indices[row],
            name: items.name(row),
            predicted: names(|cell| cell.predicted),
            actual: names(|cell| cell.actual),
            loss: items.predictions.losses[row],
            worst: worst.map_or_else(String::new, |class| items.classes[class].clone()),
            probability: worst.map_or(f32::NAN, |class| probabilities[class]),
        }
    }

    /// A 2 x 2 confusion matrix for each class.
    #[doc(alias = "multilabel_confusion_matrix")]
    pub fn confusion_matrices(&self) -> &[BinaryMatrix] {
        &self.matrices
    }

    /// Precision, recall and F1 of every class, and their averages.
    pub fn classification_report(&self) -> ClassificationReport {
        let classes: Vec<Hits> = self.matrices.iter().map(BinaryMatrix::hits).collect();
        let count = |row: usize| {
            let of = |is: fn(&Cell) -> bool| {
                self.cells_of(row).iter().filter(|cell| is(cell)).count() as u64
            };
            Hits {
                both: of(|cell| cell.actual && cell.predicted),
                predicted: of(|cell| cell.predicted),
                actual: of(|cell| cell.actual),
            }
        };
        let items: Vec<Hits> = (0..self.items.predictions.len()).map(count).collect();
        ClassificationReport::new(&self.items.classes, &classes, Some(&items))
    }

    /// The average precision of each class, which does not depend on the threshold: scikit-learn's
    /// `average_precision_score`. `None` for a class that no item has.
    pub fn average_precision(&self) -> Vec<Option<f64>> {
        self.each_ranking(&average_precision(Average::Macro))
    }

    /// The area under the ROC curve of each class, which does not depend on the threshold:
    /// scikit-learn's `roc_auc_score`. `None` for a class that no item has, or all.
    pub fn roc_auc(&self) -> Vec<Option<f64>> {
        self.each_ranking(&roc_auc(Average::Macro))
    }

    fn each_ranking(&self, metric: &RankingMetric) -> Vec<Option<f64>> {
        let classes = self.items.classes.len();
        let probabilities = &self.items.predictions.probabilities;
        let of = |class: usize| {
            let pairs = probabilities
                .iter()
                .zip(&self.cells)
                .skip(class)
                .step_by(classes);
            let pairs = pairs.map(|(probability, cell)| (f64::from(*probability), cell.actual));
            metric.score(pairs.collect())
        };
        (0..classes).map(of).collect()
    }

    /// A grid of the `k` images with the largest losses, each with its predicted and actual classes, the
    /// loss, the class with the largest loss and its probability, and the name of its file.
    ///
    /// # Errors
    ///
    /// [`Error::Figure`] if there are no items, [`Error::Image`] if an image cannot be read.
    pub fn plot_top_losses(&self, k: usize) -> Result<Figure> {
        self.plot_top_losses_with(&TopLossesConfig::of_labels(k))
    }

    /// Like [`plot_top_losses`](Self::plot_top_losses), with settings.
    ///
    /// # Errors
    ///
    /// [`Error::Figure`], [`Error::Image`], or an error for an invalid setting.
    pub fn plot_top_losses_with(&self, config: &TopLossesConfig) -> Result<Figure> {
        let rows = 0..self.items.predictions.len();
        let rows = self.items.ranked(rows, config.k, config.largest);
        self.items.plot(rows, config, |row| self.loss(row))
    }

    /// Like [`plot_top_losses`](Self::plot_top_losses), but only of items whose predicted classes are
    /// not exactly the actual ones: [`multi_top_losses`](Self::multi_top_losses).
    ///
    /// # Errors
    ///
    /// [`Error::Figure`] if there are no such items, [`Error::Image`] if an image cannot be read.
    pub fn plot_multi_top_losses(&self, k: usize) -> Result<Figure> {
        self.plot_multi_top_losses_with(&TopLossesConfig::of_labels(k))
    }

    /// Like [`plot_multi_top_losses`](Self::plot_multi_top_losses), with settings.
    ///
    /// # Errors
    ///
    /// [`Error::Figure`], [`Error::Image`], or an error for an invalid setting.
    pub fn plot_multi_top_losses_with(&self, config: &TopLossesConfig) -> Result<Figure> {
        let rows = self.wrong_rows(config.k, config.largest);
        if rows.is_empty() {
            return Err(Error::Figure(vision_figure::Error::NothingToDraw {
                what: "no item was asked for whose predicted classes differ from the actual ones",
            }));
        }
        self.items.plot(rows, config, |row| self.loss(row))
    }

    /// The 2 x 2 confusion matrices of all classes, with the counts.
    ///
    /// # Errors
    ///
    /// [`Error::Figure`] if there are no classes, or too many to draw.
    pub fn plot_confusion_matrices(&self) -> Result<Figure> {
        let config = ConfusionPlotConfig::new().with_title("Confusion matrices");
        self.plot_confusion_matrices_with(&config)
    }

    /// Like [`plot_confusion_matrices`](Self::plot_confusion_matrices), with settings: for example with
    /// normalized rows. The shade of a cell is always its share of the row, since most items lack most
    /// classes; there is no color bar.
    ///
    /// # Errors
    ///
    /// As [`plot_confusion_matrices`](Self::plot_confusion_matrices), or an error for an invalid
    /// setting.
    pub fn plot_confusion_matrices_with(&self, config: &ConfusionPlotConfig) -> Result<Figure> {
        binary_matrices(&self.matrices, config)
    }
}

const PREDICTED: &str = "predicted ";
const ACTUAL: &str = "actual ";

impl MultiLabelLoss {
    /// The predicted and the actual classes.
    fn lists(&self) -> [String; 2] {
        [&self.predicted, &self.actual].map(|names| match names.is_empty() {
            true => "none".to_owned(),
            false => names.join(";"),
        })
    }

    fn lines(&self, [predicted, actual]: &[String; 2], worst: &str) -> [String; 3] {
        let (loss, probability) = (f64::from(self.loss), f64::from(self.probability));
        let (loss, probability) = (decimals(loss, 2), decimals(probability, 2));
        [
            format!("{PREDICTED}{predicted}"),
            format!("{ACTUAL}{actual}"),
            format!("{loss} / {worst} {probability}"),
        ]
    }
}

impl Caption for MultiLabelLoss {
    fn whole(&self) -> Vec<String> {
        let lines = self.lines(&self.lists(), &self.worst).into_iter();
        lines.chain(self.name.clone()).collect()
    }

    /// Shortens the names of the classes and the beginning of the path, not the numbers.
    fn fit(&self, room: f32, size: f32) -> Vec<String> {
        let lists = self.lists();
        // The same room for both, or they would differ by their lengths alone.
        let left = room - width(PREDICTED, size);
        let short = shorten_apart(lists.iter().map(|list| (list.as_str(), left)), size);
        let short = short.try_into().unwrap_or(lists);
        let numbers = width(&self.lines(&short, "")[2], size);
        let worst = shorten_middle(&self.worst, size, room - numbers);
        let name = self.name.iter().map(|name| shorten_start(name, size, room));
        self.lines(&short, &worst).into_iter().chain(name).collect()
    }
}

/// On one line: `predicted cat;dog, actual cat, 0.82 / dog 0.91`.
impl fmt::Display for MultiLabelLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines(&self.lists(), &self.worst);
        f.write_str(&printable(&lines.join(", ")))
    }
}

impl fmt::Debug for MultiLabelInterpretation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.items.debug("MultiLabelInterpretation", f)
    }
}
