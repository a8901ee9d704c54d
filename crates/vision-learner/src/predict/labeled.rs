//! Predictions of a deployed model for labeled data, to be scored.

use std::collections::BTreeMap;

use vision_base::OptionError;
use vision_base::progress::{Progress, Tracker};
use vision_data::{
    DatasetType, Dropped, Image, ImageDataBunch, ImageDataset, LabelError, MultiLabels, TargetKind,
    Targets,
};

use crate::predict::predictions::{Prediction, Predictions};
use crate::predict::predictor::Predictor;
use crate::{Error, Result};

/// Images that are read at a time.
const IMAGES: usize = 64;

impl Predictor {
    /// Predictions, losses and labels for a part of labeled data, in order, for metrics, interpretation and comparisons, as
    /// [`Learner::get_preds`](crate::Learner::get_preds) without a learner.
    ///
    /// Images are prepared as the model's file says; of the data, only images and labels are used. Classes are matched by
    /// name: the data may lack some, and order them in another way. The positions of the targets are those of
    /// [`classes`](Self::classes). Losses follow from the probabilities p: −ln p of the actual class, the mean of the binary
    /// cross-entropies of several, the mean squared error of numbers.
    ///
    /// ```no_run
    /// use vision_data::{DatasetType, ImageDataBunch};
    /// use vision_learner::{Predictor, accuracy, bootstrap};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let predictor = Predictor::open("pets.safetensors")?;
    /// let data = ImageDataBunch::from_folder("pets-test").valid_pct(0.0).build()?;
    /// let predictions = predictor.get_preds(&data, DatasetType::Fix)?;
    /// println!("{}", bootstrap(accuracy(), &predictions, 2000, 0)?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`LabelError::WrongKind`] for labels of another kind, [`LabelError::UnknownClasses`] for a class that the model does
    /// not know, [`Error::Option`] for another number of columns; if there is no such part, it has no labels, or an image
    /// cannot be read.
    pub fn get_preds(&self, data: &ImageDataBunch, part: DatasetType) -> Result<Predictions> {
        self.get_preds_with(data, part, &Progress::silent())
    }

    /// [`get_preds`](Self::get_preds) with progress.
    ///
    /// # Errors
    ///
    /// As [`get_preds`](Self::get_preds).
    pub fn get_preds_with(
        &self,
        data: &ImageDataBunch,
        part: DatasetType,
        progress: &Progress,
    ) -> Result<Predictions> {
        let dataset = data.dataset(part)?;
        let targets = self.targets(data, dataset)?;
        let outputs = self.0.outputs;
        let mut probabilities = Vec::with_capacity(dataset.len() * outputs);
        let items: Vec<usize> = (0..dataset.len()).collect();
        let tracker = Tracker::new(progress);
        for chunk in items.chunks(IMAGES) {
            for prediction in self.of_items(dataset, chunk)? {
                probabilities.extend(prediction.probabilities);
            }
            tracker.add(chunk.len(), |done| done as f64 / items.len() as f64);
        }
        tracker.finish();
        let rows = probabilities.chunks(outputs.max(1)).enumerate();
        let losses = rows.map(|(item, row)| loss(row, &targets, item)).collect();
        Ok(Predictions {
            losses,
            probabilities,
            classes: outputs,
            targets,
            indices: items,
        })
    }

    fn of_items(&self, dataset: &ImageDataset, items: &[usize]) -> Result<Vec<Prediction>> {
        if dataset.are_files() {
            let files = items.iter().map(|item| dataset.paths()[*item].clone());
            return self
                .predict_files(files)
                .map(|(_, prediction)| prediction)
                .collect();
        }
        let images: std::result::Result<Vec<Image>, _> =
            items.iter().map(|item| dataset.image(*item)).collect();
        self.predict_batch(&images?)
    }

