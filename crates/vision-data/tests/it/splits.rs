//! Which items go to training and which to validation.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use vision_base::{IoError, OptionError};
use vision_data::{
    By, DataError, Error, FileColumn, FilesError, ImageList, LabelError, PathFn, Split, SplitError,
    SplitList, Table, TableError,
};

const BY_LABEL: fn() -> By = || By::Column("label".into());

/// Items "0", "1" and so on with these labels, in a table; there are no such files.
fn labeled<L: AsRef<str>>(labels: &[L]) -> ImageList {
    let rows = labels.iter().enumerate();
    let rows = rows.map(|(i, label)| [i.to_string(), label.as_ref().to_owned()]);
    let table = Table::from_rows(["name", "label"], rows).unwrap();
    ImageList::from_df(".", table, &FileColumn::default().with_check(false)).unwrap()
}

fn subsets(train: f64, valid: f64) -> Split {
    Split::Subsets {
        train,
        valid,
        seed: 1,
    }
}

fn indices<const T: usize, const V: usize>(train: [usize; T], valid: [usize; V]) -> Split {
    Split::Indices {
        train: train.into(),
        valid: valid.into(),
    }
}

fn named<S: Into<String>>(files: impl IntoIterator<Item = S>) -> Split {
    Split::Files(files.into_iter().map(Into::into).collect())
}

fn items(count: usize) -> ImageList {
    labeled(&vec![""; count])
}

fn positions<'a>(items: impl Iterator<Item = &'a Path>) -> Vec<usize> {
    items
        .map(|path| path.file_name().unwrap().to_str().unwrap().parse().unwrap())
        .collect()
}

/// Both sides, of which the training side is checked to be sorted and apart from the other.
fn sides(lists: &SplitList) -> (Vec<usize>, Vec<usize>) {
    let (train, valid) = (
        positions(lists.train_items()),
        positions(lists.valid_items()),
    );
    let both: BTreeSet<usize> = train.iter().chain(&valid).copied().collect();
    assert_eq!(both.len(), train.len() + valid.len());
    assert_eq!(train.len(), lists.train_len());
    assert_eq!(valid.len(), lists.valid_len());
    (train, valid)
}

fn counts(labels: &[String], items: &[usize]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for &item in items {
        *counts.entry(labels[item].clone()).or_insert(0) += 1;
    }
    counts
}

#[test]
fn numpys_generator_gives_the_splits_that_fastai_makes() {
    // scripts/make_split_fixtures.py
    let text = include_str!("../fixtures/numpy_splits.json");
    let fixture: serde_json::Value = serde_json::from_str(text).unwrap();
    let cases = fixture["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 12);
    for case in cases {
        let number = |name: &str| case[name].as_u64().unwrap();
        let count = number("items") as usize;
        let lists = items(count)
            .split(Split::Numpy {
                valid_pct: case["valid_pct"].as_f64().unwrap(),
                seed: number("seed") as u32,
            })
            .unwrap();
        let (train, valid) = sides(&lists);
        assert!(train.is_sorted() && train.len() + valid.len() == count);
        assert_eq!(valid.len() as u64, number("count"), "{case}");
        let first: Vec<u64> = valid.iter().take(20).map(|&i| i as u64).collect();
        assert_eq!(serde_json::json!(first), case["first"]);
        let sum = valid
            .iter()
            .zip(1_u64..)
            .fold(0_u64, |sum, (&i, rank)| sum.wrapping_add(i as u64 * rank));
        assert_eq!(sum % (1 << 32), number("checksum"), "{case}");
    }
}

#[test]
fn a_random_split_is_the_same_for_the_same_seed_and_loses_nothing() {
    let split = |seed| sides(&items(10).split_by_rand_pct(0.2, seed).unwrap());
    let (train, valid) = split(3);
    assert_eq!((train.len(), valid.len()), (8, 2));
    assert_eq!(split(3), (train, valid));
    assert!((0..10).any(|seed| split(seed) != split(3)));
}

#[test]
fn subsets_take_their_shares_and_refuse_what_does_not_fit() {
    let (train, valid) = sides(&items(10).split(subsets(0.1, 0.2)).unwrap());
    assert_eq!((train.len(), valid.len()), (1, 2));
    for (train, valid) in [
        (0.6, 0.6),
        (0.0, 0.5),
        (0.5, 0.0),
        (f64::NAN, 0.1),
        (1.0, 0.1),
    ] {
        let error = items(10).split(subsets(train, valid)).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Option(OptionError {
                    option: "subsets",
                    ..
                })
            ),
            "{error}"
        );
    }
}

