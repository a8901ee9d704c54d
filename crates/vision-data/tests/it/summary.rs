//! What happens to one item, step by step.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use vision_data::datasets::synthetic;
use vision_data::{
    BatchTransform, DataError, DatasetType, Error, ImageDataBunch, ImageDataBunchBuilder, Stats,
    get_transforms,
};

fn builder(folder: &tempfile::TempDir) -> ImageDataBunchBuilder {
    let path = folder.path().join("digits");
    if !path.exists() {
        synthetic::digits(&path, 1, 20, 5).unwrap();
    }
    ImageDataBunch::from_folder(path).batch_size(40)
}

#[test]
fn the_last_step_is_the_image_that_is_in_the_batch() {
    let folder = tempfile::tempdir().unwrap();
    let data = builder(&folder)
        .transforms(get_transforms())
        .size(24)
        .build()
        .unwrap();
    let batch = data.one_batch(DatasetType::Train).unwrap();
    for index in [0, 3, 17, 39] {
        let summary = data.summary(DatasetType::Train, index).unwrap();
        let place = batch.indices.iter().position(|i| *i == index).unwrap();
        let last = &summary.steps.last().unwrap().image;
        assert_eq!(last, &batch.image(place).unwrap(), "item {index}");
    }
}

#[test]
fn where_batches_are_mixed_the_summary_of_a_training_item_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let plain = builder(&folder).build().unwrap();
    let mixed = builder(&folder)
        .batch_transforms([
            BatchTransform::mixup(0.4),
            BatchTransform::cutmix(1.0).with_p(0.5),
        ])
        .build()
        .unwrap();
    let text = |data: &ImageDataBunch, part| data.summary(part, 0).unwrap().to_string();
    let expected = "by MixUp { alpha: 0.4, p: 1.0 } or CutMix { alpha: 1.0, p: 0.5 }";
    let said = text(&mixed, DatasetType::Train);
    assert!(said.contains(expected), "{said}");
    // Nothing else changes, and validation is never mixed.
    assert!(said.starts_with(&text(&plain, DatasetType::Train)));
    assert_eq!(
        text(&mixed, DatasetType::Valid),
        text(&plain, DatasetType::Valid)
    );
}

#[test]
fn each_transform_is_a_step_in_the_order_of_application() {
    let folder = tempfile::tempdir().unwrap();
    let transforms = get_transforms();
    let names = transforms.train.len();
    let data = builder(&folder)
        .transforms(transforms)
        .size(24)
        .build()
        .unwrap();
    let summary = data.summary(DatasetType::Train, 3).unwrap();
    // Decoded, resized, and the transforms.
    assert_eq!(summary.steps.len(), 2 + names);
    assert_eq!(summary.steps[0].name, "decoded, 28x28");
    assert_eq!(summary.steps[0].image.dimensions(), (28, 28));
    assert!(
        summary.steps[0]
            .text
            .contains("image/png: 28x28, 8 bits, gray"),
        "{summary}"
    );
    assert_eq!(summary.steps[1].name, "resized, 24x24");
    assert!(
        summary.steps[1..]
            .iter()
            .all(|s| s.image.dimensions() == (24, 24))
    );
    // fastai flips after it turns, and crops at the end.
    let place = |name: &str| {
        let is = |step: &vision_data::inspect::SummaryStep| step.name == name;
        summary
            .steps
            .iter()
            .position(is)
            .unwrap_or_else(|| panic!("{name}: {summary}"))
    };
    assert!(place("Rotate") < place("FlipLr") && place("FlipLr") < place("CropPad"));
    assert_eq!(place("CropPad"), summary.steps.len() - 1);
    // The number that was drawn is said, and lies in its range.
    let drawn = |index: usize, name: &str| -> Option<f64> {
        let summary = data.summary(DatasetType::Train, index).unwrap();
        let step = summary.steps.into_iter().find(|step| step.name == name)?;
        let number = step
            .text
            .split([' ', ','])
            .find_map(|word| word.parse().ok())?;
        (!step.text.starts_with("not applied")).then_some(number)
    };
    let numbers = |name| (0..20).filter_map(move |index| drawn(index, name));
    let within = |name, low: f64, high: f64| {
        let all: Vec<f64> = numbers(name).collect();
        assert!(all.len() > 5, "{name}: {all:?}");
        assert!(
            all.iter().all(|x| (low..=high).contains(x)),
            "{name}: {all:?}"
        );
        assert!(all.iter().any(|x| *x != all[0]), "{name}: {all:?}");
    };
    within("Rotate", -10.0, 10.0);
    within("Zoom", 1.0, 1.1);
    within("Brightness", 0.4, 0.6);
    within("Contrast", 0.8, 1.25);
    within("CropPad", 0.0, 1.0);
    // Something happens, and something does not, to one of these items.
    let changes = |index: usize| {
        let text = data.summary(DatasetType::Train, index).unwrap().to_string();
        text.matches("not applied here").count()
    };
    let still: usize = (0..10).map(changes).sum();
    assert!(still > 0 && still < 10 * names);
    assert!(
        summary
            .plot()
            .unwrap()
            .to_svg()
            .contains(">resized, 24x24</text>")
    );
}

#[test]
fn normalizing_is_said_in_numbers_and_validation_has_its_own_transforms() {
    let folder = tempfile::tempdir().unwrap();
    let stats = Stats {
        mean: [0.5; 3],
        std: [0.25; 3],
    };
    let data = builder(&folder).normalize(stats).build().unwrap();
    let summary = data.summary(DatasetType::Valid, 0).unwrap();
    let names: Vec<&str> = summary
        .steps
        .iter()
        .map(|step| step.name.as_str())
        .collect();
    assert_eq!(names, ["decoded, 28x28", "resized, 28x28", "normalized"]);
    // A digit has black and nearly white: (0 - 0.5) / 0.25 is the least.
    assert!(
        summary.steps[2].text.contains("from -2.000 to"),
        "{summary}"
    );
    assert!(summary.to_string().contains("labeled 3"));
    assert!(matches!(
        data.summary(DatasetType::Valid, 99),
        Err(Error::Data(DataError::NoSuchItem { index: 99, .. }))
    ));
    assert!(data.summary(DatasetType::Test, 0).is_err());
}
