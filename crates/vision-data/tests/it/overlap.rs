//! Images that two parts of data share.

use std::fs;

use vision_data::datasets::synthetic;
use vision_data::{DataError, Error, Image, ImageDataBunch, ImageList, MemoryImages, Split};

#[test]
fn the_same_files_and_copies_are_found_and_others_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = synthetic::digits(&folder.path().join("digits"), 1, 4, 2).unwrap();
    let trained = ImageDataBunch::from_folder(&path)
        .batch_size(2)
        .build()
        .unwrap();
    let other = folder.path().join("other");
    for class in ["3", "7"] {
        fs::create_dir_all(other.join(class)).unwrap();
    }
    // A copy under another name, a file of the same length with other bytes, and one that is gone.
    let first = path.join("train/3/00000.png");
    let bytes = fs::read(&first).unwrap();
    fs::copy(&first, other.join("3/copy.png")).unwrap();
    let mut changed = bytes.clone();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(other.join("3/other.png"), changed).unwrap();
    fs::write(other.join("7/gone.png"), &bytes).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(path.join("train/7/00001.png"), other.join("7/link.png")).unwrap();
    let data = ImageDataBunch::from_folder(&other)
        .valid_pct(0.0)
        .batch_size(1)
        .build()
        .unwrap();
    fs::remove_file(other.join("7/gone.png")).unwrap();
    let shared = data.train_ds().also_in(trained.train_ds()).unwrap();
    let names: Vec<_> = shared
        .iter()
        .map(|item| {
            data.train_ds().paths()[*item]
                .file_name()
                .unwrap()
                .to_str()
                .unwrap()
        })
        .collect();
    #[cfg(unix)]
    assert_eq!(names, ["copy.png", "link.png"]);
    #[cfg(not(unix))]
    assert_eq!(names, ["copy.png"]);
    assert_eq!(
        trained
            .train_ds()
            .also_in(trained.train_ds())
            .unwrap()
            .len(),
        8
    );
    assert!(
        trained
            .valid_ds()
            .also_in(trained.train_ds())
            .unwrap()
            .is_empty()
    );
}

#[test]
fn images_that_are_no_files_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let image = |name: &str| {
        (
            name.to_owned(),
            Image::from_rgb8(8, 8, vec![1; 192]).unwrap(),
        )
    };
    let source = MemoryImages::new(["a/1", "b/1"].map(image));
    let data = ImageList::from_source(folder.path(), source)
        .unwrap()
        .split(Split::None)
        .unwrap()
        .label_from_folder()
        .unwrap()
        .databunch()
        .batch_size(1)
        .build()
        .unwrap();
    let error = data.train_ds().also_in(data.train_ds()).unwrap_err();
    assert!(
        matches!(error, Error::Data(DataError::NotFiles { .. })),
        "{error}"
    );
}
