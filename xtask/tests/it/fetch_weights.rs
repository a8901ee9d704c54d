//! `cargo xtask fetch-weights` with a server that misbehaves, and with files that are not what
//! their names say.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use std::{fs, thread};

use sha2::{Digest, Sha256};
use vision::models::weights::write_safetensors;
use vision::models::{Arch, Init, WeightsPlace, state};

use crate::support::{Server, nobody, put, reply, reply_all, reply_range, tree};

/// The name (with its hash) and bytes of a ResNet-18 of two classes with random weights, as
/// safetensors.
fn resnet() -> &'static (String, Vec<u8>) {
    static RESNET: OnceLock<(String, Vec<u8>)> = OnceLock::new();
    RESNET.get_or_init(|| {
        let device = vision::data::device::parse("cpu").unwrap();
        let model = Arch::ResNet18.build(2, &mut Init::new(0, &device));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        write_safetensors(&path, &state::tensors(&model), &BTreeMap::new()).unwrap();
        let bytes = fs::read(&path).unwrap();
        (named(&bytes), bytes)
    })
}

/// A name that carries the beginning of the bytes' hash.
fn named(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let digits: String = hash.iter().take(4).map(|b| format!("{b:02x}")).collect();
    format!("resnet18-{digits}.safetensors")
}

