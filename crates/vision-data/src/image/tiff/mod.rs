//! TIFF: whatever Pillow reads of it, and the little that it takes to read the same kinds elsewhere.
//!
//! The crates decompress; what a TIFF is made of (strips, tiles, planes, bit depths, color models) is put
//! together here, since no crate does it for the kinds that scanners and microscopes write. Names and
//! numbers are those of TIFF 6.0 and its supplements.

mod color;
mod compression;
mod directory;
mod fax;
mod samples;

use std::borrow::Cow;
use std::cell::Cell;

use image::RgbImage;
use image::metadata::Orientation;

pub(crate) use crate::image::tiff::color::Color;

use crate::image::limits::Limits;
use crate::image::problem::ImageProblem;
use crate::image::tiff::compression::Compression;
use crate::image::tiff::directory::{Directory, tag};
use crate::image::tiff::samples::{Format, Samples};

type Result<T> = std::result::Result<T, ImageProblem>;

/// Whether a file begins as a TIFF or a BigTIFF does.
pub(super) fn begins(bytes: &[u8]) -> bool {
    let mark = bytes.get(..4).unwrap_or_default();
    matches!(mark, b"II*\0" | b"MM\0*" | b"II+\0" | b"MM\0+")
}

/// The first page of a file.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    bytes: &'a [u8],
    directory: Directory<'a>,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) orientation: Orientation,
    pub(crate) color: Color,
    pub(crate) samples: Samples,
    compression: Compression,
    /// Whether each sample is in a plane of its own.
    planar: bool,
    /// Whether the bits of each byte are in reverse order.
    reversed: bool,
    chunks: Chunks,
    /// Bytes of strips and tiles read so far.
    stored: Cell<u64>,
}

/// The strips or tiles.
#[derive(Clone, Copy, Debug)]
struct Chunks {
    width: u32,
    height: u32,
    across: u32,
    down: u32,
    offsets: u16,
    counts: u16,
}

