//! Data that is saved as JSON and loaded again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use vision_base::IoError;
use vision_data::datasets::synthetic;
use vision_data::files::image_files;
use vision_data::presets::random_resized_crop;
use vision_data::{
    BadImages, Batch, BatchTransform, ClassWeights, DataError, DatasetType, Error, FilesError,
    Image, ImageDataBunch, ImageList, LabelOptions, PaddingMode, ReadConfig, ResizeMethod,
    Resizing, Sampler, SplitError, Stats, TargetKind, TransformConfig, Transforms,
};

const PARTS: [DatasetType; 3] = [DatasetType::Train, DatasetType::Valid, DatasetType::Test];

/// 12 images of each digit to train on, 5 to validate, and 4 without labels.
fn digits(root: &Path) -> PathBuf {
    let path = synthetic::digits(&root.join("digits"), 3, 12, 5).unwrap();
    fs::create_dir(path.join("test")).unwrap();
    for (i, file) in image_files(path.join("valid"))
        .unwrap()
        .iter()
        .take(4)
        .enumerate()
    {
        fs::copy(file, path.join("test").join(format!("{i}.png"))).unwrap();
    }
    path
}

/// All batches of the first two epochs.
fn batches(data: &ImageDataBunch) -> Vec<Batch> {
    let parts = PARTS.into_iter().filter(|&part| data.batches(part) > 0);
    let epochs = parts.flat_map(|part| (0..2).map(move |epoch| (part, epoch)));
    epochs
        .flat_map(|(part, epoch)| data.loader(part, epoch).unwrap())
        .map(Result::unwrap)
        .collect()
}

/// Saves, loads, and checks that nothing has changed.
fn assert_comes_back(data: &ImageDataBunch) -> ImageDataBunch {
    let file = data.save("saved/data.json").unwrap();
    assert_eq!(file, data.path().join("saved/data.json"));
    let same = ImageDataBunch::load(data.path(), "saved/data.json").unwrap();
    let same = same.num_workers(3).build().unwrap();
    assert_eq!(
        (same.classes(), same.c(), same.kind()),
        (data.classes(), data.c(), data.kind())
    );
    assert_eq!(
        (same.class_weights(), same.stats()),
        (data.class_weights(), data.stats())
    );
    assert_eq!(
        (same.batch_size(), same.val_batch_size()),
        (data.batch_size(), data.val_batch_size())
    );
    assert_eq!(
        (same.seed(), same.resizing()),
        (data.seed(), data.resizing())
    );
    assert_eq!(same.transforms(), data.transforms());
    assert_eq!(same.batch_transforms(), data.batch_transforms());
    for (same, data) in [
        (same.train_ds(), data.train_ds()),
        (same.valid_ds(), data.valid_ds()),
    ] {
        assert_eq!((same.paths(), same.labels()), (data.paths(), data.labels()));
        assert_eq!(same.reading(), data.reading());
    }
    assert_eq!(
        same.test_ds().map(|test| test.labels()),
        data.test_ds().map(|test| test.labels())
    );
    assert_eq!(batches(&same), batches(data));
    same
}

