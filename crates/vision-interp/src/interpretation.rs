//! Interpretation of a classifier's predictions.

use image::RgbImage;
use vision_data::TargetKind;
use vision_learner::Predictions;

use crate::confused_pair::ConfusedItem;
use crate::items::Items;
use crate::plot::{LossTitle, NamedTitle};
use crate::{
    ConfusionMatrix, ConfusionPlotConfig, Error, Figure, ImageError, Result, TopLossesConfig,
};

/// Predictions, losses and targets of a data set whose items have one class each, with the analysis of
/// them. For items with several classes see
/// [`MultiLabelInterpretation`](crate::MultiLabelInterpretation).
///
/// Create it [from a learner](Self::from_learner) or [from any
/// predictions](Self::from_predictions).
#[derive(Clone)]
pub struct ClassificationInterpretation {
    pub(crate) items: Items,
    /// The actual class of each item.
    actual: Vec<usize>,
    matrix: ConfusionMatrix,
}

impl ClassificationInterpretation {
    /// Interprets existing predictions. `images` returns the image at a position of the data set;
    /// it is called only for the few images that are drawn.
    ///
    /// ```
    /// use vision_data::Targets;
    /// use vision_interp::ClassificationInterpretation;
    /// use vision_learner::Predictions;
    ///
    /// # fn main() -> vision_interp::Result<()> {
    /// let predictions = Predictions {
    ///     probabilities: vec![0.9, 0.1, 0.6, 0.4],
    ///     classes: 2,
    ///     targets: Targets::Category(vec![0, 1]),
    ///     losses: vec![0.1054, 0.9163],
    ///     indices: vec![0, 1],
    /// };
    /// let classes = vec!["3".to_owned(), "7".to_owned()];
    /// let image = |_item| Ok(image::RgbImage::new(28, 28));
    /// let interp = ClassificationInterpretation::from_predictions(classes, predictions, image)?;
    /// assert_eq!(interp.top_losses(1), (vec![0.9163], vec![1]));
    /// assert!(interp.plot_top_losses(2)?.to_svg().contains("3/7 / 0.92 / 0.40"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Lengths`] or [`Error::UnknownClass`] if the arguments do not fit together,
    /// [`Error::LabelKind`] if the items do not have one class each.
    pub fn from_predictions(
        classes: Vec<String>,
        predictions: Predictions,
        images: impl Fn(usize) -> std::result::Result<RgbImage, ImageError> + Send + Sync + 'static,
    ) -> Result<Self> {
        let items = Items::new(TargetKind::Category, classes, predictions, images)?;
        Self::new(items)
    }

    pub(crate) fn new(items: Items) -> Result<Self> {
        let c = items.classes.len();
        let actual = items.predictions.targets.categories()?;
        if let Some(found) = actual.iter().copied().find(|target| *target >= c) {
            return Err(Error::UnknownClass {
                role: "actual",
                found,
                classes: c,
            });
        }
        let mut matrix = ConfusionMatrix::new(&items.classes);
        for (row, target) in actual.iter().enumerate() {
            matrix.add(*target, items.predictions.predicted(row))?;
        }
        Ok(Self {
            items,
            actual,
            matrix,
        })
    }

    /// Sets the name of the item at a position of the data set, such as its file, which
    /// [`plot_top_losses`](Self::plot_top_losses) writes under the prediction. Default: the file of a
    /// learner's item; none for predictions.
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

    /// The fraction of items whose most probable class is the actual one. NaN if there are no
    /// items.
    pub fn accuracy(&self) -> f64 {
        self.matrix.accuracy()
    }

    /// The `k` largest losses in descending order, and the positions of their items in the data set.
    ///
    /// Returns all of them if there are fewer than `k`. Equal losses keep the order of the items.
    /// As in `torch.topk`, NaN counts as larger than every number, so a broken item appears first.
    #[doc(alias = "from_toplosses")]
    pub fn top_losses(&self, k: usize) -> (Vec<f32>, Vec<usize>) {
        self.items.losses(k, true)
    }

    /// The `k` smallest losses in ascending order, and the positions of their items in the data set
    /// (fastai's `largest=False`). NaN comes last.
    pub fn lowest_losses(&self, k: usize) -> (Vec<f32>, Vec<usize>) {
        self.items.losses(k, false)
    }

