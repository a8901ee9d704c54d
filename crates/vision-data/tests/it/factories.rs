//! The factories of fastai, on small sets in the layout of those that its own tests use.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use vision_base::OptionError;
use vision_data::datasets::synthetic;
use vision_data::files::image_files;
use vision_data::{
    By, DatasetType, Error, FilesError, ImageDataBunch, ImageList, LabelError, LabelOptions, Split,
    Table, TableError, TargetKind, Targets, UnknownLabels,
};

/// In the layout of MNIST_TINY: train/3, train/7, valid/3, valid/7, and test without classes;
/// `labels.csv` has the names of all but the test files.
fn tiny() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = synthetic::digits(&folder.path().join("digits"), 1, 20, 7).unwrap();
    let mut csv = "name,label\n".to_owned();
    for file in image_files(&path).unwrap() {
        let name = file
            .strip_prefix(&path)
            .unwrap()
            .to_str()
            .unwrap()
            .replace('\\', "/");
        let class = name.split('/').nth(1).unwrap();
        csv.push_str(&format!("{name},{class}\n"));
    }
    fs::write(path.join("labels.csv"), csv).unwrap();
    fs::create_dir(path.join("test")).unwrap();
    for (position, file) in image_files(path.join("valid/3"))
        .unwrap()
        .iter()
        .enumerate()
    {
        fs::copy(file, path.join(format!("test/{position}.png"))).unwrap();
    }
    (folder, path)
}

fn class_of(path: &Path) -> String {
    path.parent()
        .unwrap()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned()
}

/// Every item of both parts has the label of its own file.
fn keeps_labels(data: &ImageDataBunch) {
    for dataset in [data.train_ds(), data.valid_ds()] {
        for item in 0..dataset.len() {
            let file = class_of(dataset.path(item).unwrap());
            assert_eq!(dataset.label_text(item), Some(file));
        }
    }
}

#[test]
fn a_folder_gives_two_classes_and_a_random_split_does_not_count_the_test_folder() {
    let (_folder, path) = tiny();
    let data = ImageDataBunch::from_folder(&path)
        .test("test")
        .build()
        .unwrap();
    assert_eq!(
        (data.c(), data.classes()),
        (2, &["3".to_owned(), "7".to_owned()][..])
    );
    let data = ImageDataBunch::from_folder(&path)
        .valid_pct(0.9)
        .test("test")
        .build()
        .unwrap();
    assert_eq!((data.valid_ds().len(), data.train_ds().len()), (48, 6));
    assert_eq!(data.test_ds().unwrap().len(), 7);
    assert_eq!(*data.test_ds().unwrap().labels(), Targets::Empty(7));
}

#[test]
fn names_lists_and_tables_give_the_same_classes_and_keep_labels_with_their_files() {
    let (_folder, path) = tiny();
    let files: Vec<PathBuf> = ["train", "valid"]
        .iter()
        .flat_map(|part| image_files(path.join(part)).unwrap())
        .collect();
    let labels: Vec<String> = files.iter().map(|file| class_of(file)).collect();
    let pattern = r"/([^/]+)/\d+.png$";
    // The drawn digits may have other names.
    assert!(files.iter().all(|file| file.extension().unwrap() == "png"));
    let all = [
        ImageDataBunch::from_name_re(&path, files.clone(), r"/([^/]+)/[^/]+.png$")
            .build()
            .unwrap(),
        ImageDataBunch::from_name_func(&path, files.clone(), class_of)
            .build()
            .unwrap(),
        ImageDataBunch::from_lists(&path, files.clone(), labels)
            .build()
            .unwrap(),
    ];
    for data in &all {
        assert_eq!((data.c(), data.kind()), (2, TargetKind::Category));
        assert_eq!((data.train_ds().len(), data.valid_ds().len()), (44, 10));
        assert_eq!(data.train_ds().paths(), all[0].train_ds().paths());
        keeps_labels(data);
    }
    let table = Table::read_csv(path.join("labels.csv"), &vision_data::CsvOptions::new()).unwrap();
    for data in [
        ImageDataBunch::from_csv(path.to_str().unwrap())
            .build()
            .unwrap(),
        ImageDataBunch::from_df(&path, table).build().unwrap(),
    ] {
        assert_eq!(
            (data.classes(), data.valid_ds().len()),
            (all[0].classes(), 10)
        );
        keeps_labels(&data);
    }
    let wrong = files.iter().map(|file| file.with_extension("jpg"));
    let error = ImageDataBunch::from_name_re(&path, wrong, pattern)
        .build()
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Files(FilesError::MissingFiles { count: 54, .. })
        ),
        "{error}"
    );
    let error = ImageDataBunch::from_name_re(&path, files, r"/(\d)/none$")
        .build()
        .unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains(r"/(\d)/none$") && message.contains("train/3"),
        "{message}"
    );
}

