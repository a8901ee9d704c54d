//! The space of features.

use vision_base::OptionError;
use vision_base::message::shown;

use crate::Result;
use crate::feature_space::item::FeatureItem;
use crate::feature_space::nearest::nearest_first;
use crate::feature_space::neighbor::Neighbor;
use crate::feature_space::points::Points;
use crate::predict::embeddings::Embeddings;

/// Images as points in the space of a model's features: finds similar images, near duplicates and outliers.
///
/// Two images are compared by the cosine of the angle between their features ([`Learner::embed`](crate::Learner::embed)).
/// All searches are exact: the results are those of 64 bits, the same on every processor. Candidates are found by products
/// of matrices in 32 bits, tile by tile, so that the similarities of all pairs are never in memory. The space has a copy of
/// the features, 4 bytes per value.
///
/// ```no_run
/// use vision_data::DatasetType;
/// use vision_learner::FeatureSpace;
///
/// # fn look(learner: &vision_learner::Learner) -> vision_learner::Result<()> {
/// let train = learner.embed(DatasetType::Fix)?;
/// let valid = learner.embed(DatasetType::Valid)?;
/// let space = FeatureSpace::new([&train, &valid])?;
///
/// println!("{}", space.near_duplicates()?);       // groups; those of two parts are leaks
/// println!("{}", space.outliers(10)?);            // the most unusual images
/// for neighbor in space.similar(0, 5)? {
///     println!("{} {:.3}", neighbor.item.name, neighbor.similarity);
/// }
/// # Ok(())
/// # }
/// ```
#[doc(alias(
    "DatasetFormatter",
    "from_similars",
    "get_similars_idxs",
    "NearestNeighbors"
))]
#[derive(Clone, Debug)]
pub struct FeatureSpace<'a> {
    pub(super) items: Vec<FeatureItem>,
    pub(super) points: Points<'a>,
}

impl<'a> FeatureSpace<'a> {
    /// The images of these parts of the data, in order.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) if there is no image, a part occurs twice, the features of two parts have
    /// different lengths or come from different layers, or with the image for a value that is not finite.
    pub fn new(parts: impl IntoIterator<Item = &'a Embeddings>) -> Result<Self> {
        let parts: Vec<&Embeddings> = parts.into_iter().collect();
        let bad = |expected: &'static str, found: String| {
            Err(OptionError::new("features", expected, found).into())
        };
        let mut items = Vec::new();
        let mut rows = Vec::new();
        let mut dim = 0;
        for (number, part) in parts.iter().enumerate() {
            part.check()?;
            if let Some(before) = parts[..number]
                .iter()
                .find(|before| before.part == part.part)
            {
                let found = format!("two of the {} images", before.part);
                return bad("each part of the data once", found);
            }
            if let Some(first) = parts.first()
                && (first.dim() != part.dim() || first.layer != part.layer)
            {
                let found = format!(
                    "{} of the layer {:?} and {} of the layer {:?}",
                    first.dim(),
                    first.layer,
                    part.dim(),
                    part.layer
                );
                return bad("as many features of one layer for all parts", found);
            }
            dim = part.dim();
            for at in 0..part.len() {
                let row = part.row(at);
                if let Some(value) = row.iter().find(|value| !value.is_finite()) {
                    let found = format!("{value} for {}", shown(&part.names[at]));
                    return bad("finite numbers", found);
                }
                rows.push(row);
                items.push(FeatureItem {
                    part: part.part,
                    item: part.indices[at],
                    name: part.names[at].clone(),
                    label: part.labels[at].clone(),
                });
            }
        }
        if items.is_empty() || dim == 0 {
            return bad(
                "at least one image with at least one feature",
                "none".to_owned(),
            );
        }
        if u32::try_from(items.len()).is_err() {
            return bad("at most 4 billion images", items.len().to_string());
        }
        let points = Points::new(rows, dim);
        Ok(Self { items, points })
    }

    /// The images, in order: those of the first part, then those of the next.
    pub fn items(&self) -> &[FeatureItem] {
        &self.items
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are no images, which [`new`](Self::new) does not allow.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The first position of an image with this name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.items.iter().position(|item| item.name == name)
    }

    /// The `k` images that are most similar to the one at the position `to`, without itself, the most similar first; of
    /// equal ones the first. All others if there are fewer than `k`.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) if there is no such position.
    pub fn similar(&self, to: usize, k: usize) -> Result<Vec<Neighbor>> {
        if to >= self.len() {
            let expected = format!("a position below the number of images, {}", self.len());
            return Err(OptionError::new("to", expected, to).into());
        }
        let others = (0..self.len()).filter(|other| *other != to);
        let near = others.map(|other| (other, self.points.cosine(to, other)));
        Ok(self.neighbors(near.collect(), k))
    }

    /// The `k` images that are most similar to an image with these features.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) unless there are as many features as those of the images, all of them
    /// finite.
    pub fn similar_to(&self, features: &[f32], k: usize) -> Result<Vec<Neighbor>> {
        let dim = self.points.dim();
        let bad = |found: String| {
            let expected = format!("{dim} finite numbers");
            Err(OptionError::new("features", expected, found).into())
        };
        if features.len() != dim {
            return bad(format!("{} numbers", features.len()));
        }
        if let Some(value) = features.iter().find(|value| !value.is_finite()) {
            return bad(value.to_string());
        }
        let all = 0..self.len();
        let near = all.map(|other| (other, self.points.cosine_to(other, features)));
        Ok(self.neighbors(near.collect(), k))
    }

    fn neighbors(&self, near: Vec<(usize, f64)>, k: usize) -> Vec<Neighbor> {
        let near = nearest_first(near, k).into_iter();
        near.map(|(position, similarity)| Neighbor {
            position,
            item: self.items[position].clone(),
            similarity,
        })
        .collect()
    }
}
