//! A deployed model scores labeled data and streams of files.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use vision_base::progress::Progress;
use vision_data::{Label, LabelError, Targets, files};
use vision_learner::{Error, ExportConfig, Metric, Predictor, TtaConfig, compare, metric_named};

use crate::prelude::*;
use crate::support::{self, close};

/// The model of a learner, as its file has it.
fn deployed(learner: &Learner) -> Predictor {
    Predictor::from_bytes(&learner.export_bytes(ExportConfig::new()).unwrap()).unwrap()
}

/// The training digits with other labels, all of them for training.
fn labeled<L: Into<Label>>(digits: &support::Digits, label: impl Fn(usize) -> L) -> ImageDataBunch {
    let files = files::image_files(digits.path.join("train")).unwrap();
    let labels: Vec<L> = (0..files.len()).map(label).collect();
    ImageDataBunch::from_lists(&digits.path, files, labels)
        .valid_pct(0.0)
        .batch_size(4)
        .build()
        .unwrap()
}

/// The predictions of the model are those of the learner, whose losses PyTorch has checked.
#[track_caller]
fn same(what: &str, learner: &Learner, part: DatasetType) {
    let expected = learner.get_preds(part).unwrap();
    let found = deployed(learner).get_preds(learner.data(), part).unwrap();
    assert_eq!(found.targets, expected.targets, "{what}");
    assert_eq!(
        (found.classes, &found.indices),
        (expected.classes, &expected.indices)
    );
    close(
        what,
        &found.probabilities,
        &expected.probabilities,
        1e-5,
        1e-6,
    );
    close(what, &found.losses, &expected.losses, 1e-4, 1e-5);
}

#[test]
fn scores_of_a_deployed_model_are_those_of_its_learner_for_each_kind_of_label() {
    let digits = support::digits(8, 4);
    let mut learner = support::learner(support::data(&digits.path, 8));
    learner.fit(1, 1e-3).unwrap();
    same("one class", &learner, DatasetType::Valid);
    same("training images", &learner, DatasetType::Fix);

    let build = |data| {
        let learner = create_cnn(data, Arch::ResNet18).pretrained(false);
        learner.silent(true).build().unwrap()
    };
    let several = |i: usize| -> Vec<&str> {
        match i % 4 {
            0 => vec![],
            1 => vec!["a"],
            2 => vec!["a", "c"],
            _ => vec!["b", "c"],
        }
    };
    same(
        "several classes",
        &build(labeled(&digits, several)),
        DatasetType::Fix,
    );
    let numbers = |i: usize| vec![i as f32 / 4.0, -1.0];
    same(
        "numbers",
        &build(labeled(&digits, numbers)),
        DatasetType::Fix,
    );
}

#[test]
fn classes_are_matched_by_name() {
    let digits = support::digits(8, 4);
    let learner = support::learner(support::data(&digits.path, 8));
    let predictor = deployed(&learner);
    let expected = predictor
        .get_preds(learner.data(), DatasetType::Valid)
        .unwrap();
    let turned = ImageDataBunch::from_lists(
        &digits.path,
        files::image_files(digits.path.join("valid")).unwrap(),
        // In the order of the files: four 3s, four 7s.
        ["3", "3", "3", "3", "7", "7", "7", "7"],
    );
    let turned = turned
        .classes(["7", "3", "more"])
        .valid_pct(0.0)
        .build()
        .unwrap();
    assert_eq!(turned.classes(), ["7", "3", "more"]);
    let found = predictor.get_preds(&turned, DatasetType::Fix).unwrap();
    assert_eq!(
        found.targets,
        Targets::Category(vec![0, 0, 0, 0, 1, 1, 1, 1])
    );
    assert_eq!(found, expected);
    assert_eq!(compare(&found, &expected).unwrap().difference, 0.0);
}

#[test]
fn data_that_the_model_cannot_be_scored_on_is_an_error_with_the_reason() {
    let digits = support::digits(4, 2);
    let predictor = deployed(&support::learner(support::data(&digits.path, 8)));
    let score = |data: &ImageDataBunch, part| predictor.get_preds(data, part).unwrap_err();
    let other = labeled(&digits, |i| if i < 3 { "8" } else { "3" });
    match score(&other, DatasetType::Fix) {
        Error::Data(vision_data::Error::Label(LabelError::UnknownClasses {
            unknown,
            known,
            ..
        })) => {
            let found: Vec<_> = unknown
                .iter()
                .map(|d| (d.label.as_str(), d.items))
                .collect();
            assert_eq!(found, [("8", 3)]);
            assert_eq!(known, ["3", "7"]);
        }
        error => panic!("{error}"),
    }
    let numbers = labeled(&digits, |i| i as f32);
    let error = score(&numbers, DatasetType::Fix);
    assert!(
        matches!(
            error,
            Error::Data(vision_data::Error::Label(LabelError::WrongKind { .. }))
        ),
        "{error}"
    );
    // There are no validation images.
    let none = labeled(&digits, |i| if i < 3 { "7" } else { "3" });
    let error = score(&none, DatasetType::Valid).to_string();
    assert!(error.contains("valid"), "{error}");
    fs::write(digits.path.join("valid/3/00000.png"), "no image").unwrap();
    let damaged = support::data(&digits.path, 8);
    let error = score(&damaged, DatasetType::Valid).to_string();
    assert!(error.contains("00000.png"), "{error}");
}

