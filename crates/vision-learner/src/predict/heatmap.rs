//! Heat maps: which places of an image speak for a class.

use vision_base::OptionError;
use vision_base::message::listed;
use vision_data::TargetKind;

use crate::Result;

/// Largest side of a heat map.
const MOST_SIDE: usize = 1 << 16;
/// Largest number of values.
const MOST_VALUES: usize = 1 << 26;

/// How much each place of an image speaks for a class: [`Learner::grad_cam`](crate::Learner::grad_cam),
/// [`Learner::occlusion`](crate::Learner::occlusion). It lies over the whole image as the model sees it, that is, after
/// resizing and cropping.
#[derive(Clone, Debug, PartialEq)]
pub struct Heatmap {
    values: Vec<f32>,
    height: usize,
    width: usize,
    class: Option<String>,
    layer: Option<String>,
    probability: Option<f32>,
}

impl Heatmap {
    /// A map of your own: values row by row, for a height and width of up to 65,536, and at most 67,108,864 values.
    ///
    /// ```
    /// use vision_learner::Heatmap;
    ///
    /// let map = Heatmap::new(vec![0.0, 1.0, 2.0, 4.0], [2, 2])?;
    /// assert_eq!(map.normalized().values(), [0.0, 0.25, 0.5, 1.0]);
    /// assert_eq!(map.resized(1, 1)?.values(), [1.75]);
    /// # Ok::<(), vision_learner::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) if there are no values, too many, as many as the size does not have, or such as
    /// are not finite.
    pub fn new(values: Vec<f32>, [height, width]: [usize; 2]) -> Result<Self> {
        check_size(height, width)?;
        if values.len() != height * width {
            let expected = format!("{height} x {width} values, one for each place");
            return Err(OptionError::new("values", expected, values.len()).into());
        }
        if let Some(odd) = values.iter().find(|value| !value.is_finite()) {
            return Err(OptionError::new("values", "finite numbers", odd).into());
        }
        Ok(Self {
            values,
            height,
            width,
            class: None,
            layer: None,
            probability: None,
        })
    }

    /// The same map with what it tells of.
    pub(super) fn of(mut self, class: &str, probability: f32, layer: Option<&str>) -> Self {
        self.class = Some(class.to_owned());
        self.probability = Some(probability);
        self.layer = layer.map(str::to_owned);
        self
    }

    /// The values, row by row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Number of values in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The class that it is for; `None` for a map of your own.
    pub fn class(&self) -> Option<&str> {
        self.class.as_deref()
    }

    /// The probability of the class, as the model predicts it for the whole image; `None` for a map of your own.
    pub fn probability(&self) -> Option<f32> {
        self.probability
    }

    /// The name of the layer, for Grad-CAM: `0` is the whole body.
    pub fn layer(&self) -> Option<&str> {
        self.layer.as_deref()
    }

    /// The values moved and scaled to 0 to 1, as `imshow` of matplotlib does; all 0 if they are equal.
    pub fn normalized(&self) -> Self {
        let least = self.values.iter().copied().fold(f32::INFINITY, f32::min);
        let most = self
            .values
            .iter()
            .copied()
            .fold(f32::NEG_INFINITY, f32::max);
        // The difference of two numbers may be larger than the largest one.
        let (least, range) = (f64::from(least), f64::from(most) - f64::from(least));
        let scale = |value: &f32| match range > 0.0 {
            true => ((f64::from(*value) - least) / range) as f32,
            false => 0.0,
        };
        Self {
            values: self.values.iter().map(scale).collect(),
            ..self.clone()
        }
    }

    /// The map with another height and width, interpolated bilinearly between the centers of its places, as
    /// `interpolate(mode="bilinear", align_corners=False)` of PyTorch does.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) if a side is 0 or above 65,536, or there are more than 67,108,864 values.
    pub fn resized(&self, height: usize, width: usize) -> Result<Self> {
        check_size(height, width)?;
        let (rows, columns) = (between(self.height, height), between(self.width, width));
        let mut values = Vec::with_capacity(height * width);
        for (top, bottom, down) in rows {
            let row = |at: usize| &self.values[at * self.width..][..self.width];
            let (top, bottom) = (row(top), row(bottom));
            values.extend(columns.iter().map(|&(left, right, along)| {
                let mix = |row: &[f32]| {
                    f64::from(row[left]) * (1.0 - along) + f64::from(row[right]) * along
                };
                (mix(top) * (1.0 - down) + mix(bottom) * down) as f32
            }));
        }
        Ok(Self {
            values,
            height,
            width,
            ..self.clone()
        })
    }
}

fn check_size(height: usize, width: usize) -> Result<()> {
    for (option, side) in [("height", height), ("width", width)] {
        if !(1..=MOST_SIDE).contains(&side) {
            let expected = format!("1 to {MOST_SIDE}");
            return Err(OptionError::new(option, expected, side).into());
        }
    }
    if height * width > MOST_VALUES {
        let expected = format!("a height with which there are at most {MOST_VALUES} values");
        return Err(OptionError::new("height", expected, format!("{height} x {width}")).into());
    }
    Ok(())
}

/// For each of `new` places, the two of `old` between which its center lies, and how far it is from the first to the
/// second, from 0 to 1.
fn between(old: usize, new: usize) -> Vec<(usize, usize, f64)> {
    let place = |i: usize| {
        let center = (i as f64 + 0.5) * old as f64 / new as f64 - 0.5;
        let center = center.clamp(0.0, (old - 1) as f64);
        let first = center as usize;
        (first, (first + 1).min(old - 1), center - first as f64)
    };
    (0..new).map(place).collect()
}

/// The position of the class of this name, if there is a name.
pub(super) fn position(
    kind: TargetKind,
    classes: &[String],
    name: Option<&str>,
) -> Result<Option<usize>> {
    if kind == TargetKind::Float {
        let expected = "classes, of which a heat map shows one";
        return Err(OptionError::new("labels", expected, "numbers").into());
    }
    let Some(name) = name else {
        return Ok(None);
    };
    match classes.iter().position(|class| class == name) {
        Some(class) => Ok(Some(class)),
        None => {
            let expected = format!("one of the classes {}", listed(classes.iter()));
            Err(OptionError::new("class", expected, name).into())
        }
    }
}
