//! A heat map over its image, as a file.

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _, imageops};
use vision_data::Image;
use vision_interp::Overlay as _;
use vision_learner::Predictor;

/// Opacity of the map, as in fastai.
const ALPHA: f32 = 0.6;
/// Up to this side, in pixels, small images are enlarged, so that the map over them is smooth.
const SIDE: u32 = 224;

/// A PNG.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) png: Vec<u8>,
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// The class that the map is for.
    pub(crate) class: String,
}

impl Picture {
    /// Grad-CAM of the predicted class, over the image as the model sees it.
    pub(crate) fn of(predictor: &Predictor, image: &Image) -> Result<Self, String> {
        let map = predictor.grad_cam(image).map_err(|e| e.to_string())?;
        let mut seen = predictor
            .preprocessor()
            .seen(image)
            .map_err(|e| e.to_string())?;
        let factor = SIDE / seen.width().max(seen.height()).max(1);
        if factor > 1 {
            let (width, height) = (seen.width() * factor, seen.height() * factor);
            seen = imageops::resize(&seen, width, height, imageops::FilterType::Nearest);
        }
        let over = map.overlay(&seen, ALPHA).map_err(|e| e.to_string())?;
        let (width, height) = over.dimensions();
        let mut png = Vec::new();
        PngEncoder::new(&mut png)
            .write_image(over.as_raw(), width, height, ExtendedColorType::Rgb8)
            .map_err(|e| e.to_string())?;
        Ok(Self {
            png,
            width,
            height,
            class: map.class().unwrap_or_default().to_owned(),
        })
    }
}
