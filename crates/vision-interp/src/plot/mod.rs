//! Figures of interpretations and of training.

mod axis;
mod binary;
mod color;
mod confusion;
mod curves;
mod legend;
mod line_chart;
mod lr_find;
pub(crate) mod magma;
mod place;
mod recorder;
mod shown;
mod thinned;
mod top_losses;

pub(crate) use binary::binary_matrices;
pub use confusion::ConfusionPlotConfig;
pub use curves::plot_reliability;
pub(crate) use curves::{plot_precision_recall, plot_roc};
pub use line_chart::{LineChart, Scale};
pub use lr_find::plot_lr_find;
pub use recorder::{plot_losses, plot_metrics, plot_rates};
pub(crate) use top_losses::NamedTitle;
pub use top_losses::{LossTitle, TopLossesConfig};
use vision_base::OptionError;

use crate::{Error, Result};

/// Checks a length in pixels that the user has given.
fn check_length(field: &'static str, value: f32) -> Result<()> {
    if (1.0..=10_000.0).contains(&value) {
        return Ok(());
    }
    let expected = "a number of pixels from 1 to 10000";
    Err(Error::Option(OptionError::new(
        field,
        expected,
        value.to_string(),
    )))
}

/// Formats a number with this many decimals, as Python does.
pub(crate) fn decimals(value: f64, decimals: usize) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    format!("{value:.decimals$}")
}
