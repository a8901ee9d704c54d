//! Labels of all kinds, from everywhere, and what is said about those that do not fit.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use vision_base::OptionError;
use vision_data::{
    ClassWeights, Error, FileColumn, ImageDataBunch, ImageList, Label, LabelError, LabelLists,
    LabelOptions, Split, SplitList, Table, TableError, TargetKind, Targets, UnknownLabels,
};

/// Items "0", "1" and so on, of which those at `valid` are for validation.
fn items(count: usize, valid: &[usize]) -> SplitList {
    table(
        &["name"],
        (0..count).map(|i| vec![i.to_string()]).collect(),
        valid,
    )
}

fn table(columns: &[&str], rows: Vec<Vec<String>>, valid: &[usize]) -> SplitList {
    let table = Table::from_rows(columns.iter().copied(), rows).unwrap();
    ImageList::from_df(".", table, &FileColumn::default().with_check(false))
        .unwrap()
        .split(Split::ValidIndices(valid.into()))
        .unwrap()
}

/// A table with these labels in the column `label`.
fn column(labels: &[&str], valid: &[usize]) -> SplitList {
    let rows = labels.iter().enumerate();
    let rows = rows.map(|(i, label)| vec![i.to_string(), (*label).to_owned()]);
    table(&["name", "label"], rows.collect(), valid)
}

fn texts(targets: &Targets, classes: &[String]) -> Vec<String> {
    (0..targets.len())
        .map(|item| match targets.get(item).unwrap() {
            vision_data::Target::Category(position) => classes[position].clone(),
            vision_data::Target::MultiCategory(positions) => {
                let names: Vec<&str> = positions.iter().map(|&p| classes[p].as_str()).collect();
                names.join(";")
            }
            vision_data::Target::Float(values) => format!("{values:?}"),
        })
        .collect()
}

fn both(lists: &LabelLists) -> (Vec<String>, Vec<String>) {
    let classes = lists.classes();
    (
        texts(lists.train().targets(), classes),
        texts(lists.valid().targets(), classes),
    )
}