impl<'a> Page<'a> {
    /// Reads the directory of the first page, without any pixels.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self> {
        let directory = Directory::read(bytes)?;
        let required = |tag, name: &str| {
            let value = directory.number(tag).and_then(|v| u32::try_from(v).ok());
            value.ok_or_else(|| ImageProblem::Damaged(format!("the TIFF has no valid {name}")))
        };
        let (width, height) = (
            required(tag::WIDTH, "ImageWidth")?,
            required(tag::HEIGHT, "ImageLength")?,
        );
        if width == 0 || height == 0 {
            return Err(ImageProblem::Empty);
        }
        let number = |tag, default| directory.number(tag).unwrap_or(default);
        let compression = Compression::of(number(tag::COMPRESSION, 1))?;
        let planar = number(tag::PLANAR, 1) == 2;
        let color = Color::of(&directory, compression)?;
        let samples = Samples::of(&directory, color)?;
        if compression == Compression::Jpeg && samples.bits != 8 {
            return Err(unsupported(&format!(
                "JPEG compression of {} bits",
                samples.bits
            )));
        }
        let orientation = u8::try_from(number(tag::ORIENTATION, 1)).ok();
        Ok(Self {
            bytes,
            width,
            height,
            orientation: orientation
                .and_then(Orientation::from_exif)
                .unwrap_or(Orientation::NoTransforms),
            color,
            samples,
            compression,
            planar: planar && samples.count > 1,
            reversed: number(tag::FILL_ORDER, 1) == 2,
            chunks: Chunks::of(&directory, width, height)?,
            directory,
            stored: Cell::new(0),
        })
    }

    /// The bytes that decoding takes beside the file: the pixels, and the largest strips or tiles.
    pub(crate) fn memory(&self) -> u64 {
        let rows = u64::from(self.chunks.height.min(self.height));
        let planes = if self.planar {
            u64::from(self.samples.count)
        } else {
            1
        };
        // A compressed strip is decompressed as a whole; JPEG and WebP take as much again.
        let chunk = (self.row_bytes() as u64)
            .saturating_mul(rows)
            .saturating_mul(planes);
        let pixels = u64::from(self.width) * u64::from(self.height) * 3;
        pixels.saturating_add(match self.compression {
            Compression::None => 0,
            Compression::Jpeg | Compression::OldJpeg => chunk.saturating_mul(3),
            _ => chunk,
        })
    }

    /// The pixels as red, green and blue, before the orientation is applied.
    pub(crate) fn decode(&self, limits: &Limits) -> Result<RgbImage> {
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
        let convert = color::Converter::new(self)?;
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
        convert: &color::Converter,
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

    /// The bytes of one row of a strip or tile after decompression.
    fn row_bytes(&self) -> usize {
        let samples = if self.planar {
            1
        } else {
            u64::from(self.samples.count)
        };
        let bits = u64::from(self.chunks.width) * samples;
        (bits * u64::from(self.samples.bits)).div_ceil(8) as usize
    }

    /// The first rows of strip or tile `number`, decompressed, in the machine's byte order.
    fn chunk(&self, number: usize, rows: usize, limits: &Limits) -> Result<Cow<'a, [u8]>> {
        let data = self.stored(number)?;
        let needed = rows.saturating_mul(self.row_bytes());
        let mut chunk = match self.compression {
            Compression::Jpeg => Cow::Owned(self.jpeg_chunk(&data, rows, limits)?),
            compression => compression.decompress(data, needed, rows, self)?,
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

    fn samples_of_row(&self) -> usize {
        if self.planar {
            1
        } else {
            usize::from(self.samples.count)
        }
    }

    /// The bytes of a strip or tile as they are in the file, in the usual order of bits.
    fn stored(&self, number: usize) -> Result<Cow<'a, [u8]>> {
        let entry = |tag| self.directory.number_at(tag, number);
        let missing = || ImageProblem::Truncated("a strip or tile is missing".to_owned());
        let start = entry(self.chunks.offsets).ok_or_else(missing)?;
        let rest = usize::try_from(start)
            .ok()
            .and_then(|at| self.bytes.get(at..));
        let rest = rest.ok_or_else(missing)?;
        let whole = self.row_bytes().saturating_mul(self.chunks.height as usize);
        let length = match (self.compression, entry(self.chunks.counts)) {
            // Without compression, the length is known. As with libtiff, the tag may be wrong.
            (Compression::None, _) => whole,
            (_, Some(length @ 1..)) => usize::try_from(length).unwrap_or(usize::MAX),
            // The next one follows.
            _ => self
                .directory
                .number_at(self.chunks.offsets, number + 1)
                .and_then(|next| usize::try_from(next.checked_sub(start)?).ok())
                .unwrap_or(usize::MAX),
        };
        let length = length.min(rest.len());
        if self.compression != Compression::None {
            self.count_stored(length as u64)?;
        }
        let data = &rest[..length];
        // JPEG and WebP are sequences of bytes, for which there is no order of bits.
        if self.reversed && self.compression != Compression::Jpeg {
            return Ok(data.iter().map(|byte| byte.reverse_bits()).collect());
        }
        Ok(Cow::Borrowed(data))
    }

    /// Refuses strips that are read again and again, which would take time out of all proportion.
    fn count_stored(&self, bytes: u64) -> Result<()> {
        let stored = self.stored.get().saturating_add(bytes);
        self.stored.set(stored);
        match stored > 16 * self.bytes.len() as u64 {
            true => Err(ImageProblem::Damaged("strips or tiles overlap".to_owned())),
            false => Ok(()),
        }
    }
}

/// A strip or tile, as far as it is within the image.
#[derive(Clone, Copy, Debug)]
struct Area {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

impl Chunks {
    fn of(directory: &Directory<'_>, width: u32, height: u32) -> Result<Self> {
        let side = |tag| {
            let side = directory.number(tag)?;
            Some(u32::try_from(side).unwrap_or(u32::MAX)).filter(|side| *side > 0)
        };
        let tiled = directory.has(tag::TILE_OFFSETS) && !directory.has(tag::STRIP_OFFSETS);
        let (across, down, offsets, counts) = if tiled {
            let damaged = || ImageProblem::Damaged("the TIFF has tiles without a size".to_owned());
            (
                side(tag::TILE_WIDTH).ok_or_else(damaged)?,
                side(tag::TILE_HEIGHT).ok_or_else(damaged)?,
                tag::TILE_OFFSETS,
                tag::TILE_COUNTS,
            )
        } else {
            let rows = side(tag::ROWS_PER_STRIP).unwrap_or(height).min(height);
            (width, rows, tag::STRIP_OFFSETS, tag::STRIP_COUNTS)
        };
        if !directory.has(offsets) && !directory.has(tag::JPEG_STREAM) {
            return Err(ImageProblem::Damaged(
                "the TIFF has no strips or tiles".to_owned(),
            ));
        }
        Ok(Self {
            width: across,
            height: down,
            across: width.div_ceil(across),
            down: height.div_ceil(down),
            offsets,
            counts,
        })
    }
}

/// A kind that is not read.
fn unsupported(what: &str) -> ImageProblem {
    ImageProblem::Unsupported(format!(
        "a TIFF with {what}; {}",
        crate::image::decode::CONVERT
    ))
}

/// Whether the samples are numbers that Pillow clips to 8 bits instead of taking their upper bits.
fn clipped(samples: Samples) -> bool {
    samples.format != Format::Unsigned || samples.bits > 16
}
