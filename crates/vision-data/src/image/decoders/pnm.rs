//! PNM: comments among numbers, and the floating-point kind.

use image::{DynamicImage, GrayImage, RgbImage};

use crate::image::budget::Held;
use crate::image::decoders::shared::{CONVERT, admit};
use crate::image::limits::Limits;
use crate::image::problem::ImageProblem;

/// A file of numbers as text, without the comments among them. `None` if it is of another kind.
pub(crate) fn without_comments(bytes: &[u8]) -> Option<Vec<u8>> {
    if !matches!(bytes, [b'P', b'1'..=b'3', ..]) {
        return None;
    }
    let lines = bytes.split_inclusive(|byte| matches!(byte, b'\n' | b'\r'));
    let kept = lines.flat_map(|line| {
        let comment = line.iter().position(|byte| *byte == b'#');
        line[..comment.unwrap_or(line.len())]
            .iter()
            .copied()
            .chain(comment.map(|_| b'\n'))
    });
    Some(kept.collect())
}

/// Whether a file begins as a floating-point image does.
pub(crate) fn is_float(bytes: &[u8]) -> bool {
    matches!(bytes, [b'P', b'f' | b'F', space, ..] if space.is_ascii_whitespace())
}

/// The width and height of a floating-point image.
pub(crate) fn float_size(bytes: &[u8]) -> Option<(u32, u32)> {
    FloatHeader::read(bytes).map(|header| (header.width, header.height))
}

struct FloatHeader<'a> {
    width: u32,
    height: u32,
    /// A negative scale in the file means that the lowest byte of a number comes first.
    little_endian: bool,
    numbers: &'a [u8],
}

impl<'a> FloatHeader<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes.get(2..)?;
        let mut word = || {
            let start = rest.iter().position(|byte| !byte.is_ascii_whitespace())?;
            let length = rest[start..].iter().position(u8::is_ascii_whitespace)?;
            let word = str::from_utf8(&rest[start..start + length]).ok()?;
            rest = &rest[start + length + 1..];
            Some(word)
        };
        let (width, height) = (word()?.parse().ok()?, word()?.parse().ok()?);
        let scale: f64 = word()?.parse().ok()?;
        (scale.is_finite() && scale != 0.0).then_some(Self {
            width,
            height,
            little_endian: scale < 0.0,
            numbers: rest,
        })
    }
}

/// Decodes a gray floating-point image (`Pf`). Values are clipped to 0 to 255, as Pillow does.
pub(crate) fn decode_float(bytes: &[u8], limits: &Limits) -> Result<Held<RgbImage>, ImageProblem> {
    if bytes.starts_with(b"PF") {
        let kind = "a color image of floating-point numbers (PF)";
        return Err(ImageProblem::Unsupported(format!("{kind}; {CONVERT}")));
    }
    let header = FloatHeader::read(bytes)
        .ok_or_else(|| ImageProblem::Damaged("the header of the PFM is damaged".to_owned()))?;
    let (width, height) = (header.width, header.height);
    let pixels = u64::from(width) * u64::from(height);
    let permit = admit(limits, width, height, pixels.saturating_mul(4))?;
    let (numbers, _) = header.numbers.as_chunks::<4>();
    if (numbers.len() as u64) < pixels {
        return Err(ImageProblem::Truncated("pixels are missing".to_owned()));
    }
    // The last row comes first.
    let rows = numbers[..pixels as usize]
        .chunks_exact(width as usize)
        .rev();
    let values = rows.flatten().map(|number| match header.little_endian {
        true => f32::from_le_bytes(*number) as u8,
        false => f32::from_be_bytes(*number) as u8,
    });
    let gray = GrayImage::from_raw(width, height, values.collect());
    let gray = gray.expect("there is a value for each pixel");
    let image = DynamicImage::ImageLuma8(gray).into_rgb8();
    Ok(Held::new(image, permit))
}
