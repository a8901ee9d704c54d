//! Images with their label over their prediction.

use std::path::Path;

use vision_base::OptionError;
use vision_data::datasets::synthetic;
use vision_data::files::image_files;
use vision_data::{DatasetType, ImageDataBunch};
use vision_interp::{Error, ShowResults};
use vision_learner::{Learner, create_cnn};
use vision_models::Arch;

use crate::support::texts;

fn learner(data: ImageDataBunch) -> Learner {
    create_cnn(data, Arch::ResNet18)
        .pretrained(false)
        .silent(true)
        .build()
        .unwrap()
}

fn digits(folder: &tempfile::TempDir) -> std::path::PathBuf {
    synthetic::digits(&folder.path().join("digits"), 1, 20, 5).unwrap()
}

#[test]
fn each_image_has_its_label_over_its_prediction() {
    let folder = tempfile::tempdir().unwrap();
    let builder = ImageDataBunch::from_folder(digits(&folder)).batch_size(16);
    let learner = learner(builder.test("valid").build().unwrap());
    let shown = texts(&learner.show_results(3).unwrap().to_svg(), "text");
    assert_eq!(
        (shown.len(), shown[0].as_str()),
        (19, "Ground truth / Predictions")
    );
    let predictions = learner.get_preds(DatasetType::Valid).unwrap();
    let (classes, valid) = (learner.data().classes(), learner.data().valid_ds());
    for item in 0..9 {
        assert_eq!(shown[1 + 2 * item], valid.label_text(item).unwrap());
        assert_eq!(shown[2 + 2 * item], classes[predictions.predicted(item)]);
    }
    // No more than the batch has, and only a prediction for items without labels.
    let shown = texts(&learner.show_results(100).unwrap().to_svg(), "text");
    assert_eq!(shown.len(), 21);
    let figure = learner.show_results_with(2, DatasetType::Test).unwrap();
    let shown = texts(&figure.to_svg(), "text");
    assert_eq!((shown.len(), shown[0].as_str()), (5, "Predictions"));
    let error = learner.show_results(0).unwrap_err();
    assert!(
        matches!(error, Error::Option(OptionError { option: "rows", .. })),
        "{error:?}"
    );
}

#[test]
fn several_classes_and_numbers_are_shown_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = digits(&folder);
    let files = image_files(&path).unwrap();
    let round = |path: &Path| path.parent().unwrap().ends_with("3");
    let labels = move |path: &Path| match round(path) {
        true => vec!["round", "odd"],
        false => vec![],
    };
    let data = ImageDataBunch::from_name_func(&path, files.clone(), labels);
    let learner_of_labels = learner(data.batch_size(8).build().unwrap());
    let shown = texts(&learner_of_labels.show_results(2).unwrap().to_svg(), "text");
    assert!(
        shown[1..]
            .iter()
            .all(|text| ["none", "odd", "round", "odd;round"].contains(&text.as_str())),
        "{shown:?}"
    );
    let numbers = move |path: &Path| vec![if round(path) { 3.0_f32 } else { 7.0 }];
    let data = ImageDataBunch::from_name_func(&path, files, numbers);
    let learner_of_numbers = learner(data.batch_size(8).build().unwrap());
    let shown = texts(
        &learner_of_numbers.show_results(2).unwrap().to_svg(),
        "text",
    );
    assert!(["3.00", "7.00"].contains(&shown[1].as_str()), "{shown:?}");
    assert!(shown[2].parse::<f32>().is_ok(), "{shown:?}");
}
