//! How a learner trains with others.

use std::sync::Arc;

use crate::learner::Learner;
use crate::parallel::collective::Collective;
use crate::parallel::ranks::Ranks;
use crate::parallel::traffic::Traffic;

/// The processes that train one model together, and how: for [`Learner::data_parallel`].
#[derive(Debug)]
#[must_use]
pub struct DataParallel {
    engine: Box<dyn Collective>,
    local_batch_norm: bool,
}

impl DataParallel {
    /// With the processes that are connected by `engine`.
    pub fn new(engine: impl Collective + 'static) -> Self {
        Self {
            engine: Box::new(engine),
            local_batch_norm: false,
        }
    }

    /// The number of this process, from 0.
    pub fn rank(&self) -> usize {
        self.engine.rank()
    }

    /// Sets whether batch norms normalize with the statistics of the part of a batch that a process has. Default: no, with
    /// those of the whole batch, as one process would. That needs the processor (`cpu`), two small exchanges for each batch
    /// norm, and our own layers: a batch norm of Burn in a model of your own is always local.
    ///
    /// With local batch norms, running statistics are averaged over the processes after each step, weighted by their numbers
    /// of items, and the course of a fit depends on the number of processes.
    #[doc(alias = "SyncBatchNorm")]
    pub fn with_local_batch_norm(mut self, local: bool) -> Self {
        self.local_batch_norm = local;
        self
    }
}

impl<C: Collective + 'static> From<C> for DataParallel {
    fn from(engine: C) -> Self {
        Self::new(engine)
    }
}

impl Learner {
    /// Trains from now on together with other processes, each of which has built the same learner on the same data. Each
    /// loads and computes its part of every batch; losses, gradients and decisions are those of the whole batch, so that a
    /// fit is that of one process with this batch size, up to rounding: order, augmentation, dropout and batch norms included.
    ///
    /// The first process, rank 0, prints and writes files; checkpoints and runs of [resumable](crate::FitConfig::resumable)
    /// fits are read from its disk for all of them. A resumable fit can go on with another number of processes. Metrics are
    /// those of the whole validation set on every rank. Predictions after training are not shared: each process that asks for
    /// them makes all.
    ///
    /// Each fit begins with a comparison of data, settings, weights and versions of all processes. One that dies, or answers
    /// nothing for longer than a limit, ends the fit of all others with [`Error::LostRank`](crate::Error::LostRank).
    ///
    /// ```
    /// use vision_data::ImageDataBunch;
    /// use vision_data::datasets::synthetic;
    /// use vision_learner::{Sockets, create_cnn};
    /// use vision_models::Arch;
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = synthetic::digits(&folder.path().join("digits"), 1, 8, 2).unwrap();
    /// // Two threads in place of two processes.
    /// let losses = std::thread::scope(|scope| {
    ///     let ranks = Sockets::local(2)?;
    ///     let threads: Vec<_> = ranks.into_iter().map(|sockets| scope.spawn(|| {
    ///         let data = ImageDataBunch::from_folder(&path).batch_size(8).build()?;
    ///         let mut learner = create_cnn(data, Arch::SqueezeNet1_1).pretrained(false).silent(true).build()?;
    ///         learner.data_parallel(sockets);
    ///         Ok(learner.fit(1, 1e-3)?.raw_losses)
    ///     })).collect();
    ///     threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Result<Vec<_>, vision_learner::Error>>()
    /// })?;
    /// assert_eq!(losses[0], losses[1]);
    /// # Ok::<(), vision_learner::Error>(())
    /// ```
    #[doc(alias("DistributedDataParallel", "to_distributed", "ddp"))]
    pub fn data_parallel(&mut self, with: impl Into<DataParallel>) {
        let DataParallel {
            engine,
            local_batch_norm,
        } = with.into();
        self.parallel = Some(Arc::new(Ranks::new(engine, !local_batch_norm)));
    }

    /// What this process has sent to the others so far; `None` if it trains alone.
    pub fn traffic(&self) -> Option<Traffic> {
        self.parallel.as_ref().map(|ranks| ranks.traffic())
    }

    /// Whether this process prints and writes.
    pub(crate) fn is_main(&self) -> bool {
        self.parallel.as_ref().is_none_or(|ranks| ranks.is_main())
    }
}
