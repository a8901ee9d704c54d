//! How to download.

use std::time::Duration;

/// How to download. The defaults suit an interactive program.
#[derive(Clone, Debug)]
#[must_use]
pub struct Options {
    pub(crate) mirror: Mirror,
    pub(crate) max_size: u64,
    pub(crate) retries: u32,
    pub(crate) backoff: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) total_timeout: Option<Duration>,
    pub(crate) lock_timeout: Duration,
    pub(crate) progress: bool,
    pub(crate) replace: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Mirror {
    Environment,
    Never,
    At(String),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mirror: Mirror::Environment,
            max_size: 16 << 30,
            retries: 4,
            backoff: Duration::from_millis(500),
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            total_timeout: None,
            lock_timeout: Duration::from_secs(30 * 60),
            progress: true,
            replace: false,
        }
    }
}

impl Options {
    /// The defaults, each named at its method.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes files from this folder or base URL, whatever `VISION_MIRROR` says.
    pub fn with_mirror(mut self, folder_or_base_url: impl Into<String>) -> Self {
        self.mirror = Mirror::At(folder_or_base_url.into());
        self
    }

    /// Goes to the URL itself, whatever `VISION_MIRROR` says.
    pub fn without_mirror(mut self) -> Self {
        self.mirror = Mirror::Never;
        self
    }

    /// The largest file to accept, in bytes (16 GiB).
    pub fn with_max_size(mut self, bytes: u64) -> Self {
        self.max_size = bytes;
        self
    }

    /// How often to try again after the first attempt (4).
    pub fn with_retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// The pause before the first retry (0.5 s); it doubles from one to the next, up to 30 s.
    pub fn with_backoff(mut self, pause: Duration) -> Self {
        self.backoff = pause;
        self
    }

    /// How long to wait for a connection (10 s).
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a connection may stay silent (30 s).
    pub fn with_idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// How long one attempt may take as a whole (as long as it likes).
    pub fn with_total_timeout(mut self, timeout: Duration) -> Self {
        self.total_timeout = Some(timeout);
        self
    }

    /// How long to wait for another process that fetches the same file (30 min).
    pub fn with_lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// Whether to show a progress bar (yes). It goes to stderr, and only if that is a terminal.
    pub fn with_progress(mut self, progress: bool) -> Self {
        self.progress = progress;
        self
    }

    /// Whether to fetch the file even if it is there already, and replace it (no).
    pub fn with_replace(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }

    /// How long to wait for another process that fetches the same file.
    pub fn lock_timeout(&self) -> Duration {
        self.lock_timeout
    }
}
