//! Losses of logits and their gradients, per item.
//!
//! ```
//! use vision_kernels::{Isa, loss::CrossEntropy};
//!
//! let (mut losses, mut dlogits) = ([0.0], [0.0; 2]);
//! let rule = CrossEntropy { classes: 2, ..CrossEntropy::default() };
//! rule.run(Isa::detect(), &[0.0, 0.0], &[1_u32], &mut losses, Some(&mut dlogits))?;
//! assert!((losses[0] - 2.0_f32.ln()).abs() < 1e-6);
//! assert_eq!(dlogits, [0.5, -0.5]);
//! # Ok::<(), vision_kernels::ShapeError>(())
//! ```

use crate::error::check_len;
use crate::{Isa, ShapeError, blocks};

/// The cross-entropy of the softmax of logits, with PyTorch's label smoothing and class weights.
///
/// With weights `w`, smoothing `e` and `n` classes, the loss of an item of class `t` is
/// `(1 - e) · w[t] · -log p[t] + e / n · Σ w[c] · -log p[c]`, where `p` is the softmax.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CrossEntropy<'a> {
    /// Number of classes.
    pub classes: usize,
    /// The share of each target that is spread over all classes, from 0 to 1.
    pub smoothing: f64,
    /// One weight per class; `None` for weights of 1.
    pub weights: Option<&'a [f32]>,
}

impl CrossEntropy<'_> {
    /// Computes the loss of each item in `losses`, `[items]`, and, if requested, its gradient in
    /// `dlogits`, in one pass. `logits` and `dlogits` are `[items, classes]`. A target is a class
    /// below `classes`, of any integer type.
    ///
    /// The greatest logit of an item is subtracted before the exponential, so nothing overflows.
    /// NaN and infinities give the same results as in PyTorch.
    ///
    /// `isa` is part of the signature of every kernel. This one is bound by `exp`, which no
    /// instruction set has.
    ///
    /// # Errors
    ///
    /// If a length does not match, there are no classes, or a target is not below `classes`. In the
    /// last case the error contains `targets`, the number of classes, and the target (`usize::MAX`
    /// for a negative one).
    pub fn run<T: Copy + Sync + TryInto<usize>>(
        &self,
        isa: Isa,
        logits: &[f32],
        targets: &[T],
        losses: &mut [f32],
        dlogits: Option<&mut [f32]>,
    ) -> Result<(), ShapeError> {
        let _ = isa;
        let classes = self.classes;
        check_len("classes", classes.max(1), classes)?;
        let weights = self.weights.map_or(classes, <[f32]>::len);
        check_len("weights", classes, weights)?;
        check_len("losses", targets.len(), losses.len())?;
        let class = |&target: &T| match target.try_into() {
            Ok(target) if target < classes => Ok(target),
            other => Err(ShapeError::Length {
                field: "targets",
                expected: classes,
                found: other.unwrap_or(usize::MAX),
            }),
        };
        let targets = targets.iter().map(class).collect::<Result<Vec<_>, _>>()?;
        each_item(classes, logits, losses, dlogits, |item, logits, dlogits| {
            self.item(targets.get(item).copied().unwrap_or(0), logits, dlogits)
        })
    }

    /// The loss of one item of class `target`. Writes its gradient.
    fn item(&self, target: usize, logits: &[f32], mut dlogits: Option<&mut [f32]>) -> f64 {
        // `max` ignores NaN, but the exponential of NaN does not.
        let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0;
        for (c, logit) in logits.iter().enumerate() {
            let power = (logit - greatest).exp();
            sum += f64::from(power);
            if let Some(dlogit) = dlogits.as_deref_mut().and_then(|d| d.get_mut(c)) {
                *dlogit = power;
            }
        }
        let weight = |c: usize| {
            let weight = self.weights.and_then(|weights| weights.get(c));
            weight.map_or(1.0, |weight| f64::from(*weight))
        };
        let surprise = |logit: f32| sum.ln() + f64::from(greatest - logit);
        let own = (1.0 - self.smoothing) * weight(target);
        let mut loss = own * surprise(logits.get(target).copied().unwrap_or(f32::NAN));
        let share = self.smoothing / self.classes as f64;
        let mut total = own;
        if share > 0.0 {
            for (c, logit) in logits.iter().enumerate() {
                loss += share * weight(c) * surprise(*logit);
                total += share * weight(c);
            }
        }
        if let Some(dlogits) = dlogits {
            let scale = (total / sum) as f32;
            for (c, dlogit) in dlogits.iter_mut().enumerate() {
                let wanted = share * weight(c) + if c == target { own } else { 0.0 };
                *dlogit = *dlogit * scale - wanted as f32;
            }
        }
        loss
    }
}

