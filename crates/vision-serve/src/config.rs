//! Settings of a service.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use vision_base::OptionError;

use crate::Result;

/// Longest of all times.
const LONGEST: Duration = Duration::from_secs(86_400);
/// Largest number of threads, and of images in a batch.
const MOST_THREADS: usize = 1024;
/// Largest number of images that wait, and of connections.
const MOST: usize = 1 << 20;
/// Largest body, and largest sum of bodies, in bytes.
const MOST_BYTES: u64 = 1 << 40;
/// Largest number of pixels of an image.
const MOST_PIXELS: u64 = 1 << 32;

/// Settings of a [`Server`](crate::Server).
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct ServeConfig {
    pub(crate) listen: SocketAddr,
    pub(crate) threads: Option<usize>,
    pub(crate) max_batch: Option<usize>,
    pub(crate) max_wait: Duration,
    pub(crate) max_body: u64,
    pub(crate) max_pixels: Option<u64>,
    pub(crate) max_images: usize,
    pub(crate) max_connections: usize,
    pub(crate) max_queue: usize,
    pub(crate) max_buffered: u64,
    pub(crate) client_share: f64,
    pub(crate) read_timeout: Duration,
    pub(crate) timeout: Duration,
    pub(crate) drain: Duration,
    pub(crate) hosts: Vec<String>,
    pub(crate) origins: Vec<String>,
    pub(crate) proxies: Vec<IpAddr>,
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 8080),
            threads: None,
            max_batch: None,
            max_wait: Duration::from_millis(2),
            max_body: 16 << 20,
            max_pixels: None,
            max_images: 32,
            max_connections: 512,
            max_queue: 256,
            max_buffered: 256 << 20,
            client_share: 0.5,
            read_timeout: Duration::from_secs(15),
            timeout: Duration::from_secs(30),
            drain: Duration::from_secs(10),
            hosts: Vec::new(),
            origins: Vec::new(),
            proxies: Vec::new(),
        }
    }
}

impl ServeConfig {
    /// 127.0.0.1:8080, for this machine alone, within the limits that each method names.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the address and port. Port 0 is a free one. Default: 127.0.0.1:8080. An address that other machines reach, such as
    /// 0.0.0.0, is open to everyone there: there is no password and no encryption.
    pub fn with_listen(mut self, listen: SocketAddr) -> Self {
        self.listen = listen;
        self
    }

    /// Sets how many threads decode images, and on the CPU compute predictions, from 1 to 1024. Default: one for each core.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) for another number.
    pub fn with_threads(mut self, threads: usize) -> Result<Self> {
        self.threads = Some(within("threads", threads, 1, MOST_THREADS)?);
        Ok(self)
    }

    /// Sets how many images are computed at a time, from 1 to 1024. Default: 1 on the CPU, where each core computes one image
    /// faster than all of them compute a batch; 32 on other devices. An image has the same result in any batch.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) for another number.
    pub fn with_max_batch(mut self, max_batch: usize) -> Result<Self> {
        self.max_batch = Some(within("max_batch", max_batch, 1, MOST_THREADS)?);
        Ok(self)
    }

    /// Sets how long a batch waits for images that are being decoded, up to a day. If there are none, it does not wait. Default:
    /// 2 milliseconds.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) if it is longer.
    pub fn with_max_wait(mut self, max_wait: Duration) -> Result<Self> {
        self.max_wait = time("max_wait", max_wait, Duration::ZERO)?;
        Ok(self)
    }

    /// Sets the largest body of a request in bytes, from 1 to 1 TiB. Default: 16 MiB.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) for another number.
    pub fn with_max_body(mut self, max_body: u64) -> Result<Self> {
        self.max_body = within("max_body", max_body, 1, MOST_BYTES)?;
        Ok(self)
    }

    /// Sets the largest width times height of an image, from 1 to 4,294,967,296. Default: 50 million, or 4 million for a model
    /// that takes images at their own size.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) for another number.
    pub fn with_max_pixels(mut self, max_pixels: u64) -> Result<Self> {
        self.max_pixels = Some(within("max_pixels", max_pixels, 1, MOST_PIXELS)?);
        Ok(self)
    }

