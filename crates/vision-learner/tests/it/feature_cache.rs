//! Kept features give the results of the run without them, bit for bit, and never those of another body or of
//! other images.

use std::fs;
use std::path::Path;

use vision_data::{BadImages, BatchTransform, TransformConfig, get_transforms};
use vision_learner::{CacheRefusal, Error, FeatureOrigin};

use crate::prelude::*;
use crate::support;

fn on(data: ImageDataBunch, arch: Arch) -> Learner {
    let builder = create_cnn(data, arch).pretrained(false).bn_freeze(true);
    let builder = builder.metrics([accuracy()]).silent(true);
    builder.build().unwrap()
}

/// A learner with a frozen ResNet-18.
fn frozen(data: ImageDataBunch) -> Learner {
    let mut learner = on(data, Arch::ResNet18);
    learner.freeze().unwrap();
    learner
}

fn sized(path: &Path, size: usize) -> ImageDataBunch {
    let builder = ImageDataBunch::from_folder(path).batch_size(8);
    builder
        .size(size)
        .normalize(Stats::IMAGENET)
        .build()
        .unwrap()
}

fn refusal(error: &Error) -> &CacheRefusal {
    match error {
        Error::CannotCache(refusal) => refusal,
        other => panic!("{other}"),
    }
}

/// Everything that two epochs of the head leave behind.
fn train(mut learner: Learner, cached: bool) -> (Vec<f64>, Vec<f64>, Vec<u8>, Predictions) {
    // Statistics and weights of the body that are not those of the start.
    learner.unfreeze();
    learner.fit(1, 1e-3).unwrap();
    learner.freeze().unwrap();
    if cached {
        learner.cache_features().unwrap();
        assert!(learner.has_cached_features());
    }
    let record = learner.fit_one_cycle(2, 1e-2).unwrap();
    assert_eq!(learner.has_cached_features(), cached);
    let mut numbers = Vec::new();
    for row in &record.epochs {
        numbers.extend([row.train_loss, row.valid_loss.unwrap(), row.metrics[0]]);
    }
    numbers.extend(learner.validate().unwrap().into_iter().map(|(_, v)| v));
    let file = learner.save("bits").unwrap();
    let preds = learner.get_preds(DatasetType::Valid).unwrap();
    (record.raw_losses, numbers, fs::read(file).unwrap(), preds)
}

#[test]
fn the_head_trains_to_the_same_bits_as_without_kept_features() {
    // 20 training images in batches of 8: the last 4 would be a batch of another shape. 10 validate.
    let digits = support::digits(10, 5);
    for (arch, size) in [
        (Arch::ResNet18, 28), // maps of one pixel, before the pool
        (Arch::ResNet18, 80), // maps of 3 x 3, behind the pool
        (Arch::SqueezeNet1_1, 40),
        (Arch::MobileNetV2, 40),
        (Arch::DenseNet121, 40),
    ] {
        let run = |cached| train(on(sized(&digits.path, size), arch), cached);
        let (without, with) = (run(false), run(true));
        assert_eq!(with.0, without.0, "{arch} {size}: losses");
        assert_eq!(with.1, without.1, "{arch} {size}: tables");
        assert!(with.2 == without.2, "{arch} {size}: checkpoints");
        assert_eq!(with.3, without.3, "{arch} {size}: predictions");
    }
}

#[test]
fn a_report_says_how_many_features_are_kept_and_where_they_are_the_smallest() {
    let digits = support::digits(6, 2);
    let report = |size| frozen(sized(&digits.path, size)).cache_features().unwrap();
    let small = report(28);
    assert_eq!((small.train, small.valid), (12, 4));
    assert_eq!((small.shape, small.pooled), ([512, 1, 1], false));
    assert_eq!(small.bytes, 16 * 512 * 4);
    assert_eq!(small.origin, FeatureOrigin::Computed);
    let large = report(80);
    assert_eq!((large.shape, large.pooled), ([1024, 1, 1], true));
}

