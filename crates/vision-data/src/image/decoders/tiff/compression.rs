//! Decompression of strips and tiles.

use std::borrow::Cow;
use std::io::{self, Read};

use flate2::read::ZlibDecoder;
use weezl::BitOrder;

use crate::image::decoders::tiff::fax::{self, Fax};
use crate::image::decoders::tiff::problem::{Result, unsupported};
use crate::image::problem::ImageProblem;

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

/// The rows of a strip or tile, for a fax compression.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) count: usize,
    pub(super) width: usize,
    /// Whether a pixel is one bit.
    pub(super) bilevel: bool,
    /// The tag Group3Options.
    pub(super) options: u64,
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
        rows: &Rows,
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
                if !rows.bilevel {
                    return Err(unsupported("a fax compression of more than one bit"));
                }
                fax::decode(kind, &data, rows.width, rows.count, rows.options & 1 == 1)?
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
