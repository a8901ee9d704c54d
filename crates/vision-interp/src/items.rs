//! What all interpretations have: the predictions for items, and their images.

use std::sync::Arc;

use image::RgbImage;
use vision_base::OptionError;
use vision_base::message::listed;
use vision_data::{DatasetType, Image, TargetKind};
use vision_figure::Caption;
use vision_learner::Predictions;

use crate::{Error, Figure, ImageError, ImageGrid, Result, TopLossesConfig};

type Images = Arc<dyn Fn(usize) -> std::result::Result<RgbImage, ImageError> + Send + Sync>;
type Originals = Arc<dyn Fn(usize) -> std::result::Result<Image, ImageError> + Send + Sync>;
type Names = Arc<dyn Fn(usize) -> String + Send + Sync>;

/// Checks that something has the classes of the predictions.
pub(crate) fn check_classes(own: &[String], option: &'static str, found: &[String]) -> Result<()> {
    if own == found {
        return Ok(());
    }
    let expected = format!("the classes of the predictions, {}", listed(own.iter()));
    Err(OptionError::new(option, expected, listed(found.iter())).into())
}

/// Predictions that fit their classes, and where to get the images.
#[derive(Clone)]
pub(crate) struct Items {
    pub(crate) classes: Vec<String>,
    pub(crate) predictions: Predictions,
    images: Images,
    originals: Option<Originals>,
    names: Option<Names>,
    /// The part of the data, if it is known.
    pub(crate) part: Option<DatasetType>,
}

impl Items {
    /// Checks that all lists fit together, and that the labels are of this kind.
    pub(crate) fn new(
        kind: TargetKind,
        classes: Vec<String>,
        predictions: Predictions,
        images: impl Fn(usize) -> std::result::Result<RgbImage, ImageError> + Send + Sync + 'static,
    ) -> Result<Self> {
        match predictions.targets.kind() {
            Some(found) if found != kind => {
                return Err(Error::LabelKind {
                    expected: kind,
                    found,
                });
            }
            None => return Err(Error::Unlabeled),
            Some(_) => {}
        }
        let (c, items) = (predictions.classes, predictions.targets.len());
        for (field, expected, found) in [
            ("the list of classes", c, classes.len()),
            (
                "probabilities",
                items.saturating_mul(c),
                predictions.probabilities.len(),
            ),
            ("losses", items, predictions.losses.len()),
            ("indices", items, predictions.indices.len()),
        ] {
            if expected != found {
                return Err(Error::Lengths {
                    field,
                    expected,
                    found,
                });
            }
        }
        Ok(Self {
            classes,
            predictions,
            images: Arc::new(images),
            originals: None,
            names: None,
            part: None,
        })
    }

    pub(crate) fn with_names(
        mut self,
        names: impl Fn(usize) -> String + Send + Sync + 'static,
    ) -> Self {
        self.names = Some(Arc::new(names));
        self
    }

    /// Sets where to get the images as they are, before any transform.
    pub(crate) fn with_originals(
        mut self,
        originals: impl Fn(usize) -> std::result::Result<Image, ImageError> + Send + Sync + 'static,
    ) -> Self {
        self.originals = Some(Arc::new(originals));
        self
    }

    /// The image of the item in a row of the predictions, as the model sees it.
    pub(crate) fn image(&self, row: usize) -> Result<RgbImage> {
        let item = self.predictions.indices[row];
        (self.images)(item).map_err(|source| Error::Image { item, source })
    }

    /// The image of the item in a row of the predictions, before any transform; `None` if it is not known.
    pub(crate) fn original(&self, row: usize) -> Option<Result<Image>> {
        let item = self.predictions.indices[row];
        let image = self.originals.as_ref()?(item);
        Some(image.map_err(|source| Error::Image { item, source }))
    }

    /// The name of the item in a row of the predictions.
    pub(crate) fn name(&self, row: usize) -> Option<String> {
        let names = self.names.as_ref()?;
        Some(names(self.predictions.indices[row]))
    }

    /// Sorts rows of the predictions by loss and keeps the first `k`. NaN counts as larger than every
    /// number, as in `torch.topk`.
    pub(crate) fn ranked(
        &self,
        rows: impl Iterator<Item = usize>,
        k: usize,
        largest: bool,
    ) -> Vec<usize> {
        let mut rows: Vec<usize> = rows.collect();
        let loss = |row: &usize| {
            let loss = self.predictions.losses[*row];
            // The order of `total_cmp`, except that all NaN are equal, and so are both zeros.
            if loss.is_nan() { f32::NAN } else { loss + 0.0 }
        };
        // A stable sort, so that ties keep their order either way.
        rows.sort_by(|a, b| match largest {
            true => loss(b).total_cmp(&loss(a)),
            false => loss(a).total_cmp(&loss(b)),
        });
        rows.truncate(k);
        rows
    }

    /// The losses of all items in order, and the positions of the items in the data set.
    pub(crate) fn losses(&self, k: usize, largest: bool) -> (Vec<f32>, Vec<usize>) {
        let (losses, indices) = (&self.predictions.losses, &self.predictions.indices);
        let rows = self.ranked(0..self.predictions.len(), k, largest);
        rows.into_iter()
            .map(|row| (losses[row], indices[row]))
            .unzip()
    }

    /// A grid of the images in these rows of the predictions.
    pub(crate) fn plot<C: Caption + 'static>(
        &self,
        rows: Vec<usize>,
        config: &TopLossesConfig,
        caption: impl Fn(usize) -> C,
    ) -> Result<Figure> {
        Self::grid(rows, config, |row| self.image(row), caption)
    }

    /// A grid of one image for each of these rows.
    pub(crate) fn grid<C: Caption + 'static>(
        rows: Vec<usize>,
        config: &TopLossesConfig,
        image: impl Fn(usize) -> Result<RgbImage>,
        caption: impl Fn(usize) -> C,
    ) -> Result<Figure> {
        let mut grid = ImageGrid::new()
            .with_title(&config.title)
            .with_cell_size(config.cell_size);
        for row in rows {
            grid = grid.with_caption(image(row)?, caption(row));
        }
        Ok(grid.plot()?)
    }

    pub(crate) fn debug(&self, name: &str, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct(name)
            .field("classes", &self.classes.len())
            .field("items", &self.predictions.len())
            .finish_non_exhaustive()
    }
}
