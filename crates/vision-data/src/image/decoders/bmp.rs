//! BMP: what its decoder reads otherwise than Pillow, or not at all.

use std::borrow::Cow;

use image::RgbImage;

/// The number in some bytes, the lowest first.
fn number(bytes: &[u8], at: usize, size: usize) -> Option<usize> {
    let bytes = bytes.get(at..at + size)?;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
    )
}

/// The file with the header of Windows, if it has the longer one of OS/2 2.
pub(crate) fn with_known_header(bytes: &[u8]) -> Cow<'_, [u8]> {
    const OS_2: usize = 64;
    const WINDOWS: usize = 40;
    let compression = number(bytes, 30, 4);
    let pixels =
        number(bytes, 10, 4).and_then(|at| u32::try_from(at.checked_sub(OS_2 - WINDOWS)?).ok());
    match (number(bytes, 14, 4), pixels) {
        // The compressions 3 and 4 mean something else in OS/2.
        (Some(OS_2), Some(pixels)) if compression < Some(3) && bytes.len() >= 14 + OS_2 => {
            let mut out = [&bytes[..14 + WINDOWS], &bytes[14 + OS_2..]].concat();
            out[10..14].copy_from_slice(&pixels.to_le_bytes());
            out[14..18].copy_from_slice(&(WINDOWS as u32).to_le_bytes());
            Cow::Owned(out)
        }
        _ => Cow::Borrowed(bytes),
    }
}

/// Rounds colors of 5 or 6 bits down, as Pillow does; the decoder rounds to the nearest.
pub(crate) fn round_down(bytes: &[u8], image: &mut RgbImage) {
    if number(bytes, 14, 4).is_none_or(|header| header < 40) || number(bytes, 28, 2) != Some(16) {
        return;
    }
    // The mask of green follows a header of 40 bytes, or is part of a longer one.
    let six = number(bytes, 30, 4) == Some(3) && number(bytes, 58, 4) == Some(0x7E0);
    let largest = if six { [31, 63, 31] } else { [31; 3] };
    for pixel in image.pixels_mut() {
        for (value, largest) in pixel.0.iter_mut().zip(largest) {
            let stored = (u32::from(*value) * largest + 127) / 255;
            *value = (stored * 255 / largest) as u8;
        }
    }
}
