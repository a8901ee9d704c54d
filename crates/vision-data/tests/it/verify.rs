//! `verify_images`: fastai's sizes, Pillow's pixels, and nothing deleted. Fixtures:
//! `scripts/make_verify_fixtures.py`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

use vision_base::{IoError, OptionError};
use vision_data::datasets::synthetic;
use vision_data::inspect::{VerifyConfig, verify_images};
use vision_data::{Error, FilesError, Image};

use crate::support;

fn unhex(text: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

fn fixtures() -> serde_json::Map<String, serde_json::Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/verify.json");
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

/// The folders `images` and `small` in a temporary folder.
fn folders() -> (tempfile::TempDir, std::path::PathBuf, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (images, small) = (folder.path().join("images"), folder.path().join("small"));
    fs::create_dir(&images).unwrap();
    (folder, images, small)
}

#[test]
fn large_images_get_fastais_size_and_pillows_pixels() {
    let (_folder, images, small) = folders();
    for (name, case) in &fixtures() {
        fs::write(images.join(name), unhex(case["png"].as_str().unwrap())).unwrap();
    }
    let config = VerifyConfig::new().with_max_size(27).with_dest(&small);
    let report = verify_images(&images, &config).unwrap();
    assert_eq!((report.checked, report.fine), (3, 0));
    assert_eq!(report.written.len(), 3);
    for (name, case) in &fixtures() {
        let found = Image::open(small.join(name)).unwrap();
        let size = (u64::from(found.width()), u64::from(found.height()));
        assert_eq!(
            size,
            (
                case["width"].as_u64().unwrap(),
                case["height"].as_u64().unwrap()
            )
        );
        for (at, (a, b)) in found
            .pixels()
            .iter()
            .zip(unhex(case["rgb"].as_str().unwrap()))
            .enumerate()
        {
            // Pillow rounds after each of the two directions.
            assert!(a.abs_diff(b) <= 1, "{name} at {at}: {a} {b}");
        }
    }
}

#[test]
fn a_folder_of_digits_becomes_as_many_files_of_27_by_27_pixels() {
    let folder = tempfile::tempdir().unwrap();
    let path = synthetic::digits(&folder.path().join("digits"), 1, 12, 3).unwrap();
    let small = folder.path().join("small");
    let config = VerifyConfig::new().with_max_size(27).with_dest(&small);
    let report = verify_images(path.join("train/3"), &config).unwrap();
    assert_eq!(report.written.len(), 12);
    for file in &report.written {
        let image = Image::open(file).unwrap();
        assert_eq!((image.width(), image.height()), (27, 27));
        // Written as RGB: nothing is left to do about them.
    }
    let again = VerifyConfig::new()
        .with_max_size(27)
        .with_dest(folder.path().join("smaller"));
    let again = verify_images(&small, &again).unwrap();
    assert_eq!((again.fine, again.written.len()), (12, 0));
}

#[test]
fn what_cannot_be_decoded_is_listed_and_stays() {
    let (_folder, images, small) = folders();
    fs::write(images.join("empty.jpg"), "").unwrap();
    fs::write(images.join("page.png"), "<html>").unwrap();
    let config = VerifyConfig::new().with_max_size(9).with_dest(&small);
    let report = verify_images(&images, &config).unwrap();
    let named: Vec<_> = report
        .unreadable
        .iter()
        .map(|image| image.path.clone())
        .collect();
    assert_eq!(named, [images.join("empty.jpg"), images.join("page.png")]);
    assert!(named.iter().all(|path| path.is_file()));
    let text = report.to_string();
    assert!(
        text.contains("2 unreadable") && text.contains("page.png: it begins with"),
        "{text}"
    );
    assert!(
        serde_json::to_string(&report)
            .unwrap()
            .contains("it is empty")
    );
}

#[test]
fn small_rgb_images_are_left_alone_and_gray_ones_become_rgb_of_the_same_size() {
    let (_folder, images, small) = folders();
    let fixtures = fixtures();
    for name in ["digit.png", "wide.png"] {
        fs::write(
            images.join(name),
            unhex(fixtures[name]["png"].as_str().unwrap()),
        )
        .unwrap();
    }
    let config = VerifyConfig::new().with_max_size(500).with_dest(&small);
    let report = verify_images(&images, &config).unwrap();
    assert_eq!(report.fine, 1);
    assert_eq!(report.written, [small.join("digit.png")]);
    let digit = image::open(small.join("digit.png")).unwrap();
    assert_eq!((digit.width(), digit.color()), (28, image::ColorType::Rgb8));
}

#[test]
fn resuming_leaves_what_is_there() {
    let (_folder, images, small) = folders();
    let fixtures = fixtures();
    for name in ["tall.png", "wide.png"] {
        fs::write(
            images.join(name),
            unhex(fixtures[name]["png"].as_str().unwrap()),
        )
        .unwrap();
    }
    fs::create_dir(&small).unwrap();
    fs::write(small.join("tall.png"), "by hand").unwrap();
    let config = VerifyConfig::new().with_max_size(20).with_dest(&small);
    let resumed = verify_images(&images, &config.clone().with_resume(true)).unwrap();
    assert_eq!((resumed.resumed, resumed.written.len()), (1, 1));
    assert_eq!(fs::read(small.join("tall.png")).unwrap(), b"by hand");
    let error = verify_images(&images, &config).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Fetch(vision_fetch::Error::AlreadyExists { .. })
        ),
        "{error}"
    );
    assert_eq!(fs::read(small.join("tall.png")).unwrap(), b"by hand");
}

