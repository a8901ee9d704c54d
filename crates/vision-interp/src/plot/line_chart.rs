//! Line charts: losses, learning rates.

use vision_base::OptionError;
use vision_figure::{Anchor, Area, BLACK, Rgb, Text, WHITE, width};

use super::axis::Axis;
pub use super::axis::Scale;
use super::color::CYCLE;
use super::place::Taken;
use super::thinned::thinned;
use super::{check_length, legend};
use crate::{Error, Figure, Result};

const TITLE: f32 = 16.0;
const LABEL: f32 = 13.0;
const TICK: f32 = 11.0;
const MARGIN: f32 = 12.0;
const GRID: Rgb = [230; 3];
const GUIDE: Rgb = [150; 3];
const MARKER: Rgb = [0xd6, 0x27, 0x28];
/// A name further than this from its dot is joined to it by a line. A name above it is nearer.
const FAR: f32 = 40.0;
/// Series of at most this many points show each point as a dot.
const FEW: usize = 12;

/// Series of numbers as lines, with axes and a legend.
///
/// ```
/// use vision_interp::{LineChart, Scale};
///
/// # fn main() -> vision_interp::Result<()> {
/// let figure = LineChart::new()
///     .with_title("Learning rate finder")
///     .with_x_label("learning rate")
///     .with_y_label("loss")
///     .with_x_scale(Scale::Log)
///     .with_series("loss", [(1e-5, 0.9), (1e-4, 0.8), (1e-3, 0.4), (1e-2, 1.7)])
///     .plot()?;
/// assert!(figure.to_svg().contains(">1e-4</text>"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct LineChart {
    title: String,
    x_label: String,
    y_label: String,
    x_scale: Scale,
    y_scale: Scale,
    width: f32,
    height: f32,
    series: Vec<Series>,
    markers: Vec<Series>,
    guides: Vec<Series>,
    /// Whether only whole numbers are at the ticks of the horizontal axis.
    whole: bool,
    /// Points that the axes have room for, though nothing is drawn there.
    room: Vec<(f64, f64)>,
}

#[derive(Clone, Debug, PartialEq)]
struct Series {
    name: String,
    points: Vec<(f64, f64)>,
}

impl Default for LineChart {
    fn default() -> Self {
        Self::new()
    }
}

impl LineChart {
    /// An empty chart with linear axes, 640 x 400 pixels.
    pub fn new() -> Self {
        Self {
            title: String::new(),
            x_label: String::new(),
            y_label: String::new(),
            x_scale: Scale::Linear,
            y_scale: Scale::Linear,
            width: 640.0,
            height: 400.0,
            series: Vec::new(),
            markers: Vec::new(),
            guides: Vec::new(),
            whole: false,
            room: Vec::new(),
        }
    }

    /// The title. Default: none.
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Label of the horizontal axis. Default: none.
    pub fn with_x_label(mut self, label: impl Into<String>) -> Self {
        self.x_label = label.into();
        self
    }

    /// Label of the vertical axis. Default: none.
    pub fn with_y_label(mut self, label: impl Into<String>) -> Self {
        self.y_label = label.into();
        self
    }

    /// Scale of the horizontal axis. Default: linear.
    pub fn with_x_scale(mut self, scale: Scale) -> Self {
        self.x_scale = scale;
        self
    }

    /// Scale of the vertical axis. Default: linear.
    pub fn with_y_scale(mut self, scale: Scale) -> Self {
        self.y_scale = scale;
        self
    }

    /// Width and height in pixels, each from 200 to 10,000. Default: 640 x 400.
    pub fn with_size(mut self, width: f32, height: f32) -> Self {
        (self.width, self.height) = (width, height);
        self
    }

    /// Adds a line through points (x, y). Points that are not finite, or not positive on a
    /// logarithmic axis, leave a gap. With two or more series the chart has a legend.
    pub fn with_series(
        mut self,
        name: impl Into<String>,
        points: impl IntoIterator<Item = (f64, f64)>,
    ) -> Self {
        let points = points.into_iter().collect();
        self.series.push(Series {
            name: name.into(),
            points,
        });
        self
    }

    /// Adds a labeled dot, such as a suggested learning rate.
    pub fn with_marker(mut self, name: impl Into<String>, x: f64, y: f64) -> Self {
        self.markers.push(Series {
            name: name.into(),
            points: vec![(x, y)],
        });
        self
    }

    /// Adds a thin gray line without a name through points (x, y), such as a diagonal to compare with. It
    /// lies below the other lines.
    pub fn with_guide(mut self, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        self.guides.push(Series {
            name: String::new(),
            points: points.into_iter().collect(),
        });
        self
    }