    /// The labels of the data, by the positions of the model's classes.
    fn targets(&self, data: &ImageDataBunch, dataset: &ImageDataset) -> Result<Targets> {
        let wrong = |error: LabelError| Err(Error::Data(error.into()));
        let (expected, found) = (self.kind(), data.kind());
        if dataset.labels().kind() != Some(expected) {
            // An empty part, or a test set, has no kind.
            if !dataset.is_empty() && expected == found {
                let expected = "items with labels";
                let found = format!("{} items without labels", dataset.len());
                return Err(OptionError::new("part", expected, found).into());
            }
            if expected != found {
                return wrong(LabelError::WrongKind { expected, found });
            }
        }
        if expected == TargetKind::Float {
            if data.c() != self.0.outputs {
                let expected = format!("{} numbers per item", self.0.outputs);
                return Err(OptionError::new("labels", expected, data.c()).into());
            }
            return Ok(dataset.labels().clone());
        }
        let own = |class: &String| self.classes().iter().position(|known| known == class);
        let positions: Vec<Option<usize>> = data.classes().iter().map(own).collect();
        self.check_known(data, dataset, &positions)?;
        let position = |class: u32| positions.get(class as usize).copied().flatten();
        Ok(match dataset.labels() {
            Targets::Category(classes) => {
                let classes = classes.iter().filter_map(|class| position(*class));
                Targets::Category(classes.map(|class| class as u32).collect())
            }
            Targets::MultiCategory(_) => {
                let mut labels = MultiLabels::new(self.classes().len());
                for classes in classes_of(dataset) {
                    labels.push(classes.into_iter().filter_map(position))?;
                }
                Targets::MultiCategory(labels)
            }
            other => other.clone(),
        })
    }

    /// Rejects items of classes that the model does not know.
    fn check_known(
        &self,
        data: &ImageDataBunch,
        dataset: &ImageDataset,
        positions: &[Option<usize>],
    ) -> Result<()> {
        let mut unknown: BTreeMap<usize, Dropped> = BTreeMap::new();
        for (item, classes) in classes_of(dataset).into_iter().enumerate() {
            for class in classes.into_iter().map(|class| class as usize) {
                if positions.get(class).copied().flatten().is_none() {
                    let first = || Dropped {
                        part: "labeled",
                        label: data.classes()[class].clone(),
                        items: 0,
                        first: dataset.paths()[item].clone(),
                    };
                    unknown.entry(class).or_insert_with(first).items += 1;
                }
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        let error = LabelError::UnknownClasses {
            folder: data.path().to_owned(),
            unknown: unknown.into_values().collect(),
            known: self.classes().to_vec(),
            hint: "The model was not trained on them: leave these images out, or rename the class"
                .to_owned(),
        };
        Err(Error::Data(error.into()))
    }
}

/// The positions of the classes of each item.
fn classes_of(dataset: &ImageDataset) -> Vec<Vec<u32>> {
    match dataset.labels() {
        Targets::Category(classes) => classes.iter().map(|class| vec![*class]).collect(),
        Targets::MultiCategory(labels) => (0..labels.len())
            .map(|item| labels.get(item).unwrap_or_default().to_vec())
            .collect(),
        _ => Vec::new(),
    }
}

/// The loss of an item by its probabilities, or numbers.
fn loss(row: &[f32], targets: &Targets, item: usize) -> f32 {
    let least = f64::from(f32::MIN_POSITIVE);
    let cross = |p: f64| -p.max(least).ln();
    let mean =
        |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / row.len().max(1) as f64;
    let loss = match targets {
        Targets::Category(classes) => {
            let class = classes.get(item).map_or(0, |class| *class as usize);
            cross(row.get(class).copied().map_or(0.0, f64::from))
        }
        Targets::MultiCategory(labels) => {
            let own = labels.get(item).unwrap_or_default();
            mean(&mut row.iter().enumerate().map(|(class, p)| {
                let p = f64::from(*p);
                cross(if own.contains(&(class as u32)) {
                    p
                } else {
                    1.0 - p
                })
            }))
        }
        Targets::Float { columns, values } => {
            let own = values.get(item * columns..).unwrap_or_default();
            let squares = row.iter().zip(own).map(|(a, b)| f64::from(a - b).powi(2));
            mean(&mut squares.into_iter())
        }
        Targets::Empty(_) => f64::NAN,
    };
    loss as f32
}
