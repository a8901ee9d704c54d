//! Drawing one digit.
//!
//! Uses only additions, multiplications, divisions and square roots, which give the same bits on
//! every platform; sines and exponentials do not.

use crate::rng::Rng;

/// The side of an image in pixels.
pub(super) const SIDE: usize = 28;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Digit {
    Three = 0,
    Seven = 1,
}

impl Digit {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Three => "3",
            Self::Seven => "7",
        }
    }
}

type Point = (f64, f64);

/// A cubic Bézier curve, in a unit square with y down.
type Curve = [Point; 4];

/// A straight line as a curve.
const fn line(a: Point, b: Point) -> Curve {
    let third = ((b.0 - a.0) / 3.0, (b.1 - a.1) / 3.0);
    [
        a,
        (a.0 + third.0, a.1 + third.1),
        (b.0 - third.0, b.1 - third.1),
        b,
    ]
}

const THREES: [&[Curve]; 4] = [
    // Round above and below.
    &[
        [(0.18, 0.22), (0.30, 0.00), (0.86, 0.00), (0.80, 0.27)],
        [(0.80, 0.27), (0.77, 0.42), (0.60, 0.47), (0.40, 0.48)],
        [(0.40, 0.48), (0.70, 0.46), (0.90, 0.58), (0.85, 0.75)],
        [(0.85, 0.75), (0.80, 1.00), (0.34, 1.02), (0.14, 0.84)],
    ],
    // A flat top.
    &[
        line((0.18, 0.07), (0.80, 0.08)),
        line((0.80, 0.08), (0.44, 0.42)),
        [(0.44, 0.42), (0.76, 0.38), (0.92, 0.56), (0.85, 0.76)],
        [(0.85, 0.76), (0.77, 1.02), (0.34, 1.00), (0.13, 0.85)],
    ],
    // An open top, and a large bowl below.
    &[
        [(0.30, 0.13), (0.46, -0.02), (0.76, 0.03), (0.72, 0.22)],
        [(0.72, 0.22), (0.69, 0.36), (0.58, 0.40), (0.45, 0.42)],
        [(0.45, 0.42), (0.74, 0.42), (0.98, 0.60), (0.86, 0.82)],
        [(0.86, 0.82), (0.76, 1.03), (0.40, 1.00), (0.20, 0.93)],
    ],
    // A loop in the middle, and a tail that stays low.
    &[
        [(0.16, 0.12), (0.40, -0.04), (0.88, 0.02), (0.78, 0.26)],
        [(0.78, 0.26), (0.70, 0.46), (0.34, 0.58), (0.36, 0.48)],
        [(0.36, 0.48), (0.40, 0.40), (0.82, 0.48), (0.82, 0.72)],
        [(0.82, 0.72), (0.80, 0.98), (0.44, 1.00), (0.10, 0.96)],
    ],
];

const SEVENS: [&[Curve]; 4] = [
    // A bar and a bent stem.
    &[
        line((0.12, 0.12), (0.86, 0.10)),
        [(0.86, 0.10), (0.70, 0.36), (0.50, 0.62), (0.42, 0.98)],
    ],
    // Crossed.
    &[
        line((0.14, 0.10), (0.88, 0.08)),
        [(0.88, 0.08), (0.72, 0.36), (0.54, 0.66), (0.40, 0.98)],
        line((0.30, 0.54), (0.78, 0.50)),
    ],
    // A serif at the left, and a straight stem.
    &[
        line((0.13, 0.30), (0.14, 0.10)),
        line((0.14, 0.10), (0.86, 0.11)),
        line((0.86, 0.11), (0.38, 0.98)),
    ],
    // A wavy bar, and a stem that ends upright.
    &[
        [(0.10, 0.20), (0.28, 0.00), (0.56, 0.24), (0.88, 0.08)],
        [(0.88, 0.08), (0.66, 0.32), (0.52, 0.60), (0.54, 0.98)],
    ],
];

/// Draws one digit, row by row.
pub(super) fn draw(digit: Digit, rng: &mut Rng) -> Vec<u8> {
    let variants = match digit {
        Digit::Three => &THREES,
        Digit::Seven => &SEVENS,
    };
    let curves = variants[rng.below(variants.len())];
    let strokes = place(bend(&shake(curves, rng), rng), rng);
    let ink = draw_strokes(&strokes, rng);

    let intensity = rng.between(0.7, 1.0);
    let noise = rng.between(0.0, 0.05);
    ink.iter()
        .map(|ink| {
            let value = ink * intensity + noise * rng.bell();
            (value.clamp(0.0, 1.0) * 255.0).round() as u8
        })
        .collect()
}

/// Moves the points of the curves a little. Curves that share an endpoint still do.
fn shake(curves: &[Curve], rng: &mut Rng) -> Vec<Curve> {
    let mut shaken: Vec<Curve> = Vec::with_capacity(curves.len());
    for (i, curve) in curves.iter().enumerate() {
        let mut moved =
            curve.map(|(x, y)| (x + rng.between(-0.05, 0.05), y + rng.between(-0.05, 0.05)));
        let before = i.checked_sub(1).and_then(|i| curves.get(i));
        if before.is_some_and(|before| before[3] == curve[0])
            && let Some(end) = shaken.last().map(|last| last[3])
        {
            moved[0] = end;
        }
        shaken.push(moved);
    }
    shaken
}

