//! Metrics that follow from the confusion matrix: one class per item.

use vision_data::TargetKind;

use super::{Metric, Scores};

/// How the values of the classes become one number. A class that is neither predicted nor actual is left
/// out, and a class without predictions has precision 0, as in scikit-learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Average {
    /// The value of one class, by its position; scikit-learn's `binary` for a classifier of two classes is
    /// `Class(1)`.
    Class(usize),
    /// The mean over the classes.
    Macro,
    /// From the counts of all classes together.
    Micro,
    /// The mean over the classes, weighted by their number of items.
    Weighted,
}

impl Average {
    pub(super) fn name(self, metric: &str) -> String {
        match self {
            Self::Class(class) => format!("{metric}_{class}"),
            Self::Macro => format!("{metric}_macro"),
            Self::Micro => format!("{metric}_micro"),
            Self::Weighted => format!("{metric}_weighted"),
        }
    }
}

/// How much a confusion of two classes counts in [`cohen_kappa`], by the distance of their positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disagreement {
    /// Every confusion the same.
    Same,
    /// By the distance.
    Linear,
    /// By the square of the distance.
    Quadratic,
}

/// A metric of the confusion matrix over the whole set: [`precision`], [`recall`], [`f_score`],
/// [`balanced_accuracy`], [`cohen_kappa`], [`matthews`].
#[derive(Clone, Debug)]
pub struct CountMetric {
    of: Of,
    classes: usize,
    /// Row-major: actual, predicted.
    counts: Vec<u64>,
}

#[derive(Clone, Copy, Debug)]
enum Of {
    Precision(Average),
    Recall(Average),
    FScore { beta: f64, average: Average },
    BalancedAccuracy,
    Kappa(Disagreement),
    Matthews,
}

/// Of the items predicted as a class, the fraction that is of it.
pub fn precision(average: Average) -> CountMetric {
    CountMetric::new(Of::Precision(average))
}

/// Of the items of a class, the fraction that is predicted as it.
pub fn recall(average: Average) -> CountMetric {
    CountMetric::new(Of::Recall(average))
}

/// The F-score: `(1 + β²) p r / (β² p + r)` of the precision p and the recall r.
#[doc(alias("FBeta", "f1_score"))]
pub fn f_score(beta: f64, average: Average) -> CountMetric {
    CountMetric::new(Of::FScore { beta, average })
}

/// The mean recall of the classes that have items.
pub fn balanced_accuracy() -> CountMetric {
    CountMetric::new(Of::BalancedAccuracy)
}

/// Cohen's kappa: the agreement beyond chance; 1 is perfect, 0 is chance.
#[doc(alias = "KappaScore")]
pub fn cohen_kappa(disagreement: Disagreement) -> CountMetric {
    CountMetric::new(Of::Kappa(disagreement))
}

/// Matthews' correlation coefficient, for any number of classes; 0 if all items or all predictions are of
/// one class.
#[doc(alias = "MatthewsCorreff")]
pub fn matthews() -> CountMetric {
    CountMetric::new(Of::Matthews)
}

/// The counts of one class.
#[derive(Clone, Copy, Debug, Default)]
struct Class {
    hits: f64,
    predicted: f64,
    actual: f64,
}

impl CountMetric {
    fn new(of: Of) -> Self {
        Self {
            of,
            classes: 0,
            counts: Vec::new(),
        }
    }

    fn count(&self, actual: usize, predicted: usize) -> f64 {
        self.counts[actual * self.classes + predicted] as f64
    }

    fn per_class(&self) -> Vec<Class> {
        let sum = |count: &dyn Fn(usize) -> f64| (0..self.classes).map(count).sum();
        let class = |k| Class {
            hits: self.count(k, k),
            predicted: sum(&|other| self.count(other, k)),
            actual: sum(&|other| self.count(k, other)),
        };
        (0..self.classes).map(class).collect()
    }

