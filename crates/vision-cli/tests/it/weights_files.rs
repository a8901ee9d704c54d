//! Data and weights before a training.

use std::fs;

use vision::models::state::NamedTensor;
use vision::models::weights::{WeightsFile, write_safetensors};

use crate::support::{TRAINED, vision, workplace};

#[test]
fn weights_are_listed_and_a_file_that_would_not_load_is_found() {
    let trained = &TRAINED;
    let json = vision(trained.path(), ["weights", "list", "--json"])
        .ends(0)
        .json();
    let rows = json["weights"].as_array().unwrap();
    let of = |arch: &str| rows.iter().find(|row| row["arch"] == arch).unwrap();
    assert!(
        of("resnet18")["url"]
            .as_str()
            .unwrap()
            .starts_with("https://")
    );
    assert!(of("xresnet18")["url"].is_null());
    let weights = "run/models/best.safetensors";
    let show = |arch: &str| {
        ["weights", "show", weights, "--json"]
            .map(str::to_owned)
            .into_iter()
            .chain([format!("--arch={arch}")])
            .collect::<Vec<_>>()
    };
    let json = vision(trained.path(), show("resnet18")).ends(0).json();
    assert_eq!(json["loads"], true, "{json}");
    let json = vision(trained.path(), show("resnet50")).ends(1).json();
    assert_eq!(json["loads"], false);
    vision(trained.path(), ["weights", "fetch", "resnet18"])
        .ends(1)
        .says("VISION_OFFLINE");
    let text = vision(trained.path(), ["weights", "show", weights])
        .ends(0)
        .out;
    assert!(text.contains("0.0.weight [64, 3, 7, 7]"), "{text}");
}

#[test]
fn the_doctor_fails_on_errors_only_and_its_decisions_mend_them() {
    let folder = workplace();
    let path = folder.path();
    vision(path, ["doctor", "digits", "--no-look-alikes"]).ends(0);
    fs::write(path.join("digits/train/3/bad.png"), "no image").unwrap();
    let arguments = [
        "doctor",
        "digits",
        "--json",
        "--html=doctor.html",
        "--save-decisions=decisions.csv",
    ];
    let json = vision(path, arguments).ends(1).json();
    let kinds: Vec<&str> = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["severity"].as_str().unwrap())
        .collect();
    assert!(kinds.contains(&"error"), "{kinds:?}");
    assert!(path.join("doctor.html").is_file());
    assert!(
        fs::read_to_string(path.join("decisions.csv"))
            .unwrap()
            .contains("train/3/bad.png,exclude,")
    );
    vision(path, arguments).ends(1).says("--overwrite");
    vision(
        path,
        [
            "doctor",
            "digits",
            "--decisions=decisions.csv",
            "--no-look-alikes",
        ],
    )
    .ends(0);
}

#[test]
fn sheets_a_learning_rate_and_devices_are_shown() {
    let folder = workplace();
    let path = folder.path();
    let json = vision(path, ["show", "digits", "--size=28", "--rows=2", "--json"])
        .ends(0)
        .json();
    assert_eq!(json["sheets"].as_array().unwrap().len(), 2);
    let (plain, augmented) = (
        fs::read(path.join("show/plain.png")).unwrap(),
        fs::read(path.join("show/augmented.png")).unwrap(),
    );
    assert_ne!(plain, augmented);
    vision(path, ["show", "digits"]).ends(1).says("--overwrite");

    let find = [
        "lr-find",
        "digits",
        "--arch=resnet18",
        "--size=28",
        "--pretrained=no",
        "--batch-size=4",
        "--batches=12",
        "--json",
        "--plot=lr.svg",
    ];
    let json = vision(path, find).ends(0).json();
    assert!(json["valley"].as_f64().unwrap() > 0.0, "{json}");
    assert!(path.join("lr.svg").is_file());

    let json = vision(path, ["devices", "--json"]).ends(0).json();
    let names: Vec<&str> = json["devices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| d["name"].as_str().unwrap())
        .collect();
    assert!(names.contains(&"flex"), "{names:?}");
}

#[test]
fn averaged_weights_are_shown_beside_the_plain_ones() {
    let trained = &TRAINED;
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain.safetensors");
    let export = ["export", "run", "--safetensors", plain.to_str().unwrap()];
    vision(trained.path(), export).ends(0);
    let file = WeightsFile::open(&plain).unwrap();
    let mut tensors = Vec::new();
    for prefix in ["state_dict.", "state_dict_ema."] {
        for name in file.names() {
            let values = file.read_f32(name).unwrap();
            tensors.push(NamedTensor {
                name: format!("{prefix}{name}"),
                shape: file.shape(name).unwrap().to_vec(),
                // Another set of the same weights.
                values: values
                    .iter()
                    .map(|value| value + prefix.len() as f32)
                    .collect(),
            });
        }
    }
    let both = folder.path().join("both.safetensors");
    write_safetensors(&both, &tensors, &Default::default()).unwrap();
    let both = both.to_str().unwrap();
    let show = |more: &[&str]| {
        let arguments = ["weights", "show", both, "--arch=resnet18"].into_iter();
        let arguments = arguments.chain(more.iter().copied());
        vision(trained.path(), arguments).ends(0).out
    };
    let text = show(&[]);
    assert!(
        text.contains("found under the prefix \"state_dict.")
            && text.contains("--averaged takes it"),
        "{text}"
    );
    let text = show(&["--averaged"]);
    assert!(
        text.contains("found under the prefix \"state_dict_ema."),
        "{text}"
    );
    let text = show(&["--prefix=state_dict_ema.0"]);
    assert!(
        text.contains("found under the prefix \"state_dict_ema."),
        "{text}"
    );
    // There is none in the plain file.
    let plain = plain.to_str().unwrap();
    let show = ["weights", "show", plain, "--averaged", "--arch=resnet18"];
    vision(trained.path(), show).ends(1).says("averaged");
    vision(trained.path(), &show[..4]).ends(2).says("--arch");
    let text = vision(
        trained.path(),
        ["weights", "show", both, "--prefix=state_dict_ema."],
    )
    .ends(0)
    .out;
    assert!(
        text.contains("  state_dict_ema.0.0.weight") && !text.contains("  state_dict.0"),
        "{text}"
    );
}
