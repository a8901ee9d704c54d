//! The training history, per batch and per epoch.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use vision_base::csv;

use crate::bundle::card::MetricValue;

/// One row of the table that training prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochRow {
    /// Epoch, from 0, counted over all fits in the learner's table.
    pub epoch: usize,
    /// Smoothed training loss at the end of the epoch.
    #[serde(with = "number")]
    pub train_loss: f64,
    /// Mean validation loss; `None` if validation was skipped.
    pub valid_loss: Option<f64>,
    /// Value of each metric.
    #[serde(with = "numbers")]
    pub metrics: Vec<f64>,
    /// Wall time of the epoch including validation, in seconds; 0 for epochs loaded from a checkpoint.
    // Not saved in checkpoints, so that two runs with the same seed save the same bytes.
    #[serde(skip)]
    pub seconds: f64,
    /// Wall time of the training batches alone, in seconds.
    #[serde(skip)]
    pub train_seconds: f64,
    /// Of this, the time that training waited for the loader, in seconds.
    #[serde(skip)]
    pub wait_seconds: f64,
    /// Number of images trained on.
    pub images: usize,
}

impl EpochRow {
    /// Training images per second, without validation.
    pub fn images_per_second(&self) -> f64 {
        self.images as f64 / self.train_seconds
    }

    /// The fraction of the training time spent waiting for the loader, from 0 to 1.
    pub fn waiting(&self) -> f64 {
        self.wait_seconds / self.train_seconds
    }
}

/// The record of one or more fits.
#[doc(alias("plot_losses", "CSVLogger"))]
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorder {
    /// Names of the metrics.
    pub metric_names: Vec<String>,
    /// One row per epoch.
    pub epochs: Vec<EpochRow>,
    /// Learning rate of the last layer group, per training batch.
    pub lrs: Vec<f64>,
    /// Learning rates of all layer groups, per training batch.
    pub group_lrs: Vec<Vec<f64>>,
    /// Momentum of the last layer group, per training batch.
    pub moms: Vec<f64>,
    /// Smoothed loss, per training batch.
    #[serde(with = "numbers")]
    pub losses: Vec<f64>,
    /// Unsmoothed loss, per training batch.
    #[serde(with = "numbers")]
    pub raw_losses: Vec<f64>,
    /// The scores of the weights at the end, if a callback handed over others than those of the last epoch, such as
    /// [`SaveModel::best`](crate::callbacks::SaveModel::best); empty if it does not know them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Vec<MetricValue>>,
}

impl Recorder {
    /// The table as CSV: `epoch,train_loss,valid_loss,<metrics>,time`. Numbers are formatted as in the
    /// printed table; time is in seconds. Names of metrics are quoted where they must be, and one that
    /// a spreadsheet would take for a formula has an apostrophe before it.
    pub fn to_csv(&self) -> String {
        let mut table = String::from("epoch,train_loss,valid_loss");
        for name in &self.metric_names {
            let _ = write!(table, ",{}", csv::field(name));
        }
        table.push_str(",time\n");
        for row in &self.epochs {
            let _ = write!(table, "{},{:.6}", row.epoch, row.train_loss);
            let numbers =
                std::iter::once(row.valid_loss).chain(row.metrics.iter().map(|m| Some(*m)));
            for number in numbers {
                match number {
                    Some(number) => _ = write!(table, ",{number:.6}"),
                    None => table.push(','),
                }
            }
            let _ = writeln!(table, ",{:.3}", row.seconds);
        }
        table
    }

    /// The curves as CSV, a row for each training batch: `batch,loss,smoothed_loss,lr,momentum`, and the rate of each layer
    /// group if there are several (`lr_0`, ..). Batches count from 1. What is not a finite number is empty. Numbers are
    /// written so that reading them gives the same bits.
    pub fn batches_to_csv(&self) -> String {
        let groups = self.group_lrs.iter().map(Vec::len).max().unwrap_or(0);
        let groups = if groups > 1 { groups } else { 0 };
        let mut table = String::from("batch,loss,smoothed_loss,lr,momentum");
        (0..groups).for_each(|group| _ = write!(table, ",lr_{group}"));
        table.push('\n');
        for batch in 0..self.losses.len().max(self.lrs.len()) {
            let _ = write!(table, "{}", batch + 1);
            let curves = [&self.raw_losses, &self.losses, &self.lrs, &self.moms];
            let values = curves.map(|curve| curve.get(batch).copied());
            let of_group = |group| self.group_lrs.get(batch)?.get(group).copied();
            for value in values.into_iter().chain((0..groups).map(of_group)) {
                table.push(',');
                if let Some(value) = value.filter(|value| value.is_finite()) {
                    let _ = write!(table, "{value}");
                }
            }
            table.push('\n');
        }
        table
    }

