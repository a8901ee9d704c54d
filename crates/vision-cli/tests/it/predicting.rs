//! Predictions, and models for other programs.

use std::fs;

use crate::support::{TRAINED, Trained, vision, vision_reads};

#[test]
fn images_folders_patterns_and_lists_give_the_same_rows() {
    let trained = &TRAINED;
    let rows = |arguments: &[&str]| {
        let start = ["predict", "run/model.safetensors"].iter();
        vision(trained.path(), start.chain(arguments))
            .ends(0)
            .lines()
    };
    let folder = rows(&["digits/valid/3", "--json"]);
    assert_eq!(folder.len(), 3);
    assert_eq!(folder[0]["image"], "digits/valid/3/00000.png");
    assert!(["3", "7"].contains(&folder[0]["class"].as_str().unwrap()));
    let probability = folder[0]["top"][0]["probability"].as_f64().unwrap();
    assert!((0.5..=1.0).contains(&probability));
    assert_eq!(
        rows(&["digits/valid/3/*.png", "--json", "--batch-size=2"]),
        folder
    );
    let files = [
        "digits/valid/3/00000.png",
        "digits/valid/3/00001.png",
        "digits/valid/3/00002.png",
    ];
    assert_eq!(rows(&[files[0], files[1], files[2], "--json"]), folder);
    let list = format!("{}\n{}\n\n{}\n", files[0], files[1], files[2]);
    let ran = vision_reads(trained.path(), &["predict", "run", "-", "--json"], &list).ends(0);
    assert_eq!(ran.lines(), folder);

    let csv = vision(
        trained.path(),
        ["predict", "run", "digits/valid/3", "--csv", "--top=2"],
    )
    .ends(0)
    .out;
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(
        lines[0],
        "image,label,class_1,probability_1,class_2,probability_2,error"
    );
    assert_eq!((lines.len(), lines[1].split(',').count()), (4, 7));
    let text = vision(trained.path(), ["predict", "run", files[0]])
        .ends(0)
        .out;
    assert_eq!(text.lines().count(), 1);
    assert!(text.trim_end().ends_with(files[0]), "{text}");
}

#[test]
fn a_bad_image_is_a_row_with_its_error_and_the_others_go_on() {
    let trained = &TRAINED;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.png"), "no image").unwrap();
    fs::copy(
        trained.path().join("digits/valid/7/00000.png"),
        folder.path().join("b.png"),
    )
    .unwrap();
    let data = folder.path().to_str().unwrap();
    let ran = vision(
        trained.path(),
        ["predict", "run", data, "missing.png", "--json"],
    )
    .ends(1);
    let rows = ran.lines();
    assert_eq!(rows.len(), 3);
    assert!(
        rows[0]["error"].as_str().unwrap().contains("a.png"),
        "{rows:?}"
    );
    assert!(
        rows[1]["error"].is_null() && rows[1]["class"].is_string(),
        "{rows:?}"
    );
    assert!(
        rows[2]["error"].as_str().unwrap().contains("missing.png"),
        "{rows:?}"
    );
    assert!(
        ran.err.contains("2 of 3 images could not be predicted"),
        "{}",
        ran.err
    );
    let csv = vision(trained.path(), ["predict", "run", data, "--csv"])
        .ends(1)
        .out;
    assert_eq!(csv.lines().count(), 3, "{csv}");
    vision(trained.path(), ["predict", "run", "*.jpeg"])
        .ends(1)
        .says("no file is like");
    vision(trained.path(), ["predict", "run", "-"])
        .ends(1)
        .says("no images");
}

#[test]
fn a_class_below_the_threshold_stays_open() {
    let trained = &TRAINED;
    let ran = vision(
        trained.path(),
        [
            "predict",
            "run",
            "digits/valid/3",
            "--threshold=1",
            "--json",
        ],
    )
    .ends(0);
    for row in ran.lines() {
        let sure = row["top"][0]["probability"].as_f64().unwrap() >= 1.0;
        assert_eq!(row["class"].is_null(), !sure, "{row}");
        assert!(row.as_object().unwrap().contains_key("class"), "{row}");
    }
    vision(
        trained.path(),
        ["predict", "run", "digits", "--threshold=2"],
    )
    .ends(1)
    .says("threshold");
}

fn json_of(trained: &Trained) -> serde_json::Value {
    vision(trained.path(), ["self-test", "run", "--json"])
        .ends(0)
        .json()
}

#[test]
fn a_model_passes_its_self_test_and_is_exported_for_others() {
    let trained = &TRAINED;
    let json = json_of(trained);
    assert_eq!(
        (&json["passed"], &json["card"]["arch"]),
        (&true.into(), &"resnet18".into())
    );
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (onnx, weights, half) = (
        file("a.onnx"),
        file("a.safetensors"),
        file("half.safetensors"),
    );
    let options = ["--onnx", &onnx, "--safetensors", &weights, "--half", &half];
    for model in ["run", "run/model.safetensors"] {
        let arguments = ["export", model, "--json", "--overwrite"]
            .into_iter()
            .chain(options);
        let json = vision(trained.path(), arguments).ends(0).json();
        assert_eq!(json["onnx"], onnx);
        let length = |path: &str| fs::metadata(path).unwrap().len();
        let whole = length(trained.run().join("model.safetensors").to_str().unwrap());
        // 11 million weights: other parts of the file do not matter.
        assert!(length(&half) < whole * 6 / 10, "{} {whole}", length(&half));
        assert!(length(&onnx) > whole * 9 / 10 && length(&weights) > whole * 9 / 10);
        let card = vision(trained.path(), ["self-test", &half, "--json"])
            .ends(0)
            .json();
        let card = &card["card"];
        // What is known of the training stays known.
        assert_eq!(
            (
                &card["half"],
                &card["data"]["train"],
                &card["epochs_trained"]
            ),
            (&true.into(), &16.into(), &1.into())
        );
        assert_eq!(card["metrics"], json_of(trained)["card"]["metrics"]);
    }
    vision(trained.path(), ["export", "run", "--onnx", &onnx])
        .ends(1)
        .says("--overwrite");
    // A damaged file fails, whatever is done with it.
    let mut bytes = fs::read(&half).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&half, bytes).unwrap();
    vision(trained.path(), ["self-test", &half])
        .ends(1)
        .says("error: ");
}
