//! A scripted HTTP server, and a writer of malformed archives.
// Each test file uses only a part of this.
#![allow(dead_code, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod hub;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{EntryType, Header};
use vision_fetch::Options;

/// A client's request.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    headers: Vec<(String, String)>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// N of `Range: bytes=N-`.
    pub fn range(&self) -> Option<usize> {
        self.header("range")?
            .strip_prefix("bytes=")?
            .strip_suffix('-')?
            .parse()
            .ok()
    }
}

/// A server on its own port, which listens until it is dropped.
pub struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// `answer` gets the number of the request (from 0), the request, and the connection, which is
    /// closed afterwards.
    pub fn start(answer: impl Fn(usize, &Request, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let answer = Arc::new(answer);
        let thread = thread::spawn({
            let (requests, stop) = (Arc::clone(&requests), Arc::clone(&stop));
            move || {
                for stream in listener.incoming() {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let (requests, answer) = (Arc::clone(&requests), Arc::clone(&answer));
                    thread::spawn(move || {
                        let mut stream = stream.unwrap();
                        stream
                            .set_read_timeout(Some(Duration::from_secs(5)))
                            .unwrap();
                        let Some(request) = read_request(&stream) else {
                            return;
                        };
                        let number = {
                            let mut requests = requests.lock().unwrap();
                            requests.push(request.clone());
                            requests.len() - 1
                        };
                        answer(number, &request, &mut stream);
                    });
                }
            }
        });
        Self {
            address,
            requests,
            stop,
            thread: Some(thread),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the listener so that it sees the flag.
        let _ = TcpStream::connect(self.address);
        let _ = self.thread.take().unwrap().join();
    }
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let method = first.split(' ').next()?.to_owned();
    let path = first.split(' ').nth(1)?.trim_start_matches('/').to_owned();
    let mut headers = Vec::new();
    for line in lines {
        let line = line.ok()?;
        if line.is_empty() {
            break;
        }
        let (key, value) = line.split_once(':')?;
        headers.push((key.to_owned(), value.trim().to_owned()));
    }
    Some(Request {
        method,
        path,
        headers,
    })
}

/// Writes a status line, headers and a body. Adds `Connection: close`, but no length.
pub fn reply(stream: &mut TcpStream, status: &str, headers: &[(&str, String)], body: &[u8]) {
    let mut head = format!("HTTP/1.1 {status}\r\nConnection: close\r\n");
    for (key, value) in headers {
        head.push_str(&format!("{key}: {value}\r\n"));
    }
    head.push_str("\r\n");
    // The client may have closed the connection, which is allowed.
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(body);
}

/// Replies with all of `body` and its length.
pub fn reply_all(stream: &mut TcpStream, body: &[u8]) {
    let length = ("Content-Length", body.len().to_string());
    reply(stream, "200 OK", &[length], body);
}

/// Replies as a correct server does: with the requested range, or everything.
pub fn reply_range(stream: &mut TcpStream, request: &Request, etag: &str, body: &[u8]) {
    let etag_header = ("ETag", etag.to_owned());
    let unchanged = request.header("if-range").is_none_or(|tag| tag == etag);
    match request.range().filter(|_| unchanged) {
        Some(start) if start < body.len() => {
            let rest = &body[start..];
            let (last, total) = (body.len() - 1, body.len());
            let headers = [
                ("Content-Length", rest.len().to_string()),
                ("Content-Range", format!("bytes {start}-{last}/{total}")),
                etag_header,
            ];
            reply(stream, "206 Partial Content", &headers, rest);
        }
        Some(_) => reply(stream, "416 Range Not Satisfiable", &[], b""),
        None => {
            let headers = [("Content-Length", body.len().to_string()), etag_header];
            reply(stream, "200 OK", &headers, body);
        }
    }
}

/// Pseudo-random bytes, the same each time.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        // xorshift64, Marsaglia 2003.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// Options for tests: no environment variables, no pauses.
pub fn quick() -> Options {
    Options::new()
        .without_mirror()
        .with_backoff(Duration::from_millis(1))
        .with_connect_timeout(Duration::from_secs(1))
        .with_idle_timeout(Duration::from_millis(300))
        .with_lock_timeout(Duration::from_secs(5))
}

/// An address without a listener. Systems never choose this port, so no server of another test gets it.
pub fn nobody() -> String {
    "http://127.0.0.1:1".to_owned()
}

/// All files below a folder, as sorted relative paths, without lock files.
pub fn tree(folder: &Path) -> Vec<String> {
    fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            if !name.ends_with(".lock") {
                found.push(name.replace('\\', "/"));
            }
            if path.is_dir() {
                walk(root, &path, found);
            }
        }
    }
    let mut found = Vec::new();
    if folder.exists() {
        walk(folder, folder, &mut found);
    }
    found.sort();
    found
}

