//! Long lines with fewer points.

/// A line of at most four points for each column of pixels, which looks the same: the first, the lowest, the highest and the
/// last one.
pub(super) fn thinned(line: Vec<(f32, f32)>) -> Vec<(f32, f32)> {
    let mut thin: Vec<(f32, f32)> = Vec::new();
    for column in line.chunk_by(|a, b| a.0.floor() == b.0.floor()) {
        if column.len() <= 4 {
            thin.extend(column);
            continue;
        }
        let height = |at: &usize| column[*at].1;
        let places = || 0..column.len();
        let lowest = places().min_by(|a, b| height(a).total_cmp(&height(b)));
        let highest = places().max_by(|a, b| height(a).total_cmp(&height(b)));
        let mut kept = [Some(0), lowest, highest, Some(column.len() - 1)];
        kept.sort_unstable();
        let mut kept: Vec<usize> = kept.into_iter().flatten().collect();
        kept.dedup();
        thin.extend(kept.into_iter().map(|at| column[at]));
    }
    thin
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_keeps_what_can_be_seen_of_it() {
        let long: Vec<(f32, f32)> = (0..100_000)
            .map(|i| (i as f32 / 1000.0, ((i * 37) % 101) as f32))
            .collect();
        let thin = thinned(long.clone());
        assert!(thin.len() <= 400, "{}", thin.len());
        assert_eq!((thin[0], thin[thin.len() - 1]), (long[0], long[99_999]));
        for column in 0..100 {
            let range = |points: &[(f32, f32)]| {
                let own = points.iter().filter(|(x, _)| *x as i32 == column);
                let heights: Vec<f32> = own.map(|(_, y)| *y).collect();
                let least = heights.iter().copied().fold(f32::INFINITY, f32::min);
                (least, heights.iter().copied().fold(0.0, f32::max))
            };
            assert_eq!(range(&thin), range(&long), "{column}");
        }
        // Curves of few points stay as they are.
        let short = vec![(0.0, 1.0), (0.1, 5.0), (0.2, 2.0), (0.3, 3.0)];
        assert_eq!(thinned(short.clone()), short);
    }
}
