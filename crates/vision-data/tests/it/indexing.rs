//! Finding files where folders and names are not as one would wish.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
#[cfg(target_os = "linux")]
use support::unreadable;
use vision_base::IoError;
use vision_base::progress::Progress;
use vision_data::files::{IndexConfig, UnreadableFolders, image_files, index};
use vision_data::inspect::doctor::{Doctor, FindingKind};
use vision_data::{Error, FilesError, ImageDataBunch, ImageList};

use crate::support;

fn touch(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "").unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn an_unreadable_folder_is_an_error_that_names_it_or_is_skipped_and_listed() {
    let folder = tempfile::tempdir().unwrap();
    let end = unreadable(folder.path());
    touch(&folder.path().join("z/1.png"));
    match image_files(folder.path()).unwrap_err() {
        Error::Io(IoError { path, .. }) => assert!(path.starts_with(end), "{}", path.display()),
        other => panic!("{other}"),
    }
    let skip = IndexConfig::new().with_unreadable(UnreadableFolders::Skip);
    let found = index(folder.path(), &skip).unwrap();
    assert_eq!(found.files, [folder.path().join("z/1.png")]);
    assert_eq!(found.skipped.len(), 1);
    assert!(!found.skipped[0].reason.is_empty());
    // The folder that was asked for is no matter of choice.
    assert!(index(folder.path().join("nowhere"), &skip).is_err());
}

/// The processor's time that this thread has had: a busy machine does not lengthen it.
#[cfg(target_os = "linux")]
fn processor_time() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

#[cfg(target_os = "linux")]
#[test]
fn a_thousand_folders_one_in_the_other_are_read_with_little_work() {
    let folder = tempfile::tempdir().unwrap();
    let mut deep = folder.path().to_owned();
    for _ in 0..1000 {
        deep.push("d");
        fs::create_dir(&deep).unwrap();
        fs::write(deep.join("1.png"), "").unwrap();
    }
    let before = processor_time();
    assert_eq!(image_files(folder.path()).unwrap().len(), 1000);
    // To resolve each path anew took twelve seconds.
    let work = processor_time() - before;
    assert!(work < Duration::from_secs(4), "{work:?}");
}

#[test]
fn progress_counts_files_and_ends_with_all_of_the_work() {
    let folder = tempfile::tempdir().unwrap();
    for class in ["a", "b", "c/deep", "d"] {
        for item in 0..5 {
            touch(&folder.path().join(class).join(format!("{item}.png")));
        }
    }
    let reports = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&reports);
    let progress = Progress::new(move |report| told.lock().unwrap().push(*report));
    index(folder.path(), &IndexConfig::new().with_progress(progress)).unwrap();
    let last = *reports.lock().unwrap().last().unwrap();
    assert_eq!((last.done, last.fraction), (20, 1.0));
    assert_eq!(last.left(), Some(Duration::ZERO));
}

