//! Rows of features, and the cosine of the angle between two of them.

use rayon::iter::{IndexedParallelIterator as _, IntoParallelIterator as _, ParallelIterator as _};
use vision_kernels::Isa;
use vision_kernels::linear::Linear;

/// Points of a block, which are compared with the others together.
pub(super) const BLOCK: usize = 128;

/// Points with which a block is compared at a time.
const TILE: usize = 1024;

/// Rows of features with their lengths.
#[derive(Clone, Debug)]
pub(super) struct Points<'a> {
    rows: Vec<&'a [f32]>,
    norms: Vec<f64>,
    /// The rows divided by their lengths, row-major.
    unit: Vec<f32>,
    dim: usize,
}

impl<'a> Points<'a> {
    /// All rows have the length `dim`, which is not 0, and finite values.
    pub(super) fn new(rows: Vec<&'a [f32]>, dim: usize) -> Self {
        let norms: Vec<f64> = rows.iter().map(|row| dot(row, row).sqrt()).collect();
        let mut unit = Vec::with_capacity(rows.len() * dim);
        for (row, norm) in rows.iter().zip(&norms) {
            let scale = if *norm > 0.0 { 1.0 / norm } else { 0.0 };
            unit.extend(row.iter().map(|v| (f64::from(*v) * scale) as f32));
        }
        Self {
            rows,
            norms,
            unit,
            dim,
        }
    }

    /// The points at these positions.
    pub(super) fn at(&self, positions: &[usize]) -> Self {
        let unit = positions.iter().flat_map(|&p| self.unit(p..p + 1));
        Self {
            rows: positions.iter().map(|&p| self.rows[p]).collect(),
            norms: positions.iter().map(|&p| self.norms[p]).collect(),
            unit: unit.copied().collect(),
            dim: self.dim,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn dim(&self) -> usize {
        self.dim
    }

    fn unit(&self, rows: std::ops::Range<usize>) -> &[f32] {
        &self.unit[rows.start * self.dim..rows.end * self.dim]
    }

    /// The cosine of the angle between two points, in 64 bits. 1 for equal points, 0 with a point of zeros.
    pub(super) fn cosine(&self, a: usize, b: usize) -> f64 {
        cosine((self.rows[a], self.norms[a]), (self.rows[b], self.norms[b]))
    }

    /// The cosine of the angle between a point and other features.
    pub(super) fn cosine_to(&self, a: usize, features: &[f32]) -> f64 {
        let norm = dot(features, features).sqrt();
        cosine((self.rows[a], self.norms[a]), (features, norm))
    }

    /// The largest difference between a cosine in 32 bits, in any order of the sum, and the exact one: the rounded unit
    /// vectors, the products and their sum.
    pub(super) fn error(&self) -> f32 {
        1.1 * (self.dim as f32 + 4.0) * (f32::EPSILON / 2.0)
    }

    /// For each block of points, in order: what `visit` makes of the state that `start` gives for its first point. `visit`
    /// gets the position of a point, and the cosines in 32 bits between it and the points of the block; the points from
    /// `from` of the block's first point on come in order.
    ///
    /// Only a tile of the cosines is in memory for each thread.
    pub(super) fn blocks<S: Send>(
        &self,
        from: impl Fn(usize) -> usize + Sync,
        start: impl Fn(std::ops::Range<usize>) -> S + Sync,
        visit: impl Fn(&mut S, usize, &[f32]) + Sync,
    ) -> Vec<S> {
        let isa = Isa::detect();
        let of_block = |block: usize| {
            let first = block * BLOCK;
            let rows = first..(first + BLOCK).min(self.len());
            let mut state = start(rows.clone());
            let mut cosines = Vec::new();
            for tile in (from(first)..self.len()).step_by(TILE) {
                let others = tile..(tile + TILE).min(self.len());
                let product = Linear {
                    batch: others.len(),
                    inputs: self.dim,
                    outputs: rows.len(),
                };
                cosines.resize(others.len() * rows.len(), 0.0);
                product
                    .forward(
                        isa,
                        self.unit(others.clone()),
                        self.unit(rows.clone()),
                        None,
                        &mut cosines,
                    )
                    .expect("the lengths are those of the sizes, none of which is 0");
                for (other, cosines) in others.zip(cosines.chunks_exact(rows.len())) {
                    visit(&mut state, other, cosines);
                }
            }
            state
        };
        let blocks = (0..self.len().div_ceil(BLOCK)).into_par_iter();
        blocks.with_max_len(1).map(of_block).collect()
    }
}

fn cosine((a, norm_a): (&[f32], f64), (b, norm_b): (&[f32], f64)) -> f64 {
    let whole = norm_a * norm_b;
    match a == b {
        true => 1.0,
        false if whole > 0.0 => (dot(a, b) / whole).clamp(-1.0, 1.0),
        false => 0.0,
    }
}

/// The sum of the products, in 64 bits, with eight running sums: the same bits on every processor.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let ((eights_a, rest_a), (eights_b, rest_b)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0_f64; 8];
    for (a, b) in eights_a.iter().zip(eights_b) {
        for lane in 0..8 {
            sums[lane] += f64::from(a[lane]) * f64::from(b[lane]);
        }
    }
    let rest = rest_a.iter().zip(rest_b);
    let rest = rest.map(|(a, b)| f64::from(*a) * f64::from(*b));
    sums.into_iter().chain(rest).sum()
}
