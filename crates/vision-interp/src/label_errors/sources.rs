//! Label errors of an interpretation, and of a cross-validation.

use std::path::Path;

use vision_base::OptionError;
use vision_data::ImageDataBunch;
use vision_learner::CrossValidation;

use crate::label_errors::config::LabelErrorConfig;
use crate::label_errors::errors::LabelErrors;
use crate::{ClassificationInterpretation, Result};

impl ClassificationInterpretation {
    /// The items whose label is probably wrong, by confident learning, the worst first.
    ///
    /// The model must not have been trained on these items: those of the validation set, or others. A model knows the
    /// wrong labels of its training images by heart. For those, use
    /// [`LabelErrors::from_cross_validation`](crate::LabelErrors::from_cross_validation).
    ///
    /// ```no_run
    /// # fn check(learner: &vision_learner::Learner) -> vision_interp::Result<()> {
    /// use vision_interp::ClassificationInterpretation;
    ///
    /// let interp = ClassificationInterpretation::from_learner(learner)?;
    /// let found = interp.label_errors()?;
    /// println!("{found}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) if there is no item, or with the item for a value that is no probability.
    #[doc(alias("find_label_issues", "ImageCleaner", "DatasetFormatter"))]
    pub fn label_errors(&self) -> Result<LabelErrors> {
        self.label_errors_with(&LabelErrorConfig::new())
    }

    /// [`label_errors`](Self::label_errors) with settings.
    ///
    /// # Errors
    ///
    /// As [`label_errors`](Self::label_errors).
    pub fn label_errors_with(&self, config: &LabelErrorConfig) -> Result<LabelErrors> {
        let name = |row| self.items.name(row);
        LabelErrors::named(self.classes(), self.predictions(), config, &name)
    }
}

impl LabelErrors {
    /// Finds the items whose label is probably wrong among all training and validation items: each was predicted by the
    /// learner that was not trained on it. `data` is what [`cross_validate`](vision_learner::cross_validate) was given.
    /// The items are counted as there: the training items, then the validation items.
    ///
    /// ```no_run
    /// use vision_data::{By, Folds, ImageDataBunch, Stats};
    /// use vision_interp::{LabelErrorConfig, LabelErrors};
    /// use vision_learner::{create_cnn, cross_validate};
    /// use vision_models::Arch;
    ///
    /// let data = ImageDataBunch::from_folder("pets").size(224).normalize(Stats::IMAGENET).build()?;
    /// let found = cross_validate(&data, &Folds::stratified(5, By::Label), |data, _fold| {
    ///     let mut learner = create_cnn(data, Arch::ResNet34).build()?;
    ///     learner.fit_one_cycle(4, 1e-3)?;
    ///     Ok(learner)
    /// })?;
    /// let errors = LabelErrors::from_cross_validation(&found, &data, &LabelErrorConfig::new())?;
    /// std::fs::write("label_errors.csv", errors.to_csv())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) if the data has other items; otherwise as
    /// [`from_predictions`](Self::from_predictions).
    pub fn from_cross_validation(
        found: &CrossValidation,
        data: &ImageDataBunch,
        config: &LabelErrorConfig,
    ) -> Result<Self> {
        let items = data
            .train_ds()
            .paths()
            .iter()
            .chain(data.valid_ds().paths());
        if !items.eq(&found.items) {
            let expected =
                "the data that was cross-validated, with the same items in the same order";
            let here = data.train_ds().len() + data.valid_ds().len();
            let other = format!("other data: {here} items, and {} were", found.items.len());
            return Err(OptionError::new("data", expected, other).into());
        }
        let name = |row: usize| {
            let path = found.items.get(*found.predictions.indices.get(row)?)?;
            Some(inside(path, data.path()))
        };
        Self::named(data.classes(), &found.predictions, config, &name)
    }
}

/// A path relative to the root of the data.
fn inside(path: &Path, root: &Path) -> String {
    let inside = path.strip_prefix(root).unwrap_or(path);
    inside.to_string_lossy().into_owned()
}