#[test]
fn a_destination_in_the_folder_is_refused_before_it_is_made_and_through_a_link_too() {
    let (_folder, images, small) = folders();
    let inside = images.join("copies/small");
    let config = VerifyConfig::new().with_max_size(2).with_recurse(true);
    let error = verify_images(&images, &config.clone().with_dest(&inside)).unwrap_err();
    assert!(error.to_string().contains("outside"), "{error}");
    assert!(!images.join("copies").exists());
    #[cfg(unix)]
    {
        let fixtures = fixtures();
        let png = unhex(fixtures["tall.png"]["png"].as_str().unwrap());
        fs::create_dir(images.join("sub")).unwrap();
        fs::write(images.join("sub/tall.png"), &png).unwrap();
        fs::create_dir(&small).unwrap();
        std::os::unix::fs::symlink(images.join("sub"), small.join("sub")).unwrap();
        let error = verify_images(&images, &config.with_dest(&small)).unwrap_err();
        assert!(error.to_string().contains("outside"), "{error}");
        assert_eq!(fs::read(images.join("sub/tall.png")).unwrap(), png);
    }
}

#[test]
fn folders_are_gone_into_when_asked_and_keep_their_names() {
    let (_folder, images, small) = folders();
    let png = unhex(fixtures()["wide.png"]["png"].as_str().unwrap());
    for class in ["a", "b"] {
        fs::create_dir(images.join(class)).unwrap();
        fs::write(images.join(class).join("same.png"), &png).unwrap();
    }
    let config = VerifyConfig::new().with_max_size(20).with_dest(&small);
    assert_eq!(verify_images(&images, &config).unwrap().checked, 0);
    let report = verify_images(&images, &config.with_recurse(true)).unwrap();
    assert_eq!(
        report.written,
        [small.join("a/same.png"), small.join("b/same.png")]
    );
}

#[cfg(target_os = "linux")]
#[test]
fn folders_are_not_looked_into_unless_asked_for() {
    let (_folder, images, _) = folders();
    let png = unhex(fixtures()["wide.png"]["png"].as_str().unwrap());
    fs::write(images.join("wide.png"), &png).unwrap();
    support::unreadable(&images);
    let report = verify_images(&images, &VerifyConfig::new()).unwrap();
    assert_eq!((report.checked, report.fine), (1, 1));
    let all = verify_images(&images, &VerifyConfig::new().with_recurse(true));
    assert!(matches!(all, Err(Error::Io(IoError { .. }))), "{all:?}");
}

#[test]
fn a_gray_pgm_becomes_a_pixmap_that_other_programs_read() {
    let (_folder, images, small) = folders();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images/gray.pgm");
    fs::copy(&fixture, images.join("gray.pgm")).unwrap();
    let config = VerifyConfig::new().with_max_size(500).with_dest(&small);
    let report = verify_images(&images, &config).unwrap();
    assert_eq!(report.written, [small.join("gray.pgm")]);
    // Pillow writes RGB so under whatever extension of PNM.
    assert!(fs::read(small.join("gray.pgm")).unwrap().starts_with(b"P6"));
    assert_eq!(
        Image::open(small.join("gray.pgm")).unwrap(),
        Image::open(fixture).unwrap()
    );
}

#[test]
fn settings_that_would_lose_something_are_refused_before_anything_is_done() {
    let (_folder, images, small) = folders();
    let refused = |config: VerifyConfig, option: &str| match verify_images(&images, &config) {
        Err(Error::Option(OptionError { option: named, .. })) => assert_eq!(named, option),
        other => panic!("{other:?}"),
    };
    let new = VerifyConfig::new;
    refused(new().with_max_size(20), "dest");
    refused(new().with_max_size(20).with_dest(&images), "dest");
    refused(new().with_dest(images.join("inside")), "dest");
    refused(new().with_max_size(0).with_dest(&small), "max_size");
    refused(new().with_quality(0), "quality");
    let nowhere = verify_images(images.join("nowhere"), &new());
    assert!(matches!(
        nowhere,
        Err(Error::Files(FilesError::NotAFolder { .. }))
    ));
}

#[test]
fn what_was_not_looked_at_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let root = synthetic::digits(&folder.path().join("digits"), 1, 3, 2).unwrap();
    fs::write(root.join("train/3/photo.heic"), "").unwrap();
    // The usual layout: there is no image directly in it.
    let report = verify_images(&root, &VerifyConfig::new()).unwrap();
    assert_eq!((report.checked, report.folders), (0, 2));
    let said = report.to_string();
    assert!(
        said.contains("2 folders were skipped: `with_recurse(true)` includes them"),
        "{said}"
    );
    let report = verify_images(&root, &VerifyConfig::new().with_recurse(true)).unwrap();
    assert_eq!(
        (report.checked, report.folders, report.unread.len()),
        (10, 0, 1)
    );
    let said = report.to_string();
    assert!(
        said.contains("photo.heic") && !said.contains("folders were skipped"),
        "{said}"
    );
}
