//! What `untar_data` promises: a data set is there whole, or not at all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::{fs, thread};

use support::{Server, Tar, nobody, put, quick, reply, reply_all, reply_range, small_set, tree};
use tempfile::TempDir;
use vision_data::datasets::{Dataset, Source, UntarConfig, Urls, untar_data, untar_data_with};
use vision_data::{DataError, Error};

use crate::support;

/// A cache of its own for each test.
struct Cache(TempDir);

impl Cache {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn archives(&self) -> PathBuf {
        self.0.path().join("archive")
    }

    fn config(&self) -> UntarConfig {
        UntarConfig::new()
            .with_dest(self.data())
            .with_archive_dir(self.archives())
            .with_download(quick())
    }
}

fn names(folder: &Path) -> Vec<String> {
    tree(folder)
        .into_iter()
        .filter(|name| !name.contains('/'))
        .collect()
}

#[test]
fn a_data_set_is_downloaded_once_and_extracted_once() {
    let body = small_set().tgz();
    let size = body.len() as u64;
    let server = Server::start(move |_, _, stream| reply_all(stream, &body));
    let cache = Cache::new();
    let dataset = Dataset::new(server.url("x/set.tgz")).with_size(size);
    for _ in 0..2 {
        let path = untar_data_with(&dataset, &cache.config()).unwrap();
        assert_eq!(path, cache.data().join("set"));
        assert_eq!(tree(&path).len(), 11);
    }
    assert_eq!(server.requests().len(), 1);
    assert_eq!(tree(&cache.archives()), ["set.tgz"]);
    assert_eq!(names(&cache.data()), ["set"]);

    // The archive stays, so the data can be deleted and had again without the network.
    drop(server);
    fs::remove_dir_all(cache.data().join("set")).unwrap();
    untar_data_with(&dataset, &cache.config()).unwrap();
    assert_eq!(names(&cache.data()), ["set"]);
}

#[test]
fn a_url_will_do() {
    let body = small_set().tgz();
    let server = Server::start(move |_, _, stream| reply_all(stream, &body));
    let cache = Cache::new();
    let url = server.url("set.tar.gz");
    let path = untar_data_with(url.as_str(), &cache.config()).unwrap();
    assert_eq!(path, cache.data().join("set"));
}

#[test]
fn force_fetches_and_extracts_again() {
    let server = Server::start(|number, _, stream| {
        let name = format!("set/{number}.png");
        reply_all(stream, &Tar::default().file(&name, b"1").tgz());
    });
    let cache = Cache::new();
    let dataset = Dataset::new(server.url("set.tgz"));
    let path = untar_data_with(&dataset, &cache.config()).unwrap();
    assert_eq!(tree(&path), ["0.png"]);
    let path = untar_data_with(&dataset, &cache.config().with_force(true)).unwrap();
    assert_eq!(tree(&path), ["1.png"]);
    assert_eq!(names(&cache.data()), ["set"]);
}

#[test]
fn archives_of_one_name_with_other_hashes_have_folders_of_their_own() {
    let bodies = ["a", "b"].map(|name| Tar::default().file(format!("set/{name}.png"), b"1").tgz());
    let digits = bodies.each_ref().map(|body| hash(body));
    let server = Server::start({
        let bodies = bodies.clone();
        move |number, _, stream| reply_all(stream, &bodies[number.min(1)])
    });
    let cache = Cache::new();
    let dataset = |digits: &str| Dataset::new(server.url("set.tgz")).with_sha256(digits);
    let paths = digits
        .each_ref()
        .map(|digits| untar_data_with(dataset(digits), &cache.config()).unwrap());
    assert_eq!(
        (tree(&paths[0]), tree(&paths[1])),
        (vec!["a.png".to_owned()], vec!["b.png".to_owned()])
    );
    assert!(paths.iter().all(|path| path.ends_with("set")));
    // Both stay; the case of the digits does not matter.
    let again = untar_data_with(dataset(&digits[0].to_uppercase()), &cache.config()).unwrap();
    assert_eq!((&again, server.requests().len()), (&paths[0], 2));
    for wrong in ["../../evil", "1234567", &"0".repeat(65)] {
        let error = untar_data_with(dataset(wrong), &cache.config()).unwrap_err();
        assert!(
            matches!(error, Error::Fetch(vision_fetch::Error::BadHash { .. })),
            "{wrong}"
        );
    }
    let error = untar_data_with(dataset(&"0".repeat(64)), &cache.config()).unwrap_err();
    assert!(matches!(
        error,
        Error::Fetch(vision_fetch::Error::HashMismatch { .. })
    ));
}

