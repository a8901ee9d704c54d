//! Images that are unlike the others.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use serde::Serialize;
use vision_base::{OptionError, csv};

use crate::Result;
use crate::feature_space::item::FeatureItem;
use crate::feature_space::points::Points;
use crate::feature_space::space::FeatureSpace;

/// How many images `Display` lists.
const MOST: usize = 20;

/// A smaller distance is a rounding error, as in cleanlab.
const NO_DISTANCE: f64 = 100.0 * (f64::EPSILON / 2.0);

/// A smaller median distance counts as this one, as in cleanlab.
const LEAST_SCALE: f64 = 1e-6;

/// How unusual the images are: [`FeatureSpace::outliers`].
///
/// `Display` lists the first images. For JSON, it implements serde's `Serialize`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Outliers {
    /// The number of neighbors.
    pub k: usize,
    /// All images, the most unusual first.
    pub items: Vec<OutlierItem>,
}

/// How unusual an image is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OutlierItem {
    /// Its position in the space.
    pub position: usize,
    /// The image.
    pub item: FeatureItem,
    /// The mean distance to its nearest neighbors, 1 minus the cosine.
    pub distance: f64,
    /// exp(−distance / median of all distances): from 0 (unusual) to 1. An image as usual as half of them has 0.37.
    pub score: f64,
    /// The mean distance to the nearest neighbors with the same label. `None` if no other image has it, or it has none.
    pub own_distance: Option<f64>,
    /// The score among the images with the same label.
    pub own_score: Option<f64>,
}

impl FeatureSpace<'_> {
    /// How unusual each image is, by its mean distance to its `k` nearest neighbors, among all images and among those with
    /// its label. With fewer others than `k`, all of them count. cleanlab's `k` is 10.
    ///
    /// The score is that of cleanlab's `OutOfDistribution` for features. An image with a low score is unlike all others: a
    /// file of another kind, a failed scan. One with a low `own_score` is unlike those with its label, which may be
    /// wrong.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) if `k` is 0.
    #[doc(alias = "OutOfDistribution")]
    pub fn outliers(&self, k: usize) -> Result<Outliers> {
        if k == 0 {
            return Err(OptionError::new("k", "at least 1 neighbor", k).into());
        }
        let (distances, scores) = distances(&self.points, k);
        let mut items: Vec<OutlierItem> =
            (self.items.iter().zip(distances).zip(scores).enumerate())
                .map(|(position, ((item, distance), score))| OutlierItem {
                    position,
                    item: item.clone(),
                    distance,
                    score,
                    own_distance: None,
                    own_score: None,
                })
                .collect();
        let mut labels: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (position, item) in self.items.iter().enumerate() {
            labels.entry(&item.label).or_default().push(position);
        }
        let several =
            |(label, positions): &(&str, Vec<usize>)| !label.is_empty() && positions.len() > 1;
        for (_, positions) in labels.into_iter().filter(several) {
            let own = self::distances(&self.points.at(&positions), k);
            for ((position, distance), score) in positions.into_iter().zip(own.0).zip(own.1) {
                items[position].own_distance = Some(distance);
                items[position].own_score = Some(score);
            }
        }
        items.sort_by(|a, b| a.score.total_cmp(&b.score));
        Ok(Outliers { k, items })
    }
}

/// The mean distance of each point to its nearest neighbors, and the score. A single point has no neighbor, and the distance
/// 0.
fn distances(points: &Points<'_>, k: usize) -> (Vec<f64>, Vec<f64>) {
    let means = points.nearest(k).into_iter().map(|near| {
        let sum: f64 = near.iter().map(|(_, cosine)| 1.0 - cosine).sum();
        sum / near.len().max(1) as f64
    });
    let means: Vec<f64> = means.collect();
    let scale = median(&means).max(LEAST_SCALE);
    let score = |distance: &f64| match *distance < NO_DISTANCE {
        true => 1.0,
        false => (-distance / scale).exp(),
    };
    let scores = means.iter().map(score).collect();
    (means, scores)
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    let at = |position: usize| values.get(position).copied().unwrap_or(0.0);
    let half = values.len() / 2;
    match values.len() % 2 {
        0 => (at(half.saturating_sub(1)) + at(half)) / 2.0,
        _ => at(half),
    }
}

impl Outliers {
    /// A line for each image, the most unusual first: `part,file,label,score,distance,own_score,own_distance`. What is not
    /// known is empty. Spreadsheets take no field for a formula.
    pub fn to_csv(&self) -> String {
        let mut table = String::from("part,file,label,score,distance,own_score,own_distance\n");
        let known =
            |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.6}"));
        for item in &self.items {
            let FeatureItem {
                part, name, label, ..
            } = &item.item;
            let (name, label) = (csv::field(name), csv::field(label));
            let (score, distance) = (item.score, item.distance);
            let (own, own_distance) = (known(item.own_score), known(item.own_distance));
            let _ = writeln!(
                table,
                "{part},{name},{label},{score:.6},{distance:.6},{own},{own_distance}"
            );
        }
        table
    }
}

/// The first images.
impl fmt::Display for Outliers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (all, k) = (self.items.len(), self.k);
        writeln!(
            f,
            "the most unusual of {all} images, by their {k} nearest neighbors"
        )?;
        writeln!(f, "\n{:>6}  {:>6}  image", "score", "own")?;
        for item in self.items.iter().take(MOST) {
            let own = item
                .own_score
                .map_or_else(|| "none".to_owned(), |own| format!("{own:.4}"));
            writeln!(f, "{:>6.4}  {own:>6}  {}", item.score, item.item.shown())?;
        }
        match all.saturating_sub(MOST) {
            0 => Ok(()),
            more => writeln!(f, "and {more} more"),
        }
    }
}
