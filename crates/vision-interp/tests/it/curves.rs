//! ROC and precision-recall curves: values of scikit-learn. Fixture: `scripts/make_scores_fixtures.py`.

use serde_json::Value;
use vision_data::{MultiLabels, Targets};
use vision_interp::{
    ClassificationInterpretation, Error, MultiLabelInterpretation, PrecisionRecallCurve, RocCurve,
    plot_reliability,
};
use vision_learner::{Predictions, reliability};

use crate::support::{gray, names, texts};

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn floats(values: &Value) -> Vec<f64> {
    let values = values.as_array().unwrap().iter();
    values.map(|value| value.as_f64().unwrap()).collect()
}

fn predictions(classes: usize, probabilities: Vec<f32>, targets: Targets) -> Predictions {
    let items = targets.len();
    Predictions {
        probabilities,
        classes,
        targets,
        losses: vec![0.0; items],
        indices: (0..items).collect(),
    }
}

fn of_one_class(fixture: &Value) -> ClassificationInterpretation {
    let p = floats(&fixture["probabilities"]);
    let targets = floats(&fixture["targets"]);
    let predictions = predictions(
        3,
        p.iter().map(|p| *p as f32).collect(),
        Targets::Category(targets.iter().map(|class| *class as u32).collect()),
    );
    let classes = names(&["cat", "dog", "<fish>"]);
    ClassificationInterpretation::from_predictions(classes, predictions, gray).unwrap()
}

fn of_several() -> MultiLabelInterpretation {
    let fixture = read(include_str!("../fixtures/multi_label.json"));
    let rows = fixture["probabilities"].as_array().unwrap().iter();
    let p: Vec<f64> = rows.flat_map(floats).collect();
    let mut labels = MultiLabels::new(6);
    for row in fixture["targets"].as_array().unwrap() {
        let row = floats(row);
        labels
            .push((0..6).filter(|class| row[*class] == 1.0))
            .unwrap();
    }
    let p = p.iter().map(|p| *p as f32).collect();
    let predictions = predictions(6, p, Targets::MultiCategory(labels));
    let classes = names(&["clear", "cloudy", "primary", "water", "road", "bare ground"]);
    MultiLabelInterpretation::from_predictions(classes, predictions, gray).unwrap()
}

fn is_roc(found: &RocCurve, expected: &Value) {
    let expected = &expected["roc"];
    assert_eq!(found.thresholds[0], f64::INFINITY);
    assert_eq!(found.thresholds[1..], floats(&expected["thresholds"]));
    assert_eq!(found.fpr, floats(&expected["fpr"]));
    assert_eq!(found.tpr, floats(&expected["tpr"]));
    let auc = expected["auc"].as_f64().unwrap();
    assert!(
        (found.auc - auc).abs() < 1e-12,
        "{} is not {auc}",
        found.auc
    );
}

fn is_precision_recall(found: &PrecisionRecallCurve, expected: &Value) {
    let expected = &expected["precision_recall"];
    assert_eq!(found.thresholds, floats(&expected["thresholds"]));
    assert_eq!(found.precision, floats(&expected["precision"]));
    assert_eq!(found.recall, floats(&expected["recall"]));
    let average = expected["average"].as_f64().unwrap();
    assert!((found.average_precision - average).abs() < 1e-12);
}

#[test]
fn curves_of_one_class_per_item_are_those_of_scikit_learn() {
    let fixture = read(include_str!("../fixtures/curves.json"));
    let interp = of_one_class(&fixture);
    for (class, expected) in fixture["one"].as_array().unwrap().iter().enumerate() {
        is_roc(&interp.roc_curve(class).unwrap(), expected);
        is_precision_recall(&interp.precision_recall_curve(class).unwrap(), expected);
    }
}

#[test]
fn curves_of_several_classes_per_item_are_those_of_scikit_learn() {
    let fixture = read(include_str!("../fixtures/curves.json"));
    let interp = of_several();
    let several = fixture["several"].as_array().unwrap();
    assert_eq!(several.len(), 4);
    for expected in several {
        let class = expected["class"].as_u64().unwrap() as usize;
        is_roc(&interp.roc_curve(class).unwrap(), expected);
        is_precision_recall(&interp.precision_recall_curve(class).unwrap(), expected);
    }
}

