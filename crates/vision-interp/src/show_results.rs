//! Predictions beside the truth, for the images of a batch.

use vision_base::OptionError;
use vision_data::{DatasetType, Target, TargetKind};
use vision_figure::{Caption, shorten_apart};
use vision_learner::{Learner, Predictions};

use crate::{Figure, ImageGrid, Result};

/// Figures of a learner's predictions. Implemented for [`Learner`].
#[doc(alias = "show_results")]
pub trait ShowResults {
    /// A grid of up to `rows` by `rows` images of the first validation batch, each with its label and, in the second line,
    /// the prediction. See [`show_results_with`](Self::show_results_with).
    ///
    /// ```no_run
    /// # fn show(learner: &vision_learner::Learner) -> vision_interp::Result<()> {
    /// use vision_interp::ShowResults;
    /// learner.show_results(4)?.save("results.png")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`show_results_with`](Self::show_results_with).
    fn show_results(&self, rows: usize) -> Result<Figure> {
        self.show_results_with(rows, DatasetType::Valid)
    }

    /// The same for the first batch of any part of the data, with the images as the model sees them. Items have a class;
    /// all classes with a probability of at least 0.5, or "none"; or numbers. Items without labels have only a prediction.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) if `rows` is 0, and those of a batch that cannot be read or predicted.
    fn show_results_with(&self, rows: usize, part: DatasetType) -> Result<Figure>;
}

impl ShowResults for Learner {
    fn show_results_with(&self, rows: usize, part: DatasetType) -> Result<Figure> {
        if rows == 0 {
            return Err(OptionError::new("rows", "at least 1", rows).into());
        }
        let batch = self.data().one_batch(part)?;
        let predictions = self.pred_batch(batch.clone())?;
        let (classes, kind) = (self.data().classes(), self.data().kind());
        let mut grid = ImageGrid::new().with_title(match predictions.targets.kind() {
            Some(_) => "Ground truth / Predictions",
            None => "Predictions",
        });
        let count = rows.saturating_mul(rows).min(batch.len());
        for (item, image) in (0..count).filter_map(|item| Some((item, batch.image(item)?))) {
            grid = grid.with_caption(
                image,
                Pair {
                    truth: predictions
                        .targets
                        .get(item)
                        .map(|label| text(&label, classes)),
                    prediction: text(&predicted(kind, &predictions, item), classes),
                },
            );
        }
        Ok(grid.plot()?)
    }
}

/// The prediction for an item, as a label.
fn predicted(kind: TargetKind, predictions: &Predictions, item: usize) -> Target {
    let row = predictions.row(item);
    match kind {
        TargetKind::Float => Target::Float(row.to_vec()),
        TargetKind::MultiCategory => {
            let probable = row.iter().enumerate().filter(|(_, p)| **p >= 0.5);
            Target::MultiCategory(probable.map(|(class, _)| class).collect())
        }
        TargetKind::Category => Target::Category(predictions.predicted(item)),
    }
}

fn text(label: &Target, classes: &[String]) -> String {
    let name = |class: &usize| classes.get(*class).cloned().unwrap_or_default();
    let joined = |names: Vec<String>| names.join(";");
    match label {
        Target::Category(class) => name(class),
        Target::MultiCategory(found) if found.is_empty() => "none".to_owned(),
        Target::MultiCategory(found) => joined(found.iter().map(name).collect()),
        Target::Float(values) => joined(values.iter().map(|value| format!("{value:.2}")).collect()),
    }
}

/// The truth over the prediction.
#[derive(Debug)]
struct Pair {
    truth: Option<String>,
    prediction: String,
}

impl Caption for Pair {
    fn whole(&self) -> Vec<String> {
        let truth = self.truth.clone().into_iter();
        truth.chain([self.prediction.clone()]).collect()
    }

    fn fit(&self, room: f32, size: f32) -> Vec<String> {
        let lines = self.whole();
        // Two names that differ must not read the same.
        shorten_apart(lines.iter().map(|line| (line.as_str(), room)), size)
    }
}
