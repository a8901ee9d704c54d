//! DATA that is downloaded, from a server on this machine that breaks off.

use std::fs;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use vision::fetch::sha256_of;

use crate::server::{Server, Tar, put, reply, reply_all, reply_range};
use crate::support::{SHORT, vision, vision_online, workplace};

/// An archive of the digits, and its hash.
fn archive(folder: &Path) -> (Vec<u8>, String) {
    let file = folder.join("digits.tgz");
    let encoder = GzEncoder::new(fs::File::create(&file).unwrap(), Compression::default());
    let mut tar = tar::Builder::new(encoder);
    tar.append_dir_all("digits", folder.join("digits")).unwrap();
    tar.into_inner().unwrap().finish().unwrap();
    let digits = sha256_of(&file).unwrap();
    (fs::read(&file).unwrap(), digits)
}

#[test]
fn an_archive_is_downloaded_once_goes_on_where_it_broke_off_and_is_checked() {
    let folder = workplace();
    let path = folder.path();
    let (body, digits) = archive(path);
    let server = Server::start({
        let body = body.clone();
        move |number, request, stream| match number {
            0 => {
                let headers = [
                    ("Content-Length", body.len().to_string()),
                    ("ETag", "\"v1\"".to_owned()),
                ];
                reply(stream, "200 OK", &headers, &body[..body.len() / 2]);
            }
            _ => reply_range(stream, request, "\"v1\"", &body),
        }
    });
    let url = server.url("files/digits.tgz");
    let with_hash = format!("{url}#sha256={digits}");
    let train: Vec<&str> = ["train", &with_hash].into_iter().chain(SHORT).collect();
    vision_online(path, &train).ends(0);
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1].range(), Some(body.len() / 2));
    let settings = fs::read_to_string(path.join("run/vision.toml")).unwrap();
    let cache = format!("cache/data/sha256-{}/digits", &digits[..12]);
    assert!(settings.contains(&cache), "{settings}");
    assert!(!settings.contains("sha256 ="), "{settings}");

    // Now it is here, and the model knows its validation images.
    drop(server);
    let evaluate = ["evaluate", "run", &url, "--sha256", &digits, "--json"];
    let json = vision(path, evaluate).ends(0).json();
    assert_eq!(
        (&json["images"], &json["scored"]["split"]),
        (&6.into(), &"training".into())
    );
}

#[test]
fn another_file_than_that_of_the_hash_is_not_used() {
    let folder = workplace();
    let path = folder.path();
    let (body, digits) = archive(path);
    let server = Server::start(move |_, _, stream| reply_all(stream, &body));
    let url = server.url("digits.tgz");
    let wrong = "0".repeat(64);
    let train = |more: &[&str]| {
        let arguments: Vec<&str> = ["train", &url]
            .iter()
            .chain(more)
            .chain(&SHORT)
            .copied()
            .collect();
        vision_online(path, &arguments)
    };
    train(&["--sha256", &wrong])
        .ends(1)
        .says("wrong SHA-256")
        .says(&digits);
    train(&[])
        .ends(2)
        .says("sha256sum digits.tgz")
        .says("--sha256 DIGITS");
    train(&["--sha256", &digits[..12]])
        .ends(2)
        .says("64 hexadecimal digits");
    let far = [
        "train",
        "http://example.org/digits.tgz",
        "--sha256",
        &digits,
    ];
    vision_online(path, &far).ends(2).says("expected https://");
    vision(path, ["train", "digits", "--sha256", &digits])
        .ends(2)
        .says("downloaded");
    assert!(!path.join("run").exists());
    // Nothing was kept, so the right hash works.
    train(&["--sha256", &digits]).ends(0);
}

#[test]
fn an_archive_that_leads_out_of_its_folder_is_refused_whole() {
    let folder = workplace();
    let path = folder.path();
    let body = Tar::default()
        .file("set/3/1.png", b"1")
        .file("../../../evil.png", b"1")
        .tgz();
    let digits = sha256_of(&put(path, "evil.tgz", &body)).unwrap();
    let server = Server::start(move |_, _, stream| reply_all(stream, &body));
    let url = format!("{}#sha256={digits}", server.url("evil.tgz"));
    vision_online(path, &["doctor", &url])
        .ends(1)
        .says("not safe to extract")
        .says("evil.png");
    let mut unpacked = Vec::new();
    files(path, &mut unpacked);
    assert!(
        unpacked
            .iter()
            .all(|name| name != "evil.png" && name != "1.png"),
        "{unpacked:?}"
    );
}

fn files(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        match entry.path().is_dir() {
            true => files(&entry.path(), found),
            false => found.push(entry.file_name().into_string().unwrap()),
        }
    }
}
