//! Decoding: the bytes of an image file to pixels, within [`Limits`]. Never panics on malformed input.

use std::fs::{self, File};
use std::io::{self, Cursor, Read as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder as _, ImageFormat, ImageReader, RgbImage};
use vision_base::message::panic_message;

use crate::image::budget::{Held, Permit};
use crate::image::decoders::shared::{CONVERT, admit, from_decoder, over, problem, rgb_bytes};
use crate::image::decoders::tiff::{self, Page};
use crate::image::decoders::{bmp, gif, jpeg, png, pnm};
use crate::image::header::is_animated_webp;
use crate::image::limits::Limits;
use crate::image::problem::ImageProblem;

/// Reads a regular file of limited length. A pipe would never end, and a limit on pixels does not help
/// if the file itself fills the memory.
///
/// Keep the permit until the file is decoded.
pub(crate) fn read(path: &Path, limits: &Limits) -> Result<Held<Vec<u8>>, ImageProblem> {
    let unreadable = |error: io::Error| ImageProblem::Unreadable(error.to_string());
    let metadata = fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(ImageProblem::Unreadable("not a regular file".to_owned()));
    }
    if metadata.len() > limits.max_bytes {
        return Err(ImageProblem::TooManyBytes {
            limit: limits.max_bytes,
        });
    }
    let permit = Permit::to_read(metadata.len(), limits.max_memory);
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    File::open(path)
        .and_then(|file| file.take(limits.max_bytes).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    Ok(Held::new(bytes, permit))
}

/// What is made of the pixels of a file while it is decoded.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct How {
    /// Decodes a JPEG whose shorter side is at least four times as long at a reduced size, with a shorter
    /// side of at least twice this.
    pub(crate) side: Option<u32>,
    /// The color behind transparent pixels; `None` drops alpha.
    pub(crate) background: Option<[u8; 3]>,
}

/// Decodes a file to RGB.
pub(crate) fn decode(bytes: &[u8], limits: &Limits) -> Result<Held<RgbImage>, ImageProblem> {
    decode_to(bytes, limits, How::default())
}

/// Like [`decode`], in another way.
pub(crate) fn decode_to(
    bytes: &[u8],
    limits: &Limits,
    how: How,
) -> Result<Held<RgbImage>, ImageProblem> {
    let mut image = guarded(|| decode_trusting(bytes, limits, how))?;
    let pixels = image.value.as_raw().len() as u64;
    image
        .permit
        .iter_mut()
        .for_each(|permit| permit.shrink(pixels));
    Ok(image)
}

/// Catches panics of a decoder, which have occurred on malformed files (image#2230). They mean a bad
/// file, and must not stop a training run.
fn guarded<T>(decode: impl FnOnce() -> Result<T, ImageProblem>) -> Result<T, ImageProblem> {
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|panic| Err(ImageProblem::DecoderPanic(panic_message(&*panic))))
}

/// Decodes the pixels and applies the EXIF orientation.
fn decode_trusting(
    bytes: &[u8],
    limits: &Limits,
    how: How,
) -> Result<Held<RgbImage>, ImageProblem> {
    if bytes.is_empty() {
        return Err(ImageProblem::Empty);
    }
    let format = format_of(bytes).ok_or_else(|| ImageProblem::UnknownFormat {
        found: beginning(bytes),
    })?;
    let rgb8 = |image: Held<DynamicImage>| rgb8(image, how.background);
    match format {
        ImageFormat::Jpeg => jpeg::decode(bytes, limits, how.side),
        ImageFormat::Tiff => {
            let page = Page::read(bytes)?;
            let turned = page.orientation != Orientation::NoTransforms;
            let copy = if turned {
                rgb_bytes(page.width, page.height)
            } else {
                0
            };
            let needed = page.memory().saturating_add(copy);
            let permit = admit(limits, page.width, page.height, needed)?;
            let mut image = DynamicImage::ImageRgb8(page.decode(limits, how.background)?);
            image.apply_orientation(page.orientation);
            Ok(Held::new(image.into_rgb8(), permit))
        }
        ImageFormat::Gif => gif::decode(bytes, limits, how.background),
        ImageFormat::Bmp => {
            let bytes = bmp::with_known_header(bytes);
            let mut image = plainly(&bytes, format, limits).and_then(rgb8)?;
            bmp::round_down(&bytes, &mut image.value);
            Ok(image)
        }
        ImageFormat::Pnm if pnm::is_float(bytes) => pnm::decode_float(bytes, limits),
        ImageFormat::Pnm => or_mended(bytes, format, limits, pnm::without_comments).and_then(rgb8),
        ImageFormat::Png => or_mended(bytes, format, limits, png::mended).and_then(rgb8),
        // The decoder stops at the pixels, but the orientation may come after them.
        ImageFormat::WebP if !webp_ends(bytes) => Err(ImageProblem::Truncated(
            "shorter than it declares".to_owned(),
        )),
        _ => plainly(bytes, format, limits).and_then(rgb8),
    }
}

/// Decodes a file, or, if its decoder rejects it, what `mend` makes of it.
fn or_mended(
    bytes: &[u8],
    format: ImageFormat,
    limits: &Limits,
    mend: impl Fn(&[u8]) -> Option<Vec<u8>>,
) -> Result<Held<DynamicImage>, ImageProblem> {
    plainly(bytes, format, limits).or_else(|problem| match problem {
        ImageProblem::Truncated(_) | ImageProblem::Damaged(_) => match mend(bytes) {
            Some(mended) => plainly(&mended, format, limits),
            None => Err(problem),
        },
        other => Err(other),
    })
}

