//! Imbalanced classes: weights for the loss, and a sampler that draws rare classes more often.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use vision_base::OptionError;
use vision_base::message::{listed, quoted};

use crate::error::{Error, Result};
use crate::labels::alike;
use crate::labels::error::LabelError;
use crate::labels::targets::Targets;
use crate::rng::{Purpose, Rng};

/// Largest weight of a class: a loss times a larger one would be infinite.
const MOST_WEIGHT: f32 = 1e30;

/// The weight of each class in the loss.
///
/// With one class per item these are the class weights of the cross-entropy. With several classes
/// per item each is the weight of an item that has the class (PyTorch's `pos_weight`).
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ClassWeights {
    /// All classes weigh the same.
    #[default]
    None,
    /// Computed from the training items. One class per item: items / (classes · items of the class).
    /// Several classes per item: items without the class / items with it. A class that no item has
    /// weighs 1. With several classes per item, so does a class that every item has: the formula would
    /// give 0, and as no item lacks the class, nothing would be learned about it.
    Auto,
    /// Weights by class name; a missing class weighs 1. At least one class with items must not weigh 0.
    Map(BTreeMap<String, f32>),
}

impl ClassWeights {
    /// Weights by class name.
    pub fn map<S: Into<String>>(map: impl IntoIterator<Item = (S, f32)>) -> Self {
        Self::Map(map.into_iter().map(|(name, w)| (name.into(), w)).collect())
    }

    /// One weight per class.
    pub(crate) fn resolve(&self, classes: &[String], train: &Targets) -> Result<Option<Vec<f32>>> {
        if *self == Self::None {
            return Ok(None);
        }
        let counts = counts(classes.len(), train, "class_weights")?;
        let items = train.len() as f64;
        match self {
            Self::None => Ok(None),
            Self::Auto => Ok(Some(
                counts
                    .iter()
                    .map(|&count| match (count, train) {
                        (0, _) => 1.0,
                        (_, Targets::MultiCategory(_)) if count == train.len() => 1.0,
                        (_, Targets::MultiCategory(_)) => {
                            ((items - count as f64) / count as f64) as f32
                        }
                        _ => (items / (counts.len() as f64 * count as f64)) as f32,
                    })
                    .collect(),
            )),
            Self::Map(map) => {
                if let Some(name) = map.keys().find(|name| !classes.contains(name)) {
                    return Err(Error::Label(LabelError::BadClasses {
                        reason: format!(
                            "class_weights names {}, which is not a class; the classes are {}{}",
                            quoted(name),
                            listed(classes.iter()),
                            alike::note([name.as_str()], classes)
                        ),
                    }));
                }
                if let Some((name, weight)) =
                    map.iter().find(|(_, w)| !(0.0..=MOST_WEIGHT).contains(*w))
                {
                    return Err(Error::Option(OptionError::new(
                        "class_weights",
                        "weights from 0 to 1e30",
                        format!("{weight} for {}", quoted(name)),
                    )));
                }
                let weight = |name| map.get(name).copied().unwrap_or(1.0);
                let weights: Vec<f32> = classes.iter().map(weight).collect();
                let mut counted = weights.iter().zip(&counts).filter(|(_, n)| **n > 0);
                // All losses would be 0, or 0 / 0.
                if counts.iter().any(|&n| n > 0) && counted.all(|(weight, _)| *weight == 0.0) {
                    return Err(Error::Option(OptionError::new(
                        "class_weights",
                        "a weight above 0 for at least one class that has training items",
                        "0 for all of them".to_owned(),
                    )));
                }
                Ok(Some(weights))
            }
        }
    }
}

/// The order in which an epoch takes the training items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampler {
    /// Each item once, in random order.
    #[default]
    Shuffled,
    /// As many items as there are, drawn with replacement so that every class is equally likely. An
    /// item with several classes counts for its rarest one; items without any class form a class of
    /// their own. A repeated item is transformed differently each time.
    Balanced,
}

/// The cumulative weights of the items, from which items are drawn.
#[derive(Clone, Debug)]
pub(crate) struct Draw(Vec<f64>);

impl Draw {
    /// Weighs each item by the inverse of the number of items of its class.
    pub(crate) fn balanced(classes: usize, train: &Targets) -> Result<Self> {
        let counts = counts(classes, train, "sampler")?;
        let inverse = |class: u32| {
            // The item itself has the class, so the count is at least 1.
            1.0 / counts[class as usize] as f64
        };
        let mut sums = Vec::with_capacity(train.len());
        let mut sum = 0.0;
        let bare = match train {
            Targets::MultiCategory(labels) => (0..labels.len())
                .filter(|&item| labels.get(item).is_some_and(<[u32]>::is_empty))
                .count(),
            _ => 0,
        };
        for item in 0..train.len() {
            sum += match train {
                Targets::Category(positions) => inverse(positions[item]),
                Targets::MultiCategory(labels) => {
                    let classes = labels.get(item).expect("an item below their number");
                    let classes = classes.iter();
                    let rarest = classes.map(|&class| inverse(class)).reduce(f64::max);
                    rarest.unwrap_or(1.0 / bare.max(1) as f64)
                }
                Targets::Empty(_) | Targets::Float { .. } => 1.0,
            };
            sums.push(sum);
        }
        Ok(Self(sums))
    }

    /// Draws as many items as there are for `epoch`, each with how often it was drawn before.
    pub(crate) fn order(&self, seed: u64, epoch: u64) -> (Vec<usize>, Vec<u32>) {
        let mut rng = Rng::keyed(Purpose::Sample, seed, epoch, 0);
        let total = self.0.last().copied().unwrap_or(0.0);
        let last = self.0.len().saturating_sub(1);
        let mut times = vec![0_u32; self.0.len()];
        let draw = |_: &f64| {
            let at = rng.uniform() * total;
            let item = self.0.partition_point(|&sum| sum <= at).min(last);
            let before = times[item];
            times[item] += 1;
            (item, before)
        };
        self.0.iter().map(draw).unzip()
    }
}

/// The number of items of each class.
fn counts(classes: usize, targets: &Targets, option: &'static str) -> Result<Vec<usize>> {
    let mut counts = vec![0; classes];
    let mut add = |class: u32| {
        counts[class as usize] += 1;
    };
    match targets {
        Targets::Category(positions) => positions.iter().for_each(|&class| add(class)),
        Targets::MultiCategory(labels) => (0..labels.len())
            .filter_map(|item| labels.get(item))
            .flatten()
            .for_each(|&class| add(class)),
        Targets::Empty(0) => {
            return Err(Error::Option(OptionError::new(
                option,
                "training items, to count their classes",
                "no items: leave this option out for data that is only for prediction (`single_from_classes`)"
                    .to_owned(),
            )));
        }
        Targets::Empty(_) | Targets::Float { .. } => {
            return Err(Error::Option(OptionError::new(
                option,
                "items with classes",
                "labels that are numbers, or no labels".to_owned(),
            )));
        }
    }
    Ok(counts)
}