/// A tar under construction, valid or not.
#[derive(Default)]
pub struct Tar {
    blocks: Vec<u8>,
}

impl Tar {
    pub fn file(self, name: impl AsRef<[u8]>, contents: &[u8]) -> Self {
        self.entry(name, EntryType::Regular, "", contents)
    }

    pub fn folder(self, name: impl AsRef<[u8]>) -> Self {
        self.entry(name, EntryType::Directory, "", b"")
    }

    pub fn link(self, name: impl AsRef<[u8]>, kind: EntryType, target: &str) -> Self {
        self.entry(name, kind, target, b"")
    }

    pub fn entry(
        self,
        name: impl AsRef<[u8]>,
        kind: EntryType,
        target: &str,
        contents: &[u8],
    ) -> Self {
        self.sized(name, kind, target, contents, contents.len() as u64)
    }

    /// The header states `size`, whatever the length of the contents.
    pub fn sized(
        mut self,
        name: impl AsRef<[u8]>,
        kind: EntryType,
        target: &str,
        contents: &[u8],
        size: u64,
    ) -> Self {
        let mut header = Header::new_ustar();
        // The crate's setters reject the values that these tests need.
        let old = header.as_old_mut();
        old.name[..name.as_ref().len()].copy_from_slice(name.as_ref());
        old.linkname[..target.len()].copy_from_slice(target.as_bytes());
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(0o644);
        header.set_cksum();
        self.blocks.extend_from_slice(header.as_bytes());
        self.blocks.extend_from_slice(contents);
        let padded = self.blocks.len().next_multiple_of(512);
        self.blocks.resize(padded, 0);
        self
    }

    /// An extended header for the next entry; records are `key=value`.
    pub fn pax(self, kind: EntryType, records: &[&str]) -> Self {
        let mut data = String::new();
        for record in records {
            // "LEN record\n", where LEN includes its own digits.
            let rest = record.len() + 2;
            let mut length = rest + 1;
            while length.to_string().len() + rest != length {
                length += 1;
            }
            data.push_str(&format!("{length} {record}\n"));
        }
        self.entry("PaxHeader", kind, "", data.as_bytes())
    }

    /// Ends the tar with the end-of-archive mark.
    pub fn tar(mut self) -> Vec<u8> {
        self.blocks.extend_from_slice(&[0; 1024]);
        self.blocks
    }

    pub fn tgz(self) -> Vec<u8> {
        gzip(&self.tar())
    }

    pub fn blocks(self) -> Vec<u8> {
        self.blocks
    }
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A small data set in a top folder `set`.
pub fn small_set() -> Tar {
    Tar::default()
        .folder("set/")
        .file("set/labels.csv", b"name,label\n")
        .folder("set/train/")
        .file("set/train/3/1.png", &noise(700))
        .file("set/train/7/2.png", &noise(1500))
        .file("set/valid/3/3.png", &noise(10))
        .file("set/valid/7/4.png", b"")
}

/// Writes a file with these bytes into the folder.
pub fn put(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// A folder in `root` that nobody can read, not even root, because its path is too long for the
/// system. It is made of two halves, one of which is moved into the other.
#[cfg(target_os = "linux")]
pub fn unreadable(root: &Path) -> PathBuf {
    let half = |name: &str| {
        let mut path = root.join(name);
        for _ in 0..10 {
            path.push("n".repeat(240));
        }
        std::fs::create_dir_all(&path).unwrap();
        path
    };
    let end = half("a").join("moved");
    half("b");
    std::fs::rename(root.join("b"), &end).unwrap();
    end
}
