//! Batches, for devices that compute several images in the time of one.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use vision_learner::{Prediction, Predictor, Prepared};

use crate::compute::engine::guarded;
use crate::compute::job::{Predicted, Reply};
use crate::compute::picture::Picture;
use crate::limits::quota::Share;
use crate::metrics::Metrics;
use crate::refusal::Refusal;

/// A prepared image that waits to be computed.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) image: Prepared,
    pub(crate) heatmap: Option<Result<Picture, String>>,
    pub(crate) reply: Reply<Predicted>,
    pub(crate) begin: Instant,
    pub(crate) _body: Arc<Share>,
}

/// Makes batches of what comes, and computes them.
#[derive(Debug)]
pub(crate) struct Batcher<M> {
    pub(crate) predictor: Predictor,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) most: usize,
    pub(crate) wait: Duration,
    /// Whether more images are on their way.
    pub(crate) more: M,
}

impl<M: Fn() -> bool> Batcher<M> {
    /// Computes until nobody sends anymore.
    pub(crate) fn run(&self, waiting: &Receiver<Waiting>) {
        while let Ok(first) = waiting.recv() {
            let batch = self.batch(first, waiting);
            self.compute(batch);
        }
    }

    /// What waits, and what comes within the wait.
    fn batch(&self, first: Waiting, waiting: &Receiver<Waiting>) -> Vec<Waiting> {
        let end = Instant::now() + self.wait;
        let mut batch = vec![first];
        while batch.len() < self.most {
            match waiting.try_recv() {
                Ok(next) => {
                    batch.push(next);
                    continue;
                }
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => {}
            }
            // A lone request is not kept waiting.
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || !(self.more)() {
                break;
            }
            // What is on its way may turn out not to be an image.
            match waiting.recv_timeout(left.min(Duration::from_micros(200))) {
                Ok(next) => batch.push(next),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        batch
    }

    fn compute(&self, mut batch: Vec<Waiting>) {
        let before = batch.len();
        batch.retain(|waiting| !waiting.reply.is_closed());
        self.metrics.given_up.add((before - batch.len()) as u64);
        if batch.is_empty() {
            return;
        }
        self.metrics.batch_images.observe_count(batch.len());
        let images = batch.iter().map(|waiting| waiting.image.clone());
        let images: Vec<Prepared> = images.collect();
        let alone = images.len() == 1;
        let all = guarded(&self.metrics, || {
            Ok(self.predictor.predict_prepared(images))
        });
        match all {
            Ok(results) => {
                for (waiting, result) in batch.into_iter().zip(results) {
                    self.answer(waiting, result.map_err(|error| Refusal::from(&error)));
                }
            }
            Err(refusal) if alone => {
                for waiting in batch {
                    self.answer(waiting, Err(refusal.clone()));
                }
            }
            // One of them is at fault, and the others must not suffer from it.
            Err(_) => {
                for waiting in batch {
                    let image = vec![waiting.image.clone()];
                    let result = guarded(&self.metrics, || {
                        let result = self.predictor.predict_prepared(image).pop();
                        let result = result.ok_or_else(|| Refusal::internal("no result"))?;
                        result.map_err(|error| Refusal::from(&error))
                    });
                    self.answer(waiting, result);
                }
            }
        }
    }

    fn answer(&self, waiting: Waiting, result: Result<Prediction, Refusal>) {
        let answer = result.map(|prediction| Predicted {
            prediction,
            heatmap: waiting.heatmap,
        });
        self.metrics.predicted(&answer, waiting.begin.elapsed());
        let _ = waiting.reply.send(answer);
    }
}
