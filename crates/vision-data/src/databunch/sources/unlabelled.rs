//! The options of sources whose files are yet to be split and labelled.

use crate::databunch::builder::ImageDataBunchBuilder;
use crate::databunch::sources::source::Unlabelled;
use crate::labels::options::LabelOptions;
use crate::split::Split;

impl<S: Unlabelled> ImageDataBunchBuilder<S> {
    /// Splits at random: this fraction of the images (rounded down) is for validation, 0 for none.
    ///
    /// From a folder these are all images of the root but those of the test folder.
    pub fn valid_pct(mut self, fraction: f64) -> Self {
        self.source.reading().valid_pct = Some(fraction);
        self
    }

    /// Splits in another way than by a random fraction, such as [`Split::Stratified`].
    pub fn split(mut self, split: Split) -> Self {
        self.source.reading().split = Some(split);
        self
    }

    /// The classes and their order.
    ///
    /// From a folder this is a choice: images of other classes are left out. Elsewhere another
    /// label is an error, unless [`LabelOptions::with_unknown`] says otherwise.
    pub fn classes<C: Into<String>>(mut self, classes: impl IntoIterator<Item = C>) -> Self {
        let options = &mut self.source.reading().options;
        *options = options.clone().with_classes(classes);
        self
    }

    /// How the labels are read; what it leaves open stays as it was.
    pub fn label_with(mut self, options: LabelOptions) -> Self {
        let before = &mut self.source.reading().options;
        *before = before.clone().merged(options);
        self
    }

    /// Each label is a list of classes with this between them.
    pub fn label_delim(mut self, delimiter: impl Into<String>) -> Self {
        let options = &mut self.source.reading().options;
        *options = options.clone().with_delimiter(delimiter);
        self
    }
}
