//! Cross-validation.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

use vision_base::OptionError;
use vision_data::{DatasetType, Folds, ImageDataBunch, ImageDataset, Targets};

use crate::evaluate::interval::Interval;
use crate::evaluate::student_t::quantile_95;
use crate::learner::Learner;
use crate::metrics::Metric;
use crate::predict::predictions::Predictions;
use crate::train::scoring::{Scoring, batch_weight, scalar};
use crate::{Error, Result};

/// The result of [`cross_validate`]. `Display` has a line for the loss and one for each metric.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CrossValidation {
    /// The prediction for each item by the learner that was not trained on it, in the order of the items. `indices` are
    /// positions in [`items`](Self::items).
    pub predictions: Predictions,
    /// All items: the training items of the data, then the validation items.
    pub items: Vec<PathBuf>,
    /// The fold in whose validation part each prediction was made.
    pub fold_of: Vec<usize>,
    /// The loss and the metrics of the learners.
    pub scores: Vec<FoldScores>,
}

/// One metric over the folds.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct FoldScores {
    /// Name of the metric.
    pub name: String,
    /// Its value for each fold.
    pub values: Vec<f64>,
    /// The mean over the folds.
    pub mean: f64,
    /// The 95 % interval of the mean, by Student's t: mean ± t · s / √folds.
    ///
    /// Folds share training images, so that their values are not independent and the interval is somewhat too narrow
    /// (Bengio and Grandvalet 2004).
    pub interval: Interval,
}

/// Trains a learner for each fold and evaluates it on the items that it was not trained on.
///
/// `train` gets the data of a fold and its number, and returns a trained learner of this data. The folds divide all training
/// and validation items of `data` ([`ImageDataBunch::with_split`]); test items stay apart.
///
/// ```no_run
/// use vision_data::{By, Folds, ImageDataBunch, Stats};
/// use vision_learner::{accuracy, create_cnn, cross_validate};
/// use vision_models::Arch;
///
/// let data = ImageDataBunch::from_folder("pets").size(224).normalize(Stats::IMAGENET).build()?;
/// let found = cross_validate(&data, &Folds::stratified(5, By::Label), |data, _fold| {
///     let mut learner = create_cnn(data, Arch::ResNet34).metrics([accuracy()]).build()?;
///     learner.fit_one_cycle(4, 1e-3)?;
///     Ok(learner)
/// })?;
/// println!("{found}"); // accuracy 0.9512 (95 % interval 0.9300 to 0.9724, 5 folds)
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`Error::Fold`] with the number of the fold and the error of the split, of `train`, or of the evaluation;
/// [`Error::Option`] if a learner has other data than that of its fold, or other metrics than the learner before.
pub fn cross_validate(
    data: &ImageDataBunch,
    folds: &Folds,
    mut train: impl FnMut(ImageDataBunch, usize) -> Result<Learner>,
) -> Result<CrossValidation> {
    let files = |part: &ImageDataset| part.paths().to_vec();
    let items = [files(data.train_ds()), files(data.valid_ds())].concat();
    let places: HashMap<&PathBuf, usize> = items.iter().zip(0..).collect();
    let count = folds.count();
    if count < 2 {
        return Err(OptionError::new("folds", "at least 2 folds", count).into());
    }
    let mut found: Vec<Fold> = Vec::new();
    for (number, split) in folds.splits().enumerate() {
        let mut fold = || {
            let part = data.with_split(&split)?;
            let valid = part.valid_ds().paths().to_vec();
            let learner = train(part, number)?;
            let fold = Fold::new(learner, &valid)?;
            check_same_metrics(found.first(), &fold)?;
            Ok((fold, valid))
        };
        let run: Result<(Fold, Vec<PathBuf>)> = fold().map_err(|source| Error::Fold {
            fold: number,
            folds: count,
            source: Box::new(source),
        });
        let (mut fold, valid) = run?;
        for index in &mut fold.predictions.indices {
            *index = places[&valid[*index]];
        }
        found.push(fold);
    }
    let scores = scores(&found);
    let (predictions, fold_of) = joined(found)?;
    Ok(CrossValidation {
        predictions,
        fold_of,
        scores,
        items,
    })
}

/// The evaluation of one fold.
struct Fold {
    /// The loss and the metrics.
    values: Vec<(String, f64)>,
    predictions: Predictions,
}

