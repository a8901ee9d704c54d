//! The probability from which on an item has a class.

use std::fmt;

use serde::{Deserialize, Serialize};
use vision_base::OptionError;

/// The probability from which on an item has a class, if items may have several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Threshold {
    /// One for all classes.
    All(f32),
    /// One for each class, in their order.
    Each(Vec<f32>),
}

impl Default for Threshold {
    /// 0.5 for all classes.
    fn default() -> Self {
        Self::All(0.5)
    }
}

impl From<f32> for Threshold {
    fn from(threshold: f32) -> Self {
        Self::All(threshold)
    }
}

impl<const N: usize> From<[f32; N]> for Threshold {
    fn from(thresholds: [f32; N]) -> Self {
        Self::Each(thresholds.to_vec())
    }
}

impl From<Vec<f32>> for Threshold {
    fn from(thresholds: Vec<f32>) -> Self {
        Self::Each(thresholds)
    }
}

impl Threshold {
    /// The threshold of a class, by its position; infinity for a class that has none.
    pub fn of(&self, class: usize) -> f32 {
        match self {
            Self::All(threshold) => *threshold,
            Self::Each(thresholds) => thresholds.get(class).copied().unwrap_or(f32::INFINITY),
        }
    }

    /// Checks that all are probabilities, and that there is one for all classes or one for each.
    ///
    /// # Errors
    ///
    /// An [`OptionError`] if not.
    pub fn check(&self, classes: usize) -> Result<(), OptionError> {
        let values = match self {
            Self::All(threshold) => std::slice::from_ref(threshold),
            Self::Each(thresholds) if thresholds.len() == classes => thresholds,
            Self::Each(thresholds) => {
                return Err(OptionError::new(
                    "threshold",
                    format!("one, or one for each of the {classes} classes"),
                    thresholds.len(),
                ));
            }
        };
        match values.iter().find(|value| !(0.0..=1.0).contains(*value)) {
            None => Ok(()),
            Some(value) => Err(OptionError::new(
                "threshold",
                "a probability from 0 to 1",
                value,
            )),
        }
    }
}

/// One number, or those of the classes: `0.5`, `0.5, 0.3`.
impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(threshold) => write!(f, "{threshold}"),
            Self::Each(thresholds) => {
                for (class, threshold) in thresholds.iter().enumerate() {
                    write!(f, "{}{threshold}", if class == 0 { "" } else { ", " })?;
                }
                Ok(())
            }
        }
    }
}
