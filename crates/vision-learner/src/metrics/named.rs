//! Metrics by name, for programs whose users write the name down.

use super::{
    Average, Disagreement, Metric, accuracy, accuracy_thresh, average_precision, balanced_accuracy,
    brier_score, calibration_error, cohen_kappa, error_rate, explained_variance, f_score, fbeta,
    log_loss, mae, matthews, mse, msle, pearson, precision, r2_score, recall, rmse, rmspe, roc_auc,
    spearman, top_k_accuracy,
};
use crate::{Error, Result};

type Make = fn() -> Box<dyn Metric>;

/// The names, in the order in which messages list them.
const METRICS: [(&str, Make); 25] = [
    ("accuracy", || Box::new(accuracy())),
    ("error_rate", || Box::new(error_rate())),
    ("top_5_accuracy", || Box::new(top_k_accuracy(5))),
    ("balanced_accuracy", || Box::new(balanced_accuracy())),
    ("precision", || Box::new(precision(Average::Macro))),
    ("recall", || Box::new(recall(Average::Macro))),
    ("f1", || Box::new(f_score(1.0, Average::Macro))),
    ("cohen_kappa", || Box::new(cohen_kappa(Disagreement::Same))),
    ("matthews", || Box::new(matthews())),
    ("log_loss", || Box::new(log_loss())),
    ("brier_score", || Box::new(brier_score())),
    ("calibration_error", || Box::new(calibration_error(15))),
    ("roc_auc", || Box::new(roc_auc(Average::Macro))),
    ("average_precision", || {
        Box::new(average_precision(Average::Macro))
    }),
    ("accuracy_thresh", || Box::new(accuracy_thresh(0.5))),
    ("fbeta", || Box::new(fbeta(0.2, 2.0))),
    ("mse", || Box::new(mse())),
    ("rmse", || Box::new(rmse())),
    ("mae", || Box::new(mae())),
    ("msle", || Box::new(msle())),
    ("rmspe", || Box::new(rmspe())),
    ("r2_score", || Box::new(r2_score())),
    ("explained_variance", || Box::new(explained_variance())),
    ("pearson", || Box::new(pearson())),
    ("spearman", || Box::new(spearman())),
];

/// The metric of this name, with the usual settings: `accuracy`, `f1` (the mean over the classes), `roc_auc`, `fbeta` (of
/// several classes per item, a threshold of 0.2 and β = 2), `rmse` and so on. `-` and `_` are the same.
///
/// ```
/// use vision_learner::metric_named;
///
/// assert_eq!(metric_named("error-rate")?.name(), "error_rate");
/// let error = metric_named("accurate").err().map(|error| error.to_string());
/// assert!(error.is_some_and(|error| error.contains("the names are accuracy, error_rate")));
/// # Ok::<(), vision_learner::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::NoSuchMetric`], which lists the names.
pub fn metric_named(name: &str) -> Result<Box<dyn Metric>> {
    let wanted = name.replace('-', "_");
    match METRICS.iter().find(|(known, _)| *known == wanted) {
        Some((_, make)) => Ok(make()),
        None => Err(Error::NoSuchMetric {
            name: name.to_owned(),
            known: METRICS
                .iter()
                .map(|(known, _)| (*known).to_owned())
                .collect(),
        }),
    }
}
