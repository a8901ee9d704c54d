//! Weights of the hub: of the right architecture, with their preprocessing, from a server that behaves like the hub.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use vision_data::builtin::ResizeCenterCrop;
use vision_data::{ImageDataBunch, ResizeMethod, Size, Stats, Transform, get_transforms};
use vision_fetch::hub::{Hub, HubError};
use vision_fetch::{Error as FetchError, Options};
use vision_learner::{Error, Learner, Pretrained, Result};
use vision_models::weights::write_safetensors;
use vision_models::{Init, state};

use crate::prelude::*;
use crate::server::hub::{COMMIT, FakeHub};
use crate::support;

const NAME: &str = "timm/squeezenet1_1.x_in1k";
const LITE: &str = "timm/tf_efficientnet_lite0.in1k";
const HALF: Stats = Stats {
    mean: [0.5; 3],
    std: [0.5; 3],
};

/// What timm writes for an architecture, with other statistics than ImageNet's.
fn config(arch: &str) -> Vec<u8> {
    let text = format!(
        r#"{{"architecture": "{arch}", "num_classes": 7, "pretrained_cfg": {{"mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5], "input_size": [3, 64, 64], "crop_pct": 0.875, "crop_mode": "center",
            "interpolation": "bicubic", "fixed_input_size": false, "first_conv": "x", "classifier": "y"}}}}"#
    );
    text.into_bytes()
}

/// No pauses, and patience with a busy machine.
fn quick() -> Options {
    Options::new()
        .with_backoff(Duration::from_millis(1))
        .with_progress(false)
}

/// Weights for seven classes.
fn bytes(arch: Arch) -> Vec<u8> {
    let device = vision_data::device::parse("cpu").unwrap();
    let net = arch.build(7, &mut Init::new(7, &device));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    write_safetensors(&path, &state::tensors(&net), &BTreeMap::new()).unwrap();
    fs::read(path).unwrap()
}

fn weights() -> &'static [u8] {
    static WEIGHTS: OnceLock<Vec<u8>> = OnceLock::new();
    WEIGHTS.get_or_init(|| bytes(Arch::SqueezeNet1_1))
}

fn server() -> FakeHub {
    let (own, other) = (config("squeezenet1_1"), config("resnet18"));
    let detector = br#"{"architectures": ["DetrForObjectDetection"], "model_type": "detr"}"#;
    FakeHub::start([
        (NAME, "config.json", &own[..]),
        (NAME, "model.safetensors", weights()),
        ("timm/resnet18.a1_in1k", "config.json", &other),
        (
            "timm/resnet18.a1_in1k",
            "model.safetensors",
            b"never asked for",
        ),
        ("facebook/detr-resnet-50", "config.json", detector),
        (
            "timm/broken",
            "config.json",
            br#"{"architecture": "squeezenet1_1", "mean": "x"}"#,
        ),
        ("timm/no-weights", "config.json", &own),
    ])
}

fn plain(digits: &Path) -> vision_data::ImageDataBunchBuilder {
    ImageDataBunch::from_folder(digits).batch_size(4)
}

fn build(
    data: ImageDataBunch,
    arch: Arch,
    weights: impl Into<Pretrained>,
    cache: &Path,
) -> Result<Learner> {
    create_cnn(data, arch)
        .pretrained(weights)
        .weights_dir(cache)
        .download(quick())
        .silent(true)
        .build()
}

