//! The confusion matrix as a heat map.

use image::RgbImage;
use vision_base::OptionError;
use vision_figure::{Anchor, Area, BLACK, Rgb, Text, WHITE, shorten_apart, width};

use super::color::blues;
use super::shown::Shown;
use super::{check_length, decimals};
use crate::similar_order::{confused_classes, similar_order};
use crate::{ConfusionMatrix, Error, Figure, Result};

const TITLE: f32 = 16.0;
const AXIS_LABEL: f32 = 14.0;
const MARGIN: f32 = 12.0;
/// Length of a tick, and its distance from the label.
const TICK: f32 = 4.0;
/// Largest width of a class name beside an axis.
const NAME: f32 = 160.0;
/// With more classes than this, cells are too small for numbers.
const MOST_WITH_TEXT: usize = 50;
/// Position in the color map of the smallest values, if cells carry no numbers or are many.
const FAINTEST: f64 = 0.2;
/// With more classes than this, cells are many.
const FEW: usize = 10;
/// Color of cells in rows without items. It does not occur in the color map.
pub(super) const UNKNOWN: Rgb = [224; 3];
/// Color of the number 0, so that the other numbers stand out.
pub(super) const ZERO: Rgb = [176; 3];

/// Settings of the heat map of a [`ConfusionMatrix`].
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct ConfusionPlotConfig {
    pub(super) title: String,
    pub(super) normalized: bool,
    pub(super) precision: usize,
    pub(super) cell_size: Option<f32>,
    pub(super) text: Option<bool>,
    color_bar: Option<bool>,
    confused_only: Option<usize>,
    by_confusion: bool,
}

impl Default for ConfusionPlotConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl ConfusionPlotConfig {
    /// The defaults: counts, with the title "Confusion matrix".
    pub fn new() -> Self {
        Self {
            title: "Confusion matrix".to_owned(),
            normalized: false,
            precision: 2,
            cell_size: None,
            text: None,
            color_bar: None,
            confused_only: None,
            by_confusion: false,
        }
    }

    /// The title. Empty for none. Default: "Confusion matrix".
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Whether each row is divided by its sum. A row without items is gray and shows `nan`.
    /// Default: false.
    pub fn with_normalized(mut self, normalized: bool) -> Self {
        self.normalized = normalized;
        self
    }

    /// Decimals of normalized values, from 0 to 6. Default: 2.
    pub fn with_precision(mut self, decimals: usize) -> Self {
        self.precision = decimals;
        self
    }

    /// Side of a cell in pixels. Default: from 120 down to 1, depending on the number of classes.
    pub fn with_cell_size(mut self, pixels: f32) -> Self {
        self.cell_size = Some(pixels);
        self
    }

    /// Whether cells show their value. Default: up to 50 classes. Text that would be illegible at
    /// the size of the cell is always omitted. Without text, or with more than 10 classes, the smallest
    /// values are a shade darker than their share, so that a single error is visible among many cells.
    pub fn with_text(mut self, text: bool) -> Self {
        self.text = Some(text);
        self
    }

    /// Whether to draw a color bar at the right. Default: if cells show no values.
    pub fn with_color_bar(mut self, color_bar: bool) -> Self {
        self.color_bar = Some(color_bar);
        self
    }

    /// Shows only up to this many classes, at least 2: those of the pairs that were confused most. Those that are
    /// confused with each other are neighbors. The title says how many of the classes are shown; shares are those of all
    /// items of a class. For matrices of hundreds of classes. Default: all classes.
    pub fn with_confused_only(mut self, classes: usize) -> Self {
        self.confused_only = Some(classes);
        self
    }

    /// Whether classes that are confused with each other are neighbors
    /// ([`ConfusionMatrix::order_by_confusion`]), and not in the order of the matrix. Default: false.
    pub fn with_order_by_confusion(mut self, by_confusion: bool) -> Self {
        self.by_confusion = by_confusion;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        if let Some(found) = self.confused_only
            && found < 2
        {
            let expected = "at least 2 classes";
            let error = OptionError::new("confused_only", expected, found.to_string());
            return Err(Error::Option(error));
        }
        if self.precision > 6 {
            let found = self.precision.to_string();
            return Err(Error::Option(OptionError::new(
                "precision",
                "0 to 6 decimals",
                found,
            )));
        }
        self.cell_size
            .map_or(Ok(()), |cell| check_length("cell_size", cell))
    }
}