#[test]
fn a_class_without_a_curve_is_an_error_that_names_it() {
    let interp = of_several();
    for (class, name, count) in [(1, "cloudy", "0 of 40"), (4, "road", "40 of 40")] {
        let error = interp.roc_curve(class).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(count), "{error}");
    }
    assert!(interp.precision_recall_curve(1).is_err());
    // All items have the class: the precision is 1 at every recall.
    let road = interp.precision_recall_curve(4).unwrap();
    assert!(road.precision.iter().all(|precision| *precision == 1.0));
    for error in [
        interp.roc_curve(6).map(drop),
        interp.precision_recall_curve(usize::MAX).map(drop),
    ] {
        let error = error.unwrap_err();
        assert!(
            matches!(error, Error::UnknownClass { classes: 6, .. }),
            "{error}"
        );
    }
    let broken = predictions(
        2,
        vec![f32::NAN, 0.5, 0.5, 0.5],
        Targets::Category(vec![0, 1]),
    );
    let broken = ClassificationInterpretation::from_predictions(names(&["a", "b"]), broken, gray);
    let error = broken.unwrap().roc_curve(0).unwrap_err().to_string();
    assert!(error.contains("\"a\"") && error.contains("NaN"), "{error}");
}

#[test]
fn curves_as_csv_have_a_line_for_each_point() {
    let p = vec![0.75, 0.25, 0.25, 0.75];
    let two = predictions(2, p, Targets::Category(vec![0, 1]));
    let two = ClassificationInterpretation::from_predictions(names(&["a", "b"]), two, gray);
    let two = two.unwrap();
    assert_eq!(
        two.roc_curve(0).unwrap().to_csv(),
        "threshold,fpr,tpr\ninf,0,0\n0.75,0,1\n0.25,1,1\n"
    );
    assert_eq!(
        two.precision_recall_curve(0).unwrap().to_csv(),
        "threshold,precision,recall\n0.25,0.5,1\n0.75,1,1\n,1,0\n"
    );
}

#[test]
fn figures_of_curves_name_each_class_and_its_area() {
    let interp = of_one_class(&read(include_str!("../fixtures/curves.json")));
    let figure = interp.plot_roc(0..3).unwrap();
    let shown = texts(&figure.to_svg(), "text");
    for class in 0..3 {
        let curve = interp.roc_curve(class).unwrap();
        let expected = format!("area {:.3}: {}", curve.auc, curve.class);
        assert!(shown.contains(&expected), "{expected} is not in {shown:?}");
    }
    let one = interp.plot_precision_recall([1]).unwrap().to_svg();
    let average = interp.precision_recall_curve(1).unwrap().average_precision;
    let title = format!("Precision and recall, average {average:.3}: dog");
    assert!(texts(&one, "text").contains(&title), "{title}");
    assert!(!figure.to_png().unwrap().is_empty());
}

#[test]
fn a_figure_has_one_to_ten_curves() {
    let interp = of_one_class(&read(include_str!("../fixtures/curves.json")));
    for classes in [vec![], vec![0; 11]] {
        for error in [
            interp.plot_roc(classes.clone()).map(drop),
            interp.plot_precision_recall(classes).map(drop),
        ] {
            let error = error.unwrap_err().to_string();
            assert!(
                error.contains("classes") && error.contains("1 to 10"),
                "{error}"
            );
        }
    }
    assert!(interp.plot_roc([0; 10]).is_ok());
    assert!(interp.plot_roc(0..usize::MAX).is_err());
}

#[test]
fn a_reliability_diagram_names_its_axes_and_the_error() {
    let interp = of_one_class(&read(include_str!("../fixtures/curves.json")));
    let found = reliability(interp.predictions(), 15).unwrap();
    let svg = plot_reliability(&found).unwrap().to_svg();
    let shown = texts(&svg, "text");
    let title = format!(
        "Reliability (calibration error {:.3})",
        found.calibration_error
    );
    for text in [title.as_str(), "confidence", "accuracy", "share"] {
        assert!(
            shown.iter().any(|shown| shown == text),
            "{text} is not in {shown:?}"
        );
    }
}
