//! Processes that are connected by MPI.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mpi::Threading;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, Destination, MatchedReceiveVec, Source};
use vision_base::OptionError;

use crate::parallel::collective::{Collective, LostRank};
use crate::{Error, Result};

/// The processes that `mpirun` has started, connected by MPI: the engine that clusters have, which knows their networks.
///
/// ```no_run
/// # fn learner() -> vision_learner::Learner { unimplemented!() }
/// use vision_learner::Mpi;
///
/// // mpirun -n 4 PROGRAM
/// let mut learner = learner();
/// learner.data_parallel(Mpi::start()?);
/// learner.fit_one_cycle(4, 1e-3)?;
/// # Ok::<(), vision_learner::Error>(())
/// ```
#[derive(Debug)]
pub struct Mpi {
    rank: usize,
    ranks: usize,
    library: String,
    limit: Duration,
    link: Mutex<Link>,
}

/// The thread that calls MPI: the library may be called by the one that has started it only.
#[derive(Debug)]
struct Link {
    jobs: Option<Sender<Job>>,
    done: Receiver<Reply>,
    thread: Option<JoinHandle<()>>,
    /// Whether the thread waits for messages that never come.
    stuck: bool,
}

/// What the other ranks have sent.
type Reply = std::result::Result<Vec<Vec<u8>>, LostRank>;

#[derive(Debug)]
enum Job {
    Exchange {
        sent: Vec<Vec<u8>>,
        received: Vec<usize>,
        limit: Duration,
    },
    Leave(String),
}

/// How long nothing may come from another process by default.
const LIMIT: Duration = Duration::from_secs(300);
/// Data of a rank that has ended may come after the news of its end.
const GRACE: Duration = Duration::from_secs(1);
/// How often to look before sleeping: messages come within microseconds or much later.
const EAGER: u32 = 1000;
const PAUSE: Duration = Duration::from_micros(50);

const DATA: mpi::Tag = 1;
const LOST: mpi::Tag = 2;

impl Mpi {
    /// Starts MPI in this process, once. The process ends MPI when this is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::Meeting`] if MPI cannot be started, or was started before.
    pub fn start() -> Result<Self> {
        let (jobs, todo) = channel();
        let (reply, done) = channel();
        let (started, hello) = channel();
        let thread = thread::Builder::new()
            .name("vision-mpi".to_owned())
            .spawn(move || serve(&started, &todo, &reply));
        let failed = |reason: String| Error::Meeting {
            address: "MPI".to_owned(),
            reason,
        };
        let thread = thread.map_err(|error| failed(error.to_string()))?;
        let (rank, ranks, library) = hello.recv().map_err(|_| {
            failed("it cannot be started, or this process has started it before".to_owned())
        })?;
        Ok(Self {
            rank,
            ranks,
            library,
            limit: LIMIT,
            link: Mutex::new(Link {
                jobs: Some(jobs),
                done,
                thread: Some(thread),
                stuck: false,
            }),
        })
    }

    /// Sets for how long nothing may come from another process before it counts as lost. Default: five minutes.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) for less than a millisecond, and for more than a year.
    pub fn with_limit(mut self, limit: Duration) -> Result<Self> {
        let most = Duration::from_secs(365 * 24 * 3600);
        if !(Duration::from_millis(1)..=most).contains(&limit) {
            let expected = "a time from 1 ms to a year";
            return Err(OptionError::new("limit", expected, format!("{limit:?}")).into());
        }
        self.limit = limit;
        Ok(self)
    }
}

impl Collective for Mpi {
    fn name(&self) -> String {
        self.library.clone()
    }

    fn rank(&self) -> usize {
        self.rank
    }

    fn ranks(&self) -> usize {
        self.ranks
    }

    fn exchange(
        &self,
        sent: &[&[u8]],
        received: &mut [&mut [u8]],
    ) -> std::result::Result<(), LostRank> {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        let own = |reason: &str| LostRank {
            rank: self.rank,
            reason: reason.to_owned(),
        };
        let job = Job::Exchange {
            sent: sent.iter().map(|bytes| bytes.to_vec()).collect(),
            received: received.iter().map(|bytes| bytes.len()).collect(),
            limit: self.limit,
        };
        let ended = || own("its thread of MPI has ended");
        let jobs = link.jobs.as_ref().ok_or_else(ended)?;
        jobs.send(job).map_err(|_| ended())?;
        // The thread keeps the limit itself, unless the library holds it.
        let most = self.limit.saturating_add(GRACE * 10);
        let result = link.done.recv_timeout(most).unwrap_or_else(|error| {
            Err(match error {
                RecvTimeoutError::Timeout => own("MPI does not return: a message stays incomplete"),
                RecvTimeoutError::Disconnected => ended(),
            })
        });
        link.stuck |= result.is_err();
        for (to, from) in received.iter_mut().zip(result?) {
            if to.len() == from.len() {
                to.copy_from_slice(&from);
            }
        }
        Ok(())
    }

    fn leave(&self, reason: &str) {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(jobs) = &link.jobs
            && jobs.send(Job::Leave(reason.to_owned())).is_ok()
        {
            let _ = link.done.recv_timeout(GRACE);
        }
        link.stuck = true;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take().filter(|_| !self.stuck) {
            // MPI has to be ended before the process does.
            let _ = thread.join();
        }
    }
}