#[test]
fn weights_of_the_hub_bring_their_preprocessing_to_data_that_has_none() {
    let (server, cache, digits) = (
        server(),
        tempfile::tempdir().unwrap(),
        support::digits(4, 2),
    );
    let hub = Hub::new(NAME).with_endpoint(server.url());
    let data = plain(&digits.path).build().unwrap();
    let learner = build(data, Arch::SqueezeNet1_1, hub, cache.path()).unwrap();
    assert!(learner.warnings().is_empty(), "{:?}", learner.warnings());

    let device = vision_data::device::parse("cpu").unwrap();
    let original = state::tensors(&Arch::SqueezeNet1_1.build(7, &mut Init::new(7, &device)));
    let loaded = learner.weights();
    let of = |tensors: &[state::NamedTensor], name: &str| {
        let found = tensors.iter().find(|tensor| tensor.name == name);
        found.unwrap_or_else(|| panic!("{name}")).values.clone()
    };
    assert_eq!(
        of(&loaded, "0.0.0.weight"),
        of(&original, "features.0.weight")
    );
    assert_eq!(
        of(&loaded, "0.0.12.expand3x3.bias"),
        of(&original, "features.12.expand3x3.bias")
    );

    let data = learner.data();
    assert_eq!(
        (data.stats(), data.size()),
        (Some(HALF), Some(Size::Square(64)))
    );
    assert_eq!(data.resize_method(), Some(ResizeMethod::Crop));
    // timm: floor(64 / 0.875) is 73.
    let crop = vec![Transform::ResizeCenterCrop(ResizeCenterCrop { extra: 9 })];
    assert_eq!(
        (&data.transforms().train, &data.transforms().valid),
        (&crop, &crop)
    );
    let batch = data.one_batch(DatasetType::Valid).unwrap();
    assert_eq!(batch.shape(), [4, 3, 64, 64]);
    let report = learner.weights_report().unwrap();
    let said = report.to_string();
    assert!(said.contains(NAME) && said.contains(&COMMIT[..8]), "{said}");
    assert!(
        report
            .file
            .ends_with(format!("snapshots/{COMMIT}/model.safetensors"))
    );
    // Other data gets it as well, and a deployed model has it.
    let mut learner = learner;
    learner
        .set_data(plain(&digits.path).size(32).build().unwrap())
        .unwrap();
    assert_eq!(
        (learner.data().stats(), learner.data().size()),
        (Some(HALF), Some(Size::Square(32)))
    );
    assert_eq!(learner.predictor().preprocessing().normalize, Some(HALF));
}

#[test]
fn what_the_user_says_of_the_data_stays_and_is_warned_about_if_the_weights_say_another() {
    let (server, cache, digits) = (
        server(),
        tempfile::tempdir().unwrap(),
        support::digits(4, 2),
    );
    let hub = Hub::new(NAME).with_endpoint(server.url());
    let build =
        |data: ImageDataBunch| build(data, Arch::SqueezeNet1_1, hub.clone(), cache.path()).unwrap();

    let learner = build(
        plain(&digits.path)
            .normalize(Stats::IMAGENET)
            .size(48)
            .build()
            .unwrap(),
    );
    let data = learner.data();
    assert_eq!(
        (data.stats(), data.size()),
        (Some(Stats::IMAGENET), Some(Size::Square(48)))
    );
    assert!(data.transforms().valid.is_empty());
    let [warning] = learner.warnings() else {
        panic!("{:?}", learner.warnings());
    };
    for said in [
        NAME,
        "0.5, 0.5, 0.5",
        "0.485, 0.456, 0.406",
        "64x64",
        "48x48",
        "normalize",
        "size",
    ] {
        assert!(warning.contains(said), "{said}: {warning}");
    }
    // Nothing is normalized if the user says so.
    let learner = build(
        plain(&digits.path)
            .normalize(None)
            .size(64)
            .build()
            .unwrap(),
    );
    assert_eq!(learner.data().stats(), None);
    let [warning] = learner.warnings() else {
        panic!("{:?}", learner.warnings());
    };
    assert!(
        warning.contains("the data's is none") && !warning.contains("64x64"),
        "{warning}"
    );
    // The same is no reason for a warning, and transforms of the user are not changed.
    let same = plain(&digits.path)
        .normalize(HALF)
        .size(64)
        .transforms(get_transforms());
    let learner = build(same.build().unwrap());
    assert!(learner.warnings().is_empty(), "{:?}", learner.warnings());
    let augmented = plain(&digits.path)
        .transforms(get_transforms())
        .build()
        .unwrap();
    let learner = build(augmented);
    let data = learner.data();
    assert_eq!(
        (data.stats(), data.size()),
        (Some(HALF), Some(Size::Square(64)))
    );
    assert_eq!(data.transforms(), &get_transforms());
}

