//! Downloads from an HTTP server into the `.part` file, with retries, resumption and progress.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use ureq::config::RedirectAuthHeaders;
use ureq::http::{HeaderMap, StatusCode, Uri, header};
use ureq::{Agent, Timeout};
use vision_base::console;
use vision_base::paths::sibling;

use crate::certificates;
use crate::download::{Download, Secret};
use crate::error::{Error, Result, io_error};
use crate::options::Options;

/// Longest pause that a server may ask for: the window in which Hugging Face's hub counts requests.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(5 * 60);
/// A pause that a user would wonder about.
const NOTICED_WAIT: Duration = Duration::from_secs(5);

/// Longest pause between two attempts.
const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// Redirects that a download follows.
const REDIRECTS: u32 = 10;

/// Why an attempt ended without the complete file.
enum Setback {
    /// A retry will not help.
    Final(Error),
    /// The older bytes are useless; start again without them.
    StartOver,
    /// A retry may help.
    Trouble {
        /// What happened.
        reason: String,
        /// The HTTP status, if there was an answer.
        status: Option<u16>,
        /// Whether the server answered at all.
        answered: bool,
        /// How long the server asks to wait.
        wait: Option<Duration>,
    },
}

impl From<Error> for Setback {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

/// Downloads `url` into `part` until it is complete. Returns whether some of its bytes are from an
/// earlier call.
pub(crate) fn get(job: &Download, url: &str, part: &Path) -> Result<bool> {
    let mut transfer = Transfer {
        job,
        url,
        part,
        agent: agent(&job.options, url, REDIRECTS)?,
        bar: ProgressBar::hidden(),
        expected: job.size,
    };
    if job.options.progress {
        transfer.bar = progress_bar(crate::url::file_name(url).unwrap_or(url));
    }
    let resumed = transfer.resumable().is_some();
    let outcome = transfer.run();
    transfer.bar.finish_and_clear();
    outcome.map(|()| resumed)
}

/// Removes the part and its description.
pub(crate) fn discard(part: &Path) {
    // Errors do not matter: the next call checks the files.
    let _ = fs::remove_file(part);
    forget(part);
}

/// Removes the description of a part that no longer exists.
pub(crate) fn forget(part: &Path) {
    let _ = fs::remove_file(memo(part));
}

/// The file beside the part that describes it: the URL and, if the server gave one, the ETag or
/// date of the file, one per line.
fn memo(part: &Path) -> PathBuf {
    sibling(part, ".from")
}

struct Transfer<'a> {
    job: &'a Download,
    url: &'a str,
    part: &'a Path,
    agent: Agent,
    bar: ProgressBar,
    /// The length of the whole file, once known.
    expected: Option<u64>,
}

/// An unfinished download that can be resumed.
struct Resumable {
    bytes: u64,
    /// The ETag or date at that time.
    validator: Option<String>,
}

