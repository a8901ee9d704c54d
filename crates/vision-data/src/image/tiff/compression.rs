//! Decompression of strips and tiles.

use std::borrow::Cow;
use std::io::{self, Read};

use flate2::read::ZlibDecoder;
use image::RgbImage;
use weezl::BitOrder;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::image::jpeg;
use crate::image::limits::Limits;
use crate::image::problem::ImageProblem;
use crate::image::tiff::color::Color;
use crate::image::tiff::directory::tag;
use crate::image::tiff::fax::{self, Fax};
use crate::image::tiff::{Page, Result, unsupported};

/// How strips and tiles are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Fax(Fax),
    Lzw,
    /// A whole JPEG file inside the TIFF.
    OldJpeg,
    Jpeg,
    Deflate,
    PackBits,
    Zstd,
}

impl Compression {
    pub(super) fn of(number: u64) -> Result<Self> {
        Ok(match number {
            1 => Self::None,
            2 => Self::Fax(Fax::Rows),
            3 => Self::Fax(Fax::Group3),
            4 => Self::Fax(Fax::Group4),
            5 => Self::Lzw,
            6 => Self::OldJpeg,
            7 => Self::Jpeg,
            8 | 32946 => Self::Deflate,
            32771 => Self::Fax(Fax::Words),
            32773 => Self::PackBits,
            50000 => Self::Zstd,
            other => {
                let name = match other {
                    32809 => " (ThunderScan)",
                    34676 | 34677 => " (SGI LogLuv)",
                    34712 => " (JPEG 2000)",
                    34887 => " (LERC)",
                    34925 => " (LZMA)",
                    50001 => " (WebP)",
                    50002 => " (JPEG XL)",
                    _ => "",
                };
                return Err(unsupported(&format!("compression {other}{name}")));
            }
        })
    }

    /// Whether the differences of a predictor may be compressed instead of the samples. libtiff ignores the
    /// tag otherwise.
    pub(super) fn predicts(self) -> bool {
        matches!(self, Self::Lzw | Self::Deflate | Self::Zstd)
    }

    /// The first `needed` bytes, or as many as there are.
    pub(super) fn decompress<'a>(
        self,
        data: Cow<'a, [u8]>,
        needed: usize,
        rows: usize,
        page: &Page<'_>,
    ) -> Result<Cow<'a, [u8]>> {
        let all = |reader: &mut dyn Read| {
            let mut bytes = Vec::new();
            let read = reader.take(needed as u64).read_to_end(&mut bytes);
            // What is missing is reported by whoever needs it.
            read.map(|_| bytes).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => {
                    ImageProblem::Truncated("a strip or tile ends early".to_owned())
                }
                _ => ImageProblem::Damaged(format!("a strip or tile of the TIFF: {error}")),
            })
        };
        let bytes = match self {
            Self::None => {
                return Ok(match data {
                    Cow::Borrowed(data) => Cow::Borrowed(&data[..needed.min(data.len())]),
                    Cow::Owned(mut data) => {
                        data.truncate(needed);
                        Cow::Owned(data)
                    }
                });
            }
            Self::Lzw => lzw(&data, needed)?,
            Self::Deflate => all(&mut ZlibDecoder::new(&*data))?,
            Self::PackBits => unpack_bits(&data, needed),
            Self::Zstd => {
                let decoder = ruzstd::decoding::StreamingDecoder::new(&*data);
                let mut decoder = decoder.map_err(|e| {
                    ImageProblem::Damaged(format!("a strip or tile of the TIFF: {e}"))
                })?;
                all(&mut decoder)?
            }
            Self::Fax(kind) => {
                if page.samples.bits != 1 || page.samples.count != 1 {
                    return Err(unsupported("a fax compression of more than one bit"));
                }
                let options = page.directory.number(tag::GROUP_3_OPTIONS).unwrap_or(0);
                fax::decode(
                    kind,
                    &data,
                    page.chunks.width as usize,
                    rows,
                    options & 1 == 1,
                )?
            }
            Self::Jpeg | Self::OldJpeg => unreachable!("JPEG is decoded to samples elsewhere"),
        };
        Ok(Cow::Owned(bytes))
    }
}

/// LZW of TIFF 6.0, or as libtiff wrote it before, with the bits in the other order.
fn lzw(data: &[u8], needed: usize) -> Result<Vec<u8>> {
    let old = matches!(data, [0, second, ..] if second & 1 == 1);
    let mut decoder = match old {
        true => weezl::decode::Decoder::new(BitOrder::Lsb, 8),
        false => weezl::decode::Decoder::with_tiff_size_switch(BitOrder::Msb, 8),
    };
    let (mut bytes, mut data) = (Vec::new(), data);
    let mut buffer = [0; 1 << 14];
    while bytes.len() < needed {
        let part = decoder.decode_bytes(data, &mut buffer);
        data = &data[part.consumed_in..];
        bytes.extend_from_slice(&buffer[..part.consumed_out]);
        match part.status {
            Ok(weezl::LzwStatus::Ok) => {}
            Ok(weezl::LzwStatus::Done | weezl::LzwStatus::NoProgress) => break,
            Err(error) => {
                return Err(ImageProblem::Damaged(format!(
                    "a strip or tile of the TIFF: {error}"
                )));
            }
        }
    }
    Ok(bytes)
}

/// PackBits: TIFF 6.0, section 9.
fn unpack_bits(mut data: &[u8], needed: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < needed {
        let [head, rest @ ..] = data else { break };
        data = match (*head as i8, rest) {
            (-128, rest) => rest,
            (count @ 0.., rest) => {
                let (run, rest) = rest.split_at(rest.len().min(count as usize + 1));
                bytes.extend_from_slice(run);
                rest
            }
            (count, [byte, rest @ ..]) => {
                bytes.resize(bytes.len() + 1 + usize::from(count.unsigned_abs()), *byte);
                rest
            }
            (_, []) => break,
        };
    }
    bytes.truncate(needed);
    bytes
}

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
