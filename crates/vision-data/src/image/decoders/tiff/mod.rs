//! TIFF: whatever Pillow reads of it, and the little that it takes to read the same kinds elsewhere.
//!
//! The crates decompress; what a TIFF is made of (strips, tiles, planes, bit depths, color models) is put
//! together here, since no crate does it for the kinds that scanners and microscopes write. Names and
//! numbers are those of TIFF 6.0 and its supplements.

mod color;
mod compression;
mod convert;
mod directory;
mod fax;
mod jpeg;
mod page;
mod problem;
mod samples;

use std::borrow::Cow;

use image::RgbImage;

use crate::image::decoders::tiff::compression::Compression;
use crate::image::decoders::tiff::convert::Converter;
use crate::image::decoders::tiff::directory::tag;
use crate::image::decoders::tiff::page::Area;
use crate::image::decoders::tiff::problem::{Result, unsupported};
use crate::image::limits::Limits;
use crate::image::problem::ImageProblem;

pub(crate) use crate::image::decoders::tiff::color::Color;
pub(crate) use crate::image::decoders::tiff::page::Page;

/// Whether a file begins as a TIFF or a BigTIFF does.
pub(crate) fn begins(bytes: &[u8]) -> bool {
    let mark = bytes.get(..4).unwrap_or_default();
    matches!(mark, b"II*\0" | b"MM\0*" | b"II+\0" | b"MM\0+")
}

impl<'a> Page<'a> {
    /// The pixels as red, green and blue, before the orientation is applied.
    pub(crate) fn decode(&self, limits: &Limits, background: Option<[u8; 3]>) -> Result<RgbImage> {
        let chunks = self.chunks;
        // A tile may be far larger than the image, and each one is decoded.
        let side = |length: u32, count: u32| u64::from(length).saturating_mul(u64::from(count));
        let padded = (
            side(chunks.width, chunks.across),
            side(chunks.height, chunks.down),
        );
        if padded.0.saturating_mul(padded.1) > limits.max_pixels.saturating_add(1 << 16) {
            return Err(ImageProblem::TooManyPixels {
                width: u32::try_from(padded.0).unwrap_or(u32::MAX),
                height: u32::try_from(padded.1).unwrap_or(u32::MAX),
                limit: limits.max_pixels,
            });
        }
        if self.compression == Compression::OldJpeg {
            return self.old_jpeg(limits);
        }
        let (width, height) = (self.width as usize, self.height as usize);
        let mut pixels = vec![0; 3 * width * height];
        let convert = Converter::new(self, background)?;
        for down in 0..chunks.down {
            for across in 0..chunks.across {
                let (left, top) = (across * chunks.width, down * chunks.height);
                let area = Area {
                    left: left as usize,
                    top: top as usize,
                    width: chunks.width.min(self.width - left) as usize,
                    height: chunks.height.min(self.height - top) as usize,
                };
                let number = down as usize * chunks.across as usize + across as usize;
                self.decode_chunk(number, area, limits, &convert, &mut pixels)?;
            }
        }
        Ok(RgbImage::from_raw(self.width, self.height, pixels)
            .expect("there are three bytes for each pixel"))
    }

    fn decode_chunk(
        &self,
        number: usize,
        area: Area,
        limits: &Limits,
        convert: &Converter,
        pixels: &mut [u8],
    ) -> Result<()> {
        let width = 3 * self.width as usize;
        let place = |row: usize| {
            let start = (area.top + row) * width + 3 * area.left;
            start..start + 3 * area.width
        };
        if let Some(blocks) = convert.blocks(self, number, area)? {
            for row in 0..area.height {
                blocks.row(row, &mut pixels[place(row)]);
            }
            return Ok(());
        }
        let planes = if self.planar { convert.samples() } else { 1 };
        let per_plane = self.chunks.across as usize * self.chunks.down as usize;
        let decoded: Vec<Cow<'_, [u8]>> = (0..planes)
            .map(|plane| self.chunk(number + plane * per_plane, area.height, limits))
            .collect::<Result<_>>()?;
        let stride = if self.planar {
            decoded.len()
        } else {
            usize::from(self.samples.count)
        };
        let mut row_samples = vec![0; stride * area.width];
        let mut one = vec![0; area.width];
        for row in 0..area.height {
            let bytes = |chunk: &'_ Cow<'_, [u8]>| {
                let length = self.row_bytes();
                row * length..((row + 1) * length).min(chunk.len())
            };
            match decoded.as_slice() {
                [whole] if !self.planar => self.unpack(&whole[bytes(whole)], &mut row_samples),
                planes => {
                    for (at, plane) in planes.iter().enumerate() {
                        self.unpack(&plane[bytes(plane)], &mut one);
                        let samples = row_samples[at..].iter_mut().step_by(stride);
                        samples.zip(&one).for_each(|(to, from)| *to = *from);
                    }
                }
            }
            convert.row(&row_samples, stride, &mut pixels[place(row)]);
        }
        Ok(())
    }

    fn unpack(&self, row: &[u8], samples: &mut [u8]) {
        let scale = self.color != Color::Palette;
        self.samples.unpack(row, scale, samples);
    }

    /// The first rows of strip or tile `number`, decompressed, in the machine's byte order.
    fn chunk(&self, number: usize, rows: usize, limits: &Limits) -> Result<Cow<'a, [u8]>> {
        let data = self.stored(number)?;
        let needed = rows.saturating_mul(self.row_bytes());
        let mut chunk = match self.compression {
            Compression::Jpeg => Cow::Owned(self.jpeg_chunk(&data, rows, limits)?),
            compression => compression.decompress(data, needed, &self.rows(rows))?,
        };
        if chunk.len() < needed {
            return Err(ImageProblem::Truncated(
                "a strip or tile ends early".to_owned(),
            ));
        }
        let predictor = self.directory.number(tag::PREDICTOR).unwrap_or(1);
        let (samples, row_bytes) = (self.samples_of_row(), self.row_bytes());
        let format = self.samples;
        if format.bits > 8 && format.bits.is_multiple_of(8) {
            let predictor = if self.compression.predicts() {
                predictor
            } else {
                1
            };
            if predictor == 3 {
                format.undo_float_prediction(chunk.to_mut(), row_bytes, samples)?;
            } else {
                format.to_native(&mut chunk, self.directory.big_endian);
            }
            if predictor == 2 {
                format.undo_prediction(chunk.to_mut(), row_bytes, samples);
            }
        } else if predictor == 2 && self.compression.predicts() {
            if format.bits != 8 {
                return Err(unsupported(&format!(
                    "a predictor for {} bits",
                    format.bits
                )));
            }
            format.undo_prediction(chunk.to_mut(), row_bytes, samples);
        }
        Ok(chunk)
    }
}
