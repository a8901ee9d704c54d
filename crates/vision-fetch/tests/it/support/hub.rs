//! A server that behaves like Hugging Face's hub, with another one for large files.
//!
//! Its answers are those that the client of Python (`huggingface_hub` 2.4.0) expects: `file_download.py` and
//! `utils/_http.py` of that package.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use vision_fetch::sha256_of;

use super::{Request, Server, reply, reply_range};

/// A file of a repository.
#[derive(Clone)]
pub struct RepositoryFile {
    pub bytes: Vec<u8>,
    /// The SHA-256 of a large one, which is named by it and sent by another host.
    pub large: Option<String>,
}

/// What the hub has, and how it misbehaves. Tests change it while it runs.
#[derive(Clone, Default)]
pub struct State {
    /// By repository and name.
    pub files: BTreeMap<(String, String), RepositoryFile>,
    /// The commit of `main`, of all repositories.
    pub commit: String,
    /// The token without which there is nothing, and the code of the answer (`GatedRepo`, `RepoNotFound`).
    pub token: Option<(String, &'static str)>,
    /// How often it is too busy, and the header with which it says for how long.
    pub busy: usize,
    pub wait: Option<(&'static str, &'static str)>,
    /// Replaces headers of every answer about a file.
    pub headers: BTreeMap<&'static str, String>,
    /// Bytes after which the next large file breaks off.
    pub cut: Option<usize>,
    /// What is sent instead of a file.
    pub sent: Option<Vec<u8>>,
    /// A repository that has another name now.
    pub renamed: BTreeMap<String, String>,
}

pub struct FakeHub {
    pub hub: Server,
    /// The host of large files.
    pub cdn: Server,
    pub state: Arc<Mutex<State>>,
}

/// A commit.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

impl FakeHub {
    /// A hub with these files of repositories: large if the name ends in `.safetensors`.
    pub fn start<'a>(files: impl IntoIterator<Item = (&'a str, &'a str, &'a [u8])>) -> Self {
        let files = files.into_iter().map(|(repository, name, bytes)| {
            let file = RepositoryFile {
                bytes: bytes.to_vec(),
                large: name.ends_with(".safetensors").then(|| sha256(bytes)),
            };
            ((repository.to_owned(), name.to_owned()), file)
        });
        let state = Arc::new(Mutex::new(State {
            files: files.collect(),
            commit: COMMIT.to_owned(),
            ..State::default()
        }));
        let cdn = Server::start({
            let state = Arc::clone(&state);
            move |_, request, stream| {
                let mut state = state.lock().unwrap();
                let digits = request.path.split('?').next().unwrap();
                let is_it = |file: &&RepositoryFile| file.large.as_deref() == Some(digits);
                let Some(file) = state.files.values().find(is_it) else {
                    return reply(stream, "404 Not Found", &[], b"");
                };
                let body = state.sent.clone().unwrap_or_else(|| file.bytes.clone());
                if let Some(cut) = state.cut.take() {
                    let headers = [
                        ("Content-Length", body.len().to_string()),
                        ("ETag", format!("\"cdn-{digits}\"")),
                    ];
                    return reply(stream, "200 OK", &headers, &body[..cut]);
                }
                drop(state);
                reply_range(stream, request, &format!("\"cdn-{digits}\""), &body);
            }
        });
        let base = cdn.url("");
        let hub = Server::start({
            let state = Arc::clone(&state);
            move |_, request, stream| {
                let mut state = state.lock().unwrap();
                let (status, headers, body) = answer(&mut state, request, &base);
                let headers: Vec<(&str, String)> = headers
                    .iter()
                    .map(|(key, value)| (key.as_str(), value.clone()))
                    .collect();
                let body: &[u8] = if request.method == "HEAD" { b"" } else { &body };
                reply(stream, status, &headers, body);
            }
        });
        Self { hub, cdn, state }
    }

    /// Its address, without a slash at the end.
    pub fn url(&self) -> String {
        self.hub.url("").trim_end_matches('/').to_owned()
    }

    pub fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    /// Method and file of each request to the hub, and of each to the host of large files.
    pub fn asked(&self) -> Vec<String> {
        let of = |request: &Request| {
            let path = request.path.split('?').next().unwrap();
            format!("{} {}", request.method, path.rsplit('/').next().unwrap())
        };
        let large = self.cdn.requests();
        let large = large
            .iter()
            .map(|request| format!("{} large", request.method));
        self.hub.requests().iter().map(of).chain(large).collect()
    }
}

