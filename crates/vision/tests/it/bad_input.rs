//! Wrong input, through the public API from end to end: a typed error that names the file or field, and
//! nothing lost. Each crate's own tests go into the details.

use std::fs;
use std::path::{Path, PathBuf};

use vision::data::{BadImages, device};
use vision::learner::Recorder;
use vision::prelude::*;

use crate::support;

fn error<T, E: std::fmt::Display>(result: Result<T, E>) -> String {
    match result {
        Ok(_) => panic!("it was accepted"),
        Err(error) => error.to_string(),
    }
}

fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{text:?} should say {part:?}");
    }
}

/// What a run over the digits says when one more training file is among them.
fn run_with(name: &str, bytes: &[u8]) -> Result<Recorder, vision::learner::Error> {
    let digits = support::digits(8, 4);
    fs::write(digits.path.join("train/3").join(name), bytes).unwrap();
    let data = ImageDataBunch::from_folder(&digits.path)
        .batch_size(17)
        .build()?;
    support::learner(data).fit(1, 1e-3)
}

#[test]
fn an_empty_folder_is_told_what_is_expected() {
    let folder = tempfile::tempdir().unwrap();
    let text = error(ImageDataBunch::from_folder(folder.path()).build());
    says(&text, &[folder.path().to_str().unwrap(), "train"]);
}

#[test]
fn a_folder_with_one_class_is_not_enough() {
    let digits = support::digits(4, 4);
    for part in ["train", "valid"] {
        fs::remove_dir_all(digits.path.join(part).join("7")).unwrap();
    }
    let text = error(ImageDataBunch::from_folder(&digits.path).build());
    says(&text, &["two classes", "3"]);
}

#[test]
fn a_class_with_one_image_trains() {
    let digits = support::digits(8, 4);
    let files = fs::read_dir(digits.path.join("train/7")).unwrap();
    for file in files.skip(1) {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    support::learner(support::data(&digits.path, 9))
        .fit(1, 1e-3)
        .unwrap();
}

#[test]
fn a_bad_image_ends_the_run_with_its_name() {
    says(&error(run_with("zero.png", b"")), &["zero.png", "empty"]);
    says(
        &error(run_with("text.png", b"no picture")),
        &["text.png", "no pictu"],
    );
    let mut jpeg = Vec::new();
    let picture = image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([x as u8, y as u8, 9]));
    let mut encoder = image::codecs::jpeg::JpegEncoder::new(&mut jpeg);
    encoder.encode_image(&picture).unwrap();
    says(
        &error(run_with("cut.jpg", &jpeg[..jpeg.len() / 2])),
        &["cut.jpg", "truncated"],
    );
    // An image header that claims 100,000 x 100,000 pixels; a BMP needs no checksums.
    let mut bmp = b"BM".to_vec();
    bmp.extend(
        [54u32, 0, 54, 40, 100_000, 100_000]
            .iter()
            .flat_map(|v| v.to_le_bytes()),
    );
    bmp.extend([1, 0, 24, 0]);
    bmp.extend([0; 24]);
    says(&error(run_with("huge.png", &bmp)), &["huge.png", "100000"]);
}

#[test]
fn an_image_of_another_size_is_named_and_a_size_helps() {
    let digits = support::digits(8, 4);
    let one = digits.path.join("train/3/one.png");
    image::RgbImage::new(1, 1).save(&one).unwrap();
    let result = ImageDataBunch::from_folder(&digits.path)
        .batch_size(17)
        .build();
    let text = match result {
        Err(e) => e.to_string(),
        Ok(data) => error(support::learner(data).fit(1, 1e-3)),
    };
    says(&text, &["one.png", "1x1", "28x28", "size"]);
    let sized = ImageDataBunch::from_folder(&digits.path)
        .batch_size(17)
        .size(28)
        .build();
    support::learner(sized.unwrap()).fit(1, 1e-3).unwrap();
}

#[test]
fn a_bad_image_is_skipped_and_the_run_goes_on_when_the_user_says_so() {
    let digits = support::digits(8, 4);
    fs::write(digits.path.join("train/3/zero.png"), b"").unwrap();
    let data = ImageDataBunch::from_folder(&digits.path)
        .batch_size(17)
        .bad_images(BadImages::Skip)
        .build()
        .unwrap();
    support::learner(data).fit(1, 1e-3).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_path_that_is_not_utf_8_works_and_a_class_that_is_not_is_named() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let digits = support::digits(8, 4);
    let odd = digits.dir.path().join(OsStr::from_bytes(b"od\xff"));
    fs::rename(&digits.path, &odd).unwrap();
    let mut learner = support::learner(support::data(&odd, 8));
    learner.fit(1, 1e-3).unwrap();
    learner.save("x").unwrap();
    learner.load("x").unwrap();
    fs::rename(
        odd.join("train/3"),
        odd.join("train").join(OsStr::from_bytes(b"c\xff")),
    )
    .unwrap();
    says(
        &error(ImageDataBunch::from_folder(&odd).build()),
        &["train", "UTF-8"],
    );
}

