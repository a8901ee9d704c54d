//! Data with several classes an item, with numbers and with mixed images trains, predicts and is scored.

use vision::data::files::image_files;
use vision::data::{BatchTransform, ClassWeights, Target, TargetKind, Targets};
use vision::learner::{CrossEntropy, Error, accuracy_thresh, fbeta, mae, mse, r2_score, rmse};
use vision::prelude::*;

use crate::support;

/// Drawn digits: each has the class of its digit, and `round` as well if it is a 3.
fn several(digits: &support::Digits, weights: ClassWeights) -> ImageDataBunch {
    let files = image_files(&digits.path).unwrap();
    let labels = |path: &std::path::Path| -> Vec<&'static str> {
        if path.parent().unwrap().ends_with("3") {
            vec!["three", "round"]
        } else {
            vec!["seven"]
        }
    };
    ImageDataBunch::from_name_func(&digits.path, files, labels)
        .batch_size(16)
        .class_weights(weights)
        .build()
        .unwrap()
}

/// The digit as a number, and its negative.
fn numbers(digits: &support::Digits) -> ImageDataBunch {
    let files = image_files(&digits.path).unwrap();
    let label = |path: &std::path::Path| -> Vec<f32> {
        let three = path.parent().unwrap().ends_with("3");
        let value = if three { 1.0 } else { -1.0 };
        vec![value, -value]
    };
    let builder = ImageDataBunch::from_name_func(&digits.path, files, label);
    builder.batch_size(16).build().unwrap()
}

#[test]
fn several_classes_an_item_are_learned_and_predicted_by_threshold() {
    let digits = support::digits(80, 2);
    let data = several(&digits, ClassWeights::None);
    assert_eq!((data.kind(), data.c()), (TargetKind::MultiCategory, 3));
    let mut learner = create_cnn(data, Arch::ResNet18)
        .pretrained(false)
        .metrics([accuracy_thresh(0.5), fbeta(0.2, 2.0)])
        .silent(true)
        .build()
        .unwrap();
    let record = learner.fit_one_cycle(6, 3e-3).unwrap();
    let metrics = &record.epochs.last().unwrap().metrics;
    assert!(metrics.iter().all(|m| *m > 0.85), "{metrics:?}");

    let preds = learner.get_preds(DatasetType::Valid).unwrap();
    assert_eq!(preds.classes, 3);
    let Targets::MultiCategory(labels) = &preds.targets else {
        panic!("{:?}", preds.targets);
    };
    assert_eq!(labels.len(), preds.len());
    // A 3 is round: two probabilities that do not sum to 1.
    let valid = learner.data().valid_ds().clone();
    let image = valid.image(0).unwrap();
    let one = learner.predict(&image).unwrap();
    support::close("probabilities", &one.probabilities, preds.row(0), 0.0, 1e-4);
    for threshold in [0.0, 0.3, 0.5, 1.0] {
        let found = learner.predict_with_threshold(&image, threshold).unwrap();
        let expected: Vec<usize> = (0..3)
            .filter(|c| one.probabilities[*c] >= threshold)
            .collect();
        let names: Vec<&str> = expected
            .iter()
            .map(|c| learner.data().classes()[*c].as_str())
            .collect();
        assert_eq!(found.class, names.join(";"));
        assert_eq!(found.label, Target::MultiCategory(expected));
        assert_eq!(found.probabilities, one.probabilities);
    }
    assert!(learner.predict_with_threshold(&image, 1.1).is_err());
    let interp = MultiLabelInterpretation::from_learner(&learner).unwrap();
    let right: u64 = interp
        .confusion_matrices()
        .iter()
        .map(|matrix| matrix.true_positives + matrix.true_negatives)
        .sum();
    assert_eq!(right as f64 / (3 * preds.len()) as f64, interp.accuracy());
    // The metric of training, but for the order of its sum.
    assert!((interp.accuracy() - metrics[0]).abs() < 1e-6, "{metrics:?}");
    // It is no confusion of one class with another.
    let error = ClassificationInterpretation::from_learner(&learner).unwrap_err();
    assert!(
        matches!(
            error,
            vision::interp::Error::LabelKind {
                expected: TargetKind::Category,
                found: TargetKind::MultiCategory,
            }
        ),
        "{error:?}"
    );
}

#[test]
fn weights_of_the_data_go_into_the_loss() {
    let digits = support::digits(16, 2);
    let loss = |weights| {
        let data = several(&digits, weights);
        let builder = create_cnn(data, Arch::ResNet18)
            .pretrained(false)
            .silent(true);
        builder.build().unwrap().validate().unwrap()[0].1
    };
    let plain = loss(ClassWeights::None);
    let ones = ClassWeights::map([("three", 1.0), ("round", 1.0)]);
    assert_eq!(loss(ones), plain);
    assert!(loss(ClassWeights::map([("seven", 5.0)])) > plain);
}

#[test]
fn numbers_are_learned_by_their_squared_error() {
    let digits = support::digits(80, 2);
    let mut learner = create_cnn(numbers(&digits), Arch::ResNet18)
        .pretrained(false)
        .metrics([mse(), rmse(), mae(), r2_score()])
        .silent(true)
        .build()
        .unwrap();
    assert_eq!(learner.data().kind(), TargetKind::Float);
    let record = learner.fit_one_cycle(6, 3e-3).unwrap();
    let row = record.epochs.last().unwrap();
    // The loss is the metric, and the mean as a prediction has an error of 1.
    assert!((row.valid_loss.unwrap() - row.metrics[0]).abs() < 1e-5);
    assert!((row.metrics[1] - row.metrics[0].sqrt()).abs() < 1e-9);
    assert!(row.metrics[0] < 0.7 && row.metrics[3] > 0.3, "{row:?}");
    let image = learner.data().valid_ds().image(0).unwrap();
    let one = learner.predict(&image).unwrap();
    assert_eq!(one.label, Target::Float(one.probabilities.clone()));
    assert_eq!(one.class.split(';').count(), 2);
}

#[test]
fn a_loss_or_metric_for_other_labels_is_an_error_before_any_work() {
    let digits = support::digits(16, 2);
    let build = |data| {
        create_cnn(data, Arch::ResNet18)
            .pretrained(false)
            .silent(true)
    };
    let error = build(numbers(&digits))
        .metrics([accuracy()])
        .build()
        .unwrap_err();
    let Error::MetricKind {
        metric,
        expected: TargetKind::Category,
        found: TargetKind::Float,
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!(metric, "accuracy");
    let several = several(&digits, ClassWeights::None);
    let error = build(several)
        .loss(CrossEntropy::default())
        .build()
        .unwrap_err();
    assert!(matches!(error, Error::Data(_)), "{error}");
    let mut learner = support::learner(support::data(&digits.path, 8));
    let error = learner.set_data(numbers(&digits)).unwrap_err();
    assert!(matches!(error, Error::Data(_)), "{error}");
}

#[test]
fn mixed_images_have_the_loss_of_both_their_labels() {
    let digits = support::digits(40, 10);
    for transform in [BatchTransform::mixup(0.4), BatchTransform::cutmix(1.0)] {
        let folder = || ImageDataBunch::from_folder(&digits.path).batch_size(16);
        let mixed = folder().batch_transforms([transform]).build().unwrap();
        let run = |data| support::learner(data).fit(1, 1e-3).unwrap();
        let (with, without) = (run(mixed.clone()), run(folder().build().unwrap()));
        assert_ne!(with.raw_losses, without.raw_losses);
        assert_eq!(run(mixed).raw_losses, with.raw_losses, "repeatable");
    }
}