/// Labels that are not among the classes: part, label and number of items of each.
#[track_caller]
fn unknown(error: &Error) -> Vec<(&str, &str, usize)> {
    match error {
        Error::Label(LabelError::UnknownClasses { unknown, .. }) => {
            let all = unknown.iter();
            all.map(|d| (d.part, d.label.as_str(), d.items)).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// The label of a file cannot be used; what was found.
#[track_caller]
fn bad_label<'a>(file: &str, error: &'a Error) -> &'a str {
    match error {
        Error::Label(LabelError::BadLabel { path, found, .. }) => {
            assert!(path.ends_with(file), "{error:?}");
            found
        }
        other => panic!("{other:?}"),
    }
}

fn letters(text: &str) -> Vec<String> {
    text.chars().map(String::from).collect()
}

#[test]
fn classes_are_those_of_training_sorted_and_may_be_given() {
    // fastai's own case.
    let lists = items(5, &[2, 4]).label_from_list(letters("cabbc")).unwrap();
    assert_eq!(lists.classes(), ["a", "b", "c"]);
    let (train, valid) = both(&lists);
    assert_eq!(
        (train.join(""), valid.join("")),
        ("cab".into(), "bc".into())
    );

    let options = LabelOptions::new().with_classes(["a", "b", "c", "d"]);
    let lists = items(5, &[2, 4])
        .label_with(options)
        .label_from_list(letters("cabbc"))
        .unwrap();
    assert_eq!(
        (lists.classes().len(), lists.kind()),
        (4, TargetKind::Category)
    );
    let options = LabelOptions::new().with_classes(["b", "c", "a"]);
    let lists = items(5, &[2, 4])
        .label_with(options)
        .label_from_list(letters("cabbc"))
        .unwrap();
    assert_eq!(*lists.train().targets(), Targets::Category(vec![1, 2, 0]));
}

#[test]
fn an_unknown_label_is_an_error_that_counts_and_dropped_only_on_request() {
    let labels = || letters("cabdbdce");
    let error = items(8, &[3, 4, 5, 7])
        .label_from_list(labels())
        .unwrap_err();
    assert_eq!(
        unknown(&error),
        [("validation", "d", 2), ("validation", "e", 1)]
    );
    // The message has the numbers, the labels, the classes, and two ways out.
    let message = error.to_string();
    for part in [
        "3 validation",
        "d (2), e (1)",
        "a, b, c",
        "seed",
        "with_unknown",
    ] {
        assert!(message.contains(part), "{part:?} is missing in: {message}");
    }

    let options = LabelOptions::new().with_unknown(UnknownLabels::Drop);
    let lists = items(8, &[3, 4, 5, 7])
        .label_with(options)
        .label_from_list(labels())
        .unwrap();
    assert_eq!(both(&lists).1, ["b"]);
    assert_eq!(lists.valid().files(), [Path::new("./4")]);
    let dropped: Vec<_> = lists
        .dropped()
        .iter()
        .map(|d| (d.part, d.label.as_str(), d.items, d.first.as_path()))
        .collect();
    assert_eq!(
        dropped,
        [
            ("validation", "d", 2, Path::new("./3")),
            ("validation", "e", 1, Path::new("./7"))
        ]
    );
    let data = lists.databunch().build().unwrap();
    assert_eq!(data.dropped().len(), 2);
}

#[test]
fn a_training_label_that_is_none_of_the_given_classes_is_an_error_as_well() {
    let options = LabelOptions::new().with_classes(["a", "b"]);
    let split = || items(5, &[2, 4]).label_with(options.clone());
    let error = split().label_from_list(letters("cabbc")).unwrap_err();
    assert_eq!(
        unknown(&error),
        [("training", "c", 1), ("validation", "c", 1)]
    );
    let options = options.clone().with_unknown(UnknownLabels::Drop);
    let lists = items(5, &[2, 4])
        .label_with(options)
        .label_from_list(letters("cabbc"))
        .unwrap();
    assert_eq!(
        (lists.train().files().len(), lists.valid().files().len()),
        (2, 1)
    );
}

#[test]
fn several_classes_an_item_are_split_at_the_delimiter() {
    // fastai's own case.
    let labels = ["c a", "a b", "b c", "", "a"];
    let options = LabelOptions::new().with_delimiter(" ");
    let lists = column(&labels, &[])
        .label_with(options.clone())
        .label_from_df(["label"])
        .unwrap();
    assert_eq!(
        (lists.kind(), lists.classes().len()),
        (TargetKind::MultiCategory, 3)
    );
    assert_eq!(both(&lists).0, ["a;c", "a;b", "b;c", "", "a"]);
    assert_eq!(
        lists.train().targets().rows()[..6],
        [1., 0., 1., 1., 1., 0.]
    );
    // As a list, and with spaces and repetitions that mean nothing.
    let options = LabelOptions::new().with_delimiter(";");
    let lists = items(3, &[])
        .label_with(options)
        .label_from_list(["b ; a;", "", "b;b"])
        .unwrap();
    assert_eq!(both(&lists).0, ["a;b", "", "b"]);
    let lists = items(2, &[])
        .label_from_list([vec!["x", "y"], vec![]])
        .unwrap();
    assert_eq!(both(&lists).0, ["x;y", ""]);
}

#[test]
fn an_unknown_class_among_several_is_dropped_without_its_item() {
    let labels = [vec!["a"], vec!["b"], vec!["a", "z"]];
    let split = || items(3, &[2]);
    let error = split().label_from_list(labels.clone()).unwrap_err();
    assert_eq!(unknown(&error), [("validation", "z", 1)]);
    let options = LabelOptions::new().with_unknown(UnknownLabels::Drop);
    let lists = split().label_with(options).label_from_list(labels).unwrap();
    assert_eq!(both(&lists).1, ["a"]);
    assert_eq!(lists.dropped()[0].label, "z");
}

#[test]
fn columns_of_zeros_and_ones_are_classes() {
    let rows = [
        ["0", "1", "0", "0"],
        ["1", "1", "0", "1"],
        ["2", "0", "0", "0"],
    ];
    let rows = || {
        rows.iter()
            .map(|row| row.map(ToOwned::to_owned).to_vec())
            .collect()
    };
    let split = table(&["name", "sun", "haze", "road"], rows(), &[]);
    let lists = split.label_from_df(["sun", "haze", "road"]).unwrap();
    // In the order of the columns, even where no item has the class.
    assert_eq!(lists.classes(), ["sun", "haze", "road"]);
    assert_eq!(both(&lists).0, ["sun", "sun;road", ""]);

    let options = LabelOptions::new().with_kind(TargetKind::Float);
    let split = table(&["name", "sun", "haze", "road"], rows(), &[]);
    let lists = split.label_with(options).label_from_df([1, 3]).unwrap();
    assert_eq!(lists.train().targets().rows(), [1., 0., 1., 1., 0., 0.]);
}

#[test]
fn a_column_of_integers_is_sorted_as_numbers_and_text_by_code_point() {
    let lists = column(&["10", "2", "-1", "2"], &[])
        .label_from_df([1])
        .unwrap();
    assert_eq!(lists.classes(), ["-1", "2", "10"]);
    let lists = column(&["10", "2", "é", "Z", "a"], &[])
        .label_from_df([1])
        .unwrap();
    assert_eq!(lists.classes(), ["10", "2", "Z", "a", "é"]);
    let lists = items(3, &[]).label_from_list([10, 9, 10]).unwrap();
    assert_eq!(lists.classes(), ["9", "10"]);
    // Names that happen to be numbers stay names.
    let lists = items(3, &[]).label_from_list(["10", "9", "10"]).unwrap();
    assert_eq!(lists.classes(), ["10", "9"]);
}

#[test]
fn integers_of_any_length_are_classes() {
    let classes = |labels: &[&str], options: LabelOptions| {
        let lists = column(labels, &[])
            .label_with(options)
            .label_from_df(["label"])
            .unwrap();
        (lists.kind(), lists.classes().to_vec())
    };
    // 2^63 - 1 is the last that fits 64 bits.
    let fits = ["9223372036854775807", "10", "9"];
    let (kind, names) = classes(&fits, LabelOptions::new());
    assert_eq!(
        (kind, names.as_slice()),
        (
            TargetKind::Category,
            &["9", "10", fits[0]].map(String::from)[..]
        )
    );
    for long in [
        "9223372036854775808",
        "99999999999999999999",
        "-99999999999999999999",
    ] {
        for labels in [[long, "10", "9"], ["9", "10", long]] {
            let (kind, names) = classes(&labels, LabelOptions::new());
            let mut sorted = labels.map(String::from);
            sorted.sort_unstable();
            assert_eq!((kind, names), (TargetKind::Category, sorted.to_vec()));
            let numbers = LabelOptions::new().with_kind(TargetKind::Float);
            assert_eq!(classes(&labels, numbers).0, TargetKind::Float);
        }
    }
    // Beside a fraction it is a number like the others.
    assert_eq!(
        classes(&["0.5", "99999999999999999999"], LabelOptions::new()).0,
        TargetKind::Float
    );
    assert_eq!(
        classes(&["99999999999999999999", "0.5"], LabelOptions::new()).0,
        TargetKind::Float
    );
}

#[test]
fn long_labels_and_many_of_them_are_not_printed_as_a_whole() {
    let long = |i: usize| format!("{i}{}", "x".repeat(100_000));
    let labels = || (0..40).map(long).collect::<Vec<_>>();
    let given = |classes: &[String]| LabelOptions::new().with_classes(classes.to_vec());
    let split = || items(40, &[0]);
    let weights = ClassWeights::map([("z", 1.0)]);
    let lists = split()
        .label_with(given(&labels()))
        .label_from_list(labels())
        .unwrap();
    let known = ["a".to_owned(), long(50)];
    let drop = given(&known).with_unknown(UnknownLabels::Drop);
    let numbers = LabelOptions::new().with_kind(TargetKind::Float);
    let many = || (0..40).map(|_| Label::Multi(labels()));
    for error in [
        split().label_from_list(labels()).unwrap_err(),
        split()
            .label_with(given(&known))
            .label_from_list(labels())
            .unwrap_err(),
        split()
            .label_with(drop)
            .label_from_list(labels())
            .unwrap_err(),
        split()
            .label_with(numbers.clone())
            .label_from_list(labels())
            .unwrap_err(),
        split()
            .label_with(numbers)
            .label_from_list(many())
            .unwrap_err(),
        split()
            .label_with(given(&[long(1), long(1)]))
            .label_from_list(labels())
            .unwrap_err(),
        lists
            .databunch()
            .class_weights(weights)
            .build()
            .unwrap_err(),
    ] {
        let message = error.to_string();
        assert!(
            message.len() < 6000,
            "{} bytes: {}",
            message.len(),
            &message[..300]
        );
        assert!(message.contains("… (10000"), "{message}");
    }
}

#[test]
fn numbers_are_predicted_as_they_are_or_by_their_logarithm() {
    let lists = column(&["1.5", "2", "1e2"], &[2])
        .label_from_df(["label"])
        .unwrap();
    assert_eq!(lists.kind(), TargetKind::Float);
    assert_eq!(lists.train().targets().rows(), [1.5, 2.0]);
    assert_eq!(lists.valid().targets().rows(), [100.0]);
    let data = lists.databunch().build().unwrap();
    assert_eq!((data.c(), data.classes().len()), (1, 0));
    assert_eq!(data.train_ds().label_text(0).unwrap(), "1.5");

    // numpy.log(numpy.float32(1.5)), numpy.log(numpy.float32(2)).
    let options = LabelOptions::new()
        .with_kind(TargetKind::Float)
        .with_log(true);
    let lists = column(&["1.5", "2"], &[])
        .label_with(options.clone())
        .label_from_df([1])
        .unwrap();
    let logs = lists.train().targets().rows();
    assert!(
        (logs[0] - 0.405_465_1).abs() < 1e-6 && (logs[1] - std::f32::consts::LN_2).abs() < 1e-6
    );
    let error = column(&["1.5", "0"], &[])
        .label_with(options)
        .label_from_df([1])
        .unwrap_err();
    assert_matches!(
        error,
        Error::Table(TableError::BadCell { row: 1, column, .. }) if column == "label"
    );

    let columns = [["0", "1.5", "-3"], ["1", "2", "4"]];
    let rows = columns
        .iter()
        .map(|row| row.map(ToOwned::to_owned).to_vec())
        .collect();
    let lists = table(&["name", "x", "y"], rows, &[])
        .label_from_df(["x", "y"])
        .unwrap();
    assert_eq!(lists.train().targets().rows(), [1.5, -3., 2., 4.]);
    assert_eq!(lists.databunch().build().unwrap().c(), 2);
}

#[test]
fn integers_may_be_numbers_and_numbers_may_be_classes_if_the_user_says_so() {
    let of = |kind, labels: &[&str]| {
        let options = LabelOptions::new().with_kind(kind);
        column(labels, &[]).label_with(options).label_from_df([1])
    };
    let lists = of(TargetKind::Float, &["3", "10"]).unwrap();
    assert_eq!(lists.train().targets().rows(), [3., 10.]);
    let lists = of(TargetKind::Category, &["1.0", "2.5"]).unwrap();
    assert_eq!(lists.classes(), ["1.0", "2.5"]);
    assert_matches!(
        of(TargetKind::Float, &["1", "inf"]).unwrap_err(),
        Error::Table(TableError::BadCell { row: 1, found, .. }) if found.contains("inf")
    );
}

#[test]
fn labels_that_do_not_go_together_are_named_by_their_file() {
    let mixed = [Label::from("a"), Label::from(0.5_f32)];
    let error = items(2, &[]).label_from_list(mixed).unwrap_err();
    assert!(bad_label("1", &error).contains("0.5"), "{error}");
    let error = items(2, &[])
        .label_from_list([vec![1.0_f32], vec![1.0, 2.0]])
        .unwrap_err();
    assert!(bad_label("1", &error).contains("2 numbers"), "{error}");
    let error = items(2, &[]).label_from_list([f32::NAN, 1.0]).unwrap_err();
    assert!(bad_label("0", &error).contains("NaN"), "{error}");
    let error = items(2, &[]).label_from_list([1.0, 1e300]).unwrap_err();
    assert!(bad_label("1", &error).contains("1e300"), "{error}");
    let error = items(2, &[]).label_from_list(["a", ""]).unwrap_err();
    bad_label("1", &error);
    let error = items(2, &[]).label_from_list(["a"]).unwrap_err();
    assert!(matches!(
        error,
        Error::Label(LabelError::Count {
            items: 2,
            labels: 1
        })
    ));
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    for options in [
        LabelOptions::new().with_delimiter(""),
        LabelOptions::new()
            .with_delimiter(" ")
            .with_kind(TargetKind::Float),
        LabelOptions::new().with_delimiter(" ").with_log(true),
        LabelOptions::new()
            .with_kind(TargetKind::Category)
            .with_log(true),
    ] {
        let error = items(2, &[])
            .label_with(options)
            .label_from_list(["a", "b"])
            .unwrap_err();
        assert!(
            matches!(error, Error::Option(OptionError { .. })),
            "{error}"
        );
    }
}

#[test]
fn a_pattern_that_fails_is_named_with_the_file() {
    let error = items(2, &[])
        .label_from_re(r"/([^/]+)/\d+.png$")
        .unwrap_err();
    assert_matches!(
        error,
        Error::Label(LabelError::PatternNotFound { pattern, path })
            if pattern == r"/([^/]+)/\d+.png$" && path.ends_with("0")
    );
    for wrong in ["(", "a"] {
        assert_matches!(
            items(2, &[]).label_from_re(wrong).unwrap_err(),
            Error::Label(LabelError::BadPattern { pattern, .. }) if pattern == wrong
        );
    }
}

#[test]
fn columns_need_a_table() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("1.png"), "").unwrap();
    let split = ImageList::from_folder(folder.path())
        .unwrap()
        .split_none()
        .unwrap();
    let error = split.label_from_df(["label"]).unwrap_err();
    assert!(
        matches!(error, Error::Table(TableError::NoTable { .. })),
        "{error}"
    );
    assert!(column(&["a", "b"], &[]).label_from_df::<&str>([]).is_err());
}

