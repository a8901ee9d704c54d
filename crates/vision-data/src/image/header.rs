//! Image headers: properties of a file that training does not use.

use std::fmt;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::metadata::Orientation;
use image::{ExtendedColorType, ImageDecoder as _, ImageFormat, ImageReader};
use serde::Serialize;

use crate::image::decode::format_of;
use crate::image::decoders::jpeg::Frame;
use crate::image::decoders::tiff::{Color, Page};
use crate::image::decoders::{bmp, pnm};
use crate::image::size::PixelSize;

/// How colors are stored in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub(crate) enum ColorMode {
    /// Gray.
    Gray,
    /// Gray with transparency.
    GrayAlpha,
    /// Indices into a palette.
    Palette,
    /// Red, green and blue, including JPEGs that store brightness and color differences.
    Rgb,
    /// RGB with transparency.
    RgbAlpha,
    /// The four inks used in print.
    Cmyk,
    /// Anything else.
    Other,
}

impl fmt::Display for ColorMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gray => "gray",
            Self::GrayAlpha => "gray + alpha",
            Self::Palette => "palette",
            Self::Rgb => "RGB",
            Self::RgbAlpha => "RGB + alpha",
            Self::Cmyk => "CMYK",
            Self::Other => "other",
        })
    }
}

/// The contents of an image header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) format: ImageFormat,
    /// As stored, before the EXIF orientation is applied.
    pub(crate) size: PixelSize,
    pub(crate) mode: ColorMode,
    /// Bits per channel.
    pub(crate) bits: u8,
    /// Whether the EXIF data asks to rotate or mirror the image.
    pub(crate) rotated: bool,
    pub(crate) animated: bool,
}

impl Facts {
    /// Reads the header without decoding pixels. `None` if it cannot be read.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        // As in decoding, a panic in a reader means a bad file.
        catch_unwind(AssertUnwindSafe(|| Self::read(bytes))).unwrap_or_default()
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let format = format_of(bytes)?;
        if format == ImageFormat::Tiff {
            return Self::of_tiff(bytes);
        }
        if pnm::is_float(bytes) {
            let (width, height) = pnm::float_size(bytes)?;
            return Some(Self {
                format,
                size: PixelSize { width, height },
                mode: ColorMode::Gray,
                bits: 32,
                rotated: false,
                animated: false,
            });
        }
        let bytes = &*bmp::with_known_header(bytes);
        let mut decoder = ImageReader::with_format(Cursor::new(bytes), format)
            .into_decoder()
            .ok()?;
        let (width, height) = decoder.dimensions();
        let rotated = decoder
            .orientation()
            .is_ok_and(|orientation| orientation != Orientation::NoTransforms);
        let (mode, bits) = match format {
            ImageFormat::Png => png_mode(bytes)?,
            ImageFormat::Jpeg => jpeg_mode(bytes)?,
            ImageFormat::Gif => (ColorMode::Palette, 8),
            _ => mode_of(decoder.original_color_type()),
        };
        let animated = match format {
            ImageFormat::Png => is_apng(bytes),
            ImageFormat::Gif => gif_frames(bytes) > 1,
            ImageFormat::WebP => is_animated_webp(bytes),
            _ => false,
        };
        Some(Self {
            format,
            size: PixelSize { width, height },
            mode,
            bits,
            rotated,
            animated,
        })
    }

    fn of_tiff(bytes: &[u8]) -> Option<Self> {
        let page = Page::read(bytes).ok()?;
        let colors = page.color.samples();
        let mode = match (page.color, page.samples.count > colors) {
            (Color::Palette, _) => ColorMode::Palette,
            (Color::White | Color::Black, false) => ColorMode::Gray,
            (Color::White | Color::Black, true) => ColorMode::GrayAlpha,
            (Color::Rgb | Color::YCbCr, false) => ColorMode::Rgb,
            (Color::Rgb | Color::YCbCr, true) => ColorMode::RgbAlpha,
            (Color::Cmyk, _) => ColorMode::Cmyk,
            (Color::Lab, _) => ColorMode::Other,
        };
        Some(Self {
            format: ImageFormat::Tiff,
            size: PixelSize {
                width: page.width,
                height: page.height,
            },
            mode,
            bits: u8::try_from(page.samples.bits).ok()?,
            rotated: page.orientation != Orientation::NoTransforms,
            animated: false,
        })
    }
}

