//! Where a backbone ends and the new head begins.

use std::fmt;
use std::sync::Arc;

use crate::layers::Sequential;
use crate::{Error, Result};

type CutFn = dyn Fn(Sequential) -> Sequential + Send + Sync;

/// Which part of an architecture becomes the body.
#[derive(Clone, Default)]
pub enum Cut {
    /// The architecture's own place, from its registry entry.
    #[default]
    Default,
    /// The direct children before an index; a negative one counts from the end, as in Python's `[:cut]`.
    At(isize),
    /// Before the last direct child that is or contains a pooling layer: fastai's rule for an
    /// architecture that it does not know.
    Auto,
    /// A function from the whole model to the body. See [`Cut::with`].
    With(Arc<CutFn>),
}

impl Cut {
    /// A cut by a function from the whole model to the body.
    ///
    /// ```
    /// use vision_models::Cut;
    /// let everything = Cut::with(|model| model);
    /// let five_children = Cut::with(|model| model.truncated(5));
    /// ```
    pub fn with(f: impl Fn(Sequential) -> Sequential + Send + Sync + 'static) -> Self {
        Self::With(Arc::new(f))
    }

    /// Cuts `model`, whose registry entry says `default`.
    ///
    /// A body cut by index has its children renamed to their positions, which gives fastai's parameter
    /// names (`0.4.0.conv1.weight` for the whole classifier). A function's result is left as it is.
    ///
    /// # Errors
    ///
    /// [`Error::Cut`] if nothing or less than nothing would be left.
    pub fn apply(&self, model: Sequential, default: isize) -> Result<Sequential> {
        let children = model.len();
        let index = match self {
            Self::With(f) => return Ok(f(model)),
            Self::Default => default,
            Self::At(index) => *index,
            Self::Auto => {
                let last = model.layers().collect::<Vec<_>>();
                let pool = last.iter().rposition(|layer| layer.has_pool());
                pool.map_or(0, |i| i as isize)
            }
        };
        let kept = if index < 0 {
            children as isize + index
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
