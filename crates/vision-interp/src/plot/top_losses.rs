//! Captions and settings of the plot of top losses.

use std::fmt;

use vision_figure::{Caption, shorten_apart, shorten_start, width};
use vision_learner::CamConfig;

use super::decimals;

/// The prediction for an image, displayed as in fastai: `7/3 / 5.82 / 0.00`.
#[derive(Clone, Debug, PartialEq)]
pub struct LossTitle {
    /// Name of the most probable class.
    pub predicted: String,
    /// Name of the actual class.
    pub actual: String,
    /// The loss.
    pub loss: f32,
    /// Probability of the *actual* class, from 0 to 1.
    pub probability: f32,
}

impl LossTitle {
    /// Shortens the names until the title fits, the longer one first. The numbers stay complete.
    fn shortened(&self, room: f32, font_size: f32) -> Self {
        let size = |text: &str| width(text, font_size);
        let (predicted, actual) = (size(&self.predicted), size(&self.actual));
        let numbers = size(&self.to_string()) - predicted - actual;
        let names = (room - numbers).max(0.0);
        // The longer name gets the space that the shorter one leaves.
        let share = |own: f32, other: f32| own.min((names - other).max(names / 2.0));
        let rooms = [
            (self.predicted.as_str(), share(predicted, actual)),
            (self.actual.as_str(), share(actual, predicted)),
        ];
        let mut short = shorten_apart(rooms, font_size).into_iter();
        Self {
            predicted: short.next().unwrap_or_default(),
            actual: short.next().unwrap_or_default(),
            ..*self
        }
    }
}

/// A title, and under it the name of the item.
#[derive(Debug)]
pub(crate) struct NamedTitle {
    pub(crate) title: LossTitle,
    pub(crate) name: Option<String>,
}

impl Caption for NamedTitle {
    fn whole(&self) -> Vec<String> {
        std::iter::once(self.title.to_string())
            .chain(self.name.clone())
            .collect()
    }

    fn fit(&self, room: f32, size: f32) -> Vec<String> {
        let title = self.title.shortened(room, size).to_string();
        // The end of a path says most.
        let name = self
            .name
            .as_ref()
            .map(|name| shorten_start(name, size, room));
        std::iter::once(title).chain(name).collect()
    }
}

impl fmt::Display for LossTitle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            predicted,
            actual,
            loss,
            probability,
        } = self;
        let (loss, p) = (
            decimals((*loss).into(), 2),
            decimals((*probability).into(), 2),
        );
        write!(f, "{predicted}/{actual} / {loss} / {p}")
    }
}

/// Settings of [`plot_top_losses_with`](crate::ClassificationInterpretation::plot_top_losses_with), of
/// one class or [several](crate::MultiLabelInterpretation::plot_top_losses_with) per item.
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct TopLossesConfig {
    pub(crate) k: usize,
    pub(crate) largest: bool,
    pub(crate) title: String,
    pub(crate) cell_size: f32,
    pub(crate) heatmap_thresh: usize,
    pub(crate) alpha: f32,
    pub(crate) cam: CamConfig,
}

impl TopLossesConfig {
    /// The defaults for the `k` largest losses.
    pub fn new(k: usize) -> Self {
        let title = "Prediction/Actual/Loss/Probability".to_owned();
        Self {
            k,
            largest: true,
            title,
            cell_size: 168.0,
            heatmap_thresh: 16,
            alpha: 0.6,
            cam: CamConfig::new(),
        }
    }

    /// The defaults for items with several classes.
    pub(crate) fn of_labels(k: usize) -> Self {
        Self::new(k).with_title(
            "Prediction, actual, loss / class with the largest loss and its probability",
        )
    }

    /// Whether to show the largest losses instead of the smallest. Default: true.
    pub fn with_largest(mut self, largest: bool) -> Self {
        self.largest = largest;
        self
    }

    /// The title of the grid. Empty for none. Default: `Prediction/Actual/Loss/Probability`.
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Largest width and height of an image, in pixels. Default: 168.
    pub fn with_cell_size(mut self, pixels: f32) -> Self {
        self.cell_size = pixels;
        self
    }

    /// The least number of values of a heat map, so that a coarser one is not drawn. For
    /// [`plot_top_losses_with_heatmaps`](crate::ClassificationInterpretation::plot_top_losses_with_heatmaps), as the next
    /// two. Default: 16, such as 4 x 4.
    pub fn with_heatmap_thresh(mut self, values: usize) -> Self {
        self.heatmap_thresh = values;
        self
    }

    /// The opacity of heat maps, from 0 to 1. Default: 0.6.
    pub fn with_alpha(mut self, alpha: f32) -> Self {
        self.alpha = alpha;
        self
    }

    /// The layer and the method of heat maps. Their class is the actual one. Default: Grad-CAM of the body's output.
    pub fn with_cam(mut self, cam: CamConfig) -> Self {
        self.cam = cam;
        self
    }
}