impl ConfusionMatrix {
    /// Draws a heat map: rows are actual classes, columns predicted classes, and dark means many.
    ///
    /// ```
    /// use vision_interp::{ConfusionMatrix, ConfusionPlotConfig};
    ///
    /// # fn main() -> vision_interp::Result<()> {
    /// let matrix = ConfusionMatrix::from_rows(["3", "7"], [[989, 21], [40, 988]])?;
    /// let figure = matrix.plot(&ConfusionPlotConfig::new().with_normalized(true))?;
    /// assert!(figure.to_svg().contains(">0.98</text>"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Figure`] if there are no classes or too many to draw, [`Error::Option`] for an
    /// invalid setting.
    pub fn plot(&self, config: &ConfusionPlotConfig) -> Result<Figure> {
        let classes = self.classes().len();
        if classes == 0 {
            return Err(Error::Figure(vision_figure::Error::NothingToDraw {
                what: "the confusion matrix has no classes",
            }));
        }
        config.check()?;
        let shown = match config.confused_only {
            Some(most) => similar_order(self, &confused_classes(self, most)),
            None if config.by_confusion => self.order_by_confusion(),
            None => (0..classes).collect(),
        };
        if shown.is_empty() {
            return Err(Error::Figure(vision_figure::Error::NothingToDraw {
                what: "no two classes were confused; draw the matrix without `with_confused_only`",
            }));
        }
        let mut config = config.clone();
        if shown.len() < classes && !config.title.is_empty() {
            config.title = format!("{} ({} of {classes} classes)", config.title, shown.len());
        }
        let shown = Shown::new(self, &shown, config.normalized);
        Layout::new(&shown, &config).draw(&shown, &config)
    }
}

/// Values, their format, and the positions of everything.
struct Layout {
    /// One value per cell. NaN in normalized rows without items.
    values: Vec<f64>,
    most: f64,
    labels: Vec<String>,
    /// Size of the text in cells, if any.
    text: Option<f32>,
    color_bar: bool,
    cell: f32,
    /// Upper left corner of the cells, and the side of their square.
    left: f32,
    top: f32,
    side: f32,
    /// Size of class names, and the step between classes whose name is shown.
    names: f32,
    step: usize,
}

impl Layout {
    fn new(shown: &Shown, config: &ConfusionPlotConfig) -> Self {
        let classes = shown.classes.len();
        let wants_text = config.text.unwrap_or(classes <= MOST_WITH_TEXT);
        let values = shown.values.clone();
        let label = |value: &f64| {
            decimals(
                *value,
                if config.normalized {
                    config.precision
                } else {
                    0
                },
            )
        };
        let labels: Vec<_> = match wants_text {
            true => values.iter().map(label).collect(),
            false => Vec::new(),
        };
        let widest = labels
            .iter()
            .map(|label| width(label, 1.0))
            .fold(0.0, f32::max);

        let shared = 720.0 / classes as f32;
        let cell = config.cell_size.unwrap_or(match wants_text {
            // Room for the longest number in a legible size.
            true => shared
                .clamp(28.0, 120.0)
                .max((10.0 * widest + 12.0).min(80.0))
                .floor(),
            false => (1000.0 / classes as f32).clamp(1.0, 120.0).floor(),
        });
        let text = (0.38 * cell).min(16.0).min((cell - 8.0) / widest);
        let text = (wants_text && text >= 6.5).then_some(text);
        let names = (0.8 * cell).clamp(9.0, 12.0);
        let beside = shown
            .classes
            .iter()
            .map(|name| width(name, names))
            .fold(0.0, f32::max);
        Self {
            most: values.iter().copied().fold(0.0, f64::max),
            values,
            labels,
            text,
            color_bar: config.color_bar.unwrap_or(text.is_none()),
            cell,
            left: MARGIN + AXIS_LABEL + 8.0 + beside.min(NAME) + 2.0 * TICK,
            top: if config.title.is_empty() {
                MARGIN
            } else {
                MARGIN + TITLE + 12.0
            },
            side: cell * classes as f32,
            names,
            step: ((names + 1.0) / cell).ceil().max(1.0) as usize,
        }
    }