    /// The confusion matrix: actual classes (rows) against predicted classes (columns).
    pub fn confusion_matrix(&self) -> &ConfusionMatrix {
        &self.matrix
    }

    /// Pairs of classes that were confused at least `min_val` times: (actual, predicted, count),
    /// most frequent first. See [`ConfusionMatrix::most_confused`].
    #[doc(alias = "min_val")]
    pub fn most_confused(&self, min_val: usize) -> Vec<(String, String, usize)> {
        self.matrix.most_confused(min_val)
    }

    /// The rows of items of a class that were predicted as another one, those with the largest losses first.
    pub(crate) fn confused_rows(&self, actual: usize, predicted: usize, most: usize) -> Vec<usize> {
        let predictions = &self.items.predictions;
        let is_one =
            |row: &usize| self.actual[*row] == actual && predictions.predicted(*row) == predicted;
        let rows = (0..predictions.len()).filter(is_one);
        self.items.ranked(rows, most, true)
    }

    /// The same items with what is said of them.
    pub(crate) fn confused(
        &self,
        actual: usize,
        predicted: usize,
        most: usize,
    ) -> Vec<ConfusedItem> {
        let predictions = &self.items.predictions;
        let rows = self.confused_rows(actual, predicted, most).into_iter();
        rows.map(|row| ConfusedItem {
            item: predictions.indices[row],
            name: self.items.name(row),
            loss: predictions.losses[row],
            probability: predictions.row(row)[predicted],
        })
        .collect()
    }

    /// A grid of the `k` images with the largest losses, each with prediction, actual class, loss
    /// and the probability of the *actual* class, and the name of its file.
    ///
    /// # Errors
    ///
    /// [`Error::Figure`] if there are no items, [`Error::Image`] if an image cannot be read.
    pub fn plot_top_losses(&self, k: usize) -> Result<Figure> {
        self.plot_top_losses_with(&TopLossesConfig::new(k))
    }

    /// Like [`plot_top_losses`](Self::plot_top_losses), with settings.
    ///
    /// # Errors
    ///
    /// [`Error::Figure`], [`Error::Image`], or an error for an invalid setting.
    pub fn plot_top_losses_with(&self, config: &TopLossesConfig) -> Result<Figure> {
        self.items
            .plot(self.ranked(config), config, |row| self.named_title(row))
    }

    /// The rows of the predictions that a plot shows, in its order.
    pub(crate) fn ranked(&self, config: &TopLossesConfig) -> Vec<usize> {
        let rows = 0..self.items.predictions.len();
        self.items.ranked(rows, config.k, config.largest)
    }

    pub(crate) fn named_title(&self, row: usize) -> NamedTitle {
        NamedTitle {
            title: self.loss_title(row),
            name: self.items.name(row),
        }
    }

    /// The actual class of the item in a row of the predictions.
    pub(crate) fn actual_class(&self, row: usize) -> usize {
        self.actual[row]
    }

    /// The name of the actual class of the item in a row of the predictions.
    pub(crate) fn actual(&self, row: usize) -> &str {
        &self.items.classes[self.actual[row]]
    }

    pub(crate) fn loss_title(&self, row: usize) -> LossTitle {
        let Items {
            classes,
            predictions,
            ..
        } = &self.items;
        let actual = self.actual[row];
        LossTitle {
            predicted: classes[predictions.predicted(row)].clone(),
            actual: classes[actual].clone(),
            loss: predictions.losses[row],
            probability: predictions.row(row)[actual],
        }
    }

    /// The confusion matrix as a heat map with the counts.
    ///
    /// # Errors
    ///
    /// [`Error::Figure`] if there are no classes, or too many to draw.
    pub fn plot_confusion_matrix(&self) -> Result<Figure> {
        self.plot_confusion_matrix_with(&ConfusionPlotConfig::new())
    }

    /// Like [`plot_confusion_matrix`](Self::plot_confusion_matrix), with settings: for example with
    /// normalized rows.
    ///
    /// # Errors
    ///
    /// As [`plot_confusion_matrix`](Self::plot_confusion_matrix), or an error for an invalid
    /// setting.
    pub fn plot_confusion_matrix_with(&self, config: &ConfusionPlotConfig) -> Result<Figure> {
        self.matrix.plot(config)
    }
}

impl std::fmt::Debug for ClassificationInterpretation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.items.debug("ClassificationInterpretation", f)
    }
}
