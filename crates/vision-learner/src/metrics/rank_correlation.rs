//! Spearman's rank correlation.

use vision_data::TargetKind;

use super::{Metric, Scores};

/// Spearman's rank correlation: [`spearman`]. It keeps eight bytes per number.
#[derive(Clone, Debug, Default)]
pub struct RankCorrelation {
    outputs: Vec<f32>,
    targets: Vec<f32>,
}

/// Spearman's correlation: Pearson's, of the ranks of targets and predictions. Equal numbers share the
/// mean of their ranks. NaN if one of them is constant.
#[doc(alias = "SpearmanCorrCoef")]
pub fn spearman() -> RankCorrelation {
    RankCorrelation::default()
}

impl Metric for RankCorrelation {
    fn name(&self) -> String {
        "spearman".to_owned()
    }

    fn kind(&self) -> Option<TargetKind> {
        Some(TargetKind::Float)
    }

    fn reset(&mut self) {
        *self = Self::default();
    }

    fn update(&mut self, batch: &Scores<'_>) {
        self.outputs.extend(batch.logits);
        self.targets.extend(batch.targets.rows());
    }

    fn value(&self) -> f64 {
        let (outputs, targets) = (ranks(&self.outputs), ranks(&self.targets));
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        product(&outputs, &targets)
            / (product(&outputs, &outputs) * product(&targets, &targets)).sqrt()
    }
}

/// The rank of each value, less the mean rank.
fn ranks(values: &[f32]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let middle = (values.len() as f64 - 1.0) / 2.0;
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for ties in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let rank = first as f64 + (ties.len() as f64 - 1.0) / 2.0 - middle;
        ties.iter().for_each(|&item| ranks[item] = rank);
        first += ties.len();
    }
    ranks
}