impl Fold {
    /// Evaluates a learner that was trained for the fold with these validation items.
    fn new(mut learner: Learner, valid: &[PathBuf]) -> Result<Self> {
        if learner.data().valid_ds().paths() != valid {
            let expected = "a learner of the data that the function was given";
            let found = "a learner with other validation items";
            return Err(OptionError::new("train", expected, found).into());
        }
        let mut metrics: Vec<Box<dyn Metric>> = std::mem::take(&mut learner.settings.metrics);
        let mut scoring = Scoring::new(&mut metrics);
        let mut predictions = learner.no_predictions();
        learner.infer(DatasetType::Valid, |batch, logits| {
            let loss = &*learner.settings.loss;
            let targets = batch.targets(learner.data(), &logits.device())?;
            let weight = batch_weight(loss, Some(targets.clone()), batch)?;
            let mean = scalar(&loss.mean(logits.clone(), targets)?);
            learner.add(&mut predictions, batch, logits.clone())?;
            scoring.add(&mut metrics, (mean, weight), logits, batch, None)
        })?;
        let (loss, values) = scoring.finish(&metrics);
        let loss = ("valid_loss".to_owned(), loss.unwrap_or(f64::NAN));
        Ok(Self {
            values: std::iter::once(loss).chain(values).collect(),
            predictions,
        })
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.values.iter().map(|(name, _)| name.as_str())
    }
}

fn check_same_metrics(first: Option<&Fold>, fold: &Fold) -> Result<()> {
    match first.filter(|first| !first.names().eq(fold.names())) {
        None => Ok(()),
        Some(first) => {
            let names = |fold: &Fold| fold.names().collect::<Vec<_>>().join(", ");
            let expected = format!(
                "learners with the same metrics in each fold: {}",
                names(first)
            );
            Err(OptionError::new("metrics", expected, names(fold)).into())
        }
    }
}

fn scores(folds: &[Fold]) -> Vec<FoldScores> {
    let Some(first) = folds.first() else {
        return Vec::new();
    };
    let of = |(at, name): (usize, &str)| {
        let values: Vec<f64> = folds.iter().map(|fold| fold.values[at].1).collect();
        FoldScores::new(name, values)
    };
    first.names().enumerate().map(of).collect()
}

impl FoldScores {
    /// The mean and its interval; NaN of nothing.
    fn new(name: &str, values: Vec<f64>) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        // One value says nothing of the spread.
        let freedom = values.len().saturating_sub(1) as u32;
        let error = (squares / f64::from(freedom) / n).sqrt();
        let reach = quantile_95(freedom) * error;
        Self {
            name: name.to_owned(),
            values,
            mean,
            interval: Interval {
                low: mean - reach,
                high: mean + reach,
            },
        }
    }
}

/// The predictions of all folds, in the order of their items, and the fold of each.
fn joined(folds: Vec<Fold>) -> Result<(Predictions, Vec<usize>)> {
    let classes = folds.first().map_or(0, |fold| fold.predictions.classes);
    // Item, fold, row of the fold.
    let mut places = Vec::new();
    for (number, fold) in folds.iter().enumerate() {
        let indices = fold.predictions.indices.iter().enumerate();
        places.extend(indices.map(|(row, item)| (*item, number, row)));
    }
    places.sort_unstable();
    let mut all = Predictions {
        probabilities: Vec::new(),
        classes,
        targets: Targets::Empty(0),
        losses: Vec::new(),
        indices: Vec::new(),
    };
    for &(item, fold, row) in &places {
        let predictions = &folds[fold].predictions;
        all.probabilities.extend(predictions.row(row));
        all.losses.extend(predictions.losses.get(row));
        all.targets.extend(&predictions.targets.select(&[row]))?;
        all.indices.push(item);
    }
    Ok((all, places.into_iter().map(|(_, fold, _)| fold).collect()))
}

/// `accuracy 0.9512 (95 % interval 0.9300 to 0.9724, 5 folds)`, line by line.
impl fmt::Display for CrossValidation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (line, score) in self.scores.iter().enumerate() {
            let newline = if line > 0 { "\n" } else { "" };
            write!(f, "{newline}{score}")?;
        }
        Ok(())
    }
}

impl fmt::Display for FoldScores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            values,
            mean,
            interval,
        } = self;
        let folds = values.len();
        write!(
            f,
            "{name} {mean:.4} (95 % interval {interval}, {folds} folds)"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // scipy.stats.t.interval(0.95, 4, loc=mean, scale=scipy.stats.sem(values)).
    #[test]
    fn the_interval_over_folds_is_that_of_scipy() {
        let found = FoldScores::new("accuracy", vec![0.93, 0.95, 0.96, 0.91, 0.94]);
        assert!((found.mean - 0.938).abs() < 1e-12);
        assert!(
            (found.interval.low - 0.914_116_116).abs() < 1e-8,
            "{found:?}"
        );
        assert!(
            (found.interval.high - 0.961_883_884).abs() < 1e-8,
            "{found:?}"
        );
    }
}
