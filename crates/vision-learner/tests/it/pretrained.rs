//! Pretrained weights come from the network, whole and verified, or the error says what to do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Barrier, OnceLock};
use std::time::Duration;
use std::{env, fs, thread};

use sha2::{Digest, Sha256};
use vision_fetch::{Error as FetchError, Options};
use vision_learner::{Backbone, BodyBuilder, Error, Learner, Result};
use vision_models::layers::{BatchNorm, ConvConfig, Layer, Linear, Sequential};
use vision_models::weights::{WeightsFile, load_into, write_safetensors};
use vision_models::{Init, WeightsInfo, WeightsPlace, state};

use crate::prelude::*;
use crate::server::{Server, nobody, put, quick, reply, reply_all, tree};
use crate::support;

/// A small backbone with weights on some server.
#[derive(Clone)]
struct Small(Option<WeightsInfo>);

fn whole(classes: usize, init: &mut Init) -> Sequential {
    let conv = ConvConfig::new(3, 8, 3).with_stride(2).init(init);
    let mut net = Sequential::new();
    net.push("conv", Layer::Conv2d(conv));
    net.push("bn", Layer::BatchNorm(BatchNorm::new(8, init)));
    net.push("relu", Layer::Relu);
    net.push("fc", Layer::Linear(Linear::new(8, classes, init)));
    net
}

impl Backbone for Small {
    type Body = Sequential;

    fn name(&self) -> String {
        "small".to_owned()
    }

    fn body(&self, builder: &mut BodyBuilder<'_>) -> Result<(Sequential, usize)> {
        let net = builder.load_layers(|init| whole(10, init))?;
        Ok((builder.cut(net, -1)?, 8))
    }

    fn weights(&self) -> Option<&WeightsInfo> {
        self.0.as_ref()
    }
}

/// Weights of [`Small`] for three classes, and the name that carries their hash.
fn weights() -> &'static (String, Vec<u8>) {
    static WEIGHTS: OnceLock<(String, Vec<u8>)> = OnceLock::new();
    WEIGHTS.get_or_init(|| {
        let device = vision_data::device::parse("cpu").unwrap();
        let net = whole(3, &mut Init::new(7, &device));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        write_safetensors(&path, &state::tensors(&net), &BTreeMap::new()).unwrap();
        let bytes = fs::read(&path).unwrap();
        let hash = Sha256::digest(&bytes);
        let digits: String = hash.iter().take(4).map(|b| format!("{b:02x}")).collect();
        (format!("small-{digits}.safetensors"), bytes)
    })
}

/// [`Small`] with its weights at this URL.
fn hosted(url: String) -> Small {
    let (_, bytes) = weights();
    Small(Some(WeightsInfo {
        place: WeightsPlace::Url {
            url: url.leak(),
            mib: bytes.len() as f64 / f64::from(1 << 20),
        },
        classes: 3,
    }))
}

fn server() -> Server {
    Server::start(|_, _, stream| reply_all(stream, &weights().1))
}

fn build(backbone: impl Backbone, dir: &Path, options: Options) -> Result<Learner> {
    let digits = support::digits(4, 2);
    create_cnn(support::data(&digits.path, 4), backbone)
        .weights_dir(dir)
        .download(options)
        .silent(true)
        .build()
}

