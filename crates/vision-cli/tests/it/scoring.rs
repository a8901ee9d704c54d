//! Which images a model is scored on.

use std::fs;

use serde_json::Value;

use crate::support::{TRAINED, Trained, UNSPLIT, vision};

fn scored(trained: &Trained, arguments: &[&str]) -> (Value, String) {
    let arguments = arguments.iter().copied().chain(["--json"]);
    let ran = vision(trained.path(), arguments).ends(0);
    (ran.json(), ran.err)
}

#[test]
fn data_without_a_folder_for_validation_is_split_as_in_the_training() {
    let trained = &UNSPLIT;
    let history = fs::read_to_string(trained.run().join("history.csv")).unwrap();
    let row: Vec<&str> = history.lines().nth(1).unwrap().split(',').collect();
    // The run knows its split, and the usual split of the file is found by the fingerprint in it.
    for model in ["run", "run/model.safetensors"] {
        let (json, said) = scored(trained, &["evaluate", model, "digits/train"]);
        // A fifth of 16 images.
        assert_eq!(json["images"], 3, "{model}");
        let how = &json["scored"];
        assert_eq!(
            (&how["part"], &how["split"], &how["trained_on"]),
            (&"validation".into(), &"training".into(), &0.into()),
            "{how}"
        );
        assert!(
            said.contains("scoring 3 images") && said.contains("kept for validation"),
            "{said}"
        );
        assert!(!said.contains("warning"), "{said}");
        let accuracy = json["scores"]["accuracy"]["value"].as_f64().unwrap();
        assert!((accuracy - row[3].parse::<f64>().unwrap()).abs() < 1e-6);
    }
    // A copy of the data elsewhere is the same data.
    let other = tempfile::tempdir().unwrap();
    for class in ["3", "7"] {
        fs::create_dir(other.path().join(class)).unwrap();
        for file in fs::read_dir(trained.path().join("digits/train").join(class)).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), other.path().join(class).join(file.file_name())).unwrap();
        }
    }
    let copy = other.path().to_str().unwrap();
    let (json, _) = scored(trained, &["evaluate", "run", copy]);
    assert_eq!(
        (&json["images"], &json["scored"]["split"]),
        (&3.into(), &"training".into())
    );
    // With one image more it is not.
    fs::copy(
        trained.path().join("digits/valid/3/00000.png"),
        other.path().join("3/new.png"),
    )
    .unwrap();
    let (json, said) = scored(trained, &["evaluate", "run", copy]);
    assert_eq!(
        (
            &json["images"],
            &json["scored"]["part"],
            &json["scored"]["trained_on"]
        ),
        (&17.into(), &"all".into(), &13.into())
    );
    assert!(said.contains("scoring all 17 images"), "{said}");
    assert!(
        said.contains("warning: ") && said.contains("13 of these 17"),
        "{said}"
    );
    // A model file does not have the names.
    let (json, said) = scored(trained, &["evaluate", "run/model.safetensors", copy]);
    assert!(json["scored"]["trained_on"].is_null());
    assert!(said.contains("is not known"), "{said}");
}

#[test]
fn images_that_no_training_has_seen_are_scored_without_a_warning() {
    let trained = &UNSPLIT;
    let (json, said) = scored(trained, &["evaluate", "run", "digits/valid"]);
    assert_eq!(
        (&json["images"], &json["scored"]["trained_on"]),
        (&6.into(), &0.into())
    );
    assert!(
        said.contains("scoring all 6 images") && !said.contains("warning"),
        "{said}"
    );
    // A part that the user names, of which the model has seen some.
    let (json, said) = scored(
        trained,
        &[
            "evaluate",
            "run",
            "digits/train",
            "--valid-pct=0.5",
            "--seed=3",
        ],
    );
    assert_eq!(
        (&json["images"], &json["scored"]["split"]),
        (&8.into(), &"random".into())
    );
    assert!(json["scored"]["trained_on"].as_u64().unwrap() > 0, "{json}");
    assert!(
        said.contains("--valid-pct 0.5") && said.contains("warning"),
        "{said}"
    );
    // The folder of validation images.
    let (json, _) = scored(&TRAINED, &["evaluate", "run", "digits"]);
    assert_eq!(
        (&json["images"], &json["scored"]["part"]),
        (&6.into(), &"validation".into())
    );
}

