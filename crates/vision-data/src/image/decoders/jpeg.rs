//! JPEG: what its decoder does not read as libjpeg does.

use std::borrow::Cow;
use std::io::Cursor;

use image::codecs::jpeg::JpegDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, ImageDecoder as _, RgbImage};
use memchr::{memchr, memmem};

use crate::image::budget::Held;
use crate::image::decoders::reduced_jpeg;
use crate::image::decoders::shared::{CONVERT, admit, from_decoder, problem, rgb_bytes};
use crate::image::limits::Limits;
use crate::image::problem::ImageProblem;

/// The most scans accepted in a progressive JPEG, each of which takes time. Encoders write ten; zune-jpeg
/// rejects more than 100.
pub(crate) const MOST_SCANS: usize = 100;

/// Decodes a JPEG. With `side`, one whose shorter side is at least four times as long is reduced.
pub(crate) fn decode(
    bytes: &[u8],
    limits: &Limits,
    side: Option<u32>,
) -> Result<Held<DynamicImage>, ImageProblem> {
    let bytes = without_contradiction(bytes);
    let frame = Frame::of(&bytes);
    if let Some(reason) = frame.and_then(Frame::unsupported) {
        return Err(ImageProblem::Unsupported(format!("{reason}; {CONVERT}")));
    }
    let mut decoder = match JpegDecoder::new(Cursor::new(&*bytes)) {
        Ok(decoder) => decoder,
        Err(error) => {
            let other = rarely_used(&whole(&bytes, limits)?, limits)?;
            return other.ok_or_else(|| problem(&error, limits));
        }
    };
    let (width, height) = decoder.dimensions();
    // Damaged EXIF data must not make an image unusable.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let stored = decoder.total_bytes();
    let pixels = rgb_bytes(width, height);
    // The decoder's copy of the file, its pixels, and RGB made of gray, or what a rotation makes of them. Of an
    // image in several scans, all coefficients are kept, of two bytes each.
    let scans = frame.is_none_or(|frame| frame.marker == 0xC2 || several_scans(&bytes));
    let kept = match scans {
        true => pixels / 3 * 2 * u64::from(frame.map_or(4, |frame| frame.components)),
        false => 0,
    };
    let turned = if orientation == Orientation::NoTransforms {
        0
    } else {
        stored
    };
    let made = turned.max(if stored < pixels { pixels } else { 0 });
    let needed = stored
        .saturating_add(kept.max(made))
        .saturating_add(bytes.len() as u64);
    let permit = admit(limits, width, height, needed)?;
    let bytes = whole(&bytes, limits)?;
    if let Cow::Owned(mended) = &bytes {
        decoder = JpegDecoder::new(Cursor::new(&**mended)).map_err(|e| problem(&e, limits))?;
    }
    let reduced = side.and_then(|side| reduced_jpeg::jpeg(&bytes, side, limits));
    let mut image = match reduced {
        Some(reduced) => reduced,
        None => from_decoder(decoder, limits)?,
    };
    image.apply_orientation(orientation);
    Ok(Held::new(image, permit))
}

/// The first frame header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    marker: u8,
    pub(crate) bits: u8,
    pub(crate) components: u8,
}

impl Frame {
    /// From a marker from C0 to CF except C4, C8 and CC: ITU T.81, B.2.2.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        let mut at = 2;
        loop {
            match bytes.get(at..at + 2)? {
                // Fill bytes.
                [0xFF, 0xFF] => at += 1,
                [
                    0xFF,
                    marker @ (0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF),
                ] => {
                    return Some(Self {
                        marker: *marker,
                        bits: *bytes.get(at + 4)?,
                        components: *bytes.get(at + 9)?,
                    });
                }
                [0xFF, _] => {
                    let length = bytes.get(at + 2..at + 4)?;
                    at += 2 + usize::from(u16::from_be_bytes(length.try_into().ok()?));
                }
                // Between segments, libjpeg skips what is no marker.
                _ => at += 1,
            }
        }
    }

    /// Why no decoder here reads it.
    fn unsupported(self) -> Option<&'static str> {
        match self.marker {
            0xC5..=0xC7 | 0xCD..=0xCF => Some("a hierarchical JPEG"),
            0xC9..=0xCB => Some("a JPEG with arithmetic coding"),
            0xC0..=0xC2 if self.bits != 8 => Some("a JPEG with 12 bits a channel"),
            _ => None,
        }
    }
}

