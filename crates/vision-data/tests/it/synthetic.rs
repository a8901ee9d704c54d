//! The digits drawn by the program are a data set like any other, the same on every machine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashSet;
use std::fs;

use vision_base::OptionError;
use vision_data::datasets::synthetic;
use vision_data::files::image_files;
use vision_data::{DataError, DatasetType, Error, ImageDataBunch};

#[test]
fn digits_are_laid_out_as_mnist_sample_and_all_differ() {
    let folder = tempfile::tempdir().unwrap();
    let path = synthetic::digits(&folder.path().join("new/digits"), 1, 300, 100).unwrap();
    let data = ImageDataBunch::from_folder(&path).build().unwrap();
    assert_eq!(data.classes(), ["3", "7"]);
    assert_eq!((data.train_ds().len(), data.valid_ds().len()), (600, 200));
    let mut seen = HashSet::new();
    for dataset in [data.train_ds(), data.valid_ds()] {
        for i in 0..dataset.len() {
            let image = dataset.image(i).unwrap();
            assert_eq!((image.width(), image.height()), (28, 28));
            // White strokes on black: most of the image is dark, and some of it is bright.
            let bright = image
                .pixels()
                .iter()
                .step_by(3)
                .filter(|&&p| p > 128)
                .count();
            assert!((30..350).contains(&bright), "{bright} bright pixels");
            assert!(seen.insert(image.pixels().to_vec()), "two digits are equal");
        }
    }
    // Nothing but the finished folder is left.
    assert_eq!(fs::read_dir(folder.path().join("new")).unwrap().count(), 1);
}

#[test]
fn the_same_seed_draws_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let draw = |name: &str, seed| {
        let path = synthetic::digits(&folder.path().join(name), seed, 4, 2).unwrap();
        let files = image_files(&path).unwrap();
        assert_eq!(files.len(), 12);
        files
            .iter()
            .map(|file| fs::read(file).unwrap())
            .collect::<Vec<_>>()
    };
    let first = draw("a", 1);
    assert_eq!(first, draw("b", 1));
    assert_ne!(first, draw("c", 2));
}

#[test]
fn more_images_begin_with_the_same_ones() {
    let folder = tempfile::tempdir().unwrap();
    let few = synthetic::digits(&folder.path().join("few"), 9, 2, 1).unwrap();
    let many = synthetic::digits(&folder.path().join("many"), 9, 5, 3).unwrap();
    for file in [
        "train/3/00001.png",
        "train/7/00001.png",
        "valid/7/00000.png",
    ] {
        assert_eq!(
            fs::read(few.join(file)).unwrap(),
            fs::read(many.join(file)).unwrap()
        );
    }
}

#[test]
fn a_finished_folder_is_used_again_and_another_one_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("digits");
    synthetic::digits(&path, 1, 3, 2).unwrap();
    let drawn = fs::metadata(path.join("digits.txt"))
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(synthetic::digits(&path, 1, 3, 2).unwrap(), path);
    assert_eq!(
        fs::metadata(path.join("digits.txt"))
            .unwrap()
            .modified()
            .unwrap(),
        drawn
    );

    let error = synthetic::digits(&path, 2, 3, 2).unwrap_err();
    assert!(
        error.to_string().contains("seed 2") && error.to_string().contains("seed 1"),
        "{error}"
    );
    fs::write(path.join("train/3/00000.png"), "").unwrap();
    let error = synthetic::digits(&path, 1, 3, 2).unwrap_err();
    assert!(error.to_string().contains("missing or changed"), "{error}");

    let other = folder.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("precious.txt"), "data").unwrap();
    assert!(matches!(
        synthetic::digits(&other, 1, 3, 2),
        Err(Error::Data(DataError::NotTheDigits { .. }))
    ));
    assert!(other.join("precious.txt").is_file());
}

#[test]
fn numbers_out_of_range_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("digits");
    for (train, valid) in [(0, 1), (1, 0), (1, 1_000_000)] {
        assert!(matches!(
            synthetic::digits(&path, 1, train, valid),
            Err(Error::Option(OptionError { .. }))
        ));
    }
    assert!(!path.exists());
}

#[test]
fn no_single_pixel_tells_the_classes_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = synthetic::digits(&folder.path().join("digits"), 3, 300, 1).unwrap();
    let data = ImageDataBunch::from_folder(&path)
        .batch_size(600)
        .build()
        .unwrap();
    let batch = data
        .loader(DatasetType::Fix, 0)
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let images: Vec<_> = (0..600).map(|i| batch.image(i).unwrap()).collect();
    let labels = batch.labels.categories().unwrap();
    for y in 0..28 {
        for x in 0..28 {
            for threshold in [32, 64, 96, 128, 160, 192] {
                let right = images
                    .iter()
                    .zip(&labels)
                    .filter(|(image, label)| {
                        (image.get_pixel(x, y).0[0] > threshold) == (**label == 1)
                    })
                    .count();
                let accuracy = right.max(600 - right) as f64 / 600.0;
                assert!(
                    accuracy < 0.9,
                    "pixel ({x}, {y}) alone is right for {accuracy}"
                );
            }
        }
    }
}
