//! Pillow's affine transform with nearest-neighbor sampling, black beyond the edge.

/// Maps the center of a pixel of the result, (x, y), to the source: `(a·x + b·y + c, d·x + e·y + f)`.
pub(crate) type Matrix = [f64; 6];

/// Samples in fixed point with 16 fractional bits, like Pillow.
pub(crate) fn nearest(
    rgb: &[u8],
    height: usize,
    width: usize,
    [a, b, c, d, e, f]: Matrix,
) -> Vec<u8> {
    let fixed = |v: f64| (v * 65536.0 + 0.5).floor() as i64;
    let mut line = (fixed(c + a * 0.5 + b * 0.5), fixed(f + d * 0.5 + e * 0.5));
    let mut moved = vec![0; rgb.len()];
    for row in moved.chunks_exact_mut(3 * width) {
        let (mut x, mut y) = line;
        for pixel in row.chunks_exact_mut(3) {
            let (from_x, from_y) = (x >> 16, y >> 16);
            if (0..width as i64).contains(&from_x) && (0..height as i64).contains(&from_y) {
                let at = 3 * (from_y as usize * width + from_x as usize);
                pixel.copy_from_slice(&rgb[at..at + 3]);
            }
            x += fixed(a);
            y += fixed(d);
        }
        line = (line.0 + fixed(b), line.1 + fixed(e));
    }
    moved
}

/// A counter-clockwise rotation about the center, like Pillow's `rotate`.
pub(crate) fn rotation(degrees: f64, height: usize, width: usize) -> Matrix {
    // Rounded to 15 digits, so that right angles are exact.
    let round = |x: f64| (x * 1e15).round() / 1e15;
    let angle = -degrees.rem_euclid(360.0).to_radians();
    let (sin, cos) = (round(angle.sin()), round(angle.cos()));
    let (x, y) = (width as f64 / 2.0, height as f64 / 2.0);
    let shift_x = -cos * x - sin * y + x;
    let shift_y = sin * x - cos * y + y;
    [cos, sin, shift_x, -sin, cos, shift_y]
}