/// Whether the first scan has fewer components than the image, so that others follow.
fn several_scans(bytes: &[u8]) -> bool {
    let scan = memmem::find(bytes, &[0xFF, 0xDA]);
    let components = scan.and_then(|at| bytes.get(at + 4));
    Frame::of(bytes).is_some_and(|frame| components != Some(&frame.components))
}

/// The other decoder knows lossless JPEGs, and sampling factors of 3.
fn rarely_used(bytes: &[u8], limits: &Limits) -> Result<Option<Held<DynamicImage>>, ImageProblem> {
    let Some(Held {
        value: mut decoder,
        permit,
    }) = slow_decoder(bytes, limits)?
    else {
        return Ok(None);
    };
    let info = decoder.info();
    let Some((info, pixels)) = info.zip(decoder.decode().ok()) else {
        return Ok(None);
    };
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    let image = match info.pixel_format {
        jpeg_decoder::PixelFormat::L8 => {
            GrayImage::from_raw(width, height, pixels).map(DynamicImage::ImageLuma8)
        }
        jpeg_decoder::PixelFormat::RGB24 => {
            RgbImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8)
        }
        jpeg_decoder::PixelFormat::L16 | jpeg_decoder::PixelFormat::CMYK32 => None,
    };
    Ok(image.map(|image| Held::new(image, permit)))
}

/// A decoder that stops at what is damaged, after its header was checked.
fn slow_decoder<'a>(
    bytes: &'a [u8],
    limits: &Limits,
) -> Result<Option<Held<jpeg_decoder::Decoder<&'a [u8]>>>, ImageProblem> {
    // Each scan begins with this marker, which cannot occur elsewhere in compressed data.
    if memmem::find_iter(bytes, &[0xFF, 0xDA]).count() > MOST_SCANS {
        return Ok(None);
    }
    let mut decoder = jpeg_decoder::Decoder::new(bytes);
    decoder.set_max_decoding_buffer_size(usize::try_from(limits.max_bytes).unwrap_or(usize::MAX));
    let info = decoder.read_info().ok().and_then(|()| decoder.info());
    let Some(info) = info else {
        return Ok(None);
    };
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    // Its planes, its result, and the coefficients.
    let needed = rgb_bytes(width, height).saturating_mul(4);
    let permit = admit(limits, width, height, needed)?;
    Ok(Some(Held::new(decoder, permit)))
}

/// The file with an end marker, if all its compressed data is there.
///
/// Bits that are missing would be made up by the decoder. So the data is decoded twice, followed by ones,
/// which are no code, and by zeros: nothing is missing if both succeed and agree.
pub(crate) fn whole<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Cow<'a, [u8]>, ImageProblem> {
    if ends(bytes) {
        return Ok(Cow::Borrowed(bytes));
    }
    // Zeros fill a file whose end was never written. One may belong to the data.
    let used = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    let mut data = &bytes[..(used + 1).min(bytes.len())];
    if bytes.get(used.wrapping_sub(1)) == Some(&0xFF) && used == bytes.len() {
        // Half of the end marker.
        data = &bytes[..used - 1];
    }
    let decoded = |fill: &[u8]| -> Result<Option<u32>, ImageProblem> {
        let filled = [data, &fill.repeat(64), &[0xFF, 0xD9]].concat();
        let decoder = slow_decoder(&filled, limits)?;
        let pixels = decoder.and_then(|mut decoder| decoder.value.decode().ok());
        Ok(pixels.map(|pixels| crc32fast::hash(&pixels)))
    };
    let ones = decoded(&[0xFF, 0])?;
    if ones.is_none() || !refined(data) || ones != decoded(&[0])? {
        return Err(ImageProblem::Truncated("no end marker".to_owned()));
    }
    Ok(Cow::Owned([data, &[0xFF, 0xD9]].concat()))
}

