//! Interpretation of classifiers: confusion matrix, top losses, and figures of both.
//!
//! The counterpart of fastai v1's `ClassificationInterpretation`. Figures use an embedded font and
//! are saved as PNG or SVG.
//!
//! # Usage
//!
//! ```no_run
//! # fn interpret(learner: &vision_learner::Learner) -> vision_interp::Result<()> {
//! use vision_interp::{ClassificationInterpretation, ConfusionPlotConfig};
//!
//! let interp = ClassificationInterpretation::from_learner(learner)?;
//! let (losses, indices) = interp.top_losses(9);
//! interp.plot_top_losses(9)?.save("top_losses.png")?;
//!
//! println!("{}", interp.confusion_matrix());
//! for (actual, predicted, count) in interp.most_confused(2) {
//!     println!("{actual} was predicted as {predicted} {count} times");
//! }
//! let normalized = ConfusionPlotConfig::new().with_normalized(true);
//! interp.plot_confusion_matrix_with(&normalized)?.save("confusion_matrix.svg")?;
//! println!("{}", interp.confusion_matrix().classification_report());
//! # Ok(())
//! # }
//! ```
//!
//! For items with several classes:
//!
//! ```no_run
//! # fn interpret(learner: &vision_learner::Learner) -> vision_interp::Result<()> {
//! use vision_interp::MultiLabelInterpretation;
//!
//! let interp = MultiLabelInterpretation::from_learner(learner)?.with_threshold(0.2)?;
//! println!("{}", interp.classification_report());
//! interp.plot_confusion_matrices()?.save("confusion_matrices.png")?;
//! interp.plot_multi_top_losses(9)?.save("top_losses.png")?;
//! # Ok(())
//! # }
//! ```
//!
//! # Map
//!
//! | item | |
//! |---|---|
//! | [`ClassificationInterpretation`] | predictions of a data set with one class per item, and their analysis |
//! | [`MultiLabelInterpretation`] | the same for several classes per item |
//! | [`ConfusionMatrix`] | counts by actual and predicted class |
//! | [`BinaryMatrix`] | counts for one of several classes per item |
//! | [`ClassificationReport`] | precision, recall and F1 of each class, and their averages |
//! | [`ShowResults`] | `learner.show_results(4)`: images with their label and their prediction |
//! | [`Overlay`], [`ShowHeatmap`] | heat maps over images: what speaks for a class |
//! | [`ImageGrid`] | images with titles |
//! | [`RocCurve`], [`PrecisionRecallCurve`] | a class against the rest, over all thresholds |
//! | [`BestThresholds`] | the threshold of each of several classes per item |
//! | [`LabelErrors`] | items whose label is probably wrong |
//! | [`ConfusedPair`] | a class that was predicted as another one, with the items |
//! | [`Compared`] | two classifiers on the same images, and which images changed sides |
//! | [`LineChart`] | losses and learning rates; [`plot_lr_find`] for the learning-rate finder |
//! | [`plot_losses`], [`plot_metrics`], [`plot_rates`] | the history of a training |
//! | [`plot_reliability`] | how often predictions of a confidence are right |
//! | [`Figure`] | any of these, to be saved |
//! | [`HtmlReport`] | all of it on one page: `interp.report(&learner)?.save("report.html")?` |
//! | [`TensorBoard`] | logs a fit for TensorBoard |

// A line that cannot be written must not end a program: `vision_base::console` prints.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

mod best_thresholds;
mod compared;
mod confused_pair;
mod confusion;
mod curve;
mod error;
mod from_learner;
mod interpretation;
mod items;
mod label_errors;
mod multi_label;
mod overlay;
mod plot;
mod report;
mod scores;
mod show_heatmap;
mod show_results;
mod similar_order;
mod tensor_board;
mod top_losses_with_heatmaps;

pub use best_thresholds::{BestThreshold, BestThresholds};
pub use compared::{ChangedItem, Compared};
pub use confused_pair::{ConfusedItem, ConfusedPair};
pub use confusion::ConfusionMatrix;
pub use curve::{PrecisionRecallCurve, RocCurve};
pub use error::{Error, ImageError, Result};
pub use interpretation::ClassificationInterpretation;
pub use label_errors::config::{LabelErrorConfig, LabelFilter, LabelScore};
pub use label_errors::errors::{ErrorPair, LabelErrors, SuspectItem};
pub use label_errors::joint::ConfidentJoint;
pub use multi_label::{BinaryMatrix, MultiLabelInterpretation, MultiLabelLoss};
pub use overlay::Overlay;
pub use plot::{
    ConfusionPlotConfig, LineChart, LossTitle, Scale, TopLossesConfig, plot_losses, plot_lr_find,
    plot_metrics, plot_rates, plot_reliability,
};
pub use report::{HtmlReport, ReportConfig};
pub use scores::{AverageScores, ClassScores, ClassificationReport};
pub use show_heatmap::ShowHeatmap;
pub use show_results::ShowResults;
pub use tensor_board::TensorBoard;
pub use vision_figure::{Figure, ImageGrid};