    fn averaged(&self, average: Average, value: impl Fn(&Class) -> f64) -> f64 {
        let mut classes = self.per_class();
        if let Average::Class(class) = average {
            return classes.get(class).map_or(f64::NAN, value);
        }
        classes.retain(|class| class.predicted + class.actual > 0.0);
        let weighted = |weight: &dyn Fn(&Class) -> f64| {
            let total: f64 = classes.iter().map(weight).sum();
            let sum: f64 = classes.iter().map(|c| weight(c) * value(c)).sum();
            sum / total
        };
        match average {
            Average::Weighted => weighted(&|class| class.actual),
            Average::Micro => {
                let all = classes.iter().fold(Class::default(), |all, class| Class {
                    hits: all.hits + class.hits,
                    predicted: all.predicted + class.predicted,
                    actual: all.actual + class.actual,
                });
                value(&all)
            }
            Average::Macro | Average::Class(_) => weighted(&|_| 1.0),
        }
    }

    fn kappa(&self, disagreement: Disagreement) -> f64 {
        let classes = self.per_class();
        let total: f64 = classes.iter().map(|class| class.actual).sum();
        let (mut found, mut chance) = (0.0, 0.0);
        for (i, actual) in classes.iter().enumerate() {
            for (j, predicted) in classes.iter().enumerate() {
                let distance = i.abs_diff(j) as f64;
                let weight = match disagreement {
                    Disagreement::Same => f64::from(i != j),
                    Disagreement::Linear => distance,
                    Disagreement::Quadratic => distance * distance,
                };
                found += weight * self.count(i, j);
                chance += weight * actual.actual * predicted.predicted / total;
            }
        }
        1.0 - found / chance
    }

    fn matthews(&self) -> f64 {
        let classes = self.per_class();
        let sum = |value: &dyn Fn(&Class) -> f64| classes.iter().map(value).sum::<f64>();
        let (hits, total) = (sum(&|c| c.hits), sum(&|c| c.actual));
        let both = sum(&|c| c.actual * c.predicted);
        let predicted = total * total - sum(&|c| c.predicted * c.predicted);
        let actual = total * total - sum(&|c| c.actual * c.actual);
        match predicted * actual {
            0.0 => 0.0,
            product => (hits * total - both) / product.sqrt(),
        }
    }
}

/// 0 of nothing, as scikit-learn's `zero_division`.
fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

impl Metric for CountMetric {
    fn name(&self) -> String {
        match self.of {
            Of::Precision(average) => average.name("precision"),
            Of::Recall(average) => average.name("recall"),
            Of::FScore { beta, average } => average.name(&format!("f{beta}")),
            Of::BalancedAccuracy => "balanced_accuracy".to_owned(),
            Of::Kappa(_) => "cohen_kappa".to_owned(),
            Of::Matthews => "matthews".to_owned(),
        }
    }

    fn kind(&self) -> Option<TargetKind> {
        Some(TargetKind::Category)
    }

    fn reset(&mut self) {
        *self = Self::new(self.of);
    }

    fn update(&mut self, batch: &Scores<'_>) {
        if self.counts.is_empty() && batch.is_whole() {
            self.classes = batch.classes;
            self.counts = vec![0; batch.classes.saturating_mul(batch.classes)];
        }
        if !batch.is_whole() || batch.classes != self.classes {
            return;
        }
        // A learner passes no other kind of label.
        let targets = batch.targets.categories().unwrap_or_default();
        for (predicted, actual) in batch.predicted().zip(targets) {
            if let Some(count) = self.counts.get_mut(actual * self.classes + predicted) {
                *count += 1;
            }
        }
    }

    fn value(&self) -> f64 {
        match self.of {
            Of::Precision(average) => self.averaged(average, |c| ratio(c.hits, c.predicted)),
            Of::Recall(average) => self.averaged(average, |c| ratio(c.hits, c.actual)),
            Of::FScore { beta, average } => {
                let beta = beta * beta;
                self.averaged(average, |c| {
                    ratio((1.0 + beta) * c.hits, beta * c.actual + c.predicted)
                })
            }
            Of::BalancedAccuracy => {
                let mut classes = self.per_class();
                classes.retain(|class| class.actual > 0.0);
                classes.iter().map(|c| c.hits / c.actual).sum::<f64>() / classes.len() as f64
            }
            Of::Kappa(disagreement) => self.kappa(disagreement),
            Of::Matthews => self.matthews(),
        }
    }
}
