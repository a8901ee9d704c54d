//! The first page of a TIFF: its directory, and the bytes of its strips and tiles.

use std::borrow::Cow;
use std::cell::Cell;

use image::metadata::Orientation;

use crate::image::decoders::tiff::color::Color;
use crate::image::decoders::tiff::compression::{Compression, Rows};
use crate::image::decoders::tiff::directory::{Directory, tag};
use crate::image::decoders::tiff::problem::{Result, unsupported};
use crate::image::decoders::tiff::samples::Samples;
use crate::image::problem::ImageProblem;

/// The first page of a file.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) directory: Directory<'a>,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) orientation: Orientation,
    pub(crate) color: Color,
    pub(crate) samples: Samples,
    pub(super) compression: Compression,
    /// Whether each sample is in a plane of its own.
    pub(super) planar: bool,
    /// Whether the bits of each byte are in reverse order.
    pub(super) reversed: bool,
    pub(super) chunks: Chunks,
    /// Bytes of strips and tiles read so far.
    stored: Cell<u64>,
}

/// The strips or tiles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunks {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) across: u32,
    pub(super) down: u32,
    pub(super) offsets: u16,
    pub(super) counts: u16,
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
        let color = Color::of(&directory, compression == Compression::OldJpeg)?;
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

    /// The bytes of one row of a strip or tile after decompression.
    pub(super) fn row_bytes(&self) -> usize {
        let samples = if self.planar {
            1
        } else {
            u64::from(self.samples.count)
        };
        let bits = u64::from(self.chunks.width) * samples;
        (bits * u64::from(self.samples.bits)).div_ceil(8) as usize
    }

    pub(super) fn samples_of_row(&self) -> usize {
        if self.planar {
            1
        } else {
            usize::from(self.samples.count)
        }
    }

    /// The bytes of a strip or tile as they are in the file, in the usual order of bits.
    pub(super) fn stored(&self, number: usize) -> Result<Cow<'a, [u8]>> {
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
    pub(super) fn count_stored(&self, bytes: u64) -> Result<()> {
        let stored = self.stored.get().saturating_add(bytes);
        self.stored.set(stored);
        match stored > 16 * self.bytes.len() as u64 {
            true => Err(ImageProblem::Damaged("strips or tiles overlap".to_owned())),
            false => Ok(()),
        }
    }

    /// What a decompressor needs to know of rows of a strip or tile.
    pub(super) fn rows(&self, count: usize) -> Rows {
        Rows {
            count,
            width: self.chunks.width as usize,
            bilevel: self.samples.bits == 1 && self.samples.count == 1,
            options: self.directory.number(tag::GROUP_3_OPTIONS).unwrap_or(0),
        }
    }
}

/// A strip or tile, as far as it is within the image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) width: usize,
    pub(super) height: usize,
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