type Reply = (&'static str, Vec<(String, String)>, Vec<u8>);

fn answer(state: &mut State, request: &Request, cdn: &str) -> Reply {
    let error = |status, code: &str| {
        let headers = [("X-Error-Code", code), ("Content-Length", "0")];
        let headers = headers.map(|(key, value)| (key.to_owned(), value.to_owned()));
        (status, headers.to_vec(), Vec::new())
    };
    if state.busy > 0 {
        state.busy -= 1;
        let (status, mut headers, body) = error("429 Too Many Requests", "");
        headers.extend(
            state
                .wait
                .map(|(key, value)| (key.to_owned(), value.to_owned())),
        );
        return (status, headers, body);
    }
    let Some((repository, rest)) = request.path.split_once("/resolve/") else {
        return error("404 Not Found", "");
    };
    let (revision, name) = rest.split_once('/').unwrap_or((rest, ""));
    if let Some(now) = state.renamed.get(repository) {
        let target = format!("/{now}/resolve/{revision}/{name}");
        let headers = vec![
            ("Location".to_owned(), target),
            ("Content-Length".to_owned(), "0".to_owned()),
        ];
        return ("307 Temporary Redirect", headers, Vec::new());
    }
    let given = request.header("authorization").unwrap_or_default();
    if let Some((token, code)) = &state.token
        && given != format!("Bearer {token}")
    {
        let status = match given {
            "" => "401 Unauthorized",
            _ => "403 Forbidden",
        };
        return error(status, code);
    }
    if state.files.keys().all(|(known, _)| known != repository) {
        return error("404 Not Found", "RepoNotFound");
    }
    if revision != "main" && revision != state.commit {
        return error("404 Not Found", "RevisionNotFound");
    }
    let Some(file) = state.files.get(&(repository.to_owned(), name.to_owned())) else {
        return error("404 Not Found", "EntryNotFound");
    };
    let mut headers = BTreeMap::from([("X-Repo-Commit", state.commit.clone())]);
    let length = file.bytes.len().to_string();
    let body;
    let status = if let Some(digits) = &file.large {
        headers.insert("X-Linked-ETag", format!("\"{digits}\""));
        headers.insert("X-Linked-Size", length);
        headers.insert("Location", format!("{cdn}{digits}?signature=x"));
        headers.insert("Content-Length", "0".to_owned());
        body = Vec::new();
        "302 Found"
    } else {
        headers.insert("ETag", format!("\"{}\"", git_blob(&file.bytes)));
        headers.insert("Content-Length", length);
        body = state.sent.clone().unwrap_or_else(|| file.bytes.clone());
        "200 OK"
    };
    for (key, value) in &state.headers {
        headers.insert(key, value.clone());
    }
    headers.retain(|_, value| !value.is_empty());
    let headers = headers
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value));
    (status, headers.collect(), body)
}

/// SHA-256 in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x");
    std::fs::write(&file, bytes).unwrap();
    sha256_of(&file).unwrap()
}

/// Git's name for a content, in hexadecimal digits.
pub fn git_blob(bytes: &[u8]) -> String {
    let mut whole = format!("blob {}\0", bytes.len()).into_bytes();
    whole.extend_from_slice(bytes);
    sha1(&whole)
}

/// SHA-1 as in FIPS 180-4, section 6.1; written here so that nothing of the library judges itself.
fn sha1(bytes: &[u8]) -> String {
    let mut padded = bytes.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend_from_slice(&(8 * bytes.len() as u64).to_be_bytes());
    let mut h: [u32; 5] = [
        0x6745_2301,
        0xefcd_ab89,
        0x98ba_dcfe,
        0x1032_5476,
        0xc3d2_e1f0,
    ];
    for block in padded.chunks_exact(64) {
        let mut w = [0_u32; 80];
        for (word, four) in w.iter_mut().zip(block.chunks_exact(4)) {
            *word = u32::from_be_bytes(four.try_into().unwrap());
        }
        for t in 16..80 {
            w[t] = (w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16]).rotate_left(1);
        }
        let [mut a, mut b, mut c, mut d, mut e] = h;
        for (t, word) in w.iter().enumerate() {
            let (f, k) = match t {
                0..20 => ((b & c) | (!b & d), 0x5a82_7999),
                20..40 => (b ^ c ^ d, 0x6ed9_eba1),
                40..60 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6_u32),
            };
            let next = a
                .rotate_left(5)
                .wrapping_add(f)
                .wrapping_add(e)
                .wrapping_add(k)
                .wrapping_add(*word);
            (a, b, c, d, e) = (next, a, b.rotate_left(30), c, d);
        }
        for (sum, part) in h.iter_mut().zip([a, b, c, d, e]) {
            *sum = sum.wrapping_add(part);
        }
    }
    h.iter().map(|word| format!("{word:08x}")).collect()
}