#[test]
fn each_condition_that_is_not_met_is_named_with_what_to_do() {
    let digits = support::digits(8, 2);
    let data = || support::data(&digits.path, 4);
    let error = |learner: &mut Learner| learner.cache_features().unwrap_err();

    let mut learner = on(data(), Arch::ResNet18);
    let found = error(&mut learner);
    let expected = CacheRefusal::BodyTrains {
        parameter: "0.0.weight".to_owned(),
        only_batch_norms: false,
    };
    assert_eq!(refusal(&found), &expected);
    assert!(found.to_string().contains("freeze()"), "{found}");
    learner.freeze_to(1).unwrap();
    assert_matches!(
        refusal(&error(&mut learner)),
        CacheRefusal::BodyTrains { parameter, .. } if parameter == "0.6.0.conv1.weight"
    );

    // fastai's default: batch norms of a frozen body train.
    let with = |train_bn| {
        let builder = create_cnn(data(), Arch::ResNet18).pretrained(false);
        let mut learner = builder.train_bn(train_bn).silent(true).build().unwrap();
        learner.freeze().unwrap();
        learner
    };
    let found = error(&mut with(true));
    assert_matches!(
        refusal(&found),
        CacheRefusal::BodyTrains {
            only_batch_norms: true,
            ..
        }
    );
    assert!(found.to_string().contains(".bn_freeze(true)"), "{found}");
    let found = error(&mut with(false));
    assert_matches!(refusal(&found), CacheRefusal::BodyVaries { .. });

    let folder = || ImageDataBunch::from_folder(&digits.path).batch_size(4);
    let gentle = TransformConfig::new().with_max_warp(0.0);
    for transforms in [get_transforms(), gentle.into()] {
        let found = error(&mut frozen(
            folder().transforms(transforms).build().unwrap(),
        ));
        assert_matches!(refusal(&found), CacheRefusal::RandomTransforms { .. });
    }
    // The same on both sides, and nothing drawn: a centre crop.
    let mut crops = get_transforms();
    crops.train = crops.valid.clone();
    let cropped = folder().transforms(crops).size(24).build().unwrap();
    frozen(cropped).cache_features().unwrap();

    let mixed = folder().batch_transforms([BatchTransform::mixup(0.4)]);
    let found = error(&mut frozen(mixed.build().unwrap()));
    assert_eq!(refusal(&found), &CacheRefusal::BatchTransforms);
}

#[test]
fn kept_features_are_dropped_as_soon_as_the_body_would_give_others() {
    let digits = support::digits(8, 2);
    let mut learner = frozen(support::data(&digits.path, 4));
    let other = on(support::data(&digits.path, 4), Arch::ResNet18);
    let mut other_body = create_cnn(support::data(&digits.path, 4), Arch::ResNet18)
        .pretrained(false)
        .seed(7)
        .silent(true)
        .build()
        .unwrap();
    other_body.fit(1, 1e-3).unwrap();
    let file = other_body.save("other_body").unwrap();
    assert_eq!(learner.weights().len(), other.weights().len());

    let keep = |learner: &mut Learner| {
        learner.cache_features().unwrap();
        assert!(learner.has_cached_features());
    };
    keep(&mut learner);
    learner.unfreeze();
    assert!(!learner.has_cached_features(), "unfreeze");
    learner.freeze().unwrap();
    assert!(
        !learner.has_cached_features(),
        "freezing again does not bring them back"
    );
    keep(&mut learner);
    learner.freeze_to(1).unwrap();
    assert!(!learner.has_cached_features(), "freeze_to");
    learner.freeze().unwrap();
    keep(&mut learner);
    learner.freeze().unwrap();
    assert!(learner.has_cached_features(), "the body stays as it is");

    learner.fit(1, 1e-3).unwrap();
    let own = learner.save("own").unwrap();
    learner.fit(1, 1e-3).unwrap();
    learner.load(&own).unwrap();
    assert!(
        learner.has_cached_features(),
        "the head came from a file, the body is the same"
    );
    learner.load(&file).unwrap();
    assert!(!learner.has_cached_features(), "load of another body");
    let before = learner.validate().unwrap();
    keep(&mut learner);
    assert_eq!(
        learner.validate().unwrap(),
        before,
        "the new body's features"
    );
    learner.load_partial(&own).unwrap();
    assert!(
        !learner.has_cached_features(),
        "load_partial of another body"
    );

    keep(&mut learner);
    learner.set_data(sized(&digits.path, 40)).unwrap();
    assert!(!learner.has_cached_features(), "set_data");
    keep(&mut learner);
    learner.drop_features();
    assert!(!learner.has_cached_features(), "drop_features");
}

