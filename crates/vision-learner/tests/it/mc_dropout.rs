//! Monte Carlo dropout drops values at random, repeatably, and leaves the rest in inference mode.

use std::sync::Arc;

use vision_data::{DatasetType, Image};
use vision_learner::{Error, Learner, McDropout, McDropoutConfig};
use vision_models::Arch;

use crate::prelude::*;
use crate::support::{self, close, digits};

fn learner(ps: f64) -> (support::Digits, Learner, Image) {
    let digits = digits(4, 2);
    let data = support::data(&digits.path, 4);
    let image = data.valid_ds().image(0).unwrap();
    let learner = create_cnn(data, Arch::ResNet18)
        .pretrained(false)
        .silent(true)
        .ps(ps)
        .build()
        .unwrap();
    (digits, learner, image)
}

fn passes(learner: &Learner, image: &Image, n: usize, seed: u64) -> McDropout {
    let config = McDropoutConfig::new(n).with_seed(seed);
    learner
        .predict_with_mc_dropout_with(image, &config)
        .unwrap()
}

#[test]
fn passes_differ_from_each_other_and_repeat_with_their_seed() {
    let (_digits, learner, image) = learner(0.5);
    let found = passes(&learner, &image, 12, 1);
    assert_eq!(
        (found.len(), found.outputs, found.row(12).len()),
        (12, 2, 0)
    );
    let mut rows: Vec<_> = (0..12).map(|i| found.row(i).to_vec()).collect();
    rows.dedup();
    assert_eq!(rows.len(), 12);
    assert!(
        rows.iter()
            .all(|row| (row.iter().sum::<f32>() - 1.0).abs() < 1e-5)
    );
    assert_eq!(passes(&learner, &image, 12, 1), found);
    assert_ne!(passes(&learner, &image, 12, 2).rows, found.rows);
    // More passes do not change the first ones.
    assert_eq!(passes(&learner, &image, 20, 1).rows[..24], found.rows);
    let default = learner.predict_with_mc_dropout(&image, 12).unwrap();
    assert_eq!(default, passes(&learner, &image, 12, learner.seed()));
}

#[test]
fn mean_deviation_entropy_and_mutual_information_are_those_of_the_rows() {
    let (_digits, learner, image) = learner(0.5);
    let found = passes(&learner, &image, 30, 3);
    let column = |c: usize| (0..30).map(move |i| i * 2 + c);
    let mut entropy = 0.0;
    for class in 0..2 {
        let values: Vec<f64> = column(class).map(|i| f64::from(found.rows[i])).collect();
        let mean = values.iter().sum::<f64>() / 30.0;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 30.0;
        close(
            "mean",
            &[f64::from(found.prediction.probabilities[class])],
            &[mean],
            1e-6,
            0.0,
        );
        close(
            "std",
            &[f64::from(found.std[class])],
            &[variance.sqrt()],
            1e-5,
            1e-9,
        );
        entropy -= mean * mean.ln();
    }
    let of_rows: f64 = found
        .rows
        .iter()
        .map(|p| -f64::from(*p) * f64::from(*p).ln())
        .sum::<f64>()
        / 30.0;
    close("entropy", &[found.entropy.unwrap()], &[entropy], 1e-9, 0.0);
    close(
        "information",
        &[found.mutual_information.unwrap()],
        &[entropy - of_rows],
        1e-6,
        1e-12,
    );
    assert!(found.mutual_information.unwrap() > 0.0);
}

#[test]
fn the_mean_of_many_passes_comes_near_the_plain_prediction_and_the_learner_stays_as_it_is() {
    let (_digits, learner, image) = learner(0.1);
    let before = learner.predict(&image).unwrap();
    let weights = learner.weights();
    let found = passes(&learner, &image, 400, 5);
    // Dropout keeps the mean of a linear layer; the softmax bends it a little.
    close(
        "mean",
        &found.prediction.probabilities,
        &before.probabilities,
        0.0,
        0.05,
    );
    assert_eq!(learner.predict(&image).unwrap(), before);
    assert_eq!(learner.weights(), weights);
}

#[test]
fn batch_norms_use_their_running_statistics_whether_the_body_is_frozen_or_not() {
    let (_digits, mut learner, image) = learner(0.5);
    let unfrozen = passes(&learner, &image, 5, 1);
    learner.freeze().unwrap();
    assert_eq!(passes(&learner, &image, 5, 1), unfrozen);
}

#[test]
fn threads_get_the_rows_of_one_thread() {
    let (_digits, learner, image) = learner(0.5);
    let (learner, image) = (Arc::new(learner), Arc::new(image));
    let expected: Vec<_> = (0..4)
        .map(|seed| passes(&learner, &image, 8, seed))
        .collect();
    std::thread::scope(|scope| {
        for (seed, expected) in (0..).zip(&expected) {
            let (learner, image) = (Arc::clone(&learner), Arc::clone(&image));
            scope.spawn(move || assert_eq!(&passes(&learner, &image, 8, seed), expected));
        }
    });
}

#[test]
fn training_goes_on_as_if_nothing_had_been_predicted() {
    let digits = digits(8, 2);
    let train = |predict: bool| {
        let data = support::data(&digits.path, 4);
        let image = data.valid_ds().image(0).unwrap();
        let mut learner = support::learner(data);
        learner.fit(1, 1e-3).unwrap();
        if predict {
            learner.predict_with_mc_dropout(&image, 3).unwrap();
        }
        learner.fit(1, 1e-3).unwrap();
        learner.get_preds(DatasetType::Valid).unwrap()
    };
    assert_eq!(train(true), train(false));
}

#[test]
fn a_model_without_dropout_and_a_number_of_passes_out_of_range_are_errors() {
    let (_digits, learner_without, image) = learner(0.0);
    let error = learner_without
        .predict_with_mc_dropout(&image, 10)
        .unwrap_err();
    assert_matches!(error, Error::NoDropout { arch } if arch == "resnet18");
    assert!(error.to_string().contains(".ps(0.5)"), "{error}");
    let (_digits, learner, image) = learner(0.5);
    for n in [0, 10_001, usize::MAX] {
        let error = learner.predict_with_mc_dropout(&image, n).unwrap_err();
        assert_matches!(error, Error::Option(error) if error.option == "n_times");
    }
}
