//! Several classes per item: values of scikit-learn. Fixture: `scripts/make_interp_fixtures.py`.

use serde_json::Value;
use vision_base::OptionError;
use vision_data::{MultiLabels, Targets};
use vision_interp::{
    AverageScores, ClassificationReport, ConfusionMatrix, ConfusionPlotConfig, Error,
    MultiLabelInterpretation, TopLossesConfig,
};
use vision_learner::Predictions;

use crate::support::{gray, names, texts};

fn fixture() -> Value {
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/multi_label.json"
    );
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn floats(values: &Value) -> Vec<f64> {
    values
        .as_array()
        .unwrap()
        .iter()
        .map(|value| value.as_f64().unwrap())
        .collect()
}

fn strings(values: &Value) -> Vec<String> {
    let values = values.as_array().unwrap().iter();
    values
        .map(|value| value.as_str().unwrap().to_owned())
        .collect()
}

/// Predictions for items with these probabilities and classes.
fn predictions(rows: &[(&[f32], &[usize], f32)], classes: usize) -> Predictions {
    let mut labels = MultiLabels::new(classes);
    for (_, actual, _) in rows {
        labels.push(actual.iter().copied()).unwrap();
    }
    Predictions {
        probabilities: rows
            .iter()
            .flat_map(|(row, ..)| row.iter().copied())
            .collect(),
        classes,
        targets: Targets::MultiCategory(labels),
        losses: rows.iter().map(|(.., loss)| *loss).collect(),
        indices: (0..rows.len()).collect(),
    }
}

fn interpretation(classes: &[&str], rows: &[(&[f32], &[usize], f32)]) -> MultiLabelInterpretation {
    let predictions = predictions(rows, classes.len());
    MultiLabelInterpretation::from_predictions(names(classes), predictions, gray).unwrap()
}

fn of_fixture(fixture: &Value) -> MultiLabelInterpretation {
    let classes = strings(&fixture["classes"]);
    let rows = fixture["probabilities"].as_array().unwrap().iter();
    let probabilities: Vec<Vec<f32>> = rows
        .map(|row| floats(row).iter().map(|p| *p as f32).collect())
        .collect();
    let rows = fixture["targets"].as_array().unwrap().iter();
    let targets: Vec<Vec<usize>> = rows
        .map(|row| {
            (0..classes.len())
                .filter(|c| floats(row)[*c] == 1.0)
                .collect()
        })
        .collect();
    let losses = floats(&fixture["losses"]);
    let rows: Vec<(&[f32], &[usize], f32)> = probabilities
        .iter()
        .zip(&targets)
        .zip(losses)
        .map(|((row, actual), loss)| (&row[..], &actual[..], loss as f32))
        .collect();
    let predictions = predictions(&rows, classes.len());
    MultiLabelInterpretation::from_predictions(classes, predictions, gray).unwrap()
}

#[track_caller]
fn near(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12;
    assert!(
        found.iter().zip(expected).all(near),
        "{what}: {found:?} is not {expected:?}"
    );
}

fn triple(scores: AverageScores) -> [f64; 3] {
    [scores.precision, scores.recall, scores.f1]
}

#[test]
fn matrices_and_scores_are_those_of_scikit_learn() {
    let fixture = fixture();
    for expected in fixture["scores"].as_array().unwrap() {
        let threshold = expected["threshold"].as_f64().unwrap();
        let interp = of_fixture(&fixture)
            .with_threshold(threshold as f32)
            .unwrap();
        let matrices: Vec<_> = interp
            .confusion_matrices()
            .iter()
            .map(|m| m.rows())
            .collect();
        assert_eq!(
            serde_json::json!(matrices),
            expected["matrices"],
            "{threshold}"
        );
        near(
            "accuracy",
            &[interp.accuracy()],
            &[expected["accuracy"].as_f64().unwrap()],
        );
        let wrong = interp.multi_top_losses(usize::MAX).len();
        assert_eq!(
            wrong as u64,
            expected["wrong"].as_u64().unwrap(),
            "{threshold}"
        );

        let report = interp.classification_report();
        let column = |value: fn(&vision_interp::ClassScores) -> f64| -> Vec<f64> {
            report.classes.iter().map(value).collect()
        };
        near(
            "precision",
            &column(|c| c.precision),
            &floats(&expected["precision"]),
        );
        near(
            "recall",
            &column(|c| c.recall),
            &floats(&expected["recall"]),
        );
        near("f1", &column(|c| c.f1), &floats(&expected["f1"]));
        near(
            "support",
            &column(|c| c.support as f64),
            &floats(&expected["support"]),
        );
        let averages = &expected["averages"];
        near(
            "micro",
            &triple(report.micro_avg),
            &floats(&averages["micro"]),
        );
        near(
            "macro",
            &triple(report.macro_avg),
            &floats(&averages["macro"]),
        );
        near(
            "weighted",
            &triple(report.weighted_avg),
            &floats(&averages["weighted"]),
        );
        near(
            "samples",
            &triple(report.samples_avg.unwrap()),
            &floats(&averages["samples"]),
        );
        prints_as(&report, &expected["report"]);
    }
}

