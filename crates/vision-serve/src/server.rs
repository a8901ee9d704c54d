//! A service that runs.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use tokio::runtime;
use tokio::sync::watch;
use tokio::time::timeout;
use vision_learner::Predictor;

use crate::compute::batcher::Batcher;
use crate::compute::engine::Engine;
use crate::compute::job::Job;
use crate::config::ServeConfig;
use crate::http::accept;
use crate::http::service::Service;
use crate::limits::queue::Queue;
use crate::limits::quota::{Quota, share_of};
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::{Error, Result};

/// How long threads may take to end after the last answer.
const END: Duration = Duration::from_millis(500);

/// A running service. Dropping it ends it at once; [`stop`](Self::stop) answers first what has come in.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    service: Arc<Service>,
    stop: watch::Sender<bool>,
    /// How long the thread of the sockets may go on after `stop`.
    drain: watch::Sender<Duration>,
    sockets: Option<JoinHandle<u64>>,
    /// Closed when all threads that compute have ended.
    ended: Receiver<()>,
}

/// What [`Server::stop`] has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stopped {
    /// Requests that were not answered in time.
    pub unanswered: u64,
}

impl Server {
    /// Starts a service with a model, and returns when it takes requests.
    ///
    /// # Errors
    ///
    /// [`Error::Listen`] if the address is in use or none of this machine, [`Error::Threads`] if the system starts no threads.
    pub fn start(predictor: Predictor, config: &ServeConfig) -> Result<Self> {
        let listen = |source| Error::Listen {
            address: config.listen,
            source,
        };
        let listener = TcpListener::bind(config.listen).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;

        let settings = Settings::of(config, &predictor);
        let share = config.client_share;
        let each = |total: u64, least: u64| share_of(total, share, least);
        let (connections, queue) = (config.max_connections as u64, config.max_queue as u64);
        let bodies = config.max_buffered.max(config.max_body);
        let queue_each = each(queue, settings.max_images as u64) as usize;
        let (stop, stopped) = watch::channel(false);
        let (drain, drained) = watch::channel(settings.drain);
        let service = Arc::new(Service {
            card: crate::http::card::card(&predictor, &settings),
            queue: Arc::new(Queue::new(config.max_queue, queue_each)),
            connections: Quota::new(connections, each(connections, 1)),
            bodies: Quota::new(bodies, each(bodies, config.max_body)),
            metrics: Arc::new(Metrics::new()),
            requests: Default::default(),
            stop: stopped,
            predictor,
            settings,
        });
        let (alive, ended) = channel();
        let mut server = Self {
            address,
            service: Arc::clone(&service),
            stop,
            drain,
            sockets: None,
            ended,
        };
        // If a thread cannot be started, dropping the server ends the others.
        compute(&service, &alive)?;
        server.sockets = Some(sockets(listener, service, drained)?);
        Ok(server)
    }

    /// The address, with the port that was taken for 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends the service: it takes no more connections, `/ready` says so, and what has come in is answered, for at most the time
    /// of [`ServeConfig::with_drain`](crate::ServeConfig::with_drain).
    pub fn stop(mut self) -> Stopped {
        let drain = self.service.settings.drain;
        self.end(drain)
    }

    fn end(&mut self, drain: Duration) -> Stopped {
        let begin = Instant::now();
        self.drain.send_replace(drain);
        self.stop.send_replace(true);
        // It ends in time, and does not panic.
        let sockets = self.sockets.take().map(JoinHandle::join);
        let unanswered = sockets.and_then(|left| left.ok()).unwrap_or(0);
        self.service.queue.end();
        // A thread that still computes ends with the process.
        let left = drain.saturating_sub(begin.elapsed()).max(END);
        let _ = self.ended.recv_timeout(left);
        Stopped { unanswered }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.sockets.is_some() || !*self.stop.borrow() {
            self.end(Duration::ZERO);
        }
    }
}

/// Starts the thread of the sockets. It returns how many requests were not answered.
fn sockets(
    listener: TcpListener,
    service: Arc<Service>,
    drain: watch::Receiver<Duration>,
) -> Result<JoinHandle<u64>> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let listener = {
        let _entered = runtime.enter();
        tokio::net::TcpListener::from_std(listener)?
    };
    let serve = move || {
        runtime.block_on(async {
            let mut stop = service.stop.clone();
            let serving = tokio::spawn(accept::serve(listener, Arc::clone(&service)));
            let _ = stop.wait_for(|stop| *stop).await;
            let drain = *drain.borrow();
            // Counted before their connections are closed.
            match timeout(drain, serving).await {
                Ok(_) => 0,
                Err(_) => service.requests.load(Ordering::SeqCst),
            }
        })
    };
    Ok(Builder::new()
        .name("serve-sockets".to_owned())
        .spawn(serve)?)
}

/// Starts the threads that compute. They end with the queue.
fn compute(service: &Arc<Service>, alive: &Sender<()>) -> Result<()> {
    let settings = &service.settings;
    let decoding = Arc::new(AtomicUsize::new(0));
    let batches = match settings.max_batch {
        1 => None,
        most => {
            let (send, receive) = sync_channel(2 * most);
            let (queue, decoding) = (Arc::clone(&service.queue), Arc::clone(&decoding));
            let batcher = Batcher {
                predictor: service.predictor.clone(),
                metrics: Arc::clone(&service.metrics),
                most,
                wait: settings.max_wait,
                more: move || decoding.load(Ordering::SeqCst) > 0 || queue.len() > 0,
            };
            thread("serve-batches".to_owned(), alive, move || {
                batcher.run(&receive)
            })?;
            Some(send)
        }
    };
    let engine = Engine {
        predictor: service.predictor.clone(),
        limits: settings.image,
        max_images: settings.max_images,
        metrics: Arc::clone(&service.metrics),
        batches,
        decoding,
    };
    for number in 0..settings.threads {
        let (engine, queue): (_, Arc<Queue<Job>>) = (engine.clone(), Arc::clone(&service.queue));
        thread(format!("serve-{number}"), alive, move || engine.run(&queue))?;
    }
    Ok(())
}

fn thread(name: String, alive: &Sender<()>, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let alive = alive.clone();
    let work = move || {
        work();
        drop(alive);
    };
    Builder::new().name(name).spawn(work)?;
    Ok(())
}