#[test]
fn a_test_set_has_labels_only_if_they_are_given() {
    let lists = || items(4, &[]).label_from_list(["a", "b", "a", "b"]).unwrap();
    let test = || {
        let table = Table::from_rows(["name"], [["8"], ["9"]]).unwrap();
        ImageList::from_df(".", table, &FileColumn::default().with_check(false)).unwrap()
    };
    let data = lists().add_test(test()).databunch().build().unwrap();
    let found = data.test_ds().unwrap();
    assert_eq!((found.len(), found.labels()), (2, &Targets::Empty(2)));

    let data = lists()
        .add_labeled_test(test(), ["b", "a"])
        .unwrap()
        .databunch()
        .build()
        .unwrap();
    assert_eq!(
        *data.test_ds().unwrap().labels(),
        Targets::Category(vec![1, 0])
    );
    let error = lists().add_labeled_test(test(), ["b", "z"]).unwrap_err();
    assert_eq!(unknown(&error), [("test", "z", 1)]);
    assert!(lists().add_labeled_test(test(), ["b"]).is_err());
}

#[test]
fn labels_of_a_test_set_are_read_as_those_before() {
    let test = || {
        let table = Table::from_rows(["name"], [["8"], ["9"]]).unwrap();
        ImageList::from_df(".", table, &FileColumn::default().with_check(false)).unwrap()
    };
    let logs = LabelOptions::new()
        .with_kind(TargetKind::Float)
        .with_log(true);
    let lists = items(2, &[])
        .label_with(logs)
        .label_from_list([10, 100])
        .unwrap();
    let lists = lists.add_labeled_test(test(), [100.0, 10.0]).unwrap();
    let [train, test_rows] =
        [lists.train(), lists.test().unwrap()].map(|part| part.targets().rows());
    assert_eq!(train, [10.0_f32.ln(), 100.0_f32.ln()]);
    assert_eq!(test_rows, [train[1], train[0]]);

    let tags = LabelOptions::new().with_delimiter(" ");
    let lists = items(2, &[])
        .label_with(tags)
        .label_from_list(["a b", "b"])
        .unwrap();
    let lists = lists.add_labeled_test(test(), ["b a", ""]).unwrap();
    assert_eq!(lists.test().unwrap().targets().rows(), [1.0, 1.0, 0.0, 0.0]);
}

