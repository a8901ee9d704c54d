//! Finding files where folders and names are not as one would wish.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use vision_data::Error;
use vision_data::items::{IndexConfig, UnreadableFolders, image_files, index};
use vision_data::progress::Progress;

fn touch(path: &Path) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "").unwrap();
}

/// A folder in `root` that nobody can read, not even root: its path is too long for the system.
/// Made of two halves, of which one is moved into the other.
#[cfg(target_os = "linux")]
fn unreadable(root: &Path) -> PathBuf {
    let half = |name: &str| {
        let mut path = root.join(name);
        for _ in 0..10 {
            path.push("n".repeat(240));
        }
        fs::create_dir_all(&path).unwrap();
        path
    };
    let end = half("a").join("moved");
    half("b");
    fs::rename(root.join("b"), &end).unwrap();
    end
}

#[cfg(target_os = "linux")]
#[test]
fn an_unreadable_folder_is_an_error_that_names_it_or_is_skipped_and_listed() {
    let folder = tempfile::tempdir().unwrap();
    let end = unreadable(folder.path());
    touch(&folder.path().join("z/1.png"));
    match image_files(folder.path()).unwrap_err() {
        Error::Io { path, .. } => assert!(path.starts_with(end), "{}", path.display()),
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
    assert_eq!(last.left(), Some(std::time::Duration::ZERO));
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
