//! From a learner to its figures.

use std::path::Path;

use vision_base::OptionError;
use vision_data::datasets::synthetic;
use vision_data::files::image_files;
use vision_data::{DatasetType, ImageDataBunch, Stats, TargetKind, Targets};
use vision_interp::{ClassificationInterpretation, Error, MultiLabelInterpretation, plot_lr_find};
use vision_learner::{Learner, LrFindConfig, Metric, accuracy_thresh, create_cnn};
use vision_models::Arch;

use crate::support::texts;

/// Ten validation and forty training images of 28 x 28.
fn data(folder: &tempfile::TempDir) -> ImageDataBunch {
    let path = synthetic::digits(&folder.path().join("digits"), 1, 20, 5).unwrap();
    let builder = ImageDataBunch::from_folder(path).batch_size(16);
    builder
        .test("valid")
        .normalize(Stats::MNIST)
        .build()
        .unwrap()
}

fn learner(data: ImageDataBunch) -> Learner {
    create_cnn(data, Arch::ResNet18)
        .pretrained(false)
        .silent(true)
        .build()
        .unwrap()
}

#[test]
fn an_untrained_learner_can_be_interpreted_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let learner = learner(data(&folder));
    let interp = ClassificationInterpretation::from_learner(&learner).unwrap();
    let (losses, indices) = interp.top_losses(usize::MAX);
    assert_eq!((losses.len(), indices.len()), (10, 10));
    assert_eq!(interp.confusion_matrix().total(), 10);
    assert_eq!(interp.classes(), ["3", "7"]);
    for (actual, predicted, _) in interp.most_confused(1) {
        assert!(["3", "7"].contains(&actual.as_str()) && ["3", "7"].contains(&predicted.as_str()));
    }
    let shown = texts(&interp.plot_top_losses(9).unwrap().to_svg(), "text");
    // The title, and for each image its prediction and its file.
    assert_eq!(shown.len(), 19);
    let file = learner.data().valid_ds().path(indices[0]).unwrap();
    let file = file.strip_prefix(learner.data().path()).unwrap();
    assert_eq!(shown[2], file.to_str().unwrap());
    assert!(
        shown[1].contains(&format!(" / {:.2} / ", losses[0])),
        "{shown:?}, {losses:?}"
    );
    interp.plot_confusion_matrix().unwrap();

    // Every training item, in order.
    let interp =
        ClassificationInterpretation::from_learner_with(&learner, DatasetType::Fix).unwrap();
    assert_eq!(interp.predictions().indices, (0..40).collect::<Vec<_>>());
}

#[test]
fn images_are_those_of_the_files_with_normalization_undone() {
    let folder = tempfile::tempdir().unwrap();
    let learner = learner(data(&folder));
    let interp = ClassificationInterpretation::from_learner(&learner).unwrap();
    let worst = interp.top_losses(1).1[0];
    let file = learner
        .data()
        .valid_ds()
        .image(worst)
        .unwrap()
        .to_rgb_image();
    let drawn = interp.plot_top_losses(1).unwrap().to_rgb_image();
    // In the middle of the figure's 28 x 28 blocks of 6 x 6 pixels.
    let left = (drawn.width() - 168) / 2;
    let top = drawn.height() - 12 - 168;
    for (x, y, pixel) in file.enumerate_pixels() {
        assert_eq!(
            drawn.get_pixel(left + 6 * x + 3, top + 6 * y + 3),
            pixel,
            "{x}, {y}"
        );
    }
}

/// Ten validation and forty training images: a 3 is round and odd, a 7 is odd.
fn several(folder: &tempfile::TempDir) -> ImageDataBunch {
    let path = synthetic::digits(&folder.path().join("digits"), 1, 20, 5).unwrap();
    let files = image_files(&path).unwrap();
    let labels = |path: &Path| -> Vec<&'static str> {
        match path.parent().unwrap().ends_with("3") {
            true => vec!["round", "odd"],
            false => vec!["odd"],
        }
    };
    synthetic::digits(&path.join("other"), 2, 2, 1).unwrap();
    let builder = ImageDataBunch::from_name_func(path, files, labels);
    builder.batch_size(16).test("other").build().unwrap()
}