/// Under scikit-learn's report are notes on what is not known.
#[track_caller]
fn prints_as(report: &ClassificationReport, expected: &Value) {
    let (found, expected) = (report.to_string(), expected.as_str().unwrap());
    assert!(found.starts_with(expected), "{found}\nis not\n{expected}");
    let notes = &found[expected.len()..];
    let unpredicted = report.classes.iter().any(|class| class.predicted == 0);
    assert_eq!(notes.contains("never predicted"), unpredicted, "{notes}");
    let unsupported = report.classes.iter().any(|class| class.support == 0);
    assert_eq!(notes.contains("without items"), unsupported, "{notes}");
}

#[test]
fn scores_of_rankings_are_those_of_scikit_learn() {
    let fixture = fixture();
    let interp = of_fixture(&fixture);
    for (what, found) in [
        ("average_precision", interp.average_precision()),
        ("roc_auc", interp.roc_auc()),
    ] {
        let expected: Vec<Option<f64>> = fixture[what]
            .as_array()
            .unwrap()
            .iter()
            .map(Value::as_f64)
            .collect();
        assert!(expected.contains(&None), "{expected:?}");
        let known = |values: &[Option<f64>]| values.iter().map(Option::is_some).collect::<Vec<_>>();
        assert_eq!(known(&found), known(&expected), "{what}");
        let numbers = |values: Vec<Option<f64>>| values.into_iter().flatten().collect::<Vec<_>>();
        near(what, &numbers(found), &numbers(expected));
    }
}

#[test]
fn the_report_of_one_class_per_item_is_that_of_scikit_learn() {
    let fixture = &fixture()["single"];
    let rows = fixture["rows"].as_array().unwrap().iter();
    let rows: Vec<Vec<u64>> = rows
        .map(|row| floats(row).iter().map(|count| *count as u64).collect())
        .collect();
    let report = ConfusionMatrix::from_rows(["a", "b", "c"], rows)
        .unwrap()
        .classification_report();
    let column = |value: fn(&vision_interp::ClassScores) -> f64| -> Vec<f64> {
        report.classes.iter().map(value).collect()
    };
    near(
        "precision",
        &column(|c| c.precision),
        &floats(&fixture["precision"]),
    );
    near("recall", &column(|c| c.recall), &floats(&fixture["recall"]));
    near("f1", &column(|c| c.f1), &floats(&fixture["f1"]));
    assert_eq!(report.samples_avg, None);
    prints_as(&report, &fixture["report"]);
}

#[test]
fn a_report_as_csv_has_a_line_for_each_class_and_no_formula() {
    let rows: [(&[f32], &[usize], f32); 2] =
        [(&[0.9, 0.1], &[0, 1], 1.0), (&[0.8, 0.2], &[1], 2.0)];
    let csv = interpretation(&["=1+1,\"\r\n", "dog"], &rows)
        .classification_report()
        .to_csv();
    // The intervals are scipy's: binomtest(k, n).proportion_ci(method="wilson").
    let expected = "class,precision,recall,f1,support,predicted,precision_low,precision_high,recall_low,recall_high\n\
                    \"'=1+1,\"\"\r\n\",0.500000,1.000000,0.666667,1,2,0.094531,0.905469,0.206549,1.000000\n\
                    dog,0.000000,0.000000,0.000000,2,0,,,0.000000,0.657620\n";
    assert_eq!(csv, expected);
}

#[test]
fn a_report_has_the_intervals_of_scipy_and_prints_them_on_request() {
    let matrix =
        ConfusionMatrix::from_rows(["3", "7", "8"], [[989, 21, 0], [40, 988, 0], [0; 3]]).unwrap();
    let report = matrix.classification_report();
    let bounds = |interval: Option<vision_learner::Interval>| {
        let interval = interval.unwrap();
        [interval.low, interval.high]
    };
    // binomtest(989, 1029), binomtest(989, 1010)
    near(
        "precision",
        &bounds(report.classes[0].precision_interval),
        &[0.9475000146359378, 0.9713244495597337],
    );
    near(
        "recall",
        &bounds(report.classes[0].recall_interval),
        &[0.9684233443070115, 0.9863610468600085],
    );
    assert_eq!(report.classes[2].precision_interval, None);
    assert_eq!(report.classes[2].recall_interval, None);

    let long = format!("{report:#}");
    assert!(long.contains("0.95 to 0.97"), "{long}");
    assert!(long.contains("not known"), "{long}");
    // Without the intervals it is scikit-learn's report.
    assert!(!report.to_string().contains(" to "), "{report}");
    let without: Vec<&str> = long
        .lines()
        .map(|line| line.split("   95 %").next().unwrap())
        .collect();
    assert_eq!(without[0], report.to_string().lines().next().unwrap());

    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["classes"][0]["class"], "3");
    assert_eq!(json["classes"][0]["support"], 1010);
    assert_eq!(json["classes"][2]["recall_interval"], Value::Null);
    assert_eq!(
        json["classes"][1]["recall_interval"]["high"]
            .as_f64()
            .unwrap(),
        bounds(report.classes[1].recall_interval)[1]
    );
}