    fn draw(&self, shown: &Shown, config: &ConfusionPlotConfig) -> Result<Figure> {
        let (left, top, side) = (self.left, self.top, self.side);
        // The same space below as at the left. At the right of few cells, enough space for the
        // title.
        let bar = if self.color_bar { 90.0 } else { 0.0 };
        let middle = left + side / 2.0;
        let title = (width(&config.title, TITLE) / 2.0).min(240.0);
        let right = (left + side + bar).max(middle + title) + MARGIN;
        let mut figure = Figure::new(&config.title, right, top + side + left)?;
        if !config.title.is_empty() {
            let text = Text::new(
                middle,
                MARGIN + TITLE / 2.0,
                TITLE,
                Anchor::Middle,
                &config.title,
            );
            figure.text(text.fit(2.0 * (right - MARGIN - middle).min(middle - MARGIN)));
        }
        let area = Area {
            x: left,
            y: top,
            width: side,
            height: side,
        };
        figure.frame(area, BLACK);
        figure.image(area, self.heat_map());
        self.draw_values(&mut figure);
        self.draw_names(&mut figure, shown);
        let below = top + side + left - MARGIN - AXIS_LABEL / 2.0;
        figure.text(Text::new(
            middle,
            below,
            AXIS_LABEL,
            Anchor::Middle,
            "Predicted",
        ));
        let (x, y) = (MARGIN + AXIS_LABEL / 2.0, top + side / 2.0);
        figure.text(Text::new(x, y, AXIS_LABEL, Anchor::Middle, "Actual").rotated());
        if self.color_bar {
            self.draw_color_bar(&mut figure, config);
        }
        Ok(figure)
    }

    /// One pixel per cell: a million rectangles would be too much for an SVG viewer.
    #[expect(clippy::expect_used, reason = "one pixel for each value")]
    fn heat_map(&self) -> RgbImage {
        let color = |value: &f64| match value.is_nan() {
            true => UNKNOWN,
            false => self.shade(value / self.most.max(f64::MIN_POSITIVE)),
        };
        let classes = self.values.len().isqrt() as u32;
        let pixels = self.values.iter().flat_map(color).collect();
        RgbImage::from_raw(classes, classes, pixels).expect("values are a square")
    }

    /// The color for a fraction of the largest value.
    fn shade(&self, part: f64) -> Rgb {
        // A few must differ from 0 at a glance, so small values are lifted from white.
        let many = self.text.is_none() || self.values.len() > FEW * FEW;
        let lift = if many && part > 0.0 { FAINTEST } else { 0.0 };
        blues(lift + (1.0 - lift) * part)
    }

    fn draw_values(&self, figure: &mut Figure) {
        let Some(size) = self.text else { return };
        let classes = self.values.len().isqrt();
        for (i, (value, label)) in self.values.iter().zip(&self.labels).enumerate() {
            let x = self.left + ((i % classes) as f32 + 0.5) * self.cell;
            let y = self.top + ((i / classes) as f32 + 0.5) * self.cell;
            let color = match *value {
                0.0 => ZERO,
                value if value > self.most / 2.0 => WHITE,
                _ => BLACK,
            };
            figure.text(Text::new(x, y, size, Anchor::Middle, label).color(color));
        }
    }

    fn draw_names(&self, figure: &mut Figure, shown: &Shown) {
        let (left, bottom) = (self.left, self.top + self.side);
        let names = shown.classes.iter().map(|name| (name.as_str(), NAME));
        let names = shorten_apart(names, self.names);
        let names = shown.classes.iter().zip(names).enumerate();
        for (i, (whole, name)) in names.step_by(self.step) {
            let along = (i as f32 + 0.5) * self.cell;
            let (x, y) = (left + along, self.top + along);
            figure.rect(x.floor(), bottom, 1.0, TICK, BLACK);
            figure.rect(left - TICK, y.floor(), TICK, 1.0, BLACK);
            let name = |x, y| {
                let text = Text::new(x, y, self.names, Anchor::End, whole);
                text.shortened(name.clone(), whole.clone())
            };
            figure.text(name(x, bottom + 2.0 * TICK).rotated());
            figure.text(name(left - 2.0 * TICK, y));
        }
    }

    fn draw_color_bar(&self, figure: &mut Figure, config: &ConfusionPlotConfig) {
        const STEPS: u32 = 256;
        let area = Area {
            x: self.left + self.side + 16.0,
            y: self.top,
            width: 16.0,
            height: self.side,
        };
        let shades = RgbImage::from_fn(1, STEPS, |_, y| {
            self.shade(1.0 - f64::from(y) / f64::from(STEPS - 1)).into()
        });
        figure.frame(area, BLACK);
        figure.image(area, shades);
        let precision = if config.normalized {
            config.precision
        } else {
            0
        };
        for (value, y) in [(self.most, area.y), (0.0, area.y + area.height)] {
            let x = area.x + area.width + 2.0 * TICK;
            let label = decimals(value, precision);
            figure.text(Text::new(x, y, 11.0, Anchor::Start, &label).fit(48.0));
        }
    }
}
