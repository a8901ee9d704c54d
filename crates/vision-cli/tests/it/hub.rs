//! Weights of Hugging Face's hub, from a server that behaves like it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::OnceLock;

use vision::data::device;
use vision::models::weights::write_safetensors;
use vision::models::{Arch, Init, state};

use crate::server::hub::{COMMIT, FakeHub};
use crate::support::{Ran, command, workplace};

const NAME: &str = "timm/squeezenet1_1.x_in1k";
const CONFIG: &[u8] = br#"{"architecture": "squeezenet1_1", "num_classes": 7, "pretrained_cfg": {"mean": [0.5, 0.5, 0.5],
    "std": [0.25, 0.25, 0.25], "input_size": [3, 64, 64], "crop_pct": 0.875, "interpolation": "bicubic"}}"#;

fn server() -> FakeHub {
    static WEIGHTS: OnceLock<Vec<u8>> = OnceLock::new();
    let weights = WEIGHTS.get_or_init(|| {
        let net = Arch::SqueezeNet1_1.build(7, &mut Init::new(7, &device::parse("cpu").unwrap()));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        write_safetensors(&path, &state::tensors(&net), &BTreeMap::new()).unwrap();
        fs::read(path).unwrap()
    });
    FakeHub::start([
        (NAME, "config.json", CONFIG),
        (NAME, "model.safetensors", weights),
        (
            "google/vit",
            "config.json",
            br#"{"architectures": ["ViTForImageClassification"], "model_type": "vit"}"#,
        ),
    ])
}

/// The environment of a run that may download from this hub only.
fn with_hub<'a>(command: &'a mut Command, folder: &Path, url: &str) -> &'a mut Command {
    command
        .env_remove("VISION_OFFLINE")
        .env_remove("HF_TOKEN")
        .env("HF_ENDPOINT", url)
        .env("HF_HOME", folder.join("hf"))
        .env("NO_PROXY", "127.0.0.1")
}

fn run<S: AsRef<OsStr>>(folder: &Path, url: &str, arguments: impl IntoIterator<Item = S>) -> Ran {
    let mut command = command(folder);
    Ran::of(
        with_hub(&mut command, folder, url)
            .args(arguments)
            .output()
            .unwrap(),
    )
}

#[test]
fn weights_are_fetched_listed_and_trained_on_with_their_preprocessing() {
    let (server, folder) = (server(), workplace());
    let (path, url) = (folder.path(), server.url());
    let json = run(
        path,
        &url,
        ["weights", "fetch", "hub:squeezenet1_1.x_in1k", "--json"],
    )
    .ends(0)
    .json();
    assert_eq!(
        (&json["arch"], &json["commit"]),
        (&"squeezenet1_1".into(), &COMMIT.into())
    );
    assert_eq!(json["crop_pct"], 0.875);
    let file = json["file"].as_str().unwrap().to_owned();
    let snapshot =
        format!("hf/hub/models--timm--squeezenet1_1.x_in1k/snapshots/{COMMIT}/model.safetensors");
    assert_eq!(Path::new(&file), path.join(snapshot));
    let json = run(path, &url, ["weights", "list", "--json"])
        .ends(0)
        .json();
    assert_eq!(json["cached"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&json["cached"][0]["hub"], &json["cached"][0]["file"]),
        (&NAME.into(), &file.into())
    );
    let rows = json["weights"].as_array().unwrap();
    let lite = rows
        .iter()
        .find(|row| row["arch"] == "tf_efficientnet_lite0")
        .unwrap();
    assert_eq!(lite["hub"], "timm/tf_efficientnet_lite0.in1k");
    assert!(lite["file"].is_null() && lite["url"].is_null());

    // Architecture, size and statistics are those of the weights.
    let weights = format!("--pretrained=hub:{NAME}");
    let train = [
        "train",
        "digits",
        &weights,
        "--epochs=1",
        "--freeze-epochs=0",
        "--lr=1e-3",
        "--batch-size=8",
    ];
    let ran = run(path, &url, train)
        .ends(0)
        .says(&format!("pretrained weights: hub:{NAME}@{COMMIT}"));
    assert!(!ran.err.contains("warning"), "{}", ran.err);
    let settings = fs::read_to_string(path.join("run/vision.toml")).unwrap();
    for line in [
        "arch = \"squeezenet1_1\"",
        "size = 64",
        &format!("pretrained = \"hub:{NAME}@{COMMIT}\""),
    ] {
        assert!(settings.contains(line), "{line}: {settings}");
    }
    let predictor = vision::learner::Predictor::open(path.join("run/model.safetensors")).unwrap();
    let stats = predictor.preprocessing().normalize.unwrap();
    assert_eq!((stats.mean, stats.std), ([0.5; 3], [0.25; 3]));

    // A commit needs no question.
    let asked = server.asked().len();
    let pinned = format!("hub:{NAME}@{COMMIT}");
    run(path, &url, ["weights", "fetch", &pinned]).ends(0);
    assert_eq!(server.asked().len(), asked);
}

