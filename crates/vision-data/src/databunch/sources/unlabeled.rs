//! The options of sources whose files have yet to be split and labeled.

use std::sync::Arc;

use crate::databunch::builder::ImageDataBunchBuilder;
use crate::databunch::sources::source::Unlabeled;
use crate::decisions::file::Decisions;
use crate::labels::options::LabelOptions;
use crate::split::Split;

impl<S: Unlabeled> ImageDataBunchBuilder<S> {
    /// Splits at random: this fraction of the images (rounded down) is for validation; 0 for none.
    ///
    /// With a folder source, all images of the root except the test folder are split.
    pub fn valid_pct(mut self, fraction: f64) -> Self {
        self.source.reading().valid_pct = Some(fraction);
        self
    }

    /// Splits in another way than by a random fraction, for example [`Split::Stratified`].
    pub fn split(mut self, split: Split) -> Self {
        self.source.reading().split = Some(split);
        self
    }

    /// The classes and their order.
    ///
    /// With a folder source this is a selection: images of other classes are left out. With other
    /// sources any other label is an error, unless [`LabelOptions::with_unknown`] says otherwise.
    pub fn classes<C: Into<String>>(mut self, classes: impl IntoIterator<Item = C>) -> Self {
        let options = &mut self.source.reading().options;
        *options = options.clone().with_classes(classes);
        self
    }

    /// Applies decisions about images, replacing an earlier call: excluded ones are left out, others get a new label. See
    /// [`ImageList::with_decisions`](crate::ImageList::with_decisions).
    ///
    /// ```no_run
    /// use vision_data::{Decisions, ImageDataBunch};
    /// let decisions = Decisions::read("pets/decisions.csv")?;
    /// let data = ImageDataBunch::from_folder("pets").decisions(decisions).size(224).build()?;
    /// println!("{data}");
    /// # Ok::<(), vision_data::Error>(())
    /// ```
    #[doc(alias("ImageCleaner", "cleaned.csv"))]
    pub fn decisions(mut self, decisions: impl Into<Arc<Decisions>>) -> Self {
        self.source.reading().decisions = Some(decisions.into());
        self
    }

    /// Sets how labels are read. Options that `options` leaves unset keep their value.
    pub fn label_with(mut self, options: LabelOptions) -> Self {
        let before = &mut self.source.reading().options;
        *before = before.clone().merged(options);
        self
    }

    /// Splits each label into several classes at this delimiter.
    pub fn label_delim(mut self, delimiter: impl Into<String>) -> Self {
        let options = &mut self.source.reading().options;
        *options = options.clone().with_delimiter(delimiter);
        self
    }
}
