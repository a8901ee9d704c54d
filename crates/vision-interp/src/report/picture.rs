//! Small images inside of a page.

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder as _, RgbImage, imageops};
use serde::Serialize;
use vision_figure::base64;

/// Images up to this side are shown pixel by pixel.
const TINY: u32 = 64;
/// JPEG's quality, from 1 to 100.
const QUALITY: u8 = 82;

/// An image as a `data:` address, with the size at which it is shown.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Picture {
    uri: String,
    width: u32,
    height: u32,
    /// Whether pixels are shown as squares.
    pixelated: bool,
}

impl Picture {
    /// Of an image, with the longer side at most this.
    pub(super) fn new(image: &RgbImage, side: u32) -> Option<Self> {
        let longest = image.width().max(image.height());
        let shown = |length: u32| {
            let length = u64::from(length) * u64::from(side) / u64::from(longest.max(1));
            u32::try_from(length).unwrap_or(side).max(1)
        };
        let (width, height) = (shown(image.width()), shown(image.height()));
        let mut bytes = Vec::new();
        let pixelated = longest <= TINY;
        let uri = if pixelated {
            let png = PngEncoder::new(&mut bytes);
            let (w, h) = image.dimensions();
            png.write_image(image.as_raw(), w, h, ExtendedColorType::Rgb8)
                .ok()?;
            "data:image/png;base64,"
        } else {
            let small;
            let image = match longest > side {
                true => {
                    small = imageops::resize(image, width, height, imageops::FilterType::Triangle);
                    &small
                }
                false => image,
            };
            JpegEncoder::new_with_quality(&mut bytes, QUALITY)
                .encode_image(image)
                .ok()?;
            "data:image/jpeg;base64,"
        };
        Some(Self {
            uri: format!("{uri}{}", base64(&bytes)),
            width,
            height,
            pixelated,
        })
    }
}
