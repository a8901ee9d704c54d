//! GIF: its first frame on its screen, as Pillow composes it.

use std::borrow::Cow;

use gif::{ColorOutput, DecodeOptions, DecodingError, MemoryLimit};
use image::RgbImage;

use crate::image::budget::Held;
use crate::image::decoders::shared::admit;
use crate::image::limits::Limits;
use crate::image::problem::ImageProblem;

/// Decodes the first frame. The screen grows to hold the frame; around it is the color of the transparent
/// index, or of the first one. With a background, the transparent index has its color.
pub(crate) fn decode(
    bytes: &[u8],
    limits: &Limits,
    background: Option<[u8; 3]>,
) -> Result<Held<RgbImage>, ImageProblem> {
    let problem = |error: DecodingError| match error {
        DecodingError::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            ImageProblem::Truncated(error.to_string())
        }
        other => ImageProblem::Damaged(format!("Format error decoding Gif: {other}")),
    };
    let bytes = &*with_palette(bytes);
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.check_frame_consistency(false);
    options.set_memory_limit(MemoryLimit::Unlimited);
    let mut decoder = options.read_info(bytes).map_err(problem)?;
    let (screen_width, screen_height) = (u32::from(decoder.width()), u32::from(decoder.height()));
    let frame = decoder.next_frame_info().map_err(problem)?;
    let frame = frame.ok_or_else(|| ImageProblem::Damaged("the GIF has no frame".to_owned()))?;
    let (left, top) = (u32::from(frame.left), u32::from(frame.top));
    let (across, down) = (u32::from(frame.width), u32::from(frame.height));
    let transparent = frame.transparent;
    let outside = transparent.unwrap_or(0);
    let local = frame.palette.clone();
    let (width, height) = (
        screen_width.max(left + across),
        screen_height.max(top + down),
    );
    // The indices of the frame, and the colors.
    let pixels = u64::from(width) * u64::from(height);
    let permit = admit(limits, width, height, pixels.saturating_mul(4))?;
    let mut palette = [[0; 3]; 256];
    let colors = local
        .as_deref()
        .or(decoder.global_palette())
        .unwrap_or_default();
    let (colors, _) = colors.as_chunks::<3>();
    palette
        .iter_mut()
        .zip(colors)
        .for_each(|(to, from)| *to = *from);
    if let Some((index, color)) = transparent.zip(background) {
        palette[usize::from(index)] = color;
    }
    let mut indices = vec![0; decoder.buffer_size()];
    decoder.read_into_buffer(&mut indices).map_err(problem)?;
    let mut image = RgbImage::from_pixel(width, height, image::Rgb(palette[usize::from(outside)]));
    if across == 0 {
        return Ok(Held::new(image, permit));
    }
    let rows = image
        .as_flat_samples_mut()
        .samples
        .chunks_exact_mut(3 * width as usize);
    for (row, indices) in rows
        .skip(top as usize)
        .zip(indices.chunks_exact(across as usize))
    {
        let (pixels, _) = row[3 * left as usize..].as_chunks_mut::<3>();
        pixels
            .iter_mut()
            .zip(indices)
            .for_each(|(to, index)| *to = palette[usize::from(*index)]);
    }
    Ok(Held::new(image, permit))
}

/// The file with a global palette: grays, if it has none.
fn with_palette(bytes: &[u8]) -> Cow<'_, [u8]> {
    match bytes.split_at_checked(13) {
        Some((head, rest)) if head[10] & 0x80 == 0 => {
            let mut out = head.to_vec();
            // The flag of a palette, and its size of 256 colors.
            out[10] |= 0x87;
            out.extend((0..=255u8).flat_map(|value| [value; 3]));
            out.extend_from_slice(rest);
            Cow::Owned(out)
        }
        _ => Cow::Borrowed(bytes),
    }
}