impl Transfer<'_> {
    fn run(&mut self) -> Result<()> {
        let options = &self.job.options;
        let mut pause = options.backoff;
        let mut anyone_there = false;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let (reason, status, asked) = match self.attempt() {
                Ok(()) => return Ok(()),
                Err(Setback::Final(error)) => return Err(error),
                Err(Setback::StartOver) => {
                    discard(self.part);
                    let reason = "the server refused to resume the download";
                    (reason.to_owned(), None, None)
                }
                Err(Setback::Trouble {
                    reason,
                    status,
                    answered,
                    wait,
                }) => {
                    anyone_there |= answered;
                    // Without a network, fail at once and not after five attempts.
                    if !anyone_there {
                        return Err(Error::Offline {
                            url: self.url.to_owned(),
                            file: self.job.file.clone(),
                            reason,
                        });
                    }
                    (reason, status, wait)
                }
            };
            let too_long = asked.is_some_and(|asked| asked > LONGEST_WAIT);
            if attempts > options.retries || too_long {
                return Err(self.give_up(attempts, reason, status));
            }
            let wait = asked.map_or(pause, |asked| asked.max(pause));
            announce(options, wait);
            thread::sleep(wait);
            pause = (pause * 2).min(MAX_BACKOFF);
        }
    }

    fn give_up(&self, attempts: u32, reason: String, status: Option<u16>) -> Error {
        let url = self.url.to_owned();
        match status {
            Some(status) => Error::HttpStatus {
                url,
                file: self.job.file.clone(),
                status,
                attempts,
            },
            None => Error::Interrupted {
                url,
                part: self.part.to_owned(),
                expected: self.expected,
                found: length(self.part),
                attempts,
                reason,
            },
        }
    }

    /// Makes one request and reads the whole answer.
    fn attempt(&mut self) -> std::result::Result<(), Setback> {
        let older = self.resumable();
        let have = older.as_ref().map_or(0, |older| older.bytes);
        if have > 0 && Some(have) == self.job.size {
            return Ok(());
        }
        let mut request = self.agent.get(self.url);
        if let Some(Secret(token)) = &self.job.token {
            // The agent leaves it out of what it sends after a redirect.
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(older) = older {
            request = request.header(header::RANGE, format!("bytes={have}-"));
            if let Some(validator) = older.validator {
                request = request.header(header::IF_RANGE, validator);
            }
        }
        let mut response = request.call().map_err(|error| self.setback(&error))?;

        let headers = response.headers();
        let (start, total) = match response.status() {
            StatusCode::OK => (0, content_length(headers)),
            StatusCode::PARTIAL_CONTENT => match content_range(headers) {
                Some((start, total)) if start == have => (start, total),
                _ => return Err(Setback::StartOver),
            },
            StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => return Err(Setback::StartOver),
            status => return Err(self.status(status, headers)),
        };
        if let Some(total) = total {
            self.job.check_length(self.url, total)?;
            self.expected = Some(total);
        }
        let part = if start == 0 {
            self.remember(headers)?;
            File::create(self.part)
        } else {
            File::options().append(true).open(self.part)
        };
        let part = part.map_err(io_error("open", self.part))?;
        if let Some(total) = self.expected {
            self.bar.set_length(total);
        }
        self.bar.set_position(start);
        let end = self.stream(&mut response.body_mut().as_reader(), part, start)?;
        match self.expected {
            // If no length was announced, a connection that closes early looks like the end of the
            // file.
            Some(expected) if end < expected => Err(trouble("the connection closed early")),
            _ => Ok(()),
        }
    }

    /// Appends the body to the part. Returns the new length.
    fn stream(
        &self,
        body: &mut impl Read,
        mut part: File,
        start: u64,
    ) -> std::result::Result<u64, Setback> {
        let mut position = start;
        let mut buffer = vec![0; 1 << 16];
        let mut pace = Pace::new(&self.job.options);
        loop {
            let n = match body.read(&mut buffer) {
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(trouble(&error.to_string())),
            };
            let Some(bytes) = buffer.get(..n).filter(|bytes| !bytes.is_empty()) else {
                return Ok(position);
            };
            position += n as u64;
            pace.check(n as u64)?;
            if position > self.job.size.unwrap_or(u64::MAX) || position > self.job.options.max_size
            {
                discard(self.part);
                self.job.check_length(self.url, position)?;
            }
            part.write_all(bytes)
                .map_err(io_error("write to", self.part))?;
            self.bar.set_position(position);
        }
    }

    /// The older part, if it can be confirmed to belong to this file: by the description, or by the
    /// hash at the end.
    fn resumable(&self) -> Option<Resumable> {
        let bytes = length(self.part);
        if bytes == 0 || bytes > self.job.size.unwrap_or(u64::MAX) {
            return None;
        }
        let memo = fs::read_to_string(memo(self.part)).ok()?;
        let mut lines = memo.lines();
        if lines.next() != Some(self.url) {
            return None;
        }
        let validator = lines.next().map(str::to_owned);
        (validator.is_some() || self.job.sha256.is_some()).then_some(Resumable { bytes, validator })
    }

    /// Writes the description of the part.
    fn remember(&self, headers: &HeaderMap) -> Result<()> {
        // The old bytes must be gone before the new description exists.
        discard(self.part);
        let etag = text(headers, header::ETAG).filter(|tag| !tag.starts_with("W/"));
        let validator = etag.or_else(|| text(headers, header::LAST_MODIFIED));
        let memo = memo(self.part);
        fs::write(
            &memo,
            format!("{}\n{}", self.url, validator.unwrap_or_default()),
        )
        .map_err(io_error("write", &memo))
    }

    fn status(&self, status: StatusCode, headers: &HeaderMap) -> Setback {
        let passing = status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429);
        if passing {
            Setback::Trouble {
                reason: status.to_string(),
                status: Some(status.as_u16()),
                answered: true,
                wait: wait_asked_for(headers),
            }
        } else {
            Setback::Final(Error::HttpStatus {
                url: self.url.to_owned(),
                file: self.job.file.clone(),
                status: status.as_u16(),
                attempts: 1,
            })
        }
    }

    fn setback(&self, error: &ureq::Error) -> Setback {
        use io::ErrorKind as Kind;
        let bad_url = |reason| {
            Setback::Final(Error::BadUrl {
                url: self.url.to_owned(),
                reason,
            })
        };
        if let Some(reason) = distrust(error) {
            return Setback::Final(Error::Untrusted {
                url: self.url.to_owned(),
                reason,
            });
        }
        let answered = match error {
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => return bad_url("it cannot be parsed"),
            ureq::Error::RequireHttpsOnly(_) => {
                return bad_url("it redirects from https to plain http");
            }
            ureq::Error::TooManyRedirects | ureq::Error::RedirectFailed => {
                return bad_url("it redirects too often or to an invalid URL");
            }
            ureq::Error::Io(io) => matches!(
                io.kind(),
                Kind::UnexpectedEof
                    | Kind::ConnectionReset
                    | Kind::ConnectionAborted
                    | Kind::BrokenPipe
            ),
            ureq::Error::Timeout(timeout) => {
                !matches!(timeout, Timeout::Connect | Timeout::Resolve)
            }
            ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) => true,
            _ => false,
        };
        Setback::Trouble {
            reason: error.to_string(),
            status: None,
            answered,
            wait: None,
        }
    }
}