#[test]
fn weights_of_another_architecture_are_refused_before_they_are_downloaded() {
    let (server, cache, digits) = (
        server(),
        tempfile::tempdir().unwrap(),
        support::digits(4, 2),
    );
    let hub = |name: &str| Hub::new(name).with_endpoint(server.url());
    let refused = |name: &str, arch: Arch| {
        let data = plain(&digits.path).build().unwrap();
        build(data, arch, hub(name), cache.path()).unwrap_err()
    };
    let error = refused("timm/resnet18.a1_in1k", Arch::ResNet34);
    let message = error.to_string();
    assert_matches!(
        error,
        Error::HubArch { expected, found, own: Some(Arch::ResNet18), .. } if expected == "resnet34" && found == "resnet18"
    );
    for said in ["resnet18", "resnet34", "timm/resnet34.a1_in1k"] {
        assert!(message.contains(said), "{message}");
    }
    let error = refused("facebook/detr-resnet-50", Arch::ResNet50);
    let message = error.to_string();
    assert_matches!(error, Error::HubHolds { .. });
    for said in [
        "facebook/detr-resnet-50",
        "DetrForObjectDetection",
        "detr",
        "timm/resnet18.a1_in1k",
    ] {
        assert!(message.contains(said), "{message}");
    }
    assert_matches!(
        refused("timm/broken", Arch::SqueezeNet1_1),
        Error::Models(vision_models::Error::HubConfig { field: "mean", .. })
    );
    let of_hub = |error| match error {
        Error::NoWeights { source, .. } => match *source {
            FetchError::Hub(error) => *error,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    let error = of_hub(refused("timm/no-weights", Arch::SqueezeNet1_1));
    assert_matches!(error, HubError::NoFile { file, .. } if file == "model.safetensors");
    let error = of_hub(refused("resnet34.a1_in1", Arch::ResNet34));
    assert!(
        error
            .to_string()
            .contains("did you mean \"timm/resnet34.a1_in1k\""),
        "{error}"
    );
    assert_matches!(error, HubError::NoRepository { near, .. } if near[0] == "timm/resnet34.a1_in1k");
    server.set(|state| state.token = Some(("x".to_owned(), "RepoNotFound")));
    let error = of_hub(refused("resnet34.a1in1k", Arch::ResNet34));
    assert_matches!(error, HubError::Denied { status: 401, gated: false, near, .. } if near[0] == "timm/resnet34.a1_in1k");
    assert!(server.cdn.requests().is_empty());
}

#[test]
fn true_takes_the_best_known_weights_and_says_which() {
    let best = bytes(Arch::TfEfficientNetLite0);
    let config = config("tf_efficientnet_lite0");
    let server = FakeHub::start([
        (LITE, "config.json", &config[..]),
        (LITE, "model.safetensors", &best),
    ]);
    let (cache, digits) = (tempfile::tempdir().unwrap(), support::digits(4, 2));
    // As another tool would have put it there.
    let hub = Hub::new("tf_efficientnet_lite0.in1k")
        .with_endpoint(server.url())
        .with_cache(cache.path());
    for file in ["config.json", "model.safetensors"] {
        hub.file_with(file, &quick()).unwrap();
    }
    let offline = || {
        create_cnn(
            plain(&digits.path).build().unwrap(),
            Arch::TfEfficientNetLite0,
        )
        .download(Options::new().with_offline(true))
        .silent(true)
    };
    let learner = offline().weights_dir(cache.path()).build().unwrap();
    assert_eq!(learner.data().stats(), Some(HALF));
    let said = learner.weights_report().unwrap().to_string();
    assert!(said.contains(LITE), "{said}");
    // As a text too.
    let learner = offline()
        .pretrained(format!("hub:{LITE}@{COMMIT}"))
        .weights_dir(cache.path());
    assert!(learner.build().is_ok());
    let empty = tempfile::tempdir().unwrap();
    let error = offline().weights_dir(empty.path()).build().unwrap_err();
    let message = error.to_string();
    assert_matches!(error, Error::NoWeights { .. });
    for said in [
        LITE,
        "with_offline(true)",
        empty.path().to_str().unwrap(),
        ".pretrained(false)",
    ] {
        assert!(message.contains(said), "{message}");
    }
}
