//! What a report is about.

use vision_data::inspect::doctor::Report as DoctorReport;
use vision_data::{DatasetType, ImageDataBunch};
use vision_learner::{Learner, Predictions};

use crate::items::Items;
use crate::report::block::Card;
use crate::report::config::ReportConfig;
use crate::report::picture::Picture;
use crate::top_losses_with_heatmaps::seen_with_heatmap;
use crate::{
    ClassificationInterpretation, LabelErrors, MultiLabelInterpretation, Result, TopLossesConfig,
};

/// The interpretation, the learner that it was made from, and what else is known.
pub(super) struct Subject<'a> {
    pub(super) interp: Kind<'a>,
    pub(super) learner: &'a Learner,
    pub(super) config: &'a ReportConfig,
    /// None if it was not wanted.
    pub(super) doctor: Option<DoctorReport>,
    /// None if images have several classes.
    pub(super) label_errors: Option<Result<LabelErrors>>,
}

/// An interpretation.
#[derive(Clone, Copy)]
pub(super) enum Kind<'a> {
    OneClass(&'a ClassificationInterpretation),
    Several(&'a MultiLabelInterpretation),
}

impl<'a> Subject<'a> {
    pub(super) fn items(&self) -> &'a Items {
        match self.interp {
            Kind::OneClass(interp) => &interp.items,
            Kind::Several(interp) => &interp.items,
        }
    }

    pub(super) fn classes(&self) -> &'a [String] {
        &self.items().classes
    }

    pub(super) fn predictions(&self) -> &'a Predictions {
        &self.items().predictions
    }

    /// The data that was interpreted.
    pub(super) fn data(&self) -> &'a ImageDataBunch {
        let learner = self.learner.data();
        self.config.data.as_ref().unwrap_or(learner)
    }

    /// What the items are: `validation images`.
    pub(super) fn images(&self) -> &'static str {
        match self.items().part {
            // The learner was not trained on this data.
            Some(DatasetType::Train | DatasetType::Fix) if self.config.data.is_some() => "images",
            Some(DatasetType::Train | DatasetType::Fix) => "training images",
            Some(DatasetType::Valid | DatasetType::Single) => "validation images",
            Some(DatasetType::Test) => "test images",
            None => "images",
        }
    }

    /// The image in a row of the predictions, with a heat map for a class if one is given.
    pub(super) fn card(&self, row: usize, class: Option<&str>, lines: Vec<String>) -> Card {
        let side = self.config.image_size;
        let items = self.items();
        let mut card = Card {
            picture: None,
            heatmap: None,
            alt: lines.join(", "),
            lines,
            file: None,
            given: None,
            suggested: None,
        };
        let cell = TopLossesConfig::new(1).with_cell_size(side as f32);
        let (seen, over) = match class.filter(|_| self.config.heatmaps) {
            Some(class) => match seen_with_heatmap(items, row, self.learner, &cell, class) {
                Ok((seen, over)) => (Ok(seen), over),
                // The image may be there, and only the map not.
                Err(_) => (items.image(row), None),
            },
            None => (items.image(row), None),
        };
        match seen {
            Ok(image) => card.picture = Picture::new(&image, side),
            Err(error) => card.lines.push(error.to_string()),
        }
        card.heatmap = over.and_then(|image| Picture::new(&image, side));
        card.lines.extend(items.name(row));
        card
    }
}