    /// Puts ticks of the horizontal axis at whole numbers, such as epochs.
    pub(crate) fn with_whole_numbers(mut self) -> Self {
        self.whole = true;
        self
    }

    /// Lets the axes reach to these points.
    pub(crate) fn with_room_for(mut self, points: [(f64, f64); 2]) -> Self {
        self.room.extend(points);
        self
    }

    /// Draws the chart.
    ///
    /// # Errors
    ///
    /// [`Error::Figure`] if no point can be drawn, [`Error::Option`] for an invalid size.
    pub fn plot(&self) -> Result<Figure> {
        self.draw(FEW)
    }

    /// [`plot`](Self::plot) without a dot for each point of a short series.
    pub(crate) fn plot_plain(&self) -> Result<Figure> {
        self.draw(1)
    }

    /// [`plot`](Self::plot) with a dot for each point.
    pub(crate) fn plot_dots(&self) -> Result<Figure> {
        self.draw(usize::MAX)
    }

    /// Series of at most `few` points show each as a dot.
    fn draw(&self, few: usize) -> Result<Figure> {
        for (field, value) in [("width", self.width), ("height", self.height)] {
            check_length(field, value)?;
            if value < 200.0 {
                let expected = "at least 200 pixels";
                return Err(Error::Option(OptionError::new(
                    field,
                    expected,
                    value.to_string(),
                )));
            }
        }
        let named = self.series.iter().chain(&self.markers);
        if !(named.clone().flat_map(|series| &series.points)).any(|(x, y)| self.has_place(*x, *y)) {
            let what = "no series has a finite point (and on a logarithmic axis, a positive one)";
            return Err(Error::Figure(vision_figure::Error::NothingToDraw { what }));
        }
        let shown: Vec<_> = named.chain(&self.guides).collect();
        let points = || {
            shown
                .iter()
                .flat_map(|series| &series.points)
                .chain(&self.room)
        };
        let finite = || points().filter(|(x, y)| self.has_place(*x, *y));
        let x = Axis::around(self.x_scale, finite().map(|(x, _)| *x));
        let y = Axis::around(self.y_scale, finite().map(|(_, y)| *y));
        let (Some(x), Some(y)) = (x, y) else {
            let what = "no series has a finite point (and on a logarithmic axis, a positive one)";
            return Err(Error::Figure(vision_figure::Error::NothingToDraw { what }));
        };
        let mut figure = Figure::new(&self.title, self.width, self.height)?;
        let area = self.draw_axes(&mut figure, &x, &y);
        let position = |&(px, py): &(f64, f64)| {
            let (px, py) = (x.position(px)? as f32, y.position(py)? as f32);
            Some((area.x + px * area.width, area.y + (1.0 - py) * area.height))
        };
        let mut taken = Taken::in_room(inner(area));
        for guide in &self.guides {
            // A label may hide a part of it.
            let places = guide.points.iter().filter_map(position);
            figure.line(places.collect(), 1.0, GUIDE);
        }
        for (series, color) in self.series.iter().zip(CYCLE.iter().cycle()) {
            let places: Vec<_> = series.points.iter().map(position).collect();
            for run in places.split(Option::is_none) {
                let run: Vec<_> = run.iter().flatten().copied().collect();
                if !run.is_empty() {
                    let run = thinned(run);
                    taken.line(&run);
                    figure.line(run, 1.8, *color);
                }
            }
            if places.len() <= few {
                for dot in places.into_iter().flatten() {
                    figure.line(vec![dot], 6.0, *color);
                }
            }
        }
        let dots = |marker: &Series| marker.points.first().and_then(position);
        for dot in self.markers.iter().filter_map(dots) {
            taken.line(&[dot]);
        }
        for marker in &self.markers {
            if let Some(dot) = dots(marker) {
                Self::draw_marker(&mut figure, area, dot, &marker.name, &mut taken);
            }
        }
        if self.series.len() > 1 {
            let names = self.series.iter().map(|series| series.name.as_str());
            legend::draw(&mut figure, area, &taken, &names.collect::<Vec<_>>());
        }
        Ok(figure)
    }

    fn has_place(&self, x: f64, y: f64) -> bool {
        let fits = |scale, value: f64| value.is_finite() && (scale == Scale::Linear || value > 0.0);
        fits(self.x_scale, x) && fits(self.y_scale, y)
    }

