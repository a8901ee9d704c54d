//! What is counted and timed, in Prometheus' text format (version 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::compute::job::Predicted;
use crate::refusal::Refusal;

/// Upper ends of times, in seconds.
const SECONDS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0,
];
/// Upper ends of the sizes of batches.
const IMAGES: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

/// A number that grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How often values were in which range.
#[derive(Debug)]
pub(crate) struct Histogram<const N: usize> {
    ends: [f64; N],
    counts: [AtomicU64; N],
    all: AtomicU64,
    /// In millionths.
    sum: AtomicU64,
}

impl<const N: usize> Histogram<N> {
    fn new(ends: [f64; N]) -> Self {
        Self {
            ends,
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            all: AtomicU64::new(0),
            sum: AtomicU64::new(0),
        }
    }

    pub(crate) fn observe(&self, time: Duration) {
        self.add(time.as_secs_f64());
    }

    pub(crate) fn observe_count(&self, count: usize) {
        self.add(count as f64);
    }

    fn add(&self, value: f64) {
        if let Some(at) = self.ends.iter().position(|end| value <= *end) {
            self.counts[at].fetch_add(1, Ordering::Relaxed);
        }
        self.all.fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add((value * 1e6) as u64, Ordering::Relaxed);
    }

    fn write(&self, to: &mut String, name: &str, help: &str) {
        head(to, name, "histogram", help);
        let mut below = 0;
        for (end, count) in self.ends.iter().zip(&self.counts) {
            below += count.load(Ordering::Relaxed);
            let _ = writeln!(to, "{name}_bucket{{le=\"{end}\"}} {below}");
        }
        let all = self.all.load(Ordering::Relaxed);
        let sum = self.sum.load(Ordering::Relaxed) as f64 / 1e6;
        let _ = writeln!(
            to,
            "{name}_bucket{{le=\"+Inf\"}} {all}\n{name}_sum {sum}\n{name}_count {all}"
        );
    }
}

/// All of it.
#[derive(Debug)]
pub(crate) struct Metrics {
    begin: Instant,
    started: SystemTime,
    /// By route and status.
    requests: Mutex<BTreeMap<(&'static str, u16), u64>>,
    pub(crate) request_seconds: Histogram<13>,
    pub(crate) queue_seconds: Histogram<13>,
    predict_seconds: Histogram<13>,
    pub(crate) batch_images: Histogram<8>,
    images: Counter,
    bad_images: Counter,
    pub(crate) given_up: Counter,
    pub(crate) refused_connections: Counter,
    pub(crate) panics: Counter,
    pub(crate) body_bytes: Counter,
}

/// What is at this moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gauges {
    pub(crate) ready: bool,
    pub(crate) connections: u64,
    pub(crate) requests: u64,
    pub(crate) queue: u64,
    pub(crate) held_bytes: u64,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        Self {
            begin: Instant::now(),
            started: SystemTime::now(),
            requests: Mutex::default(),
            request_seconds: Histogram::new(SECONDS),
            queue_seconds: Histogram::new(SECONDS),
            predict_seconds: Histogram::new(SECONDS),
            batch_images: Histogram::new(IMAGES),
            images: Counter::default(),
            bad_images: Counter::default(),
            given_up: Counter::default(),
            refused_connections: Counter::default(),
            panics: Counter::default(),
            body_bytes: Counter::default(),
        }
    }

    /// A request was answered.
    pub(crate) fn answered(&self, route: &'static str, status: u16, time: Duration) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((route, status)).or_default() += 1;
        drop(requests);
        if route == "/predict" {
            self.request_seconds.observe(time);
        }
    }

    /// An image was predicted, or not.
    pub(crate) fn predicted(&self, answer: &Result<Predicted, Refusal>, time: Duration) {
        match answer {
            Ok(_) => {
                self.images.add(1);
                self.predict_seconds.observe(time);
            }
            Err(_) => self.bad_images.add(1),
        }
    }

    /// The text.
    pub(crate) fn text(&self, now: Gauges) -> String {
        let mut to = String::with_capacity(4096);
        let name = "vision_requests_total";
        head(
            &mut to,
            name,
            "counter",
            "Answered requests, by route and status.",
        );
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        for ((route, status), count) in requests.iter() {
            let _ = writeln!(
                to,
                "{name}{{route=\"{route}\",status=\"{status}\"}} {count}"
            );
        }
        drop(requests);
        self.request_seconds.write(
            &mut to,
            "vision_request_seconds",
            "Time from the head of a request for predictions to its answer.",
        );
        self.queue_seconds.write(
            &mut to,
            "vision_queue_seconds",
            "Time that an image or a form waited for a thread.",
        );
        self.predict_seconds.write(
            &mut to,
            "vision_predict_seconds",
            "Time to decode and compute an image.",
        );
        self.batch_images.write(
            &mut to,
            "vision_batch_images",
            "Images of a batch; nothing where each image is computed alone.",
        );
        for (name, help, counter) in [
            (
                "vision_images_total",
                "Images that were predicted.",
                &self.images,
            ),
            (
                "vision_bad_images_total",
                "Images that could not be predicted.",
                &self.bad_images,
            ),
            (
                "vision_given_up_total",
                "Jobs that nobody waited for anymore.",
                &self.given_up,
            ),
            (
                "vision_refused_connections_total",
                "Connections beyond a limit.",
                &self.refused_connections,
            ),
            (
                "vision_panics_total",
                "Faults of the service.",
                &self.panics,
            ),
            (
                "vision_body_bytes_total",
                "Bytes of bodies that were read.",
                &self.body_bytes,
            ),
        ] {
            head(&mut to, name, "counter", help);
            let _ = writeln!(to, "{name} {}", counter.get());
        }
        for (name, help, value) in [
            (
                "vision_ready",
                "Whether the service takes requests.",
                u64::from(now.ready),
            ),
            ("vision_connections", "Open connections.", now.connections),
            (
                "vision_requests",
                "Requests that are being answered.",
                now.requests,
            ),
            ("vision_queue", "Jobs that wait for a thread.", now.queue),
            (
                "vision_held_bytes",
                "Bytes of bodies in memory.",
                now.held_bytes,
            ),
        ] {
            head(&mut to, name, "gauge", help);
            let _ = writeln!(to, "{name} {value}");
        }
        let name = "process_start_time_seconds";
        head(
            &mut to,
            name,
            "gauge",
            "When the service was started, in seconds since 1970.",
        );
        let started = self.started.duration_since(UNIX_EPOCH).unwrap_or_default();
        let _ = writeln!(to, "{name} {}", started.as_secs_f64());
        let name = "vision_uptime_seconds";
        head(&mut to, name, "gauge", "How long the service runs.");
        let _ = writeln!(to, "{name} {}", self.begin.elapsed().as_secs_f64());
        if let Some(bytes) = resident() {
            let name = "process_resident_memory_bytes";
            head(&mut to, name, "gauge", "Memory of the process.");
            let _ = writeln!(to, "{name} {bytes}");
        }
        to
    }
}

fn head(to: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(to, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// Bytes of memory in use, where the system says it.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}