#[test]
fn a_folder_keeps_features_for_the_next_learner_with_the_same_body_and_images_only() {
    let digits = support::digits(8, 2);
    let folder = digits.dir.path().join("features");
    let files = || fs::read_dir(&folder).unwrap().count();
    let path = digits.path.clone();
    let origin = |learner: &mut Learner| learner.cache_features_in(&folder).unwrap().origin;
    let mut first = frozen(support::data(&path, 4));
    assert_eq!(origin(&mut first), FeatureOrigin::Computed);
    assert_eq!(origin(&mut first), FeatureOrigin::Kept);
    let losses = first.fit(1, 1e-3).unwrap().raw_losses;

    let mut second = frozen(support::data(&path, 4));
    assert!(matches!(origin(&mut second), FeatureOrigin::File(_)));
    assert_eq!(second.fit(1, 1e-3).unwrap().raw_losses, losses);
    assert_eq!(files(), 1);

    // Other sizes, statistics, weights and images have files of their own.
    for (number, mut other) in [
        frozen(sized(&path, 28)),
        frozen(sized(&path, 36)),
        frozen(support::data(&path, 2)),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(origin(&mut other), FeatureOrigin::Computed, "{number}");
        assert_eq!(files(), 2 + number);
    }
    let mut trained = on(support::data(&path, 4), Arch::ResNet18);
    trained.fit(1, 1e-3).unwrap();
    trained.freeze().unwrap();
    assert_eq!(
        origin(&mut trained),
        FeatureOrigin::Computed,
        "other weights"
    );
    let pictures = support::data(&path, 4).train_ds().paths().to_vec();
    fs::copy(&pictures[0], &pictures[1]).unwrap();
    let mut changed = frozen(support::data(&path, 4));
    assert_eq!(
        origin(&mut changed),
        FeatureOrigin::Computed,
        "another picture"
    );
}

#[test]
fn a_damaged_file_is_noticed_and_mended() {
    let digits = support::digits(8, 2);
    let folder = digits.dir.path().join("features");
    let report = || {
        let mut learner = frozen(support::data(&digits.path, 4));
        let report = learner.cache_features_in(&folder).unwrap();
        (report.origin, learner.validate().unwrap())
    };
    let (_, right) = report();
    let (FeatureOrigin::File(file), _) = report() else {
        panic!("computed again");
    };
    let bytes = fs::read(&file).unwrap();
    let mut flipped = bytes.clone();
    let late = flipped.len() - 40;
    flipped[late] ^= 1;
    let other = bytes.windows(3).position(|w| w == b"512").unwrap();
    let mut reshaped = bytes.clone();
    reshaped[other] = b'6';
    for damaged in [&flipped, &reshaped, &bytes[..late].to_vec(), &Vec::new()] {
        fs::write(&file, damaged).unwrap();
        assert_eq!(report(), (FeatureOrigin::Computed, right.clone()));
        assert!(fs::read(&file).unwrap() == bytes, "mended");
    }
    // The features of another body under this name.
    let mut trained = on(support::data(&digits.path, 4), Arch::ResNet18);
    trained.fit(1, 1e-3).unwrap();
    trained.freeze().unwrap();
    trained.cache_features_in(&folder).unwrap();
    let mut files = fs::read_dir(&folder).unwrap().map(|f| f.unwrap().path());
    fs::copy(files.find(|path| *path != file).unwrap(), &file).unwrap();
    assert_eq!(report(), (FeatureOrigin::Computed, right));
}

#[test]
fn an_image_that_changed_under_the_learner_is_refused_and_new_data_is_taken() {
    let digits = support::digits(8, 2);
    let mut learner = frozen(support::data(&digits.path, 4));
    learner.cache_features().unwrap();
    let pictures = learner.data().train_ds().paths().to_vec();
    // Beyond the resolution of the file system's clock.
    std::thread::sleep(std::time::Duration::from_millis(20));
    fs::copy(&pictures[0], &pictures[1]).unwrap();
    let found = learner.cache_features().unwrap_err();
    let path = pictures[1].clone();
    assert_eq!(refusal(&found), &CacheRefusal::FileChanged { path });
    learner.set_data(support::data(&digits.path, 4)).unwrap();
    let report = learner.cache_features().unwrap();
    assert_eq!(report.origin, FeatureOrigin::Computed);
}

#[test]
fn an_image_that_is_skipped_is_skipped_with_kept_features_too() {
    let digits = support::digits(8, 2);
    let pictures = support::data(&digits.path, 4).train_ds().paths().to_vec();
    fs::write(&pictures[3], "no picture").unwrap();
    let data = || {
        let builder = ImageDataBunch::from_folder(&digits.path).batch_size(4);
        builder.bad_images(BadImages::Skip).build().unwrap()
    };
    let mut without = frozen(data());
    let mut with = frozen(data());
    let report = with.cache_features().unwrap();
    assert_eq!((report.train, report.valid), (15, 4));
    let (a, b) = (without.fit(2, 1e-3).unwrap(), with.fit(2, 1e-3).unwrap());
    assert_eq!(a.epochs[0].images, 15);
    assert_eq!(b.epochs[0].images, 15);
    // A batch that is short of an image has another shape, hence another rounding.
    support::close("losses", &b.raw_losses, &a.raw_losses, 1e-5, 0.0);
}
