//! Decisions about images: the file, and what it does to data of each source.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use vision_data::datasets::synthetic;
use vision_data::inspect::doctor::Doctor;
use vision_data::{
    ArchiveImages, Decided, Decision, DecisionError, Decisions, Error, Image, ImageDataBunch,
    ImageDataset, ImageList, Label, LabelError, LabelOptions, MemoryImages, Relabeled, Split,
    Table, TableError, TargetKind,
};

/// A folder, and 8 training and 4 validation images in it.
fn digits() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("digits");
    synthetic::digits(&path, 1, 4, 2).unwrap();
    (folder, path)
}

fn read(text: &str) -> vision_data::Result<Decisions> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("decisions.csv");
    fs::write(&file, text).unwrap();
    Decisions::read(&file)
}

fn relabel(label: &str) -> Decision {
    Decision::Relabel(label.to_owned())
}

fn all(decisions: &Decisions) -> Vec<(String, Decision)> {
    let all = decisions.iter();
    all.map(|(name, decision)| (name.to_owned(), decision.clone()))
        .collect()
}

fn decisions(entries: &[(&str, Decision)]) -> Decisions {
    let mut decisions = Decisions::new();
    for (name, decision) in entries {
        decisions.set(*name, decision.clone()).unwrap();
    }
    decisions
}

/// The label of each image of a part, by its name.
fn labels(root: &Path, part: &ImageDataset) -> BTreeMap<String, String> {
    let name = |path: &Path| {
        path.strip_prefix(root)
            .unwrap_or(path)
            .to_string_lossy()
            .into_owned()
    };
    let items = part.paths().iter().enumerate();
    items
        .map(|(item, path)| (name(path), part.label_text(item).unwrap_or_default()))
        .collect()
}

