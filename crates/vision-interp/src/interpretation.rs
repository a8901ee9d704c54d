//! Interpretation of a classifier's predictions.

use std::sync::Arc;

use image::RgbImage;
use vision_learner::Predictions;

use crate::plot::LossTitle;
use crate::{
    ConfusionMatrix, ConfusionPlotConfig, Error, Figure, ImageError, ImageGrid, Result,
    TopLossesConfig,
};

type ImageSource = Arc<dyn Fn(usize) -> std::result::Result<RgbImage, ImageError> + Send + Sync>;

/// Predictions, losses and targets of a data set, with the analysis of them.
///
/// Create it [from a learner](Self::from_learner) or [from any
/// predictions](Self::from_predictions).
#[derive(Clone)]
pub struct ClassificationInterpretation {
    classes: Vec<String>,
    predictions: Predictions,
    /// The actual class of each item.
    actual: Vec<usize>,
    images: ImageSource,
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
    /// [`Error::Data`] if the items do not have one class each.
    pub fn from_predictions(
        classes: Vec<String>,
        predictions: Predictions,
        images: impl Fn(usize) -> std::result::Result<RgbImage, ImageError> + Send + Sync + 'static,
    ) -> Result<Self> {
        let (c, items) = (predictions.classes, predictions.targets.len());
        for (field, expected, found) in [
            ("the list of classes", c, classes.len()),
            (
                "probabilities",
                items.saturating_mul(c),
                predictions.probabilities.len(),
            ),
            ("losses", items, predictions.losses.len()),
            ("indices", items, predictions.indices.len()),
        ] {
            if expected != found {
                return Err(Error::Lengths {
                    field,
                    expected,
                    found,
                });
            }
        }
        let actual = predictions.targets.categories()?;
        if let Some(found) = actual.iter().copied().find(|target| *target >= c) {
            return Err(Error::UnknownClass {
                role: "actual",
                found,
                classes: c,
            });
        }
        Ok(Self {
            classes,
            predictions,
            actual,
            images: Arc::new(images),
        })
    }

    /// Names of the classes.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The predictions.
    pub fn predictions(&self) -> &Predictions {
        &self.predictions
    }

    /// The fraction of items whose most probable class is the actual one. NaN if there are no
    /// items.
    pub fn accuracy(&self) -> f64 {
        self.confusion_matrix().accuracy()
    }

    /// The `k` largest losses in descending order, and the positions of their items in the data set.
    ///
    /// Returns all of them if there are fewer than `k`. Equal losses keep the order of the items.
    /// As in `torch.topk`, NaN counts as larger than every number, so a broken item appears first.
    pub fn top_losses(&self, k: usize) -> (Vec<f32>, Vec<usize>) {
        self.values(self.ranked(k, true))
    }

    /// The `k` smallest losses in ascending order, and the positions of their items in the data set
    /// (fastai's `largest=False`). NaN comes last.
    pub fn lowest_losses(&self, k: usize) -> (Vec<f32>, Vec<usize>) {
        self.values(self.ranked(k, false))
    }

    /// Rows of the predictions, sorted by loss.
    fn ranked(&self, k: usize, largest: bool) -> Vec<usize> {
        let mut rows: Vec<usize> = (0..self.predictions.len()).collect();
        let loss = |row: &usize| {
            let loss = self
                .predictions
                .losses
                .get(*row)
                .copied()
                .unwrap_or(f32::NAN);
            // The order of `total_cmp`, except that all NaN are equal, and so are both zeros.
            if loss.is_nan() { f32::NAN } else { loss + 0.0 }
        };
        // A stable sort, so that ties keep their order either way.
        rows.sort_by(|a, b| match largest {
            true => loss(b).total_cmp(&loss(a)),
            false => loss(a).total_cmp(&loss(b)),
        });
        rows.truncate(k);
        rows
    }

    fn values(&self, rows: Vec<usize>) -> (Vec<f32>, Vec<usize>) {
        let (losses, indices) = (&self.predictions.losses, &self.predictions.indices);
        let pair = |row| Some((*losses.get(row)?, *indices.get(row)?));
        rows.into_iter().filter_map(pair).unzip()
    }

    /// The confusion matrix: actual classes (rows) against predicted classes (columns).
    pub fn confusion_matrix(&self) -> ConfusionMatrix {
        let mut matrix = ConfusionMatrix::new(&self.classes);
        for (row, target) in self.actual.iter().enumerate() {
            // Cannot fail: the targets were checked at the start, and a row has one column per
            // class.
            let _ = matrix.add(*target, self.predictions.predicted(row));
        }
        matrix
    }

    /// [`confusion_matrix`](Self::confusion_matrix), spelled as in fastai, where `slice_size` limits the
    /// memory of one step. There is nothing to limit here: the result is the same for every value.
    pub fn confusion_matrix_sliced(
        &self,
        _slice_size: impl Into<Option<usize>>,
    ) -> ConfusionMatrix {
        self.confusion_matrix()
    }

    /// Pairs of classes that were confused at least `min_val` times: (actual, predicted, count),
    /// most frequent first. See [`ConfusionMatrix::most_confused`].
    pub fn most_confused(&self, min_val: usize) -> Vec<(String, String, usize)> {
        self.confusion_matrix().most_confused(min_val)
    }

    /// A grid of the `k` images with the largest losses, each with prediction, actual class, loss
    /// and the probability of the *actual* class.
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
        let mut grid = ImageGrid::new()
            .with_title(&config.title)
            .with_cell_size(config.cell_size);
        for row in self.ranked(config.k, config.largest) {
            let item = self.predictions.indices.get(row).copied().unwrap_or(row);
            let image = (self.images)(item).map_err(|source| Error::Image { item, source })?;
            grid = grid.with_caption(image, self.loss_title(row));
        }
        Ok(grid.plot()?)
    }

    fn loss_title(&self, row: usize) -> LossTitle {
        let name = |class: Option<usize>| {
            class
                .and_then(|class| self.classes.get(class))
                .cloned()
                .unwrap_or_default()
        };
        let actual = self.actual.get(row).copied();
        let probability = actual.and_then(|actual| self.predictions.row(row).get(actual).copied());
        LossTitle {
            predicted: name(Some(self.predictions.predicted(row))),
            actual: name(actual),
            loss: self
                .predictions
                .losses
                .get(row)
                .copied()
                .unwrap_or(f32::NAN),
            probability: probability.unwrap_or(f32::NAN),
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
        self.confusion_matrix().plot(config)
    }
}

impl std::fmt::Debug for ClassificationInterpretation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClassificationInterpretation")
            .field("classes", &self.classes.len())
            .field("items", &self.predictions.len())
            .finish_non_exhaustive()
    }
}