#[test]
fn top_losses_are_of_all_items_and_multi_top_losses_of_wrong_ones() {
    let rows: [(&[f32], &[usize], f32); 4] = [
        (&[0.9, 0.1, 0.6], &[0], 0.4),     // c too
        (&[0.51, 0.49, 0.49], &[0], 0.67), // right
        (&[0.1, 0.2, 0.3], &[], 0.2),      // right
        (&[0.01, 0.9, 0.1], &[0, 1], 1.6), // a not
    ];
    let interp = interpretation(&["a", "b", "c"], &rows);
    assert_eq!(interp.top_losses(2), (vec![1.6, 0.67], vec![3, 1]));
    assert_eq!(interp.lowest_losses(1), (vec![0.2], vec![2]));
    let wrong = interp.multi_top_losses(9);
    let items: Vec<usize> = wrong.iter().map(|loss| loss.item).collect();
    assert_eq!(items, [3, 0]);
    assert_eq!(
        (&wrong[0].predicted, &wrong[0].actual),
        (&names(&["b"]), &names(&["a", "b"]))
    );
    assert_eq!((wrong[0].worst.as_str(), wrong[0].probability), ("a", 0.01));
    assert_eq!(
        wrong[0].to_string(),
        "predicted b, actual a;b, 1.60 / a 0.01"
    );
    assert_eq!((wrong[1].worst.as_str(), wrong[1].probability), ("c", 0.6));
    // At another threshold, other items are wrong.
    let strict = interp.with_threshold(0.8).unwrap();
    let items: Vec<usize> = strict
        .multi_top_losses(9)
        .iter()
        .map(|loss| loss.item)
        .collect();
    assert_eq!(items, [3, 1]);
}

#[test]
fn a_probability_of_the_threshold_is_not_above_it() {
    let rows: [(&[f32], &[usize], f32); 1] = [(&[0.5], &[0], 0.7)];
    let interp = interpretation(&["a"], &rows);
    assert_eq!(interp.confusion_matrices()[0].rows(), [[0, 0], [1, 0]]);
    let below = interp.with_threshold(0.499).unwrap();
    assert_eq!(below.confusion_matrices()[0].rows(), [[0, 0], [0, 1]]);
    for threshold in [-0.1, 1.1, f32::NAN, f32::INFINITY] {
        let error = below.clone().with_threshold(threshold).unwrap_err();
        let option = matches!(
            error,
            Error::Option(OptionError {
                option: "threshold",
                ..
            })
        );
        assert!(option, "{error}");
    }
}

#[test]
fn no_items_and_no_classes_are_no_panic() {
    let empty = interpretation(&["a", "b"], &[]);
    assert!(empty.accuracy().is_nan());
    assert_eq!(empty.top_losses(3), (vec![], vec![]));
    assert_eq!(empty.average_precision(), [None, None]);
    let report = empty.classification_report();
    assert_eq!(triple(report.samples_avg.unwrap()), [0.0; 3]);
    empty.plot_confusion_matrices().unwrap();
    let none = interpretation(&[], &[(&[], &[], f32::NAN)]);
    assert!(none.average_precision().is_empty() && none.classification_report().classes.is_empty());
    assert!(none.multi_top_losses(1).is_empty());
    for error in [
        none.plot_confusion_matrices().unwrap_err(),
        empty.plot_top_losses(1).unwrap_err(),
        empty.plot_multi_top_losses(1).unwrap_err(),
    ] {
        let nothing = matches!(
            error,
            Error::Figure(vision_figure::Error::NothingToDraw { .. })
        );
        assert!(nothing, "{error}");
    }
    none.plot_top_losses(1).unwrap();
}

