//! The settings of a report.

use vision_base::OptionError;
use vision_data::ImageDataBunch;

use crate::{ClassificationInterpretation, Result};

/// Most images in a part of the page.
const MOST_IMAGES: usize = 500;
/// Largest side of an image.
const MOST_SIDE: u32 = 512;

/// The settings of [`report_with`](crate::ClassificationInterpretation::report_with).
#[derive(Clone, Debug)]
#[must_use]
pub struct ReportConfig {
    pub(super) title: Option<String>,
    pub(super) note: String,
    pub(super) top_losses: usize,
    pub(super) pairs: usize,
    pub(super) label_errors: usize,
    pub(super) heatmaps: bool,
    pub(super) doctor: bool,
    pub(super) similar_images: bool,
    pub(super) image_size: u32,
    /// Another model, and its name.
    pub(super) other: Option<(String, ClassificationInterpretation)>,
    /// What was interpreted, if it is not the learner's.
    pub(super) data: Option<ImageDataBunch>,
}

impl Default for ReportConfig {
    fn default() -> Self {
        Self::new()
    }
}

impl ReportConfig {
    /// The defaults: everything but near duplicates.
    pub fn new() -> Self {
        Self {
            title: None,
            note: String::new(),
            top_losses: 12,
            pairs: 5,
            label_errors: 24,
            heatmaps: true,
            doctor: true,
            similar_images: false,
            image_size: 160,
            other: None,
            data: None,
        }
    }

    /// The title of the page. Default: the architecture and the folder of the data.
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// A paragraph of yours under the title: what the model is for, or who made it. Default: none.
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// The number of images with the largest losses, up to 500. Default: 12.
    pub fn with_top_losses(mut self, images: usize) -> Self {
        self.top_losses = images;
        self
    }

    /// The number of confused pairs of classes with example images, up to 500. Default: 5.
    pub fn with_confused_pairs(mut self, pairs: usize) -> Self {
        self.pairs = pairs;
        self
    }

    /// The number of images whose labels are probably wrong, up to 500. Default: 24.
    pub fn with_label_errors(mut self, images: usize) -> Self {
        self.label_errors = images;
        self
    }

    /// Whether the images with the largest losses have heat maps, which takes a pass of the model forward and back for each.
    /// Default: true.
    pub fn with_heatmaps(mut self, heatmaps: bool) -> Self {
        self.heatmaps = heatmaps;
        self
    }

    /// Whether the [doctor](vision_data::inspect::doctor::Doctor) examines the data, for which every image is read. Default: true.
    pub fn with_doctor(mut self, doctor: bool) -> Self {
        self.doctor = doctor;
        self
    }

    /// Whether near duplicates and unusual images are shown, for which the features of all training and validation images
    /// are computed. Default: false.
    pub fn with_similar_images(mut self, similar_images: bool) -> Self {
        self.similar_images = similar_images;
        self
    }

    /// The longer side of images in pixels, from 32 to 512. Default: 160.
    pub fn with_image_size(mut self, pixels: u32) -> Self {
        self.image_size = pixels;
        self
    }

    /// The data that was interpreted, if it is not that of the learner, as for an interpretation by
    /// [`from_predictor`](ClassificationInterpretation::from_predictor): the page describes it, and the doctor examines it.
    /// Near duplicates are still those of the learner's data.
    pub fn with_data(mut self, data: ImageDataBunch) -> Self {
        self.data = Some(data);
        self
    }

    /// Compares with another model on the same images, such as the last version: the difference of the accuracies, whether
    /// it is within noise, and the images that changed sides. Default: none.
    pub fn with_comparison(
        mut self,
        name: impl Into<String>,
        other: ClassificationInterpretation,
    ) -> Self {
        self.other = Some((name.into(), other));
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        let counts = [
            ("top_losses", self.top_losses),
            ("confused_pairs", self.pairs),
            ("label_errors", self.label_errors),
        ];
        for (option, count) in counts {
            if count > MOST_IMAGES {
                let expected = format!("at most {MOST_IMAGES}, which a page can show");
                return Err(OptionError::new(option, expected, count).into());
            }
        }
        if !(32..=MOST_SIDE).contains(&self.image_size) {
            let expected = format!("32 to {MOST_SIDE} pixels");
            return Err(OptionError::new("image_size", expected, self.image_size).into());
        }
        Ok(())
    }
}