#[test]
fn options_for_labels_add_up_whatever_their_order() {
    let rows = [["1", "b a"], ["2", "a"], ["3", "b c"]];
    let table = Table::from_rows(["name", "label"], rows).unwrap();
    let build = || {
        ImageDataBunch::from_df(".", table.clone())
            .no_check()
            .valid_pct(0.0)
    };
    let classes = LabelOptions::new().with_classes(["b", "a"]);
    let drop = LabelOptions::new().with_unknown(UnknownLabels::Drop);
    for data in [
        build()
            .label_delim(" ")
            .label_with(drop.clone())
            .label_with(classes.clone()),
        build()
            .label_with(classes.clone())
            .label_with(drop.clone())
            .label_delim(" "),
        build()
            .classes(["b", "a"])
            .label_with(LabelOptions::new().with_delimiter(" "))
            .label_with(drop.clone()),
    ] {
        let data = data.batch_size(1).build().unwrap();
        assert_eq!(
            (data.kind(), data.classes()),
            (TargetKind::MultiCategory, &["b", "a"].map(String::from)[..])
        );
        assert_eq!(data.dropped().len(), 1);
    }
    let split = column(&["x", "y"], &[]).label_with(LabelOptions::new().with_classes(["y", "x"]));
    let lists = split
        .label_with(LabelOptions::new())
        .label_from_df([1])
        .unwrap();
    assert_eq!(lists.classes(), ["y", "x"]);
}

