//! The guarantees of downloads, against a server that misbehaves.

use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Barrier;
use std::time::Duration;
use std::{fs, thread};

use sha2::{Digest, Sha256};
use support::{Server, nobody, noise, put, quick, reply, reply_all, reply_range, tree};
use vision_base::IoError;
use vision_fetch::{Download, Error, Options, Origin};

use crate::support;

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn download(url: &str, folder: &Path) -> Download {
    Download::new(url, folder.join("a.bin")).with_options(quick())
}

#[test]
fn a_file_arrives_whole_and_verified_under_its_final_name_alone() {
    let body = noise(300_000);
    let server = Server::start({
        let body = body.clone();
        move |_, _, stream| reply_all(stream, &body)
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("new/folder/a.bin");
    let fetched = Download::new(server.url("x/a.bin"), &file)
        .with_options(quick())
        .with_size(300_000)
        .with_sha256(sha256(&body).to_uppercase())
        .fetch()
        .unwrap();
    assert_eq!(fetched.path, file);
    assert_eq!(fetched.bytes, 300_000);
    assert_eq!(fetched.sha256, sha256(&body));
    assert_eq!(fetched.origin, Origin::Network);
    assert_eq!(fs::read(&file).unwrap(), body);
    assert_eq!(tree(file.parent().unwrap()), ["a.bin"]);
}

#[test]
fn a_file_that_is_there_needs_no_network() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "a.bin", b"by hand");
    let fetched = download(&format!("{}/a.bin", nobody()), folder.path())
        .with_size(7)
        .with_sha256(&sha256(b"by hand")[..8])
        .fetch()
        .unwrap();
    assert_eq!(fetched.origin, Origin::Cache);
    assert_eq!(tree(folder.path()), ["a.bin"]);
}

#[test]
fn a_wrong_file_that_is_there_is_an_error_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = put(folder.path(), "a.bin", b"by hand");
    let url = format!("{}/a.bin", nobody());
    let by_size = download(&url, folder.path()).with_size(8).fetch();
    let by_hash = download(&url, folder.path())
        .with_sha256("00000000")
        .fetch();
    for (result, wanted) in [(by_size, "8 bytes"), (by_hash, "SHA-256 00000000")] {
        let error = result.unwrap_err();
        assert!(matches!(&error, Error::NotTheFile { expected, .. } if expected == wanted));
        assert!(error.to_string().contains(file.to_str().unwrap()));
        assert!(error.to_string().contains(&url));
    }
    assert_eq!(fs::read(&file).unwrap(), b"by hand");
}

#[test]
fn replace_fetches_anew_what_is_there() {
    let server = Server::start(|_, _, stream| reply_all(stream, b"new"));
    let folder = tempfile::tempdir().unwrap();
    let file = put(folder.path(), "a.bin", b"old");
    download(&server.url("a.bin"), folder.path())
        .with_options(quick().with_replace(true))
        .fetch()
        .unwrap();
    assert_eq!(fs::read(file).unwrap(), b"new");
}

