//! What the processes of a run have told each other.

use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

/// What a process of a [data parallel](crate::Learner::data_parallel) learner has sent to the others so far, and how long
/// it took to send and to receive, waiting for slower processes included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Sums of gradients, in two exchanges for each step. What connected GPUs add up themselves is not counted.
    pub gradients: Flow,
    /// Sums of synchronized batch norms.
    pub batch_norms: Flow,
    /// Sizes of batches, losses, predictions of validation batches and decisions.
    pub other: Flow,
}

/// Messages of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flow {
    /// How often all processes exchanged messages.
    pub exchanges: u64,
    /// Bytes that this process sent to others.
    pub bytes: u64,
    /// How long that took.
    pub time: Duration,
}

/// What an exchange is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Gradients,
    BatchNorms,
    Other,
}

impl Traffic {
    pub(super) fn add(&mut self, purpose: Purpose, flow: Flow) {
        *match purpose {
            Purpose::Gradients => &mut self.gradients,
            Purpose::BatchNorms => &mut self.batch_norms,
            Purpose::Other => &mut self.other,
        } += flow;
    }
}

impl AddAssign for Flow {
    fn add_assign(&mut self, more: Self) {
        self.exchanges += more.exchanges;
        self.bytes += more.bytes;
        self.time += more.time;
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} bytes in {} exchanges, {:.3} s",
            self.bytes,
            self.exchanges,
            self.time.as_secs_f64()
        )
    }
}

/// One line a kind.
impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "gradients: {}", self.gradients)?;
        writeln!(f, "batch norms: {}", self.batch_norms)?;
        write!(f, "other: {}", self.other)
    }
}
