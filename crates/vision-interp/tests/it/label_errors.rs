//! Label errors, against cleanlab.

use std::fs;

use serde::Deserialize;
use vision_data::datasets::synthetic;
use vision_data::{By, Folds, ImageDataBunch, Targets};
use vision_interp::{
    ClassificationInterpretation, Error, LabelErrorConfig, LabelErrors, LabelFilter, LabelScore,
};
use vision_learner::{Learner, Predictions, create_cnn, cross_validate};
use vision_models::Arch;

use crate::support::{gray, names};

#[derive(Deserialize)]
struct Fixture {
    unit: f32,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    classes: usize,
    labels: Vec<u32>,
    units: Vec<Vec<f32>>,
    thresholds: Vec<f64>,
    joint: Vec<Vec<u64>>,
    calibrated: Vec<Vec<u64>>,
    noise_rate: f64,
    issues: Issues,
    scores: Scores<f64>,
    order: Scores<usize>,
    pairs: Vec<[usize; 3]>,
}

#[derive(Deserialize)]
struct Issues {
    prune_by_noise_rate: Vec<usize>,
    prune_by_class: Vec<usize>,
    both: Vec<usize>,
    confident_learning: Vec<usize>,
}

#[derive(Deserialize)]
struct Scores<T> {
    self_confidence: Vec<T>,
    normalized_margin: Vec<T>,
    confidence_weighted_entropy: Vec<T>,
}

/// What `scripts/make_label_error_fixtures.py` computed.
fn fixture() -> Fixture {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/label_errors.json"
    );
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

fn class_names(classes: usize) -> Vec<String> {
    (0..classes).map(|class| format!("class {class}")).collect()
}

impl Case {
    fn predictions(&self, unit: f32) -> Predictions {
        Predictions {
            probabilities: self.units.iter().flatten().map(|p| p / unit).collect(),
            classes: self.classes,
            targets: Targets::Category(self.labels.clone()),
            losses: vec![0.0; self.labels.len()],
            indices: (0..self.labels.len()).collect(),
        }
    }

    fn found(&self, unit: f32, config: LabelErrorConfig) -> LabelErrors {
        let classes = class_names(self.classes);
        LabelErrors::from_predictions(&classes, &self.predictions(unit), &config).unwrap()
    }
}

fn positions(found: &LabelErrors) -> Vec<usize> {
    found.items.iter().map(|item| item.item).collect()
}

#[test]
fn the_confident_joint_is_that_of_cleanlab() {
    let Fixture { unit, cases } = fixture();
    assert!(cases.len() >= 8);
    for case in cases {
        let found = case.found(unit, LabelErrorConfig::new());
        let thresholds = found.joint.thresholds.iter().zip(&case.thresholds);
        for (found, expected) in thresholds {
            // No probability reaches cleanlab's 2, the threshold of a class without items.
            let found = found.unwrap_or(2.0);
            assert!((found - expected).abs() < 1e-14, "{}", case.name);
        }
        assert_eq!(found.joint.counts, case.joint, "{}", case.name);
        assert_eq!(found.joint.calibrated, case.calibrated, "{}", case.name);
        assert!((found.noise_rate - case.noise_rate).abs() < 1e-14);
    }
}

#[test]
fn each_filter_finds_the_labels_that_cleanlab_finds() {
    let Fixture { unit, cases } = fixture();
    for case in cases {
        for (filter, expected) in [
            (
                LabelFilter::PruneByNoiseRate,
                &case.issues.prune_by_noise_rate,
            ),
            (LabelFilter::PruneByClass, &case.issues.prune_by_class),
            (LabelFilter::Both, &case.issues.both),
            (
                LabelFilter::ConfidentLearning,
                &case.issues.confident_learning,
            ),
        ] {
            let found = case.found(unit, LabelErrorConfig::new().with_filter(filter));
            let mut found = positions(&found);
            found.sort_unstable();
            assert_eq!(&found, expected, "{} {filter:?}", case.name);
        }
    }
}