#[test]
fn numbers_that_are_given_as_classes_are_classes() {
    let split = column(&["0.5", "1.5", "0.5"], &[]);
    let classes = LabelOptions::new().with_classes(["1.5", "0.5"]);
    let lists = split
        .label_with(classes.clone())
        .label_from_df([1])
        .unwrap();
    assert_eq!(
        (lists.kind(), both(&lists).0),
        (
            TargetKind::Category,
            ["0.5", "1.5", "0.5"].map(String::from).to_vec()
        )
    );
    // Of numbers that are no text it is not known how they are written.
    let error = items(2, &[])
        .label_with(classes)
        .label_from_list([0.5, 1.5])
        .unwrap_err();
    assert_matches!(
        error,
        Error::Label(LabelError::BadClasses { reason }) if reason.contains("1.5, 0.5")
    );
}

#[test]
fn a_learner_to_predict_may_have_several_classes_an_item() {
    let data = ImageDataBunch::single_from_classes(".", ["a"])
        .kind(TargetKind::MultiCategory)
        .build()
        .unwrap();
    assert_eq!((data.c(), data.kind()), (1, TargetKind::MultiCategory));
    let error = ImageDataBunch::single_from_classes(".", ["a"])
        .build()
        .unwrap_err();
    assert!(matches!(
        error,
        Error::Label(LabelError::TooFewClasses { .. })
    ));
}

