//! Batches for one of several processes.

use vision_base::OptionError;

use crate::databunch::ImageDataBunch;
use crate::databunch::dataset::DatasetType;
use crate::error::{Error, Result};
use crate::loader::Loader;
use crate::loader::part::PartLoader;
use crate::loader::share::Share;

impl ImageDataBunch {
    /// The parts of the batches of [`loader_from`](Self::loader_from) that one of several processes has. All of them
    /// together have the items of each batch, in its order and transformed as there.
    ///
    /// # Errors
    ///
    /// Like [`loader_from`](Self::loader_from); and [`Error::Option`] for training batches that are mixed
    /// ([`batch_transforms`](crate::ImageDataBunchBuilder::batch_transforms)): an image would need another one that a
    /// process may not have.
    pub fn loader_of_share(
        &self,
        which: DatasetType,
        epoch: u64,
        first: usize,
        share: Share,
    ) -> Result<PartLoader> {
        let mut plan = self.plan(which, epoch)?;
        if share != Share::WHOLE && !plan.batch_transforms.is_empty() {
            let found = format!("{:?}", plan.batch_transforms);
            let expected = "none, since several processes share each batch and MixUp and CutMix need all of it";
            return Err(Error::Option(OptionError::new(
                "batch_transforms",
                expected,
                found,
            )));
        }
        plan.share = share;
        Ok(PartLoader(Loader::new(plan, first, self.num_workers)?))
    }
}