#[test]
fn items_with_several_classes_can_be_interpreted_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let learner = learner(several(&folder));
    let interp = MultiLabelInterpretation::from_learner(&learner).unwrap();
    let items = learner.data().valid_ds().len();
    let (losses, indices) = interp.top_losses(usize::MAX);
    assert_eq!((losses.len(), indices.len()), (items, items));
    assert_eq!(interp.classes(), ["odd", "round"]);
    // The loss is the mean of the binary cross-entropies, as in training.
    let Targets::MultiCategory(labels) = &interp.predictions().targets else {
        panic!("{:?}", interp.predictions().targets);
    };
    for (row, loss) in interp.predictions().losses.iter().enumerate() {
        let probabilities = interp.predictions().row(row).iter().map(|p| f64::from(*p));
        let of = |(class, p): (usize, f64)| match labels.get(row).unwrap().contains(&(class as u32))
        {
            true => -p.ln(),
            false => -(1.0 - p).ln(),
        };
        let mean = probabilities.enumerate().map(of).sum::<f64>() / 2.0;
        assert!((f64::from(*loss) - mean).abs() < 1e-5, "{loss}, {mean}");
    }
    for matrix in interp.confusion_matrices() {
        assert_eq!(
            matrix.rows().into_iter().flatten().sum::<u64>(),
            items as u64
        );
    }
    // The same as the metrics of the learner.
    let mut metrics: [Box<dyn Metric>; 1] = [Box::new(accuracy_thresh(0.5))];
    let metrics = learner
        .validate_with(DatasetType::Valid, &mut metrics)
        .unwrap();
    assert!(
        (interp.accuracy() - metrics[1].1).abs() < 1e-6,
        "{metrics:?}"
    );
    let shown = texts(&interp.plot_top_losses(4).unwrap().to_svg(), "text");
    // The title; predicted and actual classes, loss, file of each image.
    assert_eq!(shown.len(), 17, "{shown:?}");
    assert!(
        shown[3].starts_with(&format!("{:.2} / ", losses[0])),
        "{shown:?}"
    );
    assert!(shown[4].ends_with(".png"), "{shown:?}");
    interp.plot_confusion_matrices().unwrap();

    let interp = MultiLabelInterpretation::from_learner_with(&learner, DatasetType::Fix).unwrap();
    let all = (0..learner.data().train_ds().len()).collect::<Vec<_>>();
    assert_eq!(interp.predictions().indices, all);
}

#[test]
fn labels_of_another_kind_are_an_error_that_names_what_to_call() {
    let folder = tempfile::tempdir().unwrap();
    let several = learner(several(&folder));
    let error = ClassificationInterpretation::from_learner(&several).unwrap_err();
    assert!(
        matches!(
            error,
            Error::LabelKind {
                expected: TargetKind::Category,
                found: TargetKind::MultiCategory
            }
        ),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .contains("MultiLabelInterpretation::from_learner"),
        "{error}"
    );
    let error =
        MultiLabelInterpretation::from_learner_with(&several, DatasetType::Test).unwrap_err();
    assert!(matches!(error, Error::NoLabels { .. }), "{error:?}");

    let folder = tempfile::tempdir().unwrap();
    let one = learner(data(&folder));
    let error = MultiLabelInterpretation::from_learner(&one).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`ClassificationInterpretation::from_learner`"),
        "{error}"
    );

    let path = one.data().path().to_owned();
    let files = image_files(&path).unwrap();
    let number = |_: &Path| 1.5_f32;
    let numbers = ImageDataBunch::from_name_func(path, files, number).batch_size(16);
    let numbers = learner(numbers.build().unwrap());
    for error in [
        ClassificationInterpretation::from_learner(&numbers).unwrap_err(),
        MultiLabelInterpretation::from_learner(&numbers).unwrap_err(),
    ] {
        assert!(error.to_string().contains("get_preds"), "{error}");
    }
}

#[test]
fn items_without_labels_cannot_be_interpreted() {
    let folder = tempfile::tempdir().unwrap();
    let learner = learner(data(&folder));
    let error = ClassificationInterpretation::from_learner_with(&learner, DatasetType::Test);
    assert!(matches!(
        error,
        Err(Error::NoLabels {
            part: DatasetType::Test
        })
    ));
}

#[test]
fn a_learner_without_data_is_an_error() {
    let data = ImageDataBunch::single_from_classes("nowhere", ["3", "7"])
        .build()
        .unwrap();
    let error = ClassificationInterpretation::from_learner(&learner(data)).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Data(vision_data::Error::Data(
                vision_data::DataError::Empty { .. }
            ))
        ),
        "{error}"
    );
}

#[test]
fn a_batch_is_drawn_with_the_names_of_its_classes() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&folder);
    let shown = texts(&data.show_batch(3).unwrap().to_svg(), "text");
    assert_eq!(shown.len(), 9);
    assert!(shown.iter().all(|title| title == "3" || title == "7"));
    let shown = texts(
        &data
            .show_batch_with(4, DatasetType::Valid)
            .unwrap()
            .to_svg(),
        "text",
    );
    assert_eq!(shown, ["3", "3", "3", "3", "3", "7", "7", "7", "7", "7"]);
    let shown = texts(
        &data.show_batch_with(2, DatasetType::Test).unwrap().to_svg(),
        "text",
    );
    assert_eq!(shown, ["", "", "", ""]);
    assert!(matches!(
        data.show_batch(0),
        Err(vision_data::Error::Option(OptionError {
            option: "rows",
            ..
        }))
    ));
}

#[test]
fn growing_learning_rates_are_drawn_with_what_they_suggest() {
    let folder = tempfile::tempdir().unwrap();
    let mut learner = learner(data(&folder));
    let config = LrFindConfig::new().with_num_it(40).with_end_lr(1.0);
    let found = learner.lr_find_with(config).unwrap();
    let shown = texts(&plot_lr_find(&found).unwrap().to_svg(), "text");
    let suggestion = found.suggestion().unwrap();
    for text in [
        "learning rate".to_owned(),
        format!("steepest {:.1e}", suggestion.steepest),
        format!("valley {:.1e}", suggestion.valley),
    ] {
        assert!(shown.contains(&text), "{text}: {shown:?}");
    }
    let config = LrFindConfig::new().with_num_it(1);
    let one = learner.lr_find_with(config).unwrap();
    assert!(one.suggestion().is_none() && plot_lr_find(&one).is_ok());
}
