//! Small sets and learners for the tests.
#![allow(unreachable_pub)]

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use vision_data::ImageDataBunch;
use vision_data::datasets::synthetic;
use vision_learner::{Learner, accuracy, create_cnn};
use vision_models::Arch;

/// A folder with drawn 3s and 7s: `train` and `valid` images a class.
pub struct Digits {
    pub dir: TempDir,
    pub path: PathBuf,
}

pub fn digits(train: usize, valid: usize) -> Digits {
    let dir = tempfile::tempdir().unwrap();
    let path = synthetic::digits(&dir.path().join("digits"), 0, train, valid).unwrap();
    Digits { dir, path }
}

pub fn data(path: &Path, batch_size: usize) -> ImageDataBunch {
    ImageDataBunch::from_folder(path)
        .batch_size(batch_size)
        .build()
        .unwrap()
}

/// A silent ResNet-18 learner at random weights.
pub fn learner(data: ImageDataBunch) -> Learner {
    create_cnn(data, Arch::ResNet18)
        .pretrained(false)
        .metrics([accuracy()])
        .silent(true)
        .build()
        .unwrap()
}

/// Checks that two lists of numbers have one length and agree up to a part of the expected number and a
/// constant; NaN agrees with nothing.
#[track_caller]
pub fn close<T: Into<f64> + Copy>(
    what: &str,
    found: &[T],
    expected: &[T],
    relative: f64,
    absolute: f64,
) {
    assert_eq!(found.len(), expected.len(), "{what}: length");
    assert!(!found.is_empty(), "{what}: nothing to compare");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let (found, expected) = ((*found).into(), (*expected).into());
        assert!(
            (found - expected).abs() <= relative * expected.abs() + absolute,
            "{what}[{i}]: {found}, expected {expected}"
        );
    }
}
