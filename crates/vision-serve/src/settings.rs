//! The settings of a service that runs.

use std::net::IpAddr;
use std::time::Duration;

use vision_base::workers;
use vision_data::{Limits, device};
use vision_learner::Predictor;

use crate::config::ServeConfig;

/// Largest width times height for a model that resizes images, and for one that takes them as they are.
const PIXELS: u64 = 50_000_000;
const PIXELS_UNRESIZED: u64 = 4_000_000;
/// Images of a batch, where batches pay.
const BATCH: usize = 32;

/// What a [`ServeConfig`] comes to for a model.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) threads: usize,
    pub(crate) max_batch: usize,
    pub(crate) max_wait: Duration,
    pub(crate) max_body: u64,
    pub(crate) image: Limits,
    pub(crate) max_images: usize,
    pub(crate) read_timeout: Duration,
    pub(crate) timeout: Duration,
    pub(crate) drain: Duration,
    pub(crate) hosts: Vec<String>,
    pub(crate) origins: Vec<String>,
    pub(crate) proxies: Vec<IpAddr>,
    /// Whether other machines reach the service.
    pub(crate) is_open: bool,
}

impl Settings {
    pub(crate) fn of(config: &ServeConfig, predictor: &Predictor) -> Self {
        let is_cpu = device::is_cpu(predictor.device());
        let resizes = predictor.preprocessing().size.is_some();
        let pixels = if resizes { PIXELS } else { PIXELS_UNRESIZED };
        Self {
            threads: config.threads.unwrap_or_else(workers::cores),
            max_batch: config.max_batch.unwrap_or(if is_cpu { 1 } else { BATCH }),
            max_wait: config.max_wait,
            max_body: config.max_body,
            image: Limits {
                max_pixels: config.max_pixels.unwrap_or(pixels),
                ..Limits::default()
            },
            max_images: config.max_images,
            read_timeout: config.read_timeout,
            timeout: config.timeout,
            drain: config.drain,
            hosts: config.hosts.clone(),
            origins: config.origins.clone(),
            proxies: config.proxies.clone(),
            is_open: !config.listen.ip().to_canonical().is_loopback(),
        }
    }
}
