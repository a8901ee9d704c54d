//! Sums and whole numbers as numpy and cleanlab compute them: half of an item more or less decides whether one more label
//! counts as wrong, so that the last bit matters.

/// The sum in the order in which numpy adds: eight running sums for up to 128 numbers, and halves of longer lists.
pub(super) fn sum(values: &[f64]) -> f64 {
    if values.len() > 128 {
        let half = values.len() / 2;
        let (first, rest) = values.split_at(half - half % 8);
        return sum(first) + sum(rest);
    }
    let (eights, rest) = values.as_chunks::<8>();
    let Some((first, eights)) = eights.split_first() else {
        return rest.iter().fold(0.0, |sum, value| sum + value);
    };
    let mut sums = *first;
    for eight in eights {
        sums.iter_mut()
            .zip(eight)
            .for_each(|(sum, value)| *sum += value);
    }
    let [a, b, c, d, e, f, g, h] = sums;
    let whole = ((a + b) + (c + d)) + ((e + f) + (g + h));
    rest.iter().fold(whole, |sum, value| sum + value)
}

/// The numbers as whole numbers that have the same sum: each is rounded (a half to the even number), then those are
/// changed by 1 that were rounded furthest in the other direction.
pub(super) fn round_preserving_sum(values: &[f64]) -> Vec<u64> {
    let mut whole: Vec<f64> = values.iter().map(|value| value.round_ties_even()).collect();
    let wanted = sum(values).round_ties_even();
    loop {
        let missing = wanted - sum(&whole).round_ties_even();
        if missing.abs() < 0.5 || values.is_empty() {
            break;
        }
        let mut order: Vec<usize> = (0..values.len()).collect();
        let rest = |at: &usize| values[*at] - whole[*at];
        order.sort_by(|a, b| rest(a).total_cmp(&rest(b)));
        if missing > 0.0 {
            order.reverse();
        }
        order.truncate(missing.abs() as usize);
        for at in order {
            whole[at] += missing.signum();
        }
    }
    whole
        .into_iter()
        .map(|value| value.max(0.0) as u64)
        .collect()
}