fn mode_of(color: ExtendedColorType) -> (ColorMode, u8) {
    use ExtendedColorType as C;
    let channels = color.channel_count().max(1);
    let bits = (color.bits_per_pixel() / u16::from(channels)).min(255) as u8;
    let mode = match color {
        C::A8 => ColorMode::Other,
        C::Cmyk8 | C::Cmyk16 => ColorMode::Cmyk,
        _ => match channels {
            1 => ColorMode::Gray,
            2 => ColorMode::GrayAlpha,
            3 => ColorMode::Rgb,
            4 => ColorMode::RgbAlpha,
            _ => ColorMode::Other,
        },
    };
    (mode, bits)
}

/// From the header chunk, which is first: PNG specification, 11.2.1.
fn png_mode(bytes: &[u8]) -> Option<(ColorMode, u8)> {
    let mode = match bytes.get(25)? {
        0 => ColorMode::Gray,
        2 => ColorMode::Rgb,
        3 => ColorMode::Palette,
        4 => ColorMode::GrayAlpha,
        6 => ColorMode::RgbAlpha,
        _ => ColorMode::Other,
    };
    Some((mode, *bytes.get(24)?))
}

fn jpeg_mode(bytes: &[u8]) -> Option<(ColorMode, u8)> {
    let frame = Frame::of(bytes)?;
    let mode = match frame.components() {
        1 => ColorMode::Gray,
        3 => ColorMode::Rgb,
        4 => ColorMode::Cmyk,
        _ => ColorMode::Other,
    };
    Some((mode, frame.bits))
}

/// Whether an animation control chunk before the pixels announces more than one frame.
fn is_apng(bytes: &[u8]) -> bool {
    let mut at = 8usize;
    loop {
        let Some(header) = bytes.get(at..at + 8) else {
            return false;
        };
        let length = u32::from_be_bytes([header[0], header[1], header[2], header[3]]) as usize;
        match &header[4..] {
            b"IDAT" => return false,
            b"acTL" => {
                let frames = bytes.get(at + 8..at + 12);
                return frames.is_some_and(|frames| frames > &[0, 0, 0, 1][..]);
            }
            // Length, name, content and checksum.
            _ => match at.checked_add(12).and_then(|end| end.checked_add(length)) {
                Some(next) => at = next,
                None => return false,
            },
        }
    }
}

/// The number of frames, counted up to two: GIF89a, a header of 13 bytes followed by blocks.
fn gif_frames(bytes: &[u8]) -> usize {
    let table = |flags: u8| match flags & 0x80 {
        0 => 0,
        _ => 3 << ((flags & 7) + 1),
    };
    // Each sub-block is preceded by its length; a length of 0 ends the list.
    let after_blocks = |mut at: usize| loop {
        match bytes.get(at) {
            None => return None,
            Some(0) => return Some(at + 1),
            Some(&length) => at += 1 + usize::from(length),
        }
    };
    let Some(&flags) = bytes.get(10) else {
        return 0;
    };
    let mut at = 13 + table(flags);
    let mut frames = 0;
    while frames < 2 {
        let next = match bytes.get(at) {
            Some(0x21) => after_blocks(at + 2),
            Some(0x2C) => {
                frames += 1;
                // A descriptor of ten bytes, a color table, and the code size.
                let flags = bytes.get(at + 9).copied().unwrap_or_default();
                after_blocks(at + 10 + table(flags) + 1)
            }
            _ => None,
        };
        match next {
            Some(next) => at = next,
            None => break,
        }
    }
    frames
}

/// The animation flag of an extended header: WebP container specification, VP8X.
pub(super) fn is_animated_webp(bytes: &[u8]) -> bool {
    bytes.get(12..16) == Some(b"VP8X") && bytes.get(20).is_some_and(|flags| flags & 2 != 0)
}
