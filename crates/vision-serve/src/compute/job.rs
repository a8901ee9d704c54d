//! What waits in the queue.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::oneshot::Sender;
use vision_learner::Prediction;

use crate::compute::picture::Picture;
use crate::input::{Form, Opened};
use crate::limits::quota::Share;
use crate::refusal::Refusal;

/// The answer for an image.
#[derive(Debug)]
pub(crate) struct Predicted {
    pub(crate) prediction: Prediction,
    /// The heat map, if it was asked for, or why there is none.
    pub(crate) heatmap: Option<Result<Picture, String>>,
}

/// Whoever waits for a result. A request that was given up does not wait anymore.
pub(crate) type Reply<T> = Sender<Result<T, Refusal>>;

/// Work for a thread.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) task: Task,
    pub(crate) entered: Instant,
    /// The body counts as held until the job is done.
    pub(crate) body: Arc<Share>,
}

#[derive(Debug)]
pub(crate) enum Task {
    /// Takes the images out of a body.
    Open {
        form: Form,
        bytes: Bytes,
        reply: Reply<Opened>,
    },
    /// Predicts an encoded image.
    Predict {
        bytes: Bytes,
        heatmap: bool,
        reply: Reply<Predicted>,
    },
}

impl Job {
    pub(crate) fn new(task: Task, body: &Arc<Share>) -> Self {
        Self {
            task,
            entered: Instant::now(),
            body: Arc::clone(body),
        }
    }

    /// Whether the request still waits.
    pub(crate) fn is_wanted(&self) -> bool {
        !match &self.task {
            Task::Open { reply, .. } => reply.is_closed(),
            Task::Predict { reply, .. } => reply.is_closed(),
        }
    }
}