#[test]
fn a_wrong_hash_leaves_nothing() {
    let server = Server::start(|_, _, stream| reply_all(stream, b"something else"));
    let folder = tempfile::tempdir().unwrap();
    let error = download(&server.url("a.bin"), folder.path())
        .with_sha256("f37072fd")
        .fetch()
        .unwrap_err();
    match &error {
        Error::HashMismatch {
            url,
            expected,
            found,
            ..
        } => {
            assert_eq!(*url, server.url("a.bin"));
            assert_eq!(expected, "f37072fd");
            assert_eq!(*found, sha256(b"something else"));
        }
        other => panic!("{other}"),
    }
    assert!(tree(folder.path()).is_empty());
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_server_that_is_busy_twice_is_asked_a_third_time() {
    let server = Server::start(|number, _, stream| match number {
        0 | 1 => reply(stream, "503 Service Unavailable", &[], b"busy"),
        _ => reply_all(stream, b"body"),
    });
    let folder = tempfile::tempdir().unwrap();
    let fetched = download(&server.url("a.bin"), folder.path())
        .fetch()
        .unwrap();
    assert_eq!(fs::read(fetched.path).unwrap(), b"body");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_server_that_stays_busy_ends_in_its_status_and_the_number_of_attempts() {
    let server = Server::start(|_, _, stream| reply(stream, "503 Busy", &[], b""));
    let folder = tempfile::tempdir().unwrap();
    let error = download(&server.url("a.bin"), folder.path())
        .with_options(quick().with_retries(2))
        .fetch()
        .unwrap_err();
    assert!(matches!(
        error,
        Error::HttpStatus {
            status: 503,
            attempts: 3,
            ..
        }
    ));
    assert!(tree(folder.path()).is_empty());
}

#[test]
fn a_file_that_does_not_exist_is_asked_for_once() {
    let server = Server::start(|_, _, stream| reply(stream, "404 Not Found", &[], b"<html>"));
    let folder = tempfile::tempdir().unwrap();
    let error = download(&server.url("a.bin"), folder.path())
        .fetch()
        .unwrap_err();
    assert!(matches!(error, Error::HttpStatus { status: 404, .. }));
    assert_eq!(server.requests().len(), 1);
    assert!(tree(folder.path()).is_empty());
}

#[test]
fn redirects_are_followed_and_circles_are_not() {
    let server = Server::start(|_, request, stream| match request.path.as_str() {
        "a.bin" => reply(
            stream,
            "302 Found",
            &[("Location", "/elsewhere/b.bin".to_owned())],
            b"",
        ),
        "elsewhere/b.bin" => reply_all(stream, b"moved"),
        _ => reply(
            stream,
            "301 Moved",
            &[("Location", "/round.bin".to_owned())],
            b"",
        ),
    });
    let folder = tempfile::tempdir().unwrap();
    let fetched = download(&server.url("a.bin"), folder.path())
        .fetch()
        .unwrap();
    assert_eq!(fs::read(&fetched.path).unwrap(), b"moved");
    fs::remove_file(fetched.path).unwrap();
    let error = download(&server.url("round.bin"), folder.path())
        .fetch()
        .unwrap_err();
    assert!(matches!(error, Error::BadUrl { .. }));
}

#[test]
fn a_download_cut_half_way_goes_on_where_it_stopped() {
    let body = noise(200_000);
    let server = Server::start({
        let body = body.clone();
        move |number, request, stream| {
            if number == 0 {
                let headers = [
                    ("Content-Length", body.len().to_string()),
                    ("ETag", "\"v1\"".to_owned()),
                ];
                reply(stream, "200 OK", &headers, &body[..100_000]);
            } else {
                reply_range(stream, request, "\"v1\"", &body);
            }
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let fetched = download(&server.url("a.bin"), folder.path())
        .fetch()
        .unwrap();
    assert_eq!(fetched.sha256, sha256(&body));
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].range(), None);
    assert_eq!(requests[1].range(), Some(100_000));
    assert_eq!(requests[1].header("if-range"), Some("\"v1\""));
    assert_eq!(tree(folder.path()), ["a.bin"]);
}

#[test]
fn a_later_call_goes_on_where_an_earlier_one_gave_up() {
    let body = noise(50_000);
    let server = Server::start({
        let body = body.clone();
        move |number, request, stream| {
            if number == 0 {
                let headers = [
                    ("Content-Length", body.len().to_string()),
                    ("Last-Modified", "Tue, 01 Jan 2019 00:00:00 GMT".to_owned()),
                ];
                reply(stream, "200 OK", &headers, &body[..20_000]);
            } else {
                reply_range(stream, request, "Tue, 01 Jan 2019 00:00:00 GMT", &body);
            }
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let download =
        download(&server.url("a.bin"), folder.path()).with_options(quick().with_retries(0));
    match download.fetch().unwrap_err() {
        Error::Interrupted {
            expected,
            found,
            attempts,
            part,
            ..
        } => {
            assert_eq!((expected, found, attempts), (Some(50_000), 20_000, 1));
            assert_eq!(part.metadata().unwrap().len(), 20_000);
        }
        other => panic!("{other}"),
    }
    assert!(!folder.path().join("a.bin").exists());
    assert_eq!(download.fetch().unwrap().sha256, sha256(&body));
    assert_eq!(server.requests()[1].range(), Some(20_000));
    assert_eq!(tree(folder.path()), ["a.bin"]);
}

/// The first answer stops half-way; `second` answers the request to resume, and a correct server
/// the rest. Returns the number of requests.
fn resumed_with(
    etag: Option<&'static str>,
    second: impl Fn(&mut std::net::TcpStream, &[u8]) + Send + Sync + 'static,
) -> usize {
    let body = noise(40_000);
    let server = Server::start({
        let body = body.clone();
        move |number, request, stream| match number {
            0 => {
                let mut headers = vec![("Content-Length", body.len().to_string())];
                headers.extend(etag.map(|etag| ("ETag", etag.to_owned())));
                reply(stream, "200 OK", &headers, &body[..10_000]);
            }
            1 => second(stream, &body),
            _ => reply_range(stream, request, "\"v1\"", &body),
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let fetched = download(&server.url("a.bin"), folder.path())
        .fetch()
        .unwrap();
    assert_eq!(fetched.sha256, sha256(&body));
    server.requests().len()
}

#[test]
fn a_server_that_knows_no_ranges_sends_the_file_again() {
    assert_eq!(resumed_with(Some("\"v1\""), reply_all), 2);
}

#[test]
fn a_range_that_was_not_asked_for_is_not_used() {
    for range in ["bytes 9999-39999/40000", "bytes 10000-19999/40000", "junk"] {
        let requests = resumed_with(Some("\"v1\""), move |stream, body| {
            let headers = [("Content-Range", range.to_owned())];
            reply(stream, "206 Partial Content", &headers, &body[10_000..]);
        });
        assert_eq!(requests, 3);
    }
}

#[test]
fn a_range_beyond_the_file_starts_it_anew() {
    let requests = resumed_with(Some("\"v1\""), |stream, _| {
        reply(stream, "416 Range Not Satisfiable", &[], b"");
    });
    assert_eq!(requests, 3);
}

#[test]
fn without_a_way_to_tell_that_the_file_is_the_same_it_starts_anew() {
    for weak in [None, Some("W/\"v1\"")] {
        let server = Server::start(move |number, request, stream| {
            assert_eq!(request.range(), None);
            let mut headers = vec![("Content-Length", "4".to_owned())];
            headers.extend(weak.map(|etag| ("ETag", etag.to_owned())));
            let body: &[u8] = if number == 0 { b"ol" } else { b"new!" };
            reply(stream, "200 OK", &headers, body);
        });
        let folder = tempfile::tempdir().unwrap();
        let fetched = download(&server.url("a.bin"), folder.path())
            .fetch()
            .unwrap();
        assert_eq!(fs::read(fetched.path).unwrap(), b"new!");
    }
}

#[test]
fn a_file_put_together_wrongly_is_fetched_anew_when_the_hash_tells() {
    let body = noise(40_000);
    let server = Server::start({
        let body = body.clone();
        move |number, request, stream| {
            if number == 0 {
                let headers = [
                    ("Content-Length", body.len().to_string()),
                    ("ETag", "\"v1\"".to_owned()),
                ];
                reply(stream, "200 OK", &headers, &[0; 10_000]);
            } else {
                reply_range(stream, request, "\"v1\"", &body);
            }
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let download = download(&server.url("a.bin"), folder.path())
        .with_sha256(sha256(&body))
        .with_options(quick().with_retries(0));
    assert!(matches!(download.fetch(), Err(Error::Interrupted { .. })));
    assert_eq!(download.fetch().unwrap().sha256, sha256(&body));
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_server_that_promises_more_than_it_sends_is_found_out() {
    let server = Server::start(|_, _, stream| {
        reply(
            stream,
            "200 OK",
            &[("Content-Length", "1000".to_owned())],
            &[7; 600],
        );
    });
    let folder = tempfile::tempdir().unwrap();
    let error = download(&server.url("a.bin"), folder.path())
        .with_options(quick().with_retries(2))
        .fetch()
        .unwrap_err();
    match error {
        Error::Interrupted {
            expected,
            found,
            attempts,
            ..
        } => assert_eq!((expected, found, attempts), (Some(1000), 600, 3)),
        other => panic!("{other}"),
    }
    assert!(!folder.path().join("a.bin").exists());
}

#[test]
fn an_announced_length_that_is_not_the_known_one_ends_it_before_any_byte() {
    let server = Server::start(|_, _, stream| reply_all(stream, &[7; 600]));
    let folder = tempfile::tempdir().unwrap();
    let error = download(&server.url("a.bin"), folder.path())
        .with_size(1000)
        .fetch()
        .unwrap_err();
    assert!(matches!(
        error,
        Error::SizeMismatch {
            expected: 1000,
            found: 600,
            ..
        }
    ));
    assert!(tree(folder.path()).is_empty());
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_server_that_tells_no_length_is_measured_by_the_known_one() {
    let server = Server::start(|_, _, stream| reply(stream, "200 OK", &[], &[7; 600]));
    let get = |size| {
        let folder = tempfile::tempdir().unwrap();
        download(&server.url("a.bin"), folder.path())
            .with_size(size)
            .with_options(quick().with_retries(1))
            .fetch()
    };
    assert_eq!(get(600).unwrap().bytes, 600);
    assert!(matches!(
        get(601),
        Err(Error::Interrupted {
            expected: Some(601),
            found: 600,
            ..
        })
    ));
    assert!(matches!(
        get(599),
        Err(Error::SizeMismatch { expected: 599, .. })
    ));
}

#[test]
fn no_more_than_the_cap_is_accepted_announced_or_not() {
    let announced = Server::start(|_, _, stream| reply_all(stream, &[7; 600]));
    let silent = Server::start(|_, _, stream| reply(stream, "200 OK", &[], &[7; 600]));
    for server in [announced, silent] {
        let folder = tempfile::tempdir().unwrap();
        let error = download(&server.url("a.bin"), folder.path())
            .with_options(quick().with_max_size(500))
            .fetch()
            .unwrap_err();
        assert!(matches!(error, Error::TooLarge { limit: 500, .. }));
        assert!(tree(folder.path()).is_empty());
    }
}

#[test]
fn without_a_network_the_error_says_what_to_fetch_and_where_to_put_it() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("{}/a.bin", nobody());
    // Nobody there is no reason to wait: a single pause would take a day.
    let pauses = Options::new().with_backoff(Duration::from_secs(86_400));
    let error = Download::new(&url, folder.path().join("a.bin"))
        .with_options(pauses.without_mirror())
        .fetch()
        .unwrap_err();
    assert!(matches!(error, Error::Offline { .. }));
    let message = error.to_string();
    assert!(message.contains(&url));
    assert!(message.contains(folder.path().join("a.bin").to_str().unwrap()));
    assert!(message.contains("VISION_MIRROR"));
    assert!(tree(folder.path()).is_empty());
}

#[test]
fn a_server_that_falls_silent_is_given_up() {
    let server = Server::start(|_, _, stream| {
        reply(
            stream,
            "200 OK",
            &[("Content-Length", "1000".to_owned())],
            &[7; 600],
        );
        thread::sleep(Duration::from_millis(700));
    });
    let folder = tempfile::tempdir().unwrap();
    let error = download(&server.url("a.bin"), folder.path())
        .with_options(
            quick()
                .with_retries(1)
                .with_idle_timeout(Duration::from_millis(100)),
        )
        .fetch()
        .unwrap_err();
    assert!(matches!(error, Error::Interrupted { attempts: 2, .. }));
}

/// Sends these bytes one by one, far more slowly than the lowest speed of `quick`. It ends by itself
/// long after a client should have given up.
fn drip(stream: &mut std::net::TcpStream, bytes: &[u8]) {
    use std::io::Write;
    for byte in bytes {
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_server_that_drips_is_given_up() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n";
    for dripped in ["body", "head"] {
        let server = Server::start(move |_, _, stream| match dripped {
            "body" => {
                reply(
                    stream,
                    "200 OK",
                    &[("Content-Length", "1000".to_owned())],
                    b"",
                );
                drip(stream, &noise(1000));
            }
            _ => {
                drip(stream, head.as_bytes());
                drip(stream, &noise(1000));
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let error = download(&server.url("a.bin"), folder.path())
            .with_options(
                quick()
                    .with_retries(2)
                    .with_idle_timeout(Duration::from_millis(100))
                    .with_min_speed(1000),
            )
            .fetch()
            .unwrap_err();
        assert!(
            matches!(
                error,
                Error::Interrupted {
                    attempts: 3,
                    found: 0..500,
                    ..
                }
            ),
            "{dripped}: {error}"
        );
        assert_eq!(server.requests().len(), 3, "{dripped}");
    }
    // A slow line is no broken one.
    let server = Server::start(|_, _, stream| {
        reply(
            stream,
            "200 OK",
            &[("Content-Length", "30".to_owned())],
            b"",
        );
        drip(stream, &noise(30));
    });
    let folder = tempfile::tempdir().unwrap();
    let options = quick()
        .with_idle_timeout(Duration::from_millis(200))
        .with_min_speed(1);
    let fetched = download(&server.url("a.bin"), folder.path())
        .with_options(options)
        .fetch();
    assert_eq!(fetched.unwrap().bytes, 30);
}

#[test]
fn a_server_that_hangs_up_without_a_word_is_tried_again() {
    let server = Server::start(|number, _, stream| {
        if number > 0 {
            reply_all(stream, b"body");
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let fetched = download(&server.url("a.bin"), folder.path())
        .fetch()
        .unwrap();
    assert_eq!(fetched.bytes, 4);
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_mirror_folder_is_searched_for_the_last_segment_of_the_url() {
    let (mirror, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    put(mirror.path(), "original.bin", b"from the mirror");
    let download = |name: &str, size| {
        let url = format!("{}/x/{name}?a=b", nobody());
        download(&url, folder.path())
            .with_size(size)
            .with_options(quick().with_mirror(mirror.path().to_str().unwrap()))
            .fetch()
    };
    assert!(matches!(
        download("original.bin", 16),
        Err(Error::SizeMismatch {
            expected: 16,
            found: 15,
            ..
        })
    ));
    match download("missing.bin", 15) {
        Err(Error::NotInMirror { path, .. }) => {
            assert_eq!(path, mirror.path().join("missing.bin"));
        }
        other => panic!("{other:?}"),
    }
    assert!(tree(folder.path()).is_empty());
    let fetched = download("original.bin", 15).unwrap();
    assert_eq!(fetched.origin, Origin::Folder);
    assert_eq!(fs::read(fetched.path).unwrap(), b"from the mirror");
    assert_eq!(tree(mirror.path()), ["original.bin"]);
}

#[test]
fn a_mirror_url_replaces_everything_before_the_last_segment() {
    let server = Server::start(|_, _, stream| reply_all(stream, b"from the mirror"));
    let folder = tempfile::tempdir().unwrap();
    download(
        &format!("{}/deep/down/original.bin", nobody()),
        folder.path(),
    )
    .with_options(quick().with_mirror(server.url("base/")))
    .fetch()
    .unwrap();
    assert_eq!(server.requests()[0].path, "base/original.bin");
}

#[test]
fn a_file_of_this_machine_is_installed_under_the_same_checks() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let original = put(elsewhere.path(), "any name", b"by hand");
    let download = download(&format!("{}/a.bin", nobody()), folder.path());

    let wrong = download.clone().with_sha256("0123abcd");
    let error = wrong.install(&original).unwrap_err();
    assert!(matches!(error, Error::HashMismatch { .. }), "{error:?}");
    let error = wrong.install(&elsewhere.path().join("none")).unwrap_err();
    assert!(matches!(error, Error::Io(IoError { .. })), "{error:?}");
    let error = wrong.install(elsewhere.path()).unwrap_err();
    assert!(matches!(error, Error::Io(IoError { .. })), "{error:?}");
    assert!(tree(folder.path()).is_empty());

    let right = download.with_sha256(&sha256(b"by hand")[..8]);
    let installed = right.install(&original).unwrap();
    assert_eq!(installed.origin, Origin::Folder);
    assert_eq!(fs::read(&installed.path).unwrap(), b"by hand");
    assert_eq!(tree(folder.path()), ["a.bin"]);
    assert!(original.exists());
    assert_eq!(right.install(&original).unwrap().origin, Origin::Cache);
}

#[test]
fn two_downloads_at_the_same_time_are_one() {
    let body = noise(100_000);
    let server = Server::start({
        let body = body.clone();
        move |_, _, stream| {
            thread::sleep(Duration::from_millis(100));
            reply_all(stream, &body);
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let download = download(&server.url("a.bin"), folder.path());
    let start = Barrier::new(2);
    let fetch = || {
        start.wait();
        download.fetch().unwrap()
    };
    let (first, second) = thread::scope(|scope| {
        let first = scope.spawn(fetch);
        let second = scope.spawn(fetch);
        (first.join().unwrap(), second.join().unwrap())
    });
    assert_eq!(first.sha256, sha256(&body));
    assert_eq!(second.sha256, sha256(&body));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_lock_that_is_never_released_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let lock = put(folder.path(), "a.bin.lock", b"");
    let holder = fs::File::open(&lock).unwrap();
    holder.lock().unwrap();
    let error = download("http://127.0.0.1:9/a.bin", folder.path())
        .with_options(quick().with_lock_timeout(Duration::from_millis(60)))
        .fetch()
        .unwrap_err();
    match error {
        Error::Locked { lock: named, .. } => assert_eq!(named, lock),
        other => panic!("{other}"),
    }
}

#[test]
fn a_bad_url_or_hash_is_found_before_anything_is_done() {
    let folder = tempfile::tempdir().unwrap();
    for url in ["", "ftp://host/a.bin", "http://host/", "a.bin"] {
        let error = download(url, folder.path()).fetch().unwrap_err();
        assert!(matches!(error, Error::BadUrl { .. }), "{url:?}");
    }
    for hash in ["", "1234567", "not a hash", &"0".repeat(65)] {
        let error = download("http://127.0.0.1:9/a.bin", folder.path())
            .with_sha256(hash)
            .fetch()
            .unwrap_err();
        assert!(matches!(error, Error::BadHash { .. }), "{hash:?}");
    }
    assert!(tree(folder.path()).is_empty());
}

#[test]
fn a_host_that_does_not_exist_is_offline_not_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    for url in [
        "http://no-such-host.invalid/a.bin",
        "http://[/a.bin",
        "http://%/a.bin",
    ] {
        let error = download(url, folder.path()).fetch().unwrap_err();
        assert!(matches!(
            error,
            Error::Offline { .. } | Error::BadUrl { .. }
        ));
    }
}

#[test]
fn https_to_a_server_that_does_not_speak_it_is_an_error_without_retries() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/a.bin", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        reply(&mut stream, "400 Bad Request", &[], b"plain http here");
        // If bytes are left unread, closing resets the connection before the answer is read.
        let _ = stream.read(&mut [0; 1 << 16]);
    });
    let folder = tempfile::tempdir().unwrap();
    let error = download(&url, folder.path()).fetch().unwrap_err();
    assert!(matches!(error, Error::Offline { .. }), "{error:?}");
    server.join().unwrap();
}
