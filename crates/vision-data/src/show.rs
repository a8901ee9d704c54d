//! Looking at a batch.

use crate::databunch::ImageDataBunch;
use crate::dataset::DatasetType;
use crate::error::{Error, Result};
use crate::figure::{Figure, ImageGrid};

impl ImageDataBunch {
    /// A square of up to `rows` by `rows` images of the first training batch, each titled with its
    /// label. See [`show_batch_with`](Self::show_batch_with).
    ///
    /// # Errors
    ///
    /// As [`show_batch_with`](Self::show_batch_with).
    pub fn show_batch(&self, rows: usize) -> Result<Figure> {
        self.show_batch_with(rows, DatasetType::Train)
    }

    /// A square of up to `rows` by `rows` images of the first batch of a part: as the model sees
    /// them, after their transforms, but not normalised. Small images are enlarged. Each is titled
    /// with its label: a class, classes, or numbers.
    ///
    /// ```
    /// # use vision_data::{DatasetType, ImageDataBunch, synthetic};
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
    /// As [`one_batch`](Self::one_batch), but for a training set that is smaller than a batch, which is
    /// shown whole; and [`Error::BadOption`] if `rows` is 0.
    pub fn show_batch_with(&self, rows: usize, part: DatasetType) -> Result<Figure> {
        if rows == 0 {
            return Err(Error::BadOption {
                option: "rows",
                expected: "at least 1",
                found: "0".to_owned(),
            });
        }
        let dataset = self.dataset(part)?;
        // A set that does not fill a batch can be looked at all the same.
        let batch_size = match part {
            DatasetType::Train => self.batch_size().min(dataset.len()),
            DatasetType::Single => 1,
            _ => self.val_batch_size(),
        };
        let batch = self.first_batch(part, batch_size)?;
        let mut grid = ImageGrid::new();
        for (position, &item) in batch
            .indices
            .iter()
            .enumerate()
            .take(rows.saturating_mul(rows))
        {
            if let Some(picture) = batch.picture(position) {
                grid = grid.with_image(picture, dataset.label_text(item).unwrap_or_default());
            }
        }
        grid.plot()
    }
}
