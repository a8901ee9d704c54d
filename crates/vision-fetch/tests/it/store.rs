//! Files of the network in a folder of bounded size.

use std::fs;
use std::io;
use std::path::Path;
#[cfg(target_os = "linux")]
use std::process::Command;
use std::thread;
use std::time::Duration;

use support::{Server, noise, put, quick, reply, reply_all, reply_range, tree};
use vision_fetch::{Error, Store};

use crate::support;

/// Serves 1000 bytes for each name, which differ by name.
fn server() -> Server {
    Server::start(|_, request, stream| {
        let body = body(&request.path);
        reply_range(stream, request, "\"v1\"", &body);
    })
}

fn body(path: &str) -> Vec<u8> {
    let mut body = noise(1000);
    body[..path.len()].copy_from_slice(path.as_bytes());
    body
}

fn open(folder: &Path, max_bytes: u64) -> Store {
    Store::open(folder, max_bytes)
        .unwrap()
        .with_options(quick().with_progress(false))
}

fn read(store: &Store, url: &str) -> Vec<u8> {
    let (mut file, known) = store.get(url, None).unwrap();
    let mut bytes = Vec::new();
    io::copy(&mut file, &mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, known.bytes);
    bytes
}

/// The names of the whole files, without digits of the URL.
fn kept(folder: &Path) -> Vec<String> {
    let names = tree(folder).into_iter();
    let mut names: Vec<String> = names
        .map(|name| name.split_once('-').unwrap().1.to_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn what_was_used_longest_ago_makes_room() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 2500);
    for name in ["a", "b", "a", "c"] {
        assert_eq!(read(&store, &server.url(name)), body(name));
    }
    assert_eq!(kept(folder.path()), ["a", "c"]);
    assert_eq!(server.requests().len(), 3);
    assert!(store.has(&server.url("a")) && !store.has(&server.url("b")));
    read(&store, &server.url("b"));
    assert_eq!(kept(folder.path()), ["b", "c"]);
    assert_eq!(server.requests().len(), 4);
    // What an earlier process has left counts, and is used.
    let store = open(folder.path(), 1500);
    read(&store, &server.url("c"));
    assert_eq!(server.requests().len(), 4);
    read(&store, &server.url("d"));
    assert_eq!(kept(folder.path()), ["d"]);
    // There is always room for the one that is asked for.
    let store = open(folder.path(), 0);
    assert_eq!(read(&store, &server.url("e")), body("e"));
    assert_eq!(kept(folder.path()), ["e"]);
}

#[test]
fn threads_that_ask_for_the_same_file_download_it_once() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 10_000);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(read(&store, &server.url("a")), body("a")));
        }
    });
    assert_eq!(server.requests().len(), 1);
    // And far more than fit, from many threads.
    let store = open(folder.path(), 1500);
    thread::scope(|scope| {
        for thread in 0..8 {
            let (store, server) = (&store, &server);
            scope.spawn(move || {
                for i in 0..10 {
                    let name = format!("n{}", (i * 3 + thread) % 5);
                    assert_eq!(read(store, &server.url(&name)), body(&name));
                }
            });
        }
    });
    read(&store, &server.url("last"));
    assert_eq!(kept(folder.path()), ["last"]);
}

