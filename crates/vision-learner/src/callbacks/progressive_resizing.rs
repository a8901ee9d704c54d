//! Trains on small images first.

use vision_base::OptionError;
use vision_data::{ImageDataBunch, Size};

use crate::{Callback, Context, Error, Result};

/// Trains and validates on images of other sizes in the first epochs, which takes less time.
///
/// From the last of its epochs on, the data has its own size again. Cached features are not used.
///
/// ```
/// use vision_learner::FitConfig;
/// use vision_learner::callbacks::ProgressiveResizing;
/// // 128 pixels in epochs 0 to 3, 160 in 4 and 5, then the size of the data.
/// let sizes = ProgressiveResizing::new([(0, 128), (4, 160)]).until(6);
/// let config = FitConfig::one_cycle(10).with_callback(sizes);
/// ```
///
/// Source: Howard, DAWNBench 2018; the fastai course's lesson 3.
#[doc(alias = "progressive_resizing")]
pub struct ProgressiveResizing {
    sizes: Vec<(usize, Size)>,
    until: usize,
    data: Option<ImageDataBunch>,
    now: Option<Size>,
}

impl ProgressiveResizing {
    /// Each size with the epoch, from 0, in which it begins. The last of them lasts [until](Self::until) a given epoch.
    pub fn new<S: Into<Size>>(sizes: impl IntoIterator<Item = (usize, S)>) -> Self {
        let sizes = sizes.into_iter();
        Self {
            sizes: sizes.map(|(epoch, size)| (epoch, size.into())).collect(),
            until: usize::MAX,
            data: None,
            now: None,
        }
    }

    /// Sets the epoch from which the data has its own size. Default: none, the last size stays.
    pub fn until(mut self, epoch: usize) -> Self {
        self.until = epoch;
        self
    }

    /// The size of an epoch; `None` for the data's own.
    fn size_of(&self, epoch: usize) -> Option<Size> {
        let begun = self.sizes.iter().rev().find(|(first, _)| *first <= epoch);
        begun.filter(|_| epoch < self.until).map(|(_, size)| *size)
    }
}

impl Callback for ProgressiveResizing {
    fn settings(&self) -> String {
        format!("{:?} until {}", self.sizes, self.until)
    }

    fn in_lr_find(&self) -> bool {
        false
    }

    fn on_train_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        let rising = self.sizes.is_sorted_by(|a, b| a.0 < b.0);
        if !rising || self.sizes.is_empty() {
            let epochs: Vec<usize> = self.sizes.iter().map(|(epoch, _)| *epoch).collect();
            let expected = "at least one size, each with a later epoch than the one before";
            return Err(OptionError::new("sizes", expected, format!("{epochs:?}")).into());
        }
        let data = ctx.data().clone();
        if data.size().is_none() {
            return Err(Error::Callback {
                name: self.name(),
                source: "the data has no size of its own to come back to: give it a .size(..)"
                    .into(),
            });
        }
        // Each must fit now, not hours later.
        for (_, size) in &self.sizes {
            data.clone().with_size(*size)?;
        }
        (self.data, self.now) = (Some(data), None);
        Ok(())
    }

    fn on_epoch_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        let size = self.size_of(ctx.state.epoch);
        if size == self.now {
            return Ok(());
        }
        if let Some(data) = &self.data {
            let data = data.clone();
            ctx.set_data(match size {
                Some(size) => data.with_size(size)?,
                None => data,
            })?;
        }
        self.now = size;
        Ok(())
    }
}

impl std::fmt::Debug for ProgressiveResizing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProgressiveResizing")
            .field("sizes", &self.sizes)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}
