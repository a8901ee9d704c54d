//! The features of items, and their files.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use vision_base::{OptionError, atomic, csv, io_error};
use vision_data::Targets;
use vision_data::inspect::doctor::Split;
use vision_models::state::NamedTensor;
use vision_models::weights::write_safetensors;

use crate::Result;

/// Features of items: [`Learner::embed`](crate::Learner::embed).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Embeddings {
    /// The part of the data.
    pub part: Split,
    /// The name of the layer; empty for the pooled features.
    pub layer: String,
    /// The path of each item, relative to the root of the data, or its name in its source.
    pub names: Vec<String>,
    /// The shape of the features of an item: their number, or channels, height and width.
    pub shape: Vec<usize>,
    /// The features, row-major `[items, dim]`.
    pub rows: Vec<f32>,
    /// The labels of the items.
    pub targets: Targets,
    /// The label of each item as text; empty without labels.
    pub labels: Vec<String>,
    /// Position of each item in its part of the data.
    pub indices: Vec<usize>,
}

impl Embeddings {
    /// Features that were computed elsewhere: `dim` numbers for each name, row-major. `labels` has a text for each name.
    ///
    /// ```
    /// use vision_data::inspect::doctor::Split;
    /// use vision_learner::{Embeddings, FeatureSpace};
    ///
    /// let names = ["a.jpg", "b.jpg", "c.jpg"];
    /// let rows = vec![1.0, 0.0, 0.0, 1.0, 0.9, 0.1];
    /// let features = Embeddings::from_rows(Split::Train, names, ["cat", "dog", "cat"], rows, 2)?;
    /// let space = FeatureSpace::new([&features])?;
    /// assert_eq!(space.similar(0, 1)?[0].item.name, "c.jpg");
    /// # Ok::<(), vision_learner::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) if the lengths do not fit together.
    pub fn from_rows<N: Into<String>, L: Into<String>>(
        part: Split,
        names: impl IntoIterator<Item = N>,
        labels: impl IntoIterator<Item = L>,
        rows: Vec<f32>,
        dim: usize,
    ) -> Result<Self> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        let found = Self {
            part,
            layer: String::new(),
            shape: vec![dim],
            rows,
            targets: Targets::Empty(names.len()),
            labels: labels.into_iter().map(Into::into).collect(),
            indices: (0..names.len()).collect(),
            names,
        };
        found.check()?;
        Ok(found)
    }

    /// Checks that the lists fit together, since their fields are public.
    pub(crate) fn check(&self) -> Result<()> {
        let items = self.indices.len();
        let dim = self
            .shape
            .iter()
            .try_fold(1_usize, |dim, side| dim.checked_mul(*side));
        let rows = dim.and_then(|dim| dim.checked_mul(items));
        let lengths = [self.names.len(), self.labels.len()];
        if lengths == [items; 2] && rows == Some(self.rows.len()) {
            return Ok(());
        }
        let expected = "as many names, labels and rows of features as items";
        let found = format!(
            "{items} items with {} names, {} labels and {} numbers of shape {:?}",
            self.names.len(),
            self.labels.len(),
            self.rows.len(),
            self.shape
        );
        Err(OptionError::new("features", expected, found).into())
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }

    /// Number of features of an item.
    pub fn dim(&self) -> usize {
        self.shape.iter().product()
    }

    /// The features of an item; empty if the index is out of range.
    pub fn row(&self, item: usize) -> &[f32] {
        let (start, dim) = (item.saturating_mul(self.dim()), self.dim());
        let row = self.rows.get(start..start.saturating_add(dim));
        row.unwrap_or_default()
    }

    /// A table with a line per item: `name`, `label`, and the features `0`, `1`, ... Spreadsheets take no field for a
    /// formula.
    pub fn to_csv(&self) -> String {
        let mut table = String::from("name,label");
        for feature in 0..self.dim() {
            let _ = write!(table, ",{feature}");
        }
        table.push('\n');
        for (item, (name, label)) in self.names.iter().zip(&self.labels).enumerate() {
            let _ = write!(table, "{},{}", csv::field(name), csv::field(label));
            for value in self.row(item) {
                let _ = write!(table, ",{value}");
            }
            table.push('\n');
        }
        table
    }

    /// Writes a file whose ending says its format, atomically.
    ///
    /// * `.csv`: [`to_csv`](Self::to_csv).
    /// * `.safetensors`: a tensor `rows`, `[items, ..shape]`, and a tensor `targets`, `[items, columns]`: the position of
    ///   the class, ones for the classes of the item, or its numbers; zeros without labels. The metadata hold `layer` as
    ///   text, and `names` and `labels` as JSON.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) for another ending, [`Error::Io`](crate::Error::Io) or
    /// [`Error::Models`](crate::Error::Models) if the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        match extension.as_deref() {
            Some("csv") => Ok(atomic::write(path, self.to_csv().as_bytes())?),
            Some("safetensors") => self.save_safetensors(path),
            _ => {
                let expected = "a file name that ends in .safetensors or .csv";
                Err(OptionError::new("path", expected, path.display()).into())
            }
        }
    }

    fn save_safetensors(&self, path: &Path) -> Result<()> {
        let json = |names: &[String]| {
            let text = serde_json::to_string(names);
            text.map_err(|error| io_error("write the names in", path)(error.into()))
        };
        let metadata = BTreeMap::from([
            ("format".to_owned(), "pt".to_owned()),
            ("layer".to_owned(), self.layer.clone()),
            ("names".to_owned(), json(&self.names)?),
            ("labels".to_owned(), json(&self.labels)?),
        ]);
        let tensors = [
            NamedTensor {
                name: "rows".to_owned(),
                shape: std::iter::once(self.len())
                    .chain(self.shape.clone())
                    .collect(),
                values: self.rows.clone(),
            },
            NamedTensor {
                name: "targets".to_owned(),
                shape: vec![self.targets.len(), self.targets.columns()],
                values: self.targets.rows(),
            },
        ];
        Ok(write_safetensors(path, &tensors, &metadata)?)
    }
}
