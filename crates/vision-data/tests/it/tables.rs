//! CSV files as they come: what is read, and what is said about those that cannot be.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;

use proptest::prelude::*;
use vision_base::IoError;
use vision_data::{
    CsvOptions, DataError, Error, FileColumn, FilesError, ImageDataBunch, ImageList, LabelOptions,
    Table, TableError, TargetKind,
};

fn read_with(bytes: impl AsRef<[u8]>, options: &CsvOptions) -> vision_data::Result<Table> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.csv");
    fs::write(&path, bytes).unwrap();
    Table::read_csv(path, options)
}

fn read(bytes: impl AsRef<[u8]>) -> vision_data::Result<Table> {
    read_with(bytes, &CsvOptions::new())
}

fn rows(table: &Table) -> Vec<Vec<Option<&str>>> {
    let cell = |row, column: usize| table.cell(row, &column.into()).unwrap();
    (0..table.len())
        .map(|row| {
            (0..table.columns().len())
                .map(|column| cell(row, column))
                .collect()
        })
        .collect()
}

/// A CSV file is refused at this line.
#[track_caller]
fn refused_at(line: u64, error: &Error) {
    match error {
        Error::Table(TableError::Csv { path, line: at, .. }) => {
            assert!(path.ends_with("labels.csv") && *at == line, "{error:?}");
        }
        other => panic!("{other:?}"),
    }
}

