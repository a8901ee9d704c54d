//! Predictions for a stream of files.

use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;

use rayon::current_num_threads;
use vision_base::OptionError;

use crate::Result;
use crate::predict::predictions::Prediction;
use crate::predict::predictor::Predictor;
use crate::predict::threshold::Threshold;

/// How many images each core is given at a time.
const IMAGES_PER_CORE: usize = 4;
/// Images at a time on a machine of many cores.
const MOST_IMAGES: usize = 256;
/// The most that can be asked for at a time.
const MOST_ASKED: usize = 65_536;

/// Predictions for image files, in order: [`Predictor::predict_files`].
///
/// It computes some images at a time, and holds the pixels of as many as there are cores.
#[must_use = "an iterator computes nothing before it is asked"]
pub struct FilePredictions<I> {
    predictor: Predictor,
    files: I,
    images: usize,
    threshold: Threshold,
    ready: VecDeque<(PathBuf, Result<Prediction>)>,
}

impl Predictor {
    /// Predicts image files, in order: a list, or a stream that names them one by one. Memory does not grow with their
    /// number.
    ///
    /// A file that cannot be read or decoded is an item with its error; the others go on.
    ///
    /// ```no_run
    /// # fn main() -> vision_learner::Result<()> {
    /// let predictor = vision_learner::Predictor::open("pets.safetensors")?;
    /// let files = std::io::stdin().lines().map_while(Result::ok);
    /// for (path, prediction) in predictor.predict_files(files).with_images(8)? {
    ///     match prediction {
    ///         Ok(prediction) => println!("{} {}", path.display(), prediction.class),
    ///         Err(error) => eprintln!("{error}"),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn predict_files<P: Into<PathBuf>, F: IntoIterator<Item = P>>(
        &self,
        files: F,
    ) -> FilePredictions<F::IntoIter> {
        FilePredictions {
            predictor: self.clone(),
            files: files.into_iter(),
            images: (current_num_threads() * IMAGES_PER_CORE).min(MOST_IMAGES),
            threshold: self.threshold(),
            ready: VecDeque::new(),
        }
    }
}

impl<I> FilePredictions<I> {
    /// Sets how many images are computed at a time, 1 to 65,536. Default: 4 for each core.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) for another number.
    pub fn with_images(mut self, images: usize) -> Result<Self> {
        if !(1..=MOST_ASKED).contains(&images) {
            let expected = format!("1 to {MOST_ASKED} at a time");
            return Err(OptionError::new("images", expected, images).into());
        }
        self.images = images;
        Ok(self)
    }

    /// Sets the probability from which on an item has a class, if items may have several: one for all classes, or one for
    /// each. Default: that of the predictor.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) if it is no probability, or if there is not one for each class.
    pub fn with_threshold(mut self, threshold: impl Into<Threshold>) -> Result<Self> {
        let threshold = threshold.into();
        threshold.check(self.predictor.0.outputs)?;
        self.threshold = threshold;
        Ok(self)
    }
}

impl<P: Into<PathBuf>, I: Iterator<Item = P>> Iterator for FilePredictions<I> {
    type Item = (PathBuf, Result<Prediction>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty() {
            let files = self.files.by_ref().take(self.images).map(Into::into);
            let files: Vec<PathBuf> = files.collect();
            let predictor = &self.predictor;
            let predictions =
                predictor
                    .0
                    .predict_all(&files, predictor.variants(), &self.threshold);
            self.ready.extend(files.into_iter().zip(predictions));
        }
        self.ready.pop_front()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let ready = self.ready.len();
        let (low, high) = self.files.size_hint();
        let high = high.and_then(|high| high.checked_add(ready));
        (low.saturating_add(ready), high)
    }
}

impl<P: Into<PathBuf>, I: ExactSizeIterator<Item = P>> ExactSizeIterator for FilePredictions<I> {}

impl<I> fmt::Debug for FilePredictions<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FilePredictions")
            .field("predictor", &self.predictor)
            .field("images", &self.images)
            .field("threshold", &self.threshold)
            .finish_non_exhaustive()
    }
}