/// The binary cross-entropy of the sigmoid of logits: for each item, the mean over its columns of
/// `(1 - y) z - (1 + (w - 1) y) log σ(z)`, and its gradient if requested, in one pass. `w` is the
/// weight of a target of 1, PyTorch's `pos_weight`.
///
/// `logits`, `targets` (each from 0 to 1) and `dlogits` are `[items, columns]`, `losses` is
/// `[items]`, and `weights` (all 1 if `None`) is `[columns]`. Nothing overflows; NaN and infinities
/// give the same results as in PyTorch. For `isa`, see [`CrossEntropy::run`].
///
/// # Errors
///
/// If a length does not match, or there are no columns.
pub fn binary_cross_entropy(
    isa: Isa,
    weights: Option<&[f32]>,
    [logits, targets]: [&[f32]; 2],
    losses: &mut [f32],
    dlogits: Option<&mut [f32]>,
) -> Result<(), ShapeError> {
    let _ = isa;
    check_len("targets", logits.len(), targets.len())?;
    let columns = logits.len().checked_div(losses.len()).unwrap_or(0);
    check_len("columns", columns.max(1), columns)?;
    check_len("weights", columns, weights.map_or(columns, <[f32]>::len))?;
    each_item(
        columns,
        logits,
        losses,
        dlogits,
        |item, logits, mut dlogits| {
            let targets = targets.get(item * columns..).unwrap_or_default();
            let mut loss = 0.0;
            for (c, (&z, &y)) in logits.iter().zip(targets).enumerate() {
                let weight = weights.and_then(|weights| weights.get(c).copied());
                let positive = 1.0 + (weight.unwrap_or(1.0) - 1.0) * y;
                let power = (-z.abs()).exp();
                let log_sigmoid = z.min(0.0) - power.ln_1p();
                loss += f64::from((1.0 - y) * z - positive * log_sigmoid);
                if let Some(dlogit) = dlogits.as_deref_mut().and_then(|d| d.get_mut(c)) {
                    let negative = if z < 0.0 { 1.0 } else { power } / (1.0 + power);
                    *dlogit = (1.0 - y - positive * negative) / columns as f32;
                }
            }
            loss / columns as f64
        },
    )
}

/// Runs `item` (with its number, its logits, and the place of its gradient) for every item.
fn each_item(
    columns: usize,
    logits: &[f32],
    losses: &mut [f32],
    dlogits: Option<&mut [f32]>,
    item: impl Fn(usize, &[f32], Option<&mut [f32]>) -> f64 + Send + Sync,
) -> Result<(), ShapeError> {
    check_len("logits", losses.len().saturating_mul(columns), logits.len())?;
    let gradient = dlogits.as_ref().map_or(logits.len(), |d| d.len());
    check_len("dlogits", logits.len(), gradient)?;
    // Items in a task: few columns make short items.
    let block = (blocks::BLOCK / 16 / columns).max(1);
    let places = blocks::optional_mut(dlogits, block * columns);
    let tasks = (losses.chunks_mut(block).zip(logits.chunks(block * columns)))
        .zip(places)
        .enumerate()
        .collect();
    blocks::run(
        tasks,
        logits.len() * 16,
        |(task, ((losses, logits), dlogits))| {
            let rows = losses.iter_mut().zip(logits.chunks(columns));
            let places = blocks::optional_mut(dlogits, columns);
            for (i, ((loss, logits), dlogits)) in rows.zip(places).enumerate() {
                *loss = item(task * block + i, logits, dlogits) as f32;
            }
        },
    );
    Ok(())
}