#[test]
fn an_unknown_label_that_may_be_several_or_a_number_says_how_to_read_it() {
    let says = |labels: &[&str], valid: &[usize], text: &str, expected: bool| {
        let error = column(labels, valid).label_from_df(["label"]).unwrap_err();
        assert_matches!(
            error,
            Error::Label(LabelError::UnknownClasses { hint, .. }) if hint.contains(text) == expected
        );
    };
    let tags = ["haze road", "haze", "road water", "road haze"];
    says(&tags, &[3], "label_delim(\" \")", true);
    let names = ["golden retriever", "pug", "boxer", "golden hamster"];
    says(&names, &[3], "label_delim", false);
    says(&["31", "8", "62", "17"], &[3], "TargetKind::Float", true);
    says(&["31", "8", "62", "old"], &[3], "TargetKind::Float", false);
}

/// A message that names two words which print alike says how they are spelled.
#[test]
fn names_that_print_alike_are_told_apart_in_messages() {
    const BOTH: [&str; 2] = ["caf\\u{e9}", "cafe\\u{301}"];
    let classes = || ["café", "dog"].map(str::to_owned);
    let unknown = column(&["café", "dog", "cafe\u{301}"], &[2]).label_from_df(["label"]);
    let given = column(&["cafe\u{301}", "dog", "dog"], &[2])
        .label_with(LabelOptions::new().with_classes(classes()))
        .label_from_df(["label"]);
    let none_left = column(&["cafe\u{301}", "cafe\u{301}", "dog"], &[2])
        .label_with(
            LabelOptions::new()
                .with_classes(["café", "x"])
                .with_unknown(UnknownLabels::Drop),
        )
        .label_from_df(["label"]);
    let weights = column(&["café", "dog", "café"], &[2])
        .label_from_df(["label"])
        .unwrap();
    let weights = weights
        .databunch()
        .class_weights(ClassWeights::map([("cafe\u{301}", 2.0)]));

    let folder = tempfile::tempdir().unwrap();
    for class in ["café", "dog"] {
        std::fs::create_dir_all(folder.path().join(class)).unwrap();
        std::fs::write(folder.path().join(class).join("café.png"), "").unwrap();
    }
    let folders = ImageDataBunch::from_folder(folder.path()).valid_pct(0.0);
    let folders = folders.classes(["cafe\u{301}", "dog"]).build();
    let files = ImageList::from_folder(folder.path()).unwrap();
    let files = files.split(Split::Files(vec!["cafe\u{301}.png".to_owned()]));
    for (what, error) in [
        ("unknown", unknown.unwrap_err()),
        ("given", given.unwrap_err()),
        ("none left", none_left.unwrap_err()),
        ("weights", weights.build().unwrap_err()),
        ("folders", folders.unwrap_err()),
        ("files", files.unwrap_err()),
    ] {
        let message = error.to_string();
        let told =
            BOTH.iter().all(|name| message.contains(name)) && message.contains("print alike");
        assert!(told, "{what}: {message}");
    }
    // Blanks and case are seen in quotes.
    let blank = column(&["cat", "dog", "cat "], &[2])
        .label_from_df(["label"])
        .unwrap_err();
    let note = "\"cat \" and \"cat\" differ by blanks or case only";
    assert!(blank.to_string().ends_with(note), "{blank}");
    let other = column(&["cat", "dog", "bird"], &[2])
        .label_from_df(["label"])
        .unwrap_err();
    assert!(!other.to_string().contains("Note that"), "{other}");
}