#[track_caller]
fn refused(result: Result<Learner>) -> (FetchError, String) {
    let error = result.unwrap_err();
    let message = error.to_string();
    assert!(message.contains(".pretrained(false)"), "{message}");
    match error {
        Error::NoWeights { arch, source } => {
            assert_eq!(arch, "small");
            (*source, message)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn weights_are_downloaded_into_the_cache_once_and_the_body_has_them_and_is_frozen() {
    let (name, bytes) = weights();
    let (server, dir) = (server(), tempfile::tempdir().unwrap());
    let cache = dir.path().join("new/weights");
    let backbone = hosted(server.url(name));
    for _ in 0..2 {
        let learner = build(backbone.clone(), &cache, quick()).unwrap();
        assert_eq!(tree(&cache), [name.as_str()]);
        assert!(fs::read(cache.join(name)).unwrap() == *bytes);

        let device = vision_data::device::parse("cpu").unwrap();
        let original = state::tensors(&whole(3, &mut Init::new(7, &device)));
        let of = |tensors: &[state::NamedTensor], name: &str| {
            tensors
                .iter()
                .find(|t| t.name == name)
                .unwrap()
                .values
                .clone()
        };
        assert_eq!(
            of(&learner.weights(), "0.0.weight"),
            of(&original, "conv.weight")
        );
        let groups = learner.layer_groups();
        let trains: Vec<bool> = groups.iter().map(|group| group[0].trainable).collect();
        assert_eq!(
            trains,
            [false, true],
            "the body starts frozen, the head does not"
        );
        let report = learner.weights_report().unwrap();
        assert!(report.file.ends_with(name) && report.missing.is_empty());
        assert_eq!(
            report.replaced.len(),
            2,
            "the classifier is for other classes"
        );
    }
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_url_is_as_good_as_a_file_and_a_name_without_a_hash_is_refused() {
    let (name, _) = weights();
    let (server, dir) = (server(), tempfile::tempdir().unwrap());
    let digits = support::digits(4, 2);
    let build = |url: String| {
        create_cnn(support::data(&digits.path, 4), Small(None))
            .pretrained(url)
            .weights_dir(dir.path())
            .download(quick())
            .silent(true)
            .build()
    };
    assert!(build(server.url(name)).unwrap().weights_report().is_some());
    let (source, message) = refused(build(server.url("small.safetensors")));
    assert!(matches!(source, FetchError::BadUrl { .. }), "{source:?}");
    assert!(message.contains("small.safetensors") && message.contains("SHA-256"));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_mirror_replaces_the_place_and_not_the_name() {
    let (name, bytes) = weights();
    let backbone = hosted(format!("{}/{name}", nobody()));
    let (server, dir) = (server(), tempfile::tempdir().unwrap());
    let at_server = quick().with_mirror(server.url("mirror"));
    build(backbone.clone(), &dir.path().join("a"), at_server).unwrap();
    assert_eq!(server.requests()[0].path, format!("mirror/{name}"));

    put(dir.path(), name, bytes);
    // A folder is no network.
    let in_folder = quick()
        .with_mirror(dir.path().to_str().unwrap())
        .with_offline(true);
    build(backbone, &dir.path().join("b"), in_folder).unwrap();
    assert_eq!(tree(&dir.path().join("b")), [name.as_str()]);
}

#[test]
fn a_damaged_file_in_the_cache_is_an_error_that_names_it() {
    let (name, bytes) = weights();
    let (server, dir) = (server(), tempfile::tempdir().unwrap());
    let path = put(dir.path(), name, &bytes[..bytes.len() - 4]);
    let result = build(hosted(server.url(name)), dir.path(), quick());
    let (source, message) = refused(result);
    assert!(matches!(&source, FetchError::NotTheFile { file, .. } if *file == path));
    assert!(message.contains(path.to_str().unwrap()) && message.contains("Delete it"));
    assert!(server.requests().is_empty());
    assert_eq!(
        fs::read(&path).unwrap().len(),
        bytes.len() - 4,
        "it is left alone"
    );
}

#[test]
fn a_download_with_another_hash_leaves_nothing_behind() {
    let (name, bytes) = weights();
    let server = Server::start(|_, _, stream| {
        let mut other = bytes.clone();
        *other.last_mut().unwrap() ^= 1;
        reply_all(stream, &other);
    });
    let dir = tempfile::tempdir().unwrap();
    let (source, _) = refused(build(hosted(server.url(name)), dir.path(), quick()));
    assert!(
        matches!(source, FetchError::HashMismatch { .. }),
        "{source:?}"
    );
    assert!(tree(dir.path()).is_empty());
}

#[test]
fn a_server_that_sends_more_than_the_weights_have_is_cut_off() {
    let (name, bytes) = weights();
    let server = Server::start(|_, _, stream| reply_all(stream, &bytes.repeat(2)));
    let dir = tempfile::tempdir().unwrap();
    let (source, _) = refused(build(hosted(server.url(name)), dir.path(), quick()));
    assert!(matches!(source, FetchError::TooLarge { .. }), "{source:?}");
    assert!(!dir.path().join(name).exists());
}

#[test]
fn without_a_network_or_with_one_forbidden_the_error_names_url_file_and_ways_out() {
    let (name, _) = weights();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(name);
    let url = format!("{}/{name}", nobody());
    let (offline, reachable) = (hosted(url.clone()), server());
    let results = [
        (build(offline, dir.path(), quick()), url),
        (
            build(
                hosted(reachable.url(name)),
                dir.path(),
                quick().with_offline(true),
            ),
            reachable.url(name),
        ),
    ];
    for (i, (result, url)) in results.into_iter().enumerate() {
        let (source, message) = refused(result);
        match source {
            FetchError::Offline { .. } => assert_eq!(i, 0),
            FetchError::Forbidden { .. } => assert_eq!(i, 1),
            other => panic!("{other:?}"),
        }
        for part in [
            url.as_str(),
            file.to_str().unwrap(),
            "VISION_MIRROR",
            ".pretrained(\"weights.pth\")",
        ] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }
    assert!(reachable.requests().is_empty());
}

#[test]
fn a_file_that_the_server_does_not_have_is_an_error_with_its_status() {
    let (name, _) = weights();
    let server = Server::start(|_, _, stream| reply(stream, "404 Not Found", &[], b"nothing"));
    let dir = tempfile::tempdir().unwrap();
    let (source, message) = refused(build(hosted(server.url(name)), dir.path(), quick()));
    assert!(
        matches!(source, FetchError::HttpStatus { status: 404, .. }),
        "{source:?}"
    );
    assert!(message.contains(&server.url(name)), "{message}");
    assert!(!dir.path().join(name).exists());
}

#[test]
fn two_threads_download_once() {
    let (name, _) = weights();
    let server = Server::start(|_, _, stream| {
        thread::sleep(Duration::from_millis(200));
        reply_all(stream, &weights().1);
    });
    let dir = tempfile::tempdir().unwrap();
    let start = Barrier::new(2);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                start.wait();
                build(hosted(server.url(name)), dir.path(), quick()).unwrap();
            });
        }
    });
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_classifier_that_was_trained_elsewhere_is_used_as_it_is() {
    let digits = support::digits(4, 2);
    let data = || support::data(&digits.path, 4);
    let trained = Arch::ResNet18.build(2, &mut Init::new(3, data().device()));
    let file = digits.dir.path().join("elsewhere.safetensors");
    write_safetensors(&file, &state::tensors(&trained), &BTreeMap::new()).unwrap();

    let net = Arch::ResNet18.build(2, &mut Init::zeroed(data().device()));
    let (net, report) = load_into(net, &WeightsFile::open(&file).unwrap()).unwrap();
    report.require_complete().unwrap();
    let learner = Learner::builder(data(), net).silent(true).build().unwrap();

    let image = learner.data().valid_ds().image(0).unwrap();
    let logits = state::values(trained.forward(data().prepare(&image).unwrap()));
    // Softmax, in double precision.
    let exp: Vec<f64> = logits.iter().map(|&x| f64::from(x).exp()).collect();
    let probabilities = learner.predict(&image).unwrap().probabilities;
    for (found, exp_of_one) in probabilities.iter().zip(&exp) {
        let expected = exp_of_one / exp.iter().sum::<f64>();
        let distance = (f64::from(*found) - expected).abs();
        assert!(distance < 1e-6, "{found} {expected}");
    }
}

/// Runs [`child`] in a process of its own, for the environment.
fn run_child(home: &Path, url: &str, variables: &[(&str, &str)]) -> Output {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "pretrained::child", "--ignored", "--nocapture"])
        .env_remove("VISION_MIRROR")
        .env_remove("VISION_OFFLINE")
        .env("VISION_HOME", home)
        .env("NO_PROXY", "127.0.0.1")
        .env("TEST_URL", url)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

