//! Predictions that can be scored.

use vision_base::OptionError;
use vision_data::{TargetKind, Targets};

use crate::predict::predictions::Predictions;
use crate::{Error, Result};

/// Checks that there are items, all with labels and a whole row of predictions. Returns the kind of the labels.
pub(super) fn check(predictions: &Predictions) -> Result<TargetKind> {
    let items = predictions.targets.len();
    let bad = |expected: &'static str, found: String| {
        Err(OptionError::new("predictions", expected, found).into())
    };
    let values = predictions.probabilities.len();
    if predictions.classes == 0 || items.checked_mul(predictions.classes) != Some(values) {
        let found = format!("{values} for {items} items of {}", predictions.classes);
        return bad("a probability for each item and class", found);
    }
    match predictions.targets.kind() {
        _ if items == 0 => bad("at least one item", "none".to_owned()),
        Some(kind) => Ok(kind),
        None => bad("items with labels", format!("{items} items without labels")),
    }
}

/// Whether each item's most probable class is its own.
pub(super) fn right(predictions: &Predictions) -> Result<Vec<bool>> {
    let found = check(predictions)?;
    let Targets::Category(classes) = &predictions.targets else {
        let expected = TargetKind::Category;
        let error = vision_data::LabelError::WrongKind { expected, found };
        return Err(Error::Data(error.into()));
    };
    let right = |(item, class): (usize, &u32)| predictions.predicted(item) == *class as usize;
    Ok(classes.iter().enumerate().map(right).collect())
}

/// Whether `a` and `b` are right, item by item; they must be about the same items.
pub(super) fn pairs(a: &Predictions, b: &Predictions) -> Result<Vec<(bool, bool)>> {
    let (right_a, right_b) = (right(a)?, right(b)?);
    if a.targets != b.targets || a.indices != b.indices {
        return Err(OptionError::new(
            "predictions to compare",
            "predictions for the same items in the same order: the same part of the same data",
            format!(
                "{} and {} items that differ in number, position or label",
                a.len(),
                b.len()
            ),
        )
        .into());
    }
    Ok(right_a.into_iter().zip(right_b).collect())
}