/// Where a file of data is wrong, and what was expected and found there.
#[track_caller]
fn bad_file(error: &Error) -> (&str, String) {
    match error {
        Error::Data(DataError::BadFile {
            path,
            field,
            expected,
            found,
        }) => {
            assert!(path.ends_with("data.json"), "{error:?}");
            (field, format!("{expected}; {found}"))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_option_comes_back_and_batches_are_the_same_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = digits(folder.path());
    // 1 / (1 - 0.31) and others whose last bit a JSON parser may get wrong.
    let transforms = TransformConfig::new()
        .with_max_lighting(0.31)
        .with_max_zoom(1.1 + 0.2);
    let data = ImageDataBunch::from_folder(&path)
        .batch_size(5)
        .val_batch_size(3)
        .seed(1 << 60)
        .resizing(Resizing {
            size: Some((20, 24).into()),
            resize_method: Some(ResizeMethod::Pad),
            mult: Some(4),
            padding_mode: PaddingMode::Border,
        })
        .transforms(transforms)
        .batch_transforms([
            BatchTransform::mixup(0.3 + 0.1),
            BatchTransform::cutmix(1.0).with_p(0.7),
        ])
        .normalize(Stats {
            mean: [0.1 + 0.2, 0.5, 0.7],
            std: [0.1; 3],
        })
        .class_weights(ClassWeights::map([("7", 1.0 / 3.0)]))
        .sampler(Sampler::Balanced)
        .bad_images(BadImages::Skip)
        .reading(ReadConfig::new().with_memory(0).with_short_side(26))
        .build()
        .unwrap();
    let same = assert_comes_back(&data);
    // Written anew it is the same file.
    let before = fs::read(path.join("saved/data.json")).unwrap();
    same.save("saved/data.json").unwrap();
    assert_eq!(fs::read(path.join("saved/data.json")).unwrap(), before);
}

#[test]
fn what_was_changed_after_the_data_was_built_comes_back_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = digits(folder.path());
    let data = ImageDataBunch::from_folder(path)
        .batch_size(8)
        .size(28)
        .build()
        .unwrap();
    let data = data
        .with_size(14)
        .unwrap()
        .with_seed(7)
        .normalize_batch()
        .unwrap();
    let same = assert_comes_back(&data);
    assert_eq!(same.size().unwrap().height_width(), (14, 14));
}

#[test]
fn labels_of_several_classes_and_numbers_come_back_with_random_splits() {
    let folder = tempfile::tempdir().unwrap();
    let path = digits(folder.path());
    let files = image_files(path.join("train")).unwrap();
    let names = |i: usize| ["a b", "", "b", "c a", "c"][i % 5];
    let tags = LabelOptions::new().with_delimiter(" ");
    let multi = ImageDataBunch::from_lists(&path, files.clone(), (0..files.len()).map(names))
        .label_with(tags)
        .class_weights(ClassWeights::Auto)
        .sampler(Sampler::Balanced)
        .batch_size(4)
        .build()
        .unwrap();
    assert_eq!(assert_comes_back(&multi).kind(), TargetKind::MultiCategory);
    let numbers = |i: usize| vec![i as f32 / 3.0, -1e-30, 16_777_217.0];
    let float = ImageDataBunch::from_lists(&path, files.clone(), (0..files.len()).map(numbers))
        .batch_size(4)
        .build()
        .unwrap();
    assert_eq!(assert_comes_back(&float).c(), 3);
    let list = ImageList::from_files(&path, files).unwrap();
    let test = ImageList::from_folder(path.join("valid")).unwrap();
    let labels: Vec<&str> = test.items().iter().map(|_| "7").collect();
    let labeled = list.split_none().unwrap().label_from_folder().unwrap();
    let labeled = labeled.add_labeled_test(test, labels).unwrap();
    let data = labeled.databunch().batch_size(4).build().unwrap();
    let same = assert_comes_back(&data);
    assert_eq!(same.test_ds().unwrap().label_text(0).as_deref(), Some("7"));
    assert!(same.valid_ds().is_empty());
}

#[test]
fn data_that_is_only_to_predict_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    for kind in [TargetKind::Category, TargetKind::MultiCategory] {
        let data = ImageDataBunch::single_from_classes(folder.path(), ["x", "y"])
            .kind(kind)
            .size(9)
            .transforms(random_resized_crop())
            .build()
            .unwrap();
        let same = assert_comes_back(&data);
        assert!(same.train_ds().is_empty());
        let image = Image::from_rgb8(20, 30, (0..1800).map(|i| (i % 256) as u8).collect()).unwrap();
        let pixels = |data: &ImageDataBunch| data.prepare(&image).unwrap().into_data();
        assert_eq!(pixels(&same), pixels(&data));
    }
}