/// What the thread of MPI does.
fn serve(started: &Sender<(usize, usize, String)>, jobs: &Receiver<Job>, reply: &Sender<Reply>) {
    let Some((universe, _)) = mpi::initialize_with_threading(Threading::Funneled) else {
        return;
    };
    let world = universe.world();
    let (rank, ranks) = (world.rank() as usize, world.size() as usize);
    let library = mpi::environment::library_version().unwrap_or_default();
    let library = library.split(',').next().unwrap_or("MPI").to_owned();
    if started.send((rank, ranks, library)).is_err() {
        return;
    }
    // Ends when the process no longer needs MPI.
    for job in jobs {
        match job {
            Job::Exchange {
                sent,
                received,
                limit,
            } => {
                let got = exchange(&world, &sent, &received, limit, reply);
                if reply.send(Ok(got)).is_err() {
                    return;
                }
            }
            Job::Leave(reason) => {
                tell(&world, rank, &reason);
                let _ = reply.send(Ok(Vec::new()));
                wait_for_the_end();
            }
        }
    }
    tell(&world, rank, "it has ended");
}

/// One exchange. Without its end nothing is returned: messages that are on their way keep their memory until the process
/// ends, which is what a lost rank leads to.
fn exchange(
    world: &SimpleCommunicator,
    sent: &[Vec<u8>],
    lens: &[usize],
    limit: Duration,
    reply: &Sender<Reply>,
) -> Vec<Vec<u8>> {
    let own = world.rank() as usize;
    let lost = |rank: usize, reason: String| -> ! {
        tell(world, rank, &reason);
        let _ = reply.send(Err(LostRank { rank, reason }));
        wait_for_the_end()
    };
    let mut got: Vec<Option<Vec<u8>>> = lens.iter().map(|_| None).collect();
    got[own] = Some(vec![0; lens[own]]);
    mpi::request::scope(|scope| {
        let others = sent.iter().enumerate().filter(|(to, _)| *to != own);
        let mut sending: Vec<_> = others
            .map(|(to, bytes)| {
                let process = world.process_at_rank(to as i32);
                (to, process.immediate_send_with_tag(scope, &bytes[..], DATA))
            })
            .collect();
        let begin = Instant::now();
        let mut news: Option<(Instant, LostRank)> = None;
        let mut looks = 0;
        loop {
            for (from, place) in got.iter_mut().enumerate().filter(|(_, got)| got.is_none()) {
                let process = world.process_at_rank(from as i32);
                let Some(message) = process.immediate_matched_probe_with_tag(DATA) else {
                    continue;
                };
                let (bytes, _) = message.matched_receive_vec::<u8>();
                if bytes.len() != lens[from] {
                    lost(
                        from,
                        format!(
                            "it sent {} bytes where {} were expected: it does something else than this process; let all of \
                             them run the same program with the same settings, and callbacks of your own decide alike on all",
                            bytes.len(),
                            lens[from]
                        ),
                    );
                }
                *place = Some(bytes);
            }
            let pending = std::mem::take(&mut sending).into_iter();
            sending = pending
                .filter_map(|(to, request)| Some((to, request.test().err()?)))
                .collect();
            let missing = got.iter().position(Option::is_none);
            let Some(missing) = missing.or_else(|| sending.first().map(|(to, _)| *to)) else {
                return;
            };
            if news.is_none() {
                news = heard(world).map(|lost| (Instant::now(), lost));
            }
            if let Some((since, LostRank { rank, reason })) = &news
                && since.elapsed() > GRACE
            {
                lost(*rank, reason.clone());
            }
            if begin.elapsed() > limit {
                lost(missing, format!("nothing came from it for {limit:?}"));
            }
            looks += 1;
            if looks < EAGER {
                thread::yield_now();
            } else {
                thread::sleep(PAUSE);
            }
        }
    });
    got.into_iter().map(Option::unwrap_or_default).collect()
}

/// Who is lost, if another rank says so.
fn heard(world: &SimpleCommunicator) -> Option<LostRank> {
    let message = world.any_process().immediate_matched_probe_with_tag(LOST)?;
    let (bytes, status) = message.matched_receive_vec::<u8>();
    let from = status.source_rank() as usize;
    let (rank, reason) = bytes.split_first_chunk()?;
    let rank = u64::from_le_bytes(*rank) as usize;
    Some(LostRank {
        rank: if rank < world.size() as usize {
            rank
        } else {
            from
        },
        reason: String::from_utf8_lossy(reason).into_owned(),
    })
}

/// Tells the others why this rank ends. Short messages are sent at once, whether or not the other end asks for them.
fn tell(world: &SimpleCommunicator, rank: usize, reason: &str) {
    let reason: String = reason.chars().take(200).collect();
    let bytes = [&(rank as u64).to_le_bytes()[..], reason.as_bytes()].concat();
    let own = world.rank();
    for to in (0..world.size()).filter(|to| *to != own && *to as usize != rank) {
        world.process_at_rank(to).send_with_tag(&bytes[..], LOST);
    }
}

/// Until the process ends. MPI could only wait for messages that never come.
fn wait_for_the_end() -> ! {
    loop {
        thread::park();
    }
}
