//! A threshold for each of several classes per item.

use std::fmt;

use serde::Serialize;
use vision_base::OptionError;
use vision_base::message::named;
use vision_data::{Targets, random_split};
use vision_learner::Threshold;

use crate::scores::Hits;
use crate::{Error, MultiLabelInterpretation, Result};

/// The threshold of each class with the largest F1, and what it is worth on other items:
/// [`MultiLabelInterpretation::best_thresholds`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct BestThresholds {
    /// The classes.
    pub classes: Vec<BestThreshold>,
    /// The threshold of the interpretation, with which `f1_before` is computed.
    pub before: Threshold,
    /// Positions in the data set of the items on which the thresholds were found, in order of the predictions.
    pub found_on: Vec<usize>,
    /// Positions of the other items, on which `f1` and `f1_before` are computed.
    pub reported_on: Vec<usize>,
}

/// The best threshold of a class.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct BestThreshold {
    /// Name of the class.
    pub class: String,
    /// The class is predicted if its probability is above this. `None` if no item has the class on which it could be
    /// found.
    pub threshold: Option<f32>,
    /// F1 on the items on which the threshold was found: too good for other items.
    pub f1_found: Option<f64>,
    /// F1 on the other items. `None` if there is no threshold, or if none of them has the class or is predicted to have
    /// it.
    pub f1: Option<f64>,
    /// F1 on the other items with the threshold of the interpretation; `None` as `f1`.
    pub f1_before: Option<f64>,
}

impl MultiLabelInterpretation {
    /// Finds the threshold of each class with the largest F1 on one half of the items, chosen by `seed`, and computes F1 on
    /// the other half. Of equally good thresholds it takes the largest.
    ///
    /// A threshold lies in the middle between two probabilities, so that "above" and "at least" mean the same.
    /// [`BestThresholds::thresholds`] goes into `ExportConfig::with_threshold`.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] with fewer than two items, or for predictions that are not from 0 to 1.
    #[doc(alias = "TunedThresholdClassifierCV")]
    pub fn best_thresholds(&self, seed: u64) -> Result<BestThresholds> {
        let predictions = self.predictions();
        let bad = |expected: &'static str, found: String| {
            Err(Error::Option(OptionError::new(
                "predictions",
                expected,
                found,
            )))
        };
        let items = predictions.len();
        if items < 2 {
            return bad("at least two items, one for each half", items.to_string());
        }
        let odd = predictions
            .probabilities
            .iter()
            .find(|p| !(0.0..=1.0).contains(*p));
        if let Some(found) = odd {
            return bad("probabilities from 0 to 1", found.to_string());
        }
        let other = random_split(items, 0.5, seed)?;
        let mut is_other = vec![false; items];
        other.iter().for_each(|row| is_other[*row] = true);
        let own: Vec<usize> = (0..items).filter(|row| !is_other[*row]).collect();
        let position = |rows: &[usize]| rows.iter().map(|row| predictions.indices[*row]).collect();
        let class = |(class, name): (usize, &String)| {
            let of = |rows: &[usize]| -> Vec<(f32, bool)> {
                let pair = |row: &usize| (predictions.row(*row)[class], self.has(*row, class));
                rows.iter().map(pair).collect()
            };
            let (own, other) = (of(&own), of(&other));
            let found = best(own);
            BestThreshold {
                class: name.clone(),
                threshold: found.map(|(threshold, _)| threshold),
                f1_found: found.map(|(_, f1)| f1),
                f1: found.and_then(|(threshold, _)| f1(&other, threshold)),
                f1_before: f1(&other, self.threshold().of(class)),
            }
        };
        Ok(BestThresholds {
            classes: self.classes().iter().enumerate().map(class).collect(),
            before: self.threshold().clone(),
            found_on: position(&own),
            reported_on: position(&other),
        })
    }

    fn has(&self, row: usize, class: usize) -> bool {
        match &self.predictions().targets {
            Targets::MultiCategory(labels) => labels
                .get(row)
                .is_some_and(|own| own.contains(&(class as u32))),
            // The interpretation is made of no other labels.
            _ => false,
        }
    }
}