#[test]
fn positions_decide_and_none_may_be_on_both_sides() {
    let (train, valid) = sides(&items(5).split(Split::ValidIndices(vec![0])).unwrap());
    assert_eq!((train, valid), (vec![1, 2, 3, 4], vec![0]));
    // fastai keeps the order that was given.
    let (train, valid) = sides(&items(5).split(indices([4, 1], [3, 0])).unwrap());
    assert_eq!((train, valid), (vec![4, 1], vec![3, 0]));

    let error = items(5).split(Split::ValidIndices(vec![7])).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Data(DataError::NoSuchItem { index: 7, len: 5 })
        ),
        "{error}"
    );
    let error = items(5).split(indices([1, 2], [2])).unwrap_err();
    assert_matches!(error, Error::Option(OptionError { found, .. }) if found.contains("item 2"));
}

#[test]
fn a_column_decides() {
    let labels = ["False", "TRUE", "0", "1", "train", "valid"];
    let (train, valid) = sides(&labeled(&labels).split_from_df("label").unwrap());
    assert_eq!((train, valid), (vec![0, 2, 4], vec![1, 3, 5]));

    let error = labeled(&["0", "1", "maybe"])
        .split_from_df("label")
        .unwrap_err();
    assert_matches!(
        error,
        Error::Table(TableError::BadCell { row: 2, column, found, .. })
            if column == "label" && found.contains("\"maybe\"")
    );
    // The message says where, what was expected and what was found.
    let message = error.to_string();
    for part in ["row 2", "\"label\"", "\"maybe\"", "true, 1 or valid"] {
        assert!(message.contains(part), "{part:?} is missing in: {message}");
    }
    let error = labeled(&["0"]).split_from_df("is_valid").unwrap_err();
    assert_matches!(
        error,
        Error::Table(TableError::NoSuchColumn { known, .. }) if known == &["name", "label"]
    );
    let error = labeled(&["0", "0"]).split_from_df(1).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Split(SplitError::Empty {
                part: "validation",
                ..
            })
        ),
        "{error}"
    );
}

#[test]
fn functions_lists_of_files_and_folders_decide() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for file in ["a/1.png", "a/2.png", "b/1.png", "b/3.png", "c/4.png"] {
        fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
        fs::write(root.join(file), "").unwrap();
    }
    let list = || ImageList::from_folder(root).unwrap();
    let valid = |lists: SplitList| -> Vec<String> {
        let name = |path: &Path| {
            path.strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        };
        lists.valid_items().map(name).collect()
    };
    let by_func = list()
        .split_by_valid_func(|path| path.ends_with("3.png"))
        .unwrap();
    assert_eq!(valid(by_func), ["b/3.png"]);
    assert_eq!(
        valid(list().split(named(["1.png"])).unwrap()),
        ["a/1.png", "b/1.png"]
    );
    assert_eq!(
        valid(list().split(named(["b/1.png"])).unwrap()),
        ["b/1.png"]
    );
    fs::write(root.join("valid.txt"), "\u{feff}2.png\r\n\n c/4.png\n").unwrap();
    let by_file = list().split(Split::FilesIn("valid.txt".into())).unwrap();
    assert_eq!(valid(by_file), ["a/2.png", "c/4.png"]);

    // The file is under the root, however the split is asked for.
    for file in [Path::new("valid.txt").to_owned(), root.join("valid.txt")] {
        let lists = list().split(Split::FilesIn(file)).unwrap();
        assert_eq!(valid(lists), ["a/2.png", "c/4.png"]);
    }

    let error = list()
        .split(named(["1.png", "9.png", "8.png"]))
        .unwrap_err();
    assert_matches!(
        error,
        Error::Split(SplitError::UnknownFiles { first, count: 2, .. }) if first == "9.png"
    );
    assert!(matches!(
        list().split(Split::FilesIn("none.txt".into())).unwrap_err(),
        Error::Io(IoError { .. })
    ));

    let lists = list().split_by_folder("a", "b").unwrap();
    assert_eq!((lists.train_len(), lists.valid_len()), (2, 2));
    assert!(matches!(
        list().split_by_folder("a", "z").unwrap_err(),
        Error::Files(FilesError::MissingFolder {
            part: "validation",
            ..
        })
    ));
    let lists = list().split_none().unwrap();
    assert_eq!((lists.train_len(), lists.valid_len()), (5, 0));
}

