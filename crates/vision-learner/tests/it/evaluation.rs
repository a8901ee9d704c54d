//! Intervals and tests of classifiers, against scipy (scripts/make_evaluation_fixture.py).

use serde::Deserialize;
use vision_base::OptionError;
use vision_data::{LabelError, TargetKind, Targets};
use vision_learner::{
    Average, Bootstrap, Error, McNemar, Predictions, accuracy, bootstrap, compare, error_rate,
    log_loss, mcnemar, mse, roc_auc,
};

use crate::support::close;

#[derive(Deserialize)]
struct Fixture {
    mcnemar: Vec<Test>,
    bootstrap: Boots,
    compare: Vec<Pair>,
}

#[derive(Deserialize)]
struct Test {
    only_a: u64,
    only_b: u64,
    statistic: f64,
    p_value: f64,
}

#[derive(Deserialize)]
struct Boots {
    targets: Vec<u32>,
    probabilities: Vec<f32>,
    accuracy: Boot,
    roc_auc_1: Boot,
}

#[derive(Deserialize)]
struct Boot {
    value: f64,
    interval: [f64; 2],
}

#[derive(Deserialize)]
struct Pair {
    targets: Vec<u32>,
    a: Vec<f32>,
    b: Vec<f32>,
    difference: f64,
    interval: [f64; 2],
    test: Test,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../fixtures/evaluation.json")).unwrap()
}

fn predictions(targets: &[u32], probabilities: &[f32]) -> Predictions {
    Predictions {
        probabilities: probabilities.to_vec(),
        classes: 2,
        targets: Targets::Category(targets.to_vec()),
        losses: vec![0.0; targets.len()],
        indices: (0..targets.len()).collect(),
    }
}

fn check(found: &McNemar, expected: &Test) {
    assert_eq!(
        (found.only_a, found.only_b),
        (expected.only_a, expected.only_b)
    );
    assert_eq!(found.exact, expected.only_a + expected.only_b < 25);
    close(
        "statistic",
        &[found.statistic],
        &[expected.statistic],
        1e-12,
        0.0,
    );
    close(
        "p value",
        &[found.p_value],
        &[expected.p_value],
        1e-9,
        1e-300,
    );
}

#[test]
fn mcnemars_test_has_the_numbers_of_statsmodels() {
    let tests = fixture().mcnemar;
    assert_eq!(tests.len(), 13);
    for test in tests {
        check(&McNemar::from_counts(test.only_a, test.only_b), &test);
    }
}

#[test]
fn a_percentile_interval_is_that_of_scipy_up_to_the_noise_of_the_samples() {
    let fixture = fixture().bootstrap;
    let predictions = predictions(&fixture.targets, &fixture.probabilities);
    let check = |found: Bootstrap, expected: &Boot| {
        close("value", &[found.value], &[expected.value], 1e-9, 0.0);
        let interval = found.interval.unwrap();
        // The step of the accuracy is 1 / 120, and percentiles of 20,000 samples vary by less than one.
        close(
            "interval",
            &[interval.low, interval.high],
            &expected.interval,
            0.0,
            0.0085,
        );
        assert_eq!((found.samples, found.undefined), (20_000, 0));
    };
    check(
        bootstrap(accuracy(), &predictions, 20_000, 1).unwrap(),
        &fixture.accuracy,
    );
    check(
        bootstrap(roc_auc(Average::Class(1)), &predictions, 20_000, 1).unwrap(),
        &fixture.roc_auc_1,
    );
    let print = bootstrap(accuracy(), &predictions, 100, 1)
        .unwrap()
        .to_string();
    assert!(
        print.starts_with(&format!(
            "accuracy {:.4} (95 % interval 0.",
            fixture.accuracy.value
        )),
        "{print}"
    );
}

#[test]
fn a_bootstrap_repeats_with_its_seed_and_takes_any_metric() {
    let fixture = fixture().bootstrap;
    let predictions = predictions(&fixture.targets, &fixture.probabilities);
    let of = |seed| bootstrap(accuracy(), &predictions, 500, seed).unwrap();
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
    let (right, wrong) = (
        of(3),
        bootstrap(error_rate(), &predictions, 500, 3).unwrap(),
    );
    let (right, wrong) = (right.interval.unwrap(), wrong.interval.unwrap());
    close(
        "mirrored",
        &[right.low, right.high],
        &[1.0 - wrong.high, 1.0 - wrong.low],
        1e-9,
        0.0,
    );
    // From the probabilities alone, the log loss is the mean of -ln p.
    let rows = predictions.probabilities.chunks(2).zip(&fixture.targets);
    let mean = rows
        .map(|(row, class)| -f64::from(row[*class as usize]).ln())
        .sum::<f64>()
        / 120.0;
    close(
        "log loss",
        &[bootstrap(log_loss(), &predictions, 10, 0).unwrap().value],
        &[mean],
        1e-5,
        0.0,
    );
}