/// Detects a server that sends just enough to look alive.
struct Pace {
    period: Duration,
    /// Lowest speed, in bytes per second.
    min_speed: u64,
    begin: Instant,
    bytes: u64,
}

impl Pace {
    fn new(options: &Options) -> Self {
        Self {
            period: options.idle_timeout,
            min_speed: options.min_speed,
            begin: Instant::now(),
            bytes: 0,
        }
    }

    fn check(&mut self, bytes: u64) -> std::result::Result<(), Setback> {
        self.bytes = self.bytes.saturating_add(bytes);
        let elapsed = self.begin.elapsed();
        if elapsed < self.period {
            return Ok(());
        }
        let seconds = elapsed.as_secs_f64();
        if (self.bytes as f64) < self.min_speed as f64 * seconds {
            return Err(trouble(&format!(
                "the server sent {} bytes in {seconds:.1} s, less than {} a second",
                self.bytes, self.min_speed
            )));
        }
        (self.begin, self.bytes) = (Instant::now(), 0);
        Ok(())
    }
}

fn trouble(reason: &str) -> Setback {
    Setback::Trouble {
        reason: reason.to_owned(),
        status: None,
        answered: true,
        wait: None,
    }
}

/// An agent for a URL, which follows so many redirects.
///
/// # Errors
///
/// [`Error::Certificates`].
pub(crate) fn agent(options: &Options, url: &str, redirects: u32) -> Result<Agent> {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        // A redirect to plain http would lose the protection of https.
        .https_only(
            url.get(..6)
                .is_some_and(|s| s.eq_ignore_ascii_case("https:")),
        )
        .tls_config(certificates::settings(options)?)
        .max_redirects(redirects)
        .redirect_auth_headers(RedirectAuthHeaders::Never)
        .user_agent(concat!("vision/", env!("CARGO_PKG_VERSION")))
        // A compressed answer would have another length and other ranges.
        .accept_encoding("identity")
        .max_idle_connections(0)
        .timeout_resolve(Some(options.connect_timeout))
        .timeout_connect(Some(options.connect_timeout))
        // For the whole head: a server can drip it too.
        .timeout_recv_response(Some(options.idle_timeout))
        .timeout_global(options.total_timeout)
        .timeout_per_read(Some(options.idle_timeout))
        .timeout_per_write(Some(options.idle_timeout));
    if is_this_machine(url) {
        config = config.proxy(None);
    }
    Ok(config.build().new_agent())
}

/// What is wrong with the certificate of a server, if that ended a connection.
pub(crate) fn distrust(error: &ureq::Error) -> Option<String> {
    let text = error.to_string();
    let begin = text.find("invalid peer certificate")?;
    Some(text[begin..].to_owned())
}

/// Whether the URL names this machine, which no proxy could reach.
pub(crate) fn is_this_machine(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|uri| {
        matches!(
            uri.host(),
            Some("localhost" | "127.0.0.1" | "[::1]" | "::1")
        )
    })
}

/// How long a server asks to wait, in the header `Retry-After` or, like Hugging Face's hub, in `RateLimit`
/// (`"api";r=0;t=55`: no requests left for 55 s).
pub(crate) fn wait_asked_for(headers: &HeaderMap) -> Option<Duration> {
    let seconds = |text: &str| text.trim().parse().ok().map(Duration::from_secs);
    let after = text(headers, header::RETRY_AFTER).and_then(seconds);
    after.or_else(|| {
        let limit = headers.get("ratelimit")?.to_str().ok()?;
        let field = |name| {
            limit
                .split(';')
                .find_map(|part| part.trim().strip_prefix(name))
        };
        field("r=").filter(|left| left.trim() == "0")?;
        field("t=").and_then(seconds)
    })
}

/// Says why nothing happens for a while.
pub(crate) fn announce(options: &Options, wait: Duration) {
    if options.progress && wait >= NOTICED_WAIT {
        console::note(format_args!(
            "waiting {} s, as the server asks",
            wait.as_secs()
        ));
    }
}

fn progress_bar(name: &str) -> ProgressBar {
    // Draws on stderr, and only if that is a terminal.
    let bar = ProgressBar::no_length().with_message(name.to_owned());
    let template = "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

fn length(file: &Path) -> u64 {
    file.metadata().map_or(0, |meta| meta.len())
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    text(headers, header::CONTENT_LENGTH)?.trim().parse().ok()
}

/// First byte of the range, and length of the whole file, from `bytes FIRST-LAST/TOTAL` (or `/*`).
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let range = text(headers, header::CONTENT_RANGE)?.trim();
    let (span, total) = range.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = span.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let total = match total.trim() {
        "*" => None,
        total => Some(total.parse::<u64>().ok()?),
    };
    // A range that stops before the end is not what was requested.
    let to_the_end = total.is_none_or(|total| last.checked_add(1) == Some(total));
    (first <= last && to_the_end).then_some((first, total))
}