/// Folders of two classes, with so many images in each.
fn classes(root: &Path, parts: &[(&str, usize)]) {
    for (part, images) in parts {
        for (class, image) in ["cat", "dog"]
            .iter()
            .flat_map(|c| (0..*images).map(move |i| (c, i)))
        {
            touch(&root.join(part).join(class).join(format!("{image}.png")));
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_data_bunch_skips_unreadable_folders_on_request_and_lists_them() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    classes(root, &[("train", 4), ("valid", 2), ("test", 1)]);
    let mut ends = ["train/cat", "valid/dog", "test"].map(|part| unreadable(&root.join(part)));
    let build = || ImageDataBunch::from_folder(root).batch_size(2);
    assert!(matches!(build().build(), Err(Error::Io(IoError { .. }))));
    let skip = || IndexConfig::new().with_unreadable(UnreadableFolders::Skip);
    let data = build().indexing(skip()).build().unwrap();
    assert_eq!((data.train_ds().len(), data.valid_ds().len()), (8, 4));
    assert_eq!(data.test_ds().unwrap().len(), 2);
    // The first folder in each that is too deep.
    let skipped = data.skipped_folders();
    assert_eq!(skipped.len(), 3);
    assert!(
        skipped
            .iter()
            .zip(&ends)
            .all(|(skipped, end)| skipped.path.starts_with(end))
    );
    // In whatever way the folders are read.
    let data = build()
        .valid_pct(0.25)
        .test("test")
        .indexing(skip())
        .build()
        .unwrap();
    let mut found: Vec<_> = data
        .skipped_folders()
        .iter()
        .map(|skipped| &skipped.path)
        .collect();
    found.sort_unstable();
    ends.sort_unstable();
    assert_eq!(found.len(), ends.len());
    assert!(
        found
            .iter()
            .zip(&ends)
            .all(|(found, end)| found.starts_with(end))
    );
    let list = ImageList::from_folder_with(root, &skip()).unwrap();
    assert_eq!((list.len(), list.skipped_folders().len()), (14, 3));
}

#[test]
fn images_in_formats_that_are_not_read_do_not_vanish_without_a_word() {
    let folder = tempfile::tempdir().unwrap();
    classes(folder.path(), &[("train", 4), ("valid", 2)]);
    // A class of photos of a telephone, and a drawing among those that are read.
    for name in [
        "train/bird/1.HEIC",
        "train/bird/2.heic",
        "valid/bird/3.avif",
    ] {
        touch(&folder.path().join(name));
    }
    touch(&folder.path().join("train/notes.txt"));
    let found = index(folder.path(), &IndexConfig::new()).unwrap();
    assert_eq!(found.unread.len(), 3);
    let data = ImageDataBunch::from_folder(folder.path())
        .batch_size(2)
        .build()
        .unwrap();
    let names: Vec<_> = data
        .unread_files()
        .iter()
        .map(|path| path.file_name().unwrap())
        .collect();
    assert_eq!(names, ["1.HEIC", "2.heic", "3.avif"]);
    let said = data.to_string();
    assert!(
        said.contains("3 more in unsupported formats") && said.contains("1.HEIC"),
        "{said}"
    );
    for report in [
        Ok(data.doctor()),
        Doctor::new().examine_folder(folder.path()),
    ] {
        let report = report.unwrap();
        let unread = report
            .findings
            .iter()
            .filter(|f| f.kind == FindingKind::UnreadFormat);
        assert_eq!(unread.count(), 3, "{report}");
        assert!(report.to_string().contains("Convert it to JPEG or PNG"));
    }
    // The random split reads the same folders, and a test folder is one of them.
    touch(&folder.path().join("test/4.psd"));
    touch(&folder.path().join("test/5.png"));
    let build = ImageDataBunch::from_folder(folder.path())
        .valid_pct(0.3)
        .batch_size(2)
        .build();
    assert_eq!(build.unwrap().unread_files().len(), 4);
}

#[test]
fn a_data_bunch_tells_of_the_files_of_each_of_its_folders() {
    let folder = tempfile::tempdir().unwrap();
    classes(folder.path(), &[("train", 4), ("valid", 2), ("test", 1)]);
    let ends = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&ends);
    let progress = Progress::new(move |report| {
        if report.fraction == 1.0 {
            told.lock().unwrap().push(report.done);
        }
    });
    let indexing = IndexConfig::new().with_progress(progress);
    let data = ImageDataBunch::from_folder(folder.path()).batch_size(2);
    data.indexing(indexing).build().unwrap();
    assert_eq!(*ends.lock().unwrap(), [8, 4, 2]);
}

#[test]
fn files_of_a_list_are_looked_for_unless_told_not_to() {
    let folder = tempfile::tempdir().unwrap();
    let files = || (0..10).map(|item| format!("{item}.png"));
    let labels = || (0..10).map(|item| item % 2);
    let build = || ImageDataBunch::from_lists(folder.path(), files(), labels()).batch_size(2);
    match build().build().unwrap_err() {
        Error::Files(FilesError::MissingFiles { count, first, .. }) => {
            assert_eq!((count, first), (10, folder.path().join("0.png")));
        }
        other => panic!("{other}"),
    }
    let data = build().no_check().build().unwrap();
    assert_eq!((data.train_ds().len(), data.valid_ds().len()), (8, 2));
    // A file that is not there is named when it is read.
    let error = data.train_ds().image(0).unwrap_err().to_string();
    assert!(
        error.contains(".png") && error.contains("No such file"),
        "{error}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn files_are_in_the_order_of_their_paths(
        names in prop::collection::vec(("[ab.!-]{0,3}", "[ab.!~-]{1,3}"), 1..30)
    ) {
        let folder = tempfile::tempdir().unwrap();
        for (sub, name) in &names {
            let path = folder.path().join(format!("x{sub}")).join(format!("{name}.png"));
            // A name may be taken by a folder, or the other way round.
            if fs::create_dir_all(path.parent().unwrap()).is_ok() {
                let _ = fs::write(folder.path().join(format!("x{name}.png")), "");
                let _ = fs::write(path, "");
            }
        }
        let found = image_files(folder.path()).unwrap();
        let mut sorted = found.clone();
        sorted.sort();
        prop_assert!(!found.is_empty());
        prop_assert_eq!(found, sorted);
    }
}