#[test]
fn batch_size_zero_and_one_larger_than_the_set_are_errors_with_the_numbers() {
    let digits = support::digits(8, 4);
    let with = |size| {
        ImageDataBunch::from_folder(&digits.path)
            .batch_size(size)
            .build()
    };
    says(&error(with(0)), &["batch", "0"]);
    let data = with(17).unwrap();
    says(&error(support::learner(data).fit(1, 1e-3)), &["17", "16"]);
}

#[test]
fn a_plot_into_a_folder_that_is_none_is_an_error_with_the_path() {
    let digits = support::digits(8, 4);
    let learner = support::learner(support::data(&digits.path, 8));
    let interp = ClassificationInterpretation::from_learner(&learner).unwrap();
    let figure = interp.plot_confusion_matrix().unwrap();
    let blocked = digits.path.join("train/3/none");
    says(&error(figure.save(blocked.join("x.png"))), &["none"]);
    says(
        &error(figure.save(digits.path.join("x.gif"))),
        &["x.gif", "png", "svg"],
    );
}

#[test]
fn a_weights_file_whose_pickle_calls_a_function_is_refused_and_nothing_runs() {
    let digits = support::digits(2, 2);
    let marker = digits.dir.path().join("executed");
    let file = digits.dir.path().join("evil.pth");
    let command = format!("touch {}", marker.display());
    // Protocol 2: os.system called with the command.
    let mut pickle = b"\x80\x02cos\nsystem\n(X".to_vec();
    pickle.extend((command.len() as u32).to_le_bytes());
    pickle.extend(command.as_bytes());
    pickle.extend(b"tR.");
    fs::write(&file, pickle).unwrap();
    let build = |path: &Path| {
        let data = support::data(&digits.path, 4);
        create_cnn(data, Arch::ResNet18)
            .pretrained(path)
            .silent(true)
            .build()
    };
    says(&error(build(&file)), &["evil.pth"]);
    assert!(!marker.exists());
    let missing = PathBuf::from("/nowhere/weights.pth");
    says(&error(build(&missing)), &["/nowhere/weights.pth"]);
}

#[test]
fn weights_that_cannot_be_had_are_an_error_with_url_file_and_ways_out() {
    let digits = support::digits(2, 2);
    let data = support::data(&digits.path, 4);
    let folder = digits.dir.path().join("weights");
    let result = create_cnn(data, Arch::ResNet152)
        .weights_dir(&folder)
        .download(vision::fetch::Options::new().with_offline(true))
        .silent(true)
        .build();
    says(
        &error(result),
        &[
            "https://download.pytorch.org/models/resnet152-394f9c45.pth",
            folder.join("resnet152-394f9c45.pth").to_str().unwrap(),
            "VISION_MIRROR",
            ".pretrained(false)",
            ".pretrained(\"weights.pth\")",
        ],
    );
}

#[test]
fn an_unknown_architecture_or_device_lists_what_there_is() {
    says(
        &error("resnet19".parse::<Arch>()),
        &["resnet19", "did you mean resnet18", "mobilenet_v2"],
    );
    says(&error(device::parse("gpu9")), &["gpu9", "flex"]);
}

#[test]
fn an_image_too_small_for_an_architecture_is_an_error_with_both_sizes() {
    let digits = support::digits(4, 4);
    let build = |arch: Arch| {
        let builder = create_cnn(support::data(&digits.path, 4), arch).pretrained(false);
        builder.silent(true).build().unwrap()
    };
    let mut learner = build(Arch::DenseNet121);
    says(
        &error(learner.fit(1, 1e-3)),
        &["densenet121", "29x29", "28x28", ".size("],
    );
    says(&error(learner.get_preds(DatasetType::Valid)), &["29x29"]);
    let image = learner.data().train_ds().image(0).unwrap();
    says(&error(learner.predict(&image)), &["29x29"]);
    // scripts/min_sizes.py: SqueezeNet 1.0 takes 21 pixels, DenseNet 29.
    assert!(build(Arch::SqueezeNet1_0).predict(&image).is_ok());
}

#[test]
fn an_archive_with_a_way_out_is_refused_and_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("evil.tgz");
    let file = fs::File::create(&archive).unwrap();
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(
        file,
        flate2::Compression::fast(),
    ));
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..13].copy_from_slice(b"../escaped.tx");
    header.set_size(1);
    header.set_mode(0o644);
    header.set_cksum();
    tar.append(&header, &b"x"[..]).unwrap();
    tar.into_inner().unwrap().finish().unwrap();
    says(
        &error(untar_data(archive.to_str().unwrap())),
        &["evil.tgz", "../escaped.tx"],
    );
    assert!(!dir.path().join("escaped.tx").exists());
}
