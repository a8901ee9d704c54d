//! What the hub says of a file before it is downloaded.

use std::thread;
use std::time::Duration;

use ureq::http::{HeaderMap, StatusCode, Uri, header};
use ureq::{Agent, RequestBuilder};
use vision_base::message::shown;

use crate::checksum::Etag;
use crate::error::Error;
use crate::http::{LONGEST_WAIT, agent, announce, distrust, is_this_machine, wait_asked_for};
use crate::hub::error::HubError;
use crate::hub::name;
use crate::options::Options;
use crate::url::is_http;

/// Redirects within the hub: of repositories that were renamed, and to its own caches.
const MOST_REDIRECTS: usize = 5;

/// A question about a file.
pub(crate) struct Question<'a> {
    pub(crate) endpoint: &'a str,
    pub(crate) repository: &'a str,
    pub(crate) revision: &'a str,
    pub(crate) file: &'a str,
    pub(crate) token: Option<&'a str>,
    pub(crate) options: &'a Options,
}

/// A file of a commit.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Where the hub has it; it may redirect to another host.
    pub(crate) url: String,
    pub(crate) commit: String,
    pub(crate) etag: Etag,
    pub(crate) size: Option<u64>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// Nobody answers, or only that the server is not well. The cache may help.
    Absent(String),
    /// Another attempt or the cache may help.
    Busy { attempts: u32, seconds: Option<u64> },
    /// The hub lets this user have nothing. The cache may help.
    Denied(HubError),
    /// Nothing helps.
    Final(Error),
}

impl From<HubError> for NoAnswer {
    fn from(error: HubError) -> Self {
        Self::Final(error.into())
    }
}

impl Question<'_> {
    pub(crate) fn url(&self) -> String {
        format!(
            "{}/{}/resolve/{}/{}",
            self.endpoint.trim_end_matches('/'),
            self.repository,
            name::encoded(self.revision, false),
            name::encoded(self.file, true)
        )
    }

    /// The token, if it may be sent to this URL: to the endpoint alone, and without encryption to this machine only.
    pub(crate) fn token_for(&self, url: &str) -> Option<&str> {
        let is_safe = url.starts_with("https:") || is_this_machine(url);
        self.token
            .filter(|_| is_safe && origin(url).is_some() && origin(url) == origin(self.endpoint))
    }

    /// Asks up to `retries` times more if the hub is busy.
    pub(crate) fn ask(&self, retries: u32) -> Result<Answer, NoAnswer> {
        let agent = agent(self.options, self.endpoint, 0).map_err(NoAnswer::Final)?;
        let mut pause = self.options.backoff;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let (status, asked) = match self.follow(&agent)? {
                Attempt::Answer(answer) => return Ok(answer),
                Attempt::Busy(status, asked) => (status, asked),
            };
            let patient = asked.is_none_or(|asked| asked <= LONGEST_WAIT);
            if attempts > retries || !patient {
                return Err(match status {
                    StatusCode::TOO_MANY_REQUESTS => NoAnswer::Busy {
                        attempts,
                        seconds: asked.map(|asked| asked.as_secs()),
                    },
                    status => NoAnswer::Absent(format!(
                        "{} answered with HTTP status {status} ({attempts} attempt(s))",
                        shown(self.endpoint)
                    )),
                });
            }
            let wait = asked.map_or(pause, |asked| asked.max(pause));
            announce(self.options, wait);
            thread::sleep(wait);
            pause *= 2;
        }
    }

    /// Follows redirects as long as they stay on the hub: its headers say what is wanted, and another host must not see the
    /// token.
    fn follow(&self, agent: &Agent) -> Result<Attempt, NoAnswer> {
        let mut url = self.url();
        let mut seen = Seen::default();
        for _ in 0..=MOST_REDIRECTS {
            let mut request: RequestBuilder<_> = agent.head(&url);
            if let Some(token) = self.token_for(&url) {
                request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
            }
            let response = request
                .call()
                .map_err(|error| self.unanswered(&url, &error))?;
            let headers = response.headers();
            let status = response.status();
            if status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429) {
                return Ok(Attempt::Busy(status, wait_asked_for(headers)));
            }
            if !(status.is_success() || status.is_redirection()) {
                return Err(self.refused(&url, status, headers));
            }
            seen.note(headers, status);
            if !status.is_redirection() {
                return self.answer(url, seen).map(Attempt::Answer);
            }
            let target = text(headers, "location").and_then(|target| joined(&url, target));
            let Some(target) = target else {
                return Err(odd(&url, "it redirects to nowhere"));
            };
            if origin(&target) != origin(self.endpoint) {
                return self.answer(url, seen).map(Attempt::Answer);
            }
            url = target;
        }
        Err(odd(&url, "it redirects too often"))
    }

    fn answer(&self, url: String, seen: Seen) -> Result<Answer, NoAnswer> {
        let Some(commit) = seen.commit.filter(|commit| name::is_commit(commit)) else {
            return Err(odd(
                &url,
                "the header X-Repo-Commit is no commit of 40 hexadecimal digits",
            ));
        };
        if name::is_commit(self.revision) && self.revision != commit {
            return Err(odd(
                &url,
                "the header X-Repo-Commit names another commit than the one asked for",
            ));
        }
        let Some(etag) = seen.etag.as_deref().and_then(Etag::parse) else {
            let reason = "the header X-Linked-ETag or ETag is no SHA-256 or SHA-1, by which the file could be verified";
            return Err(odd(&url, reason));
        };
        Ok(Answer {
            url,
            commit,
            etag,
            size: seen.size,
        })
    }

    fn unanswered(&self, url: &str, error: &ureq::Error) -> NoAnswer {
        if let Some(reason) = distrust(error) {
            let url = url.to_owned();
            return NoAnswer::Absent(Error::Untrusted { url, reason }.to_string());
        }
        match error {
            ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
                odd(url, "it cannot be parsed as a URL")
            }
            ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) => {
                odd(url, "its answer is no HTTP")
            }
            error => NoAnswer::Absent(format!(
                "{} cannot be reached: {}",
                shown(self.endpoint),
                shown(error.to_string())
            )),
        }
    }

    fn refused(&self, url: &str, status: StatusCode, headers: &HeaderMap) -> NoAnswer {
        let code = text(headers, "x-error-code").unwrap_or_default();
        let repository = self.repository.to_owned();
        let revision = self.revision.to_owned();
        match (status, code) {
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, code) => NoAnswer::Denied(HubError::Denied {
                repository,
                endpoint: self.endpoint.to_owned(),
                status: status.as_u16(),
                gated: code == "GatedRepo",
                with_token: self.token_for(url).is_some(),
                near: Vec::new(),
            }),
            (StatusCode::NOT_FOUND, "EntryNotFound") => HubError::NoFile {
                repository,
                file: self.file.to_owned(),
                revision,
                hint: match self.file {
                    "model.safetensors" => {
                        ": its weights have another name or format. Download the file yourself, and load it as a file"
                    }
                    "config.json" => ": it is no repository of timm",
                    _ => "",
                },
            }
            .into(),
            (StatusCode::NOT_FOUND, "RevisionNotFound") => HubError::NoRevision {
                repository,
                revision,
            }
            .into(),
            (StatusCode::NOT_FOUND, _) => HubError::NoRepository {
                repository,
                endpoint: self.endpoint.to_owned(),
                near: Vec::new(),
            }
            .into(),
            (status, _) => odd(url, &format!("it answers with HTTP status {status}")),
        }
    }
}

