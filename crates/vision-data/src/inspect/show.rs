//! Showing a batch.

use vision_base::OptionError;
use vision_figure::{Figure, ImageGrid};

use crate::databunch::ImageDataBunch;
use crate::databunch::dataset::DatasetType;
use crate::error::{Error, Result};

impl ImageDataBunch {
    /// A grid of up to `rows` by `rows` images of the first training batch, each titled with its
    /// label. See [`show_batch_with`](Self::show_batch_with).
    ///
    /// # Errors
    ///
    /// Same as [`show_batch_with`](Self::show_batch_with).
    pub fn show_batch(&self, rows: usize) -> Result<Figure> {
        self.show_batch_with(rows, DatasetType::Train)
    }

    /// A grid of up to `rows` by `rows` images of the first batch of a part, as the model sees them
    /// after the transforms, but not normalized. Small images are enlarged. Each is titled with its
    /// label: a class, classes, or numbers. A mixed image has both labels and their weights, as in
    /// "3 0.72 + 7 0.28".
    ///
    /// ```
    /// # use vision_data::{DatasetType, ImageDataBunch};
    /// # use vision_data::datasets::synthetic;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = synthetic::digits(&folder.path().join("digits"), 1, 20, 5)?;
    /// let data = ImageDataBunch::from_folder(&path).batch_size(16).build()?;
    /// let figure = data.show_batch_with(3, DatasetType::Valid)?;
    /// figure.save(folder.path().join("batch.png"))?;
    /// # Ok::<(), vision_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`one_batch`](Self::one_batch), except that a training set smaller than a
    /// batch is shown as a whole; and [`Error::Option`] if `rows` is 0.
    pub fn show_batch_with(&self, rows: usize, part: DatasetType) -> Result<Figure> {
        if rows == 0 {
            return Err(Error::Option(OptionError::new(
                "rows",
                "at least 1",
                "0".to_owned(),
            )));
        }
        let dataset = self.dataset(part)?;
        // A dataset that does not fill a batch can be shown too.
        let batch_size = self.batch_size_of(part).min(dataset.len());
        let batch = self.first_batch(part, batch_size)?;
        let mut grid = ImageGrid::new();
        for (position, &item) in batch
            .indices
            .iter()
            .enumerate()
            .take(rows.saturating_mul(rows))
        {
            if let Some(picture) = batch.image(position) {
                let label = |item| dataset.label_text(item).unwrap_or_default();
                let title = match batch.mix().and_then(|mix| mix.of(position)) {
                    Some((partner, lambda)) => {
                        let other = batch.indices.get(partner).copied().map(label);
                        let (own, other) = (label(item), other.unwrap_or_default());
                        format!("{own} {lambda:.2} + {other} {:.2}", 1.0 - lambda)
                    }
                    None => label(item),
                };
                grid = grid.with_image(picture, title);
            }
        }
        Ok(grid.plot()?)
    }
}
