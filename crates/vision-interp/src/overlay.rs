//! Heat maps over images.

use image::{Rgb, RgbImage, imageops};
use vision_base::OptionError;
use vision_learner::Heatmap;

use crate::Result;
use crate::plot::magma::magma;

/// Draws a [`Heatmap`] over an image.
pub trait Overlay {
    /// The image with the map over it, which covers the whole image: as `imshow(map, alpha=alpha, cmap="magma",
    /// interpolation="bilinear", extent=(0, width, height, 0))` of matplotlib, which fastai uses. The smallest value is black,
    /// the largest light yellow.
    ///
    /// `alpha` is the opacity of the map, from 0 to 1; fastai takes 0.6. The image is the one that the model sees:
    /// [`Preprocessor::seen`](vision_data::Preprocessor::seen).
    ///
    /// ```
    /// use image::{Rgb, RgbImage};
    /// use vision_interp::Overlay;
    /// use vision_learner::Heatmap;
    ///
    /// let map = Heatmap::new(vec![0.0, 1.0], [1, 2])?;
    /// let drawn = map.overlay(&RgbImage::new(4, 4), 0.6)?;
    /// assert_eq!(drawn[(3, 0)], Rgb([151, 152, 115])); // 0.6 of magma's last color, over black
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) if `alpha` is not from 0 to 1; and if the image has a side of 0 or above 65,536
    /// pixels, or more than 67,108,864 pixels.
    fn overlay(&self, image: &RgbImage, alpha: f32) -> Result<RgbImage>;
}

impl Overlay for Heatmap {
    fn overlay(&self, image: &RgbImage, alpha: f32) -> Result<RgbImage> {
        check_alpha(alpha)?;
        let map = self
            .normalized()
            .resized(image.height() as usize, image.width() as usize)?;
        let mut drawn = image.clone();
        for (Rgb(pixel), value) in drawn.pixels_mut().zip(map.values()) {
            for (below, above) in pixel.iter_mut().zip(magma(*value)) {
                let mixed = f32::from(above) * alpha + f32::from(*below) * (1.0 - alpha);
                *below = mixed.round() as u8;
            }
        }
        Ok(drawn)
    }
}

pub(crate) fn check_alpha(alpha: f32) -> Result<()> {
    if (0.0..=1.0).contains(&alpha) {
        return Ok(());
    }
    Err(OptionError::new("alpha", "a number from 0 to 1", alpha).into())
}

/// Largest side of an image that is enlarged.
const MOST: f32 = 1024.0;

/// The image with each pixel repeated as often as a cell of this size has room for, so that a map over it is smooth.
pub(crate) fn enlarged(image: RgbImage, cell_size: f32) -> RgbImage {
    let longest = image.width().max(image.height()).max(1);
    let factor = cell_size.min(MOST) as u32 / longest;
    if factor < 2 {
        return image;
    }
    let (width, height) = (image.width() * factor, image.height() * factor);
    imageops::resize(&image, width, height, imageops::FilterType::Nearest)
}
