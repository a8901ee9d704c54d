//! From a learner to its figures.

use vision_base::OptionError;
use vision_data::datasets::synthetic;
use vision_data::{DatasetType, ImageDataBunch, Stats};
use vision_interp::{ClassificationInterpretation, Error, plot_lr_find};
use vision_learner::{Learner, LrFindConfig, create_cnn};
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
    assert_eq!(shown.len(), 10);
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