#[test]
fn a_file_is_found_however_its_path_is_written() {
    let folder = tempfile::tempdir_in(".").unwrap();
    let (root, absolute) = (
        folder.path().file_name().unwrap(),
        fs::canonicalize(folder.path()).unwrap(),
    );
    for file in ["a/1.png", "b/2.png"] {
        fs::create_dir_all(folder.path().join(file).parent().unwrap()).unwrap();
        fs::write(folder.path().join(file), "").unwrap();
    }
    fs::write(folder.path().join("v.txt"), "./a/1.png\n").unwrap();
    let root = Path::new(root);
    for list in [root, &Path::new(".").join(root), &absolute] {
        let list = || ImageList::from_folder(list).unwrap();
        let inner = |name: &str| absolute.join(name).to_str().unwrap().to_owned();
        let outer = list().path().join("a/1.png").to_str().unwrap().to_owned();
        for name in ["./a/1.png", "a/./1.png", "1.png", &inner("a/1.png"), &outer] {
            let lists = list()
                .split(named([name]))
                .unwrap_or_else(|e| panic!("{name}: {e}"));
            let found: Vec<_> = lists.valid_items().collect();
            assert_eq!((found.len(), lists.train_len()), (1, 1), "{name}");
            assert!(found[0].ends_with("a/1.png"));
        }
        for name in ["./2/1.png", "./1.png", &inner("1.png"), "/a/1.png"] {
            let error = list().split(named([name])).unwrap_err();
            assert!(
                matches!(error, Error::Split(SplitError::UnknownFiles { .. })),
                "{name}: {error}"
            );
        }
        for file in [Path::new("v.txt"), &list().path().join("v.txt")] {
            let lists = list().split(Split::FilesIn(file.to_owned())).unwrap();
            assert_eq!(lists.valid_len(), 1, "{file:?}");
        }
    }
}

#[cfg(windows)]
#[test]
fn a_file_is_found_with_backslashes() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["a/1.png", "b/2.png"] {
        fs::create_dir_all(folder.path().join(file).parent().unwrap()).unwrap();
        fs::write(folder.path().join(file), "").unwrap();
    }
    let list = ImageList::from_folder(folder.path()).unwrap();
    assert_eq!(list.split(named(["a\\1.png"])).unwrap().valid_len(), 1);
}

#[test]
fn an_empty_side_comes_with_what_to_do() {
    let (valid_pct, seed) = (0.2, 1);
    let by = || By::Column("label".into());
    let apart = ["a", "b", "c", "d", "e"];
    for (labels, split, hint) in [
        (
            ["a"; 4].as_slice(),
            Split::Random { valid_pct, seed },
            "`.valid_pct(0.0)`",
        ),
        (
            &apart,
            Split::Stratified {
                valid_pct,
                seed,
                by: by(),
            },
            "more images per class",
        ),
        (
            &["a"; 5],
            Split::Grouped {
                valid_pct,
                seed,
                by: by(),
            },
            "at least two are needed",
        ),
        (
            &apart,
            Split::Subsets {
                train: 0.1,
                valid: 0.5,
                seed,
            },
            "raise its share",
        ),
        (
            &apart,
            Split::ValidIndices(vec![0, 1, 2, 3, 4]),
            "positions for both parts",
        ),
        (&apart, Split::Files(Vec::new()), "Split::None"),
        (
            &apart,
            Split::Func(PathFn::new(|_| true)),
            "false for others",
        ),
        (&["0"; 5], Split::Column("label".into()), "true, 1, valid"),
        (&[], Split::None, "check the filters"),
    ] {
        let error = labeled(labels).split(split).unwrap_err();
        assert_matches!(
            error,
            Error::Split(SplitError::Empty { hint: found, .. }) if found.contains(hint)
        );
    }
}

#[test]
fn a_random_filter_keeps_the_same_items_for_the_same_seed() {
    let filter = |probability, seed| items(100).filter_by_rand(probability, seed);
    let kept = |seed| filter(0.5, seed).unwrap().items().to_vec();
    assert!(filter(20.0, 1).is_err() && filter(f64::NAN, 1).is_err());
    assert_eq!(kept(1), kept(1));
    assert_ne!(kept(1), kept(2));
    assert!((30..70).contains(&kept(1).len()));
    // The table goes along.
    let list = labeled(&["a", "b", "c"]).filter_by_func(|path| !path.ends_with("0"));
    let lists = list
        .split(Split::Grouped {
            valid_pct: 0.5,
            seed: 1,
            by: BY_LABEL(),
        })
        .unwrap();
    assert_eq!(lists.train_len() + lists.valid_len(), 2);
}

