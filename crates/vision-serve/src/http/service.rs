//! What answers requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::watch;
use vision_learner::Predictor;

use crate::compute::job::Job;
use crate::limits::queue::Queue;
use crate::limits::quota::Quota;
use crate::metrics::{Gauges, Metrics};
use crate::settings::Settings;

/// All that the answer to a request needs.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) settings: Settings,
    pub(crate) predictor: Predictor,
    pub(crate) queue: Arc<Queue<Job>>,
    pub(crate) connections: Arc<Quota>,
    /// Bytes of bodies in memory.
    pub(crate) bodies: Arc<Quota>,
    pub(crate) metrics: Arc<Metrics>,
    /// Requests that are being answered.
    pub(crate) requests: AtomicU64,
    /// Whether the service is being stopped.
    pub(crate) stop: watch::Receiver<bool>,
    /// What the model says about itself, as JSON.
    pub(crate) card: Bytes,
}

impl Service {
    pub(crate) fn is_ready(&self) -> bool {
        !*self.stop.borrow()
    }

    pub(crate) fn gauges(&self) -> Gauges {
        Gauges {
            ready: self.is_ready(),
            connections: self.connections.all(),
            requests: self.requests.load(Ordering::SeqCst),
            queue: self.queue.len() as u64,
            held_bytes: self.bodies.all(),
        }
    }

    /// Counts a request until what it returns is dropped.
    pub(crate) fn request(&self) -> Answering<'_> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        Answering(&self.requests)
    }
}

/// A request that is being answered.
pub(crate) struct Answering<'a>(&'a AtomicU64);

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