/// Whether the scans of a JPEG bring every coefficient of every component to its last bit: of a progressive
/// one, whole scans may be missing.
fn refined(bytes: &[u8]) -> bool {
    let (mut components, mut at) = (Vec::new(), 0);
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr(0xFF, rest)) {
        let code = at + found + 1;
        let &[marker, high, low, ref content @ ..] = bytes.get(code..).unwrap_or_default() else {
            break;
        };
        at = match marker {
            0xFF => code,
            0 | 0x01 | 0xD0..=0xD8 => code + 1,
            _ => code + 1 + usize::from(u16::from_be_bytes([high, low])),
        };
        match (marker, content) {
            // Depth, height, width, and the number of components, of three bytes each.
            (0xC0..=0xC2, [_, _, _, _, _, count, list @ ..]) => {
                let list = list.chunks_exact(3).take(usize::from(*count));
                components = list.map(|component| (component[0], 0u64)).collect();
            }
            // The number of components, of two bytes each; first and last coefficient, and the bits that came
            // before and are still to come.
            (0xDA, [count, list @ ..]) => {
                let (list, rest) = list.split_at((2 * usize::from(*count)).min(list.len()));
                let &[first, last, bits, ..] = rest else {
                    break;
                };
                if bits & 0xF == 0 && first <= last && last < 64 {
                    let band = u64::MAX >> (63 - last) & u64::MAX << first;
                    for (name, done) in &mut components {
                        if list.iter().step_by(2).any(|listed| listed == name) {
                            *done |= band;
                        }
                    }
                }
            }
            _ => {}
        }
    }
    components.iter().all(|(_, done)| *done == u64::MAX)
}

/// Whether the compressed data of a JPEG file ends with an end marker, not just with the end of the file.
///
/// Walks the segments by their lengths, so that the end marker of a thumbnail in the EXIF data
/// does not count.
fn ends(bytes: &[u8]) -> bool {
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr(0xFF, rest)) {
        let code = at + found + 1;
        at = match bytes.get(code) {
            None => return false,
            Some(0xD9) => return true,
            // Fill bytes of 0xFF may follow a segment.
            Some(0xFF) => code,
            // In compressed data, 0 follows 0xFF. The start-of-image, restart and temporary markers have
            // no content.
            Some(0 | 0x01 | 0xD0..=0xD8) => code + 1,
            Some(_) => match bytes.get(code + 1..code + 3) {
                Some([high, low]) => code + 1 + usize::from(u16::from_be_bytes([*high, *low])),
                _ => return false,
            },
        };
    }
    false
}

/// Takes Adobe's segment out if JFIF's contradicts it: three components are YCbCr then, as in libjpeg.
fn without_contradiction(bytes: &[u8]) -> Cow<'_, [u8]> {
    let (mut jfif, mut at) = (false, 2);
    while let Some(&[0xFF, marker, high, low, ..]) = bytes.get(at..) {
        let end = at + 2 + usize::from(u16::from_be_bytes([high, low]));
        let content = bytes.get(at + 4..end).unwrap_or_default();
        match marker {
            0xE0 => jfif |= content.starts_with(b"JFIF\0"),
            0xEE if jfif && content.starts_with(b"Adobe") && content.get(11) == Some(&0) => {
                let three = Frame::of(bytes).is_some_and(|frame| frame.components == 3);
                if three {
                    return Cow::Owned([&bytes[..at], &bytes[end..]].concat());
                }
            }
            // The compressed data begins.
            0xDA => break,
            _ => {}
        }
        at = end;
    }
    Cow::Borrowed(bytes)
}
