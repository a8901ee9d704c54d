//! Preprocessing: how images are prepared for validation and prediction.

use serde::{Deserialize, Serialize};

use crate::databunch::ImageDataBunch;
use crate::loader::stats::Stats;
use crate::transforms::padding::PaddingMode;
use crate::transforms::resizing::Resizing;
use crate::transforms::size::{ResizeMethod, Size};
use crate::transforms::transform::Transform;

/// Everything that decides the input of a model for an image in validation and prediction. Two data
/// bunches with the same preprocessing give a model the same input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// The size of all images; `None` if they keep their own.
    pub size: Option<Size>,
    /// How the size is reached; `None` without a size.
    pub resize_method: Option<ResizeMethod>,
    /// The multiple to which sides are rounded.
    pub mult: Option<usize>,
    /// The padding mode.
    pub padding_mode: PaddingMode,
    /// The validation transforms.
    pub transforms: Vec<Transform>,
    /// The statistics with which images are normalized.
    pub normalize: Option<Stats>,
}

impl Preprocessing {
    /// The fields that differ in `other`, each with its value in `self` and in `other`.
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

/// A value as JSON on one line.
fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| error.to_string())
}

impl ImageDataBunch {
    /// How images are prepared for validation and prediction.
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
