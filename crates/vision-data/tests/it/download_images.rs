//! `download_images`, against a server that misbehaves.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{fs, thread};

use support::{Server, nobody, quick, reply, reply_all};
use vision_base::OptionError;
use vision_data::Error;
use vision_data::datasets::{
    ImageOutcome, ImageResult, ImagesConfig, download_images, urls_in_file,
};

use crate::support;

fn jpeg() -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/doctor");
    fs::read(folder.join("photo_00.jpg")).unwrap()
}

fn config() -> ImagesConfig {
    ImagesConfig::new().with_options(quick())
}

/// All files, hidden ones too.
fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn reason(outcome: &ImageOutcome) -> &str {
    match outcome {
        ImageOutcome::Failed { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_else_is_in_the_folder_for_unfinished_downloads_stays() {
    let server = Server::start(|_, _, stream| reply_all(stream, &jpeg()));
    let folder = tempfile::tempdir().unwrap();
    let mine = folder.path().join(".download/mine.txt");
    fs::create_dir(mine.parent().unwrap()).unwrap();
    fs::write(&mine, "mine").unwrap();
    let bring = |urls: Vec<String>| download_images(urls, folder.path(), &config()).unwrap();
    assert_eq!(bring(vec![server.url("a.jpg")]).images.len(), 1);
    assert_eq!(bring(Vec::new()).images.len(), 0);
    assert_eq!(fs::read(&mine).unwrap(), b"mine");
    assert_eq!(files(mine.parent().unwrap()), ["mine.txt"]);
}

#[test]
fn one_file_a_url_with_the_number_of_its_line_and_its_extension() {
    let server = Server::start(|_, _, stream| reply_all(stream, &jpeg()));
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("urls.txt");
    let lines = ["a.png", "", "  b/c.JPG?size=large  ", "show?id=3"].map(|path| {
        if path.trim().is_empty() {
            String::new()
        } else {
            format!("  {}", server.url(path.trim()))
        }
    });
    // With the byte order mark of some editors.
    fs::write(&list, format!("\u{feff}{}", lines.join("\r\n"))).unwrap();
    let urls = urls_in_file(&list).unwrap();
    assert_eq!(urls.len(), 3);
    let dest = folder.path().join("bears");
    let report = download_images(urls, &dest, &config()).unwrap();
    assert_eq!(report.failed().count(), 0, "{report}");
    // What an image is named after its content is no matter of the URL.
    assert_eq!(
        files(&dest),
        ["00000000.png", "00000001.JPG", "00000002.jpg"]
    );
    for image in &report.images {
        assert_eq!(fs::read(&image.path).unwrap(), jpeg());
        let bytes = jpeg().len() as u64;
        assert_eq!(image.outcome, ImageOutcome::Downloaded { bytes });
    }
}

#[test]
fn what_is_no_image_is_thrown_away_and_the_others_arrive() {
    let server = Server::start(|_, request, stream| match request.path.as_str() {
        "page.jpg" => reply_all(stream, b"<html>not here</html>"),
        "half.jpg" => reply_all(stream, &jpeg()[..500]),
        "gone.jpg" => reply(stream, "404 Not Found", &[], b""),
        "large.jpg" => reply_all(stream, &vec![0; 5000]),
        _ => reply_all(stream, &jpeg()),
    });
    let folder = tempfile::tempdir().unwrap();
    let nobody = format!("{}/a.jpg", nobody());
    let mut urls = ["page.jpg", "half.jpg", "gone.jpg", "large.jpg", "good.jpg"]
        .map(|path| server.url(path))
        .to_vec();
    urls.extend([nobody, "ftp://host/a.jpg".to_owned()]);
    let config = config().with_options(quick().with_max_size(4000));
    let report = download_images(urls, folder.path(), &config).unwrap();
    let expected = [
        "begins with",
        "truncated",
        "404",
        "4000",
        "",
        "cannot be reached",
        "bad URL",
    ];
    for (image, expected) in report.images.iter().zip(expected) {
        if expected.is_empty() {
            assert!(matches!(image.outcome, ImageOutcome::Downloaded { .. }));
        } else {
            let reason = reason(&image.outcome);
            assert!(
                reason.contains(expected),
                "{expected:?} is missing in: {reason}"
            );
        }
    }
    assert_eq!(files(folder.path()), [".download", "00000004.jpg"]);
    let images = vision_data::files::image_files(folder.path()).unwrap();
    assert_eq!(images, [folder.path().join("00000004.jpg")]);
    let text = report.to_string();
    assert!(text.starts_with("7 URLs: 1 downloaded, 0 existed already, 6 failed, 0 left out\n"));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(
        json["images"][4]["outcome"]["downloaded"]["bytes"],
        jpeg().len()
    );
}

#[test]
fn a_url_without_the_name_of_an_image_is_fetched_and_named_by_the_content() {
    let png = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images/rgb.png"))
        .unwrap();
    let server = Server::start(move |_, request, stream| match request.path.as_str() {
        "photo" | "a.jpg" => reply_all(stream, &png),
        _ => reply_all(stream, &jpeg()),
    });
    let folder = tempfile::tempdir().unwrap();
    let host = server.url("").trim_end_matches('/').to_owned();
    let mut urls = ["", "photos/?id=3", "photo", "name:large", "a.jpg"]
        .map(|path| server.url(path))
        .to_vec();
    urls.push(host);
    let report = download_images(urls.clone(), folder.path(), &config()).unwrap();
    assert_eq!(report.failed().count(), 0, "{report}");
    let names = [
        "00000000.jpg",
        "00000001.jpg",
        "00000002.png",
        "00000003.jpg",
        // An extension that the URL has is kept.
        "00000004.jpg",
        "00000005.jpg",
    ];
    assert_eq!(files(folder.path()), names);
    assert_eq!(report.images[2].path, folder.path().join("00000002.png"));
    // Another call finds them again.
    let again = download_images(urls[2..3].to_vec(), folder.path(), &config());
    assert!(
        matches!(
            again,
            Err(Error::Fetch(vision_fetch::Error::AlreadyExists { .. }))
        ),
        "{again:?}"
    );
    let resumed = download_images(urls, folder.path(), &config().with_resume(true)).unwrap();
    let kept = |image: &ImageResult| image.outcome == ImageOutcome::Kept;
    assert!(resumed.images.iter().all(kept), "{resumed}");
    assert_eq!(files(folder.path()), names);
}

#[test]
fn what_failed_is_advised_for_a_line_of_a_list_and_names_the_way_to_go_on() {
    let server = Server::start(|_, _, stream| reply(stream, "404 Not Found", &[], b""));
    let folder = tempfile::tempdir().unwrap();
    let urls = [
        server.url("gone.jpg"),
        format!("{}/a.jpg", nobody()),
        "http://host/\u{1b}[2J.jpg".to_owned(),
    ];
    let report = download_images(urls, folder.path(), &config()).unwrap();
    let text = report.to_string();
    for image in &report.images[..2] {
        let reason = reason(&image.outcome);
        assert!(reason.contains("check the URL"), "{reason}");
    }
    for wrong in ["VISION_MIRROR", ".download", "\u{1b}"] {
        assert!(!text.contains(wrong), "{wrong:?} is in: {text}");
    }
    assert!(text.contains("with_resume(true)"), "{text}");
    let none = download_images(Vec::<String>::new(), folder.path(), &config()).unwrap();
    assert!(!none.to_string().contains("with_resume"));
}

#[test]
fn a_second_call_keeps_what_is_there_if_asked_and_is_an_error_if_not() {
    let server = Server::start(|number, _, stream| match number {
        0 => reply(stream, "404 Not Found", &[], b""),
        _ => reply_all(stream, &jpeg()),
    });
    let folder = tempfile::tempdir().unwrap();
    let urls = || [server.url("a.jpg"), server.url("b.jpg")];
    let config = config().with_workers(1);
    let first = download_images(urls(), folder.path(), &config).unwrap();
    assert_eq!(first.failed().count(), 1);
    let again = download_images(urls(), folder.path(), &config).unwrap_err();
    assert!(
        matches!(again, Error::Fetch(vision_fetch::Error::AlreadyExists { path }) if path.ends_with("00000001.jpg"))
    );
    let resumed = download_images(urls(), folder.path(), &config.with_resume(true)).unwrap();
    assert_eq!(resumed.images[1].outcome, ImageOutcome::Kept);
    assert!(matches!(
        resumed.images[0].outcome,
        ImageOutcome::Downloaded { .. }
    ));
    assert_eq!(server.requests().len(), 3);
    assert_eq!(files(folder.path()), ["00000000.jpg", "00000001.jpg"]);
}

#[test]
fn a_busy_server_is_asked_again_and_only_as_many_urls_as_wanted() {
    let asked = Arc::new(Mutex::new(std::collections::HashSet::new()));
    let server = Server::start(move |_, request, stream| {
        match asked.lock().unwrap().insert(request.path.clone()) {
            true => reply(stream, "503 Busy", &[], b""),
            false => reply_all(stream, &jpeg()),
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let urls = (0..10).map(|i| server.url(&format!("{i}.jpg")));
    let report = download_images(urls, folder.path(), &config().with_max_images(4)).unwrap();
    assert_eq!((report.images.len(), report.left_out), (4, 6));
    assert_eq!(report.failed().count(), 0, "{report}");
    assert_eq!(server.requests().len(), 8);
}

#[test]
fn a_server_that_trickles_is_given_up_after_the_time_for_one_attempt() {
    let server = Server::start(|_, _, stream: &mut TcpStream| {
        use std::io::Write as _;
        reply(
            stream,
            "200 OK",
            &[("Content-Length", "1000".to_owned())],
            b"",
        );
        // The whole would take 50 seconds, and then be an answer like another.
        for _ in 0..1000 {
            if stream.write_all(b"x").is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let options = quick()
        .with_retries(0)
        .with_total_timeout(Duration::from_millis(400));
    let config = config().with_options(options);
    let report = download_images([server.url("a.jpg")], folder.path(), &config).unwrap();
    assert!(
        reason(&report.images[0].outcome).contains("broke off"),
        "{report}"
    );
}

#[test]
fn as_many_are_fetched_at_a_time_as_there_are_workers() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = (Arc::clone(&now), Arc::clone(&most));
    let server = Server::start(move |_, _, stream| {
        let (now, most) = (&counted.0, &counted.1);
        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(50));
        now.fetch_sub(1, Ordering::SeqCst);
        reply_all(stream, &jpeg());
    });
    let folder = tempfile::tempdir().unwrap();
    let urls = (0..12).map(|i| server.url(&format!("{i}.jpg")));
    let report = download_images(urls, folder.path(), &config().with_workers(3)).unwrap();
    assert_eq!(report.failed().count(), 0, "{report}");
    assert!((2..=3).contains(&most.load(Ordering::SeqCst)), "{most:?}");
    let none = download_images(
        [server.url("a.jpg")],
        folder.path(),
        &config().with_workers(0),
    );
    assert!(matches!(
        none,
        Err(Error::Option(OptionError {
            option: "workers",
            ..
        }))
    ));
}

#[test]
fn a_list_that_is_no_text_or_is_not_there_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("urls.txt");
    assert!(
        urls_in_file(&file)
            .unwrap_err()
            .to_string()
            .contains("urls.txt")
    );
    fs::write(&file, b"http://host/\xff.jpg\n").unwrap();
    assert!(
        urls_in_file(&file)
            .unwrap_err()
            .to_string()
            .contains("urls.txt")
    );
}

#[test]
fn a_url_is_escaped_when_it_is_sent_and_reported_as_it_was_given() {
    let server = Server::start(|_, _, stream| reply_all(stream, &jpeg()));
    let folder = tempfile::tempdir().unwrap();
    let url = format!(" {} ", server.url("b\u{e4}r gro\u{df}.jpg"));
    let report = download_images([url.clone()], folder.path(), &config()).unwrap();
    assert_eq!(report.images[0].url, url);
    assert!(matches!(
        report.images[0].outcome,
        ImageOutcome::Downloaded { .. }
    ));
    // RFC 3986: the bytes of UTF-8, each as % and two digits. (The server leaves out the first slash.)
    assert_eq!(server.requests()[0].path, "b%C3%A4r%20gro%C3%9F.jpg");
    assert_eq!(files(folder.path()), ["00000000.jpg"]);
}