#[test]
fn samples_without_one_of_the_classes_are_counted_and_left_out() {
    // One item of the second class: about a third of the samples do not have it.
    let predictions = predictions(&[0, 0, 1], &[0.9, 0.1, 0.6, 0.4, 0.3, 0.7]);
    let found = bootstrap(roc_auc(Average::Class(1)), &predictions, 3000, 0).unwrap();
    assert_eq!(found.samples + found.undefined, 3000);
    // (2/3)^3 without it and (1/3)^3 with nothing else: a third, 26 samples standard deviation.
    assert!(found.undefined.abs_diff(1000) < 130, "{found:?}");
}

#[test]
fn two_runs_are_compared_by_the_numbers_of_scipy_and_in_one_sentence() {
    let mut noise = Vec::new();
    for pair in fixture().compare {
        let (a, b) = (
            predictions(&pair.targets, &pair.a),
            predictions(&pair.targets, &pair.b),
        );
        let found = compare(&a, &b).unwrap();
        close(
            "difference",
            &[found.difference],
            &[pair.difference],
            1e-9,
            1e-12,
        );
        check(&found.test, &pair.test);
        // The percentiles of 2000 samples vary by a tenth of the width.
        let width = pair.interval[1] - pair.interval[0];
        close(
            "interval",
            &[found.interval.low, found.interval.high],
            &pair.interval,
            0.0,
            0.1 * width,
        );
        close(
            "accuracies",
            &[found.accuracy_b - found.accuracy_a],
            &[pair.difference],
            1e-9,
            1e-12,
        );
        assert_eq!(found.items, pair.targets.len());
        let chance =
            pair.test.p_value >= 0.05 || (pair.interval[0] <= 0.0 && pair.interval[1] >= 0.0);
        assert_eq!(found.is_within_noise(), chance);
        noise.push(chance);
        let print = found.to_string();
        let better = if pair.difference > 0.0 { "B" } else { "A" };
        let start = format!(
            "Run {better} is {:.1} points more accurate (95 % interval ",
            100.0 * pair.difference.abs()
        );
        assert!(print.starts_with(&start), "{print}");
        let end = if found.is_within_noise() {
            ": within noise"
        } else {
            ": more than noise"
        };
        assert!(print.ends_with(end), "{print}");
        // The other way round it is the same sentence about the other run.
        let other = compare(&b, &a).unwrap();
        close(
            "reverse",
            &[other.difference],
            &[-found.difference],
            1e-12,
            1e-15,
        );
        assert_eq!(other.is_within_noise(), found.is_within_noise());
    }
    // The fixture has both.
    assert!(noise.contains(&true) && noise.contains(&false), "{noise:?}");
    let same = predictions(&[0, 1], &[0.9, 0.1, 0.8, 0.2]);
    let found = compare(&same, &same).unwrap();
    assert_eq!(
        found.to_string(),
        "Both runs are equally accurate (95 % interval 0.0 to 0.0, p = 1.00): within noise"
    );
}

#[test]
fn predictions_that_cannot_be_scored_or_compared_are_errors() {
    let good = predictions(&[0, 1], &[0.9, 0.1, 0.8, 0.2]);
    let unlabeled = Predictions {
        targets: Targets::Empty(2),
        ..good.clone()
    };
    let none = predictions(&[], &[]);
    let short = Predictions {
        probabilities: vec![0.5; 3],
        ..good.clone()
    };
    for bad in [&unlabeled, &none, &short] {
        let error = bootstrap(accuracy(), bad, 10, 0).unwrap_err();
        assert_matches!(
            error,
            Error::Option(OptionError {
                option: "predictions",
                ..
            })
        );
        assert_matches!(mcnemar(&good, bad).unwrap_err(), Error::Option(_));
    }
    let numbers = Predictions {
        targets: Targets::Float {
            columns: 2,
            values: vec![0.0; 4],
        },
        ..good.clone()
    };
    assert_matches!(
        compare(&numbers, &numbers).unwrap_err(),
        Error::Data(vision_data::Error::Label(LabelError::WrongKind {
            expected: TargetKind::Category,
            ..
        }))
    );
    assert!(bootstrap(mse(), &numbers, 10, 0).is_ok());
    let error = bootstrap(mse(), &good, 10, 0).unwrap_err();
    assert_matches!(
        error,
        Error::MetricKind {
            expected: TargetKind::Float,
            ..
        }
    );
    for n in [0, 100_001, usize::MAX] {
        let error = bootstrap(accuracy(), &good, n, 0).unwrap_err();
        assert_matches!(error, Error::Option(OptionError { option: "n", .. }));
    }
    let others = [
        predictions(&[1, 1], &good.probabilities),
        Predictions {
            indices: vec![1, 0],
            ..good.clone()
        },
    ];
    for other in &others {
        let error = compare(&good, other).unwrap_err();
        assert_matches!(
            error,
            Error::Option(OptionError {
                option: "predictions to compare",
                ..
            })
        );
    }
}