    /// Appends the record of a later fit.
    pub(crate) fn append(&mut self, later: Self) {
        self.metric_names = later.metric_names;
        let first = self.epochs.len();
        self.epochs.extend(
            later
                .epochs
                .into_iter()
                .enumerate()
                .map(|(i, row)| EpochRow {
                    epoch: first + i,
                    ..row
                }),
        );
        self.lrs.extend(later.lrs);
        self.group_lrs.extend(later.group_lrs);
        self.moms.extend(later.moms);
        self.losses.extend(later.losses);
        self.raw_losses.extend(later.raw_losses);
        self.kept = later.kept;
    }

    /// The loss and the metrics of the weights at the end; none without validation.
    pub(crate) fn scores(&self) -> Vec<MetricValue> {
        if let Some(kept) = &self.kept {
            return kept.clone();
        }
        let Some((row, loss)) = self
            .epochs
            .last()
            .and_then(|row| Some((row, row.valid_loss?)))
        else {
            return Vec::new();
        };
        let metrics = self.metric_names.iter().zip(&row.metrics);
        let loss = MetricValue::new("valid_loss", loss);
        std::iter::once(loss)
            .chain(metrics.map(|(name, value)| MetricValue::new(name, *value)))
            .collect()
    }
}

impl Recorder {
    /// What came after so many epochs, batches that began, and batches with a loss.
    pub(crate) fn since(&self, epochs: usize, lrs: usize, losses: usize) -> Self {
        fn rest<T: Clone>(values: &[T], from: usize) -> Vec<T> {
            values.get(from..).unwrap_or_default().to_vec()
        }
        Self {
            metric_names: self.metric_names.clone(),
            epochs: rest(&self.epochs, epochs),
            lrs: rest(&self.lrs, lrs),
            group_lrs: rest(&self.group_lrs, lrs),
            moms: rest(&self.moms, lrs),
            losses: rest(&self.losses, losses),
            raw_losses: rest(&self.raw_losses, losses),
            kept: self.kept.clone(),
        }
    }

    /// Adds what [`since`](Self::since) has returned.
    pub(crate) fn extend(&mut self, part: Self) {
        self.metric_names = part.metric_names;
        self.epochs.extend(part.epochs);
        self.lrs.extend(part.lrs);
        self.group_lrs.extend(part.group_lrs);
        self.moms.extend(part.moms);
        self.losses.extend(part.losses);
        self.raw_losses.extend(part.raw_losses);
        self.kept = part.kept;
    }
}

/// JSON has no NaN or infinity: non-finite values are written as `null`, which is read back as NaN.
mod number {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
        value.is_finite().then_some(*value).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        Ok(Option::deserialize(from)?.unwrap_or(f64::NAN))
    }
}

/// The same for lists.
mod numbers {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(values: &[f64], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(
            values
                .iter()
                .map(|value| value.is_finite().then_some(*value)),
        )
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f64>, D::Error> {
        let values: Vec<Option<f64>> = Vec::deserialize(from)?;
        Ok(values
            .into_iter()
            .map(|value| value.unwrap_or(f64::NAN))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_metrics_are_one_field_each_and_no_formula() {
        let recorder = Recorder {
            metric_names: ["=1+1", "a\rb", "c,d", "-0.5"].map(str::to_owned).to_vec(),
            epochs: vec![EpochRow {
                epoch: 0,
                train_loss: -0.5,
                valid_loss: None,
                metrics: vec![1.0, -2.0, f64::NAN, 0.25],
                seconds: 1.5,
                train_seconds: 1.0,
                wait_seconds: 0.0,
                images: 10,
            }],
            ..Recorder::default()
        };
        assert_eq!(
            recorder.to_csv(),
            "epoch,train_loss,valid_loss,\"'=1+1\",\"a\rb\",\"c,d\",-0.5,time\n\
             0,-0.500000,,1.000000,-2.000000,NaN,0.250000,1.500\n"
        );
    }
}