#[test]
fn scores_and_their_order_are_those_of_cleanlab_except_for_labels_that_are_certain() {
    let Fixture { unit, cases } = fixture();
    let mut certain = 0;
    for case in cases {
        for (score, scores, order) in [
            (
                LabelScore::SelfConfidence,
                &case.scores.self_confidence,
                &case.order.self_confidence,
            ),
            (
                LabelScore::NormalizedMargin,
                &case.scores.normalized_margin,
                &case.order.normalized_margin,
            ),
            (
                LabelScore::ConfidenceWeightedEntropy,
                &case.scores.confidence_weighted_entropy,
                &case.order.confidence_weighted_entropy,
            ),
        ] {
            let found = case.found(unit, LabelErrorConfig::new().with_score(score));
            assert_eq!(found.scores.len(), scores.len());
            let mut entropy_is_0 = false;
            for (row, (found, expected)) in found.scores.iter().zip(scores).enumerate() {
                if score == LabelScore::ConfidenceWeightedEntropy && *expected == 0.0 {
                    // The entropy of a certain prediction is 0, and the limit of ln(1 + x) / x is 1.
                    assert!(case.units[row].contains(&unit));
                    assert_eq!(*found, 1.0);
                    entropy_is_0 = true;
                    certain += 1;
                    continue;
                }
                assert!(
                    (found - expected).abs() < 1e-12,
                    "{} {score:?} {row}: {found} for {expected}",
                    case.name
                );
            }
            if !entropy_is_0 {
                assert_eq!(&positions(&found), order, "{} {score:?}", case.name);
            }
        }
    }
    assert!(certain > 5, "{certain}");
}

#[test]
fn pairs_count_the_labels_found_and_those_of_the_joint() {
    let Fixture { unit, cases } = fixture();
    for case in cases {
        let found = case.found(unit, LabelErrorConfig::new());
        let names = class_names(case.classes);
        let place = |name: &String| names.iter().position(|other| other == name).unwrap();
        let mut pairs = Vec::new();
        let mut last = usize::MAX;
        for pair in found.pairs() {
            assert!(pair.count <= last);
            last = pair.count;
            let (given, suggested) = (place(&pair.given), place(&pair.suggested));
            assert_eq!(pair.estimated, case.calibrated[given][suggested]);
            pairs.push([given, suggested, pair.count]);
        }
        pairs.sort_unstable();
        assert_eq!(pairs, case.pairs, "{}", case.name);
    }
}

fn two(probabilities: [f32; 4]) -> Predictions {
    Predictions {
        probabilities: probabilities.to_vec(),
        classes: 2,
        targets: Targets::Category(vec![0, 1]),
        losses: vec![0.0; 2],
        indices: vec![7, 8],
    }
}

#[test]
fn what_is_no_probability_is_an_error_that_names_the_item() {
    let classes = names(&["cat", "dog"]);
    for (p, shown) in [
        (f32::NAN, "NaN"),
        (-0.1, "-0.1"),
        (1.5, "1.5"),
        (f32::INFINITY, "inf"),
    ] {
        let predictions = two([0.5, 0.5, p, 0.5]);
        let config = LabelErrorConfig::new();
        let error = LabelErrors::from_predictions(&classes, &predictions, &config).unwrap_err();
        let expected = format!("{shown} of item 8, class \"cat\"");
        assert!(
            matches!(&error, Error::Option(error) if error.found == expected),
            "{error}"
        );
        let interp =
            ClassificationInterpretation::from_predictions(classes.clone(), predictions, gray);
        let interp = interp.unwrap().with_names(|item| format!("cat/{item}.jpg"));
        let error = interp.label_errors().unwrap_err().to_string();
        assert!(error.contains(&format!("{shown} of cat/8.jpg")), "{error}");
    }
}

#[test]
fn labels_that_do_not_fit_are_typed_errors() {
    let classes = names(&["cat", "dog"]);
    let find = |predictions: &Predictions| {
        LabelErrors::from_predictions(&classes, predictions, &LabelErrorConfig::new())
    };
    let good = two([0.5; 4]);
    let with = |targets| Predictions {
        targets,
        ..good.clone()
    };
    let unknown = find(&with(Targets::Category(vec![0, 2]))).unwrap_err();
    assert!(
        matches!(unknown, Error::UnknownClass { found: 2, .. }),
        "{unknown}"
    );
    let none = find(&with(Targets::Empty(2))).unwrap_err();
    assert!(matches!(none, Error::Unlabeled), "{none}");
    let numbers = find(&with(Targets::Float {
        columns: 1,
        values: vec![0.0, 1.0],
    }));
    assert!(matches!(numbers, Err(Error::Data(_))), "{numbers:?}");
    let short = find(&with(Targets::Category(vec![0])));
    assert!(matches!(short, Err(Error::Lengths { .. })), "{short:?}");
    let empty = Predictions {
        probabilities: Vec::new(),
        classes: 2,
        targets: Targets::Category(Vec::new()),
        losses: Vec::new(),
        indices: Vec::new(),
    };
    let error = find(&empty).unwrap_err().to_string();
    assert!(error.contains("at least one item"), "{error}");
}

