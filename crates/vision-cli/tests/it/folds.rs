//! Cross-validation.

use std::fs;

use serde_json::Value;

#[cfg(unix)]
use crate::support::start;
use crate::support::{SHORT, vision, workplace};

#[test]
fn every_image_is_scored_by_a_model_that_has_not_seen_it_and_the_model_is_trained_on_all() {
    let folder = workplace();
    let path = folder.path();
    let train: Vec<&str> = ["train", "digits", "--folds=3", "--metric=accuracy,f1"]
        .into_iter()
        .chain(
            SHORT
                .iter()
                .copied()
                .filter(|option| !option.starts_with("--batch-size")),
        )
        .chain(["--json"])
        .collect();
    let ran = vision(path, &train).ends(0);
    for said in ["fold 1 of 3", "fold 3 of 3", "the model, on all images"] {
        assert!(ran.err.contains(said), "{}", ran.err);
    }
    let json = ran.json();
    let crossed = &json["cross_validation"];
    assert_eq!(
        (&crossed["folds"], &crossed["images"]),
        (&3.into(), &22.into())
    );
    let values = crossed["scores"]["accuracy"]["values"].as_array().unwrap();
    assert_eq!(values.len(), 3);
    let mean = values
        .iter()
        .map(|value| value.as_f64().unwrap())
        .sum::<f64>()
        / 3.0;
    assert!((mean - crossed["scores"]["accuracy"]["mean"].as_f64().unwrap()).abs() < 1e-9);
    assert!(
        crossed["scores"]["accuracy"]["interval"]["low"].is_number(),
        "{crossed}"
    );
    assert!(
        crossed["pooled"]["f1_macro"]["interval"]["high"].is_number(),
        "{crossed}"
    );
    let run = path.join("run");
    let file: Value =
        serde_json::from_str(&fs::read_to_string(run.join("cross-validation.json")).unwrap())
            .unwrap();
    assert_eq!(&file, crossed);

    // The table has each image once, and its accuracy is the pooled one.
    let table = fs::read_to_string(run.join("cross-validation.csv")).unwrap();
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("image,fold,label,prediction,3,7"));
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    let mut images: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    images.sort_unstable();
    images.dedup();
    assert_eq!(images.len(), 22);
    assert!(images.contains(&"valid/7/00002.png"), "{images:?}");
    for row in &rows {
        assert!(
            ["1", "2", "3"].contains(&row[1]) && row[0].contains(&format!("/{}/", row[2])),
            "{row:?}"
        );
        let larger = row[4].parse::<f32>().unwrap() >= row[5].parse::<f32>().unwrap();
        assert_eq!(row[3], if larger { "3" } else { "7" });
    }
    let right = rows.iter().filter(|row| row[2] == row[3]).count() as f64 / 22.0;
    assert!((right - crossed["pooled"]["accuracy"]["value"].as_f64().unwrap()).abs() < 1e-9);

    // The model has seen every image, which its scores say; the steps of the folds are gone.
    assert!(!run.join("folds").exists());
    let report = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(report.contains("Cross-validation with 3 folds"));
    let ran = vision(path, ["evaluate", "run", "digits", "--json"]).ends(0);
    let scored = &ran.json()["scored"];
    assert_eq!(
        (&scored["part"], &scored["trained_on"]),
        (&"all".into(), &22.into())
    );
    assert!(ran.err.contains("trained on 22 of these 22"), "{}", ran.err);
    let card = vision(path, ["self-test", "run", "--json"]).ends(0).json();
    assert_eq!(card["card"]["data"]["train"], 22);
    let settings = fs::read_to_string(run.join("vision.toml")).unwrap();
    assert!(
        settings.contains("folds = 3") && !settings.contains("valid-pct"),
        "{settings}"
    );
}

#[test]
fn folds_that_make_no_sense_are_refused_before_anything_is_written() {
    let folder = workplace();
    let path = folder.path();
    for (options, code, said) in [
        (
            vec!["--folds=1"],
            2,
            "bad --folds: expected at least 2, found 1",
        ),
        (
            vec!["--folds=3", "--early-stop=2"],
            2,
            "cannot be used with",
        ),
        (
            vec!["--folds=3", "--valid-pct=0.1"],
            2,
            "cannot be used with",
        ),
        (
            vec!["--folds=23"],
            1,
            "at most the number of images, 22, found 23",
        ),
    ] {
        let train = ["train", "digits"].into_iter().chain(options).chain(SHORT);
        vision(path, train).ends(code).says(said);
    }
    assert!(!path.join("run").exists());
}

#[test]
#[cfg(unix)]
fn a_cross_validation_that_was_interrupted_goes_on_to_the_same_bits() {
    let folder = workplace();
    let path = folder.path();
    let options = [
        "--folds=3",
        "--arch=resnet18",
        "--size=28",
        "--pretrained=no",
        "--epochs=4",
        "--lr=1e-3",
        "--batch-size=4",
    ];
    let whole = ["train", "digits", "--out=whole"].into_iter();
    vision(path, whole.chain(options)).ends(0);
    let mut arguments = vec!["train", "digits", "--out=broken"];
    arguments.extend(options);
    let child = start(path, &arguments);
    let history = path.join("broken/folds/2/history.csv");
    while fs::read_to_string(&history).map_or(0, |text| text.lines().count()) < 2 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let id = child.id().to_string();
    let killed = std::process::Command::new("kill")
        .args(["-INT", &id])
        .status();
    assert!(killed.unwrap().success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("fold 2 of 3: interrupted") && said.contains("vision resume"),
        "{said}"
    );

    vision(path, ["resume", "broken"]).ends(0);
    for name in ["cross-validation.csv", "cross-validation.json"] {
        let [broken, whole] =
            ["broken", "whole"].map(|run| fs::read_to_string(path.join(run).join(name)).unwrap());
        assert_eq!(broken, whole, "{name}");
    }
    let predicted = |run: &str| {
        vision(path, ["predict", run, "digits", "--json"])
            .ends(0)
            .out
    };
    assert_eq!(predicted("broken"), predicted("whole"));
}

#[test]
fn images_with_several_classes_are_divided_too() {
    let folder = workplace();
    let mut table = String::from("name,tags\n");
    for class in ["3", "7"] {
        for i in 0..8 {
            let tags = if i % 2 == 0 {
                format!("digit;{class}")
            } else {
                class.to_owned()
            };
            table.push_str(&format!("train/{class}/{i:05}.png,{tags}\n"));
        }
    }
    fs::write(folder.path().join("digits/tags.csv"), table).unwrap();
    let train = [
        "train",
        "digits/tags.csv",
        "--label-delim=;",
        "--folds=2",
        "--json",
    ];
    let json = vision(folder.path(), train.into_iter().chain(SHORT))
        .ends(0)
        .json();
    let crossed = &json["cross_validation"];
    assert_eq!(crossed["images"], 16);
    assert!(
        crossed["pooled"]["accuracy_thresh"]["interval"]["low"].is_number(),
        "{crossed}"
    );
    let table = fs::read_to_string(folder.path().join("run/cross-validation.csv")).unwrap();
    assert!(
        table.starts_with("image,fold,label,prediction,3,7,digit\n"),
        "{table}"
    );
    assert!(table.contains(",3;digit,"), "{table}");
    assert!(folder.path().join("run/report.html").is_file());
}