#[test]
fn another_file_than_the_one_that_is_known_is_an_error() {
    let server = Server::start(|number, request, stream| match number {
        0 => reply_range(stream, request, "\"v1\"", &noise(1000)),
        1 => reply_range(stream, request, "\"v2\"", &noise(1001)),
        _ => {
            let mut other = noise(1000);
            other[500] ^= 1;
            reply_range(stream, request, "\"v3\"", &other);
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let url = server.url("a.tar");
    let (_, known) = open(folder.path(), 0).get(&url, None).unwrap();
    // It is on the disk.
    open(folder.path(), 0).get(&url, Some(&known)).unwrap();
    let other = tempfile::tempdir().unwrap();
    let error = open(other.path(), 0).get(&url, Some(&known)).unwrap_err();
    assert!(matches!(error, Error::SizeMismatch { .. }), "{error}");
    let error = open(other.path(), 0).get(&url, Some(&known)).unwrap_err();
    assert!(matches!(error, Error::HashMismatch { .. }), "{error}");
    assert_eq!(tree(other.path()), [""; 0]);
}

#[test]
fn a_file_that_was_damaged_on_the_disk_is_downloaded_again() {
    let server = server();
    let folder = tempfile::tempdir().unwrap();
    let url = server.url("a");
    let store = open(folder.path(), 10_000);
    let (_, known) = store.get(&url, None).unwrap();
    let name = tree(folder.path()).remove(0);
    // Shortened while the store is open, and changed before it is opened.
    put(folder.path(), &name, b"short");
    assert_eq!(store.get(&url, Some(&known)).unwrap().1, known);
    put(folder.path(), &name, &noise(1000));
    let store = open(folder.path(), 10_000);
    assert_eq!(store.get(&url, Some(&known)).unwrap().1, known);
    assert_eq!(fs::read(folder.path().join(&name)).unwrap(), body("a"));
    // Removed by somebody.
    fs::remove_file(folder.path().join(&name)).unwrap();
    assert_eq!(read(&store, &url), body("a"));
}

#[test]
fn a_link_that_fails_is_a_typed_error_and_the_next_call_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path(), 10_000);
    let store = store.with_options(quick().with_retries(1).with_progress(false));
    let missing = Server::start(|_, _, stream| reply(stream, "404 Not Found", &[], b""));
    let error = store.get(&missing.url("a"), None).unwrap_err();
    assert!(matches!(error, Error::HttpStatus { status: 404, .. }));

    // Stalls in the middle, twice; then it goes on, where it stopped.
    let stalling = Server::start(|number, request, stream| {
        let whole = noise(1000);
        match number {
            0 => {
                let length = ("Content-Length", "1000".to_owned());
                let tag = ("ETag", "\"v1\"".to_owned());
                reply(stream, "200 OK", &[length, tag], &whole[..400]);
                thread::sleep(Duration::from_millis(900));
            }
            1 => thread::sleep(Duration::from_millis(900)),
            _ => reply_range(stream, request, "\"v1\"", &whole),
        }
    });
    let error = store.get(&stalling.url("a"), None).unwrap_err();
    match error {
        Error::Interrupted {
            found, expected, ..
        } => assert_eq!((found, expected), (400, Some(1000))),
        other => panic!("{other}"),
    }
    assert_eq!(read(&store, &stalling.url("a")), noise(1000));
    assert_eq!(stalling.requests()[2].range(), Some(400));

    // Says more bytes than it sends.
    let short = Server::start(|_, _, stream| {
        let length = ("Content-Length", "1000".to_owned());
        reply(stream, "200 OK", &[length], &noise(400));
    });
    let error = store.get(&short.url("a"), None).unwrap_err();
    assert!(matches!(error, Error::Interrupted { .. }), "{error}");

    // Ignores ranges, so that it begins again.
    let ignoring = Server::start(|number, _, stream| match number {
        0 => {
            let length = ("Content-Length", "1000".to_owned());
            let tag = ("ETag", "\"v1\"".to_owned());
            reply(stream, "200 OK", &[length, tag], &noise(1000)[..400]);
        }
        _ => reply_all(stream, &noise(1000)),
    });
    assert_eq!(read(&store, &ignoring.url("a")), noise(1000));
    for url in ["", "a.tar", "ftp://h/a", "http://h", "http://h/.."] {
        let error = store.get(url, None).unwrap_err();
        assert!(matches!(error, Error::BadUrl { .. }), "{error}");
    }
}

/// A file system of 64 KiB, where this process may mount one.
#[cfg(target_os = "linux")]
struct SmallDisk(tempfile::TempDir);

#[cfg(target_os = "linux")]
impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k", "none"]);
        let mounted = mount.arg(folder.path()).status();
        mounted
            .is_ok_and(|status| status.success())
            .then_some(Self(folder))
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the folder may still be in use if the test has failed.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn on_a_full_disk_other_files_make_room_and_otherwise_the_error_says_what_to_do() {
    let Some(disk) = SmallDisk::mount() else {
        println!("SKIPPED: this process may not mount a file system");
        return;
    };
    let folder = disk.0.path().join("store");
    let big = |path: &str| {
        let mut body = noise(if path.contains("huge") {
            100_000
        } else {
            25_000
        });
        body[..path.len()].copy_from_slice(path.as_bytes());
        body
    };
    let server = Server::start(move |_, request, stream| {
        reply_range(stream, request, "\"v1\"", &big(&request.path));
    });
    // A limit that the disk does not reach.
    let store = open(&folder, 1 << 30);
    for name in ["a", "b", "c"] {
        assert_eq!(read(&store, &server.url(name)), big(name));
    }
    assert_eq!(kept(&folder).last().unwrap(), "c");
    let error = store.get(&server.url("huge"), None).unwrap_err();
    let Error::Io(found) = &error else {
        panic!("{error:?}");
    };
    assert_eq!(found.source.kind(), io::ErrorKind::StorageFull);
    let text = error.to_string();
    assert!(
        text.contains("another disk") && text.contains(folder.to_str().unwrap()),
        "{text}"
    );
    // What there is of it does not stay in the way of others.
    assert_eq!(read(&store, &server.url("d")), big("d"));
}
