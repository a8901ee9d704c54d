//! The curves of interpretations.

use vision_base::OptionError;
use vision_data::Targets;
use vision_learner::Predictions;

use super::ranked::Ranked;
use super::{PrecisionRecallCurve, RocCurve};
use crate::plot::{plot_precision_recall, plot_roc};
use crate::{ClassificationInterpretation, Error, Figure, MultiLabelInterpretation, Result};

/// Largest number of curves in a figure: there are as many colors.
const MOST: usize = 10;

impl ClassificationInterpretation {
    /// The ROC curve of a class against the rest.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownClass`] if there is no such class, [`Error::Option`] if no item has it, or all, or for
    /// predictions that are not from 0 to 1.
    pub fn roc_curve(&self, class: usize) -> Result<RocCurve> {
        RocCurve::new(self.against_rest(class)?)
    }

    /// The precision-recall curve of a class against the rest.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownClass`] if there is no such class, [`Error::Option`] if no item has it, or for predictions that are
    /// not from 0 to 1.
    pub fn precision_recall_curve(&self, class: usize) -> Result<PrecisionRecallCurve> {
        PrecisionRecallCurve::new(self.against_rest(class)?)
    }

    /// The ROC curves of one to ten classes, each with its area: `interp.plot_roc(0..3)`.
    ///
    /// # Errors
    ///
    /// As [`roc_curve`](Self::roc_curve), and [`Error::Option`] for none or more than ten classes.
    pub fn plot_roc(&self, classes: impl IntoIterator<Item = usize>) -> Result<Figure> {
        let curves = some(classes)?
            .into_iter()
            .map(|class| self.roc_curve(class));
        plot_roc(&curves.collect::<Result<Vec<_>>>()?)
    }

    /// The precision-recall curves of one to ten classes, each with its average precision:
    /// `interp.plot_precision_recall([0])`.
    ///
    /// # Errors
    ///
    /// As [`precision_recall_curve`](Self::precision_recall_curve), and [`Error::Option`] for none or more than ten
    /// classes.
    pub fn plot_precision_recall(
        &self,
        classes: impl IntoIterator<Item = usize>,
    ) -> Result<Figure> {
        let classes = some(classes)?.into_iter();
        let curves = classes.map(|class| self.precision_recall_curve(class));
        plot_precision_recall(&curves.collect::<Result<Vec<_>>>()?)
    }

    fn against_rest(&self, class: usize) -> Result<Ranked> {
        ranked(self.classes(), self.predictions(), class)
    }
}

impl MultiLabelInterpretation {
    /// The ROC curve of a class against the rest.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownClass`] if there is no such class, [`Error::Option`] if no item has it, or all, or for
    /// predictions that are not from 0 to 1.
    pub fn roc_curve(&self, class: usize) -> Result<RocCurve> {
        RocCurve::new(self.against_rest(class)?)
    }

    /// The precision-recall curve of a class against the rest.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownClass`] if there is no such class, [`Error::Option`] if no item has it, or for predictions that are
    /// not from 0 to 1.
    pub fn precision_recall_curve(&self, class: usize) -> Result<PrecisionRecallCurve> {
        PrecisionRecallCurve::new(self.against_rest(class)?)
    }

    /// The ROC curves of one to ten classes, each with its area: `interp.plot_roc(0..3)`.
    ///
    /// # Errors
    ///
    /// As [`roc_curve`](Self::roc_curve), and [`Error::Option`] for none or more than ten classes.
    pub fn plot_roc(&self, classes: impl IntoIterator<Item = usize>) -> Result<Figure> {
        let curves = some(classes)?
            .into_iter()
            .map(|class| self.roc_curve(class));
        plot_roc(&curves.collect::<Result<Vec<_>>>()?)
    }

    /// The precision-recall curves of one to ten classes, each with its average precision:
    /// `interp.plot_precision_recall([0])`.
    ///
    /// # Errors
    ///
    /// As [`precision_recall_curve`](Self::precision_recall_curve), and [`Error::Option`] for none or more than ten
    /// classes.
    pub fn plot_precision_recall(
        &self,
        classes: impl IntoIterator<Item = usize>,
    ) -> Result<Figure> {
        let classes = some(classes)?.into_iter();
        let curves = classes.map(|class| self.precision_recall_curve(class));
        plot_precision_recall(&curves.collect::<Result<Vec<_>>>()?)
    }

    fn against_rest(&self, class: usize) -> Result<Ranked> {
        ranked(self.classes(), self.predictions(), class)
    }
}

fn ranked(names: &[String], predictions: &Predictions, class: usize) -> Result<Ranked> {
    let Some(name) = names.get(class) else {
        return Err(Error::UnknownClass {
            role: "requested",
            found: class,
            classes: names.len(),
        });
    };
    let is_of = |item: usize| match &predictions.targets {
        Targets::Category(actual) => actual.get(item).is_some_and(|own| *own as usize == class),
        Targets::MultiCategory(labels) => labels
            .get(item)
            .is_some_and(|own| own.contains(&(class as u32))),
        // Interpretations are made of no other labels.
        _ => false,
    };
    let score = |item: usize| (f64::from(predictions.row(item)[class]), is_of(item));
    Ranked::new(name, (0..predictions.len()).map(score).collect())
}

/// The classes of a figure.
fn some(classes: impl IntoIterator<Item = usize>) -> Result<Vec<usize>> {
    let classes: Vec<usize> = classes.into_iter().take(MOST + 1).collect();
    let found = match classes.len() {
        1..=MOST => return Ok(classes),
        0 => "none",
        _ => "more",
    };
    Err(Error::Option(OptionError::new(
        "classes",
        format!("1 to {MOST} classes in a figure"),
        found,
    )))
}
