//! The fingerprint of data says what a model was trained on.

use std::fs;
use std::path::Path;

use vision_data::datasets::synthetic;
use vision_data::{DataFingerprint, ImageDataBunch, Split};

fn folder(root: &Path) -> DataFingerprint {
    let data = ImageDataBunch::from_folder(root).batch_size(2);
    data.build().unwrap().fingerprint()
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copied(&entry.path(), &target),
            false => _ = fs::copy(entry.path(), target).unwrap(),
        }
    }
}

#[test]
fn the_same_files_with_the_same_labels_have_one_fingerprint_wherever_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let first = synthetic::digits(&dir.path().join("first"), 0, 3, 2).unwrap();
    let other = dir.path().join("elsewhere/other");
    copied(&first, &other);
    let found = folder(&first);
    assert_eq!((found.train, found.valid), (6, 4));
    assert_eq!(found.hash.len(), 64);
    assert_eq!(folder(&other), found);
    // Whatever the seed, the batches and the order of the files.
    let shuffled = ImageDataBunch::from_folder(&first)
        .seed(9)
        .batch_size(3)
        .size(20);
    assert_eq!(shuffled.build().unwrap().fingerprint(), found);
    let files = |backwards: bool| {
        let mut files = vision_data::files::image_files(first.join("train")).unwrap();
        if backwards {
            files.reverse();
        }
        let labels = files
            .iter()
            .map(|file| file.to_string_lossy().contains("train/3").to_string());
        let labels: Vec<String> = labels.collect();
        let data = ImageDataBunch::from_lists(&first, files, labels).split(Split::None);
        data.batch_size(2).build().unwrap().fingerprint()
    };
    assert_eq!(files(false), files(true));
}

#[test]
fn another_name_size_label_or_part_is_another_fingerprint() {
    let dir = tempfile::tempdir().unwrap();
    let root = synthetic::digits(&dir.path().join("digits"), 0, 3, 2).unwrap();
    let mut seen = vec![folder(&root).hash];
    let mut changed = |what: &str| {
        let hash = folder(&root).hash;
        assert!(!seen.contains(&hash), "{what}");
        seen.push(hash);
    };
    let files = vision_data::files::image_files(root.join("train/3")).unwrap();
    let name = files[0].file_name().unwrap();
    fs::rename(&files[0], root.join("train/3/renamed.png")).unwrap();
    changed("a name");
    fs::rename(
        root.join("train/3/renamed.png"),
        root.join("train/7/renamed.png"),
    )
    .unwrap();
    changed("a label");
    fs::rename(
        root.join("train/7/renamed.png"),
        root.join("valid/3").join(name),
    )
    .unwrap();
    changed("a part");
    let mut bytes = fs::read(&files[1]).unwrap();
    bytes.push(0);
    fs::write(&files[1], bytes).unwrap();
    changed("a size");
    fs::remove_file(&files[1]).unwrap();
    changed("a number of files");
}

#[test]
fn no_image_is_read_for_a_fingerprint() {
    let dir = tempfile::tempdir().unwrap();
    let root = synthetic::digits(&dir.path().join("digits"), 0, 3, 2).unwrap();
    let data = ImageDataBunch::from_folder(&root)
        .batch_size(2)
        .build()
        .unwrap();
    let before = data.fingerprint();
    // Same names and sizes, and nothing that could be decoded.
    for file in vision_data::files::image_files(&root).unwrap() {
        let length = fs::metadata(&file).unwrap().len() as usize;
        fs::write(file, vec![0; length]).unwrap();
    }
    assert_eq!(data.fingerprint(), before);
    fs::remove_dir_all(&root).unwrap();
    assert_ne!(data.fingerprint(), before, "files without a size");
}