fn both(data: &ImageDataBunch) -> [BTreeMap<String, String>; 2] {
    [data.train_ds(), data.valid_ds()].map(|part| labels(data.path(), part))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn decisions_that_are_written_are_read_again(
        entries in prop::collection::btree_map(
            "['=+@\\-＝,;\"\t\r\n./a-cé😀 \u{feff}]{1,12}", (0..3_u8, "['=+\\-0-9.,;\"\r\na ]{0,8}"), 0..8,
        )
    ) {
        let mut decisions = Decisions::new();
        for (name, (which, label)) in entries {
            decisions.set(name, match which {
                0 => Decision::Keep,
                1 => Decision::Exclude,
                _ => Decision::Relabel(label),
            }).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("decisions.csv");
        decisions.save(&file).unwrap();
        prop_assert_eq!(all(&Decisions::read(&file).unwrap()), all(&decisions));
        // No cell is a formula, unless it is a number.
        let table = Table::read_csv(&file, &vision_data::CsvOptions::new().with_missing([""; 0]));
        if let Ok(table) = table {
            for row in 0..table.len() {
                for column in 0..3 {
                    let cell = table.cell(row, &column.into()).unwrap().unwrap();
                    let formula = cell.starts_with(['=', '+', '-', '@', '＝', '\t', '\r', '\n']);
                    prop_assert!(!formula || cell.parse::<f64>().is_ok(), "{:?}", cell);
                }
            }
        }
    }
}

#[test]
fn a_file_is_read_as_editors_and_spreadsheets_write_it() {
    let expected = [
        ("train/a, \"b\".jpg".to_owned(), relabel("dog")),
        ("train/c\nd.jpg".to_owned(), Decision::Exclude),
        ("=e.jpg".to_owned(), Decision::Keep),
        ("NA".to_owned(), Decision::Keep),
    ];
    let lines = "\"train/a, \"\"b\"\".jpg\",relabel,dog\n\"train/c\nd.jpg\",exclude,\n'=e.jpg, Keep ,\n\nNA,keep,\n";
    let plain = format!("file,decision,label\n{lines}");
    assert_eq!(all(&read(&plain).unwrap()), expected);
    assert_eq!(all(&read(&format!("\u{feff}{plain}")).unwrap()), expected);
    let windows = plain.replace('\n', "\r\n").replace("c\r\nd", "c\nd");
    assert_eq!(all(&read(&windows).unwrap()), expected);
    // Other columns, in another order, with semicolons.
    let other = "note;label;file;decision\nx;;a.jpg;exclude\n;\"b;c\";b.jpg;relabel\n";
    let expected = [
        ("a.jpg".to_owned(), Decision::Exclude),
        ("b.jpg".to_owned(), relabel("b;c")),
    ];
    assert_eq!(all(&read(other).unwrap()), expected);
    // Without labels, without decisions.
    assert_eq!(read("decision\tfile\nkeep\ta.jpg\n").unwrap().len(), 1);
    assert!(read("file,decision,label\n").unwrap().is_empty());
    // The same decision twice is one.
    assert_eq!(
        read("file,decision\na.jpg,keep\n./a.jpg,keep\n")
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn the_csv_file_is_what_the_documentation_shows() {
    let decisions = decisions(&[
        ("train/cat/1.jpg", relabel("dog")),
        ("train/cat/2.jpg", Decision::Exclude),
        ("valid/dog/a, b.jpg", Decision::Keep),
    ]);
    let text = "file,decision,label\ntrain/cat/1.jpg,relabel,dog\ntrain/cat/2.jpg,exclude,\n\"valid/dog/a, b.jpg\",keep,\n";
    assert_eq!(decisions.to_csv(), text);
    assert_eq!(
        decisions.get("./train/cat//2.jpg"),
        Some(&Decision::Exclude)
    );
    assert_eq!(decisions.get("train/cat/3.jpg"), None);
}

#[test]
fn what_is_wrong_in_a_file_is_named_with_its_line() {
    for (text, expected) in [
        ("file,decision\na,delete\n", "line 2 of"),
        ("file,decision\na,delete\n", "keep, relabel or exclude"),
        ("file,decision\na,\n", "found nothing"),
        ("file,decision,label\na,keep,\n,exclude,\n", "line 3 of"),
        (
            "file,decision,label\na,keep,dog\n",
            "since only relabel has a label",
        ),
        ("file,decision,label\na,exclude,dog\n", "found \"dog\""),
        ("name,decision\na,keep\n", "has no column \"file\""),
        (
            "file,file,decision\na,a,keep\n",
            "2 columns called \"file\"",
        ),
        ("file,decision,label\na,keep\n", "expected 3 cells"),
        ("file,decision,label\n\"a,keep,\n", "never closed"),
    ] {
        match read(text) {
            Err(Error::Table(error)) => {
                let message = error.to_string();
                assert!(message.contains(expected), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert_matches!(read(""), Err(Error::Table(TableError::Empty { .. })));
    let different = read("file,decision,label\na,relabel,x\nb,keep,\n./a,relabel,y\n");
    match different {
        Err(Error::Decision(DecisionError::Twice {
            name,
            first,
            second,
        })) => {
            assert_eq!(name, "./a");
            assert!(first.starts_with("line 2 of") && second.starts_with("line 4 of"));
        }
        other => panic!("{other:?}"),
    }
    let folder = tempfile::tempdir().unwrap();
    assert_matches!(Decisions::read(folder.path()), Err(Error::Io(_)));
    let utf16 = folder.path().join("utf16.csv");
    fs::write(
        &utf16,
        "\u{feff}file"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<u8>>(),
    )
    .unwrap();
    assert_matches!(
        Decisions::read(&utf16),
        Err(Error::Table(TableError::Csv { line: 1, .. }))
    );
    for name in ["", "a\0b"] {
        assert_matches!(
            Decisions::new().set(name, Decision::Keep),
            Err(Error::Option(_))
        );
    }
    assert_matches!(
        Decisions::new().set("a", relabel("\0")),
        Err(Error::Option(_))
    );
}

#[test]
fn in_folders_excluded_images_are_left_out_and_others_get_new_labels() {
    let (_folder, path) = digits();
    let plain = ImageDataBunch::from_folder(&path)
        .batch_size(2)
        .build()
        .unwrap();
    let [mut train, mut valid] = both(&plain);
    assert_eq!(plain.decided(), &Decided::default());
    let data = ImageDataBunch::from_folder(&path)
        .decisions(decisions(&[
            ("train/3/00000.png", Decision::Exclude),
            ("train/3/00001.png", relabel("7")),
            ("valid/7/00001.png", relabel("3")),
            ("valid/7/00000.png", Decision::Keep),
            ("train/7/00000.png", relabel("7")),
        ]))
        .batch_size(2)
        .build()
        .unwrap();
    train.remove("train/3/00000.png").unwrap();
    train.insert("train/3/00001.png".to_owned(), "7".to_owned());
    valid.insert("valid/7/00001.png".to_owned(), "3".to_owned());
    assert_eq!(both(&data), [train, valid]);
    assert_eq!(data.decided().excluded, [path.join("train/3/00000.png")]);
    let relabeled: Vec<(&Path, &str, &str)> = (data.decided().relabeled.iter())
        .map(|Relabeled { file, from, to, .. }| (file.as_path(), &**from, &**to))
        .collect();
    let (a, b) = (
        path.join("train/3/00001.png"),
        path.join("valid/7/00001.png"),
    );
    assert_eq!(relabeled, [(&*a, "3", "7"), (&*b, "7", "3")]);
    assert!(
        data.to_string()
            .ends_with("; decisions exclude 1 and relabel 2"),
        "{data}"
    );
    assert!(path.join("train/3/00000.png").is_file());
}

#[test]
fn images_that_stay_are_in_the_same_part_as_before_whatever_the_split() {
    let (_folder, path) = digits();
    let build = |split: Split, decisions: Decisions| {
        let data = ImageDataBunch::from_folder(&path)
            .split(split)
            .decisions(decisions);
        data.batch_size(2).build().unwrap()
    };
    let seed = 5;
    for split in [
        Split::Random {
            valid_pct: 0.4,
            seed,
        },
        Split::Numpy {
            valid_pct: 0.4,
            seed: 5,
        },
        Split::ValidIndices(vec![1, 4, 8, 10]),
    ] {
        let [mut train, mut valid] = both(&build(split.clone(), Decisions::new()));
        let (first, second) = (
            train.keys().next().unwrap().clone(),
            valid.keys().next().unwrap().clone(),
        );
        let excluded = decisions(&[(&*first, Decision::Exclude), (&*second, Decision::Exclude)]);
        train.remove(&first);
        valid.remove(&second);
        assert_eq!(both(&build(split, excluded)), [train, valid]);
    }
}

#[test]
fn tables_lists_and_archives_are_decided_alike() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let names: Vec<String> = (0..6).map(|i| format!("{i}.png")).collect();
    for name in &names {
        image::RgbImage::new(4, 4).save(path.join(name)).unwrap();
    }
    let own = ["cat", "dog", "cat", "dog", "cat", "dog"];
    let decided = || decisions(&[("1.png", relabel("cat")), ("2.png", Decision::Exclude)]);
    let expected: BTreeMap<String, String> =
        [(0, "cat"), (1, "cat"), (3, "dog"), (4, "cat"), (5, "dog")]
            .map(|(i, label)| (names[i].clone(), label.to_owned()))
            .into();
    let check = |data: ImageDataBunch| {
        let [train, valid] = both(&data);
        assert_eq!(
            train.into_iter().chain(valid).collect::<BTreeMap<_, _>>(),
            expected
        );
        assert_eq!(data.decided().excluded.len(), 1);
        assert_eq!(data.decided().relabeled.len(), 1);
    };
    let rows: String = names
        .iter()
        .zip(own)
        .map(|(name, own)| format!("{name},{own}\n"))
        .collect();
    fs::write(path.join("labels.csv"), format!("name,label\n{rows}")).unwrap();
    let with = |valid: Vec<usize>| Split::ValidIndices(valid);
    let from_csv = ImageDataBunch::from_csv(path)
        .split(with(vec![4, 5]))
        .decisions(decided());
    check(from_csv.batch_size(2).build().unwrap());
    let table = Table::from_rows(
        ["name", "label"],
        names
            .iter()
            .map(String::as_str)
            .zip(own)
            .map(|(a, b)| [a, b]),
    );
    let from_df = ImageDataBunch::from_df(path, table.unwrap())
        .split(with(vec![2, 3]))
        .decisions(decided());
    check(from_df.batch_size(2).build().unwrap());
    // Labels by position stay those of their images.
    let from_lists = ImageDataBunch::from_lists(path, names.clone(), own)
        .split(with(vec![0]))
        .decisions(decided());
    check(from_lists.batch_size(2).build().unwrap());
    let label = move |file: &Path| {
        let digit = file
            .file_stem()
            .unwrap()
            .to_str()
            .unwrap()
            .parse::<usize>()
            .unwrap();
        own[digit]
    };
    let from_func = ImageDataBunch::from_name_func(path, names.clone(), label)
        .split(Split::None)
        .decisions(decided());
    check(from_func.batch_size(2).build().unwrap());
    // In memory and in an archive, the images are not files.
    let image = || Image::from_rgb8(4, 4, vec![0; 48]).unwrap();
    let memory = MemoryImages::new(names.iter().map(|name| (name.clone(), image())));
    let list = ImageList::from_source("models", memory).unwrap();
    let lists = list
        .with_decisions(decided())
        .unwrap()
        .split(with(vec![5]))
        .unwrap();
    check(
        lists
            .label_from_list(own)
            .unwrap()
            .databunch()
            .batch_size(2)
            .build()
            .unwrap(),
    );
    let archive = path.join("images.zip");
    let mut zip = zip::ZipWriter::new(fs::File::create(&archive).unwrap());
    for name in &names {
        zip.start_file(&**name, zip::write::SimpleFileOptions::default())
            .unwrap();
        std::io::Write::write_all(&mut zip, &fs::read(path.join(name)).unwrap()).unwrap();
    }
    zip.finish().unwrap();
    let list = ImageList::from_source(path, ArchiveImages::open(&archive).unwrap()).unwrap();
    let lists = list
        .with_decisions(decided())
        .unwrap()
        .split_none()
        .unwrap();
    check(
        lists
            .label_from_list(own)
            .unwrap()
            .databunch()
            .batch_size(2)
            .build()
            .unwrap(),
    );
}

#[test]
fn several_classes_and_numbers_are_relabeled_too() {
    let files = ["0.png", "1.png", "2.png", "3.png"];
    let list = || ImageList::from_files_unchecked("root", files).unwrap();
    let built = |list: ImageList, options: LabelOptions, own: Vec<Label>| {
        let lists = list
            .split_none()?
            .label_with(options)
            .label_from_list(own)?;
        let data = lists.databunch().batch_size(2).build()?;
        let labels: Vec<String> = labels(Path::new("root"), data.train_ds())
            .into_values()
            .collect();
        vision_data::Result::Ok((data.classes().to_vec(), labels))
    };
    let tags = || ["a b", "b", "a", "c"].map(Label::from).to_vec();
    let delimited = || LabelOptions::new().with_delimiter(" ");
    let decided = list().with_decisions(decisions(&[
        ("1.png", relabel("c; a")),
        ("2.png", relabel("")),
    ]));
    let (classes, found) = built(decided.unwrap(), delimited(), tags()).unwrap();
    assert_eq!(classes, ["a", "b", "c"]);
    assert_eq!(found, ["a;b", "a;c", "", "c"]);
    // Whole numbers stay classes that are sorted as numbers.
    let numbers = || [2, 10, 2, 10].map(Label::from).to_vec();
    let decided = list()
        .with_decisions(decisions(&[("0.png", relabel("10"))]))
        .unwrap();
    let (classes, found) = built(decided, LabelOptions::new(), numbers()).unwrap();
    assert_eq!(classes, ["2", "10"]);
    assert_eq!(found, ["10", "10", "2", "10"]);
    let floats = || [0.5, 1.5, 2.5, 3.5].map(Label::from).to_vec();
    let decided = list()
        .with_decisions(decisions(&[("3.png", relabel("0.25"))]))
        .unwrap();
    let (_, found) = built(decided, LabelOptions::new(), floats()).unwrap();
    assert_eq!(found, ["0.5", "1.5", "2.5", "0.25"]);
    // What the kind does not allow.
    let wrong = |label: &str, options: LabelOptions, own: Vec<Label>| {
        let list = list()
            .with_decisions(decisions(&[("1.png", relabel(label))]))
            .unwrap();
        built(list, options, own).unwrap_err()
    };
    let label = |error: Error, words: &str| match error {
        Error::Decision(DecisionError::Label { name, expected, .. }) => {
            assert_eq!(name, "1.png");
            assert!(expected.contains(words), "{expected}");
        }
        other => panic!("{other:?}"),
    };
    label(wrong("x", LabelOptions::new(), floats()), "numbers");
    label(
        wrong("1;2", LabelOptions::new(), floats()),
        "as many numbers",
    );
    label(
        wrong("inf", LabelOptions::new(), floats()),
        "a finite number",
    );
    label(
        wrong(
            "",
            LabelOptions::new(),
            ["a", "b", "a", "b"].map(Label::from).to_vec(),
        ),
        "the name of a class",
    );
    let kind = LabelOptions::new().with_kind(TargetKind::Category);
    let error = wrong("x", kind, numbers());
    assert_matches!(error, Error::Decision(DecisionError::NewClass { .. }));
}

fn new_class(error: Error) -> (String, Vec<String>, String) {
    let message = error.to_string();
    match error {
        Error::Decision(DecisionError::NewClass { class, known, .. }) => (class, known, message),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_class_that_no_image_has_must_be_allowed_by_its_name() {
    let (_folder, path) = digits();
    let lynx = || {
        decisions(&[
            ("train/3/00000.png", relabel("lynx")),
            ("train/3/00001.png", relabel("7")),
        ])
    };
    let build = |decisions: Decisions| {
        ImageDataBunch::from_folder(&path)
            .decisions(decisions)
            .batch_size(2)
            .build()
    };
    let (class, known, message) = new_class(build(lynx()).unwrap_err());
    assert_eq!(
        (&*class, known),
        ("lynx", vec!["3".to_owned(), "7".to_owned()])
    );
    assert!(
        message.contains("with_new_classes([\"lynx\"])"),
        "{message}"
    );
    let data = build(lynx().with_new_classes(["lynx"])).unwrap();
    assert_eq!(data.classes(), ["3", "7", "lynx"]);
    // Names that print alike are told apart in the message.
    let misspelled = decisions(&[("train/3/00000.png", relabel("7 "))]);
    let (.., message) = new_class(build(misspelled).unwrap_err());
    assert!(message.contains("differ by blanks or case"), "{message}");
    // The classes of the data are allowed, and are a selection as before.
    let named = |classes: &[&str], decisions: Decisions| {
        let data = ImageDataBunch::from_folder(&path)
            .decisions(decisions)
            .batch_size(2);
        data.classes(classes.iter().copied()).build()
    };
    assert_eq!(
        named(&["7", "3", "lynx"], lynx()).unwrap().classes(),
        ["7", "3", "lynx"]
    );
    // A class that only validation gets is an error, as everywhere.
    let error =
        build(decisions(&[("valid/3/00000.png", relabel("lynx"))]).with_new_classes(["lynx"]));
    assert_matches!(error, Err(Error::Label(LabelError::UnknownClasses { .. })));
    // With a random split, an image of a class that is not selected comes in by its new label, and leaves by it.
    let other = path.join("train/9");
    fs::create_dir(&other).unwrap();
    for name in ["a.png", "b.png"] {
        fs::copy(path.join("train/7/00000.png"), other.join(name)).unwrap();
    }
    fs::remove_file(path.join("train/9/b.png")).unwrap();
    let data = ImageDataBunch::from_folder(&path)
        .valid_pct(0.3)
        .classes(["3", "7"])
        .decisions(decisions(&[
            ("train/9/a.png", relabel("3")),
            ("train/3/00000.png", relabel("9")),
        ]))
        .batch_size(2)
        .build()
        .unwrap();
    let [train, valid] = both(&data);
    let found: BTreeMap<String, String> = train.into_iter().chain(valid).collect();
    assert_eq!(found["train/9/a.png"], "3");
    assert!(!found.contains_key("train/3/00000.png"));
}

fn unknown(error: Error) -> (String, usize, String) {
    match error {
        Error::Decision(DecisionError::Unknown {
            name, others, hint, ..
        }) => (name, others, hint),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_name_that_the_data_does_not_have_is_an_error_unless_such_names_are_ignored() {
    let (folder, path) = digits();
    let build = |decisions: Decisions| {
        ImageDataBunch::from_folder(&path)
            .decisions(decisions)
            .batch_size(2)
            .build()
    };
    for (name, expected) in [
        (
            "train/3/x.png",
            "a name is relative to the root, such as train/3/00000.png",
        ),
        (
            "3/00001.png",
            "one with the same file name is \"train/3/00001.png\"",
        ),
        ("TRAIN/3/00000.png", "differ by blanks or case"),
        ("../digits/train/3/00000.png", "leads out of the root"),
        ("/etc/passwd", "leads out of the root"),
        ("train/3/../7/00000.png", "leads out of the root"),
    ] {
        let bad = decisions(&[
            (name, Decision::Exclude),
            ("train/3/00000.png", Decision::Keep),
            ("no", Decision::Keep),
        ]);
        let (found, others, hint) = unknown(build(bad.clone()).unwrap_err());
        assert_eq!((&*found, others), (name, 1));
        assert!(hint.contains(expected), "{name}: {hint}");
        let data = build(bad.with_missing_ignored(true)).unwrap();
        assert_eq!(data.train_ds().len(), 8);
    }
    let file = folder.path().join("decisions.csv");
    fs::write(&file, "file,decision\n\nno.png,keep\n").unwrap();
    let message = build(Decisions::read(&file).unwrap())
        .unwrap_err()
        .to_string();
    assert!(
        message.starts_with("line 3 of") && message.contains("with_missing_ignored"),
        "{message}"
    );
}

#[test]
fn names_with_windows_separators_or_the_root_before_them_are_found() {
    let (_folder, path) = digits();
    let full = path.join("train/7/00001.png");
    for name in [
        "train\\7\\00001.png",
        ".\\train\\7\\00001.png",
        "./train//7/./00001.png",
        full.to_str().unwrap(),
    ] {
        let data = ImageDataBunch::from_folder(&path)
            .decisions(decisions(&[(name, Decision::Exclude)]))
            .batch_size(2)
            .build()
            .unwrap();
        assert_eq!(
            data.decided().excluded,
            std::slice::from_ref(&full),
            "{name}"
        );
    }
}

#[cfg(unix)]
#[test]
fn a_backslash_that_is_part_of_a_name_goes_before_a_separator() {
    let (_folder, path) = digits();
    let odd = path.join("train/7/a\\b.png");
    fs::copy(path.join("train/7/00000.png"), &odd).unwrap();
    fs::create_dir(path.join("train/7/a")).unwrap();
    fs::copy(path.join("train/7/00000.png"), path.join("train/7/a/b.png")).unwrap();
    let data = ImageDataBunch::from_folder(&path)
        .classes(["3", "7"])
        .decisions(decisions(&[("train/7/a\\b.png", Decision::Exclude)]));
    assert_eq!(
        data.batch_size(2).build().unwrap().decided().excluded,
        [odd]
    );
}

#[cfg(unix)]
#[test]
fn names_that_are_not_utf_8_are_found_by_how_they_are_shown_unless_two_read_the_same() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let (_folder, path) = digits();
    let odd = |bytes: &[u8]| path.join("train/7").join(OsStr::from_bytes(bytes));
    fs::copy(path.join("train/7/00000.png"), odd(b"a\xff.png")).unwrap();
    let decided = || decisions(&[("train/7/a\u{fffd}.png", Decision::Exclude)]);
    let build = || {
        ImageDataBunch::from_folder(&path)
            .decisions(decided())
            .batch_size(2)
            .build()
    };
    assert_eq!(build().unwrap().decided().excluded, [odd(b"a\xff.png")]);
    fs::copy(path.join("train/7/00000.png"), odd(b"a\xfe.png")).unwrap();
    match build() {
        Err(Error::Decision(DecisionError::Ambiguous { files, .. })) => {
            assert!(
                files[0].contains("\\xFE") && files[1].contains("\\xFF"),
                "{files:?}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn test_images_can_be_excluded_and_not_relabeled() {
    let (_folder, path) = digits();
    fs::create_dir(path.join("test")).unwrap();
    for name in ["a.png", "b.png"] {
        fs::copy(path.join("train/7/00000.png"), path.join("test").join(name)).unwrap();
    }
    let build = |decisions: Decisions| {
        ImageDataBunch::from_folder(&path)
            .decisions(decisions)
            .batch_size(2)
            .build()
    };
    let data = build(decisions(&[
        ("test/a.png", Decision::Exclude),
        ("train/3/00000.png", Decision::Exclude),
    ]));
    let data = data.unwrap();
    assert_eq!(data.test_ds().unwrap().paths(), [path.join("test/b.png")]);
    assert_eq!(
        data.decided().excluded,
        ["train/3/00000.png", "test/a.png"].map(|name| path.join(name))
    );
    let error = build(decisions(&[("test/a.png", relabel("3"))])).unwrap_err();
    assert_matches!(error, Error::Decision(DecisionError::Label { .. }));
    let none = decisions(&[
        ("test/a.png", Decision::Exclude),
        ("test/b.png", Decision::Exclude),
    ]);
    assert_matches!(
        build(none),
        Err(Error::Decision(DecisionError::NothingLeft {
            part: "test",
            items: 2
        }))
    );
}

#[test]
fn a_list_of_test_images_brings_its_own_decisions() {
    let (folder, path) = digits();
    let other = folder.path().join("other");
    fs::create_dir(&other).unwrap();
    for name in ["a.png", "b.png", "c.png"] {
        fs::copy(path.join("train/7/00000.png"), other.join(name)).unwrap();
    }
    let build = |name: &str, labeled: bool| {
        let test = ImageList::from_folder(&other)?;
        let test = test.with_decisions(decisions(&[(name, Decision::Exclude)]))?;
        let lists = ImageList::from_folder(&path)?
            .with_decisions(decisions(&[("valid/3/00000.png", Decision::Exclude)]))?
            .split_by_folder("train", "valid")?
            .label_from_folder()?;
        let lists = match labeled {
            true => lists.add_labeled_test(test, ["3", "7", "3"])?,
            false => lists.add_test(test),
        };
        lists.databunch().batch_size(2).build()
    };
    for labeled in [false, true] {
        let data = build("b.png", labeled).unwrap();
        let test = data.test_ds().unwrap();
        assert_eq!(
            test.paths(),
            ["a.png", "c.png"].map(|name| other.join(name))
        );
        assert_eq!(test.label_text(1), labeled.then(|| "3".to_owned()));
        let excluded = [path.join("valid/3/00000.png"), other.join("b.png")];
        assert_eq!(data.decided().excluded, excluded);
        let (name, ..) = unknown(build("x.png", labeled).unwrap_err());
        assert_eq!(name, "x.png");
    }
}

#[test]
fn excluding_a_whole_part_is_an_error() {
    let (_folder, path) = digits();
    for (part, name, count) in [("training", "train", 8), ("validation", "valid", 4)] {
        let mut decided = Decisions::new();
        for file in vision_data::files::image_files(path.join(name)).unwrap() {
            let inside = file.strip_prefix(&path).unwrap().to_str().unwrap();
            decided.set(inside, Decision::Exclude).unwrap();
        }
        match ImageDataBunch::from_folder(&path)
            .decisions(decided)
            .build()
        {
            Err(Error::Decision(DecisionError::NothingLeft { part: found, items })) => {
                assert_eq!((found, items), (part, count));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_image_outside_of_the_class_folders_can_be_excluded() {
    let (_folder, path) = digits();
    fs::copy(path.join("train/7/00000.png"), path.join("train/loose.png")).unwrap();
    let build = |decisions: Decisions| {
        ImageDataBunch::from_folder(&path)
            .decisions(decisions)
            .batch_size(2)
            .build()
    };
    assert_matches!(
        build(Decisions::new()),
        Err(Error::Label(LabelError::Unlabeled { count: 1, .. }))
    );
    let data = build(decisions(&[("train/loose.png", Decision::Exclude)])).unwrap();
    assert_eq!(data.train_ds().len(), 8);
}

#[test]
fn decisions_change_the_fingerprint_and_saved_data_has_them() {
    let (_folder, path) = digits();
    let build = |decisions: Decisions| {
        ImageDataBunch::from_folder(&path)
            .decisions(decisions)
            .batch_size(2)
            .build()
            .unwrap()
    };
    let name = "train/3/00000.png";
    let plain = build(Decisions::new()).fingerprint();
    let kept = build(decisions(&[(name, Decision::Keep)])).fingerprint();
    assert_eq!(kept, plain);
    let excluded = build(decisions(&[(name, Decision::Exclude)]));
    let relabeled = build(decisions(&[(name, relabel("7"))]));
    let found = [&excluded, &relabeled].map(ImageDataBunch::fingerprint);
    assert!(found[0] != plain && found[1] != plain && found[0] != found[1]);
    for data in [excluded, relabeled] {
        data.save("data.json").unwrap();
        let again = ImageDataBunch::load(&path, "data.json")
            .unwrap()
            .build()
            .unwrap();
        assert_eq!(again.fingerprint(), data.fingerprint());
        assert_eq!(both(&again), both(&data));
        assert_eq!(again.decided(), &Decided::default());
    }
}

#[test]
fn a_list_takes_decisions_once_and_filters_keep_them_with_their_images() {
    let (_folder, path) = digits();
    let decided = || {
        decisions(&[
            ("train/7/00003.png", Decision::Exclude),
            ("valid/7/00000.png", relabel("3")),
        ])
    };
    let list = ImageList::from_folder(&path)
        .unwrap()
        .with_decisions(decided())
        .unwrap();
    let error = list.clone().with_decisions(decided()).unwrap_err();
    assert_matches!(error, Error::Option(_));
    let data = list
        .filter_by_func(|file| !file.ends_with("00001.png"))
        .split_by_folder("train", "valid")
        .unwrap()
        .label_from_folder()
        .unwrap();
    let data = data.databunch().batch_size(2).build().unwrap();
    let [train, valid] = both(&data);
    assert_eq!(train.len(), 5);
    assert!(!train.contains_key("train/7/00003.png"));
    assert_eq!(valid["valid/7/00000.png"], "3");
}

#[test]
fn what_the_doctor_puts_into_quarantine_can_be_excluded() {
    let (_folder, path) = digits();
    fs::write(path.join("train/3/empty.png"), "").unwrap();
    fs::write(path.join("train/3/line\nbreak, \".png"), "").unwrap();
    let decided = Doctor::new()
        .examine_folder(&path)
        .unwrap()
        .decisions()
        .unwrap();
    assert_eq!(decided.len(), 2);
    let file = path.join("quarantine.csv");
    decided.save(&file).unwrap();
    let data = ImageDataBunch::from_folder(&path).decisions(Decisions::read(&file).unwrap());
    let data = data.batch_size(2).build().unwrap();
    assert_eq!(data.decided().excluded.len(), 2);
    assert!(data.doctor().quarantine().is_empty());
}
