//! JPEG, as libjpeg-turbo decodes it, which Pillow and PyTorch use: the same pixels.

use std::borrow::Cow;
use std::io::Cursor;

use image::codecs::jpeg::JpegDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder as _, RgbImage};
use libjpeg_turbo_rs::{
    ComponentInfo, DecodeLimits, Decoder, JpegError, PixelFormat, ScalingFactor,
};
use memchr::memchr;

use crate::image::budget::Held;
use crate::image::decoders::shared::{CONVERT, admit, from_decoder, problem, rgb_bytes};
use crate::image::limits::Limits;
use crate::image::problem::ImageProblem;

/// The most scans accepted in a progressive JPEG, each of which takes time. Encoders write ten.
const MOST_SCANS: usize = 100;

/// Decodes a JPEG. With `side`, one whose shorter side is at least four times as long is decoded at 1/2, 1/4 or
/// 1/8 of its size: the smallest that leaves the shorter side at least twice as long as `side`, so that a later
/// resize still has pixels to average.
pub(crate) fn decode(
    bytes: &[u8],
    limits: &Limits,
    side: Option<u32>,
) -> Result<Held<RgbImage>, ImageProblem> {
    let no_frame = || ImageProblem::Truncated("no frame header".to_owned());
    let frame = Frame::of(bytes).ok_or_else(no_frame)?;
    if let Some(reason) = frame.unsupported() {
        return Err(ImageProblem::Unsupported(format!("{reason}; {CONVERT}")));
    }
    let needed = frame.memory(bytes.len() as u64);
    let permit = admit(limits, frame.width, frame.height, needed)?;
    let bytes = whole(bytes, limits)?;
    let image = match turbo(&bytes, &frame, limits, side) {
        Ok(image) => image,
        Err(error @ JpegError::LimitExceeded { .. }) => return Err(reason(&error)),
        Err(error) => other(&bytes, &frame, limits).map_err(|_| reason(&error))?,
    };
    Ok(Held::new(image, permit))
}

/// A decoder whose header was read, within the limits. Four inks of which some have fewer samples are refused: it makes
/// other pixels of them than libjpeg-turbo, and panics on some.
pub(super) fn decoder<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Decoder<'a>, JpegError> {
    let most = DecodeLimits {
        max_width: usize::from(u16::MAX),
        max_height: usize::from(u16::MAX),
        max_pixels: limits.max_pixels,
        max_scans: MOST_SCANS,
        // What it takes was admitted.
        max_memory: None,
    };
    let mut decoder = Decoder::new_with_limits(bytes, most)?;
    let components = &decoder.header().components;
    let format = match components.len() {
        4 => PixelFormat::Cmyk,
        _ => PixelFormat::Rgb,
    };
    let samples = |of: &ComponentInfo| (of.horizontal_sampling, of.vertical_sampling);
    let differ = components
        .windows(2)
        .any(|pair| samples(&pair[0]) != samples(&pair[1]));
    if components.len() == 4 && differ {
        let what = "four inks of which some have fewer samples".to_owned();
        return Err(JpegError::Unsupported(what));
    }
    decoder.set_output_format(format);
    Ok(decoder)
}

/// Decodes as libjpeg-turbo does, also what is damaged.
fn turbo(
    bytes: &[u8],
    frame: &Frame,
    limits: &Limits,
    side: Option<u32>,
) -> Result<RgbImage, JpegError> {
    let mut decoder = decoder(bytes, limits)?;
    decoder.set_lenient(true);
    let header = decoder.header();
    let sampling = header.components.iter().map(|of| Sampling {
        across: of.horizontal_sampling,
        down: of.vertical_sampling,
    });
    let found = Frame {
        width: u32::from(header.width),
        height: u32::from(header.height),
        sampling: sampling.collect(),
        ..frame.clone()
    };
    if found != *frame {
        return Err(JpegError::CorruptData("two frame headers".to_owned()));
    }
    let short = frame.width.min(frame.height);
    let enough = side.map(|side| side.saturating_mul(2));
    let part = enough.and_then(|enough| [8, 4, 2].into_iter().find(|part| short / part >= enough));
    if let Some(part) = part {
        decoder.set_scale(ScalingFactor::try_new(1, part)?);
    }
    let image = decoder.decode_image()?;
    let pixels = match image.pixel_format {
        PixelFormat::Cmyk => image
            .data
            .as_chunks()
            .0
            .iter()
            .flat_map(rgb_of_inks)
            .collect(),
        _ => image.data,
    };
    let (width, height) = (image.width as u32, image.height as u32);
    let image = RgbImage::from_raw(width, height, pixels)
        .ok_or_else(|| JpegError::CorruptData("pixels are missing".to_owned()))?;
    // Damaged EXIF data must not make an image unusable.
    let orientation = decoder.exif_orientation().and_then(Orientation::from_exif);
    Ok(turned(image, orientation))
}

