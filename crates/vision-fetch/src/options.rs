//! Download options.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

/// Download options. The defaults suit an interactive program.
#[derive(Clone, Debug)]
#[must_use]
pub struct Options {
    pub(crate) mirror: Mirror,
    pub(crate) max_size: u64,
    pub(crate) retries: u32,
    pub(crate) backoff: Duration,
    pub(crate) connect_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) min_speed: u64,
    pub(crate) total_timeout: Option<Duration>,
    pub(crate) lock_timeout: Duration,
    pub(crate) progress: bool,
    pub(crate) replace: bool,
    pub(crate) offline: bool,
    pub(crate) certificates: Option<PathBuf>,
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
            min_speed: 1 << 10,
            total_timeout: None,
            lock_timeout: Duration::from_secs(30 * 60),
            progress: true,
            replace: false,
            offline: false,
            certificates: None,
        }
    }
}

impl Options {
    /// The defaults, which each method states.
    pub fn new() -> Self {
        Self::default()
    }

    /// Uses this folder or base URL as the mirror, and ignores `VISION_MIRROR`.
    pub fn with_mirror(mut self, folder_or_base_url: impl Into<String>) -> Self {
        self.mirror = Mirror::At(folder_or_base_url.into());
        self
    }

    /// Uses the URL itself, and ignores `VISION_MIRROR`.
    pub fn without_mirror(mut self) -> Self {
        self.mirror = Mirror::Never;
        self
    }

    /// Largest accepted file, in bytes. Default: 16 GiB.
    pub fn with_max_size(mut self, bytes: u64) -> Self {
        self.max_size = bytes;
        self
    }

    /// Number of retries after the first attempt. Default: 4.
    pub fn with_retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Pause before the first retry. Default: 0.5 s. It doubles with each retry, up to 30 s.
    pub fn with_backoff(mut self, pause: Duration) -> Self {
        self.backoff = pause;
        self
    }

    /// Longest wait for a connection. Default: 10 s.
    pub fn with_connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Longest time without data on a connection. Default: 30 s.
    pub fn with_idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// Lowest speed, in bytes per second, over each period of the idle timeout; a slower connection
    /// counts as broken. Default: 1 KiB/s; 0 sets no limit.
    pub fn with_min_speed(mut self, bytes_per_second: u64) -> Self {
        self.min_speed = bytes_per_second;
        self
    }

    /// Longest time of one attempt. Default: no limit.
    pub fn with_total_timeout(mut self, timeout: Duration) -> Self {
        self.total_timeout = Some(timeout);
        self
    }

    /// Longest wait for another process that downloads the same file. Default: 30 min.
    pub fn with_lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// Whether to show a progress bar, on stderr and only if that is a terminal. Default: yes.
    pub fn with_progress(mut self, progress: bool) -> Self {
        self.progress = progress;
        self
    }

    /// Whether to download and replace a file that exists already. Default: no.
    pub fn with_replace(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }

    /// Whether to forbid the network (no). The environment variable `VISION_OFFLINE` forbids it for every
    /// download: any value but an empty one, `0`, `false`, `no` and `off` does. What is in the cache or in a
    /// mirror folder is still used.
    pub fn with_offline(mut self, offline: bool) -> Self {
        self.offline = offline;
        self
    }

    /// Trusts the certificate authorities of this PEM file, in place of the built-in ones (Mozilla's). Default: the file that the
    /// environment variable `SSL_CERT_FILE` names, if there is one. Where a proxy of a company opens encrypted connections, that
    /// file has to hold the proxy's authority.
    #[doc(alias("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "ca_bundle"))]
    pub fn with_certificates(mut self, file: impl Into<PathBuf>) -> Self {
        self.certificates = Some(file.into());
        self
    }

    /// Longest wait for another process that downloads the same file.
    pub fn lock_timeout(&self) -> Duration {
        self.lock_timeout
    }
}

/// Whether the value of a switch in the environment switches it on.
pub(crate) fn means_yes(value: &OsStr) -> bool {
    let value = value.to_string_lossy().trim().to_ascii_lowercase();
    !matches!(&*value, "" | "0" | "false" | "no" | "off")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_is_on_unless_its_value_says_no() {
        for on in ["1", "true", "yes", "on", "whatever"] {
            assert!(means_yes(OsStr::new(on)), "{on}");
        }
        for off in ["", " ", "0", "false", "FALSE", "no", "off"] {
            assert!(!means_yes(OsStr::new(off)), "{off}");
        }
    }
}
