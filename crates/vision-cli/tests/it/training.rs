//! From images to a folder of results, and on from there.

use std::fs;

use crate::support::{SHORT, TRAINED, vision, workplace};

#[test]
fn a_training_leaves_model_history_report_and_settings() {
    let trained = &TRAINED;
    for name in [
        "model.safetensors",
        "history.csv",
        "report.html",
        "vision.toml",
        "models/best.safetensors",
    ] {
        assert!(trained.run().join(name).is_file(), "{name}");
    }
    assert!(trained.out.contains("valid_loss"), "{}", trained.out);
    assert!(trained.out.contains("model: "), "{}", trained.out);
    let settings = fs::read_to_string(trained.run().join("vision.toml")).unwrap();
    let data = trained.path().join("digits");
    for line in [
        format!("data = \"{}\"", data.display()),
        "arch = \"resnet18\"".to_owned(),
        "pretrained = \"no\"".to_owned(),
        "metric = [\"accuracy\"]".to_owned(),
        "seed = 42".to_owned(),
        "lr = 0.001".to_owned(),
    ] {
        assert!(
            settings.lines().any(|found| found == line),
            "{line}: {settings}"
        );
    }
    let history = fs::read_to_string(trained.run().join("history.csv")).unwrap();
    assert_eq!(history.lines().count(), 2, "{history}");
    assert!(
        history.starts_with("epoch,train_loss,valid_loss,accuracy,time\n0,"),
        "{history}"
    );
}

#[test]
fn resume_says_that_a_training_is_finished_and_changes_nothing() {
    let trained = &TRAINED;
    let before = fs::read(trained.run().join("model.safetensors")).unwrap();
    let ran = vision(trained.path(), ["resume", "run"]).ends(0);
    assert!(ran.out.contains("is finished"), "{}", ran.out);
    let json = vision(trained.path(), ["resume", "run", "--json"])
        .ends(0)
        .json();
    assert_eq!(json["finished"], true);
    assert_eq!(
        fs::read(trained.run().join("model.safetensors")).unwrap(),
        before
    );
}

#[test]
fn the_report_is_written_again_with_the_history_of_the_training() {
    let trained = &TRAINED;
    vision(trained.path(), ["report", "run"])
        .ends(1)
        .says("--overwrite");
    let ran = vision(
        trained.path(),
        [
            "report",
            "run",
            "--out=again.html",
            "--title=Once more",
            "--json",
        ],
    )
    .ends(0);
    assert_eq!(ran.json()["report"], "again.html");
    let page = fs::read_to_string(trained.path().join("again.html")).unwrap();
    let first = fs::read_to_string(trained.run().join("report.html")).unwrap();
    assert!(page.contains("Once more"));
    // The chart of the losses comes from the steps of the run.
    let charts = |page: &str| page.matches("<svg").count();
    assert_eq!(charts(&page), charts(&first));
    assert!(charts(&page) > 0);
}

#[test]
fn scores_are_those_of_the_training() {
    let trained = &TRAINED;
    let json = vision(
        trained.path(),
        [
            "evaluate",
            "run",
            "digits",
            "--metric=accuracy,f1",
            "--json",
        ],
    )
    .ends(0)
    .json();
    assert_eq!(json["images"], 6);
    let history = fs::read_to_string(trained.run().join("history.csv")).unwrap();
    let row: Vec<&str> = history.lines().nth(1).unwrap().split(',').collect();
    let accuracy = json["scores"]["accuracy"]["value"].as_f64().unwrap();
    assert!(
        (accuracy - row[3].parse::<f64>().unwrap()).abs() < 1e-6,
        "{accuracy} {history}"
    );
    let loss = json["loss"].as_f64().unwrap();
    assert!(
        (loss - row[2].parse::<f64>().unwrap()).abs() < 1e-4,
        "{loss} {history}"
    );
    let matrix = json["confusion_matrix"].as_array().unwrap();
    let total: u64 = matrix
        .iter()
        .flat_map(|row| row.as_array().unwrap())
        .map(|n| n.as_u64().unwrap())
        .sum();
    assert_eq!(total, 6);
    let text = vision(
        trained.path(),
        ["evaluate", "run/model.safetensors", "digits"],
    )
    .ends(0)
    .out;
    assert!(
        text.contains("accuracy ") && text.contains("95 % interval"),
        "{text}"
    );
    // A folder with a class that the model does not know.
    let other = tempfile::tempdir().unwrap();
    for class in ["3", "8"] {
        fs::create_dir(other.path().join(class)).unwrap();
        let image = trained.path().join("digits/valid/3/00000.png");
        fs::copy(image, other.path().join(class).join("1.png")).unwrap();
    }
    let data = other.path().to_str().unwrap();
    vision(trained.path(), ["evaluate", "run", data])
        .ends(1)
        .says("8 (1)")
        .says("not trained on");
}