/// Samples points along the curves, and applies an elastic deformation.
fn bend(curves: &[Curve], rng: &mut Rng) -> Vec<Vec<Point>> {
    const STEPS: usize = 12;
    // The displacement of each point of a coarse grid.
    let field: [[Point; 4]; 4] = std::array::from_fn(|_| {
        std::array::from_fn(|_| (rng.between(-0.06, 0.06), rng.between(-0.06, 0.06)))
    });
    let moved = |(x, y): Point| {
        let cell = |v: f64| {
            let v = v.clamp(0.0, 1.0) * 3.0;
            let first = (v as usize).min(2);
            let t = v - first as f64;
            (first, t * t * (3.0 - 2.0 * t))
        };
        let ((column, s), (row, t)) = (cell(x), cell(y));
        let mix = |a: Point, b: Point, t: f64| (a.0 + (b.0 - a.0) * t, a.1 + (b.1 - a.1) * t);
        let above = mix(field[row][column], field[row][column + 1], s);
        let below = mix(field[row + 1][column], field[row + 1][column + 1], s);
        let (dx, dy) = mix(above, below, t);
        (x + dx, y + dy)
    };
    curves
        .iter()
        .map(|curve| {
            (0..=STEPS)
                .map(|i| moved(at(curve, i as f64 / STEPS as f64)))
                .collect()
        })
        .collect()
}

/// The point of a Bézier curve at `t`.
fn at(curve: &Curve, t: f64) -> Point {
    let u = 1.0 - t;
    let weights = [u * u * u, 3.0 * u * u * t, 3.0 * u * t * t, t * t * t];
    curve
        .iter()
        .zip(weights)
        .fold((0.0, 0.0), |sum, (p, w)| (sum.0 + p.0 * w, sum.1 + p.1 * w))
}

/// Scales, slants, rotates and positions the strokes near the center of the image, in pixels.
fn place(mut strokes: Vec<Vec<Point>>, rng: &mut Rng) -> Vec<Vec<Point>> {
    let width = rng.between(12.0, 18.0);
    let height = rng.between(16.0, 20.0);
    let slant = rng.between(-0.1, 0.35);
    // The tangent of half the angle, up to about 14 degrees.
    let t = rng.between(-0.12, 0.12);
    let (cos, sin) = ((1.0 - t * t) / (1.0 + t * t), 2.0 * t / (1.0 + t * t));
    for point in strokes.iter_mut().flatten() {
        let (x, y) = ((point.0 - 0.5) * width, (point.1 - 0.5) * height);
        let x = x - slant * y;
        *point = (cos * x - sin * y, sin * x + cos * y);
    }
    let ends = |of: fn(&Point) -> f64| {
        let values = strokes.iter().flatten().map(of);
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        })
    };
    let ((left, right), (top, bottom)) = (ends(|p| p.0), ends(|p| p.1));
    let middle = (SIDE - 1) as f64 / 2.0;
    let dx = middle - (left + right) / 2.0 + rng.between(-1.8, 1.8);
    let dy = middle - (top + bottom) / 2.0 + rng.between(-1.8, 1.8);
    for point in strokes.iter_mut().flatten() {
        *point = (point.0 + dx, point.1 + dy);
    }
    strokes
}

/// The ink of each pixel, 0 to 1, from a round pen whose width changes along each stroke.
fn draw_strokes(strokes: &[Vec<Point>], rng: &mut Rng) -> Vec<f64> {
    let pen = rng.between(0.75, 1.75);
    // The edge of a stroke fades over this many pixels.
    let edge = rng.between(0.9, 1.5);
    let mut ink = vec![0.0_f64; SIDE * SIDE];
    for stroke in strokes {
        let (start, end) = (pen * rng.between(0.8, 1.2), pen * rng.between(0.7, 1.2));
        let count = stroke.len() as f64;
        for (i, ends) in stroke.windows(2).enumerate() {
            let &[a, b] = ends else { continue };
            let radius = start + (end - start) * i as f64 / count;
            draw_segment(&mut ink, a, b, radius, edge);
        }
    }
    ink
}

fn draw_segment(ink: &mut [f64], a: Point, b: Point, radius: f64, edge: f64) {
    let reach = radius + edge;
    let range = |a: f64, b: f64| {
        let low = (a.min(b) - reach).max(0.0) as usize;
        let high = (a.max(b) + reach + 1.0).clamp(0.0, SIDE as f64) as usize;
        low.min(high)..high
    };
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let length = (dx * dx + dy * dy).max(1e-12);
    for y in range(a.1, b.1) {
        for x in range(a.0, b.0) {
            let (px, py) = (x as f64 - a.0, y as f64 - a.1);
            let t = ((px * dx + py * dy) / length).clamp(0.0, 1.0);
            let (ex, ey) = (px - t * dx, py - t * dy);
            let outside = (ex * ex + ey * ey).sqrt() - radius;
            let cover = (0.5 - outside / edge).clamp(0.0, 1.0);
            if let Some(pixel) = ink.get_mut(y * SIDE + x) {
                *pixel = pixel.max(cover);
            }
        }
    }
}
