//! The cross-entropy of classes.
//!
//! ```
//! use vision_kernels::{Isa, loss::cross_entropy};
//!
//! let mut dlogits = [0.0; 2];
//! let loss = cross_entropy(Isa::detect(), 2, &[0.0, 0.0], &[1_u32], &mut dlogits)?;
//! assert!((loss - 2.0_f32.ln()).abs() < 1e-6);
//! assert_eq!(dlogits, [0.5, -0.5]);
//! # Ok::<(), vision_kernels::ShapeError>(())
//! ```

use crate::{Isa, ShapeError, blocks, error::check_len};

/// The mean over the rows of `-log(softmax(logits)[target])`, and its gradient.
///
/// `logits` and `dlogits` are `[rows, classes]`; a target is a class below `classes`, of any integer
/// type. The gradient is `(softmax(logits) - onehot(target)) / rows`. The greatest logit of a row is
/// subtracted before anything is exponentiated, so that nothing overflows; what is not a number comes
/// out as in PyTorch. Without rows the mean is NaN.
///
/// `isa` is part of the signature of every kernel; this one is bound by `exp`, which no instruction set
/// has.
///
/// # Errors
///
/// If a length does not fit, there are no classes, or a target is not below `classes`: then the error
/// says `targets`, how many classes there are, and the target (`usize::MAX` for one below 0).
pub fn cross_entropy<T: Copy + Sync + TryInto<usize>>(
    isa: Isa,
    classes: usize,
    logits: &[f32],
    targets: &[T],
    dlogits: &mut [f32],
) -> Result<f32, ShapeError> {
    let _ = isa;
    check_len("classes", classes.max(1), classes)?;
    check_len(
        "logits",
        targets.len().saturating_mul(classes),
        logits.len(),
    )?;
    check_len("dlogits", logits.len(), dlogits.len())?;
    let class = |&target: &T| match target.try_into() {
        Ok(target) if target < classes => Ok(target),
        other => Err(ShapeError::Length {
            field: "targets",
            expected: classes,
            found: other.unwrap_or(usize::MAX),
        }),
    };
    let targets = targets.iter().map(class).collect::<Result<Vec<_>, _>>()?;
    let rows = targets.len();

    // Rows of a task: few classes make short rows.
    let block = (blocks::BLOCK / 16 / classes).max(1);
    let tasks = (targets.chunks(block))
        .zip(logits.chunks(block * classes))
        .zip(dlogits.chunks_mut(block * classes))
        .collect();
    let parts = blocks::run(tasks, logits.len() * 16, |((targets, logits), dlogits)| {
        let pairs = logits.chunks(classes).zip(dlogits.chunks_mut(classes));
        let losses = targets.iter().zip(pairs);
        losses
            .map(|(&target, (logits, dlogits))| row(target, rows, logits, dlogits))
            .sum::<f64>()
    });
    Ok((parts.iter().sum::<f64>() / rows as f64) as f32)
}

/// One row's loss; its gradient is written.
fn row(target: usize, rows: usize, logits: &[f32], dlogits: &mut [f32]) -> f64 {
    // `max` passes over NaN, but the exponential of NaN does not.
    let greatest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for (dlogit, logit) in dlogits.iter_mut().zip(logits) {
        *dlogit = (logit - greatest).exp();
        sum += f64::from(*dlogit);
    }
    let scale = (1.0 / (sum * rows as f64)) as f32;
    for dlogit in dlogits.iter_mut() {
        *dlogit *= scale;
    }
    if let Some(dlogit) = dlogits.get_mut(target) {
        *dlogit -= 1.0 / rows as f32;
    }
    let logit = logits.get(target).copied().unwrap_or(f32::NAN);
    sum.ln() + f64::from(greatest - logit)
}
