//! CSV files as they come: what is read, and what is said about those that cannot be.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;

use proptest::prelude::*;
use vision_data::{
    CsvOptions, Error, FileColumn, ImageDataBunch, ImageList, LabelOptions, Table, TargetKind,
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

fn says(error: &Error, parts: &[&str]) {
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "{part:?} is missing in: {message}");
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
        ("name,label\na,x\nb,y,z\nc,x\n", "line 3", "found 3"),
        ("name,label\n\"a\nb\",x\n\nc\n", "line 5", "found 1"),
    ] {
        let error = read(text).unwrap_err();
        assert!(matches!(error, Error::BadCsv { .. }), "{error}");
        says(&error, &["labels.csv", line, "expected 2 cells", found]);
    }
}

#[test]
fn another_encoding_is_named_by_its_line_with_the_remedy() {
    // "café" in Latin-1.
    let error = read(b"name,label\na,x\nb,caf\xe9\n").unwrap_err();
    says(&error, &["line 3", "UTF-8"]);
    // UTF-16 with its byte order mark.
    let utf16: Vec<u8> = std::iter::once(0xfeff)
        .chain("name,label\na,x\n".encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    says(&read(utf16).unwrap_err(), &["UTF-8"]);
    // And without, which is UTF-8 with zeros in it.
    let utf16: Vec<u8> = "name,label\na,x\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    says(&read(utf16).unwrap_err(), &["line 1", "UTF-16"]);
}

#[cfg(unix)]
#[test]
fn what_never_ends_is_no_table() {
    let error = Table::read_csv("/dev/zero", &CsvOptions::new()).unwrap_err();
    says(&error, &["/dev/zero", "regular file"]);
}

#[test]
fn lines_may_end_in_every_way_and_are_counted() {
    for end in ["\n", "\r\n", "\r"] {
        let text = ["name,label", "a,x", "", "b,\"y", "z\"", "c,x"].join(end);
        let table = read(text.as_bytes()).unwrap();
        assert_eq!((table.len(), table.columns().len()), (3, 2), "{end:?}");
        let error = read(format!("{text}{end}d").as_bytes()).unwrap_err();
        says(&error, &["line 7", "expected 2 cells"]);
    }
}

#[test]
fn a_quote_that_is_not_closed_does_not_swallow_the_rest() {
    let error = read("name,label\na,x\nb,\"y\nc,z\nd,x\n").unwrap_err();
    says(&error, &["line 3", "quote"]);
    // Nor its own line end, on the last line.
    for text in [
        "name,label\na,x\nb,\"y\n",
        "name,label\na,x\nb,\"y",
        "name,label\na,x\nb,\"y\"\"\n",
    ] {
        says(&read(text).unwrap_err(), &["line 3", "quote"]);
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
            matches!(error, Error::EmptyTable { .. }),
            "{text:?}: {error}"
        );
    }
    let error = Table::read_csv("/nowhere/labels.csv", &CsvOptions::new()).unwrap_err();
    says(&error, &["/nowhere/labels.csv"]);
}

#[test]
fn a_table_in_memory_has_one_cell_a_column() {
    let error = Table::from_rows(["a", "b"], [vec!["1", "2"], vec!["3"]]).unwrap_err();
    assert!(matches!(
        error,
        Error::RaggedRow {
            row: 1,
            expected: 2,
            found: 1
        }
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
    assert!(
        matches!(error, Error::MissingFiles { count: 2, .. }),
        "{error}"
    );
    says(&error, &["img/3.jpg", "line 5 of", "suffix"]);
    assert_eq!(build(files.with_check(false)).unwrap().len(), 4);
}

#[test]
fn a_cell_without_a_value_is_named_by_line_and_column() {
    let folder = set("name,label\n1,a\n2,b\n3,\n4,b\n", &["1", "2", "3", "4"]);
    let build = || ImageDataBunch::from_csv(folder.path()).valid_pct(0.0);
    says(
        &build().build().unwrap_err(),
        &["line 4", "\"label\"", "a value", "nothing"],
    );

    let folder = set("name,label\n1,a\n2,NA\n,b\n", &["1", "2"]);
    let build = || ImageDataBunch::from_csv(folder.path()).valid_pct(0.0);
    says(&build().build().unwrap_err(), &["line 4", "\"name\""]);
    let folder = set("name,label\n1,a\n2,NA\n", &["1", "2"]);
    let build = || ImageDataBunch::from_csv(folder.path()).valid_pct(0.0);
    says(
        &build().build().unwrap_err(),
        &["line 3", "\"NA\", which stands for no value"],
    );
    let build = build().csv_options(CsvOptions::new().with_missing([""]));
    assert_eq!(build.build().unwrap().classes(), ["NA", "a"]);
}

#[test]
fn a_column_that_is_not_there_is_named_with_those_that_are() {
    let folder = set("name,label\n1,a\n2,b\n", &["1", "2"]);
    let build = || ImageDataBunch::from_csv(folder.path()).valid_pct(0.0);
    says(
        &build().label_col("tags").build().unwrap_err(),
        &["\"tags\"", "name, label"],
    );
    says(
        &build().fn_col(9).build().unwrap_err(),
        &["number 9", "name, label"],
    );
    let data = build().fn_col("name").label_col("label").build().unwrap();
    assert_eq!(data.classes(), ["a", "b"]);
}

#[test]
fn a_table_with_all_that_can_be_said_about_it() {
    let folder = set("", &["jpg/7.jpg", "jpg/8.jpg"]);
    fs::write(folder.path().join("tags.tsv"), "rain sun\t7\nsun\t8\n").unwrap();
    let data = ImageDataBunch::from_csv(folder.path())
        .csv_labels("tags.tsv")
        .delimiter(b'\t')
        .header(false)
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
    says(&error, &["line 4", "a number", "\"x\""]);
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
