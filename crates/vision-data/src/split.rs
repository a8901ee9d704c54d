//! Choosing the validation items.

use crate::error::{Error, Result};
use crate::rng::{Purpose, Rng};

/// The positions of the validation items of a random split: `⌊valid_pct · items⌋` of `0..items`,
/// sorted. The same numbers for the same seed on every machine.
///
/// fastai draws with numpy's generator and keeps the order of its draw; the number of items is
/// the same, the choice is not.
///
/// # Errors
///
/// [`Error::BadOption`] unless `valid_pct` is in `[0, 1)`; [`Error::EmptySplit`] if it is not 0
/// and there are too few items for one of them to go to validation.
///
/// ```
/// let valid = vision_data::split::random(10, 0.2, 42)?;
/// assert_eq!(valid.len(), 2);
/// assert_eq!(valid, vision_data::split::random(10, 0.2, 42)?);
/// # Ok::<(), vision_data::Error>(())
/// ```
pub fn random(items: usize, valid_pct: f64, seed: u64) -> Result<Vec<usize>> {
    check_valid_pct(valid_pct)?;
    let wanted = (items as f64 * valid_pct) as usize;
    if wanted == 0 && valid_pct > 0.0 {
        return Err(Error::EmptySplit {
            valid_pct,
            items,
            part: "validation",
        });
    }
    let mut order: Vec<usize> = (0..items).collect();
    Rng::keyed(Purpose::Split, seed, 0, 0).shuffle(&mut order);
    order.truncate(wanted);
    order.sort_unstable();
    Ok(order)
}

pub(crate) fn check_valid_pct(valid_pct: f64) -> Result<()> {
    // Written so that NaN is refused too.
    if (0.0..1.0).contains(&valid_pct) {
        Ok(())
    } else {
        Err(Error::BadOption {
            option: "valid_pct",
            expected: "a fraction of the images: at least 0 and below 1 (0.2 is a fifth)",
            found: valid_pct.to_string(),
        })
    }
}
