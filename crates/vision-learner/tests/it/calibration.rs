//! Calibration, abstaining and intervals, against PyTorch, numpy and scipy (scripts/make_scores_fixtures.py).

use serde::Deserialize;
use vision_data::{MultiLabels, Targets};
use vision_learner::{
    AbstainConfig, Interval, Predictions, Temperature, abstain_threshold, abstain_threshold_with,
    fit_temperature, reliability,
};

#[derive(Deserialize)]
struct Fixture {
    wilson: Vec<(u64, u64, f64, f64)>,
    cases: Vec<Case>,
    abstain: Vec<Abstain>,
}

#[derive(Deserialize)]
struct Case {
    kind: String,
    classes: usize,
    probabilities: Vec<f32>,
    targets: Vec<u32>,
    temperature: f64,
    nll: [f64; 2],
    scores: BeforeAfter,
}

#[derive(Deserialize)]
struct BeforeAfter {
    before: Scores,
    after: Scores,
}

#[derive(Deserialize)]
struct Scores {
    ece: f64,
    brier: f64,
    bins: Vec<Bin>,
    p: Vec<f64>,
}

#[derive(Deserialize)]
struct Bin {
    predictions: u64,
    confidence: Option<f64>,
    accuracy: Option<f64>,
}

#[derive(Deserialize)]
struct Abstain {
    rate: f64,
    bound: bool,
    threshold: Option<f32>,
    #[serde(default)]
    answered: u64,
    #[serde(default)]
    wrong: u64,
    #[serde(default)]
    interval: [f64; 2],
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../fixtures/calibration.json")).unwrap()
}

fn predictions(classes: usize, probabilities: &[f32], targets: Targets) -> Predictions {
    let items = targets.len();
    Predictions {
        probabilities: probabilities.to_vec(),
        classes,
        targets,
        losses: vec![0.0; items],
        indices: (0..items).collect(),
    }
}

fn of_case(case: &Case) -> Predictions {
    let targets = match case.kind.as_str() {
        "category" => Targets::Category(case.targets.clone()),
        _ => {
            let mut labels = MultiLabels::new(case.classes);
            for row in case.targets.chunks(case.classes) {
                let own = (0..case.classes).filter(|class| row[*class] == 1);
                labels.push(own).unwrap();
            }
            Targets::MultiCategory(labels)
        }
    };
    predictions(case.classes, &case.probabilities, targets)
}

/// Right for the first `right` of `items` items, with this probability.
fn sure(p: f32, right: usize, items: usize) -> Predictions {
    let targets = (0..items).map(|item| u32::from(item >= right)).collect();
    predictions(2, &[p, 1.0 - p].repeat(items), Targets::Category(targets))
}

#[track_caller]
fn near(what: &str, found: f64, expected: f64, tolerance: f64) {
    assert!(
        (found - expected).abs() <= tolerance,
        "{what}: {found} is not {expected}"
    );
}

#[test]
fn wilson_intervals_are_those_of_scipy() {
    for (part, whole, low, high) in fixture().wilson {
        let found = Interval::wilson(part, whole).unwrap();
        near("low", found.low, low, 1e-12);
        near("high", found.high, high, 1e-12);
    }
    assert_eq!(Interval::wilson(0, 0), None);
    assert_eq!(Interval::wilson(2, 1), None);
}

#[test]
fn temperature_is_the_optimum_of_pytorch() {
    for case in fixture().cases {
        let predictions = of_case(&case);
        let found = fit_temperature(&predictions).unwrap();
        near("temperature", found.temperature, case.temperature, 1e-4);
        near("before", found.nll_before, case.nll[0], 1e-9);
        near("after", found.nll_after, case.nll[1], 1e-9);
        near("ece before", found.ece_before, case.scores.before.ece, 1e-5);
        near("ece after", found.ece_after, case.scores.after.ece, 1e-5);
        assert_eq!(found.items, predictions.len());

        let scaled = found.apply(&predictions).unwrap();
        for (found, expected) in scaled.probabilities.iter().zip(&case.scores.after.p) {
            near("probability", f64::from(*found), *expected, 1e-5);
        }
        let mean = scaled
            .losses
            .iter()
            .map(|loss| f64::from(*loss))
            .sum::<f64>();
        near("losses", mean / scaled.len() as f64, case.nll[1], 1e-6);
        // What is fitted cannot be made better.
        near(
            "again",
            fit_temperature(&scaled).unwrap().temperature,
            1.0,
            1e-4,
        );
    }
}

