//! Loading: worker threads prepare the batches of an epoch.
//!
//! The content of batch k depends only on (seed, epoch, k), not on the thread that prepares it. With n
//! workers, worker w prepares batches w, w + n, w + 2n and so on, each into its own queue, and the
//! queues are read in turn. Batches therefore arrive in order without sorting, and at most two
//! per worker are in memory.

pub(crate) mod batch;
pub(crate) mod part;
pub(crate) mod share;
pub(crate) mod stats;
pub(crate) mod upload;

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::databunch::dataset::ImageDataset;
use crate::databunch::error::DataError;
use crate::error::{Error, Result};
use crate::image::error::ImageError;
use crate::image::problem::ImageProblem;
use crate::image::size::PixelSize;
use crate::loader::batch::{Batch, Collation};
use crate::loader::share::Share;
use crate::pipeline::Pipeline;
use crate::pipeline::pixels::Pixels;
use crate::rng::{Purpose, Rng};
use crate::transforms::batch::{self as batch_transforms, BatchTransform};

/// How to handle an image that cannot be decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadImages {
    /// Stop with an error that names it.
    #[default]
    Fail,
    /// Skip it and continue; [`Loader::skipped`] lists it. Its batch is smaller by one. A batch that would
    /// be empty is skipped too. So is, in training, a batch that would be left with a single item, on
    /// which batch normalization cannot work.
    Skip,
}

/// An image that was skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedImage {
    /// Its position in its data set.
    pub index: usize,
    /// Its file, or its name in the source.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// The contents of an epoch.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) dataset: ImageDataset,
    pub(crate) pipeline: Arc<Pipeline>,
    /// Positions in the data set, in the order of the epoch, without a dropped last batch.
    pub(crate) order: Vec<usize>,
    /// How often each item occurred earlier in the order, so that it is transformed differently
    /// each time; empty if each item occurs once.
    pub(crate) repeats: Vec<u32>,
    pub(crate) batch_size: usize,
    pub(crate) seed: u64,
    pub(crate) epoch: u64,
    pub(crate) training: bool,
    pub(crate) bad_images: BadImages,
    /// Empty outside training.
    pub(crate) batch_transforms: Arc<[BatchTransform]>,
    /// The part of each batch that is loaded.
    pub(crate) share: Share,
}

/// One batch, if any items are left in it, and the skipped images.
#[derive(Debug)]
struct Prepared {
    batch: Option<Batch>,
    skipped: Vec<SkippedImage>,
}

impl Plan {
    fn batches(&self) -> usize {
        self.order.len().div_ceil(self.batch_size.max(1))
    }

    /// The places in the order of this share of batch `number`.
    fn places(&self, number: usize) -> Range<usize> {
        let place = |number: usize| {
            let place = number.saturating_mul(self.batch_size);
            place.min(self.order.len())
        };
        self.share
            .of(place(number)..place(number.saturating_add(1)))
    }

    /// Prepares batch `number`; `None` if `stop` is set in the meantime.
    fn prepare(&self, number: usize, stop: &AtomicBool) -> Option<Result<Prepared>> {
        let most = self
            .batch_size
            .min(self.order.len())
            .div_ceil(self.share.ranks());
        let mut images = Collation::new(most);
        let mut indices = Vec::with_capacity(most);
        let mut skipped = Vec::new();
        self.expect(number);
        for place in self.places(number) {
            let index = self.order[place];
            if stop.load(Ordering::Relaxed) {
                return None;
            }
            match self.item(index, place) {
                Ok(pixels) => {
                    let size = pixels.size();
                    if let Err(first_size) = images.push(pixels) {
                        let first = *indices.first().expect("there is one to differ from");
                        return Some(Err(self.sizes_differ((first, first_size), (index, size))));
                    }
                    indices.push(index);
                }
                Err(Error::Image(ImageError::Decode { path, problem }))
                    if self.bad_images == BadImages::Skip
                        && !matches!(problem, ImageProblem::Unavailable(_)) =>
                {
                    skipped.push(SkippedImage {
                        index,
                        path,
                        reason: problem.to_string(),
                    });
                }
                Err(error) => return Some(Err(error)),
            }
        }
        // A single item is left of a larger batch: too small to train on. Whoever has a part of it decides that with the
        // others.
        let is_whole = self.share == Share::WHOLE;
        let useless = is_whole && self.training && indices.len() == 1 && !skipped.is_empty();
        let images = images.finish().filter(|_| !useless);
        let batch = images.map(|mut images| {
            let mut rng = Rng::keyed(Purpose::Mix, self.seed, self.epoch, number as u64);
            let mix = batch_transforms::apply(&self.batch_transforms, &mut images, &mut rng);
            Batch {
                images,
                labels: self.dataset.labels().select(&indices),
                indices,
                mix,
            }
        });
        Some(Ok(Prepared { batch, skipped }))
    }

    /// Tells the source of the images of a later batch, as far ahead of batch `number` as it likes.
    fn expect(&self, number: usize) {
        let ahead = self.dataset.read_ahead();
        if ahead > 0 {
            let later = number.saturating_add(ahead.div_ceil(self.batch_size));
            for place in self.places(later) {
                self.dataset.expect(self.order[place]);
            }
        }
    }

    /// Prepares item `index`, at `place` in the order.
    fn item(&self, index: usize, place: usize) -> Result<Pixels> {
        // Held until the pixels of the file are no longer needed.
        let image = self.dataset.load(index)?;
        let repeat = self.repeats.get(place).copied().unwrap_or(0) as usize;
        let key = index + repeat * self.dataset.len();
        let mut rng = Rng::keyed(Purpose::Augment, self.seed, self.epoch, key as u64);
        let pixels = self.pipeline.apply(&image, &mut rng);
        pixels.map_err(|failed| failed.on(self.path(index)).into())
    }