    /// Sets the largest number of images in a request, from 1 to 1,048,576. Default: 32.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) for another number.
    pub fn with_max_images(mut self, max_images: usize) -> Result<Self> {
        self.max_images = within("max_images", max_images, 1, MOST)?;
        Ok(self)
    }

    /// Sets the largest number of connections, from 1 to 1,048,576. Default: 512.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) for another number.
    pub fn with_max_connections(mut self, max_connections: usize) -> Result<Self> {
        self.max_connections = within("max_connections", max_connections, 1, MOST)?;
        Ok(self)
    }

    /// Sets how many images may wait for a thread, from 1 to 1,048,576. Default: 256.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) for another number.
    pub fn with_max_queue(mut self, max_queue: usize) -> Result<Self> {
        self.max_queue = within("max_queue", max_queue, 1, MOST)?;
        Ok(self)
    }

    /// Sets how many bytes the bodies of all requests take together, from 1 to 1 TiB; at least one body is always taken.
    /// Default: 256 MiB.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) for another number.
    pub fn with_max_buffered(mut self, max_buffered: u64) -> Result<Self> {
        self.max_buffered = within("max_buffered", max_buffered, 1, MOST_BYTES)?;
        Ok(self)
    }

    /// Sets the share of connections, queue and bodies that one client may hold, above 0 and up to 1. Default: 0.5. A client is
    /// an IPv4 address, or the first 64 bits of an IPv6 address.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) for another number.
    pub fn with_client_share(mut self, client_share: f64) -> Result<Self> {
        if !(client_share > 0.0 && client_share <= 1.0) {
            let expected = "a number above 0 and up to 1";
            return Err(OptionError::new("client_share", expected, client_share).into());
        }
        self.client_share = client_share;
        Ok(self)
    }

    /// Sets how long a client may take to send the head of a request (and may idle before it), how long to send the body, and
    /// how long it may leave an answer unread, from a millisecond to a day. Default: 15 seconds.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) for another time.
    pub fn with_read_timeout(mut self, read_timeout: Duration) -> Result<Self> {
        self.read_timeout = time("read_timeout", read_timeout, Duration::from_millis(1))?;
        Ok(self)
    }

    /// Sets how long a request may take from the end of its body to its answer, from a millisecond to a day. Then it is
    /// answered with 503, and not computed anymore. Default: 30 seconds.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) for another time.
    pub fn with_timeout(mut self, timeout: Duration) -> Result<Self> {
        self.timeout = time("timeout", timeout, Duration::from_millis(1))?;
        Ok(self)
    }

    /// Sets how long [`Server::stop`](crate::Server::stop) waits until what has come in is answered, up to a day. Default: 10
    /// seconds.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) if it is longer.
    pub fn with_drain(mut self, drain: Duration) -> Result<Self> {
        self.drain = time("drain", drain, Duration::ZERO)?;
        Ok(self)
    }

    /// Allows a name in the `Host` header, such as that of a reverse proxy: `pets.example.org`. If the service listens for this
    /// machine alone, only `localhost` and addresses of this machine are allowed without it, so that a web page cannot reach
    /// it under a name of its own (DNS rebinding).
    pub fn with_allowed_host(mut self, host: impl Into<String>) -> Self {
        self.hosts.push(host.into().to_ascii_lowercase());
        self
    }

    /// Allows web pages of an origin, such as `https://pets.example.org`, to use the service (CORS); `*` allows all. Default:
    /// none but the service's own page.
    pub fn with_allowed_origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// Believes the `X-Forwarded-For` of a reverse proxy with this address: clients are then told apart by what it says.
    pub fn with_trusted_proxy(mut self, proxy: IpAddr) -> Self {
        self.proxies.push(proxy.to_canonical());
        self
    }
}

fn within<T: PartialOrd + std::fmt::Display>(
    option: &'static str,
    value: T,
    least: T,
    most: T,
) -> Result<T> {
    match least <= value && value <= most {
        true => Ok(value),
        false => Err(OptionError::new(option, format!("{least} to {most}"), value).into()),
    }
}

fn time(option: &'static str, value: Duration, least: Duration) -> Result<Duration> {
    match least <= value && value <= LONGEST {
        true => Ok(value),
        false => {
            let expected = format!("from {least:?} to {} seconds", LONGEST.as_secs());
            Err(OptionError::new(option, expected, format!("{value:?}")).into())
        }
    }
}