#[test]
fn reliability_has_the_bins_of_numpy() {
    for case in fixture().cases {
        let found = reliability(&of_case(&case), 15).unwrap();
        let expected = case.scores.before;
        near("ece", found.calibration_error, expected.ece, 1e-5);
        near("brier", found.brier_score, expected.brier, 1e-6);
        let mut largest: f64 = 0.0;
        for (found, expected) in found.bins.iter().zip(&expected.bins) {
            assert_eq!(found.predictions, expected.predictions);
            assert_eq!(found.confidence.is_some(), expected.confidence.is_some());
            if let (Some(confidence), Some(accuracy)) = (expected.confidence, expected.accuracy) {
                near("confidence", found.confidence.unwrap(), confidence, 1e-5);
                near("accuracy", found.accuracy.unwrap(), accuracy, 1e-12);
                assert!(found.interval.unwrap().contains(accuracy));
                largest = largest.max((confidence - accuracy).abs());
            }
        }
        near("largest", found.largest_error, largest, 1e-5);
        let lines = found.to_csv();
        assert_eq!(lines.lines().count(), 16);
        assert!(
            lines.lines().all(|line| line.split(',').count() == 7),
            "{lines}"
        );
    }
}

#[test]
fn a_threshold_answers_as_many_items_as_the_error_rate_allows() {
    let fixture = fixture();
    let predictions = of_case(&fixture.cases[0]);
    for expected in &fixture.abstain {
        let config = AbstainConfig::new(expected.rate).with_upper_bound(expected.bound);
        let found = abstain_threshold_with(&predictions, &config);
        let Some(threshold) = expected.threshold else {
            let error = found.unwrap_err().to_string();
            assert!(
                error.contains("error_rate") && error.contains("at least 0."),
                "{error}"
            );
            continue;
        };
        let found = found.unwrap();
        assert_eq!(
            (found.threshold, found.answered, found.wrong),
            (threshold, expected.answered, expected.wrong),
            "{}",
            expected.rate
        );
        near("low", found.interval.low, expected.interval[0], 1e-12);
        near("high", found.interval.high, expected.interval[1], 1e-12);
    }
}

#[test]
fn an_abstention_says_what_it_costs() {
    // 3 right at 0.9, 1 wrong at 0.6.
    let p = [0.9, 0.1, 0.9, 0.1, 0.9, 0.1, 0.6, 0.4];
    let found = predictions(2, &p, Targets::Category(vec![0, 0, 0, 1]));
    let found = abstain_threshold(&found, 0.0).unwrap();
    // scipy: binomtest(0, 3).proportion_ci(method="wilson").high is 0.5615.
    assert_eq!(
        found.to_string(),
        "Abstain below a confidence of 0.9000: then 3 of 4 items (75.0 %) are answered, and 0 of these (0.0 %, 95 % \
         interval 0.0 to 56.1 %) are wrong."
    );
}

#[test]
fn predictions_without_a_best_temperature_are_an_error_that_says_why() {
    for (predictions, why) in [
        (sure(0.9, 4, 4), "all are right"),
        (sure(1.0, 4, 4), "all are right"),
        (sure(0.9, 1, 4), "say nothing of the labels"),
        (sure(1.0, 0, 4), "say nothing of the labels"),
    ] {
        let error = fit_temperature(&predictions).unwrap_err().to_string();
        assert!(
            error.contains("predictions") && error.contains(why),
            "{error}"
        );
    }
    // Equal probabilities stay equal at every temperature.
    assert_eq!(fit_temperature(&sure(0.5, 2, 4)).unwrap().temperature, 1.0);
}

#[test]
fn predictions_that_are_no_probabilities_are_an_error() {
    let of = |p: f32| sure(p, 2, 4);
    for p in [f32::NAN, -0.1, 1.5, f32::INFINITY] {
        for error in [
            fit_temperature(&of(p)).map(drop),
            reliability(&of(p), 15).map(drop),
            abstain_threshold(&of(p), 0.5).map(drop),
        ] {
            let error = error.unwrap_err().to_string();
            assert!(error.contains("probabilities from 0 to 1"), "{p}: {error}");
        }
    }
    let numbers = Targets::Float {
        columns: 1,
        values: vec![0.5],
    };
    let numbers = predictions(1, &[0.5], numbers);
    for error in [
        fit_temperature(&numbers).map(drop),
        reliability(&numbers, 15).map(drop),
        abstain_threshold(&numbers, 0.5).map(drop),
    ] {
        assert!(
            error.unwrap_err().to_string().contains("one class"),
            "wrong kind"
        );
    }
    let beyond = predictions(2, &[0.5, 0.5], Targets::Category(vec![2]));
    assert!(
        fit_temperature(&beyond)
            .unwrap_err()
            .to_string()
            .contains("number of classes")
    );
    for bins in [0, 10_001] {
        assert!(
            reliability(&of(0.5), bins)
                .unwrap_err()
                .to_string()
                .contains("bins")
        );
    }
}

#[test]
fn a_temperature_can_be_saved_and_prints_as_a_sentence() {
    // ln(0.9 / 0.1) / T = ln(0.75 / 0.25), so T is 2; the losses are numpy's.
    let found = fit_temperature(&sure(0.9, 3, 4)).unwrap();
    assert_eq!(
        found.to_string(),
        "temperature 2.0000 (the model was too sure): on 4 items the loss falls from 0.6547 to 0.5623, and the \
         calibration error goes from 0.1500 to 0.0000"
    );
    let json = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<Temperature>(&json).unwrap(), found);
}
