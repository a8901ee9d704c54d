//! The layers of a model as a table.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use vision_base::OptionError;
use vision_data::{DatasetType, ResizeMethod, Size, Transform};
use vision_models::inspect::profile;
use vision_models::state::Entry;

use crate::Result;
use crate::learner::Learner;

/// Bytes of a 32-bit float.
const BYTES: u64 = 4;

/// The layers of a model: [`Learner::summary`]. `Display` is an aligned table.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ModelSummary {
    /// Name of the architecture.
    pub arch: String,
    /// Height and width of the image that shapes and multiply-adds are for.
    pub size: Option<[usize; 2]>,
    /// The layers, in the order in which they run.
    pub layers: Vec<LayerSummary>,
    /// Number of parameters.
    pub parameters: usize,
    /// Number of parameters that train.
    pub trainable: usize,
    /// Multiplications, each with an addition, of all convolutions and linear layers for one image.
    pub multiply_adds: Option<u64>,
    /// Bytes of the outputs of all layers for one image. Less is in memory at a time: inference keeps no output longer
    /// than needed, and batch norms and ReLUs have none of their own.
    pub activation_bytes: Option<u64>,
    /// What the table does not show, and why.
    pub note: Option<String>,
}

/// A layer of a [`ModelSummary`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LayerSummary {
    /// Its name, as in [`Learner::weights`]: `0.4.0.conv1`.
    pub name: String,
    /// What it is: `Conv2d`, or the type of a module of your own.
    pub kind: String,
    /// The shape of its output for one image: channels, height and width, or the number of features. `None` if unknown.
    pub output: Option<Vec<usize>>,
    /// Number of parameters. Running statistics do not count.
    pub parameters: usize,
    /// Number of parameters that train.
    pub trainable: usize,
    /// Multiplications, each with an addition; 0 for other layers than convolutions and linear ones. `None` if unknown.
    pub multiply_adds: Option<u64>,
    /// Bytes of its output for one image, 4 per value. `None` if unknown.
    pub activation_bytes: Option<u64>,
}

impl Learner {
    /// The layers of the model with output shapes, parameters and multiply-adds, for an image of the data's size.
    ///
    /// Without a size, the images of the first validation batch decide, or those of the first training batch.
    ///
    /// ```
    /// # use vision_data::ImageDataBunch;
    /// # use vision_learner::create_cnn;
    /// # use vision_models::Arch;
    /// let data = ImageDataBunch::single_from_classes("pets", ["cat", "dog"]).size(224).build()?;
    /// let learner = create_cnn(data, Arch::ResNet18).pretrained(false).build()?;
    /// let summary = learner.summary()?;
    /// assert_eq!(summary.layers[0].output, Some(vec![64, 112, 112]));
    /// println!("{summary}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) if the data has neither a size nor images,
    /// [`ImageError::SizesDiffer`](vision_data::ImageError::SizesDiffer) if its images have several sizes: call
    /// [`summary_for`](Self::summary_for). Also if they cannot be read.
    #[doc(alias("learn.summary", "model_summary"))]
    pub fn summary(&self) -> Result<ModelSummary> {
        self.summary_for(self.common_size()?)
    }