fn command(to: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .arg("fetch-weights")
        .args(args)
        .arg("--to")
        .arg(to)
        .env_remove("VISION_MIRROR")
        .env_remove("VISION_OFFLINE")
        .env("NO_PROXY", "127.0.0.1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn run(to: &Path, args: &[&str]) -> Output {
    command(to, args).output().unwrap()
}

fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[track_caller]
fn assert_done(output: &Output) {
    assert!(output.status.success(), "{}", text(output));
}

/// Asserts that it failed, without a panic, with a reason that contains `why`.
#[track_caller]
fn assert_refused(output: &Output, why: &str) {
    let text = text(output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(why) && !text.contains("panicked"), "{text}");
}

#[test]
fn weights_are_fetched_through_a_redirect_after_a_503_verified_and_tried_out() {
    let (name, bytes) = resnet();
    let server = Server::start(move |number, request, stream| match number {
        0 => reply(stream, "503 Service Unavailable", &[], b""),
        _ if request.path.starts_with("old/") => {
            let location = ("Location", format!("/new/{name}"));
            reply(stream, "302 Found", &[location], b"");
        }
        _ => reply_all(stream, bytes),
    });
    let to = tempfile::tempdir().unwrap();
    let output = run(
        to.path(),
        &["resnet18", "--url", &server.url(&format!("old/{name}"))],
    );
    assert_done(&output);
    assert_eq!(tree(to.path()), [name.as_str()]);
    assert!(fs::read(to.path().join(name)).unwrap() == *bytes);
    let text = text(&output);
    for part in [
        "102 loaded",
        "as the name says",
        "2 finite logits",
        "class ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // The second time it exists already.
    let asked = server.requests().len();
    assert_done(&run(
        to.path(),
        &["resnet18", "--url", &server.url(&format!("old/{name}"))],
    ));
    assert_eq!(server.requests().len(), asked);
}

#[test]
fn a_download_that_stops_half_way_is_resumed_in_the_same_call_and_in_a_later_one() {
    let (name, bytes) = resnet();
    let half = bytes.len() / 2;
    // Twice the server sends half of the rest and closes the connection.
    let server = Server::start(move |number, request, stream| {
        if number >= 2 {
            return reply_range(stream, request, "\"tag\"", bytes);
        }
        let start = request.range().unwrap_or(0);
        let rest = &bytes[start..];
        let headers = [
            ("Content-Length", rest.len().to_string()),
            ("ETag", "\"tag\"".to_owned()),
            (
                "Content-Range",
                format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len()),
            ),
        ];
        let status = if start > 0 {
            "206 Partial Content"
        } else {
            "200 OK"
        };
        reply(
            stream,
            status,
            &headers[..2 + usize::from(start > 0)],
            &rest[..rest.len() / 2],
        );
    });
    let to = tempfile::tempdir().unwrap();
    let url = server.url(name);
    let output = run(to.path(), &["resnet18", "--url", &url, "--retries", "1"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(!to.path().join(name).exists());
    let list = run(to.path(), &["resnet18", "--url", &url, "--list"]);
    assert!(text(&list).contains("begun"), "{}", text(&list));

    assert_done(&run(to.path(), &["resnet18", "--url", &url]));
    assert!(fs::read(to.path().join(name)).unwrap() == *bytes);
    let ranges: Vec<usize> = server
        .requests()
        .iter()
        .map(|r| r.range().unwrap_or(0))
        .collect();
    assert_eq!(ranges[..2], [0, half]);
    assert!(ranges.len() == 3 && ranges[2] > half, "{ranges:?}");
}

#[test]
fn a_server_that_lies_about_the_length_or_truncates_leaves_no_file_of_that_name() {
    let (name, bytes) = resnet();
    let lies = Server::start(move |_, _, stream| {
        let length = ("Content-Length", (bytes.len() + 1000).to_string());
        reply(stream, "200 OK", &[length], bytes);
    });
    let truncates = Server::start(move |_, _, stream| reply_all(stream, &bytes[..bytes.len() - 4]));
    for (server, why) in [(lies, "resnet18-"), (truncates, "SHA-256")] {
        let to = tempfile::tempdir().unwrap();
        let url = server.url(name);
        let output = run(to.path(), &["resnet18", "--url", &url, "--retries", "1"]);
        assert_refused(&output, why);
        assert!(!to.path().join(name).exists());
    }
}

#[test]
fn two_processes_fetch_one_file_once() {
    let (name, bytes) = resnet();
    let server = Server::start(move |_, _, stream| {
        thread::sleep(Duration::from_millis(300));
        reply_all(stream, bytes);
    });
    let to = tempfile::tempdir().unwrap();
    let url = server.url(name);
    let start = || {
        command(to.path(), &["resnet18", "--url", &url])
            .spawn()
            .unwrap()
    };
    let (first, second) = (start(), start());
    assert_done(&first.wait_with_output().unwrap());
    assert_done(&second.wait_with_output().unwrap());
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_file_of_this_machine_is_verified_and_installed() {
    let (name, bytes) = resnet();
    let (to, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = put(elsewhere.path(), "download (1)", bytes);
    let file = file.to_str().unwrap();
    let url = format!("{}/{name}", nobody());
    assert_done(&run(
        to.path(),
        &["resnet18", "--url", &url, "--from", file],
    ));
    assert_eq!(tree(to.path()), [name.as_str()]);

    // torchvision's weights have another hash, which is in their name.
    let output = run(to.path(), &["resnet18", "--from", file]);
    assert_refused(&output, "f37072fd");
    let output = run(to.path(), &["resnet18", "--from", "no/such/file"]);
    assert_refused(&output, "no/such/file");
    let output = run(to.path(), &["--from", file]);
    assert_refused(&output, "one architecture");
    assert_eq!(tree(to.path()), [name.as_str()]);
}

#[test]
fn a_mirror_is_a_folder_or_a_base_url_and_its_files_are_verified_like_others() {
    let (name, bytes) = resnet();
    let (to, mirror) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let folder = mirror.path().to_str().unwrap();
    let url = format!("{}/{name}", nobody());
    let output = run(to.path(), &["resnet18", "--url", &url, "--mirror", folder]);
    assert_refused(&output, name);
    put(mirror.path(), name, bytes);
    assert_done(&run(
        to.path(),
        &["resnet18", "--url", &url, "--mirror", folder],
    ));

    put(mirror.path(), "resnet18-f37072fd.pth", bytes);
    let output = run(to.path(), &["resnet18", "--mirror", folder]);
    assert_refused(&output, "f37072fd");

    // An architecture that fails does not stop the others.
    let output = run(to.path(), &["resnet18", "resnet34", "--mirror", folder]);
    assert_refused(&output, "2 of 2");
    let text = text(&output);
    assert!(text.contains("resnet34-b627a593.pth"), "{text}");
}

#[test]
fn a_forbidden_network_is_told_from_one_that_is_not_there() {
    let (name, bytes) = resnet();
    let server = Server::start(move |_, _, stream| reply_all(stream, bytes));
    let to = tempfile::tempdir().unwrap();
    let url = server.url(name);
    let output = command(to.path(), &["resnet18", "--url", &url])
        .env("VISION_OFFLINE", "1")
        .output()
        .unwrap();
    assert_refused(&output, "VISION_OFFLINE is set");
    assert!(server.requests().is_empty());
}

#[test]
fn a_file_with_the_right_hash_and_the_wrong_contents_does_not_pass_the_self_check() {
    let (_, good) = resnet();
    let elsewhere = tempfile::tempdir().unwrap();
    let header = u64::from_le_bytes(*good.first_chunk().unwrap()) as usize;
    // The first convolution begins with NaN.
    let mut spoiled = good.clone();
    spoiled[8 + header..12 + header].copy_from_slice(&f32::NAN.to_le_bytes());
    let small = br#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let other = [&(small.len() as u64).to_le_bytes()[..], small, &[0; 4]].concat();
    for (bytes, why) in [
        (spoiled, "NaN"),
        (other, "does not fit"),
        (b"<html>404</html>".to_vec(), "web page"),
    ] {
        let to = tempfile::tempdir().unwrap();
        let file = put(elsewhere.path(), "file", &bytes);
        let url = format!("{}/{}", nobody(), named(&bytes));
        let output = run(
            to.path(),
            &["resnet18", "--url", &url, "--from", file.to_str().unwrap()],
        );
        assert_refused(&output, why);
    }
}

#[test]
fn a_url_whose_name_carries_no_hash_is_refused_before_anything_is_done() {
    let to = tempfile::tempdir().unwrap();
    for url in [
        "http://127.0.0.1:9/a.pth",
        "http://127.0.0.1:9/a-0123.pth",
        "http://127.0.0.1:9/a-flowers1.pth",
    ] {
        assert_refused(&run(to.path(), &["resnet18", "--url", url]), "SHA-256");
    }
    assert!(tree(to.path()).is_empty());
}

#[test]
fn the_list_has_every_architecture_and_downloads_nothing() {
    let to = tempfile::tempdir().unwrap();
    put(to.path(), "resnet34-b627a593.pth", b"");
    let output = run(to.path(), &["--list"]);
    assert_done(&output);
    let text = text(&output);
    assert_eq!(text.lines().count(), Arch::ALL.len());
    for arch in Arch::ALL {
        let here = if *arch == Arch::ResNet34 {
            "in the cache"
        } else {
            "not here"
        };
        let mut lines = text.lines();
        let Some(info) = &arch.info().weights else {
            let line = lines.find(|l| l.split(' ').next() == Some(arch.name()));
            assert!(line.unwrap().contains("no published weights"));
            continue;
        };
        let here = match info.place {
            WeightsPlace::Hub { .. } => "on the hub",
            _ => here,
        };
        let line = lines.find(|l| l.contains(info.name())).unwrap();
        assert!(
            line.starts_with(arch.name()) && line.contains(here),
            "{line}"
        );
    }
}
