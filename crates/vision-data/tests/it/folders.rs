//! What is found in a folder, and what is said when it is not as expected.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use vision_base::{IoError, OptionError};
use vision_data::files::image_files;
use vision_data::{
    DataError, DatasetType, Error, FilesError, ImageDataBunch, ImageError, ImageList, ImageProblem,
    LabelError, Split, SplitError, Stats, random_split,
};

/// A folder with these files in it. None is an image: `build` does not look into them.
fn folder(files: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    folder
}

fn names(root: &Path, files: &[PathBuf]) -> Vec<String> {
    files
        .iter()
        .map(|file| {
            file.strip_prefix(root)
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect()
}

fn error(folder: &tempfile::TempDir) -> Error {
    ImageDataBunch::from_folder(folder.path())
        .build()
        .expect_err("it was accepted")
}

#[test]
fn train_and_valid_folders_give_sorted_files_and_classes() {
    let folder = folder(&[
        "train/7/b.png",
        "train/7/a.PNG",
        "train/10/c.jpeg",
        "train/3/d.webp",
        "valid/3/e.gif",
        "valid/7/f.tiff",
        "other/9/g.png",
        "labels.csv",
        "train/3/notes.txt",
    ]);
    let data = ImageDataBunch::from_folder(folder.path()).build().unwrap();
    assert_eq!(data.classes(), ["10", "3", "7"]);
    assert_eq!(data.c(), 3);
    let train = data.train_ds();
    assert_eq!(
        names(folder.path(), train.paths()),
        [
            "train/10/c.jpeg",
            "train/3/d.webp",
            "train/7/a.PNG",
            "train/7/b.png"
        ]
    );
    let labels: Vec<_> = (0..5).map(|i| train.label(i)).collect();
    assert_eq!(labels, [Some(0), Some(1), Some(2), Some(2), None]);
    assert_eq!(data.valid_ds().len(), 2);
    assert!(data.test_ds().is_none());
    assert_eq!(
        data.to_string(),
        format!(
            "{}: 3 classes, 4 training, 2 validation and 0 test images, batches of 64",
            folder.path().display()
        )
    );
}

#[test]
fn hidden_files_and_folders_are_passed_over() {
    let folder = folder(&[
        "a/1.png",
        "a/.2.png",
        ".hidden/3.png",
        "a/._4.jpg",
        "b/.git/5.png",
    ]);
    let files = image_files(folder.path()).unwrap();
    assert_eq!(names(folder.path(), &files), ["a/1.png"]);
}

#[test]
fn folders_may_have_any_name() {
    let folder = folder(&[
        "learn/a/1.png",
        "learn/b/1.png",
        "check/b/1.png",
        "exam/x.png",
    ]);
    let data = ImageDataBunch::from_folder(folder.path())
        .train("learn")
        .valid("check")
        .test("exam")
        .build()
        .unwrap();
    assert_eq!((data.train_ds().len(), data.valid_ds().len()), (2, 1));
    assert_eq!(data.valid_ds().label(0), Some(1));
    let test = data.test_ds().unwrap();
    assert_eq!((test.len(), test.label(0)), (1, None));
}

#[test]
fn an_empty_folder_is_told_what_is_expected() {
    let empty = tempfile::tempdir().unwrap();
    let error = error(&empty);
    assert_matches!(
        error,
        Error::Files(FilesError::MissingFolder { folder, name, part: "training", found })
            if folder == empty.path() && name == "train" && found.contains("empty")
    );
    // The message says what was expected, what was found, and what else could be done.
    let message = error.to_string();
    for part in ["train/CLASS/IMAGE", "an empty folder", "valid_pct"] {
        assert!(message.contains(part), "{part:?} is missing in: {message}");
    }
    let random = ImageDataBunch::from_folder(empty.path())
        .valid_pct(0.2)
        .build()
        .unwrap_err();
    assert_matches!(
        random,
        Error::Files(FilesError::NoImages { folder, found, .. })
            if folder == empty.path() && found.contains("empty")
    );
}

#[test]
fn a_missing_train_folder_is_named_with_what_is_there_instead() {
    let folder = folder(&["cat/1.jpg", "dog/1.jpg", "notes.txt"]);
    let error = error(&folder);
    assert_matches!(
        error,
        Error::Files(FilesError::MissingFolder { name, part: "training", found, .. })
            if name == "train" && found.contains("cat/, dog/, notes.txt")
    );
}

#[test]
fn a_folder_of_another_name_that_may_be_meant_is_named_with_its_option() {
    let folder = folder(&[
        "train/a/1.png",
        "train/b/1.png",
        "val/a/1.png",
        "val/b/1.png",
    ]);
    assert_matches!(
        error(&folder),
        Error::Files(FilesError::MissingFolder { name, found, .. })
            if name == "valid" && found.contains("`.valid(\"val\")`")
    );
    let build = ImageDataBunch::from_folder(folder.path())
        .valid("val")
        .build();
    assert_eq!(build.unwrap().valid_ds().len(), 2);
}

#[test]
fn a_path_that_is_no_folder_is_told_apart_from_one_that_is_not_there() {
    let folder = folder(&["file"]);
    let build = |name: &str| ImageDataBunch::from_folder(folder.path().join(name)).build();
    let found = |name: &str| match build(name).unwrap_err() {
        Error::Files(FilesError::NotAFolder { path, found }) => {
            assert_eq!(path, folder.path().join(name));
            found
        }
        other => panic!("{other:?}"),
    };
    assert_ne!(found("file"), found("nothing"));
}

#[test]
fn an_empty_valid_folder_is_an_error() {
    let folder = folder(&["train/a/1.png", "train/b/1.png", "valid/a/readme.txt"]);
    let error = error(&folder);
    assert!(matches!(
        &error,
        Error::Files(FilesError::NoImages {
            part: "validation",
            ..
        })
    ));
    let message = error.to_string();
    for part in ["valid", "a/", "webp"] {
        assert!(message.contains(part), "{part:?} is missing in: {message}");
    }
}

#[test]
fn an_empty_path_is_said_to_be_empty() {
    let error = ImageDataBunch::from_folder("").build().unwrap_err();
    assert_matches!(
        error,
        Error::Files(FilesError::NotAFolder { path, found })
            if path.as_os_str().is_empty() && found.contains("empty")
    );
}

#[test]
fn one_class_is_not_enough() {
    let folder = folder(&["train/cat/1.png", "train/cat/2.png", "valid/cat/1.png"]);
    let error = error(&folder);
    assert_matches!(
        error,
        Error::Label(LabelError::TooFewClasses { classes, .. }) if classes == &["cat"]
    );
}

#[test]
fn a_class_with_one_image_is_enough() {
    let folder = folder(&[
        "train/a/1.png",
        "train/b/1.png",
        "train/b/2.png",
        "valid/a/1.png",
    ]);
    let data = ImageDataBunch::from_folder(folder.path()).build().unwrap();
    assert_eq!(data.classes(), ["a", "b"]);
}

#[test]
fn images_outside_of_a_class_folder_are_named() {
    let folder = folder(&[
        "train/a/1.png",
        "train/b/1.png",
        "train/stray.png",
        "valid/a/1.png",
    ]);
    assert_matches!(
        error(&folder),
        Error::Label(LabelError::Unlabeled { example, count: 1, .. })
            if example.ends_with("stray.png")
    );
}

#[test]
fn classes_that_training_lacks_are_listed_with_their_counts() {
    let folder = folder(&[
        "train/a/1.png",
        "train/b/1.png",
        "valid/a/1.png",
        "valid/c/1.png",
        "valid/c/2.png",
        "valid/d/1.png",
    ]);
    let error = error(&folder);
    let Error::Label(LabelError::UnknownClasses { unknown, known, .. }) = &error else {
        panic!("{error}")
    };
    let found: Vec<_> = unknown
        .iter()
        .map(|dropped| (dropped.label.as_str(), dropped.items))
        .collect();
    assert_eq!(found, [("c", 2), ("d", 1)]);
    assert_eq!(unknown[0].first, folder.path().join("valid/c/1.png"));
    assert_eq!(known, &["a", "b"]);
}

#[test]
fn given_classes_decide_order_and_leave_others_out() {
    let folder = folder(&[
        "train/a/1.png",
        "train/b/1.png",
        "train/c/1.png",
        "valid/a/1.png",
        "valid/c/1.png",
        "valid/z/1.png",
    ]);
    let build = |classes: &[&str]| {
        ImageDataBunch::from_folder(folder.path())
            .classes(classes.iter().copied())
            .build()
    };
    let data = build(&["c", "a"]).unwrap();
    assert_eq!(data.classes(), ["c", "a"]);
    assert_eq!((data.train_ds().len(), data.valid_ds().len()), (2, 2));
    assert_eq!(
        (data.train_ds().label(0), data.train_ds().label(1)),
        (Some(1), Some(0))
    );

    for (classes, named) in [
        (&["a", "a"][..], "\"a\""),
        (&["a", ""], "position 1"),
        (&["c", "b", "A"], "\"A\""),
    ] {
        assert_matches!(
            build(classes).unwrap_err(),
            Error::Label(LabelError::BadClasses { reason }) if reason.contains(named)
        );
    }
    assert!(matches!(
        build(&["a"]).unwrap_err(),
        Error::Label(LabelError::TooFewClasses { .. })
    ));
    assert!(matches!(
        build(&[]).unwrap_err(),
        Error::Label(LabelError::BadClasses { .. })
    ));
}

#[test]
fn with_a_random_split_too_a_class_without_a_folder_is_an_error_and_what_is_left_out_is_listed() {
    let files = [
        "cat/1.png",
        "cat/2.png",
        "dog/1.png",
        "dog/2.png",
        "fox/1.png",
        "fox/2.png",
    ];
    let folder = folder(&files);
    let build = |classes: [&str; 2]| {
        let build = ImageDataBunch::from_folder(folder.path()).valid_pct(0.0);
        build.classes(classes).build()
    };
    assert_matches!(
        build(["cat", "dgo"]).unwrap_err(),
        Error::Label(LabelError::BadClasses { reason })
            if reason.contains("\"dgo\"") && reason.contains("cat, dog, fox")
    );
    let data = build(["dog", "cat"]).unwrap();
    assert_eq!(data.classes(), ["dog", "cat"]);
    assert_eq!(names(folder.path(), data.train_ds().paths()), files[..4]);
    let [fox] = data.dropped() else {
        panic!("{:?}", data.dropped())
    };
    assert_eq!((fox.label.as_str(), fox.items), ("fox", 2));
    assert_eq!(fox.first, folder.path().join("fox/1.png"));
}

#[test]
fn no_image_is_on_both_sides_however_folders_are_named() {
    let folder = folder(&[
        "train/a/1.png",
        "train/b/1.png",
        "train/valid/a/2.png",
        "valid/b/1.png",
    ]);
    let build = |train: &str, valid: &str| {
        ImageDataBunch::from_folder(folder.path())
            .train(train)
            .valid(valid)
            .build()
    };
    for (train, valid) in [
        ("train", "train"),
        ("train", "train/valid"),
        ("train/", "train"),
    ] {
        assert_matches!(
            build(train, valid).unwrap_err(),
            Error::Option(OptionError { .. })
        );
        let list = ImageList::from_folder(folder.path()).unwrap();
        let error = list.split_by_folder(train, valid).unwrap_err();
        assert_matches!(
            error,
            Error::Split(SplitError::OnBothSides { parts: ["training", "validation"], first, .. })
                if first.starts_with(folder.path().join("train"))
        );
    }
    for name in [".", "", "..", "./train", "valid/../train"] {
        for error in [build(name, "valid"), build("train", name)] {
            assert_matches!(
                error.unwrap_err(),
                Error::Option(OptionError { found, .. }) if found.contains(name)
            );
        }
        let test = ImageDataBunch::from_folder(folder.path())
            .valid_pct(0.0)
            .test(name)
            .build();
        assert_matches!(test.unwrap_err(), Error::Option(OptionError { .. }));
    }
    #[cfg(unix)]
    {
        let alias = folder.path().join("alias");
        std::os::unix::fs::symlink(folder.path().join("train"), alias).unwrap();
        assert_matches!(
            build("train", "alias").unwrap_err(),
            Error::Option(OptionError { found, .. }) if found.contains("alias")
        );
    }
    // An absolute path is one way to name a folder anywhere.
    let absolute = folder.path().join("valid").to_str().unwrap().to_owned();
    assert_eq!(build("train", &absolute).unwrap().valid_ds().len(), 1);
}

#[test]
fn test_images_are_not_those_of_training() {
    let folder = folder(&[
        "train/a/1.png",
        "train/b/1.png",
        "train/b/2.png",
        "valid/b/1.png",
    ]);
    let build = || ImageDataBunch::from_folder(folder.path());
    for test in ["train", "train/b"] {
        let error = build().test(test).build().unwrap_err();
        assert_matches!(
            error,
            Error::Split(SplitError::OnBothSides { parts: ["training", "test"], first, .. })
                if first.ends_with("1.png")
        );
    }
    // Those of validation may be predicted again.
    assert_eq!(
        build()
            .test("valid")
            .build()
            .unwrap()
            .test_ds()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn a_file_that_is_listed_twice_is_not_on_both_sides() {
    let folder = folder(&["1.png", "2.png", "3.png"]);
    let files = ["1.png", "2.png", "3.png", "1.png"];
    let build = |valid: Vec<usize>| {
        let labels = ["a", "b", "a", "a"];
        let data = ImageDataBunch::from_lists(folder.path(), files, labels);
        data.split(Split::ValidIndices(valid)).build()
    };
    match build(vec![0]).unwrap_err() {
        Error::Split(SplitError::OnBothSides { count, first, .. }) => {
            assert_eq!((count, first), (1, folder.path().join("1.png")));
        }
        other => panic!("{other}"),
    }
    // To draw it more often it may be twice on one side.
    assert_eq!(build(vec![2]).unwrap().train_ds().len(), 3);
}

#[test]
fn valid_pct_takes_all_images_but_those_of_the_test_folder() {
    let mut files: Vec<String> = (0..30).map(|i| format!("train/a/{i}.png")).collect();
    files.extend((0..25).map(|i| format!("valid/b/{i}.png")));
    files.extend((0..7).map(|i| format!("test/{i}.png")));
    files.extend((0..6).map(|i| format!("test2/b/{i}.png")));
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let folder = folder(&files);
    let build = |seed| {
        ImageDataBunch::from_folder(folder.path())
            .valid_pct(0.9)
            .seed(seed)
            .build()
            .unwrap()
    };
    let data = build(1);
    // int(total · .9), and a folder that only begins like the test folder counts.
    assert_eq!(data.valid_ds().len(), 54);
    assert_eq!(data.train_ds().len(), 61 - 54);
    assert_eq!(data.test_ds().unwrap().len(), 7);
    assert_eq!(data.valid_ds().paths(), build(1).valid_ds().paths());
    assert_ne!(data.valid_ds().paths(), build(2).valid_ds().paths());
    assert!(data.valid_ds().paths().is_sorted() && data.train_ds().paths().is_sorted());
}

#[test]
fn a_class_may_be_called_test() {
    let folder = folder(&[
        "test/1.png",
        "test/2.png",
        "test/3.png",
        "best/1.png",
        "best/2.png",
        "best/3.png",
    ]);
    let build = ImageDataBunch::from_folder(folder.path()).valid_pct(0.0);
    assert!(matches!(
        build.clone().build().unwrap_err(),
        Error::Label(LabelError::TooFewClasses { .. })
    ));
    let data = build.no_test().build().unwrap();
    assert_eq!(data.classes(), ["best", "test"]);
    assert!(data.test_ds().is_none());
}

#[test]
fn no_validation_is_possible_and_said_when_it_is_asked_for() {
    let folder = folder(&["a/1.png", "b/1.png"]);
    let data = ImageDataBunch::from_folder(folder.path())
        .valid_pct(0.0)
        .build()
        .unwrap();
    assert_eq!((data.train_ds().len(), data.valid_ds().len()), (2, 0));
    let error = data.loader(DatasetType::Valid, 0).unwrap_err();
    assert_matches!(
        error,
        Error::Data(DataError::Empty { part: "validation", hint }) if hint.contains("valid_pct")
    );
    assert_eq!(data.batches(DatasetType::Valid), 0);
    assert!(data.dataset(DatasetType::Test).is_err());
}

#[test]
fn a_split_that_takes_a_whole_class_away_is_explained() {
    let folder = folder(&["a/1.png", "b/1.png", "b/2.png", "c/1.png"]);
    // Of two classes with an image each, one is always in validation.
    let two = self::folder(&["cat/1.png", "dog/1.png"]);
    let build = ImageDataBunch::from_folder(two.path()).valid_pct(0.5);
    let error = build.build().unwrap_err();
    assert_matches!(
        error,
        Error::Label(LabelError::UnknownClasses { unknown, .. })
            if unknown[0].part == "validation" && unknown[0].items == 1
    );

    let explained = (0..20)
        .filter_map(|seed| {
            ImageDataBunch::from_folder(folder.path())
                .valid_pct(0.5)
                .seed(seed)
                .build()
                .err()
        })
        .inspect(|error| match error {
            Error::Label(LabelError::UnknownClasses { hint, .. }) => {
                assert!(hint.contains("seed"), "{hint}");
            }
            other => panic!("{other}"),
        })
        .count();
    assert!(explained > 0);
}

#[test]
fn fractions_outside_of_zero_to_one_are_refused() {
    let folder = folder(&["a/1.png", "b/1.png"]);
    for fraction in [-0.1, 1.0, 20.0, f64::NAN, f64::INFINITY] {
        let error = ImageDataBunch::from_folder(folder.path())
            .valid_pct(fraction)
            .build()
            .unwrap_err();
        assert!(
            matches!(
                error,
                Error::Option(OptionError {
                    option: "valid_pct",
                    ..
                })
            ),
            "{error}"
        );
    }
    let error = ImageDataBunch::from_folder(folder.path())
        .valid_pct(0.2)
        .build()
        .unwrap_err();
    assert!(
        matches!(error, Error::Split(SplitError::Empty { items: 2, .. })),
        "{error}"
    );
}

#[test]
fn a_test_folder_that_was_asked_for_has_to_be_there() {
    let folder = folder(&[
        "train/a/1.png",
        "train/b/1.png",
        "valid/a/1.png",
        "empty/notes.txt",
    ]);
    let build = |name: &str| {
        ImageDataBunch::from_folder(folder.path())
            .test(name)
            .build()
    };
    assert!(matches!(
        build("exam").unwrap_err(),
        Error::Files(FilesError::MissingFolder { part: "test", .. })
    ));
    assert!(matches!(
        build("empty").unwrap_err(),
        Error::Files(FilesError::NoImages { part: "test", .. })
    ));
}

#[test]
fn batch_size_zero_is_refused_and_one_too_large_is_explained() {
    let folder = folder(&["train/a/1.png", "train/b/1.png", "valid/a/1.png"]);
    let builder = || ImageDataBunch::from_folder(folder.path());
    let error = builder().batch_size(0).build().unwrap_err();
    assert!(matches!(
        error,
        Error::Option(OptionError {
            option: "batch_size",
            ..
        })
    ));
    let error = builder().val_batch_size(0).build().unwrap_err();
    assert!(matches!(
        error,
        Error::Option(OptionError {
            option: "val_batch_size",
            ..
        })
    ));

    let data = builder().batch_size(3).build().unwrap();
    let error = data.loader(DatasetType::Train, 0).unwrap_err();
    assert!(matches!(
        error,
        Error::Data(DataError::BatchLargerThanSet {
            batch_size: 3,
            items: 2
        })
    ));
    assert_eq!(data.batches(DatasetType::Train), 0);
    assert!(data.loader(DatasetType::Valid, 0).is_ok());
}

#[test]
fn data_without_images_says_so_when_it_is_to_be_trained_on() {
    let data = ImageDataBunch::single_from_classes("anywhere", ["3", "7"])
        .normalize(Stats::IMAGENET)
        .build()
        .unwrap();
    assert_eq!((data.c(), data.path()), (2, Path::new("anywhere")));
    for which in [
        DatasetType::Train,
        DatasetType::Valid,
        DatasetType::Fix,
        DatasetType::Single,
    ] {
        assert_matches!(
            data.loader(which, 0).unwrap_err(),
            Error::Data(DataError::Empty { hint, .. }) if hint.contains("single_from_classes")
        );
    }
    assert!(
        ImageDataBunch::single_from_classes("anywhere", ["3"])
            .build()
            .is_err()
    );
}

#[test]
fn data_is_normalized_once() {
    let data = || ImageDataBunch::single_from_classes("anywhere", ["3", "7"]);
    let flat = Stats {
        mean: [0.5; 3],
        std: [0.2, 0.0, 0.2],
    };
    assert!(matches!(
        data().normalize(flat).build(),
        Err(Error::Option(OptionError {
            option: "stats",
            ..
        }))
    ));
    let data = data().normalize(Stats::CIFAR).build().unwrap();
    assert_eq!(data.stats(), Some(Stats::CIFAR));
    assert!(matches!(
        data.normalize_batch(),
        Err(Error::Data(DataError::AlreadyNormalized { .. }))
    ));
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_loop_of_links_ends() {
        let folder = folder(&["a/1.png", "b/2.png"]);
        let root = folder.path();
        symlink(root, root.join("a/root")).unwrap();
        symlink(root.join("b"), root.join("a/b")).unwrap();
        symlink(root.join("a"), root.join("b/a")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let files = image_files(root).unwrap();
        // Folder b is found through a first, and read once.
        assert_eq!(names(root, &files), ["a/1.png", "a/b/2.png"]);
    }

    #[test]
    fn a_link_to_a_folder_is_followed_and_one_to_nowhere_is_a_file() {
        let elsewhere = folder(&["1.png"]);
        let folder = folder(&["train/b/1.png", "valid/a/1.png"]);
        symlink(elsewhere.path(), folder.path().join("train/a")).unwrap();
        symlink("/nowhere/at/all.png", folder.path().join("train/b/2.png")).unwrap();
        let data = ImageDataBunch::from_folder(folder.path()).build().unwrap();
        assert_eq!(data.classes(), ["a", "b"]);
        assert_eq!(data.train_ds().len(), 3);
        assert_matches!(
            data.train_ds().image(2).unwrap_err(),
            Error::Image(ImageError::Decode { path, problem: ImageProblem::Unreadable(_), .. })
                if path.ends_with("train/b/2.png")
        );
    }

    #[test]
    fn a_link_in_one_part_does_not_lead_into_another() {
        let parts = ["train", "valid", "test"];
        for to in [".", "train", "valid", "test"] {
            let folder = folder(&[
                "train/a/1.png",
                "train/b/2.png",
                "valid/a/3.png",
                "test/4.png",
            ]);
            let root = folder.path();
            for part in parts.iter().filter(|&&part| part != to) {
                symlink(root.join(to), root.join(part).join("link")).unwrap();
            }
            let data = ImageDataBunch::from_folder(root).build().unwrap();
            let test = data.test_ds().unwrap();
            let found = [data.train_ds(), data.valid_ds(), test].map(|ds| names(root, ds.paths()));
            assert_eq!(found[0], ["train/a/1.png", "train/b/2.png"], "{to}");
            assert_eq!(
                (&found[1][..], &found[2][..]),
                (
                    &["valid/a/3.png".to_owned()][..],
                    &["test/4.png".to_owned()][..]
                ),
                "{to}"
            );
            let named = ImageDataBunch::from_folder(root)
                .test("test")
                .build()
                .unwrap();
            assert_eq!(named.test_ds().unwrap().len(), 1, "{to}");
        }
        // Split at random, all that is outside of the test folder is one part.
        let folder = folder(&["a/1.png", "b/2.png", "test/4.png"]);
        symlink(folder.path().join("test"), folder.path().join("a/link")).unwrap();
        let data = ImageDataBunch::from_folder(folder.path()).valid_pct(0.0);
        assert_eq!(data.build().unwrap().train_ds().len(), 2);
    }

    #[test]
    fn an_image_is_on_both_sides_if_its_folder_is_reached_by_two_paths() {
        let shared = |link: &str, to: &str| {
            let folder = folder(&[
                "train/a/1.png",
                "train/b/2.png",
                "valid/a/3.png",
                "valid/b/4.png",
                "test/5.png",
            ]);
            symlink(folder.path().join(to), folder.path().join(link)).unwrap();
            match error(&folder) {
                Error::Split(SplitError::OnBothSides {
                    parts,
                    first,
                    count,
                }) => {
                    let first = names(folder.path(), &[first]).remove(0);
                    (parts, first, count)
                }
                other => panic!("{other}"),
            }
        };
        assert_eq!(
            shared("train/c", "valid/a"),
            (["training", "validation"], "train/c/3.png".to_owned(), 1)
        );
        assert_eq!(
            shared("valid/a/more", "train/a"),
            (["training", "validation"], "train/a/1.png".to_owned(), 1)
        );
        assert_eq!(
            shared("test/link", "train/b"),
            (["training", "test"], "train/b/2.png".to_owned(), 1)
        );
    }

    #[test]
    fn a_file_name_that_is_not_utf8_works_and_such_a_class_is_an_error() {
        let folder = folder(&["train/a/1.png", "train/b/1.png", "valid/a/1.png"]);
        let odd = OsStr::from_bytes(b"\xff\xfe.png");
        let file = folder.path().join("train/a").join(odd);
        image::RgbImage::new(2, 2)
            .save_with_format(&file, image::ImageFormat::Png)
            .unwrap();
        let data = ImageDataBunch::from_folder(folder.path()).build().unwrap();
        let at = data
            .train_ds()
            .paths()
            .iter()
            .position(|path| *path == file)
            .unwrap();
        assert_eq!(data.train_ds().image(at).unwrap().width(), 2);

        let class = folder
            .path()
            .join("train")
            .join(OsStr::from_bytes(b"cl\xffss"));
        fs::create_dir(&class).unwrap();
        fs::write(class.join("1.png"), "").unwrap();
        let error = error(&folder);
        assert!(
            matches!(&error, Error::Label(LabelError::NotUtf8 { folder }) if *folder == class),
            "{error}"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_folder_that_cannot_be_read_is_named() {
        let folder = folder(&["train/a/1.png", "train/b/1.png", "valid/a/1.png"]);
        let closed = crate::support::unreadable(&folder.path().join("train"));
        match ImageDataBunch::from_folder(folder.path()).build() {
            Err(Error::Io(IoError { path, .. })) => {
                assert!(path.starts_with(closed), "{}", path.display());
            }
            other => panic!("{:?}", other.map(drop)),
        }
    }
}

proptest! {
    #[test]
    fn a_random_split_takes_the_right_number_each_once_and_in_order(
        items in 1_usize..2_000, fraction in 0.0_f64..0.999, seed: u64,
    ) {
        let wanted = (items as f64 * fraction) as usize;
        match random_split(items, fraction, seed) {
            Err(error) => prop_assert!(wanted == 0 && fraction > 0.0, "{error}"),
            Ok(valid) => {
                prop_assert_eq!(valid.len(), wanted);
                prop_assert!(valid.windows(2).all(|pair| pair[0] < pair[1]));
                prop_assert!(valid.last().is_none_or(|&last| last < items));
                prop_assert_eq!(&valid, &random_split(items, fraction, seed).unwrap());
            }
        }
    }
}