/// Four inks, stored inverted, as Pillow makes RGB of them.
fn rgb_of_inks(&[cyan, magenta, yellow, black]: &[u8; 4]) -> [u8; 3] {
    [cyan, magenta, yellow].map(|ink| {
        let product = u32::from(255 - ink) * u32::from(black) + 128;
        black.saturating_sub((((product >> 8) + product) >> 8) as u8)
    })
}

fn turned(image: RgbImage, orientation: Option<Orientation>) -> RgbImage {
    let mut image = DynamicImage::ImageRgb8(image);
    image.apply_orientation(orientation.unwrap_or(Orientation::NoTransforms));
    image.into_rgb8()
}

/// Decodes what the first decoder refuses: two of three components in a scan, inks with fewer samples, and some damage.
fn other(bytes: &[u8], frame: &Frame, limits: &Limits) -> Result<RgbImage, ImageProblem> {
    let mut decoder =
        JpegDecoder::new(Cursor::new(bytes)).map_err(|error| problem(&error, limits))?;
    if decoder.dimensions() != (frame.width, frame.height) {
        return Err(ImageProblem::Damaged("two frame headers".to_owned()));
    }
    let orientation = decoder.orientation().ok();
    Ok(turned(
        from_decoder(decoder, limits)?.into_rgb8(),
        orientation,
    ))
}

/// What an error of the decoder says about the file.
fn reason(error: &JpegError) -> ImageProblem {
    match error {
        JpegError::UnexpectedEof => ImageProblem::Truncated(error.to_string()),
        JpegError::Unsupported(what) => ImageProblem::Unsupported(format!("{what}; {CONVERT}")),
        _ => ImageProblem::Damaged(error.to_string()),
    }
}

/// The first frame header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    marker: u8,
    pub(crate) bits: u8,
    width: u32,
    height: u32,
    /// Of each component.
    sampling: Vec<Sampling>,
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
                    let &[bits, h1, h0, w1, w0, count, ref list @ ..] = bytes.get(at + 4..)? else {
                        return None;
                    };
                    let list = list.chunks_exact(3).take(usize::from(count));
                    let sampling = list.map(|item| Sampling {
                        across: item[1] >> 4,
                        down: item[1] & 0xF,
                    });
                    return Some(Self {
                        marker: *marker,
                        bits,
                        width: u32::from(u16::from_be_bytes([w1, w0])),
                        height: u32::from(u16::from_be_bytes([h1, h0])),
                        sampling: sampling.collect(),
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

    pub(crate) fn components(&self) -> usize {
        self.sampling.len()
    }

    /// Why no decoder here reads it.
    fn unsupported(&self) -> Option<&'static str> {
        match self.marker {
            0xC5..=0xC7 | 0xCD..=0xCF => Some("a hierarchical JPEG"),
            _ if self.bits != 8 => Some("a JPEG with more than 8 bits a channel"),
            _ => None,
        }
    }

    /// The most bytes that decoding takes, with two copies of the metadata in the `file`.
    fn memory(&self, file: u64) -> u64 {
        let most = |of: fn(&Sampling) -> u8| self.sampling.iter().map(of).max().unwrap_or(1);
        let (across, down) = (most(|s| s.across), most(|s| s.down));
        // Components are decoded in whole blocks of 8 by 8 samples.
        let side = |pixels: u32, most: u8, own: u8| {
            u64::from(pixels).div_ceil(8 * u64::from(most.max(1))) * 8 * u64::from(own)
        };
        let samples = self
            .sampling
            .iter()
            .map(|own| side(self.width, across, own.across) * side(self.height, down, own.down));
        let samples: u64 = samples.sum();
        // The coefficients of an image in several scans have two bytes each.
        let coefficients = 2 * samples;
        // Colors are made larger line by line, or at once if their sampling differs.
        let alike = self.sampling.len() < 3 || self.sampling[1] == self.sampling[2];
        let pixels = rgb_bytes(self.width, self.height);
        let larger = if alike { 0 } else { pixels };
        let inks = if self.sampling.len() == 4 {
            pixels / 3 * 4
        } else {
            0
        };
        let upright = 2 * pixels;
        let most = [
            coefficients + samples,
            samples + larger + inks.max(pixels),
            inks + pixels,
            upright,
        ];
        // Metadata is copied.
        most.into_iter().max().unwrap_or(0).saturating_add(2 * file)
    }
}

