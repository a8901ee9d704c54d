//! Every metric against scikit-learn and scipy (scripts/make_metric_fixtures.py), whatever the batch size.

use std::collections::BTreeMap;

use serde::Deserialize;
use vision_data::{MultiLabels, TargetKind, Targets};
use vision_learner::{
    Average, Disagreement, Metric, Scores, accuracy, average_precision, balanced_accuracy,
    brier_score, calibration_error, cohen_kappa, explained_variance, f_score, log_loss, mae,
    matthews, mse, msle, pearson, precision, r2_score, recall, rmse, rmspe, roc_auc, spearman,
    top_k_accuracy,
};

#[derive(Deserialize)]
struct Fixture {
    classes: Vec<Case>,
    several: Vec<Case>,
    numbers: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    logits: Vec<f32>,
    classes: usize,
    targets: Vec<f32>,
    values: BTreeMap<String, f64>,
}

fn average(name: &str) -> Average {
    match name.rsplit('_').next().unwrap() {
        "macro" => Average::Macro,
        "micro" => Average::Micro,
        "weighted" => Average::Weighted,
        class => Average::Class(class.parse().unwrap()),
    }
}

fn metric(name: &str) -> Box<dyn Metric> {
    match name {
        "accuracy" => Box::new(accuracy()),
        "balanced_accuracy" => Box::new(balanced_accuracy()),
        "cohen_kappa" => Box::new(cohen_kappa(Disagreement::Same)),
        "cohen_kappa linear" => Box::new(cohen_kappa(Disagreement::Linear)),
        "cohen_kappa quadratic" => Box::new(cohen_kappa(Disagreement::Quadratic)),
        "matthews" => Box::new(matthews()),
        "log_loss" => Box::new(log_loss()),
        "top_2_accuracy" => Box::new(top_k_accuracy(2)),
        "calibration_error" => Box::new(calibration_error(15)),
        "brier_score" => Box::new(brier_score()),
        "mse" => Box::new(mse()),
        "rmse" => Box::new(rmse()),
        "mae" => Box::new(mae()),
        "r2_score" => Box::new(r2_score()),
        "explained_variance" => Box::new(explained_variance()),
        "msle" => Box::new(msle()),
        "rmspe" => Box::new(rmspe()),
        "pearson" => Box::new(pearson()),
        "spearman" => Box::new(spearman()),
        name if name.starts_with("precision") => Box::new(precision(average(name))),
        name if name.starts_with("recall") => Box::new(recall(average(name))),
        name if name.starts_with("f1") => Box::new(f_score(1.0, average(name))),
        name if name.starts_with("f2") => Box::new(f_score(2.0, average(name))),
        name if name.starts_with("roc_auc") => Box::new(roc_auc(average(name))),
        name if name.starts_with("average_precision") => Box::new(average_precision(average(name))),
        other => panic!("{other}"),
    }
}

fn targets(kind: TargetKind, classes: usize, values: &[f32]) -> Targets {
    match kind {
        TargetKind::Category => Targets::Category(values.iter().map(|v| *v as u32).collect()),
        TargetKind::MultiCategory => {
            let mut labels = MultiLabels::new(classes);
            for row in values.chunks(classes) {
                let own = row.iter().enumerate().filter(|(_, v)| **v > 0.5);
                labels.push(own.map(|(class, _)| class)).unwrap();
            }
            Targets::MultiCategory(labels)
        }
        TargetKind::Float => Targets::Float {
            columns: classes,
            values: values.to_vec(),
        },
    }
}

fn check(kind: TargetKind, case: &Case) -> usize {
    let width = if kind == TargetKind::Category {
        1
    } else {
        case.classes
    };
    for (name, expected) in &case.values {
        let mut metric = metric(name);
        assert!(metric.accepts(kind), "{name}");
        assert!(
            metric.name().starts_with(name.split(' ').next().unwrap()),
            "{name}"
        );
        for batch in [case.targets.len() / width, 7, 1] {
            metric.reset();
            let logits = case.logits.chunks(batch * case.classes);
            for (logits, values) in logits.zip(case.targets.chunks(batch * width)) {
                metric.update(&Scores {
                    logits,
                    classes: case.classes,
                    targets: &targets(kind, case.classes, values),
                });
            }
            let found = metric.value();
            assert!(
                (found - expected).abs() <= 1e-6 * expected.abs().max(1.0),
                "{name} of {} classes in batches of {batch}: {found} is not {expected}",
                case.classes
            );
        }
    }
    case.values.len()
}

#[test]
fn every_metric_has_the_value_of_scikit_learn_whatever_the_batch_size() {
    let fixture: Fixture = serde_json::from_str(include_str!("../fixtures/metrics.json")).unwrap();
    let kinds = [
        (TargetKind::Category, &fixture.classes),
        (TargetKind::MultiCategory, &fixture.several),
        (TargetKind::Float, &fixture.numbers),
    ];
    let mut values = 0;
    for (kind, cases) in kinds {
        values += cases.iter().map(|case| check(kind, case)).sum::<usize>();
    }
    assert_eq!(values, 3 * 34 + 8 + 2 * 9);
}
