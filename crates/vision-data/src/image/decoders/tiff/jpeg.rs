//! JPEG compression of strips and tiles.

use std::borrow::Cow;

use image::RgbImage;
use libjpeg_turbo_rs::{ColorSpace, PixelFormat};

use crate::image::decoders::jpeg;
use crate::image::decoders::tiff::color::Color;
use crate::image::decoders::tiff::directory::tag;
use crate::image::decoders::tiff::page::Page;
use crate::image::decoders::tiff::problem::{Result, unsupported};
use crate::image::limits::Limits;
use crate::image::problem::ImageProblem;

impl Page<'_> {
    /// The samples of a strip or tile that is a JPEG without its tables, which are in a tag.
    pub(super) fn jpeg_chunk(&self, data: &[u8], rows: usize, limits: &Limits) -> Result<Vec<u8>> {
        let tables = self.directory.bytes(tag::JPEG_TABLES).unwrap_or_default();
        self.count_stored(tables.len() as u64)?;
        let tables = tables.strip_suffix(b"\xff\xd9").unwrap_or(tables);
        let joined = match data.strip_prefix(b"\xff\xd8") {
            Some(rest) if tables.len() > 2 => Cow::Owned([tables, rest].concat()),
            _ => Cow::Borrowed(data),
        };
        let damaged = |error: String| ImageProblem::Damaged(format!("a JPEG in the TIFF: {error}"));
        // As libtiff does, which takes the end of the strip for the end of the JPEG.
        let whole = jpeg::whole(&joined, limits)?;
        let mut decoder = jpeg::decoder(&whole, limits).map_err(|e| damaged(e.to_string()))?;
        let header = decoder.header();
        let (width, height) = (usize::from(header.width), usize::from(header.height));
        let expected = self.chunks.width as usize;
        let (least, most) = (rows, self.chunks.height as usize);
        if width != expected || height < least || height > most {
            return Err(damaged(format!(
                "it is {width}x{height} instead of {expected}x{least}"
            )));
        }
        match (
            self.color,
            self.samples_of_row(),
            decoder.jpeg_color_space(),
        ) {
            (_, 1, _) => decoder.set_output_format(PixelFormat::Grayscale),
            (Color::YCbCr, 3, ColorSpace::YCbCr | ColorSpace::Rgb) => {}
            // As they are stored.
            (_, 3, ColorSpace::YCbCr) => decoder.set_output_colorspace(ColorSpace::YCbCr),
            (_, 3, ColorSpace::Rgb) | (_, 4, ColorSpace::Cmyk) => {}
            (color, count, _) => {
                return Err(unsupported(&format!(
                    "JPEG compression of {count} channels of {color}"
                )));
            }
        }
        let image = decoder.decode_image().map_err(|e| damaged(e.to_string()))?;
        Ok(image.data)
    }

    /// The JPEG file inside a TIFF of the first kind of JPEG compression.
    pub(super) fn old_jpeg(&self, limits: &Limits) -> Result<RgbImage> {
        let start = self
            .directory
            .number(tag::JPEG_STREAM)
            .and_then(|at| usize::try_from(at).ok());
        let stream = start
            .and_then(|at| self.bytes.get(at..))
            .filter(|s| s.starts_with(b"\xff\xd8"));
        let Some(stream) = stream else {
            return Err(unsupported(
                "JPEG compression of the first kind (6) in parts",
            ));
        };
        let length = self.directory.number(tag::JPEG_STREAM_LENGTH);
        let length = length
            .and_then(|length| usize::try_from(length).ok())
            .unwrap_or(usize::MAX);
        let stream = &stream[..length.min(stream.len())];
        let image = jpeg::decode(stream, limits, None)?.value;
        if image.dimensions() != (self.width, self.height) {
            return Err(ImageProblem::Damaged(
                "the JPEG in the TIFF has another size".to_owned(),
            ));
        }
        Ok(image)
    }
}
