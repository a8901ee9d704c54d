//! The nearest neighbors of all points, exactly.

use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

use crate::feature_space::points::Points;

/// The candidates of a point: those that may be among its nearest neighbors.
struct Candidates {
    k: usize,
    /// Twice the largest error of a cosine in 32 bits.
    margin: f32,
    /// No neighbor is below.
    least: f32,
    /// When to look at `least` again.
    full: usize,
    found: Vec<(f32, u32)>,
}

impl Candidates {
    fn new(k: usize, margin: f32) -> Self {
        Self {
            k,
            margin,
            least: f32::NEG_INFINITY,
            full: 4 * k + 64,
            found: Vec::new(),
        }
    }

    fn add(&mut self, cosine: f32, point: usize) {
        if cosine < self.least {
            return;
        }
        self.found.push((cosine, point as u32));
        if self.found.len() >= self.full {
            self.reduce();
            self.full = (2 * self.found.len()).max(4 * self.k + 64);
        }
    }

    /// Leaves out those that cannot be among the `k` nearest: below the k-th of those found so far by more than the
    /// errors of both cosines.
    fn reduce(&mut self) {
        if self.found.len() > self.k {
            let at = self.k - 1;
            self.found
                .select_nth_unstable_by(at, |a, b| b.0.total_cmp(&a.0));
            self.least = self.found[at].0 - self.margin;
            self.found.retain(|(cosine, _)| *cosine >= self.least);
        }
    }
}

impl Points<'_> {
    /// For each point its `k` nearest neighbors, without itself: position and cosine, the nearest first, of equal ones the
    /// first. All others if there are fewer. `k` is not 0.
    pub(super) fn nearest(&self, k: usize) -> Vec<Vec<(usize, f64)>> {
        let k = k.min(self.len());
        let margin = 2.0 * self.error();
        let start = |rows: std::ops::Range<usize>| {
            let all: Vec<Candidates> = rows.clone().map(|_| Candidates::new(k, margin)).collect();
            (rows.start, all)
        };
        let blocks = self.blocks(
            |_| 0,
            start,
            |(first, all), other, cosines| {
                for (row, (candidates, cosine)) in all.iter_mut().zip(cosines).enumerate() {
                    if *first + row != other {
                        candidates.add(*cosine, other);
                    }
                }
            },
        );
        let exact = |(first, all): (usize, Vec<Candidates>)| {
            let all = all.into_iter().enumerate();
            let exact = all.map(|(row, mut candidates)| {
                candidates.reduce();
                let found = candidates.found.into_iter();
                let near = found
                    .map(|(_, other)| (other as usize, self.cosine(first + row, other as usize)));
                nearest_first(near.collect(), k)
            });
            exact.collect::<Vec<_>>()
        };
        blocks.into_par_iter().flat_map_iter(exact).collect()
    }
}

/// The first `k`, the nearest first, of equal ones the first.
pub(super) fn nearest_first(mut near: Vec<(usize, f64)>, k: usize) -> Vec<(usize, f64)> {
    near.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    near.truncate(k);
    near
}