/// How many samples a component has across and down, of which the largest counts are the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sampling {
    across: u8,
    down: u8,
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
    let decoded = |fill: &[u8]| -> Option<u32> {
        let filled = [data, &fill.repeat(64), &[0xFF, 0xD9]].concat();
        let image = decoder(&filled, limits).and_then(|decoder| decoder.decode_image());
        image.ok().map(|image| crc32fast::hash(&image.data))
    };
    let ones = decoded(&[0xFF, 0]);
    if ones.is_none() || !refined(data) || ones != decoded(&[0]) {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::path::Path;

    use memchr::memmem;

    use super::*;

    /// Made by `scripts/make_reduced_fixtures.py`.
    fn fixture(name: &str) -> Vec<u8> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reduced");
        fs::read(folder.join(name)).unwrap()
    }

    fn decoded(jpeg: &[u8], side: Option<u32>) -> Result<RgbImage, ImageProblem> {
        decode(jpeg, &Limits::default(), side).map(|image| image.value)
    }

    #[test]
    fn reduced_images_have_the_pixels_of_libjpeg() {
        for name in ["420", "444", "gray", "progressive"] {
            let jpeg = fixture(&format!("{name}.jpg"));
            // The shorter side has 131 pixels.
            for (part, side) in [(2, 32), (4, 16), (8, 8)] {
                let ours = decoded(&jpeg, Some(side)).unwrap();
                let theirs = image::load_from_memory(&fixture(&format!("{name}_{part}.png")));
                assert_eq!(ours, theirs.unwrap().into_rgb8(), "{name} at 1/{part}");
            }
        }
    }

    #[test]
    fn an_image_is_reduced_no_further_than_to_twice_the_side() {
        let size = |side| {
            let image = decoded(&fixture("444.jpg"), Some(side)).unwrap();
            image.width().min(image.height())
        };
        assert_eq!([33, 32, 17, 16, 9, 8].map(size), [131, 66, 66, 33, 33, 17]);
        assert_eq!(size(u32::MAX), 131);
    }

    #[test]
    fn a_reduced_jpeg_meets_the_limits_too() {
        let whole = fixture("420.jpg");
        let cut = decoded(&whole[..whole.len() / 2], Some(8));
        assert!(matches!(cut, Err(ImageProblem::Truncated(_))), "{cut:?}");
        let tight = Limits {
            max_bytes: 100,
            ..Limits::default()
        };
        let large = decode(&whole, &tight, Some(8)).map(|image| image.value);
        assert_eq!(large, Err(ImageProblem::TooManyBytes { limit: 100 }));
        // Repeat the last scan: each would be decoded, and a few hundred bytes would take seconds.
        let progressive = fixture("progressive.jpg");
        let scan = memmem::rfind(&progressive, &[0xFF, 0xDA]).unwrap();
        let (before, scan) = progressive.split_at(scan);
        let (scan, end) = scan.split_at(scan.len() - 2);
        let repeated = |times| [before, &scan.repeat(times), end].concat();
        for side in [None, Some(8)] {
            assert!(decoded(&repeated(1), side).is_ok());
            let many = decoded(&repeated(101), side);
            assert!(matches!(many, Err(ImageProblem::Damaged(_))), "{many:?}");
        }
    }

    #[test]
    fn inks_with_fewer_samples_reach_the_decoder_nowhere() {
        let mut jpeg = include_bytes!("../../../tests/fixtures/images/cmyk.jpg").to_vec();
        let frame = memmem::find(&jpeg, &[0xFF, 0xC0]).unwrap();
        assert!(decoder(&jpeg, &Limits::default()).is_ok());
        // The sampling of the first of four components.
        for sampling in [0x13, 0x22, 0x21] {
            jpeg[frame + 11] = sampling;
            let found = decoder(&jpeg, &Limits::default());
            assert!(
                matches!(found, Err(JpegError::Unsupported(_))),
                "{sampling:x}"
            );
        }
    }

    #[test]
    fn the_memory_that_decoding_takes_is_known_before() {
        // Bytes for a pixel, of 160 by 160: those of a tool that counts what the decoder takes at most.
        let frame = |marker: u8, sampling: &[u8]| {
            let mut bytes = vec![0xFF, 0xD8, 0xFF, marker, 0, 0, 8, 0, 160, 0, 160];
            bytes.push(sampling.len() as u8);
            sampling.iter().for_each(|of| bytes.extend([1, *of, 0]));
            Frame::of(&bytes).unwrap().memory(0) as f64 / 25_600.0
        };
        assert_eq!(frame(0xC0, &[0x11]), 6.0);
        assert_eq!(frame(0xC0, &[0x22, 0x11, 0x11]), 6.0);
        assert_eq!(frame(0xC2, &[0x11, 0x11, 0x11]), 9.0);
        assert_eq!(frame(0xC0, &[0x22, 0x12, 0x21]), 8.0);
        assert_eq!(frame(0xC2, &[0x11, 0x11, 0x11, 0x11]), 12.0);
    }
}