#[test]
fn folders_are_kept_and_left_out_by_their_whole_name() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["test/1.png", "test2/1.png", "a/test/1.png"] {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    let list = || ImageList::from_folder(folder.path()).unwrap();
    assert_eq!(list().filter_by_folder(&[], &["test"]).len(), 2);
    assert_eq!(list().filter_by_folder(&["test", "a"], &[]).len(), 2);
}

#[test]
fn a_stratified_split_keeps_the_shares_of_the_classes() {
    let labels: Vec<String> = [("a", 50), ("b", 30), ("c", 19), ("d", 1)]
        .iter()
        .flat_map(|&(name, count)| vec![name.to_owned(); count])
        .collect();
    let split = Split::Stratified {
        valid_pct: 0.2,
        seed: 5,
        by: BY_LABEL(),
    };
    let (train, valid) = sides(&labeled(&labels).split(split).unwrap());
    // 10 + 6 + 3.8 + 0.2: the rest goes to c, and d is not taken away from training.
    let expected = [("a", 10), ("b", 6), ("c", 4)].map(|(n, c)| (n.to_owned(), c));
    assert_eq!(counts(&labels, &valid), expected.into());
    assert_eq!(counts(&labels, &train)["d"], 1);
}

#[test]
fn keys_come_from_folders_patterns_and_functions_as_well() {
    let files: Vec<String> = (0..40)
        .map(|i| format!("{}/p{}_{i}.png", i % 2, i % 4))
        .collect();
    let table = Table::from_rows(["name"], files.iter().map(|file| [file])).unwrap();
    let list = ImageList::from_df(".", table, &FileColumn::default().with_check(false)).unwrap();
    let patient =
        |path: &Path| path.to_str().unwrap().split('/').next_back().unwrap()[..2].to_owned();
    for by in [
        By::Pattern("/(p[0-9])_".to_owned()),
        By::Func(PathFn::new(patient)),
    ] {
        let lists = list
            .clone()
            .split(Split::Grouped {
                valid_pct: 0.25,
                seed: 1,
                by,
            })
            .unwrap();
        let patients = |items: Vec<&Path>| items.into_iter().map(patient).collect::<BTreeSet<_>>();
        let train = patients(lists.train_items().collect());
        let valid = patients(lists.valid_items().collect());
        assert_eq!((train.len(), valid.len(), lists.valid_len()), (3, 1, 10));
        assert!(train.is_disjoint(&valid));
    }
    let split = Split::Stratified {
        valid_pct: 0.5,
        seed: 1,
        by: By::Folder,
    };
    let lists = list.clone().split(split).unwrap();
    assert_eq!(
        lists
            .valid_items()
            .filter(|path| path.starts_with("./0"))
            .count(),
        10
    );
    let split = Split::Grouped {
        valid_pct: 0.5,
        seed: 1,
        by: By::Pattern("/(q)".to_owned()),
    };
    let error = list.split(split).unwrap_err();
    assert!(
        matches!(error, Error::Label(LabelError::PatternNotFound { .. })),
        "{error}"
    );
}

#[test]
fn there_are_no_more_folds_than_items_or_groups() {
    let by = || {
        By::Func(PathFn::new(|path: &Path| {
            path.to_string_lossy().len().to_string()
        }))
    };
    for folds in [21, usize::MAX] {
        let (fold, seed) = (0, 1);
        for split in [
            Split::Fold { fold, folds, seed },
            Split::StratifiedFold {
                fold,
                folds,
                seed,
                by: by(),
            },
            Split::GroupedFold {
                fold,
                folds,
                seed,
                by: by(),
            },
        ] {
            let error = items(20).split(split).unwrap_err();
            assert_matches!(
                error,
                Error::Option(OptionError { option: "folds", found, .. })
                    if found.contains(&folds.to_string()) && found.contains("20 items")
            );
        }
    }
    // The names "0" to "9" and "10" to "19" are two groups.
    let split = Split::GroupedFold {
        fold: 0,
        folds: 3,
        seed: 1,
        by: by(),
    };
    assert_matches!(
        items(20).split(split).unwrap_err(),
        Error::Option(OptionError { option: "folds", found, .. }) if found.contains("2 groups")
    );
}

