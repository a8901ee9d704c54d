//! Pillow's `ImageEnhance` and `ImageOps` on rows of red, green and blue.

/// Blends with black: darker for a factor below 1, brighter above.
pub(crate) fn brightness(rgb: Vec<u8>, factor: f32) -> Vec<u8> {
    blend(rgb, factor, |_| 0)
}

/// Blends with gray: less saturated for a factor below 1, more above.
pub(crate) fn color(rgb: Vec<u8>, factor: f32) -> Vec<u8> {
    let grays: Vec<u8> = rgb.chunks_exact(3).map(gray).collect();
    blend(rgb, factor, |i| grays[i / 3])
}

/// Blends with the mean gray: less contrast for a factor below 1, more above.
pub(crate) fn contrast(rgb: Vec<u8>, factor: f32) -> Vec<u8> {
    let sum: u64 = rgb.chunks_exact(3).map(|p| u64::from(gray(p))).sum();
    let mean = (sum as f64 / (rgb.len() / 3).max(1) as f64 + 0.5) as u8;
    blend(rgb, factor, |_| mean)
}

/// Blends with the smoothed image: blurs for a factor below 1, sharpens above.
pub(crate) fn sharpness(rgb: Vec<u8>, height: usize, width: usize, factor: f32) -> Vec<u8> {
    let smooth = smooth(&rgb, height, width);
    blend(rgb, factor, |i| smooth[i])
}

/// Keeps the upper `bits` bits.
pub(crate) fn posterize(rgb: Vec<u8>, bits: u32) -> Vec<u8> {
    let mask = 0xff_u8.checked_shl(8_u32.saturating_sub(bits)).unwrap_or(0);
    look_up(rgb, [std::array::from_fn(|i| i as u8 & mask); 3])
}

/// Inverts values at or above `threshold`.
pub(crate) fn solarize(rgb: Vec<u8>, threshold: f64) -> Vec<u8> {
    let invert = |i: usize| {
        if (i as f64) < threshold {
            i as u8
        } else {
            255 - i as u8
        }
    };
    look_up(rgb, [std::array::from_fn(invert); 3])
}

/// Stretches each channel to the full range.
pub(crate) fn auto_contrast(rgb: Vec<u8>) -> Vec<u8> {
    let tables = histograms(&rgb).map(|counts| {
        let low = counts.iter().position(|&n| n > 0).unwrap_or(0);
        let high = counts.iter().rposition(|&n| n > 0).unwrap_or(0);
        if high <= low {
            return std::array::from_fn(|i| i as u8);
        }
        let scale = 255.0 / (high - low) as f64;
        let offset = -(low as f64) * scale;
        // The conversion truncates the fraction, and clips at 0 and 255.
        std::array::from_fn(|i| (i as f64 * scale + offset) as u8)
    });
    look_up(rgb, tables)
}

/// Equalizes the histogram of each channel.
pub(crate) fn equalize(rgb: Vec<u8>) -> Vec<u8> {
    let tables = histograms(&rgb).map(|counts| {
        let last = counts.iter().rev().find(|&&n| n > 0).copied().unwrap_or(0);
        let step = (counts.iter().sum::<u64>() - last) / 255;
        if step == 0 {
            return std::array::from_fn(|i| i as u8);
        }
        let mut n = step / 2;
        counts.map(|count| {
            let shade = (n / step).min(255) as u8;
            n += count;
            shade
        })
    });
    look_up(rgb, tables)
}

/// `other + factor · (own - other)`, truncated to integers.
fn blend(mut rgb: Vec<u8>, factor: f32, other: impl Fn(usize) -> u8) -> Vec<u8> {
    for (i, own) in rgb.iter_mut().enumerate() {
        let other = f32::from(other(i));
        *own = (other + factor * (f32::from(*own) - other)) as u8;
    }
    rgb
}

/// Pillow's conversion to gray: ITU-R 601-2 in fixed point.
fn gray(pixel: &[u8]) -> u8 {
    let weighted = |i: usize, weight: u32| u32::from(pixel[i]) * weight;
    ((weighted(0, 19_595) + weighted(1, 38_470) + weighted(2, 7_471) + 0x8000) >> 16) as u8
}

/// Pillow's `SMOOTH`: each pixel averaged with its eight neighbors, its own weight five. Edge pixels do
/// not change.
fn smooth(rgb: &[u8], height: usize, width: usize) -> Vec<u8> {
    let mut smooth = rgb.to_vec();
    if height < 3 || width < 3 {
        return smooth;
    }
    let line = 3 * width;
    for row in 1..height - 1 {
        for i in row * line + 3..(row + 1) * line - 3 {
            let three =
                |i: usize| u32::from(rgb[i - 3]) + u32::from(rgb[i]) + u32::from(rgb[i + 3]);
            let sum = three(i - line) + three(i) + three(i + line) + 4 * u32::from(rgb[i]);
            // Rounded to nearest; with 13 there are no ties.
            smooth[i] = ((2 * sum + 13) / 26) as u8;
        }
    }
    smooth
}

fn histograms(rgb: &[u8]) -> [[u64; 256]; 3] {
    let mut counts = [[0; 256]; 3];
    for pixel in rgb.chunks_exact(3) {
        for (counts, &shade) in counts.iter_mut().zip(pixel) {
            counts[usize::from(shade)] += 1;
        }
    }
    counts
}

fn look_up(mut rgb: Vec<u8>, tables: [[u8; 256]; 3]) -> Vec<u8> {
    for pixel in rgb.chunks_exact_mut(3) {
        for (shade, table) in pixel.iter_mut().zip(&tables) {
            *shade = table[usize::from(*shade)];
        }
    }
    rgb
}
