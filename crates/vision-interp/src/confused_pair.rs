//! Pairs of classes that were confused, with the items.

use std::fmt;

use vision_base::message::quoted;

use crate::ClassificationInterpretation;

/// A class that was predicted as another one, and items for which that happened:
/// [`ClassificationInterpretation::most_confused_examples`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ConfusedPair {
    /// Name of the actual class.
    pub actual: String,
    /// Name of the predicted class.
    pub predicted: String,
    /// How often that happened.
    pub count: usize,
    /// The items with the largest losses.
    pub examples: Vec<ConfusedItem>,
}

/// An item that was predicted as another class.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ConfusedItem {
    /// Position of the item in the data set.
    pub item: usize,
    /// The name of the item, such as its file.
    pub name: Option<String>,
    /// Its loss.
    pub loss: f32,
    /// Probability of the predicted class.
    pub probability: f32,
}

impl ClassificationInterpretation {
    /// The `pairs` pairs of classes that were confused most, in the order of [`most_confused`](Self::most_confused), each
    /// with up to `items` items: those with the largest losses, in descending order.
    pub fn most_confused_examples(&self, pairs: usize, items: usize) -> Vec<ConfusedPair> {
        let names = self.classes();
        let pair = |(count, actual, predicted): (u64, usize, usize)| ConfusedPair {
            actual: names[actual].clone(),
            predicted: names[predicted].clone(),
            count: count as usize,
            examples: self.confused(actual, predicted, items),
        };
        let found = self.confused_classes(pairs).into_iter();
        found.map(pair).collect()
    }

    /// The pairs of classes that were confused most: how often, the actual and the predicted class.
    pub(crate) fn confused_classes(&self, pairs: usize) -> Vec<(u64, usize, usize)> {
        let mut found = Vec::new();
        for (actual, row) in self.confusion_matrix().rows().enumerate() {
            for (predicted, count) in row.iter().enumerate() {
                if *count > 0 && actual != predicted {
                    found.push((*count, actual, predicted));
                }
            }
        }
        found.sort_by_key(|(count, ..)| std::cmp::Reverse(*count));
        found.truncate(pairs);
        found
    }
}

/// `"cat" was predicted as "dog" 7 times: a.jpg, b.jpg`, with positions of items without a name.
impl fmt::Display for ConfusedPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (actual, predicted) = (quoted(&self.actual), quoted(&self.predicted));
        let times = if self.count == 1 { "time" } else { "times" };
        write!(
            f,
            "{actual} was predicted as {predicted} {} {times}",
            self.count
        )?;
        for (i, example) in self.examples.iter().enumerate() {
            let before = if i == 0 { ": " } else { ", " };
            match &example.name {
                Some(name) => write!(f, "{before}{}", vision_base::message::printable(name))?,
                None => write!(f, "{before}item {}", example.item)?,
            }
        }
        Ok(())
    }
}