#[test]
fn a_model_is_as_good_as_itself() {
    let trained = &TRAINED;
    let ran = vision(
        trained.path(),
        [
            "compare",
            "run",
            "run/model.safetensors",
            "digits",
            "--json",
        ],
    )
    .ends(0);
    let json = ran.json();
    assert_eq!(
        (&json["difference"], &json["within_noise"]),
        (&0.0.into(), &true.into())
    );
    let changed = ["compare", "run", "run", "digits", "--changed=changed.csv"];
    let text = vision(trained.path(), changed).ends(0).out;
    assert!(text.starts_with("Both runs are equally accurate"), "{text}");
    assert!(trained.path().join("changed.csv").is_file());
    vision(trained.path(), changed).ends(1).says("--overwrite");
}

#[test]
fn json_of_a_training_with_a_learning_rate_that_is_searched_for_is_one_object() {
    let folder = workplace();
    let arguments = [
        "train",
        "digits/train",
        "--json",
        "--arch=resnet18",
        "--size=28",
        "--pretrained=no",
        "--epochs=1",
        "--batch-size=4",
        "--metric=error-rate,f1",
        "--mixup",
        "--out=results",
    ];
    let ran = vision(folder.path(), arguments).ends(0);
    let json = ran.json();
    assert_eq!(json["epochs"], 1);
    assert!(json["lr"].as_f64().unwrap() > 0.0);
    assert!(
        json["scores"]["error_rate"].is_number() && json["scores"]["f1_macro"].is_number(),
        "{json}"
    );
    assert!(ran.err.contains("epoch 0: train_loss"), "{}", ran.err);
    let settings = fs::read_to_string(folder.path().join("results/vision.toml")).unwrap();
    assert!(!settings.contains("auto"), "{settings}");
    // Folders of classes are split at random.
    assert!(settings.contains("valid-pct = 0.2\n"), "{settings}");
    // The folder of a training is replaced if the user says so.
    let again: Vec<&str> = ["train", "digits", "--out=results", "--overwrite"]
        .into_iter()
        .chain(SHORT)
        .collect();
    vision(folder.path(), again).ends(0);
    let settings = fs::read_to_string(folder.path().join("results/vision.toml")).unwrap();
    assert!(settings.contains("lr = 0.001"), "{settings}");
}

#[test]
fn a_table_of_labels_with_several_classes_trains_and_predicts() {
    let folder = workplace();
    let mut table = String::from("name,kind\n");
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
    let arguments = [
        "train",
        "digits",
        "--csv=tags.csv",
        "--label-column=kind",
        "--label-delim=;",
        "--valid-pct=0.25",
    ];
    vision(folder.path(), arguments.into_iter().chain(SHORT)).ends(0);
    let ran = vision(
        folder.path(),
        [
            "predict",
            "run",
            "digits/valid/3",
            "--json",
            "--threshold=0",
            "--top=2",
        ],
    )
    .ends(0);
    for line in ran.lines() {
        assert_eq!(line["classes"].as_array().unwrap().len(), 3, "{line}");
        assert_eq!(line["top"].as_array().unwrap().len(), 2, "{line}");
    }
    let scores = [
        "evaluate",
        "run",
        "digits",
        "--csv=tags.csv",
        "--label-column=kind",
        "--label-delim=;",
        "--json",
    ];
    let json = vision(folder.path(), scores).ends(0).json();
    // Those of the run's split, a quarter of 16.
    assert_eq!(json["images"], 4);
    assert_eq!(json["scored"]["split"], "training");
    assert!(json["scores"]["accuracy_thresh"]["value"].is_number());
}