#[test]
#[ignore = "a part of the_environment_says_where_the_cache_is_and_whether_to_download"]
fn child() {
    let digits = support::digits(4, 2);
    let backbone = hosted(env::var("TEST_URL").unwrap());
    let learner = create_cnn(support::data(&digits.path, 4), backbone)
        .silent(true)
        .build();
    match learner {
        Ok(learner) => println!("file: {}", learner.weights_report().unwrap().file.display()),
        Err(error) => println!("refused: {error}"),
    }
}

#[test]
fn the_environment_says_where_the_cache_is_and_whether_to_download() {
    let (name, bytes) = weights();
    let (server, dir) = (server(), tempfile::tempdir().unwrap());
    let mirror = put(dir.path(), name, bytes);
    let mirror = mirror.parent().unwrap().to_str().unwrap();
    let url = server.url(name);
    let homes: Vec<PathBuf> = (0..3).map(|i| dir.path().join(i.to_string())).collect();
    let said = |home: &Path, variables: &[(&str, &str)]| {
        let output = run_child(home, &url, variables);
        String::from_utf8(output.stdout).unwrap()
    };
    let file = |home: &Path| format!("file: {}", home.join("weights").join(name).display());

    let text = said(&homes[0], &[("VISION_OFFLINE", "1")]);
    assert!(
        text.contains("refused: ") && text.contains("VISION_OFFLINE is set"),
        "{text}"
    );
    let text = said(
        &homes[0],
        &[("VISION_OFFLINE", "1"), ("VISION_MIRROR", mirror)],
    );
    assert!(text.contains(&file(&homes[0])), "{text}");
    assert!(server.requests().is_empty());

    let text = said(&homes[1], &[("VISION_OFFLINE", "0")]);
    assert!(text.contains(&file(&homes[1])), "{text}");
    assert_eq!(server.requests().len(), 1);
    // In the cache it needs no network.
    let text = said(&homes[1], &[("VISION_OFFLINE", "1")]);
    assert!(text.contains(&file(&homes[1])), "{text}");

    let text = said(&homes[2], &[("VISION_MIRROR", &server.url("there"))]);
    assert!(text.contains(&file(&homes[2])), "{text}");
    assert_eq!(server.requests()[1].path, format!("there/{name}"));
}