#[test]
fn a_folder_may_move_and_options_may_be_given_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = digits(folder.path());
    let data = ImageDataBunch::from_folder(&path)
        .batch_size(8)
        .build()
        .unwrap();
    data.save("data.json").unwrap();
    let expected = batches(&data);
    let moved = folder.path().join("elsewhere");
    fs::rename(&path, &moved).unwrap();
    let load = || ImageDataBunch::load(&moved, "data.json").unwrap();
    assert_eq!(batches(&load().build().unwrap()), expected);
    let other = load().batch_size(3).size(14).seed(1).build().unwrap();
    for part in [DatasetType::Train, DatasetType::Valid] {
        assert_eq!(other.one_batch(part).unwrap().shape(), [3, 3, 14, 14]);
    }
    // A size of validation batches that was given is another matter, and what is said anew is in place of
    // what was saved.
    let mixed = load()
        .val_batch_size(5)
        .batch_transforms([BatchTransform::mixup(0.4)])
        .normalize(Stats::MNIST);
    mixed.build().unwrap().save("mixed.json").unwrap();
    let mixed = || {
        ImageDataBunch::load(&moved, "mixed.json")
            .unwrap()
            .batch_size(3)
    };
    let same = mixed().build().unwrap();
    assert_eq!(
        (same.val_batch_size(), same.stats()),
        (5, Some(Stats::MNIST))
    );
    let other = mixed()
        .batch_transforms([BatchTransform::cutmix(1.0)])
        .normalize(None);
    let other = other.build().unwrap();
    assert_eq!(other.batch_transforms(), [BatchTransform::cutmix(1.0)]);
    assert_eq!(other.stats(), None);
    // An absolute path is taken as it is, and images may then be missing.
    let load = || ImageDataBunch::load(folder.path(), moved.join("data.json")).unwrap();
    match load().build().unwrap_err() {
        Error::Files(FilesError::MissingFiles {
            count, named_by, ..
        }) => {
            assert_eq!(count, 24 + 10 + 4);
            assert!(named_by.ends_with("data.json"), "{named_by}");
        }
        other => panic!("{other}"),
    }
    assert_eq!(load().no_check().build().unwrap().train_ds().len(), 24);
}

#[test]
fn images_outside_of_the_root_stay_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = digits(folder.path());
    let outside = folder.path().join("outside.png");
    fs::rename(path.join("test/0.png"), &outside).unwrap();
    let list = ImageList::from_folder(&path)
        .unwrap()
        .filter_by_folder(&["train"], &[]);
    let data = list.split_none().unwrap().label_from_folder().unwrap();
    let data = data.add_test(ImageList::from_files("", [&outside]).unwrap());
    let data = data.databunch().batch_size(4).build().unwrap();
    let same = assert_comes_back(&data);
    assert_eq!(same.test_ds().unwrap().paths(), [outside]);
}

#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_utf_8_come_back() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = digits(folder.path());
    let odd = path
        .join("train/3")
        .join(std::ffi::OsStr::from_bytes(b"\xFF\"\n\xC3.png"));
    fs::rename(
        image_files(path.join("train/3")).unwrap().first().unwrap(),
        &odd,
    )
    .unwrap();
    let data = ImageDataBunch::from_folder(path)
        .batch_size(8)
        .build()
        .unwrap();
    let same = assert_comes_back(&data);
    assert!(same.train_ds().paths().contains(&odd));
}

#[test]
fn jpegs_that_were_reduced_for_a_larger_size_come_back_with_the_same_pixels() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reduced/444.jpg");
    for (class, i) in ["a", "b"]
        .iter()
        .flat_map(|class| (0..3).map(move |i| (class, i)))
    {
        fs::create_dir_all(folder.path().join(class)).unwrap();
        fs::copy(&fixture, folder.path().join(class).join(format!("{i}.jpg"))).unwrap();
    }
    let build = |size: usize| {
        let reading = ReadConfig::new().with_reduced_jpegs(true);
        let data = ImageDataBunch::from_folder(folder.path())
            .valid_pct(0.34)
            .batch_size(2);
        data.reading(reading).size(size).build().unwrap()
    };
    let image = |data: &ImageDataBunch| data.train_ds().image(0).unwrap().size();
    let data = build(40).with_size(8).unwrap();
    // Built for 8 at once it is reduced further.
    assert!(image(&build(8)).width < image(&data).width);
    let same = assert_comes_back(&data);
    assert_eq!(image(&same), image(&data));
    // Only what was read for so large a size serves it.
    assert!(same.with_size(40).is_ok());
    assert!(build(8).with_size(40).is_err());
    let larger = ImageDataBunch::load(folder.path(), "saved/data.json").unwrap();
    assert!(larger.size(60).build().unwrap().with_size(60).is_ok());
}

/// Data of six images, saved, as JSON.
fn saved(root: &Path) -> (PathBuf, Value) {
    let path = synthetic::digits(&root.join("digits"), 3, 3, 2).unwrap();
    let build = ImageDataBunch::from_folder(path)
        .batch_size(2)
        .transforms(vision_data::get_transforms());
    let file = build.build().unwrap().save("data.json").unwrap();
    let json = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    (file, json)
}

fn load(file: &Path) -> Result<ImageDataBunch, Error> {
    ImageDataBunch::load(file.parent().unwrap(), file).and_then(|builder| builder.build())
}