#[test]
fn parts_that_do_not_fit_together_are_an_error() {
    let rows: [(&[f32], &[usize], f32); 1] = [(&[0.5, 0.5], &[0], 0.7)];
    let check = |predictions: Predictions| {
        MultiLabelInterpretation::from_predictions(names(&["a", "b"]), predictions, gray)
            .unwrap_err()
    };
    let good = || predictions(&rows, 2);
    let error = check(Predictions {
        losses: vec![],
        ..good()
    });
    assert!(
        matches!(
            error,
            Error::Lengths {
                field: "losses",
                ..
            }
        ),
        "{error}"
    );
    let mut labels = MultiLabels::new(3);
    labels.push([2]).unwrap();
    let error = check(Predictions {
        targets: Targets::MultiCategory(labels),
        ..good()
    });
    assert!(
        matches!(
            error,
            Error::Lengths {
                expected: 2,
                found: 3,
                ..
            }
        ),
        "{error}"
    );
    let error = check(Predictions {
        targets: Targets::Empty(1),
        ..good()
    });
    assert!(matches!(error, Error::Unlabeled), "{error}");
    let error = check(Predictions {
        targets: Targets::Category(vec![0]),
        ..good()
    });
    assert!(matches!(error, Error::LabelKind { .. }), "{error}");
}

#[test]
fn a_grid_of_matrices_shows_each_class_its_counts_and_what_they_are() {
    let rows: [(&[f32], &[usize], f32); 3] = [
        (&[0.9, 0.1], &[0], 0.1),
        (&[0.9, 0.2], &[], 1.3),
        (&[0.2, 0.3], &[], 0.3),
    ];
    let interp = interpretation(&["sea", "sky"], &rows);
    let shown = texts(&interp.plot_confusion_matrices().unwrap().to_svg(), "text");
    let count = |text: &str| shown.iter().filter(|shown| *shown == text).count();
    assert_eq!(
        (count("Confusion matrices"), count("sea"), count("sky")),
        (1, 1, 1)
    );
    assert_eq!(
        (
            count("Actual"),
            count("Predicted"),
            count("no"),
            count("yes")
        ),
        (2, 2, 4, 4)
    );
    // [[1, 1], [0, 1]] and [[3, 0], [0, 0]].
    assert_eq!((count("1"), count("0"), count("3")), (3, 4, 1));
    let config = ConfusionPlotConfig::new()
        .with_normalized(true)
        .with_title("");
    let figure = interp.plot_confusion_matrices_with(&config).unwrap();
    let shown = texts(&figure.to_svg(), "text");
    let count = |text: &str| shown.iter().filter(|shown| *shown == text).count();
    assert_eq!(
        (count("0.50"), count("nan"), count("1.00"), count("0.00")),
        (2, 2, 2, 2)
    );
    for config in [
        ConfusionPlotConfig::new().with_precision(7),
        ConfusionPlotConfig::new().with_cell_size(f32::NAN),
    ] {
        let error = interp.plot_confusion_matrices_with(&config).unwrap_err();
        assert!(matches!(error, Error::Option(_)), "{error}");
    }
}

#[test]
fn figures_of_top_losses_have_classes_loss_probability_and_file() {
    let rows: [(&[f32], &[usize], f32); 2] =
        [(&[0.9, 0.8], &[0, 1], 0.16), (&[0.1, 0.8], &[0], 1.96)];
    let interp = interpretation(&["sea", "sky"], &rows);
    let interp = interp.with_names(|item| format!("valid/{item}.jpg"));
    let svg = interp.plot_multi_top_losses(9).unwrap().to_svg();
    let shown = texts(&svg, "text");
    assert_eq!(
        shown[1..],
        [
            "predicted sky",
            "actual sea",
            "1.96 / sea 0.10",
            "valid/1.jpg"
        ]
    );
    // However long the names are, the numbers and the end of the path stay.
    let long = "Papilio machaon hippocrates ".repeat(9);
    let names = [format!("{long}male"), format!("{long}female")];
    let of_long = interpretation(&[&names[0], &names[1]], &rows);
    let of_long = of_long.with_names(|item| format!("{}{item}.jpg", "valid/".repeat(50)));
    let shown = texts(&of_long.plot_multi_top_losses(9).unwrap().to_svg(), "text");
    assert!(
        shown[1].starts_with("predicted ") && shown[1].ends_with("female"),
        "{shown:?}"
    );
    assert!(
        shown[2].starts_with("actual ") && shown[2].ends_with(" male"),
        "{shown:?}"
    );
    assert!(
        shown[3].starts_with("1.96 / Papilio") && shown[3].ends_with(" male 0.10"),
        "{shown:?}"
    );
    assert!(
        shown[4].starts_with('…') && shown[4].ends_with("/1.jpg"),
        "{shown:?}"
    );
    let config = TopLossesConfig::new(1)
        .with_largest(false)
        .with_title("Best");
    let svg = interp.plot_top_losses_with(&config).unwrap().to_svg();
    let best = [
        "Best",
        "predicted sea;sky",
        "actual sea;sky",
        "0.16 / sky 0.80",
        "valid/0.jpg",
    ];
    assert_eq!(texts(&svg, "text"), best);
}
