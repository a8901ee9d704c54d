//! JPEG compression of strips and tiles.

use std::borrow::Cow;

use image::RgbImage;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

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
        let options = DecoderOptions::default()
            .set_max_width(1 << 16)
            .set_max_height(1 << 16);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&*whole), options);
        decoder
            .decode_headers()
            .map_err(|e| damaged(format!("{e:?}")))?;
        let (width, height) = decoder.dimensions().unwrap_or_default();
        let expected = self.chunks.width as usize;
        let (least, most) = (rows, self.chunks.height as usize);
        if width != expected || height < least || height > most {
            return Err(damaged(format!(
                "it is {width}x{height} instead of {expected}x{least}"
            )));
        }
        let found = decoder.input_colorspace().unwrap_or(ColorSpace::Unknown);
        let wanted = match (self.color, self.samples_of_row()) {
            (_, 1) => ColorSpace::Luma,
            (Color::YCbCr, 3) => ColorSpace::RGB,
            // As they are stored.
            (_, 3) if found.num_components() == 3 => found,
            (_, 4) if found.num_components() == 4 => found,
            (color, count) => {
                return Err(unsupported(&format!(
                    "JPEG compression of {count} channels of {color}"
                )));
            }
        };
        decoder.set_options(options.jpeg_set_out_colorspace(wanted));
        decoder.decode().map_err(|e| damaged(format!("{e:?}")))
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
        let image = jpeg::decode(stream, limits, None)?.value.into_rgb8();
        if image.dimensions() != (self.width, self.height) {
            return Err(ImageProblem::Damaged(
                "the JPEG in the TIFF has another size".to_owned(),
            ));
        }
        Ok(image)
    }
}
