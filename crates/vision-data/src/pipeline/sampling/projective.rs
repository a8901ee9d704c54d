//! Projective maps: the source position of each pixel of the result, as one matrix.
//!
//! Coordinates run from -1 (the center of the first pixel) to 1 (the center of the last) on both
//! axes, x to the right and y down. A [`Map`] maps a point of the result to a point of the source.

/// A projective map of the plane, in homogeneous coordinates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Map(pub(crate) [[f64; 3]; 3]);

impl Map {
    pub(crate) const IDENTITY: Self = Self([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);

    /// The composition: first `other`, then `self`.
    pub(crate) fn after(&self, other: &Self) -> Self {
        let mut product = [[0.0; 3]; 3];
        for (row, left) in product.iter_mut().zip(&self.0) {
            for (j, cell) in row.iter_mut().enumerate() {
                *cell = left
                    .iter()
                    .zip(&other.0)
                    .map(|(a, right)| a * right[j])
                    .sum();
            }
        }
        Self(product)
    }

    pub(crate) fn apply(&self, x: f64, y: f64) -> (f64, f64) {
        let [u, v, w] = self.0.map(|[a, b, c]| a * x + b * y + c);
        (u / w, v / w)
    }

    /// The inverse, up to a factor, which does not matter here; computed as the adjugate. A map that is not
    /// invertible gives NaN.
    pub(crate) fn inverse(&self) -> Self {
        let m = &self.0;
        let minor = |row: usize, col: usize| {
            let [r, s] = [(row + 1) % 3, (row + 2) % 3];
            let [c, d] = [(col + 1) % 3, (col + 2) % 3];
            m[r][c] * m[s][d] - m[r][d] * m[s][c]
        };
        Self([0, 1, 2].map(|row| [0, 1, 2].map(|col| minor(col, row))))
    }

    /// Shows a fraction `w` of the width and `h` of the height about (x, y).
    pub(crate) fn stretch(w: f64, h: f64, x: f64, y: f64) -> Self {
        Self([[w, 0.0, x], [0.0, h, y], [0.0, 0.0, 1.0]])
    }

    /// fastai's zoom by `scale`; `row` and `col` in `[0, 1]` give the fixed point.
    pub(crate) fn zoom(scale: f64, row: f64, col: f64) -> Self {
        let shift = |part: f64| (1.0 - 1.0 / scale) * (2.0 * part - 1.0);
        Self::stretch(1.0 / scale, 1.0 / scale, shift(col), shift(row))
    }

    /// fastai's squish: a scale below 1 stretches columns, above 1 rows.
    pub(crate) fn squish(scale: f64, row: f64, col: f64) -> Self {
        if scale <= 1.0 {
            Self::stretch(scale, 1.0, (1.0 - scale) * (2.0 * col - 1.0), 0.0)
        } else {
            let shown = 1.0 / scale;
            Self::stretch(1.0, shown, 0.0, (1.0 - shown) * (2.0 * row - 1.0))
        }
    }

    /// A rotation; positive angles are counter-clockwise.
    pub(crate) fn rotate(degrees: f64) -> Self {
        let (sin, cos) = degrees.to_radians().sin_cos();
        Self([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    }

    /// One of the eight symmetries of the square: bit 0 of `k` mirrors x, bit 1 y, bit 2 swaps them.
    pub(crate) fn dihedral(k: u32) -> Self {
        let x = if k & 1 == 0 { 1.0 } else { -1.0 };
        let y = if k & 2 == 0 { 1.0 } else { -1.0 };
        if k & 4 == 0 {
            Self([[x, 0.0, 0.0], [0.0, y, 0.0], [0.0, 0.0, 1.0]])
        } else {
            Self([[0.0, x, 0.0], [y, 0.0, 0.0], [0.0, 0.0, 1.0]])
        }
    }

    /// fastai's `symmetric_warp`: tilts by four magnitudes.
    ///
    /// The corners move as in `symmetric_warp` of fastai 1.0.61's vision/transform.py.
    pub(crate) fn symmetric_warp(m: [f64; 4]) -> Self {
        Self::warp([
            (-1.0 - m[3], -1.0 - m[1]),
            (-1.0 - m[2], 1.0 + m[1]),
            (1.0 + m[3], -1.0 - m[0]),
            (1.0 + m[2], 1.0 + m[0]),
        ])
    }

    /// fastai's `perspective_warp`: moves the corners by `m` in x, y, x, y, ..
    pub(crate) fn perspective_warp(m: [f64; 8]) -> Self {
        let mut targets = Self::CORNERS;
        for ((x, y), by) in targets.iter_mut().zip(m.chunks_exact(2)) {
            *x += by[0];
            *y += by[1];
        }
        Self::warp(targets)
    }

    /// fastai's `tilt`: moves both ends of one side (0 right, 1 left, 2 bottom, 3 top) apart by `m` each.
    pub(crate) fn tilt(direction: u32, m: f64) -> Self {
        let mut by = [0.0; 8];
        let (first, second) = match direction {
            0 => (5, 7),
            1 => (1, 3),
            2 => (2, 6),
            _ => (0, 4),
        };
        by[first] = -m;
        by[second] = m;
        Self::perspective_warp(by)
    }

    /// fastai's `skew`: moves one corner outward by `m` in x or y.
    pub(crate) fn skew(direction: u32, m: f64) -> Self {
        let outward = [-1.0, -1.0, -1.0, 1.0, 1.0, -1.0, 1.0, 1.0];
        let mut by = [0.0; 8];
        for (i, (cell, sign)) in (0..).zip(by.iter_mut().zip(outward)) {
            if i == direction {
                *cell = sign * m;
            }
        }
        Self::perspective_warp(by)
    }

    const CORNERS: [(f64, f64); 4] = [(-1.0, -1.0), (-1.0, 1.0), (1.0, -1.0), (1.0, 1.0)];

    /// Moves the corners of the source to `targets`.
    fn warp(targets: [(f64, f64); 4]) -> Self {
        Self::through(targets, Self::CORNERS)
    }

    /// Adapts an affine map of pixels to an image of this height and width: right angles are preserved
    /// if the image is not square.
    pub(crate) fn for_aspect(mut self, height: f64, width: f64) -> Self {
        self.0[0][1] *= height / width;
        self.0[1][0] *= width / height;
        self
    }

    /// The projective map that maps each of four points to its counterpart. Degenerate points (three on a
    /// line) give the identity.
    fn through(from: [(f64, f64); 4], to: [(f64, f64); 4]) -> Self {
        // Eight unknowns and, in the last column, the right-hand side.
        let mut rows = [[0.0; 9]; 8];
        for (pair, ((x, y), (u, v))) in rows.chunks_exact_mut(2).zip(from.into_iter().zip(to)) {
            pair[0] = [x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y, u];
            pair[1] = [0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y, v];
        }
        // Gauss-Jordan elimination with partial pivoting.
        for column in 0..8 {
            let size = |row: &usize| rows[*row][column].abs();
            let pivot = (column..8).max_by(|a, b| size(a).total_cmp(&size(b)));
            rows.swap(column, pivot.expect("a column has a row of its own"));
            let leading = rows[column];
            if leading[column].abs() < 1e-9 {
                return Self::IDENTITY;
            }
            for (other, row) in rows.iter_mut().enumerate() {
                if other != column {
                    let factor = row[column] / leading[column];
                    for (cell, lead) in row.iter_mut().zip(leading) {
                        *cell -= factor * lead;
                    }
                }
            }
        }
        let mut c = [0.0; 8];
        for (i, value) in c.iter_mut().enumerate() {
            *value = rows[i][8] / rows[i][i];
        }
        Self([[c[0], c[1], c[2]], [c[3], c[4], c[5]], [c[6], c[7], 1.0]])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: (f64, f64), b: (f64, f64)) -> bool {
        (a.0 - b.0).abs() < 1e-9 && (a.1 - b.1).abs() < 1e-9
    }

    #[test]
    fn the_warp_has_the_coefficients_of_the_reference() {
        // Coefficients of fastai 1.0.61's symmetric_warp for m = [.2, 0, 0, 0].
        let Map(m) = Map::symmetric_warp([0.2, 0.0, 0.0, 0.0]);
        let expected = [
            [1.0, 0.0, 1.0 / 11.0],
            [0.0, 10.0 / 11.0, 0.0],
            [1.0 / 11.0, 0.0, 1.0],
        ];
        for (row, wanted) in m.iter().zip(&expected) {
            for (a, b) in row.iter().zip(wanted) {
                assert!((a - b).abs() < 1e-9, "{m:?}");
            }
        }
        let warp = Map(m);
        assert!(close(warp.apply(1.0, 1.0), (1.0, 5.0 / 6.0)));
        assert!(close(warp.apply(0.0, 0.0), (1.0 / 11.0, 0.0)));
    }

    #[test]
    fn maps_are_applied_from_right_to_left() {
        let zoom = Map::zoom(2.0, 1.0, 0.0);
        let turn = Map::rotate(90.0);
        let (x, y) = zoom.apply(0.3, -0.7);
        assert!(close(turn.after(&zoom).apply(0.3, -0.7), turn.apply(x, y)));
        // A zoom of 2 that keeps the lower left corner shows x from -1 to 0 and y from 0 to 1.
        assert!(close(zoom.apply(-1.0, 1.0), (-1.0, 1.0)));
        assert!(close(zoom.apply(1.0, -1.0), (0.0, 0.0)));
    }

    #[test]
    fn points_in_a_line_give_the_identity() {
        let line = [(0.0, 0.0), (1.0, 1.0), (2.0, 2.0), (3.0, 3.0)];
        assert_eq!(Map::through(line, [(0.0, 0.0); 4]), Map::IDENTITY);
    }
}
