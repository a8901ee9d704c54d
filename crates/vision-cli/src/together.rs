//! Training together with other processes.

use std::env;
use std::time::Duration;

use tempfile::TempDir;
use vision::base::io_error;
use vision::learner::{DataParallel, Sockets};

use crate::failure::{Failure, Result};
use crate::options::processes::{Process, ProcessOptions};
use crate::options::train::TrainOptions;
use crate::output;
use crate::run_folder::RunFolder;

/// How long processes wait for each other at first. Schedulers of clusters start them one by one.
const PATIENCE: Duration = Duration::from_secs(600);
/// By which launchers say how many processes they have started: Open MPI; MPICH, Intel MPI and Slurm.
const LAUNCHED: [&str; 2] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"];

/// The processes that train together, as one of them sees them.
#[derive(Debug, Default)]
pub(crate) struct Together {
    /// `None` for a process alone.
    pub(crate) processes: Option<DataParallel>,
    /// In place of the folder of the run, in which the first process writes.
    scratch: Option<TempDir>,
}

impl Together {
    /// Finds the other processes, if there are any. All but the first are silent from now on.
    pub(crate) fn join(options: &ProcessOptions) -> Result<Self> {
        let processes = match (options.process, &options.meet) {
            (Some(Process { rank, ranks }), Some(meet)) => {
                let sockets = Sockets::meet(rank, ranks, meet, PATIENCE)?;
                Some(DataParallel::new(sockets))
            }
            _ if launched() > 1 => Some(by_mpi()?),
            _ => None,
        };
        let rank = processes.as_ref().map_or(0, DataParallel::rank);
        if rank == 0 {
            return Ok(Self {
                processes,
                scratch: None,
            });
        }
        output::mute(rank);
        let scratch = tempfile::tempdir();
        let scratch = scratch.map_err(io_error("create a folder in", &env::temp_dir()))?;
        Ok(Self {
            processes,
            scratch: Some(scratch),
        })
    }

    /// Whether this is the process that prints and writes.
    pub(crate) fn is_main(&self) -> bool {
        self.scratch.is_none()
    }

    /// A folder for the run of a process that is not the first.
    pub(crate) fn scratch(&self) -> Result<Option<RunFolder>> {
        let scratch = self.scratch.as_ref();
        scratch
            .map(|folder| RunFolder::create(folder.path(), false))
            .transpose()
    }

    /// Refuses what processes cannot share.
    pub(crate) fn check(&self, options: &TrainOptions) -> Result<()> {
        if self.processes.is_none() {
            return Ok(());
        }
        if options.course.folds.is_some() {
            return Err(Failure::usage(
                "--folds trains one model after the other, each with one process: start it without other processes",
            ));
        }
        if options.course.mixup.is_some() {
            return Err(Failure::usage(
                "--mixup mixes images of a whole batch, of which each of several processes has a part: leave it out, or train \
                 with one process",
            ));
        }
        Ok(())
    }
}

/// How many processes a launcher has started.
fn launched() -> usize {
    let sizes = LAUNCHED.iter().filter_map(|name| env::var(name).ok());
    let sizes = sizes.filter_map(|size| size.parse().ok());
    sizes.max().unwrap_or(1)
}

#[cfg(feature = "mpi")]
fn by_mpi() -> Result<DataParallel> {
    Ok(DataParallel::new(vision::learner::Mpi::start()?))
}

#[cfg(not(feature = "mpi"))]
fn by_mpi() -> Result<DataParallel> {
    Err(Failure::usage(format!(
        "{} copies of this program were started together, and it was built without MPI, so that each would train alone: \
         build it with `--features mpi`, or give each a --process and all the same --meet",
        launched()
    )))
}