/// The SHA-256 of some bytes.
fn hash(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    vision_fetch::sha256_of(&put(folder.path(), "bytes", bytes)).unwrap()
}

#[test]
fn a_failed_force_keeps_what_was_there() {
    let server = Server::start(|number, _, stream| match number {
        0 => reply_all(stream, &small_set().tgz()),
        1 => reply(stream, "404 Not Found", &[], b""),
        _ => reply_all(stream, &small_set().file("../evil", b"1").tgz()),
    });
    let cache = Cache::new();
    let dataset = Dataset::new(server.url("set.tgz"));
    let path = untar_data_with(&dataset, &cache.config()).unwrap();
    for _ in 0..2 {
        assert!(untar_data_with(&dataset, &cache.config().with_force(true)).is_err());
        assert_eq!(tree(&path).len(), 11);
        assert_eq!(names(&cache.data()), ["set"]);
    }
}

#[test]
fn a_hostile_archive_leaves_no_data() {
    let server = Server::start(|_, _, stream| {
        reply_all(stream, &small_set().file("../evil", b"1").tgz());
    });
    let cache = Cache::new();
    let error = untar_data_with(server.url("set.tgz"), &cache.config()).unwrap_err();
    assert!(matches!(
        error,
        Error::Fetch(vision_fetch::Error::UnsafeEntry { .. })
    ));
    assert!(tree(&cache.data()).is_empty());
}

#[test]
fn an_interrupted_download_leaves_no_data_and_goes_on_later() {
    let body = small_set().tgz();
    let server = Server::start(move |number, request, stream| {
        if number == 0 {
            let headers = [
                ("Content-Length", body.len().to_string()),
                ("ETag", "\"v1\"".to_owned()),
            ];
            reply(stream, "200 OK", &headers, &body[..body.len() / 2]);
        } else {
            reply_range(stream, request, "\"v1\"", &body);
        }
    });
    let cache = Cache::new();
    let config = cache.config().with_download(quick().with_retries(0));
    let error = untar_data_with(server.url("set.tgz"), &config).unwrap_err();
    assert!(matches!(
        error,
        Error::Fetch(vision_fetch::Error::Interrupted { .. })
    ));
    assert!(tree(&cache.data()).is_empty());
    untar_data_with(server.url("set.tgz"), &config).unwrap();
    assert!(server.requests()[1].range().is_some());
}

#[test]
fn without_a_network_an_archive_put_in_place_by_hand_is_used() {
    let cache = Cache::new();
    let body = small_set().tgz();
    let dataset = Dataset::new(format!("{}/set.tgz", nobody())).with_size(body.len() as u64);
    let message = match untar_data_with(&dataset, &cache.config()).unwrap_err() {
        error @ Error::Fetch(vision_fetch::Error::Offline { .. }) => error.to_string(),
        other => panic!("{other}"),
    };
    let place = cache.archives().join("set.tgz");
    assert!(message.contains(dataset.url()) && message.contains(place.to_str().unwrap()));
    fs::write(place, body).unwrap();
    let path = untar_data_with(&dataset, &cache.config()).unwrap();
    assert_eq!(tree(&path).len(), 11);
}

