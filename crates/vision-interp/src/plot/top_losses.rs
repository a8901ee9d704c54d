//! Captions and settings of the plot of top losses.

use std::fmt;

use vision_figure::{Caption, shorten, width};

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
        let short = |name: &str, own, other| shorten(name, font_size, share(own, other));
        Self {
            predicted: short(&self.predicted, predicted, actual),
            actual: short(&self.actual, actual, predicted),
            ..*self
        }
    }
}

impl Caption for LossTitle {
    fn whole(&self) -> String {
        self.to_string()
    }

    fn fit(&self, room: f32, size: f32) -> String {
        self.shortened(room, size).to_string()
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

/// Settings of [`plot_top_losses_with`](crate::ClassificationInterpretation::plot_top_losses_with).
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct TopLossesConfig {
    pub(crate) k: usize,
    pub(crate) largest: bool,
    pub(crate) title: String,
    pub(crate) cell_size: f32,
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
        }
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
}