#[test]
fn a_stream_of_files_is_predicted_as_a_folder_is_and_is_read_as_it_is_needed() {
    let digits = support::digits(8, 6);
    let predictor = deployed(&support::learner(support::data(&digits.path, 8)));
    let folder = digits.path.join("valid");
    fs::write(folder.join("3/bad.png"), "no image").unwrap();
    let files = files::image_files(&folder).unwrap();
    let text = |(path, found): (PathBuf, vision_learner::Result<_>)| {
        (path, found.map_err(|error| error.to_string()))
    };
    let expected: Vec<_> = predictor
        .predict_folder(&folder)
        .unwrap()
        .map(text)
        .collect();
    assert_eq!(expected.len(), 13);
    for images in [1, 5, 100] {
        let stream = predictor
            .predict_files(files.iter())
            .with_images(images)
            .unwrap();
        assert_eq!(stream.len(), 13);
        assert_eq!(stream.map(text).collect::<Vec<_>>(), expected, "{images}");
    }
    let mut taken = 0;
    let endless = files.iter().cycle().inspect(|_| taken += 1);
    let stream = predictor.predict_files(endless).with_images(4).unwrap();
    assert_eq!(stream.take(6).count(), 6);
    assert_eq!(taken, 8);
    for wrong in [0, 65_537] {
        let error = predictor
            .predict_files(&files)
            .with_images(wrong)
            .unwrap_err();
        assert!(error.to_string().contains("images"), "{error}");
    }
}

#[test]
fn a_stream_has_a_threshold_of_its_own() {
    let digits = support::digits(4, 2);
    let data = labeled(&digits, |i| vec![["a", "b"][i % 2]]);
    let learner = create_cnn(data, Arch::ResNet18).pretrained(false);
    let predictor = deployed(&learner.silent(true).build().unwrap());
    let files = files::image_files(digits.path.join("valid")).unwrap();
    let classes = |threshold: f32| -> Vec<String> {
        let stream = predictor.predict_files(&files).with_threshold(threshold);
        let classes = stream.unwrap().map(|(_, found)| found.unwrap().class);
        classes.collect()
    };
    assert!(classes(0.0).iter().all(|class| class == "a;b"));
    assert!(classes(1.0).iter().all(String::is_empty));
    assert!(
        predictor
            .predict_files(&files)
            .with_threshold([0.5; 3])
            .is_err()
    );
}

#[test]
fn a_metric_is_found_by_its_name_and_a_wrong_name_lists_them() {
    // The names that the metrics have themselves, where these say no more about their settings.
    for name in [
        "accuracy",
        "error_rate",
        "top_5_accuracy",
        "balanced_accuracy",
        "cohen_kappa",
        "matthews",
        "log_loss",
        "brier_score",
        "accuracy_thresh",
        "fbeta",
        "mse",
        "rmse",
        "mae",
        "msle",
        "rmspe",
        "r2_score",
        "explained_variance",
        "pearson",
        "spearman",
    ] {
        assert_eq!(metric_named(name).unwrap().name(), name);
        assert_eq!(metric_named(&name.replace('_', "-")).unwrap().name(), name);
    }
    for (name, own) in [
        ("f1", "f1_macro"),
        ("precision", "precision_macro"),
        ("recall", "recall_macro"),
    ] {
        assert_eq!(metric_named(name).unwrap().name(), own);
    }
    match metric_named("accurate") {
        Err(Error::NoSuchMetric { name, known }) => {
            assert_eq!((name.as_str(), known.len()), ("accurate", 25));
            for name in known {
                metric_named(&name).unwrap();
            }
        }
        other => panic!("{:?}", other.map(|metric| metric.name())),
    }
}

#[test]
fn test_time_augmentation_of_a_deployed_model_has_the_bits_of_its_learner() {
    let digits = support::digits(8, 4);
    let mut learner = support::learner(support::data(&digits.path, 8));
    learner.fit(1, 1e-3).unwrap();
    let config = TtaConfig::new().with_random(false);
    let expected = learner.tta_with(DatasetType::Valid, &config).unwrap();
    let plain = deployed(&learner);
    let careful = plain.with_tta(&config).unwrap();
    let found = careful
        .get_preds(learner.data(), DatasetType::Valid)
        .unwrap();
    assert_eq!(found.probabilities, expected.probabilities);
    assert_ne!(
        plain
            .get_preds(learner.data(), DatasetType::Valid)
            .unwrap()
            .probabilities,
        found.probabilities
    );
    // One by one, in batches and as files.
    let data = learner.data();
    let images: Vec<_> = (0..3).map(|i| data.valid_ds().image(i).unwrap()).collect();
    let batch = careful.predict_batch(&images).unwrap();
    let files = careful.predict_files(data.valid_ds().paths()[..3].to_vec());
    let files: Vec<_> = files.map(|(_, prediction)| prediction.unwrap()).collect();
    assert_eq!(batch, files);
    for (item, image) in images.iter().enumerate() {
        assert_eq!(careful.predict(image).unwrap(), batch[item]);
        assert_eq!(batch[item].probabilities, expected.row(item));
    }
    let error = plain.with_tta(&TtaConfig::new()).unwrap_err();
    assert!(error.to_string().contains("bad random"), "{error}");
}

#[test]
fn scoring_reports_its_progress_to_the_end() {
    let digits = support::digits(8, 4);
    let learner = support::learner(support::data(&digits.path, 8));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    let progress = Progress::new(move |report| told.lock().unwrap().push(report.done));
    deployed(&learner)
        .get_preds_with(learner.data(), DatasetType::Fix, &progress)
        .unwrap();
    assert_eq!(seen.lock().unwrap().last(), Some(&16));
}
