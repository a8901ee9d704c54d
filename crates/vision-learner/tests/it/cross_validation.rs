//! Cross-validation trains and evaluates each fold, and puts the predictions together.

use vision_data::{By, Folds, PathFn};
use vision_learner::{CrossValidation, Error, Result, cross_validate};
use vision_models::init::Init;
use vision_models::layers::{ConvConfig, Layer, Sequential};

use crate::prelude::*;
use crate::support::{self, close, digits};
use vision_learner::{Backbone, BodyBuilder};

/// A convolution, which trains in moments.
struct Tiny;

impl Backbone for Tiny {
    type Body = Sequential;

    fn name(&self) -> String {
        "tiny".to_owned()
    }

    fn body(&self, builder: &mut BodyBuilder<'_>) -> Result<(Sequential, usize)> {
        let build = |init: &mut Init| {
            let conv = ConvConfig::new(3, 8, 3).with_stride(2).init(init);
            Sequential::numbered([Layer::Conv2d(conv), Layer::Relu])
        };
        Ok((build(builder.init()), 8))
    }
}

fn build(data: ImageDataBunch) -> Result<Learner> {
    create_cnn(data, Tiny)
        .pretrained(false)
        .lin_ftrs([8])
        .metrics([accuracy()])
        .silent(true)
        .build()
}

fn trained(data: ImageDataBunch) -> Result<Learner> {
    let mut learner = build(data)?;
    learner.fit(2, 1e-2)?;
    Ok(learner)
}

#[test]
fn each_item_is_predicted_once_by_the_learner_of_its_fold_in_the_order_of_the_items() {
    let digits = digits(8, 3);
    let data = support::data(&digits.path, 4);
    let folds = Folds::stratified(3, By::Label);
    let mut numbers = Vec::new();
    let found = cross_validate(&data, &folds, |data, fold| {
        numbers.push(fold);
        trained(data)
    })
    .unwrap();
    assert_eq!(numbers, [0, 1, 2]);
    let items = [data.train_ds().paths(), data.valid_ds().paths()].concat();
    assert_eq!(found.items, items);
    assert_eq!(found.predictions.indices, (0..22).collect::<Vec<_>>());
    assert_eq!((found.predictions.len(), found.fold_of.len()), (22, 22));

    // Fold by fold, with the public functions of the data and the learner.
    for (number, split) in folds.splits().enumerate() {
        let mut learner = trained(data.with_split(&split).unwrap()).unwrap();
        let predictions = learner.get_preds(DatasetType::Valid).unwrap();
        let own: Vec<usize> = (0..22)
            .filter(|item| found.fold_of[*item] == number)
            .collect();
        let paths: Vec<_> = own.iter().map(|item| items[*item].clone()).collect();
        assert_eq!(paths, learner.data().valid_ds().paths());
        for (row, item) in own.iter().enumerate() {
            assert_eq!(found.predictions.row(*item), predictions.row(row));
            assert_eq!(found.predictions.losses[*item], predictions.losses[row]);
            assert_eq!(
                found.predictions.targets.get(*item),
                predictions.targets.get(row)
            );
        }
        for (score, (name, value)) in found.scores.iter().zip(learner.validate().unwrap()) {
            assert_eq!((&score.name, score.values[number]), (&name, value));
        }
    }
    for score in &found.scores {
        let mean = score.values.iter().sum::<f64>() / 3.0;
        let variance = score.values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 2.0;
        // scipy.stats.t.ppf(0.975, 2)
        let reach = 4.302_652_729_749_462 * (variance / 3.0).sqrt();
        close("mean", &[score.mean], &[mean], 1e-12, 0.0);
        close(
            "interval",
            &[score.interval.low, score.interval.high],
            &[mean - reach, mean + reach],
            1e-9,
            1e-12,
        );
    }
    let print = found.to_string();
    let lines: Vec<&str> = print.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(
        lines[0].starts_with("valid_loss ") && lines[1].starts_with("accuracy "),
        "{print}"
    );
    assert!(lines[1].ends_with(", 3 folds)"), "{print}");
}

#[test]
fn cross_validation_is_repeatable() {
    let digits = digits(6, 2);
    let run = || -> CrossValidation {
        let data = support::data(&digits.path, 4);
        cross_validate(&data, &Folds::new(2), |data, _| trained(data)).unwrap()
    };
    assert_eq!(run(), run());
}

#[test]
fn the_groups_of_grouped_folds_are_predicted_by_learners_that_have_not_seen_them() {
    let digits = digits(6, 3);
    let data = support::data(&digits.path, 4);
    let group = |path: &std::path::Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    let folds = Folds::grouped(3, By::Func(PathFn::new(group)));
    let found = cross_validate(&data, &folds, |data, _| build(data)).unwrap();
    for (a, path) in found.items.iter().enumerate() {
        for (b, other) in found.items.iter().enumerate() {
            if group(path) == group(other) {
                assert_eq!(found.fold_of[a], found.fold_of[b]);
            }
        }
    }
}

#[test]
fn a_failing_fold_is_an_error_with_its_number() {
    let digits = digits(6, 2);
    let data = support::data(&digits.path, 4);
    let error = cross_validate(&data, &Folds::new(3), |data, fold| {
        let mut learner = build(data)?;
        learner.fit(1, if fold == 1 { f64::NAN } else { 1e-3 })?;
        Ok(learner)
    })
    .unwrap_err();
    assert_matches!(error, Error::Fold { fold: 1, folds: 3, source } if matches!(**source, Error::Option(_)));
    assert!(error.to_string().starts_with("fold 1 of 3"), "{error}");
    // Data of its own instead of the fold's.
    let error = cross_validate(&data, &Folds::new(3), |_, _| build(data.clone())).unwrap_err();
    assert_matches!(error, Error::Fold { fold: 0, source, .. } if source.to_string().contains("data that the function was given"));
    // Other metrics in another fold.
    let error = cross_validate(&data, &Folds::new(3), |data, fold| match fold {
        0 => build(data),
        _ => create_cnn(data, Tiny)
            .pretrained(false)
            .silent(true)
            .metrics([error_rate()])
            .build(),
    })
    .unwrap_err();
    assert_matches!(error, Error::Fold { fold: 1, source, .. } if source.to_string().contains("metrics"));
    for folds in [0, 1] {
        let error = cross_validate(&data, &Folds::new(folds), |data, _| build(data)).unwrap_err();
        assert_matches!(error, Error::Option(error) if error.option == "folds");
    }
    let error = cross_validate(&data, &Folds::new(17), |data, _| build(data)).unwrap_err();
    assert_matches!(error, Error::Fold { fold: 0, .. });
}
