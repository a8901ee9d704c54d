//! Draws validation items, and deals items to folds. Keys are the classes or groups of the items,
//! numbered from 0.

use vision_base::OptionError;

use crate::error::{Error, Result};
use crate::rng::{Purpose, Rng};
use crate::split::check_valid_pct;
use crate::split::error::SplitError;

/// Largest number of items of [`random_split`], which puts the positions of all in order: 8 bytes each.
const MOST_ITEMS: usize = 100_000_000;

/// The positions of the validation items of a random split: `⌊valid_pct · items⌋` of `0..items`,
/// sorted. The same seed gives the same positions on every machine.
///
/// fastai draws with numpy's generator and keeps the order of the draw. The number of items is the
/// same here, but not the choice; [`Split::Numpy`](crate::split::Split::Numpy) makes fastai's choice.
///
/// # Errors
///
/// [`Error::Option`] unless `valid_pct` is in `[0, 1)`, and for more than 100 million items; [`SplitError::Empty`](crate::SplitError::Empty)
/// if it is not 0 and there are too few items to give one to validation.
///
/// ```
/// let valid = vision_data::random_split(10, 0.2, 42)?;
/// assert_eq!(valid.len(), 2);
/// assert_eq!(valid, vision_data::random_split(10, 0.2, 42)?);
/// # Ok::<(), vision_data::Error>(())
/// ```
pub fn random_split(items: usize, valid_pct: f64, seed: u64) -> Result<Vec<usize>> {
    if items > MOST_ITEMS {
        return Err(OptionError::new("items", "at most 100 million", items).into());
    }
    let wanted = wanted(items, valid_pct)?;
    let mut order = shuffled(items, seed);
    order.truncate(wanted);
    order.sort_unstable();
    Ok(order)
}

/// The number of validation items, which is 0 only if that was requested.
pub(super) fn wanted(items: usize, valid_pct: f64) -> Result<usize> {
    check_valid_pct(valid_pct)?;
    let wanted = (items as f64 * valid_pct) as usize;
    if wanted == 0 && valid_pct > 0.0 {
        return Err(Error::Split(SplitError::Empty {
            split: format!("valid_pct {valid_pct}"),
            items,
            part: "validation",
            hint: "raise valid_pct, use more images, or use `.valid_pct(0.0)` for no validation",
        }));
    }
    Ok(wanted)
}

pub(super) fn shuffled(items: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..items).collect();
    Rng::keyed(Purpose::Split, seed, 0, 0).shuffle(&mut order);
    order
}

/// Like [`random`], but with the same share of each class: `⌊valid_pct · count⌋` items of a class,
/// and one more for the classes that lose most by rounding, until the total is that of [`random`] or
/// no class can give one more. No class goes to validation entirely.
pub(super) fn stratified(keys: &[u32], valid_pct: f64, seed: u64) -> Result<Vec<usize>> {
    let wanted = wanted(keys.len(), valid_pct)?;
    let members = members(keys, &shuffled(keys.len(), seed));
    let share = |members: &Vec<usize>| members.len() as f64 * valid_pct;
    let mut take: Vec<usize> = members.iter().map(|m| share(m) as usize).collect();
    let mut by_loss: Vec<usize> = (0..members.len()).collect();
    let loss = |class: usize| members.get(class).map_or(0.0, |m| share(m).fract());
    by_loss.sort_by(|&a, &b| loss(b).total_cmp(&loss(a)));
    let mut missing = wanted.saturating_sub(take.iter().sum());
    for class in by_loss {
        let (Some(take), Some(members)) = (take.get_mut(class), members.get(class)) else {
            continue;
        };
        if missing > 0 && *take + 1 < members.len() {
            *take += 1;
            missing -= 1;
        }
    }
    let chosen = members.iter().zip(take).flat_map(|(m, n)| m.iter().take(n));
    let mut chosen: Vec<usize> = chosen.copied().collect();
    chosen.sort_unstable();
    Ok(chosen)
}

/// Whole groups in random order, as long as they fit into `⌊valid_pct · items⌋`; the smallest group
/// if none fits.
pub(super) fn grouped(keys: &[u32], valid_pct: f64, seed: u64) -> Result<Vec<usize>> {
    let wanted = wanted(keys.len(), valid_pct)?;
    if wanted == 0 {
        return Ok(Vec::new());
    }
    let mut groups = members(keys, &(0..keys.len()).collect::<Vec<_>>());
    Rng::keyed(Purpose::Split, seed, 0, 0).shuffle(&mut groups);
    let mut chosen: Vec<usize> = Vec::with_capacity(wanted);
    for group in &groups {
        if chosen.len() + group.len() <= wanted {
            chosen.extend(group);
        }
    }
    if chosen.is_empty() {
        chosen.extend(
            groups
                .iter()
                .min_by_key(|group| group.len())
                .into_iter()
                .flatten(),
        );
    }
    chosen.sort_unstable();
    Ok(chosen)
}

/// The fold of each item. The sizes of the folds differ by at most one, in total and, with keys,
/// also within each class.
pub(super) fn folds(items: usize, keys: Option<&[u32]>, folds: usize, seed: u64) -> Vec<usize> {
    let order = shuffled(items, seed);
    let order = match keys {
        Some(keys) => members(keys, &order).concat(),
        None => order,
    };
    let mut fold = vec![0; items];
    // Deal like cards, continuing with the next fold where a class ends.
    for (card, item) in order.into_iter().enumerate() {
        if let Some(fold) = fold.get_mut(item) {
            *fold = card % folds;
        }
    }
    fold
}

/// The fold of each item, the same for all items of a group. The largest group comes first, and each
/// goes to the fold with the fewest items; groups of the same size are in random order.
pub(super) fn grouped_folds(keys: &[u32], folds: usize, seed: u64) -> Vec<usize> {
    let mut groups = members(keys, &(0..keys.len()).collect::<Vec<_>>());
    Rng::keyed(Purpose::Split, seed, 0, 0).shuffle(&mut groups);
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    let mut sizes = vec![0_usize; folds];
    let mut fold = vec![0; keys.len()];
    for group in groups {
        let smallest = (0..folds).min_by_key(|&fold| sizes[fold]).unwrap_or(0);
        sizes[smallest] += group.len();
        for item in group {
            fold[item] = smallest;
        }
    }
    fold
}

/// The items of each key, in the order of `order`.
fn members(keys: &[u32], order: &[usize]) -> Vec<Vec<usize>> {
    let count = keys.iter().max().map_or(0, |&most| most as usize + 1);
    let mut members = vec![Vec::new(); count];
    for &item in order {
        if let Some(members) = keys
            .get(item)
            .and_then(|&key| members.get_mut(key as usize))
        {
            members.push(item);
        }
    }
    members
}