    /// Draws frame, grid, ticks and labels. Returns the area for the lines.
    fn draw_axes(&self, figure: &mut Figure, x: &Axis, y: &Axis) -> Area {
        let above = if self.title.is_empty() {
            0.0
        } else {
            TITLE + 10.0
        };
        let below = TICK
            + 10.0
            + if self.x_label.is_empty() {
                0.0
            } else {
                LABEL + 8.0
            };
        let height = self.height - 2.0 * MARGIN - above - below;
        let rows = y.ticks((height / 45.0) as usize);
        let widest = rows
            .iter()
            .map(|(_, label)| width(label, TICK))
            .fold(0.0, f32::max);
        let before = widest
            + 8.0
            + if self.y_label.is_empty() {
                0.0
            } else {
                LABEL + 8.0
            };
        let across = self.width - 2.0 * MARGIN - before - 8.0;
        let area = Area {
            x: MARGIN + before,
            y: MARGIN + above,
            width: across,
            height,
        };
        let bottom = area.y + area.height;
        for (value, label) in rows {
            let Some(at) = y.position(value) else {
                continue;
            };
            let at = bottom - at as f32 * area.height;
            figure.rect(area.x, at.floor(), area.width, 1.0, GRID);
            figure.text(Text::new(area.x - 8.0, at, TICK, Anchor::End, &label));
        }
        let mut columns = x.ticks((area.width / 75.0) as usize);
        if self.whole {
            columns.retain(|(value, _)| value.fract() == 0.0);
            for (value, label) in &mut columns {
                *label = value.to_string();
            }
        }
        for (value, label) in columns {
            let Some(at) = x.position(value) else {
                continue;
            };
            let at = area.x + at as f32 * area.width;
            figure.rect(at.floor(), area.y, 1.0, area.height, GRID);
            figure.text(Text::new(
                at,
                bottom + 8.0 + TICK / 2.0,
                TICK,
                Anchor::Middle,
                &label,
            ));
        }
        figure.frame(area, BLACK);
        let middle = area.x + area.width / 2.0;
        let title = Text::new(
            middle,
            MARGIN + TITLE / 2.0,
            TITLE,
            Anchor::Middle,
            &self.title,
        );
        figure.text(title.fit(2.0 * (middle.min(self.width - middle) - MARGIN)));
        let y = self.height - MARGIN - LABEL / 2.0;
        figure.text(Text::new(middle, y, LABEL, Anchor::Middle, &self.x_label).fit(area.width));
        let (x, y) = (MARGIN + LABEL / 2.0, area.y + area.height / 2.0);
        let label = Text::new(x, y, LABEL, Anchor::Middle, &self.y_label);
        figure.text(label.fit(area.height).rotated());
        area
    }

    /// Draws a dot and its name, as near as it can be without hiding a line or another name. If there
    /// is no such place, the name is above the dot, without a background.
    fn draw_marker(
        figure: &mut Figure,
        area: Area,
        dot: (f32, f32),
        name: &str,
        taken: &mut Taken,
    ) {
        const HEIGHT: f32 = 14.0;
        figure.line(vec![dot], 9.0, MARKER);
        if name.is_empty() {
            return;
        }
        let wide = width(name, TICK).min(area.width - 8.0);
        let found = taken.near(dot, wide, HEIGHT);
        let place = found.unwrap_or(Area {
            x: (dot.0 - wide / 2.0).clamp(area.x + 4.0, area.x + area.width - 4.0 - wide),
            y: dot.1 - 8.0 - HEIGHT,
            width: wide,
            height: HEIGHT,
        });
        if found.is_some() {
            // Over the lines of the grid.
            figure.rect(place.x, place.y, wide, HEIGHT, WHITE);
        }
        taken.area(place);
        let (x, y) = (place.x + wide / 2.0, place.y + HEIGHT / 2.0);
        if found.is_some() && (x - dot.0).hypot(y - dot.1) > FAR {
            // From the dot to the nearest point of the name.
            let end = (
                dot.0.clamp(place.x, place.x + wide),
                dot.1.clamp(place.y, place.y + HEIGHT),
            );
            figure.line(vec![dot, end], 0.8, MARKER);
        }
        figure.text(Text::new(x, y, TICK, Anchor::Middle, name).fit(wide));
    }
}

/// The area within a margin, for labels.
fn inner(area: Area) -> Area {
    const MARGIN: f32 = 6.0;
    Area {
        x: area.x + MARGIN,
        y: area.y + MARGIN,
        width: area.width - 2.0 * MARGIN,
        height: area.height - 2.0 * MARGIN,
    }
}
