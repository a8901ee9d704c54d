//! What `describe` says, by arithmetic.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;

use image::{GrayImage, RgbImage};
use vision_data::datasets::synthetic;
use vision_data::{DatasetType, ImageDataBunch, PixelSize};

/// Two classes in training and one validation image; the pixels are known.
fn data(folder: &tempfile::TempDir) -> ImageDataBunch {
    let path = |name: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    };
    // Of 8 pixels of training: red is 255 in 2, green 51 in all, blue 102 in 6.
    RgbImage::from_pixel(2, 1, [255, 51, 0].into())
        .save(path("train/a/0.png"))
        .unwrap();
    RgbImage::from_pixel(2, 2, [0, 51, 102].into())
        .save(path("train/a/1.png"))
        .unwrap();
    RgbImage::from_pixel(2, 1, [0, 51, 102].into())
        .save(path("train/b/2.bmp"))
        .unwrap();
    fs::write(path("train/b/3.png"), "").unwrap();
    GrayImage::from_pixel(5, 7, [255].into())
        .save(path("valid/b/4.png"))
        .unwrap();
    ImageDataBunch::from_folder(folder.path()).build().unwrap()
}

#[test]
fn counts_sizes_modes_means_and_deviations_are_those_of_the_pixels() {
    let folder = tempfile::tempdir().unwrap();
    let description = data(&folder).describe();
    assert_eq!(description.classes, ["a", "b"]);
    let [train, valid] = &description.parts[..] else {
        panic!("{} parts", description.parts.len());
    };
    assert_eq!((train.items, train.unreadable), (4, 1));
    assert_eq!(train.class_counts, [2, 2]);
    assert_eq!((train.widths, train.heights), ([2, 2], [1, 2]));
    let size = |width, height| PixelSize { width, height };
    assert_eq!(train.common_sizes, [(size(2, 1), 2), (size(2, 2), 1)]);
    assert_eq!(train.formats["image/png"], 2);
    assert_eq!(train.formats["image/bmp"], 1);
    assert_eq!(train.modes.len(), 1);
    assert_eq!(train.modes["RGB, 8 bits"], 3);
    let near = |found: [f64; 3], expected: [f64; 3]| {
        found
            .iter()
            .zip(expected)
            .all(|(a, b)| (a - b).abs() < 1e-9)
    };
    assert!(near(train.mean, [0.25, 0.2, 0.3]), "{:?}", train.mean);
    // A share p of the pixels at v: v times the root of p (1 - p), which is the root of 3/16.
    let root = (3.0_f64 / 16.0).sqrt();
    assert!(near(train.std, [root, 0.0, 0.4 * root]), "{:?}", train.std);
    assert_eq!(
        train.unreadable_files[0].path,
        folder.path().join("train/b/3.png")
    );
    assert_eq!(valid.modes["gray, 8 bits"], 1);
    assert_eq!((valid.widths, valid.heights), ([5, 5], [7, 7]));
    assert_eq!(valid.mean, [1.0; 3]);
    assert_eq!(valid.class_counts, [0, 1]);
}

#[test]
fn the_table_and_the_json_say_it_all() {
    let folder = tempfile::tempdir().unwrap();
    let description = data(&folder).describe();
    let table = description.to_string();
    for part in [
        "0.250 0.200 0.300",
        "2x1 (2), 2x2 (1)",
        "RGB, 8 bits (3)",
        "3.png: it is empty",
    ] {
        assert!(table.contains(part), "{part:?} is missing in:\n{table}");
    }
    let json: serde_json::Value = serde_json::from_str(&description.to_json()).unwrap();
    assert_eq!(json["parts"][0]["common_sizes"][0][0]["width"], 2);
    assert_eq!(json["parts"][1]["split"], "valid");
}

#[test]
fn images_that_are_all_unreadable_have_no_size_and_no_mean_but_numbers() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["train/a/0.png", "train/b/1.png", "valid/a/2.png"] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "no picture").unwrap();
    }
    let data = ImageDataBunch::from_folder(folder.path()).build().unwrap();
    let description = data.describe();
    let train = &description.parts[0];
    assert_eq!(
        (train.unreadable, train.widths, train.mean),
        (2, [0, 0], [0.0; 3])
    );
    let text = description.to_string();
    assert!(text.contains("train") && !text.contains("0.000"), "{text}");
}

#[cfg(unix)]
#[test]
fn names_of_files_and_classes_cannot_write_to_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let root = synthetic::digits(&folder.path().join("set\u{1b}[2J"), 1, 4, 2).unwrap();
    let bad = root.join("train/3\u{1b}]0;x\u{7}\nz");
    fs::rename(root.join("train/3"), &bad).unwrap();
    fs::rename(
        root.join("valid/3"),
        root.join("valid").join(bad.file_name().unwrap()),
    )
    .unwrap();
    fs::write(bad.join("no\u{1b}picture.png"), "x").unwrap();
    let data = ImageDataBunch::from_folder(&root)
        .batch_size(4)
        .build()
        .unwrap();
    let summary = data.summary(DatasetType::Valid, 0).unwrap();
    let doctor = data.doctor();
    for table in [
        data.to_string(),
        data.describe().to_string(),
        doctor.to_string(),
        summary.to_string(),
    ] {
        let unsafe_char = |c: char| c.is_control() && c != '\n';
        assert!(!table.contains(unsafe_char), "{table:?}");
        assert!(!table.contains("\nz"), "{table:?}");
    }
}
