//! The items in the order of a class's probability.

use vision_base::OptionError;
use vision_base::message::quoted;

use crate::{Error, Result};

/// The probability of a class for each item, largest first, and whether the item is of the class.
pub(super) struct Ranked {
    pub(super) class: String,
    pub(super) items: Vec<(f64, bool)>,
}

/// What is predicted if the probability must be at least `threshold`.
#[derive(Clone, Copy)]
pub(super) struct Step {
    pub(super) threshold: f64,
    /// Items of the class, and others.
    pub(super) right: u64,
    pub(super) wrong: u64,
}

impl Ranked {
    pub(super) fn new(class: &str, mut items: Vec<(f64, bool)>) -> Result<Self> {
        if let Some((found, _)) = items.iter().find(|item| !(0.0..=1.0).contains(&item.0)) {
            let expected = format!("probabilities of {} from 0 to 1", quoted(class));
            let error = OptionError::new("predictions", expected, found.to_string());
            return Err(Error::Option(error));
        }
        items.sort_by(|a, b| b.0.total_cmp(&a.0));
        Ok(Self {
            class: class.to_owned(),
            items,
        })
    }

    /// Number of items of the class.
    pub(super) fn positive(&self) -> u64 {
        self.items.iter().filter(|item| item.1).count() as u64
    }

    /// A step for each distinct probability, in descending order.
    pub(super) fn steps(&self) -> impl Iterator<Item = Step> {
        let (mut right, mut wrong) = (0, 0);
        self.items.chunk_by(|a, b| a.0 == b.0).map(move |ties| {
            let hits = ties.iter().filter(|item| item.1).count() as u64;
            right += hits;
            wrong += ties.len() as u64 - hits;
            Step {
                threshold: ties[0].0,
                right,
                wrong,
            }
        })
    }

    /// The error of a class that has no such curve.
    pub(super) fn undefined(&self, expected: &'static str) -> Error {
        let (items, positive) = (self.items.len(), self.positive());
        let found = format!(
            "{}, which {positive} of {items} items have",
            quoted(&self.class)
        );
        Error::Option(OptionError::new("class", expected, found))
    }
}