/// The cell of a row, from 0, that stands on a line of the file cannot be used.
#[track_caller]
fn bad_cell(row: usize, line: u64, column: &str, error: &Error) {
    match error {
        Error::Table(TableError::BadCell {
            place,
            row: at,
            column: named,
            ..
        }) => {
            let line = format!("line {line} of ");
            assert!(
                place.contains(&line) && place.contains("labels.csv"),
                "{error:?}"
            );
            assert_eq!((*at, named.as_str()), (row, column), "{error:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn quotes_line_ends_and_a_byte_order_mark_are_no_part_of_a_cell() {
    let table =
        read("\u{feff}name,label\r\n\"a,1.png\",\"say \"\"cat\"\"\"\r\n\r\nb.png,dog").unwrap();
    assert_eq!(table.columns(), ["name", "label"]);
    assert_eq!(
        rows(&table),
        [
            [Some("a,1.png"), Some("say \"cat\"")],
            [Some("b.png"), Some("dog")]
        ]
    );
}

#[test]
fn a_header_and_delimiter_are_as_they_are_said_to_be() {
    let options = CsvOptions::new().with_delimiter(b'\t').with_header(false);
    let table = read_with("a.png\tcat\nb.png\tdog, small\n", &options).unwrap();
    assert_eq!(table.columns(), ["0", "1"]);
    assert_eq!(table.cell(1, &"1".into()).unwrap(), Some("dog, small"));
    assert_eq!(table.len(), 2);
}

#[test]
fn what_pandas_takes_for_no_value_is_none_unless_said_otherwise() {
    let text = "name,label\na,NA\nb,None\nc,nan\nd,\ne,Nan\n";
    let labels = |table: &Table| -> Vec<Option<String>> {
        (0..5)
            .map(|row| table.cell(row, &1.into()).unwrap().map(ToOwned::to_owned))
            .collect()
    };
    let table = read(text).unwrap();
    assert_eq!(
        labels(&table),
        [None, None, None, None, Some("Nan".to_owned())]
    );
    let table = read_with(text, &CsvOptions::new().with_missing([""])).unwrap();
    assert_eq!(labels(&table)[1].as_deref(), Some("None"));
    assert_eq!(labels(&table)[3], None);
}

#[test]
fn a_ragged_row_is_named_by_its_line() {
    for (text, line, found) in [
        ("name,label\na,x\nb,y,z\nc,x\n", 3, "found 3"),
        ("name,label\n\"a\nb\",x\n\nc\n", 5, "found 1"),
    ] {
        let error = read(text).unwrap_err();
        refused_at(line, &error);
        // The message says where, what was expected and what was found.
        let message = error.to_string();
        for part in ["labels.csv", &format!("line {line}"), "2 cells", found] {
            assert!(message.contains(part), "{part:?} is missing in: {message}");
        }
    }
}

#[test]
fn another_encoding_is_named_by_its_line_with_the_remedy() {
    // "café" in Latin-1.
    let error = read(b"name,label\na,x\nb,caf\xe9\n").unwrap_err();
    refused_at(3, &error);
    assert!(error.to_string().contains("UTF-8"), "{error}");
    // UTF-16 with its byte order mark.
    let utf16: Vec<u8> = std::iter::once(0xfeff)
        .chain("name,label\na,x\n".encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    refused_at(1, &read(utf16).unwrap_err());
    // And without, which is UTF-8 with zeros in it.
    let utf16: Vec<u8> = "name,label\na,x\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let error = read(utf16).unwrap_err();
    refused_at(1, &error);
    assert!(error.to_string().contains("UTF-16"), "{error}");
}

#[cfg(unix)]
#[test]
fn what_never_ends_is_no_table() {
    let error = Table::read_csv("/dev/zero", &CsvOptions::new()).unwrap_err();
    assert_matches!(error, Error::Io(IoError { path, .. }) if path.ends_with("zero"));
}

#[test]
fn lines_may_end_in_every_way_and_are_counted() {
    for end in ["\n", "\r\n", "\r"] {
        let text = ["name,label", "a,x", "", "b,\"y", "z\"", "c,x"].join(end);
        let table = read(text.as_bytes()).unwrap();
        assert_eq!((table.len(), table.columns().len()), (3, 2), "{end:?}");
        let error = read(format!("{text}{end}d").as_bytes()).unwrap_err();
        refused_at(7, &error);
    }
}

#[test]
fn a_quote_that_is_not_closed_does_not_swallow_the_rest() {
    let error = read("name,label\na,x\nb,\"y\nc,z\nd,x\n").unwrap_err();
    refused_at(3, &error);
    assert!(error.to_string().contains("quote"), "{error}");
    // Nor its own line end, on the last line.
    for text in [
        "name,label\na,x\nb,\"y\n",
        "name,label\na,x\nb,\"y",
        "name,label\na,x\nb,\"y\"\"\n",
    ] {
        refused_at(3, &read(text).unwrap_err());
    }
    for text in [
        "name,label\nb,\"y\"\"\"",
        "name,label\nb,\"y\nz\"\n",
        "name,label\nb,5\"",
        "name,label\n\"a\",\"\"\"x\"",
    ] {
        assert_eq!(read(text).unwrap().len(), 1, "{text:?}");
    }
    // A single quote sign in a cell is a sign like another.
    assert_eq!(read("name,label\na,5\" wide\nb,x\n").unwrap().len(), 2);
}

#[test]
fn an_empty_file_and_one_with_a_header_alone_are_errors() {
    for text in ["", "name,label\n", "\n\n"] {
        let error = read(text).unwrap_err();
        assert!(
            matches!(error, Error::Table(TableError::Empty { .. })),
            "{text:?}: {error}"
        );
    }
    let error = Table::read_csv("/nowhere/labels.csv", &CsvOptions::new()).unwrap_err();
    assert_matches!(error, Error::Io(IoError { path, .. }) if path.ends_with("labels.csv"));
}

#[test]
fn a_table_in_memory_has_one_cell_a_column() {
    let error = Table::from_rows(["a", "b"], [vec!["1", "2"], vec!["3"]]).unwrap_err();
    assert!(matches!(
        error,
        Error::Table(TableError::RaggedRow {
            row: 1,
            expected: 2,
            found: 1
        })
    ));
}

/// A folder with `labels.csv` and these files.
fn set(csv: &str, files: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("labels.csv"), csv).unwrap();
    for file in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    folder
}

#[test]
fn files_that_are_not_there_are_counted_and_the_first_is_named_with_its_line() {
    let folder = set(
        "name,label\n1,a\n2,b\n\n3,a\n4,b\n",
        &["img/1.jpg", "img/2.jpg"],
    );
    let files = FileColumn::default().in_folder("img").with_suffix(".jpg");
    let build = |files: FileColumn| {
        ImageList::from_csv(folder.path(), "labels.csv", &CsvOptions::new(), &files)
    };
    let error = build(files.clone()).unwrap_err();
    assert_matches!(
        error,
        Error::Files(FilesError::MissingFiles { count: 2, first, named_by })
            if first.ends_with("img/3.jpg") && named_by.contains("line 5 of")
    );
    assert_eq!(build(files.with_check(false)).unwrap().len(), 4);
}

#[test]
fn a_cell_without_a_value_is_named_by_line_and_column() {
    let folder = set("name,label\n1,a\n2,b\n3,\n4,b\n", &["1", "2", "3", "4"]);
    let build = || ImageDataBunch::from_csv(folder.path()).valid_pct(0.0);
    bad_cell(2, 4, "label", &build().build().unwrap_err());

    let folder = set("name,label\n1,a\n2,NA\n,b\n", &["1", "2"]);
    let build = || ImageDataBunch::from_csv(folder.path()).valid_pct(0.0);
    bad_cell(2, 4, "name", &build().build().unwrap_err());
    let folder = set("name,label\n1,a\n2,NA\n", &["1", "2"]);
    let build = || ImageDataBunch::from_csv(folder.path()).valid_pct(0.0);
    let error = build().build().unwrap_err();
    bad_cell(1, 3, "label", &error);
    assert_matches!(error, Error::Table(TableError::BadCell { found, .. }) if found.contains("\"NA\""));
    let build = build().csv_options(CsvOptions::new().with_missing([""]));
    assert_eq!(build.build().unwrap().classes(), ["NA", "a"]);
}

#[test]
fn a_column_that_is_not_there_is_named_with_those_that_are() {
    let folder = set("name,label\n1,a\n2,b\n", &["1", "2"]);
    let build = || ImageDataBunch::from_csv(folder.path()).valid_pct(0.0);
    for (error, asked) in [
        (
            build().label_col("tags").build().unwrap_err(),
            "tags".into(),
        ),
        (build().fn_col(9).build().unwrap_err(), 9.into()),
    ] {
        assert_matches!(
            error,
            Error::Table(TableError::NoSuchColumn { column, known, .. })
                if *column == asked && known == &["name", "label"]
        );
    }
    let data = build().fn_col("name").label_col("label").build().unwrap();
    assert_eq!(data.classes(), ["a", "b"]);
}

#[test]
fn a_table_with_all_that_can_be_said_about_it() {
    let folder = set("", &["jpg/7.jpg", "jpg/8.jpg"]);
    fs::write(folder.path().join("tags.tsv"), "rain sun\t7\nsun\t8\n").unwrap();
    let data = ImageDataBunch::from_csv(folder.path())
        .csv_labels("tags.tsv")
        .csv_options(CsvOptions::new().with_delimiter(b'\t').with_header(false))
        .fn_col(1)
        .label_col(0)
        .folder("jpg")
        .suffix(".jpg")
        .label_delim(" ")
        .valid_pct(0.0)
        .build()
        .unwrap();
    assert_eq!(data.kind(), TargetKind::MultiCategory);
    assert_eq!(data.classes(), ["rain", "sun"]);
    assert_eq!(data.train_ds().labels().rows(), [1., 1., 0., 1.]);
    assert_eq!(
        data.train_ds().path(0).unwrap(),
        folder.path().join("jpg/7.jpg")
    );
}

#[test]
fn a_number_among_words_is_a_class_and_a_word_among_numbers_is_not_passed_over() {
    let folder = set("name,label\n1,10\n2,2\n3,x\n", &["1", "2", "3"]);
    let build = |options| {
        ImageDataBunch::from_csv(folder.path())
            .valid_pct(0.0)
            .label_with(options)
            .build()
    };
    assert_eq!(
        build(LabelOptions::new()).unwrap().classes(),
        ["10", "2", "x"]
    );
    let error = build(LabelOptions::new().with_kind(TargetKind::Float)).unwrap_err();
    bad_cell(2, 4, "label", &error);
}

/// The error of a set whose files are not looked for.
fn refused(csv: &str, delimiter: Option<&str>) -> Error {
    let folder = set(csv, &[]);
    let data = ImageDataBunch::from_csv(folder.path()).valid_pct(0.0);
    let data = match delimiter {
        Some(delimiter) => data.label_delim(delimiter),
        None => data,
    };
    data.fn_col("name")
        .label_col("label")
        .no_check()
        .build()
        .unwrap_err()
}

#[test]
fn a_quote_that_is_closed_rows_later_is_named_by_the_line_of_its_cell() {
    for (csv, delimiter, (row, line, column)) in [
        (
            "name,label\n1,a\n2,\"b\n3,a\n4,b\"\n5,a\n",
            None,
            (1, 3, "label"),
        ),
        // What follows the second quote is part of the cell.
        (
            "name,label\n1,a\n2,\"b\r\n3,\"a\n5,b\n",
            None,
            (1, 3, "label"),
        ),
        (
            "name,label\n1,a\n2,\"b;c\n3,a\n4,b\"\n",
            Some(";"),
            (1, 3, "label"),
        ),
        ("name,label\n1,a\n\"2,b\n3\",a\n4,b\n", None, (1, 3, "name")),
        // A note may have several lines: the label begins on the second of them.
        (
            "note,name,label\nx,1,a\n\"y\nz\",2,\"b\nx,3,a\nx,4,b\"\n",
            None,
            (1, 4, "label"),
        ),
    ] {
        let error = refused(csv, delimiter);
        bad_cell(row, line, column, &error);
        assert!(error.to_string().contains("quote"), "{csv:?}: {error}");
    }
    let folder = set("name,\"label\n1,a\n2,b\"\n3,a\n4,b\n", &["3", "4"]);
    let error = ImageDataBunch::from_csv(folder.path()).build().unwrap_err();
    refused_at(1, &error);
    assert!(error.to_string().contains("quote"), "{error}");
    // Where nobody looks for labels or names, a cell may have lines.
    let folder = set("name,label,note\n1,a,\"x\ny\"\n2,b,z\n", &["1", "2"]);
    let data = ImageDataBunch::from_csv(folder.path())
        .valid_pct(0.0)
        .build()
        .unwrap();
    assert_eq!(data.train_ds().len(), 2);
}

#[test]
fn a_wrong_delimiter_is_named_before_any_file_is_looked_for() {
    for (between, named) in [(";", "';'"), ("\t", "'\\t'"), ("|", "'|'")] {
        let call = format!("`CsvOptions::new().with_delimiter(b{named})`");
        let lines = [["name", "label"], ["1", "a"], ["2", "b"]].map(|line| line.join(between));
        let folder = set(&lines.join("\n"), &["1", "2"]);
        let data = || ImageDataBunch::from_csv(folder.path()).valid_pct(0.0);
        let headless = CsvOptions::new().with_header(false);
        for data in [
            data(),
            data().label_col("label"),
            data().csv_options(headless),
        ] {
            let error = data.build().unwrap_err();
            assert_matches!(
                error,
                Error::Table(TableError::NoSuchColumn { hint, .. }) if hint.contains(&call)
            );
        }
        let right = CsvOptions::new().with_delimiter(between.as_bytes()[0]);
        data().csv_options(right).build().unwrap();
        // The data block looks for the files first.
        let (options, column) = (CsvOptions::new(), FileColumn::default());
        let error = ImageList::from_csv(folder.path(), "labels.csv", &options, &column);
        assert_matches!(
            error.unwrap_err(),
            Error::Files(FilesError::MissingFiles { named_by, .. }) if named_by.contains(&call)
        );
    }
    // Where one label holds a comma as well, the rows are uneven.
    let error = read("name;label\n1;a\n2;b, c\n").unwrap_err();
    refused_at(3, &error);
    assert!(
        error
            .to_string()
            .contains("`CsvOptions::new().with_delimiter(b';')`"),
        "{error}"
    );
    // A table of one column has no other.
    let error = Table::from_rows(["a;b"], [["1;2"]])
        .unwrap()
        .cell(0, &1.into())
        .unwrap_err();
    assert_matches!(error, Error::Table(TableError::NoSuchColumn { hint, .. }) if hint.is_empty());
}

#[test]
fn what_stands_for_no_value_may_be_a_name_and_the_message_says_how() {
    let folder = set("name,label\n1,a\n2,None\n", &["1", "2"]);
    let build = || ImageDataBunch::from_csv(folder.path()).valid_pct(0.0);
    for data in [build(), build().label_delim(";")] {
        let error = data.build().unwrap_err();
        bad_cell(1, 3, "label", &error);
        assert!(
            error
                .to_string()
                .contains("`CsvOptions::new().with_missing([\"\"])`"),
            "{error}"
        );
    }
    for data in [build(), build().label_delim(";")] {
        assert_eq!(
            data.csv_options(CsvOptions::new().with_missing([""]))
                .build()
                .unwrap()
                .classes(),
            ["None", "a"]
        );
    }
    // One of several in a cell is a name as it is.
    let folder = set("name,label\n1,a;NA\n2,a\n", &["1", "2"]);
    let data = ImageDataBunch::from_csv(folder.path())
        .valid_pct(0.0)
        .label_delim(";");
    assert_eq!(data.build().unwrap().classes(), ["NA", "a"]);
}

#[test]
fn of_two_columns_with_one_name_none_is_taken_silently() {
    let folder = set("name,label,x,label\n1,a,q,c\n2,b,q,d\n", &["1", "2"]);
    let build = || ImageDataBunch::from_csv(folder.path()).valid_pct(0.0);
    let error = build().label_col("label").build().unwrap_err();
    assert_matches!(
        error,
        Error::Table(TableError::ColumnTwice { column, positions, .. })
            if column == "label" && positions == &[1, 3]
    );
    assert_eq!(build().label_col(3).build().unwrap().classes(), ["c", "d"]);
    let table = Table::from_rows(["a", "a"], [["1", "2"]]).unwrap();
    assert!(matches!(
        table.cell(0, &"a".into()),
        Err(Error::Table(TableError::ColumnTwice { .. }))
    ));
}

#[test]
fn a_list_without_a_header_does_not_lose_its_first_item() {
    let folder = set("1,a\n2,b\n3,a\n", &["img/1.jpg", "img/2.jpg", "img/3.jpg"]);
    let build = || {
        let data = ImageDataBunch::from_csv(folder.path()).valid_pct(0.0);
        data.folder("img").suffix(".jpg")
    };
    let error = build().build().unwrap_err();
    refused_at(1, &error);
    assert!(
        error
            .to_string()
            .contains("`CsvOptions::new().with_header(false)`"),
        "{error}"
    );
    assert_eq!(
        build()
            .csv_options(CsvOptions::new().with_header(false))
            .build()
            .unwrap()
            .train_ds()
            .len(),
        3
    );
    // Somebody who gives it by name knows that it is a header.
    assert_eq!(build().fn_col("1").build().unwrap().train_ds().len(), 2);
}

#[test]
fn a_long_cell_or_header_is_not_printed_as_a_whole() {
    let long = "x".repeat(100_000);
    let folder = set(&format!("name,label\n1,0.5\n2,{long}\n"), &["1", "2"]);
    let numbers = LabelOptions::new().with_kind(TargetKind::Float);
    let build = || ImageDataBunch::from_csv(folder.path()).valid_pct(0.0);
    let errors = [
        build().label_with(numbers).build().unwrap_err(),
        build().folder(&long).build().unwrap_err(),
        read(format!("a,{long}\n1,2\n"))
            .unwrap()
            .cell(0, &"c".into())
            .unwrap_err(),
    ];
    for error in errors {
        let message = error.to_string();
        assert!(message.len() < 1500, "{} bytes", message.len());
        assert!(
            message.contains("xxx") && message.contains("… (100"),
            "{message}"
        );
    }
    let names: Vec<String> = (0..1000).map(|i| format!("c{i}")).collect();
    let error = Table::from_rows(names, [[""; 0]; 0])
        .unwrap()
        .cell(0, &"z".into())
        .unwrap_err();
    assert!(error.to_string().contains("c9 and 990 more"), "{error}");
}

#[test]
fn names_and_cells_cannot_write_to_the_terminal() {
    let bell = "\u{1b}]0;x\u{7}\u{202e}";
    let folder = set(&format!("name,label{bell}\n1{bell},{bell}\n"), &[]);
    let build = || ImageDataBunch::from_csv(folder.path()).valid_pct(0.0);
    let numbers = LabelOptions::new().with_kind(TargetKind::Float);
    let errors = [
        build().build().unwrap_err(),
        build().label_col("z").build().unwrap_err(),
        build().no_check().build().unwrap_err(),
        build().no_check().label_with(numbers).build().unwrap_err(),
        ImageDataBunch::from_folder(folder.path().join(bell))
            .build()
            .unwrap_err(),
        // From a list of URLs, an archive, a file of an earlier run.
        Error::Fetch(vision_fetch::Error::TooLarge {
            url: bell.to_owned(),
            limit: 1,
            found: 2,
        }),
        Error::Fetch(vision_fetch::Error::UnsafeEntry {
            archive: "a.tgz".into(),
            entry: "x".to_owned(),
            reason: bell.to_owned(),
        }),
        Error::Fetch(vision_fetch::Error::DamagedArchive {
            archive: bell.into(),
            reason: "x".to_owned(),
        }),
        Error::Data(DataError::NotTheDigits {
            path: "x".into(),
            expected: "y".to_owned(),
            found: bell.to_owned(),
        }),
    ];
    for error in errors {
        for text in [error.to_string(), format!("{error:?}")] {
            let unsafe_char = |c: char| c.is_control() || c == '\u{202e}';
            assert!(!text.contains(unsafe_char), "{text:?}");
            assert!(text.contains("\\u{1b}"), "{text:?}");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), header: bool) {
        let _ = read_with(&bytes, &CsvOptions::new().with_header(header));
    }

    #[test]
    fn what_a_csv_writer_writes_is_what_is_read(
        cells in prop::collection::vec(("[a-z\",;\n é]{0,8}", "[a-z\",\r\n ]{0,8}"), 1..20),
    ) {
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let lines = cells.iter().map(|(a, b)| format!("{},{}\n", quoted(a), quoted(b)));
        let text: String = std::iter::once("x,y\n".to_owned()).chain(lines).collect();
        let table = read_with(text, &CsvOptions::new().with_missing::<&str>([])).unwrap();
        prop_assert_eq!(table.len(), cells.len());
        for (row, (a, b)) in cells.iter().enumerate() {
            prop_assert_eq!(table.cell(row, &"x".into()).unwrap(), Some(a.as_str()));
            prop_assert_eq!(table.cell(row, &"y".into()).unwrap(), Some(b.as_str()));
        }
    }
}

#[test]
fn a_label_on_several_lines_is_refused_before_the_split_unless_lines_are_between_classes() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c", "d"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let build = |text: &str, delimiter: Option<&str>| {
        fs::write(folder.path().join("labels.csv"), text).unwrap();
        let builder = ImageDataBunch::from_csv(folder.path())
            .batch_size(1)
            .valid_pct(0.25);
        match delimiter {
            Some(delimiter) => builder.label_delim(delimiter),
            None => builder,
        }
        .build()
    };
    // Of four rows a quote has left two, too few to split in this way.
    let swallowed = "name,label\na,\"x\nb,y\nc,x\"\nd,y\n";
    for delimiter in [None, Some(";")] {
        bad_cell(0, 2, "label", &build(swallowed, delimiter).unwrap_err());
    }
    let lines = "name,label\na,\"x\ny\"\nb,y\nc,x\nd,\"x\ny\"\n";
    let data = build(lines, Some("\n")).unwrap();
    assert_eq!(
        (data.classes(), data.train_ds().len()),
        (&["x".to_owned(), "y".into()][..], 3)
    );
}
