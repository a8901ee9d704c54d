//! Plots of the history of a training.

use vision_learner::{EpochRow, Recorder};

use super::{LineChart, Scale};
use crate::{Error, Figure, Result};

/// Largest number of metrics in a figure.
const MOST_METRICS: usize = 20;

/// Plots the smoothed training loss of each batch, and the validation loss at the end of each epoch.
///
/// ```no_run
/// # fn plots(learner: &vision_learner::Learner) -> vision_interp::Result<()> {
/// use vision_interp::{plot_losses, plot_metrics, plot_rates};
/// plot_losses(learner.recorder())?.save("losses.png")?;
/// plot_metrics(learner.recorder())?.save("metrics.png")?;
/// plot_rates(learner.recorder())?.save("rates.png")?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`Error::Figure`] if the record has no finite loss.
#[doc(alias = "recorder.plot_losses")]
pub fn plot_losses(recorder: &Recorder) -> Result<Figure> {
    let batches = counted(&recorder.losses);
    let ends = ends(recorder);
    let valid = recorder.epochs.iter().zip(ends);
    let valid = valid.filter_map(|(row, end)| Some((end as f64, row.valid_loss?)));
    let valid: Vec<(f64, f64)> = valid.collect();
    let mut chart = LineChart::new()
        .with_title("Losses")
        .with_x_label("batches")
        .with_y_label("loss")
        .with_series("training (smoothed)", batches);
    if !valid.is_empty() {
        chart = chart.with_series("validation", valid);
    }
    chart.plot()
}

/// Plots each metric against the epochs, in a chart of its own.
///
/// # Errors
///
/// [`Error::Figure`] if the record has no metric with a finite value, or more than 20 metrics.
#[doc(alias = "recorder.plot_metrics")]
pub fn plot_metrics(recorder: &Recorder) -> Result<Figure> {
    let nothing = |what| Err(Error::Figure(vision_figure::Error::NothingToDraw { what }));
    if recorder.metric_names.len() > MOST_METRICS {
        return nothing("the record has more than 20 metrics, too many for a figure");
    }
    let mut charts = Vec::new();
    for (at, name) in recorder.metric_names.iter().enumerate() {
        let value = |row: &EpochRow| Some((row.epoch as f64 + 1.0, *row.metrics.get(at)?));
        let points: Vec<(f64, f64)> = recorder.epochs.iter().filter_map(value).collect();
        // A metric may be undefined in every epoch.
        if points.iter().any(|(_, value)| value.is_finite()) {
            let chart = LineChart::new()
                .with_size(640.0, if charts.is_empty() { 270.0 } else { 240.0 })
                .with_title(if charts.is_empty() { "Metrics" } else { "" })
                .with_x_label("epochs")
                .with_whole_numbers()
                .with_y_label(name)
                .with_series(name, points);
            charts.push(chart.plot()?);
        }
    }
    match charts.is_empty() {
        true => nothing("the record has no metric with a finite value"),
        false => Ok(Figure::stacked("Metrics", charts)?),
    }
}

/// Plots learning rate and momentum of each batch. If layer groups have different learning rates, those of the first and
/// of the last group.
///
/// # Errors
///
/// [`Error::Figure`] if the record has no batch.
#[doc(alias("recorder.plot_lr", "show_moms"))]
pub fn plot_rates(recorder: &Recorder) -> Result<Figure> {
    let title = "Learning rate and momentum";
    let mut rates = LineChart::new()
        .with_size(640.0, 300.0)
        .with_title(title)
        .with_x_label("batches")
        .with_y_label("learning rate");
    let first: Vec<f64> = recorder
        .group_lrs
        .iter()
        .filter_map(|groups| groups.first().copied())
        .collect();
    let differ = first.len() == recorder.lrs.len() && first != recorder.lrs;
    let last = counted(&recorder.lrs);
    rates = match differ {
        // Those of the first group are often a hundredth.
        true => rates
            .with_y_scale(Scale::Log)
            .with_series("last layer group", last)
            .with_series("first layer group", counted(&first)),
        false => rates.with_series("learning rate", last),
    };
    let moms = LineChart::new()
        .with_size(640.0, 240.0)
        .with_x_label("batches")
        .with_y_label("momentum")
        .with_series("momentum", counted(&recorder.moms));
    let mut charts = vec![rates.plot_plain()?];
    // An optimizer without momentum has none to show.
    if recorder.moms.iter().any(|mom| mom.is_finite()) {
        charts.push(moms.plot_plain()?);
    }
    Ok(Figure::stacked(title, charts)?)
}

/// The values with the number of their batch, from 1.
fn counted(values: &[f64]) -> Vec<(f64, f64)> {
    let numbered = values.iter().enumerate();
    numbered.map(|(i, y)| (i as f64 + 1.0, *y)).collect()
}

/// The number of batches up to the end of each epoch. The record does not hold it: it is where the smoothed loss is that of
/// the epoch's row; or else, batches are shared by the number of images.
fn ends(recorder: &Recorder) -> Vec<usize> {
    let batches = recorder.losses.len();
    let total: f64 = recorder.epochs.iter().map(|row| row.images as f64).sum();
    let epochs = recorder.epochs.len() as f64;
    let (mut images, mut begin) = (0.0, 0);
    let mut ends = Vec::new();
    for (i, row) in recorder.epochs.iter().enumerate() {
        images += row.images as f64;
        let share = match total > 0.0 {
            true => images / total,
            false => (i + 1) as f64 / epochs,
        };
        let guess = (share * batches as f64).round() as usize;
        let guess = guess.clamp(begin, batches);
        let exact = (begin..batches).filter(|at| recorder.losses[*at] == row.train_loss);
        let exact = exact.map(|at| at + 1).min_by_key(|end| end.abs_diff(guess));
        begin = exact.unwrap_or(guess);
        ends.push(begin);
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(images: usize, train_loss: f64) -> EpochRow {
        EpochRow {
            epoch: 0,
            train_loss,
            valid_loss: None,
            metrics: Vec::new(),
            seconds: 0.0,
            train_seconds: 0.0,
            wait_seconds: 0.0,
            images,
        }
    }

    #[test]
    fn an_epoch_ends_where_the_smoothed_loss_is_that_of_its_row() {
        // Batches of 10 in the first epoch, of 20 in the second.
        let recorder = Recorder {
            losses: vec![6.0, 5.0, 4.0, 3.0, 2.0, 1.0],
            epochs: vec![row(40, 3.0), row(40, 1.0)],
            ..Recorder::default()
        };
        assert_eq!(ends(&recorder), [4, 6]);
    }

    #[test]
    fn without_such_a_loss_batches_are_shared_by_images() {
        let recorder = Recorder {
            losses: vec![6.0, 5.0, 4.0, 3.0, 2.0, 1.0],
            epochs: vec![row(40, f64::NAN), row(20, f64::NAN)],
            ..Recorder::default()
        };
        assert_eq!(ends(&recorder), [4, 6]);
        let none = Recorder {
            epochs: vec![row(0, 0.0), row(0, 0.0)],
            ..recorder
        };
        assert_eq!(ends(&none), [3, 6]);
    }
}