#[test]
fn a_mirror_with_another_mnist_sample_is_a_size_mismatch() {
    let (cache, mirror) = (Cache::new(), tempfile::tempdir().unwrap());
    put(mirror.path(), "mnist_sample.tgz", &small_set().tgz());
    let config = cache.config().with_mirror(mirror.path().to_str().unwrap());
    assert!(matches!(
        untar_data_with(Urls::MNIST_SAMPLE, &config),
        Err(Error::Fetch(vision_fetch::Error::SizeMismatch {
            expected: 3_214_948,
            ..
        }))
    ));
    assert!(tree(&cache.data()).is_empty());
}

#[test]
fn a_local_archive_is_extracted_whatever_its_size() {
    let (cache, folder) = (Cache::new(), tempfile::tempdir().unwrap());
    let archive = put(folder.path(), "mnist_sample.tgz", &small_set().tgz());
    let path = untar_data_with(&archive, &cache.config()).unwrap();
    assert!(path.starts_with(cache.data()) && path.ends_with("mnist_sample"));
    assert_eq!(tree(&path).len(), 11);
    // The same again is the same folder, another archive of that name another one.
    assert_eq!(untar_data_with(&archive, &cache.config()).unwrap(), path);
    put(
        folder.path(),
        "mnist_sample.tgz",
        &Tar::default().file("a/1", b"1").tgz(),
    );
    let other = untar_data_with(archive.to_str().unwrap(), &cache.config()).unwrap();
    assert_eq!(tree(&other), ["1"]);
}

#[test]
fn a_local_folder_is_returned_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(untar_data(folder.path()).unwrap(), folder.path());
}

#[test]
fn what_is_neither_url_nor_path_is_an_error_that_says_so() {
    for given in ["no/such/thing.tgz", "", "ftp://host/a.tgz"] {
        let error = untar_data(given).unwrap_err();
        assert!(matches!(error, Error::Data(DataError::NoSuchSource { .. })));
        assert!(error.to_string().contains(given));
    }
    let cache = Cache::new();
    for url in ["http://host/", "http://host/.tgz", "http://host/.."] {
        let error = untar_data_with(url, &cache.config()).unwrap_err();
        assert!(
            matches!(error, Error::Fetch(vision_fetch::Error::BadUrl { .. })),
            "{url}"
        );
    }
}

#[test]
fn two_at_the_same_time_extract_once() {
    let body = small_set().tgz();
    let server = Server::start(move |_, _, stream| reply_all(stream, &body));
    let cache = Cache::new();
    let start = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                start.wait();
                let path = untar_data_with(server.url("set.tgz"), &cache.config()).unwrap();
                assert_eq!(tree(&path).len(), 11);
            });
        }
    });
    assert_eq!(server.requests().len(), 1);
    assert_eq!(names(&cache.data()), ["set"]);
}

#[test]
fn every_url_of_fastai_has_a_name_a_size_and_https() {
    assert_eq!(Urls::ALL.len(), 21);
    for (name, dataset) in Urls::ALL {
        assert!(dataset.url().starts_with("https://"), "{name}");
        assert!(dataset.size().is_some(), "{name}");
        assert!(!dataset.name().unwrap().contains('.'), "{name}");
    }
    assert_eq!(Urls::MNIST_SAMPLE.name().unwrap(), "mnist_sample");
    assert_eq!(
        Source::from(Urls::MNIST_SAMPLE.url()),
        Source::Remote(Dataset::new(Urls::MNIST_SAMPLE.url()))
    );
}

#[test]
#[ignore = "needs a file: set VISION_MNIST_SAMPLE to fastai's mnist_sample.tgz"]
fn the_real_mnist_sample_has_12396_and_2038_images() {
    let archive = std::env::var_os("VISION_MNIST_SAMPLE").expect("VISION_MNIST_SAMPLE is set");
    let cache = Cache::new();
    let path = untar_data_with(Path::new(&archive), &cache.config()).unwrap();
    let count = |folder: &str| fs::read_dir(path.join(folder)).unwrap().count();
    assert_eq!([count("train/3"), count("train/7")], [6131, 6265]);
    assert_eq!([count("valid/3"), count("valid/7")], [1010, 1028]);
}
