//! Transparent pixels over a background, as Pillow pastes them (scripts/make_alpha_fixtures.py).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use vision_data::inspect::doctor::FindingKind;
use vision_data::{Image, ImageDataBunch, ReadConfig};

#[derive(Deserialize)]
struct Fixture {
    backgrounds: BTreeMap<String, [u8; 3]>,
    images: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/alpha")
}

fn fixture() -> Fixture {
    let json = fs::read_to_string(folder().join("expected.json")).unwrap();
    serde_json::from_str(&json).unwrap()
}

/// Data of the fixture's images in one class, half of them for validation.
fn data(root: &Path, reading: ReadConfig) -> ImageDataBunch {
    for (k, name) in fixture().images.keys().enumerate() {
        let part = root.join(["train/a", "train/b", "valid/a", "valid/b"][k % 4]);
        fs::create_dir_all(&part).unwrap();
        fs::copy(folder().join(name), part.join(name)).unwrap();
    }
    ImageDataBunch::from_folder(root)
        .batch_size(2)
        .reading(reading)
        .build()
        .unwrap()
}

#[test]
fn transparent_pixels_over_a_background_are_pillows() {
    let fixture = fixture();
    assert_eq!(fixture.images.len(), 11);
    let root = tempfile::tempdir().unwrap();
    let mut backgrounds: Vec<_> = fixture
        .backgrounds
        .iter()
        .map(|(n, c)| (n.as_str(), Some(*c)))
        .collect();
    backgrounds.push(("stored", None));
    for (name, color) in backgrounds {
        let mut reading = ReadConfig::new().with_disk_cache(root.path().join("cache"));
        if let Some(color) = color {
            reading = reading.with_background(color);
        }
        let data = data(&root.path().join("images"), reading);
        for (file, pixels) in &fixture.images {
            let image = data.open(folder().join(file)).unwrap();
            assert_eq!(image.pixels(), pixels[name], "{file} over {name}");
        }
        for dataset in [data.train_ds(), data.valid_ds()] {
            for (item, path) in dataset.paths().iter().enumerate() {
                let file = path.file_name().unwrap().to_str().unwrap();
                let image: Image = dataset.image(item).unwrap();
                assert_eq!(
                    image.pixels(),
                    fixture.images[file][name],
                    "{file} over {name}"
                );
            }
        }
        // What decides a prediction is compared with a checkpoint's, and saved with the data.
        assert_eq!(data.preprocessing().background, color);
        let saved = data.save(root.path().join("data.json")).unwrap();
        let loaded = ImageDataBunch::load(data.path(), saved)
            .unwrap()
            .build()
            .unwrap();
        assert_eq!(loaded.preprocessing().background, color);
    }
}

#[test]
fn the_doctor_finds_transparent_pixels_and_small_images() {
    let root = tempfile::tempdir().unwrap();
    let plain = data(root.path(), ReadConfig::new());
    let of = |data: &ImageDataBunch, kind| {
        let findings = data.doctor().findings;
        let mut files: Vec<String> = findings
            .iter()
            .filter(|finding| finding.kind == kind)
            .flat_map(|finding| &finding.files)
            .map(|file| file.path.file_name().unwrap().to_str().unwrap().to_owned())
            .collect();
        files.sort();
        files
    };
    let names = fixture().images.into_keys();
    let transparent: Vec<String> = names.filter(|name| name != "opaque.png").collect();
    assert_eq!(of(&plain, FindingKind::Transparent), transparent);
    assert!(of(&plain, FindingKind::Enlarged).is_empty());
    let white = data(root.path(), ReadConfig::new().with_background([255; 3]));
    assert!(of(&white, FindingKind::Transparent).is_empty());
    // 7x5 pixels: 10 is twice the shorter side.
    let sized = |size| {
        ImageDataBunch::from_folder(root.path())
            .batch_size(2)
            .size(size)
            .build()
            .unwrap()
    };
    assert!(of(&sized(9), FindingKind::Enlarged).is_empty());
    assert_eq!(of(&sized(10), FindingKind::Enlarged).len(), 1);
}
