//! Predictions for the images of a folder.

use std::path::{Path, PathBuf};

use vision_data::files::image_files;

use crate::Result;
use crate::predict::files::FilePredictions;
use crate::predict::predictor::Predictor;

/// Predictions for the image files of a folder, in order: [`Predictor::predict_folder`].
pub type FolderPredictions = FilePredictions<std::vec::IntoIter<PathBuf>>;

impl Predictor {
    /// Predicts all image files in a folder and its folders, sorted by path, as the files of a data set
    /// are found ([`image_files`]).
    ///
    /// A file that cannot be read or decoded is an item with its error; the others go on.
    ///
    /// ```no_run
    /// # fn main() -> vision_learner::Result<()> {
    /// let predictor = vision_learner::Predictor::open("pets.safetensors")?;
    /// for (path, prediction) in predictor.predict_folder("new")? {
    ///     match prediction {
    ///         Ok(prediction) => println!("{} {}", path.display(), prediction.class),
    ///         Err(error) => eprintln!("{error}"),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Data`](crate::Error::Data) if it is not a folder, or a folder in it cannot be read.
    pub fn predict_folder(&self, path: impl AsRef<Path>) -> Result<FolderPredictions> {
        Ok(self.predict_files(image_files(path)?))
    }
}
