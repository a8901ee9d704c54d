//! Predictions for the images of a folder.

use std::collections::VecDeque;
use std::fmt;
use std::path::{Path, PathBuf};

use rayon::current_num_threads;
use vision_data::files::image_files;

use crate::Result;
use crate::predict::predictions::Prediction;
use crate::predict::predictor::Predictor;

/// How many images each core is given at a time.
const IMAGES_PER_CORE: usize = 4;
/// Images at a time on a machine of many cores.
const MOST_IMAGES: usize = 256;

/// Predictions for the image files of a folder, in order: [`Predictor::predict_folder`].
///
/// It computes some images at a time, and holds the pixels of as many as there are cores.
#[must_use = "an iterator computes nothing before it is asked"]
pub struct FolderPredictions {
    predictor: Predictor,
    files: std::vec::IntoIter<PathBuf>,
    ready: VecDeque<(PathBuf, Result<Prediction>)>,
}

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
        Ok(FolderPredictions {
            predictor: self.clone(),
            files: image_files(path)?.into_iter(),
            ready: VecDeque::new(),
        })
    }
}

impl Iterator for FolderPredictions {
    type Item = (PathBuf, Result<Prediction>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty() {
            let images = (current_num_threads() * IMAGES_PER_CORE).min(MOST_IMAGES);
            let files: Vec<PathBuf> = self.files.by_ref().take(images).collect();
            let predictions = self.predictor.predict_files(&files);
            self.ready.extend(files.into_iter().zip(predictions));
        }
        self.ready.pop_front()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.files.len() + self.ready.len();
        (left, Some(left))
    }
}

impl ExactSizeIterator for FolderPredictions {}

impl fmt::Debug for FolderPredictions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FolderPredictions")
            .field("predictor", &self.predictor)
            .field("left", &self.len())
            .finish_non_exhaustive()
    }
}