/// The threshold with the largest F1, and this F1. `None` if no item has the class.
fn best(mut items: Vec<(f32, bool)>) -> Option<(f32, f64)> {
    items.sort_by(|a, b| b.0.total_cmp(&a.0));
    let actual = items.iter().filter(|item| item.1).count() as u64;
    let mut hits = Hits {
        actual,
        ..Hits::default()
    };
    let mut best: Option<(f32, f64)> = None;
    let mut rest = &items[..];
    while let Some((own, _)) = rest.first() {
        let ties = rest.iter().take_while(|item| item.0 == *own).count();
        hits.predicted += ties as u64;
        hits.both += rest[..ties].iter().filter(|item| item.1).count() as u64;
        rest = &rest[ties..];
        let below = rest.first().map_or(0.0, |item| item.0);
        let middle = ((f64::from(*own) + f64::from(below)) / 2.0) as f32;
        // Between neighbors there is no number.
        let threshold = if middle < *own { middle } else { below };
        let f1 = hits.scores().f1;
        let is_better = best.is_none_or(|(_, known)| f1 > known);
        // Nothing can be predicted by a probability above 0 if it is 0.
        if hits.both > 0 && is_better && *own > 0.0 {
            best = Some((threshold, f1));
        }
    }
    best
}

/// F1 with this threshold. `None` if the class is neither there nor predicted.
fn f1(items: &[(f32, bool)], threshold: f32) -> Option<f64> {
    let mut hits = Hits::default();
    for (probability, actual) in items {
        let predicted = *probability > threshold;
        hits.predicted += u64::from(predicted);
        hits.actual += u64::from(*actual);
        hits.both += u64::from(predicted && *actual);
    }
    (hits.predicted + hits.actual > 0).then(|| hits.scores().f1)
}

impl BestThresholds {
    /// The thresholds, with that of the interpretation for a class of which none was found.
    pub fn thresholds(&self) -> Vec<f32> {
        let own = |(at, class): (usize, &BestThreshold)| {
            let found = class.threshold;
            found.unwrap_or_else(|| self.before.of(at))
        };
        self.classes.iter().enumerate().map(own).collect()
    }

    /// The mean F1 on the other items before and after, over the classes that have both.
    pub fn mean_f1(&self) -> Option<(f64, f64)> {
        let both = |class: &BestThreshold| Some((class.f1_before?, class.f1?));
        let pairs: Vec<(f64, f64)> = self.classes.iter().filter_map(both).collect();
        let mean =
            |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / pairs.len() as f64;
        (!pairs.is_empty()).then(|| (mean(|pair| pair.0), mean(|pair| pair.1)))
    }
}

/// A line per class, and the means.
impl fmt::Display for BestThresholds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self
            .classes
            .iter()
            .map(|class| named(&class.class))
            .collect();
        let wide = names.iter().map(|name| name.chars().count()).max();
        let wide = wide.unwrap_or(0).max("class".len());
        let before = match &self.before {
            Threshold::All(threshold) => format!("f1 at {threshold}"),
            Threshold::Each(_) => "f1 before".to_owned(),
        };
        let column = before.len();
        writeln!(f, "{:wide$}  threshold      f1  {before}", "class")?;
        let number =
            |number: Option<f64>| number.map_or_else(|| "-".to_owned(), |n| format!("{n:.4}"));
        for (name, class) in names.iter().zip(&self.classes) {
            writeln!(
                f,
                "{name:wide$}  {:>9}  {:>6}  {:>column$}",
                number(class.threshold.map(f64::from)),
                number(class.f1),
                number(class.f1_before)
            )?;
        }
        write!(
            f,
            "found on {} items, f1 on {} others",
            self.found_on.len(),
            self.reported_on.len()
        )?;
        if let Some((before, after)) = self.mean_f1() {
            write!(f, ": mean {after:.4}, {before:.4} at {}", self.before)?;
        }
        Ok(())
    }
}