fn odd(url: &str, reason: &str) -> NoAnswer {
    let (url, reason) = (url.to_owned(), reason.to_owned());
    HubError::Answer { url, reason }.into()
}

enum Attempt {
    Answer(Answer),
    Busy(StatusCode, Option<Duration>),
}

/// What the headers said on the way; later ones win.
#[derive(Default)]
struct Seen {
    commit: Option<String>,
    etag: Option<String>,
    size: Option<u64>,
}

impl Seen {
    fn note(&mut self, headers: &HeaderMap, status: StatusCode) {
        let own = |name| text(headers, name).map(str::to_owned);
        self.commit = own("x-repo-commit").or(self.commit.take());
        let etag = own("x-linked-etag").or_else(|| own("etag"));
        self.etag = etag.or(self.etag.take());
        // The length of a redirect is that of its own body.
        let length = own("x-linked-size")
            .or_else(|| own("content-length").filter(|_| !status.is_redirection()));
        self.size = length
            .and_then(|size| size.trim().parse().ok())
            .or(self.size);
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Scheme, host and port.
fn origin(url: &str) -> Option<(String, String, u16)> {
    let uri: Uri = url.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let usual = if scheme == "https" { 443 } else { 80 };
    let port = uri.port_u16().unwrap_or(usual);
    Some((scheme, uri.host()?.to_ascii_lowercase(), port))
}

/// The target of a redirect: absolute, or from the root of the host.
fn joined(url: &str, target: &str) -> Option<String> {
    if is_http(target) {
        return Some(target.to_owned());
    }
    let (scheme, rest) = url.split_once("://")?;
    if let Some(rest) = target.strip_prefix("//") {
        return Some(format!("{scheme}://{rest}"));
    }
    let host = rest.split(['/', '?', '#']).next()?;
    target
        .starts_with('/')
        .then(|| format!("{scheme}://{host}{target}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_token_is_for_the_endpoint_alone() {
        let options = Options::new();
        let token = |endpoint, url| {
            let question = Question {
                endpoint,
                repository: "a/b",
                revision: "main",
                file: "c",
                token: Some("hf_x"),
                options: &options,
            };
            question.token_for(url).is_some()
        };
        let hub = "https://huggingface.co";
        assert!(token(hub, "https://huggingface.co/a/b"));
        assert!(token(hub, "https://HuggingFace.co:443/a/b"));
        for other in [
            "https://cdn.huggingface.co/a",
            "https://huggingface.co.evil.org/a",
            "https://huggingface.co@evil.org/a",
            "https://huggingface.co:8443/a",
            "http://huggingface.co/a",
            "a",
        ] {
            assert!(!token(hub, other), "{other}");
        }
        assert!(token("http://127.0.0.1:8000", "http://127.0.0.1:8000/a"));
        assert!(!token("http://hub.example.org", "http://hub.example.org/a"));
    }

    #[test]
    fn redirects_are_absolute_or_from_the_root() {
        let url = "https://h:1/a/b?c";
        assert_eq!(joined(url, "https://i/x").unwrap(), "https://i/x");
        assert_eq!(joined(url, "/x?y").unwrap(), "https://h:1/x?y");
        assert_eq!(joined(url, "//i/x").unwrap(), "https://i/x");
        assert!(joined(url, "x").is_none() && joined(url, "ftp:x").is_none());
    }
}
