//! The images with the largest losses, and what spoke for their class.

use image::RgbImage;
use vision_base::OptionError;
use vision_learner::{Error as LearnerError, Heatmap, Learner};

use crate::items::{Items, check_classes};
use crate::overlay::{Overlay, check_alpha, enlarged};
use crate::{
    ClassificationInterpretation, Figure, MultiLabelInterpretation, Result, TopLossesConfig,
};

impl ClassificationInterpretation {
    /// [`plot_top_losses_with`](Self::plot_top_losses_with), with a heat map over each image: which places speak for its
    /// *actual* class ([`Learner::grad_cam`]). A map with fewer than 16 values
    /// ([`with_heatmap_thresh`](TopLossesConfig::with_heatmap_thresh)) is not drawn, so images of 28 pixels have none.
    ///
    /// `learner` is the one that this was made from, as it was.
    ///
    /// ```no_run
    /// # fn interpret(learner: &vision_learner::Learner) -> vision_interp::Result<()> {
    /// use vision_interp::{ClassificationInterpretation, TopLossesConfig};
    ///
    /// let interp = ClassificationInterpretation::from_learner(learner)?;
    /// let figure = interp.plot_top_losses_with_heatmaps(&TopLossesConfig::new(9), learner)?;
    /// figure.save("top_losses.png")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`plot_top_losses_with`](Self::plot_top_losses_with) and [`Learner::grad_cam_with`].
    /// [`Error::Option`](crate::Error::Option) if this was not made from a learner, or from one with other classes.
    #[doc(alias("plot_top_losses(heatmap=True)", "heatmap"))]
    pub fn plot_top_losses_with_heatmaps(
        &self,
        config: &TopLossesConfig,
        learner: &Learner,
    ) -> Result<Figure> {
        check(&self.items, config, learner)?;
        let image = |row: usize| drawn(&self.items, row, learner, config, self.actual(row));
        let rows = self.ranked(config);
        Items::grid(rows, config, image, |row| self.named_title(row))
    }
}

impl MultiLabelInterpretation {
    /// [`plot_top_losses_with`](Self::plot_top_losses_with), with a heat map over each image: which places speak for the
    /// class with the largest loss, which the caption names. If the image does not have this class, they are what misled the
    /// model.
    ///
    /// `learner` is the one that this was made from, as it was.
    ///
    /// # Errors
    ///
    /// As [`plot_top_losses_with`](Self::plot_top_losses_with) and [`Learner::grad_cam_with`].
    /// [`Error::Option`](crate::Error::Option) if this was not made from a learner, or from one with other classes.
    pub fn plot_top_losses_with_heatmaps(
        &self,
        config: &TopLossesConfig,
        learner: &Learner,
    ) -> Result<Figure> {
        check(&self.items, config, learner)?;
        let image = |row: usize| drawn(&self.items, row, learner, config, &self.loss(row).worst);
        let rows = 0..self.items.predictions.len();
        let rows = self.items.ranked(rows, config.k, config.largest);
        Items::grid(rows, config, image, |row| self.loss(row))
    }
}

fn check(items: &Items, config: &TopLossesConfig, learner: &Learner) -> Result<()> {
    check_alpha(config.alpha)?;
    check_classes(&items.classes, "learner", learner.data().classes())
}

fn drawn(
    items: &Items,
    row: usize,
    learner: &Learner,
    config: &TopLossesConfig,
    class: &str,
) -> Result<RgbImage> {
    let (seen, over) = seen_with_heatmap(items, row, learner, config, class)?;
    Ok(over.unwrap_or(seen))
}

/// The image in a row of the predictions as the model sees it, and the same with a heat map for a class over it; no map if
/// it would be too coarse.
pub(crate) fn seen_with_heatmap(
    items: &Items,
    row: usize,
    learner: &Learner,
    config: &TopLossesConfig,
    class: &str,
) -> Result<(RgbImage, Option<RgbImage>)> {
    let original = items.original(row).ok_or_else(|| {
        let expected = "an interpretation that was made from it (from_learner)";
        OptionError::new("learner", expected, "one of predictions, without files")
    })??;
    let seen = learner.data().preprocessor().seen(&original)?;
    let seen = enlarged(seen, config.cell_size);
    let cam = config.cam.clone().with_class(class);
    let is_fine = |map: &Heatmap| map.height() * map.width() >= config.heatmap_thresh;
    let over = match learner.grad_cam_with(&original, &cam) {
        Ok(map) if is_fine(&map) => Some(map.overlay(&seen, config.alpha)?),
        Ok(_) | Err(LearnerError::NoSpatialMap { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    Ok((seen, over))
}