    fn path(&self, index: usize) -> &Path {
        let path = self.dataset.path(index);
        path.expect("an order holds positions of the data set")
    }

    fn sizes_differ(&self, first: (usize, PixelSize), second: (usize, PixelSize)) -> Error {
        let path = |index| self.path(index).to_owned();
        Error::Image(ImageError::SizesDiffer {
            first: path(first.0),
            first_size: first.1,
            second: path(second.0),
            second_size: second.1,
            hint: self.pipeline.sizes_hint(),
        })
    }
}

/// The batches of one epoch in order: an iterator over `Result<Batch>`, which ends after an error.
///
/// Dropping it ends its threads.
pub struct Loader {
    plan: Arc<Plan>,
    first: usize,
    next: usize,
    skipped: Vec<SkippedImage>,
    waited: Duration,
    workers: Vec<Worker>,
    stop: Arc<AtomicBool>,
}

struct Worker {
    queue: Receiver<Result<Prepared>>,
    thread: JoinHandle<()>,
}

impl Loader {
    /// Starts at batch `first` of the plan, with up to `num_workers` threads; with 0, the calling thread does the
    /// work.
    pub(crate) fn new(plan: Plan, first: usize, num_workers: usize) -> Result<Self> {
        let num_workers = num_workers.min(plan.batches().saturating_sub(first));
        let mut loader = Self {
            plan: Arc::new(plan),
            first,
            next: first,
            skipped: Vec::new(),
            waited: Duration::ZERO,
            workers: Vec::with_capacity(num_workers),
            stop: Arc::new(AtomicBool::new(false)),
        };
        for worker in 0..num_workers {
            let (plan, stop) = (Arc::clone(&loader.plan), Arc::clone(&loader.stop));
            let (sender, queue) = sync_channel(1);
            let thread = thread::Builder::new()
                .name(format!("vision-loader-{worker}"))
                .spawn(move || {
                    for number in (first + worker..plan.batches()).step_by(num_workers) {
                        // The receiver is gone, or the loader was stopped.
                        let Some(batch) = plan.prepare(number, &stop) else {
                            return;
                        };
                        let failed = batch.is_err();
                        if sender.send(batch).is_err() || failed {
                            return;
                        }
                    }
                })
                .map_err(|error| {
                    Error::Data(DataError::Worker {
                        reason: format!("it could not be started: {error}"),
                    })
                })?;
            loader.workers.push(Worker { queue, thread });
        }
        Ok(loader)
    }

    /// The number of batches in the whole epoch, if no images are skipped.
    pub fn batches(&self) -> usize {
        self.plan.batches()
    }

    /// The position in the epoch: the number of batches before the next one, with those that were skipped as a whole
    /// and those before the first one of this loader.
    pub fn passed(&self) -> usize {
        self.next
    }

    /// The images skipped so far, under [`BadImages::Skip`].
    pub fn skipped(&self) -> &[SkippedImage] {
        &self.skipped
    }

    /// The total time spent in [`next`](Iterator::next) so far, during which training had to wait for a
    /// batch. Without worker threads, this includes all the work.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    fn prepared(&self, number: usize) -> Result<Prepared> {
        let Some(worker) = (number - self.first)
            .checked_rem(self.workers.len())
            .and_then(|w| self.workers.get(w))
        else {
            return self
                .plan
                .prepare(number, &self.stop)
                .unwrap_or_else(|| Err(died()));
        };
        worker.queue.recv().unwrap_or_else(|_| Err(died()))
    }

    /// Ends the threads and waits for them. Each finishes at most its current image.
    fn finish(&mut self) {
        self.next = self.plan.batches();
        self.stop.store(true, Ordering::Relaxed);
        // Close all queues before joining any thread, since a full queue blocks its thread.
        let threads: Vec<JoinHandle<()>> = self.workers.drain(..).map(|w| w.thread).collect();
        for thread in threads {
            // A panic of the thread has already been reported as an early end.
            let _ = thread.join();
        }
    }
}

fn died() -> Error {
    Error::Data(DataError::Worker {
        reason: "it ended before it had finished".to_owned(),
    })
}

impl Loader {
    /// The next batch, `None` inside if nothing is left of it, and the number of its images that were skipped.
    pub(crate) fn next_prepared(&mut self) -> Option<Result<(Option<Batch>, usize)>> {
        if self.next >= self.plan.batches() {
            return None;
        }
        let begin = Instant::now();
        let prepared = self.prepared(self.next);
        self.waited += begin.elapsed();
        self.next += 1;
        match prepared {
            Ok(Prepared { batch, skipped }) => {
                let count = skipped.len();
                self.skipped.extend(skipped);
                Some(Ok((batch, count)))
            }
            Err(error) => {
                self.finish();
                Some(Err(error))
            }
        }
    }
}

impl Iterator for Loader {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.next_prepared()? {
                Ok((Some(batch), _)) => return Some(Ok(batch)),
                Ok((None, _)) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // An error or a skipped batch may end the epoch earlier.
        (0, Some(self.plan.batches() - self.next))
    }
}

impl std::iter::FusedIterator for Loader {}

impl Drop for Loader {
    fn drop(&mut self) {
        self.finish();
    }
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader")
            .field("next", &self.next)
            .field("batches", &self.batches())
            .field("workers", &self.workers.len())
            .field("skipped", &self.skipped.len())
            .finish_non_exhaustive()
    }
}
