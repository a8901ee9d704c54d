//! What goes wrong with the hub.

use std::path::PathBuf;

use vision_base::message::{joined, quoted, shown};

/// Errors of [`Hub`](crate::hub::Hub).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// A name cannot be one of the hub.
    #[error("bad name of a {what} of the hub, {}: {reason}", quoted(given))]
    BadName {
        /// `repository`, `revision` or `file`.
        what: &'static str,
        /// The name, as given.
        given: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The hub has no such repository.
    #[error("{endpoint} has no repository {repository}{}", nearest(near), endpoint = shown(endpoint))]
    NoRepository {
        /// The repository.
        repository: String,
        /// The hub.
        endpoint: String,
        /// Known repositories with similar names, nearest first, if the caller knows any.
        near: Vec<String>,
    },
    /// The repository has no such branch, tag or commit.
    #[error(
        "{repository} has no revision {}: give a branch, a tag or a commit that its page lists",
        quoted(revision)
    )]
    NoRevision {
        /// The repository.
        repository: String,
        /// The revision.
        revision: String,
    },
    /// The repository has no such file.
    #[error(
        "{repository} has no file {} in its revision {}{hint}",
        quoted(file),
        quoted(revision)
    )]
    NoFile {
        /// The repository.
        repository: String,
        /// The file.
        file: String,
        /// The revision.
        revision: String,
        /// What to do. Starts with ": " unless empty.
        hint: &'static str,
    },
    /// The hub does not let this user read the repository.
    #[error(
        "the hub refuses {repository} (HTTP status {status}{}): {}{}",
        if *gated { ", a gated repository" } else { "" },
        access(*gated, *with_token, endpoint, repository),
        nearest(near)
    )]
    Denied {
        /// The repository.
        repository: String,
        /// The hub.
        endpoint: String,
        /// 401 or 403.
        status: u16,
        /// Whether its owner lets in only those who asked.
        gated: bool,
        /// Whether a token was sent.
        with_token: bool,
        /// As in [`NoRepository`](Self::NoRepository): the hub answers so for names that do not exist, too.
        near: Vec<String>,
    },
    /// The hub allows no more requests for now.
    #[error(
        "the hub allows no more requests for now (HTTP status 429 for {}, {attempts} attempt(s)){}: try again later, or \
         set HF_TOKEN to a token, which raises the limit",
        shown(url),
        seconds.map_or_else(String::new, |seconds| format!("; it asks to wait {seconds} s"))
    )]
    RateLimited {
        /// The URL.
        url: String,
        /// Number of attempts.
        attempts: u32,
        /// How long it asks to wait, in seconds, if it says so.
        seconds: Option<u64>,
    },
    /// The network is forbidden or the hub cannot be reached, and the file is not in the cache.
    #[error(
        "{file} of {repository} is not in the cache ({}), and {reason}. Download it where there is a network (`vision \
         weights fetch hub:{repository}`, or `hf download {repository}` of Python's huggingface_hub) and copy the folder \
         here, or set HF_HOME or HF_HUB_CACHE to where it is",
        shown(folder)
    )]
    NotCached {
        /// The repository.
        repository: String,
        /// The file.
        file: String,
        /// The folder of the repository in the cache.
        folder: PathBuf,
        /// Why it cannot be downloaded.
        reason: String,
    },
    /// The answer is not one that the hub gives.
    #[error(
        "{} does not answer as the hub does: {reason}. If HF_ENDPOINT is set, check it",
        shown(url)
    )]
    Answer {
        /// The URL.
        url: String,
        /// What is wrong with the answer.
        reason: String,
    },
}

fn nearest(near: &[String]) -> String {
    if near.is_empty() {
        return "; look for its name on the hub, as ORGANIZATION/NAME".to_owned();
    }
    format!(
        "; did you mean {}?",
        joined(near.iter().map(|name| quoted(name)))
    )
}

fn access(gated: bool, with_token: bool, endpoint: &str, repository: &str) -> String {
    let page = format!("{}/{repository}", shown(endpoint));
    match (gated, with_token) {
        (true, true) => format!("ask for access on {page}, with the account that the token belongs to"),
        (true, false) => format!(
            "ask for access on {page}, then set HF_TOKEN to a token of that account ({}/settings/tokens)",
            shown(endpoint)
        ),
        (false, true) => {
            "the token that was sent may be wrong or expired (HF_TOKEN, HF_TOKEN_PATH), or not allowed to read it; or the \
             repository does not exist"
                .to_owned()
        }
        (false, false) => {
            "it does not exist, or it is private: then set HF_TOKEN to a token that may read it (over http:// a token is \
             sent to this machine only)"
                .to_owned()
        }
    }
}
