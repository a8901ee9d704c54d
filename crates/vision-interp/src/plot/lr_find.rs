//! Plot of the learning-rate finder.

use vision_learner::LrFind;

use super::{LineChart, Scale};
use crate::{Figure, Result};

/// Plots the smoothed loss against the learning rate, for the batches of [`LrFind::window`].
/// Markers show the learning rate of the steepest descent and fastai 2's valley.
///
/// # Errors
///
/// [`Error::Figure`](crate::Error::Figure) if there are no batches.
pub fn plot_lr_find(found: &LrFind) -> Result<Figure> {
    let (lrs, losses) = found.window();
    let points = lrs.iter().copied().zip(losses.iter().copied());
    let mut chart = LineChart::new()
        .with_title("Learning rate finder")
        .with_x_label("learning rate")
        .with_y_label("smoothed loss")
        .with_x_scale(Scale::Log)
        .with_series("loss", points);
    if let Some(suggestion) = found.suggestion() {
        for (name, lr) in [
            ("steepest", suggestion.steepest),
            ("valley", suggestion.valley),
        ] {
            let batch = lrs.iter().position(|known| *known == lr);
            if let Some(loss) = batch.and_then(|batch| losses.get(batch)) {
                chart = chart.with_marker(format!("{name} {lr:.1e}"), lr, *loss);
            }
        }
    }
    chart.plot()
}
