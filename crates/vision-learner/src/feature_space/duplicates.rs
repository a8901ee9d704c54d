//! Near duplicates.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};

use serde::Serialize;
use vision_base::{OptionError, csv};
use vision_data::inspect::doctor::Split;

use crate::Result;
use crate::feature_space::item::FeatureItem;
use crate::feature_space::space::FeatureSpace;

/// The least similarity of near duplicates by default.
const DEFAULT: f64 = 0.88;

/// How many groups `Display` lists.
const MOST: usize = 20;

/// Groups of images that are nearly the same: [`FeatureSpace::near_duplicates`].
///
/// `Display` lists the first groups. For JSON, it implements serde's `Serialize`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct NearDuplicates {
    /// The least similarity of two images that are connected.
    pub threshold: f64,
    /// The groups, the one with the most similar pair first.
    pub groups: Vec<DuplicateGroup>,
}

/// Images of which each is nearly the same as another one of the group.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DuplicateGroup {
    /// The images, in the order of the space.
    pub items: Vec<DuplicateItem>,
    /// Whether they are of more than one part of the data: a model that has seen the one in training knows the other,
    /// so that its score says too much.
    pub is_leak: bool,
    /// Whether they have different labels, of which at least one is probably wrong. An image without a label has none.
    pub labels_differ: bool,
}

/// An image in a group of near duplicates.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DuplicateItem {
    /// Its position in the space.
    pub position: usize,
    /// The image.
    pub item: FeatureItem,
    /// The position of the most similar other image of the group.
    pub nearest: usize,
    /// How similar the two are.
    pub similarity: f64,
}

impl FeatureSpace<'_> {
    /// Groups of images that are nearly the same: connected by similarities of at least 0.88.
    ///
    /// The threshold suits pooled features of a network that was trained on photographs; the page
    /// "Are the labels right" of the documentation says on which images it was found. Drawings and digits of one
    /// kind are more similar, and need a higher one.
    ///
    /// # Errors
    ///
    /// None with this threshold.
    pub fn near_duplicates(&self) -> Result<NearDuplicates> {
        self.near_duplicates_above(DEFAULT)
    }

    /// [`near_duplicates`](Self::near_duplicates) with another threshold, from 0 to 1.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) for another threshold.
    pub fn near_duplicates_above(&self, threshold: f64) -> Result<NearDuplicates> {
        if !(0.0..=1.0).contains(&threshold) {
            let expected = "a similarity from 0 to 1, such as 0.88";
            return Err(OptionError::new("threshold", expected, threshold).into());
        }
        let groups = self.points.groups(threshold);
        let mut groups: Vec<DuplicateGroup> =
            groups.iter().map(|group| self.group(group)).collect();
        let most = |group: &DuplicateGroup| {
            let similarities = group.items.iter().map(|item| item.similarity);
            similarities.fold(0.0, f64::max)
        };
        groups.sort_by(|a, b| most(b).total_cmp(&most(a)));
        Ok(NearDuplicates { threshold, groups })
    }

    fn group(&self, group: &[usize]) -> DuplicateGroup {
        let nearest = self.points.at(group).nearest(1).into_iter();
        let items = group.iter().zip(nearest).filter_map(|(&position, near)| {
            let (nearest, similarity) = *near.first()?;
            Some(DuplicateItem {
                position,
                item: self.items[position].clone(),
                nearest: group[nearest],
                similarity,
            })
        });
        let items: Vec<DuplicateItem> = items.collect();
        let parts: BTreeSet<Split> = items.iter().map(|item| item.item.part).collect();
        let labels = items.iter().map(|item| item.item.label.as_str());
        let labels: BTreeSet<&str> = labels.filter(|label| !label.is_empty()).collect();
        DuplicateGroup {
            is_leak: parts.len() > 1,
            labels_differ: labels.len() > 1,
            items,
        }
    }
}

impl NearDuplicates {
    /// The groups with images of more than one part of the data.
    pub fn leaks(&self) -> impl Iterator<Item = &DuplicateGroup> {
        self.groups.iter().filter(|group| group.is_leak)
    }

    /// A line for each image: `group,part,file,label,similarity,is_leak,labels_differ`, with the groups counted from 0.
    /// Spreadsheets take no field for a formula.
    pub fn to_csv(&self) -> String {
        let mut table = String::from("group,part,file,label,similarity,is_leak,labels_differ\n");
        for (number, group) in self.groups.iter().enumerate() {
            for DuplicateItem {
                item, similarity, ..
            } in &group.items
            {
                let (part, leak, differ) = (item.part, group.is_leak, group.labels_differ);
                let (name, label) = (csv::field(&item.name), csv::field(&item.label));
                let _ = writeln!(
                    table,
                    "{number},{part},{name},{label},{similarity:.6},{leak},{differ}"
                );
            }
        }
        table
    }
}

/// The number of groups, then the first groups.
impl fmt::Display for NearDuplicates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (groups, leaks) = (self.groups.len(), self.leaks().count());
        let images: usize = self.groups.iter().map(|group| group.items.len()).sum();
        let threshold = self.threshold;
        writeln!(
            f,
            "{groups} groups of near duplicates with {images} images (similarity of at least {threshold}), \
             {leaks} of them in more than one part of the data"
        )?;
        for group in self.groups.iter().take(MOST) {
            let notes = [
                (group.is_leak, "leak"),
                (group.labels_differ, "labels differ"),
            ];
            let notes = notes.iter().filter(|(is, _)| *is).map(|(_, note)| *note);
            let notes: Vec<&str> = notes.collect();
            match notes.is_empty() {
                true => writeln!(f)?,
                false => writeln!(f, "\n{}", notes.join(", "))?,
            }
            for DuplicateItem {
                item, similarity, ..
            } in group.items.iter().take(MOST)
            {
                writeln!(f, "{similarity:>6.4}  {}", item.shown())?;
            }
            more(f, group.items.len())?;
        }
        more(f, groups)
    }
}

fn more(f: &mut fmt::Formatter<'_>, all: usize) -> fmt::Result {
    match all.saturating_sub(MOST) {
        0 => Ok(()),
        more => writeln!(f, "and {more} more"),
    }
}
