//! Scores of a ranking by probability, which need no threshold.

/// scikit-learn's `average_precision_score`: the sum of the precisions at each distinct probability,
/// each with the weight of the recall it adds. `None` without positives, or if a probability is NaN.
pub(crate) fn average_precision(mut items: Vec<(f32, bool)>) -> Option<f64> {
    let positives = counted(&items)?.0;
    if positives == 0 {
        return None;
    }
    items.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut found, mut seen, mut sum) = (0, 0, 0.0);
    for tied in items.chunk_by(|a, b| a.0 == b.0) {
        let new = tied.iter().filter(|(_, positive)| *positive).count();
        (found, seen) = (found + new, seen + tied.len());
        sum += new as f64 * (found as f64 / seen as f64);
    }
    Some(sum / positives as f64)
}

/// scikit-learn's `roc_auc_score`: the probability that an item with the class ranks before one
/// without it, where a tie counts half. `None` if there are no such pairs, or if a probability is NaN.
pub(crate) fn roc_auc(mut items: Vec<(f32, bool)>) -> Option<f64> {
    let (positives, negatives) = counted(&items)?;
    if positives == 0 || negatives == 0 {
        return None;
    }
    items.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut pairs) = (0, 0.0);
    for tied in items.chunk_by(|a, b| a.0 == b.0) {
        let positive = tied.iter().filter(|(_, positive)| *positive).count();
        let negative = tied.len() - positive;
        pairs += positive as f64 * (below as f64 + negative as f64 / 2.0);
        below += negative;
    }
    Some(pairs / (positives as f64 * negatives as f64))
}

/// The numbers of items with the class and without.
fn counted(items: &[(f32, bool)]) -> Option<(usize, usize)> {
    if items.iter().any(|(probability, _)| probability.is_nan()) {
        return None;
    }
    let positives = items.iter().filter(|(_, positive)| *positive).count();
    Some((positives, items.len() - positives))
}