#[test]
fn a_table_under_another_name_is_named_with_the_way_to_say_so() {
    let (_folder, path) = tiny();
    fs::rename(path.join("labels.csv"), path.join("Train.CSV")).unwrap();
    let error = ImageDataBunch::from_csv(&path).build().unwrap_err();
    assert!(
        matches!(error, Error::Table(TableError::Missing { .. })),
        "{error}"
    );
    let message = error.to_string();
    for part in ["labels.csv", "`.csv_labels(..)`", "found Train.CSV"] {
        assert!(message.contains(part), "{message}");
    }
    let data = ImageDataBunch::from_csv(&path).csv_labels("Train.CSV");
    assert_eq!(data.batch_size(4).build().unwrap().classes(), ["3", "7"]);

    fs::remove_file(path.join("Train.CSV")).unwrap();
    let error = ImageDataBunch::from_csv(&path).build().unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("instead of a CSV file") && message.contains("train/"),
        "{message}"
    );
}

#[test]
fn relative_files_are_under_the_root() {
    let (_folder, path) = tiny();
    let names = ["train/3", "train/7"].map(|class| {
        let files = image_files(path.join(class)).unwrap();
        files[0].strip_prefix(&path).unwrap().to_owned()
    });
    let data = ImageDataBunch::from_lists(&path, names, [0, 1])
        .valid_pct(0.0)
        .build()
        .unwrap();
    assert_eq!(data.classes(), ["0", "1"]);
    assert!(data.train_ds().image(1).is_ok());
}

#[test]
fn a_whole_tree_is_split_labeled_and_has_a_test_folder() {
    let (_folder, path) = tiny();
    let list = || {
        let list = ImageList::from_folder(&path).unwrap();
        list.filter_by_folder(&[], &["test"])
    };
    let lists = list()
        .split_by_rand_pct(0.2, 42)
        .unwrap()
        .label_from_folder()
        .unwrap();
    assert_eq!(
        (lists.train().files().len(), lists.valid().files().len()),
        (44, 10)
    );
    assert_eq!(lists.classes(), ["3", "7"]);
    let data = lists
        .add_test_folder("test")
        .unwrap()
        .databunch()
        .batch_size(5)
        .build()
        .unwrap();
    assert_eq!(data.test_ds().unwrap().len(), 7);
    assert_eq!(data.test_ds().unwrap().label(0), None);
    // Once and again.
    assert_eq!(
        data.one_batch(DatasetType::Train).unwrap(),
        data.one_batch(DatasetType::Train).unwrap()
    );

    let lists = list()
        .split(Split::ValidIndices(vec![0]))
        .unwrap()
        .label_from_folder()
        .unwrap();
    assert_eq!(
        (lists.train().files().len(), lists.valid().files().len()),
        (53, 1)
    );
}

#[test]
fn eighteen_and_nine_items_give_three_and_two_batches_of_five() {
    let (_folder, path) = tiny();
    let files = image_files(path.join("train")).unwrap();
    let (train, valid): (Vec<usize>, Vec<usize>) = ((10..28).collect(), (1..10).collect());
    let data = ImageDataBunch::from_name_func(&path, files, class_of)
        .split(Split::Indices { train, valid })
        .batch_size(5)
        .build()
        .unwrap();
    assert_eq!((data.train_ds().len(), data.valid_ds().len()), (18, 9));
    assert_eq!(data.batches(DatasetType::Train), 3);
    assert_eq!(data.batches(DatasetType::Valid), 2);
    let single = data.one_batch(DatasetType::Single).unwrap();
    assert_eq!(single.len(), 1);
}

#[test]
fn many_tags_in_a_table_become_rows_of_ones_and_zeros() {
    // As PLANET_TINY: names without suffix, in a folder, tags with spaces between them.
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    fs::create_dir(root.join("train")).unwrap();
    let mut csv = "image_name,tags\n".to_owned();
    for item in 0..20 {
        fs::write(root.join(format!("train/train_{item}.jpg")), "").unwrap();
        csv.push_str(&format!(
            "train_{item},clear t{} t{}\n",
            item % 3,
            item % 2 + 3
        ));
    }
    fs::write(root.join("labels.csv"), csv).unwrap();
    let data = ImageDataBunch::from_csv(root)
        .folder("train")
        .suffix(".jpg")
        .label_delim(" ")
        .build()
        .unwrap();
    assert_eq!(data.classes(), ["clear", "t0", "t1", "t2", "t3", "t4"]);
    assert_eq!((data.train_ds().len(), data.valid_ds().len()), (16, 4));
    assert_eq!(data.valid_ds().labels().columns(), 6);
    assert!(
        data.train_ds()
            .label_text(0)
            .unwrap()
            .starts_with("clear;t")
    );
    assert_eq!(data.train_ds().label(0), None);
}

