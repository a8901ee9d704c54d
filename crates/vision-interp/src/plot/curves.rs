//! Plots of ROC and precision-recall curves, and of calibration.

use vision_learner::Reliability;

use super::LineChart;
use crate::curve::{PrecisionRecallCurve, RocCurve};
use crate::{Figure, Result};

/// Side of the figure of curves.
const SIDE: f32 = 480.0;
/// Points nearer than this to the last one, in both directions, are not drawn: less than a pixel.
const NEAR: f64 = 0.001;

pub(crate) fn plot_roc(curves: &[RocCurve]) -> Result<Figure> {
    let mut chart = LineChart::new()
        .with_size(SIDE, SIDE)
        .with_x_label("false positive rate")
        .with_y_label("true positive rate (recall)")
        // What a coin would give.
        .with_guide([(0.0, 0.0), (1.0, 1.0)]);
    for curve in curves {
        // The number first, since a long name is cut at its end.
        let name = format!("area {:.3}: {}", curve.auc, curve.class);
        chart = match curves.len() {
            1 => chart.with_title(format!("ROC curve, {name}")),
            _ => chart.with_title("ROC curves"),
        };
        chart = chart.with_series(name, thin(curve.points()));
    }
    chart.plot_plain()
}

pub(crate) fn plot_precision_recall(curves: &[PrecisionRecallCurve]) -> Result<Figure> {
    let mut chart = LineChart::new()
        .with_size(SIDE, SIDE)
        .with_x_label("recall")
        .with_y_label("precision")
        .with_room_for([(0.0, 0.0), (1.0, 1.0)]);
    for curve in curves {
        let name = format!("average {:.3}: {}", curve.average_precision, curve.class);
        chart = match curves.len() {
            1 => chart.with_title(format!("Precision and recall, {name}")),
            _ => chart.with_title("Precision and recall"),
        };
        // Between two thresholds the precision is that of the larger recall.
        let points: Vec<(f64, f64)> = curve.points().collect();
        let stairs = points
            .windows(2)
            .flat_map(|pair| [pair[0], (pair[1].0, pair[0].1)]);
        let last = points.last().copied();
        chart = chart.with_series(name, thin(stairs.chain(last)));
    }
    chart.plot_plain()
}

fn thin(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut kept: Vec<(f64, f64)> = Vec::new();
    let mut left_out = None;
    for point in points {
        let is_near = kept
            .last()
            .is_some_and(|last| (last.0 - point.0).abs() < NEAR && (last.1 - point.1).abs() < NEAR);
        left_out = is_near.then_some(point);
        if !is_near {
            kept.push(point);
        }
    }
    kept.extend(left_out);
    kept
}

/// A reliability diagram: above, the accuracy of each bin against its mean confidence, with the 95 % interval as a thin
/// vertical line; below, the share of predictions in each bin. A model whose confidence is its accuracy lies on the
/// diagonal, one that is too sure below it.
///
/// ```
/// use vision_data::Targets;
/// use vision_interp::plot_reliability;
/// use vision_learner::{Predictions, reliability};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let predictions = Predictions {
///     probabilities: [0.9, 0.1].repeat(4),
///     classes: 2,
///     targets: Targets::Category(vec![0, 0, 0, 1]),
///     losses: vec![0.1; 4],
///     indices: (0..4).collect(),
/// };
/// let figure = plot_reliability(&reliability(&predictions, 15)?)?;
/// assert!(figure.to_svg().contains("calibration error 0.150"));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`Error::Figure`](crate::Error::Figure) if there are no predictions.
#[doc(alias("reliability_diagram", "CalibrationDisplay"))]
pub fn plot_reliability(found: &Reliability) -> Result<Figure> {
    const TITLE: &str = "Reliability";
    let title = format!("{TITLE} (calibration error {:.3})", found.calibration_error);
    let mut above = LineChart::new()
        .with_size(SIDE, SIDE - 40.0)
        .with_title(title)
        .with_x_label("confidence")
        .with_y_label("accuracy")
        .with_guide([(0.0, 0.0), (1.0, 1.0)]);
    for bin in &found.bins {
        if let (Some(x), Some(interval)) = (bin.confidence, bin.interval) {
            above = above.with_guide([(x, interval.low), (x, interval.high)]);
        }
    }
    let points = found
        .bins
        .iter()
        .filter_map(|bin| Some((bin.confidence?, bin.accuracy?)));
    let share =
        |bin: &vision_learner::ReliabilityBin| bin.predictions as f64 / found.predictions as f64;
    let stairs = found
        .bins
        .iter()
        .flat_map(|bin| [(bin.low, share(bin)), (bin.high, share(bin))]);
    let below = LineChart::new()
        .with_size(SIDE, 200.0)
        .with_x_label("confidence")
        .with_y_label("share")
        .with_room_for([(0.0, 0.0), (1.0, 0.0)])
        .with_series("predictions", stairs);
    let charts = [
        above.with_series("accuracy", points).plot_dots()?,
        below.plot_plain()?,
    ];
    Ok(Figure::stacked(TITLE, charts)?)
}
