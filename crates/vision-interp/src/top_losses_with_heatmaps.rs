//! The images with the largest losses, and what spoke for their class.

use vision_base::OptionError;
use vision_base::message::listed;
use vision_learner::{Error as LearnerError, Heatmap, Learner};

use crate::items::Items;
use crate::overlay::{Overlay, check_alpha, enlarged};
use crate::{ClassificationInterpretation, Figure, Result, TopLossesConfig};

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
        check_alpha(config.alpha)?;
        let classes = learner.data().classes();
        if classes != self.classes() {
            let expected = format!(
                "that of the predictions, with the classes {}",
                listed(self.classes().iter())
            );
            let found = format!("one with the classes {}", listed(classes.iter()));
            return Err(OptionError::new("learner", expected, found).into());
        }
        let preprocessor = learner.data().preprocessor();
        let image = |row: usize| {
            let original = self.items.original(row).ok_or_else(|| {
                let expected = "an interpretation that was made from it (from_learner)";
                OptionError::new("learner", expected, "one of predictions, without files")
            })??;
            let seen = enlarged(preprocessor.seen(&original)?, config.cell_size);
            let cam = config.cam.clone().with_class(self.actual(row));
            let is_fine = |map: &Heatmap| map.height() * map.width() >= config.heatmap_thresh;
            match learner.grad_cam_with(&original, &cam) {
                Ok(map) if is_fine(&map) => map.overlay(&seen, config.alpha),
                Ok(_) | Err(LearnerError::NoSpatialMap { .. }) => Ok(seen),
                Err(error) => Err(error.into()),
            }
        };
        let rows = self.ranked(config);
        Items::grid(rows, config, image, |row| self.named_title(row))
    }
}