/// Decodes a file with the decoder of its format.
fn plainly(
    bytes: &[u8],
    format: ImageFormat,
    limits: &Limits,
) -> Result<Held<DynamicImage>, ImageProblem> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut most = image::Limits::no_limits();
    most.max_alloc = Some(limits.max_bytes);
    reader.limits(most);
    let mut decoder = reader.into_decoder().map_err(|e| problem(&e, limits))?;
    let (width, height) = decoder.dimensions();
    // Damaged EXIF data must not make an image unusable.
    let mut orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    if format == ImageFormat::Png && orientation == Orientation::NoTransforms {
        orientation = png::late_orientation(bytes).unwrap_or(orientation);
    }
    let stored = decoder.total_bytes();
    let pixels = rgb_bytes(width, height);
    // 16 bits are halved first, then made RGB; nothing happens to RGB of 8 bits.
    let converted = match decoder.color_type() {
        ColorType::Rgb8 => 0,
        ColorType::L8 | ColorType::La8 | ColorType::Rgba8 => pixels,
        _ => pixels.saturating_add(stored / 2),
    };
    let turned = if orientation == Orientation::NoTransforms {
        0
    } else {
        stored
    };
    let inside = match format {
        // Four bytes per pixel in the decoder, and as many for the canvas of an animation.
        ImageFormat::WebP if is_animated_webp(bytes) => pixels / 3 * 8,
        ImageFormat::WebP => pixels / 3 * 4,
        _ => 0,
    };
    let needed = stored.saturating_add(converted.max(turned).max(inside));
    let permit = admit(limits, width, height, needed)?;
    let mut image = from_decoder(decoder, limits)?;
    image.apply_orientation(orientation);
    Ok(Held::new(image, permit))
}

/// The supported format that the content starts with.
pub(crate) fn format_of(bytes: &[u8]) -> Option<ImageFormat> {
    if tiff::begins(bytes) {
        return Some(ImageFormat::Tiff);
    }
    if pnm::is_float(bytes) {
        return Some(ImageFormat::Pnm);
    }
    let format = image::guess_format(bytes).ok()?;
    // PNM starts with two characters that any text may start with. White space or a comment must follow.
    let word = |byte: &u8| !(byte.is_ascii_whitespace() || *byte == b'#');
    if format == ImageFormat::Pnm && bytes.get(2).is_some_and(word) {
        return None;
    }
    Some(format).filter(ImageFormat::reading_enabled)
}

/// [`to_rgb8`] of an image with its permit.
fn rgb8(
    image: Held<DynamicImage>,
    background: Option<[u8; 3]>,
) -> Result<Held<RgbImage>, ImageProblem> {
    Ok(Held::new(to_rgb8(image.value, background)?, image.permit))
}

/// Pillow's `convert("RGB")`: repeats gray, keeps the upper byte of 16 bits, and drops alpha unless there is
/// a background.
fn to_rgb8(image: DynamicImage, background: Option<[u8; 3]>) -> Result<RgbImage, ImageProblem> {
    let (width, height) = (image.width(), image.height());
    let gray = |values: Vec<u8>| -> Vec<u8> { values.iter().flat_map(|&v| [v; 3]).collect() };
    let behind = |pixel: [u8; 3], alpha: u8| match background {
        Some(background) => over(pixel, alpha, background),
        None => pixel,
    };
    let gray_opaque = |values: Vec<u8>| -> Vec<u8> {
        let pixels = values.chunks_exact(2);
        pixels.flat_map(|p| behind([p[0]; 3], p[1])).collect()
    };
    let upper = |values: Vec<u16>| -> Vec<u8> { values.iter().map(|v| (v >> 8) as u8).collect() };
    let opaque = |values: Vec<u8>| -> Vec<u8> {
        values
            .chunks_exact(4)
            .flat_map(|p| behind([p[0], p[1], p[2]], p[3]))
            .collect()
    };
    let pixels = match image {
        DynamicImage::ImageRgb8(rgb) => return Ok(rgb),
        DynamicImage::ImageLuma8(image) => gray(image.into_raw()),
        DynamicImage::ImageLumaA8(image) => gray_opaque(image.into_raw()),
        DynamicImage::ImageRgba8(image) => opaque(image.into_raw()),
        DynamicImage::ImageLuma16(image) => gray(upper(image.into_raw())),
        DynamicImage::ImageLumaA16(image) => gray_opaque(upper(image.into_raw())),
        DynamicImage::ImageRgb16(image) => upper(image.into_raw()),
        DynamicImage::ImageRgba16(image) => opaque(upper(image.into_raw())),
        other => {
            // Only the author knows the range of floating-point pixels.
            return Err(ImageProblem::Unsupported(format!(
                "{:?} pixels; {CONVERT}",
                other.color()
            )));
        }
    };
    RgbImage::from_raw(width, height, pixels)
        .ok_or_else(|| ImageProblem::Damaged("pixels are missing".to_owned()))
}

/// Whether a WebP file has the length in its RIFF header, which excludes the first eight bytes.
fn webp_ends(bytes: &[u8]) -> bool {
    let declared = bytes.get(4..8).and_then(|b| b.try_into().ok());
    declared.is_some_and(|b| u64::from(u32::from_le_bytes(b)) + 8 <= bytes.len() as u64)
}

fn beginning(bytes: &[u8]) -> String {
    let first = bytes.get(..bytes.len().min(8)).unwrap_or_default();
    format!("\"{}\"", first.escape_ascii())
}