#[test]
fn what_does_not_fit_together_is_an_error_that_names_the_file_and_the_field() {
    let folder = tempfile::tempdir().unwrap();
    let (file, json) = saved(folder.path());
    let many: Vec<Value> = (0..3).map(|i| json!([i])).collect();
    for (pointer, value, (field, part)) in [
        ("/format", json!("other"), ("format", "\"vision-data\"")),
        ("/version", json!(2), ("version", "version 1")),
        ("/classes", json!(["3", "3"]), ("classes", "occurs twice")),
        ("/classes", json!(["3"]), ("classes", "two classes")),
        ("/classes", json!(["3", "5", "7"]), ("outputs", "2")),
        ("/outputs", json!(0), ("outputs", "0")),
        ("/kind", json!("float"), ("train.labels", "category")),
        (
            "/class_weights",
            json!([1.0]),
            ("class_weights", "1 weights for 2 classes"),
        ),
        (
            "/class_weights",
            json!([1.0, -1.0]),
            ("class_weights", "-1.0"),
        ),
        ("/train/labels", json!(null), ("train.labels", "none")),
        ("/train/labels/category/1", json!(2), ("train.labels", "2")),
        (
            "/valid/labels",
            json!({"multi_category": many}),
            ("valid.labels", "multi_category"),
        ),
        (
            "/valid/files",
            json!([]),
            ("valid.labels", "4 labels for 0 files"),
        ),
        ("/batch_size", json!(0), ("an option", "batch_size")),
        (
            "/stats",
            json!({"mean": [0, 0, 0], "std": [0, 1, 1]}),
            ("an option", "stats"),
        ),
        ("/resizing/size", json!("224"), ("resizing.size", "line")),
        ("/resizing/size", json!(1_000_000), ("an option", "size")),
        (
            "/transforms/train/0",
            json!({"rotat": {}}),
            ("transforms.train[0]", "unknown variant `rotat`"),
        ),
        ("/seed", json!(-1), ("seed", "-1")),
        (
            "/class_weights",
            json!([1e99, 1]),
            ("class_weights[0]", "out of range"),
        ),
        ("/reading", json!({}), ("reading", "missing field")),
        (
            "/sampler",
            json!("none"),
            ("sampler", "unknown variant `none`"),
        ),
    ] {
        let mut changed = json.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        fs::write(&file, changed.to_string()).unwrap();
        let error = load(&file).unwrap_err();
        let (at, what) = bad_file(&error);
        assert_eq!((at, what.contains(part)), (field, true), "{error:?}");
        let text = error.to_string();
        assert!(text.contains("data.json") && text.contains(field), "{text}");
    }
    // A folder for a cache would be written to: no file says where.
    let mut changed = json.clone();
    changed["reading"]["disk_cache"] = json!("/tmp/elsewhere");
    fs::write(&file, changed.to_string()).unwrap();
    assert!(
        bad_file(&load(&file).unwrap_err())
            .1
            .contains("`disk_cache`")
    );
    fs::write(&file, json.to_string()).unwrap();
    load(&file).unwrap();
}

#[test]
fn a_size_that_is_none_is_said_with_what_was_expected() {
    let folder = tempfile::tempdir().unwrap();
    let (file, json) = saved(folder.path());
    let expected = "expected a side, or [height, width], of 1 to 16384 pixels";
    for (size, found) in [
        (json!(-4), "integer `-4`"),
        (json!("big"), "string \"big\""),
        (json!(2.5), "floating point `2.5`"),
        (json!([224, -4]), "integer `-4`"),
        (json!([224, "x"]), "string \"x\""),
        (json!([224]), "length 1"),
        (json!([1, 2, 3]), "length 3"),
        (json!([[1, 2], 3]), "sequence"),
        (json!({"side": 4}), "map"),
    ] {
        let mut changed = json.clone();
        changed["resizing"]["size"] = size.clone();
        fs::write(&file, changed.to_string()).unwrap();
        let error = load(&file).unwrap_err();
        let (at, what) = bad_file(&error);
        assert!(
            at.starts_with("resizing.size") && what.contains(found),
            "{size}: {error:?}"
        );
        assert!(error.to_string().contains(expected), "{size}: {error}");
    }
    for size in [json!(28), json!([14, 20]), json!(null)] {
        let mut changed = json.clone();
        changed["resizing"]["size"] = size.clone();
        fs::write(&file, changed.to_string()).unwrap();
        let data = load(&file).unwrap();
        assert_eq!(serde_json::to_value(data.size()).unwrap(), size);
    }
}