#[test]
fn with_a_single_class_no_label_is_wrong() {
    let predictions = Predictions {
        probabilities: vec![1.0, 0.2, 1.0],
        classes: 1,
        targets: Targets::Category(vec![0; 3]),
        losses: vec![0.0; 3],
        indices: (0..3).collect(),
    };
    for score in [
        LabelScore::SelfConfidence,
        LabelScore::NormalizedMargin,
        LabelScore::ConfidenceWeightedEntropy,
    ] {
        let config = LabelErrorConfig::new().with_score(score);
        let found = LabelErrors::from_predictions(&names(&["a"]), &predictions, &config).unwrap();
        assert!(found.items.is_empty());
        assert_eq!(found.noise_rate, 0.0);
        assert!(found.scores.iter().all(|score| (0.0..=1.0).contains(score)));
        assert!(
            found
                .to_string()
                .starts_with("0 of 3 labels are probably wrong")
        );
    }
}

#[test]
fn the_table_and_the_csv_file_name_each_item_once_and_no_cell_is_a_formula() {
    let Fixture { unit, cases } = fixture();
    let case = &cases[0];
    let interp = ClassificationInterpretation::from_predictions(
        names(&["=cat", "dog, small", "bird", "fish\n"]),
        case.predictions(unit),
        gray,
    );
    let interp = interp.unwrap().with_names(|item| format!("=a/{item}.jpg"));
    let found = interp.label_errors().unwrap();
    assert_eq!(positions(&found), case.order.self_confidence);
    let table = found.to_string();
    let first = &found.items[0];
    assert!(table.contains(first.name.as_ref().unwrap()), "{table}");
    assert!(
        table.starts_with(
            "18 of 90 labels are probably wrong (estimated share of wrong labels: 25.6 %)\n"
        ),
        "{table}"
    );
    assert!(!table.contains("fish\n "), "{table}");
    let csv = found.to_csv();
    for item in &found.items {
        let file = item.name.as_ref().unwrap();
        assert_eq!(csv.matches(&format!("\"'{file}\"")).count(), 1, "{csv}");
    }
    assert!(
        csv.contains("\"'=cat\"") && csv.contains("\"dog, small\""),
        "{csv}"
    );
    let json = serde_json::to_value(&found).unwrap();
    assert_eq!(json["items"].as_array().unwrap().len(), found.items.len());
    assert_eq!(json["filter"], "prune_by_noise_rate");
}

fn learner(data: ImageDataBunch) -> vision_learner::Result<Learner> {
    create_cnn(data, Arch::ResNet18)
        .pretrained(false)
        .silent(true)
        .build()
}

#[test]
fn a_cross_validation_checks_the_labels_of_all_items_by_their_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = synthetic::digits(&folder.path().join("digits"), 3, 8, 4).unwrap();
    let data = ImageDataBunch::from_folder(&path)
        .batch_size(4)
        .build()
        .unwrap();
    let found = cross_validate(&data, &Folds::stratified(2, By::Label), |data, _| {
        learner(data)
    });
    let found = found.unwrap();
    let config = LabelErrorConfig::new().with_filter(LabelFilter::ConfidentLearning);
    let errors = LabelErrors::from_cross_validation(&found, &data, &config).unwrap();
    assert_eq!(errors.scores.len(), 24);
    // Networks that have learned nothing take many labels for wrong.
    assert!(!errors.items.is_empty());
    for item in &errors.items {
        let name = item.name.as_ref().unwrap();
        assert_eq!(path.join(name), found.items[item.item]);
        assert!(name.contains(&format!("/{}/", item.given)), "{item:?}");
    }
    // The same without names.
    let plain = LabelErrors::from_predictions(data.classes(), &found.predictions, &config).unwrap();
    assert_eq!(positions(&plain), positions(&errors));
    let other = ImageDataBunch::from_folder(&path)
        .valid_pct(0.5)
        .batch_size(4);
    let other = other.build().unwrap();
    let error = LabelErrors::from_cross_validation(&found, &other, &config).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the data that was cross-validated"),
        "{error}"
    );
}

#[test]
fn an_interpretation_of_a_learner_checks_its_validation_set() {
    let folder = tempfile::tempdir().unwrap();
    let path = synthetic::digits(&folder.path().join("digits"), 3, 4, 6).unwrap();
    let data = ImageDataBunch::from_folder(&path)
        .batch_size(4)
        .build()
        .unwrap();
    let learner = learner(data).unwrap();
    let interp = ClassificationInterpretation::from_learner(&learner).unwrap();
    let config = LabelErrorConfig::new().with_filter(LabelFilter::ConfidentLearning);
    let found = interp.label_errors_with(&config).unwrap();
    let valid = learner.data().valid_ds().clone();
    assert_eq!(found.scores.len(), valid.len());
    for (row, score) in found.scores.iter().enumerate() {
        let label = valid.label(row).unwrap();
        assert_eq!(*score, f64::from(interp.predictions().row(row)[label]));
    }
    for item in &found.items {
        let name = item.name.as_ref().unwrap();
        assert_eq!(path.join(name), valid.paths()[item.item]);
    }
}