#[test]
fn comparisons_and_reports_choose_the_same_images() {
    let trained = &UNSPLIT;
    let (json, said) = scored(
        trained,
        &[
            "compare",
            "run/model.safetensors",
            "run",
            "digits/train",
            "--tta",
        ],
    );
    assert_eq!(
        (&json["images"], &json["scored"]["trained_on"]),
        (&3.into(), &serde_json::json!([0, 0]))
    );
    assert!(said.contains("kept for validation"), "{said}");
    let report = ["report", "run", "digits/valid", "--out=test.html"];
    let (json, _) = scored(trained, &report);
    assert_eq!(
        (&json["scored"]["images"], &json["problems"]),
        (&6.into(), &serde_json::json!([]))
    );
    let page = fs::read_to_string(trained.path().join("test.html")).unwrap();
    assert!(page.contains("All 6 images of the data are scored. It was trained on none of them."));
    assert!(!page.contains("training images of"), "the learner has none");
    vision(trained.path(), report).ends(1).says("--overwrite");
    vision(trained.path(), ["report", "run", "digits/valid"])
        .ends(2)
        .says("--out is missing");
    vision(trained.path(), ["report", "run/model.safetensors"])
        .ends(2)
        .says("--out is missing");
}

#[test]
fn a_data_file_and_a_csv_file_are_data() {
    let trained = &UNSPLIT;
    let path = trained.path();
    let mut table = String::from("name,label\n");
    for class in ["3", "7"] {
        for i in 0..3 {
            table.push_str(&format!("digits/valid/{class}/{i:05}.png,{class}\n"));
        }
    }
    fs::write(path.join("labels.csv"), table).unwrap();
    let (json, _) = scored(trained, &["evaluate", "run", "labels.csv"]);
    assert_eq!(
        (&json["images"], &json["scored"]["part"]),
        (&6.into(), &"all".into())
    );
    vision(path, ["evaluate", "run", "labels.csv", "--csv=labels.csv"])
        .ends(2)
        .says("names another");
    let data = vision::data::ImageDataBunch::from_folder(path.join("digits"))
        .size(28)
        .batch_size(4)
        .build()
        .unwrap();
    data.save("data.json").unwrap();
    let file = "digits/data.json";
    let (json, _) = scored(trained, &["evaluate", "run", file]);
    assert_eq!(
        (&json["images"], &json["scored"]["split"]),
        (&6.into(), &"data".into())
    );
    vision(path, ["evaluate", "run", file, "--valid-pct=0.5"])
        .ends(2)
        .says("--valid-pct is not for a data file");
    let train = [
        "train",
        file,
        "--arch=resnet18",
        "--pretrained=no",
        "--epochs=1",
        "--lr=1e-3",
        "--out=saved",
        "--json",
    ];
    let json = vision(path, train).ends(0).json();
    assert_eq!(json["classes"], serde_json::json!(["3", "7"]));
    let settings = fs::read_to_string(path.join("saved/vision.toml")).unwrap();
    assert!(
        settings.contains("data.json") && settings.contains("batch-size = 4"),
        "{settings}"
    );
    let (json, _) = scored(trained, &["evaluate", "saved", file]);
    assert_eq!(json["scored"]["split"], "training");
}

#[test]
fn augmented_predictions_and_a_threshold_are_scored() {
    let trained = &TRAINED;
    let (plain, _) = scored(trained, &["evaluate", "run", "digits"]);
    let (careful, _) = scored(trained, &["evaluate", "run", "digits", "--tta"]);
    assert_eq!(plain["images"], careful["images"]);
    assert_ne!(plain["loss"], careful["loss"]);
    // The mean of the losses of the rows that `predict --tta` prints.
    let rows = vision(
        trained.path(),
        [
            "predict",
            "run",
            "digits/valid",
            "--tta",
            "--json",
            "--top=2",
        ],
    )
    .ends(0)
    .lines();
    let losses: Vec<f64> = rows
        .iter()
        .map(|row| {
            let image = row["image"].as_str().unwrap();
            let own = if image.contains("/3/") { "3" } else { "7" };
            let top = row["top"].as_array().unwrap();
            let score = top.iter().find(|score| score["class"] == own).unwrap();
            -score["probability"].as_f64().unwrap().ln()
        })
        .collect();
    let mean = losses.iter().sum::<f64>() / losses.len() as f64;
    assert!(
        (mean - careful["loss"].as_f64().unwrap()).abs() < 1e-5,
        "{mean} {careful}"
    );
    let (json, _) = scored(trained, &["evaluate", "run", "digits", "--threshold=0"]);
    assert_eq!(json["answered"]["images"], 6);
    let right = json["answered"]["right"].as_u64().unwrap() as f64 / 6.0;
    assert!((right - json["scores"]["accuracy"]["value"].as_f64().unwrap()).abs() < 1e-9);
    let text = vision(
        trained.path(),
        ["evaluate", "run", "digits", "--threshold=0.9"],
    )
    .ends(0);
    assert!(
        text.out.contains("a probability of 0.9 or more: "),
        "{}",
        text.out
    );
    vision(
        trained.path(),
        ["evaluate", "run", "digits", "--threshold=2"],
    )
    .ends(1)
    .says("bad --threshold: expected a probability from 0 to 1, found 2");
}