#[test]
fn numbers_and_classes_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (file, json) = saved(folder.path());
    for (kind, labels, said) in [
        (
            "float",
            json!({"float": [[1], [2], [3], [4], [5], [6]]}),
            "[1.0]",
        ),
        (
            "float",
            json!({"float": [[1, 2], [3, 4], [5, 6]]}),
            "3 labels for 6 files",
        ),
        (
            "multi_category",
            json!({"multi_category": [[0], [1, 2]]}),
            "2 of 2",
        ),
    ] {
        let mut changed = json.clone();
        changed["kind"] = json!(kind);
        changed["train"]["labels"] = labels;
        fs::write(&file, changed.to_string()).unwrap();
        let error = load(&file).unwrap_err();
        let (at, what) = bad_file(&error);
        assert_eq!(
            (at, what.contains(said)),
            ("train.labels", true),
            "{error:?}"
        );
    }
}

#[test]
fn a_file_cut_short_anywhere_or_no_file_at_all_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let (file, _) = saved(folder.path());
    let whole = fs::read(&file).unwrap();
    for length in 0..whole.len() {
        fs::write(&file, &whole[..length]).unwrap();
        assert!(
            matches!(load(&file), Err(Error::Data(DataError::BadFile { .. }))),
            "{length} bytes"
        );
    }
    fs::remove_file(&file).unwrap();
    assert!(matches!(load(&file), Err(Error::Io(IoError { .. }))));
    // Nested deeper than a parser's stack.
    fs::write(&file, "[".repeat(1_000_000)).unwrap();
    assert!(matches!(
        load(&file),
        Err(Error::Data(DataError::BadFile { .. }))
    ));
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert_matches!(load(&file), Err(Error::Io(IoError { path, .. })) if path.ends_with("data.json"));
    let data = ImageDataBunch::from_folder(file.parent().unwrap())
        .batch_size(2)
        .build()
        .unwrap();
    let error = data.save("data.json").unwrap_err();
    assert!(
        matches!(&error, Error::Io(IoError { path, .. }) if *path == file),
        "{error}"
    );
}

#[test]
fn presets_come_back_from_json_with_every_bit() {
    for step in 1..100 {
        let part = f64::from(step) / 100.0;
        let transforms: Transforms = TransformConfig::new()
            .with_max_lighting(part)
            .with_max_zoom(1.0 + 1.0 / (1.0 + part))
            .with_max_rotate(180.0 / (1.0 + part))
            .into();
        let written = serde_json::to_string(&transforms).unwrap();
        assert_eq!(
            serde_json::from_str::<Transforms>(&written).unwrap(),
            transforms
        );
    }
}

#[test]
fn an_image_on_both_sides_of_saved_data_is_refused_however_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let (file, json) = saved(folder.path());
    let train = json.pointer("/train/files/0").unwrap().as_str().unwrap();
    for name in [train.to_owned(), format!("valid/../{train}")] {
        let mut json = json.clone();
        *json.pointer_mut("/valid/files/0").unwrap() = json!(name);
        fs::write(&file, json.to_string()).unwrap();
        let error = ImageDataBunch::load(folder.path().join("digits"), &file)
            .unwrap()
            .build();
        assert!(
            matches!(
                error,
                Err(Error::Split(SplitError::OnBothSides { count: 1, .. }))
            ),
            "{name}"
        );
    }
}

#[test]
fn a_field_of_another_type_is_named_and_a_byte_order_mark_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let (file, json) = saved(folder.path());
    for (pointer, value, field) in [
        ("/batch_size", json!(-1), "batch_size"),
        ("/seed", json!("x"), "seed"),
        ("/class_weights", json!([null, 1.0]), "class_weights[0]"),
        (
            "/resizing/padding_mode",
            json!("mirror"),
            "resizing.padding_mode",
        ),
    ] {
        let mut json = json.clone();
        *json.pointer_mut(pointer).unwrap() = value;
        fs::write(&file, json.to_string()).unwrap();
        let error = ImageDataBunch::load(folder.path(), &file).unwrap_err();
        assert_eq!(bad_file(&error).0, field);
    }
    fs::write(&file, format!("\u{feff}{json}")).unwrap();
    assert!(ImageDataBunch::load(folder.path(), &file).is_ok());
    fs::write(&file, format!("{json} and more")).unwrap();
    assert!(ImageDataBunch::load(folder.path(), &file).is_err());
}
