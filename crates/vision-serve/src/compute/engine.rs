//! Does the work of the queue.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Instant;

use bytes::Bytes;
use vision_base::message::{panic_message, shown};
use vision_data::{Image, Limits};
use vision_learner::{Predictor, Result};

use crate::compute::batcher::Waiting;
use crate::compute::job::{Job, Predicted, Reply, Task};
use crate::compute::picture::Picture;
use crate::input;
use crate::limits::queue::Queue;
use crate::limits::quota::Share;
use crate::metrics::Metrics;
use crate::refusal::Refusal;

/// What a thread needs to do a job.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    pub(crate) predictor: Predictor,
    pub(crate) limits: Limits,
    pub(crate) max_images: usize,
    pub(crate) metrics: Arc<Metrics>,
    /// Where images are computed in batches; without it, the thread that decodes an image computes it too.
    pub(crate) batches: Option<SyncSender<Waiting>>,
    /// Threads that are decoding.
    pub(crate) decoding: Arc<AtomicUsize>,
}

impl Engine {
    /// Does jobs until there are no more.
    pub(crate) fn run(&self, queue: &Queue<Job>) {
        while let Some(job) = queue.pop() {
            if !job.is_wanted() {
                self.metrics.given_up.add(1);
                continue;
            }
            self.metrics.queue_seconds.observe(job.entered.elapsed());
            self.decoding.fetch_add(1, Ordering::SeqCst);
            self.work(job.task, job.body);
            self.decoding.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn work(&self, task: Task, body: Arc<Share>) {
        match task {
            Task::Open { form, bytes, reply } => {
                let opened = guarded(&self.metrics, || input::open(form, bytes, self.max_images));
                // Nobody waits anymore: nothing to do.
                let _ = reply.send(opened);
            }
            Task::Predict {
                bytes,
                heatmap,
                reply,
            } => match &self.batches {
                None => self.predict(&bytes, heatmap, reply),
                Some(batches) => self.prepare(&bytes, heatmap, reply, batches, body),
            },
        }
    }

    /// Decodes and computes an image.
    fn predict(&self, bytes: &Bytes, heatmap: bool, reply: Reply<Predicted>) {
        let begin = Instant::now();
        let answer = guarded(&self.metrics, || {
            let work = |image: &Image| -> Result<Predicted> {
                Ok(Predicted {
                    prediction: self.predictor.predict(image)?,
                    heatmap: heatmap.then(|| Picture::of(&self.predictor, image)),
                })
            };
            let preprocessor = self.predictor.preprocessor();
            let answer = preprocessor.decode_with(bytes, &self.limits, work);
            answer.map_err(|error| Refusal::from(&error))
        });
        self.metrics.predicted(&answer, begin.elapsed());
        let _ = reply.send(answer);
    }

    /// Decodes an image, and leaves the rest to the batches.
    fn prepare(
        &self,
        bytes: &Bytes,
        heatmap: bool,
        reply: Reply<Predicted>,
        batches: &SyncSender<Waiting>,
        body: Arc<Share>,
    ) {
        let begin = Instant::now();
        let prepared = guarded(&self.metrics, || {
            let work = |image: &Image| -> Result<_> {
                let map = heatmap.then(|| Picture::of(&self.predictor, image));
                Ok((self.predictor.prepare(image)?, map))
            };
            let preprocessor = self.predictor.preprocessor();
            let prepared = preprocessor.decode_with(bytes, &self.limits, work);
            prepared.map_err(|error| Refusal::from(&error))
        });
        match prepared {
            Ok((image, heatmap)) => {
                let waiting = Waiting {
                    image,
                    heatmap,
                    reply,
                    begin,
                    _body: body,
                };
                // It ends after all threads that send to it.
                let _ = batches.send(waiting);
            }
            Err(refusal) => {
                let answer = Err(refusal);
                self.metrics.predicted(&answer, begin.elapsed());
                let _ = reply.send(answer);
            }
        }
    }
}

/// Turns a panic, which is a fault of ours, into the answer of this request alone.
pub(super) fn guarded<T>(
    metrics: &Metrics,
    work: impl FnOnce() -> std::result::Result<T, Refusal>,
) -> std::result::Result<T, Refusal> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        metrics.panics.add(1);
        let message = format!("the work failed: {}", shown(panic_message(&*panic)));
        Err(Refusal::internal(message))
    })
}
