//! What fastai's users expect of predictions.

use vision_data::files::image_files;
use vision_data::{Target, TransformConfig};
use vision_learner::{CrossEntropy, Metric, Scores};
use vision_models::Arch;

use crate::prelude::*;
use crate::support::{self, close, digits};

#[test]
fn a_trained_digit_classifier_predicts_nearly_all_of_its_validation_items() {
    let digits = digits(150, 20);
    let mut learner = support::learner(support::data(&digits.path, 32));
    learner.fit_one_cycle(5, 3e-3).unwrap();
    let found = learner.get_preds(DatasetType::Valid).unwrap();
    assert_eq!((found.targets.len(), found.len()), (40, 40));
    let value = |mut metric: vision_learner::AverageMetric| {
        metric.reset();
        metric.update(&Scores {
            logits: &found.probabilities,
            classes: 2,
            targets: &found.targets,
        });
        metric.value()
    };
    assert!(value(accuracy()) > 0.9, "{}", value(accuracy()));
    assert!(value(error_rate()) < 0.1);
    // The class of most images is also the more probable one when they are predicted one by one.
    let valid = learner.data().valid_ds().clone();
    let right = (0..3).filter(|item| {
        let prediction = learner.predict(&valid.image(*item).unwrap()).unwrap();
        let label = valid.label(*item).unwrap();
        prediction.probabilities[label] > prediction.probabilities[1 - label]
    });
    assert!(right.count() >= 1);
}

#[test]
fn one_prediction_sums_to_one_names_the_most_probable_class_and_is_the_row_of_get_preds() {
    let digits = digits(4, 3);
    let learner = support::learner(support::data(&digits.path, 4));
    let rows = learner.get_preds(DatasetType::Valid).unwrap();
    let valid = learner.data().valid_ds().clone();
    for item in 0..valid.len() {
        let found = learner.predict(&valid.image(item).unwrap()).unwrap();
        let sum: f32 = found.probabilities.iter().sum();
        assert!((sum - 1.0).abs() < 1e-6, "{sum}");
        let most = usize::from(found.probabilities[1] > found.probabilities[0]);
        assert_eq!((found.index, &found.label), (most, &Target::Category(most)));
        assert_eq!(found.class, learner.data().classes()[most]);
        close("row", &found.probabilities, rows.row(item), 0.0, 1e-5);
        assert_eq!(rows.predicted(item), most);
    }
}

#[test]
fn a_lower_threshold_gives_more_labels_of_the_same_probabilities() {
    let digits = digits(4, 2);
    let files = image_files(&digits.path).unwrap();
    let labels = |path: &std::path::Path| match path.parent().unwrap().ends_with("3") {
        true => vec!["round", "odd"],
        false => vec!["odd"],
    };
    let data = ImageDataBunch::from_name_func(&digits.path, files, labels);
    let data = data.batch_size(4).build().unwrap();
    let learner = create_cnn(data, Arch::ResNet18)
        .pretrained(false)
        .silent(true)
        .build()
        .unwrap();
    let image = learner.data().valid_ds().image(0).unwrap();
    let plain = learner.predict(&image).unwrap();
    let (low, high) = (
        plain.probabilities[0].min(plain.probabilities[1]),
        plain.probabilities[0].max(plain.probabilities[1]),
    );
    assert!(low < high);
    let labels = |threshold| match learner.predict_with_threshold(&image, threshold).unwrap() {
        found if found.probabilities == plain.probabilities => match found.label {
            Target::MultiCategory(labels) => labels,
            other => panic!("{other:?}"),
        },
        found => panic!("{found:?}"),
    };
    // A probability equal to the threshold counts.
    assert_eq!(labels(low), [0, 1]);
    assert_eq!(labels(high).len(), 1);
    assert_eq!(labels(1.0), Vec::<usize>::new());
}

#[test]
fn with_label_smoothing_predictions_are_still_probabilities() {
    let digits = digits(4, 2);
    let learner = create_cnn(support::data(&digits.path, 4), Arch::ResNet18)
        .pretrained(false)
        .silent(true)
        .loss(CrossEntropy::default().with_smoothing(0.1).unwrap())
        .build()
        .unwrap();
    let found = learner.get_preds(DatasetType::Valid).unwrap();
    let image = learner.data().valid_ds().image(0).unwrap();
    let one = learner.predict(&image).unwrap().probabilities;
    for row in (0..found.len())
        .map(|item| found.row(item))
        .chain([&one[..]])
    {
        assert!(row.iter().all(|p| (0.0..=1.0).contains(p)));
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{row:?}");
    }
}

#[test]
fn training_items_come_in_order_and_complete_or_shuffled_in_whole_batches() {
    let digits = digits(5, 2);
    let data = ImageDataBunch::from_folder(&digits.path)
        .transforms(TransformConfig::new())
        .batch_size(4)
        .build()
        .unwrap();
    let learner = support::learner(data);
    let fix = learner.get_preds(DatasetType::Fix).unwrap();
    assert_eq!(fix.indices, (0..10).collect::<Vec<_>>());
    assert_eq!(&fix.targets, learner.data().train_ds().labels());
    let train = learner.get_preds(DatasetType::Train).unwrap();
    assert_eq!(train.len(), 8);
    assert_ne!(train.indices, (0..8).collect::<Vec<_>>());
}

#[test]
fn predictions_of_a_batch_are_those_of_get_preds() {
    let digits = digits(4, 3);
    let learner = support::learner(support::data(&digits.path, 4));
    let all = learner.get_preds(DatasetType::Valid).unwrap();
    let batch = learner.data().one_batch(DatasetType::Valid).unwrap();
    let found = learner.pred_batch(batch).unwrap();
    assert_eq!(
        (found.len(), &found.indices),
        (4, &all.indices[..4].to_vec())
    );
    assert_eq!(found.probabilities, all.probabilities[..8]);
    assert_eq!(found.losses, all.losses[..4]);
}
