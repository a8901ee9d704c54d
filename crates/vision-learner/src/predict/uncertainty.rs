//! Numbers that say how far repeated predictions agree.

use vision_data::TargetKind;

/// The mean and the standard deviation of each output over the passes, and two entropies.
#[derive(Debug, PartialEq)]
pub(crate) struct Uncertainty {
    pub(crate) mean: Vec<f32>,
    pub(crate) std: Vec<f32>,
    pub(crate) entropy: Option<f64>,
    pub(crate) mutual_information: Option<f64>,
}

/// `rows` are row-major `[passes, outputs]`.
pub(crate) fn uncertainty(kind: TargetKind, rows: &[f32], outputs: usize) -> Uncertainty {
    let passes = rows.chunks(outputs.max(1)).len() as f64;
    let column = |i: usize| {
        rows.iter()
            .skip(i)
            .step_by(outputs.max(1))
            .map(|v| f64::from(*v))
    };
    let mean: Vec<f64> = (0..outputs)
        .map(|i| column(i).sum::<f64>() / passes)
        .collect();
    let std = mean.iter().enumerate().map(|(i, mean)| {
        let squares: f64 = column(i).map(|v| (v - mean).powi(2)).sum();
        (squares / passes).sqrt() as f32
    });
    let entropies = (kind != TargetKind::Float).then(|| {
        let total = entropy(kind, mean.iter().copied());
        let of_rows = rows.chunks(outputs.max(1));
        let of_rows: f64 = of_rows
            .map(|row| entropy(kind, row.iter().map(|p| f64::from(*p))))
            .sum();
        // Never below zero but by rounding (Jensen's inequality).
        (total, (total - of_rows / passes).max(0.0))
    });
    Uncertainty {
        std: std.collect(),
        entropy: entropies.map(|(entropy, _)| entropy),
        mutual_information: entropies.map(|(_, information)| information),
        mean: mean.iter().map(|mean| *mean as f32).collect(),
    }
}

/// The entropy of one choice among the classes, or the sum of those of a choice for each class, in nats.
fn entropy(kind: TargetKind, p: impl Iterator<Item = f64>) -> f64 {
    let of = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
    match kind {
        TargetKind::MultiCategory => p.map(|p| of(p) + of(1.0 - p)).sum(),
        TargetKind::Category | TargetKind::Float => p.map(of).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // numpy's mean(0) and std(0), scipy.stats.entropy of the mean, minus the mean of the rows' entropies
    // (scripts/make_evaluation_fixtures.py prints them).
    #[test]
    fn the_numbers_are_those_of_numpy_and_scipy() {
        let rows = [0.7, 0.2, 0.1, 0.1, 0.8, 0.1, 0.5, 0.0, 0.5];
        let found = uncertainty(TargetKind::Category, &rows, 3);
        let near = |found: f64, expected: f64| {
            assert!(
                (found - expected).abs() < 1e-6,
                "{found}, expected {expected}"
            );
        };
        let mean = [0.433_333_333, 0.333_333_333, 0.233_333_333];
        let std = [0.249_443_826, 0.339_934_634, 0.188_561_808];
        for (found, expected) in found.mean.iter().zip(mean) {
            near(f64::from(*found), expected);
        }
        for (found, expected) in found.std.iter().zip(std) {
            near(f64::from(*found), expected);
        }
        near(found.entropy.unwrap(), 1.068_145_261);
        near(found.mutual_information.unwrap(), 0.356_812_730);

        let found = uncertainty(TargetKind::MultiCategory, &rows, 3);
        near(found.entropy.unwrap(), 1.864_018_715);
        near(found.mutual_information.unwrap(), 0.539_614_571);
        let found = uncertainty(TargetKind::Float, &rows, 3);
        assert_eq!((found.entropy, found.mutual_information), (None, None));
    }

    #[test]
    fn passes_that_agree_have_no_mutual_information() {
        let found = uncertainty(TargetKind::Category, &[0.25, 0.75].repeat(4), 2);
        assert_eq!(found.mutual_information, Some(0.0));
        assert_eq!(found.std, [0.0, 0.0]);
    }
}
