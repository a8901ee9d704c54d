//! What happens to an image before a model sees it, when it predicts.

use serde::{Deserialize, Serialize};

use crate::databunch::ImageDataBunch;
use crate::loader::stats::Stats;
use crate::transforms::padding::PaddingMode;
use crate::transforms::resizing::Resizing;
use crate::transforms::size::{ResizeMethod, Size};
use crate::transforms::transform::Transform;

/// Everything that decides which numbers a model gets for an image in validation and prediction: two data
/// bunches with the same preprocessing give a model the same input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// The size of all images; none if they keep their own.
    pub size: Option<Size>,
    /// How the size is reached; none without a size.
    pub resize_method: Option<ResizeMethod>,
    /// Sides are rounded to multiples of this.
    pub mult: Option<usize>,
    /// What is beyond the edges of an image.
    pub padding_mode: PaddingMode,
    /// The transforms of validation.
    pub transforms: Vec<Transform>,
    /// What images are normalized with.
    pub normalize: Option<Stats>,
}

impl Preprocessing {
    /// The fields in which another preprocessing differs: each with the value here and the value there.
    pub fn differences(&self, other: &Self) -> Vec<(&'static str, String, String)> {
        let mut differences = Vec::new();
        let mut compare = |field, same: bool, values: [String; 2]| {
            if !same {
                let [ours, theirs] = values;
                differences.push((field, ours, theirs));
            }
        };
        macro_rules! compare {
            ($($field:ident),*) => {$(
                compare(
                    stringify!($field),
                    self.$field == other.$field,
                    [text(&self.$field), text(&other.$field)],
                );
            )*};
        }
        compare!(
            size,
            resize_method,
            mult,
            padding_mode,
            transforms,
            normalize
        );
        differences
    }
}

/// A value as it is written in a file, on one line.
fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| error.to_string())
}

impl ImageDataBunch {
    /// What happens to an image in validation and prediction.
    pub fn preprocessing(&self) -> Preprocessing {
        let Resizing {
            size,
            mult,
            padding_mode,
            ..
        } = *self.resizing();
        Preprocessing {
            size,
            resize_method: size.map(|_| self.resizing().method()),
            mult,
            padding_mode,
            transforms: self.transforms().valid.clone(),
            normalize: self.stats(),
        }
    }
}
