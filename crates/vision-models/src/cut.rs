//! The cut between a backbone's body and its original head.

use std::fmt;
use std::sync::Arc;

use crate::layers::Sequential;
use crate::{Error, Result};

type CutFn = dyn Fn(Sequential) -> Sequential + Send + Sync;

/// Which part of an architecture becomes the body.
#[derive(Clone, Default)]
pub enum Cut {
    /// The cut of the architecture's registry entry.
    #[default]
    Default,
    /// The direct children before an index. A negative index counts from the end, as in Python's
    /// `[:cut]`.
    At(isize),
    /// The children before the last one that is or contains a pooling layer: fastai's rule for
    /// unknown architectures.
    Auto,
    /// A function from the whole model to the body. See [`Cut::with`].
    With(Arc<CutFn>),
}

impl Cut {
    /// A cut made by a function from the whole model to the body.
    ///
    /// ```
    /// use vision_models::Cut;
    /// let everything = Cut::with(|model| model);
    /// let five_children = Cut::with(|model| model.truncated(5));
    /// ```
    pub fn with(f: impl Fn(Sequential) -> Sequential + Send + Sync + 'static) -> Self {
        Self::With(Arc::new(f))
    }

    /// Cuts `model`. `default` is the cut of its registry entry.
    ///
    /// With a cut by index, the children of the body are renamed to their positions, which gives
    /// fastai's parameter names (`0.4.0.conv1.weight` in the whole classifier). The result of a
    /// function is not changed.
    ///
    /// # Errors
    ///
    /// [`Error::Cut`] if nothing is left, or if the index is out of range.
    pub fn apply(&self, model: Sequential, default: isize) -> Result<Sequential> {
        let children = model.len();
        let index = match self {
            Self::With(f) => {
                let body = f(model);
                return match body.is_empty() {
                    true => Err(Error::Cut { index: 0, children }),
                    false => Ok(body),
                };
            }
            Self::Default => default,
            Self::At(index) => *index,
            Self::Auto => {
                let last = model.layers().collect::<Vec<_>>();
                let pool = last.iter().rposition(|layer| layer.has_pool());
                pool.map_or(0, |i| i as isize)
            }
        };
        let kept = if index < 0 {
            (children as isize).saturating_add(index)
        } else {
            index
        };
        if kept < 1 || kept > children as isize {
            return Err(Error::Cut { index, children });
        }
        Ok(model.truncated(kept as usize))
    }
}

impl From<isize> for Cut {
    fn from(index: isize) -> Self {
        Self::At(index)
    }
}

impl fmt::Debug for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("Default"),
            Self::At(index) => write!(f, "At({index})"),
            Self::Auto => f.write_str("Auto"),
            Self::With(_) => f.write_str("With(..)"),
        }
    }
}
