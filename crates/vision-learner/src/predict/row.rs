//! What programs are told of an image.

use serde::Serialize;
use vision_base::OptionError;
use vision_data::TargetKind;

use crate::Result;
use crate::predict::predictions::Prediction;
use crate::predict::predictor::Predictor;
use crate::predict::threshold::Threshold;

/// A class with its probability.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RowScore {
    /// The name of the class.
    pub class: String,
    /// Its probability.
    pub probability: f32,
}

/// The prediction for an image as the program `vision` says it, for people and as JSON: [`Predictor::row_format`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PredictionRow {
    /// The name of the image.
    pub image: String,
    /// For one class per image: the class, or `Some(None)` if its probability is below the threshold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<Option<String>>,
    /// For several classes per image: those from the threshold on, the most probable first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<String>>,
    /// The numbers, if labels are numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numbers: Option<Vec<f32>>,
    /// The most probable classes, the most probable first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub top: Vec<RowScore>,
    /// Why there is no prediction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl PredictionRow {
    /// The row of an image that could not be predicted.
    pub fn failed(image: impl Into<String>, error: impl Into<String>) -> Self {
        Self {
            image: image.into(),
            error: Some(error.into()),
            ..Self::default()
        }
    }
}

/// Which part of a prediction a [`PredictionRow`] has.
#[derive(Clone, Debug)]
#[must_use]
pub struct RowFormat {
    predictor: Predictor,
    top: usize,
    /// One class per image is left open below it.
    open_below: f32,
    threshold: Threshold,
}

impl Predictor {
    /// Makes rows of predictions: the most probable class, and the threshold of the model.
    ///
    /// ```no_run
    /// # fn main() -> vision_learner::Result<()> {
    /// let predictor = vision_learner::Predictor::open("pets.safetensors")?;
    /// let format = predictor.row_format().with_top(3)?;
    /// let row = format.row("photo.jpg", &predictor.predict_file("photo.jpg")?);
    /// for score in &row.top {
    ///     println!("{} {:.4}", score.class, score.probability);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn row_format(&self) -> RowFormat {
        RowFormat {
            predictor: self.clone(),
            top: 1,
            open_below: 0.0,
            threshold: self.threshold(),
        }
    }
}

impl RowFormat {
    /// Sets how many classes a row has, at least 1; of a model with fewer, all. Default: 1.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) for 0.
    pub fn with_top(mut self, top: usize) -> Result<Self> {
        if top == 0 {
            return Err(OptionError::new("top", "at least 1 class", top).into());
        }
        self.top = top;
        Ok(self)
    }

    /// Sets the probability from which on an image has a class. If it has just one, that is left open below.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) if it is not from 0 to 1.
    pub fn with_threshold(mut self, threshold: f32) -> Result<Self> {
        let all = Threshold::All(threshold);
        all.check(self.predictor.classes().len())?;
        self.threshold = all;
        self.open_below = threshold;
        Ok(self)
    }

    /// The number of classes in a row.
    pub fn top(&self) -> usize {
        self.top.min(self.predictor.classes().len())
    }

    /// The row of an image.
    pub fn row(&self, image: impl Into<String>, prediction: &Prediction) -> PredictionRow {
        let mut row = PredictionRow {
            image: image.into(),
            ..PredictionRow::default()
        };
        let probabilities = &prediction.probabilities;
        let classes = self.predictor.classes();
        let name = |class: &usize| classes.get(*class).cloned().unwrap_or_default();
        let mut order: Vec<usize> = (0..probabilities.len()).collect();
        // Stable: equal ones keep the order of the classes.
        order.sort_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]));
        match self.predictor.kind() {
            TargetKind::Float => {
                row.numbers = Some(probabilities.clone());
                return row;
            }
            TargetKind::Category => {
                let is_sure = probabilities
                    .get(prediction.index)
                    .is_some_and(|p| *p >= self.open_below);
                row.class = Some(is_sure.then(|| name(&prediction.index)));
            }
            TargetKind::MultiCategory => {
                let own = |class: &&usize| probabilities[**class] >= self.threshold.of(**class);
                row.classes = Some(order.iter().filter(own).map(name).collect());
            }
        }
        let top = order.iter().take(self.top).map(|class| RowScore {
            class: name(class),
            probability: probabilities[*class],
        });
        row.top = top.collect();
        row
    }
}