    /// [`summary`](Self::summary) for images of this height and width.
    ///
    /// # Errors
    ///
    /// [`Error::ImageTooSmall`](crate::Error::ImageTooSmall), [`Error::ImageSides`](crate::Error::ImageSides), and
    /// [`Error::Option`](crate::Error::Option) for a side above 16384 pixels, or if nothing would be left of the image
    /// in a layer.
    pub fn summary_for(&self, size: [usize; 2]) -> Result<ModelSummary> {
        let bad = |expected: &'static str, found: String| {
            Err(OptionError::new("size", expected, found).into())
        };
        let [height, width] = size;
        if size.iter().any(|side| !(1..=Size::MAX_SIDE).contains(side)) {
            return bad(
                "a height and a width of 1 to 16384 pixels",
                format!("{height}x{width}"),
            );
        }
        let limits = self.limits();
        limits.sides.check(self.arch(), size)?;
        let entries = self.model.entries();
        let Some(layers) = self.model.as_layers() else {
            return Ok(self.summary_of_entries(&entries));
        };
        let rows = match profile(&layers, [3, height, width]) {
            Ok(rows) => rows,
            Err(layer) => {
                return bad(
                    "images that are large enough for every layer",
                    format!("{height}x{width}, of which nothing is left at {layer}"),
                );
            }
        };
        let counts = counts(&entries);
        let layers = rows.into_iter().map(|row| {
            let name = match row.kind {
                // Its parameters have no level of their own.
                "Tokens" => row.name.rsplit_once('.').map_or("", |(parent, _)| parent),
                _ => row.name.as_str(),
            };
            let (parameters, trainable, _) = counts.get(name).copied().unwrap_or_default();
            let values: u64 = row.output.iter().map(|side| *side as u64).product();
            LayerSummary {
                name: row.name,
                kind: row.kind.to_owned(),
                output: Some(row.output),
                parameters,
                trainable,
                multiply_adds: Some(row.multiply_adds),
                activation_bytes: Some(BYTES * values),
            }
        });
        Ok(self.total(Some(size), layers.collect(), None))
    }

    /// A row for each module with parameters, if the layers are not known.
    fn summary_of_entries(&self, entries: &[Entry]) -> ModelSummary {
        let counts = counts(entries);
        let mut layers: Vec<LayerSummary> = Vec::new();
        for entry in entries {
            let name = layer_of(entry);
            if layers.iter().any(|layer| layer.name == name) {
                continue;
            }
            let (parameters, trainable, kind) = counts.get(name).copied().unwrap_or_default();
            layers.push(LayerSummary {
                name: name.to_owned(),
                kind: kind.to_owned(),
                output: None,
                parameters,
                trainable,
                multiply_adds: None,
                activation_bytes: None,
            });
        }
        let note = "the model, or its body or head, is your own module, so that the shapes are not known, nor the layers \
                    without parameters: implement `as_layers` of Model, Body or Head to give its layers";
        self.total(None, layers, Some(note.to_owned()))
    }

    fn total(
        &self,
        size: Option<[usize; 2]>,
        layers: Vec<LayerSummary>,
        note: Option<String>,
    ) -> ModelSummary {
        let (trainable, parameters) = self.num_params();
        let sum = |value: fn(&LayerSummary) -> Option<u64>| layers.iter().map(value).sum();
        ModelSummary {
            arch: self.arch().to_owned(),
            size,
            parameters,
            trainable,
            multiply_adds: sum(|layer| layer.multiply_adds),
            activation_bytes: sum(|layer| layer.activation_bytes),
            note,
            layers,
        }
    }

    /// Height and width of the images that the model gets in validation.
    fn common_size(&self) -> Result<[usize; 2]> {
        let data = self.data();
        let resizes = data.resize_method() != Some(ResizeMethod::No);
        let own = |t: &Transform| matches!(t, Transform::Crop(_) | Transform::Custom(_));
        let transforms = &data.transforms().valid;
        match data.resizing().height_width() {
            Some((height, width)) if resizes && !transforms.iter().any(own) => {
                return Ok([height, width]);
            }
            _ => {}
        }
        for part in [DatasetType::Valid, DatasetType::Fix] {
            if data.batches(part) > 0 {
                let [_, _, height, width] = data.one_batch(part)?.shape();
                return Ok([height, width]);
            }
        }
        let expected = "data with a .size(..) or with images; or call summary_for([height, width])";
        Err(OptionError::new("size", expected, "none").into())
    }
}

/// The name of the layer of a parameter.
fn layer_of(entry: &Entry) -> &str {
    entry.name.rsplit_once('.').map_or("", |(layer, _)| layer)
}

/// Parameters, trainable parameters and type of each layer.
fn counts(entries: &[Entry]) -> BTreeMap<&str, (usize, usize, &str)> {
    let mut counts: BTreeMap<&str, (usize, usize, &str)> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| !entry.buffer) {
        let (parameters, trainable, kind) = counts.entry(layer_of(entry)).or_default();
        *parameters += entry.len();
        *trainable += if entry.trainable { entry.len() } else { 0 };
        *kind = &entry.owner;
    }
    counts
}

impl fmt::Display for ModelSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEADER: [&str; 7] = [
            "layer",
            "kind",
            "output",
            "parameters",
            "trainable",
            "multiply-adds",
            "activations (bytes)",
        ];
        let known = |value: Option<u64>| value.map_or_else(|| "?".to_owned(), grouped);
        let row = |layer: &LayerSummary| {
            [
                layer.name.clone(),
                layer.kind.clone(),
                layer
                    .output
                    .as_ref()
                    .map_or_else(|| "?".to_owned(), |shape| shape_text(shape)),
                grouped(layer.parameters as u64),
                grouped(layer.trainable as u64),
                known(layer.multiply_adds),
                known(layer.activation_bytes),
            ]
        };
        let total = [
            "total".to_owned(),
            String::new(),
            String::new(),
            grouped(self.parameters as u64),
            grouped(self.trainable as u64),
            known(self.multiply_adds),
            known(self.activation_bytes),
        ];
        let mut rows = vec![HEADER.map(str::to_owned)];
        rows.extend(self.layers.iter().map(row));
        rows.push(total);
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
        let widths: Vec<usize> = (0..HEADER.len()).filter_map(width).collect();
        write!(f, "{}", self.arch)?;
        if let Some([height, width]) = self.size {
            write!(f, ", one image of {height}x{width} pixels (height x width)")?;
        }
        for row in &rows {
            let mut line = String::new();
            for (column, (text, width)) in row.iter().zip(widths.iter().copied()).enumerate() {
                // Texts to the left, numbers to the right.
                line += &match column {
                    0..=2 => format!("{text:<width$}  "),
                    _ => format!("{text:>width$}  "),
                };
            }
            write!(f, "\n{}", line.trim_end())?;
        }
        match &self.note {
            Some(note) => write!(f, "\n{note}"),
            None => Ok(()),
        }
    }
}

/// `64x112x112`.
fn shape_text(shape: &[usize]) -> String {
    let sides: Vec<String> = shape.iter().map(usize::to_string).collect();
    sides.join("x")
}

/// A number with a comma between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated() {
        let texts = [0, 999, 1000, 123_456, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,000", "123,456", "1,234,567"]);
    }
}