#[test]
fn a_factory_takes_any_split_and_the_seed_decides_a_random_one() {
    let (_folder, path) = tiny();
    let build = |seed| {
        let data = ImageDataBunch::from_csv(&path).seed(seed).build().unwrap();
        data.valid_ds().paths().to_vec()
    };
    assert_eq!(build(1), build(1));
    assert_ne!(build(1), build(2));
    let split = Split::Stratified {
        valid_pct: 0.5,
        seed: 1,
        by: By::Column("label".into()),
    };
    let data = ImageDataBunch::from_csv(&path)
        .split(split)
        .build()
        .unwrap();
    let threes = (0..27)
        .filter(|&item| data.valid_ds().label(item) == Some(0))
        .count();
    assert!((13..=14).contains(&threes), "{threes}");
    let error = ImageDataBunch::from_csv(&path)
        .split(Split::Fold {
            fold: 5,
            folds: 5,
            seed: 1,
        })
        .build()
        .unwrap_err();
    assert!(
        matches!(error, Error::Option(OptionError { option: "fold", .. })),
        "{error}"
    );
}

#[test]
fn other_classes_than_those_given_are_an_error_outside_of_folders() {
    let (_folder, path) = tiny();
    let build = || ImageDataBunch::from_csv(&path).classes(["7", "8"]);
    let error = build().build().unwrap_err();
    assert!(
        matches!(error, Error::Label(LabelError::UnknownClasses { .. })),
        "{error}"
    );
    let data = build()
        .label_with(LabelOptions::new().with_unknown(UnknownLabels::Drop))
        .build()
        .unwrap();
    assert!((0..data.train_ds().len()).all(|item| data.train_ds().label(item) == Some(0)));
    assert!(data.dropped().iter().all(|dropped| dropped.label == "3"));
    assert_eq!(
        data.dropped()
            .iter()
            .map(|dropped| dropped.items)
            .sum::<usize>(),
        27
    );
}

#[test]
fn bad_options_are_told_before_anything_is_read() {
    let nowhere = || ImageDataBunch::from_csv("/nowhere");
    for error in [
        nowhere().valid_pct(2.0).build().unwrap_err(),
        nowhere().batch_size(0).build().unwrap_err(),
        nowhere().label_delim("").build().unwrap_err(),
        nowhere()
            .split(Split::Numpy {
                valid_pct: -1.0,
                seed: 1,
            })
            .build()
            .unwrap_err(),
    ] {
        assert!(
            matches!(error, Error::Option(OptionError { .. })),
            "{error}"
        );
    }
    let error = ImageDataBunch::from_name_re("/nowhere", ["a"], "(")
        .build()
        .unwrap_err();
    assert!(
        matches!(error, Error::Label(LabelError::BadPattern { .. })),
        "{error}"
    );
    let error = nowhere()
        .label_with(LabelOptions::new().with_classes(["a", "a"]))
        .build();
    assert!(matches!(
        error.unwrap_err(),
        Error::Label(LabelError::BadClasses { .. })
    ));
    assert!(matches!(
        nowhere().build().unwrap_err(),
        Error::Files(FilesError::NotAFolder { .. })
    ));
}

#[test]
#[ignore = "needs a file: set VISION_MNIST_SAMPLE to fastai's mnist_sample.tgz"]
fn mnist_sample_has_fastais_numbers() {
    let archive = std::env::var_os("VISION_MNIST_SAMPLE").expect("VISION_MNIST_SAMPLE is set");
    let archive = Path::new(&archive);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mnist_sample");
    let limits = vision_fetch::archive::Limits::new();
    vision_fetch::archive::extract_tgz(archive, &path, &limits).unwrap();
    let inner = path.join("mnist_sample");
    let path = if inner.is_dir() { inner } else { path };
    let data = ImageDataBunch::from_folder(&path).build().unwrap();
    assert_eq!(
        (data.train_ds().len(), data.valid_ds().len()),
        (12_396, 2_038)
    );
    assert_eq!(data.classes(), ["3", "7"]);
    assert_eq!(data.batches(DatasetType::Train), 193);
    assert_eq!(data.batches(DatasetType::Valid), 32);
    let data = ImageDataBunch::from_csv(&path).build().unwrap();
    assert_eq!(data.classes(), ["0", "1"]);
    assert_eq!(data.train_ds().len() + data.valid_ds().len(), 14_434);
    assert_eq!(data.valid_ds().len(), 2_886);
}