#[test]
fn what_cannot_be_had_is_said_in_options_of_the_program() {
    let (server, folder) = (server(), workplace());
    let (path, url) = (folder.path(), server.url());
    let train = |weights: &str| {
        vec![
            "train".to_owned(),
            "digits".to_owned(),
            format!("--pretrained={weights}"),
        ]
    };
    for (arguments, code, said) in [
        (
            train("hub:squeezenet1_1.x_in2k"),
            1,
            "has no repository timm/squeezenet1_1.x_in2k",
        ),
        (
            train("hub:resnet18.a1in1k"),
            1,
            "did you mean \"timm/resnet18.a1_in1k\"",
        ),
        (
            train("hub:google/vit"),
            1,
            "ViTForImageClassification, model_type vit",
        ),
        (train("hub:https://x/y/z"), 1, "found a URL"),
        (
            train("timm/resnet18.a1_in1k"),
            1,
            "say --pretrained hub:resnet18.a1_in1k",
        ),
        (
            [
                train(&format!("hub:{NAME}")),
                vec!["--arch=resnet18".to_owned()],
            ]
            .concat(),
            1,
            "weights of \"squeezenet1_1\", not of resnet18",
        ),
        (
            ["weights", "fetch", "timm/resnet18.a1_in1k"]
                .map(str::to_owned)
                .to_vec(),
            2,
            "say hub:timm/resnet18.a1_in1k",
        ),
        (
            ["weights", "fetch", "resnet19"].map(str::to_owned).to_vec(),
            2,
            "resnet18",
        ),
    ] {
        let ran = run(path, &url, &arguments).ends(code).says(said);
        assert!(
            !ran.err.contains("(.pretrained") && !ran.err.contains("with_"),
            "{}",
            ran.err
        );
    }
    // Offline, it names where the weights would be, and a training without the option goes on without.
    let mut offline = command(path);
    with_hub(&mut offline, path, &url).env("HF_HUB_OFFLINE", "1");
    let ran = Ran::of(
        offline
            .args(train("hub:resnet18.a1_in1k"))
            .output()
            .unwrap(),
    );
    ran.ends(1)
        .says("HF_HUB_OFFLINE")
        .says("models--timm--resnet18.a1_in1k");
    assert!(!path.join("run").exists() || !path.join("run/model.safetensors").exists());
}

/// Runs Python with what the environment says of a hub.
fn python(folder: &Path, url: &str, code: &str) -> String {
    let python = std::env::var_os("VISION_PYTHON").expect("set VISION_PYTHON");
    let mut command = Command::new(python);
    with_hub(&mut command, folder, url).args(["-c", code]);
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap().trim().to_owned()
}

#[test]
#[ignore = "needs VISION_PYTHON, a Python with huggingface_hub"]
fn the_cache_is_the_one_of_python() {
    let download = format!(
        "from huggingface_hub import hf_hub_download as get\n\
         for name in ['config.json', 'model.safetensors']: print(get('{NAME}', name))"
    );
    let local = format!(
        "from huggingface_hub import hf_hub_download as get, scan_cache_dir\n\
         for name in ['config.json', 'model.safetensors']: print(get('{NAME}', name, local_files_only=True))\n\
         found = scan_cache_dir()\n\
         print(len(found.repos), len(found.warnings), found.size_on_disk)"
    );
    // What Python downloaded is found here, without a network.
    let (server, folder) = (server(), tempfile::tempdir().unwrap());
    let (path, url) = (folder.path(), server.url());
    let theirs = python(path, &url, &download);
    let asked = server.asked().len();
    let mut offline = command(path);
    with_hub(&mut offline, path, &url).env("HF_HUB_OFFLINE", "1");
    let fetch = format!("hub:{NAME}");
    let ran = Ran::of(
        offline
            .args(["weights", "fetch", &fetch, "--json"])
            .output()
            .unwrap(),
    );
    let ours = ran.ends(0).json();
    assert_eq!(ours["file"].as_str(), theirs.lines().last());
    assert_eq!(server.asked().len(), asked);

    // What was downloaded here is found by Python, which has nothing to complain about.
    let other = tempfile::tempdir().unwrap();
    let ours = run(other.path(), &url, ["weights", "fetch", &fetch, "--json"])
        .ends(0)
        .json();
    let theirs = python(other.path(), &url, &local);
    let lines: Vec<&str> = theirs.lines().collect();
    assert_eq!(Some(lines[1]), ours["file"].as_str());
    let bytes = fs::metadata(lines[0]).unwrap().len() + fs::metadata(lines[1]).unwrap().len();
    assert_eq!(lines[2], format!("1 0 {bytes}"));
    // And its download needs none: it only asks for the commit (and for a list of its own).
    let downloads = || {
        let asked = server.asked().into_iter();
        asked
            .filter(|asked| asked.starts_with("GET") && !asked.contains("agent"))
            .count()
    };
    let before = downloads();
    python(other.path(), &url, &download);
    assert_eq!(downloads(), before, "{:?}", server.asked());
    println!(
        "huggingface_hub {}",
        python(
            path,
            &url,
            "import huggingface_hub as h; print(h.__version__)"
        )
    );
}