#[test]
fn a_fold_has_to_be_one_of_at_least_two() {
    for (fold, folds) in [(0, 1), (0, 0), (3, 3)] {
        let error = items(10)
            .split(Split::Fold {
                fold,
                folds,
                seed: 1,
            })
            .unwrap_err();
        assert!(
            matches!(error, Error::Option(OptionError { option: "fold", .. })),
            "{error}"
        );
    }
    let split = Split::Fold {
        fold: 4,
        folds: 5,
        seed: 1,
    };
    let error = items(3).split(split).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Option(OptionError {
                option: "folds",
                ..
            })
        ),
        "{error}"
    );
}

proptest! {
    #[test]
    fn each_item_is_in_one_fold_and_folds_are_even(
        keys in prop::collection::vec(0_u8..6, 8..120), folds in 2_usize..8, seed: u64,
    ) {
        let labels: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let list = labeled(&labels);
        let mut plain = Vec::new();
        let mut stratified = Vec::new();
        for fold in 0..folds {
            plain.push(sides(&list.clone().split(Split::Fold { fold, folds, seed }).unwrap()).1);
            let split = Split::StratifiedFold { fold, folds, seed, by: BY_LABEL() };
            stratified.push(sides(&list.clone().split(split).unwrap()).1);
        }
        for parts in [&plain, &stratified] {
            let mut all = parts.concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());
            let sizes: Vec<usize> = parts.iter().map(Vec::len).collect();
            prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
        }
        for key in labels.iter().collect::<BTreeSet<_>>() {
            let of = |part: &Vec<usize>| counts(&labels, part).get(key).copied().unwrap_or(0);
            let sizes: Vec<usize> = stratified.iter().map(of).collect();
            prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
        }
    }

    #[test]
    fn no_group_is_on_both_sides(
        keys in prop::collection::vec(0_u8..12, 10..80), pct in 0.1_f64..0.6, seed: u64,
    ) {
        let labels: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let groups = |items: &[usize]| counts(&labels, items).into_keys().collect::<BTreeSet<_>>();
        prop_assume!(groups(&(0..labels.len()).collect::<Vec<_>>()).len() > 4);
        let list = labeled(&labels);
        let (train, valid) = sides(
            &list.clone().split(Split::Grouped { valid_pct: pct, seed, by: BY_LABEL() }).unwrap(),
        );
        prop_assert!(groups(&train).is_disjoint(&groups(&valid)));
        prop_assert_eq!(train.len() + valid.len(), labels.len());
        let smallest = *counts(&labels, &(0..labels.len()).collect::<Vec<_>>()).values().min().unwrap();
        prop_assert!(valid.len() <= smallest.max((labels.len() as f64 * pct) as usize));
        let mut all = Vec::new();
        for fold in 0..3 {
            let split = Split::GroupedFold { fold, folds: 3, seed, by: BY_LABEL() };
            let (train, valid) = sides(&list.clone().split(split).unwrap());
            prop_assert!(groups(&train).is_disjoint(&groups(&valid)));
            all.extend(valid);
        }
        all.sort_unstable();
        prop_assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());
    }

    #[test]
    fn a_stratified_split_takes_no_whole_class_and_the_shares_are_right(
        keys in prop::collection::vec(0_u8..5, 20..150), pct in 0.1_f64..0.9, seed: u64,
    ) {
        let labels: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let split = Split::Stratified { valid_pct: pct, seed, by: BY_LABEL() };
        let (train, valid) = sides(&labeled(&labels).split(split).unwrap());
        let all = counts(&labels, &(0..labels.len()).collect::<Vec<_>>());
        // As many as a random split takes, unless too few classes can give one more than their share.
        let share = |count: usize| (count as f64 * pct) as usize;
        let may_give = all.values().map(|&n| share(n) + usize::from(share(n) + 1 < n));
        prop_assert_eq!(valid.len(), share(labels.len()).min(may_give.sum()));
        let (train, valid) = (counts(&labels, &train), counts(&labels, &valid));
        for (key, count) in all {
            prop_assert!(train.contains_key(&key));
            let share = valid.get(&key).copied().unwrap_or(0) as f64;
            prop_assert!((share - count as f64 * pct).abs() < 1.0 + 1e-9);
        }
    }
}
