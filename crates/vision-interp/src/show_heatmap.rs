//! A heat map beside its image.

use vision_data::Image;
use vision_learner::{Heatmap, Learner};

use crate::overlay::{Overlay, enlarged};
use crate::{Figure, ImageGrid, Result};

/// Up to this width and height, in pixels, images are enlarged.
const CELL: f32 = 224.0;
/// Largest width and height of an image, in pixels.
const MOST: f32 = 448.0;
/// Opacity of the map.
const ALPHA: f32 = 0.6;

/// Figures of heat maps. Implemented for [`Learner`].
#[doc(alias = "show_heatmap")]
pub trait ShowHeatmap {
    /// The image as the model sees it, and beside it the map over it, with its class and the probability of that.
    ///
    /// ```no_run
    /// use vision_data::Image;
    /// use vision_interp::ShowHeatmap;
    /// # fn show(learner: &vision_learner::Learner) -> vision_interp::Result<()> {
    /// let image = Image::open("rose.jpg")?;
    /// let map = learner.grad_cam(&image)?;
    /// learner.show_heatmap(&image, &map)?.save("heatmap.png")?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the image cannot be transformed, or is too large to be drawn.
    fn show_heatmap(&self, image: &Image, map: &Heatmap) -> Result<Figure>;
}

impl ShowHeatmap for Learner {
    fn show_heatmap(&self, image: &Image, map: &Heatmap) -> Result<Figure> {
        let seen = enlarged(self.data().preprocessor().seen(image)?, CELL);
        let over = map.overlay(&seen, ALPHA)?;
        let title = match (map.class(), map.probability()) {
            (Some(class), Some(probability)) => format!("{class} {probability:.2}"),
            _ => String::new(),
        };
        // No blank around the images.
        let longest = seen.width().max(seen.height()) as f32;
        let grid = ImageGrid::new().with_cell_size(longest.clamp(1.0, MOST));
        let grid = grid.with_image(seen, "").with_image(over, title);
        Ok(grid.plot()?)
    }
}
