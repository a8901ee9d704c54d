//! What a batch holds depends on (seed, epoch, index) alone; bad images are named; nothing hangs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use proptest::prelude::*;
use vision_base::OptionError;
use vision_data::datasets::synthetic;
use vision_data::files::image_files;
use vision_data::{
    BadImages, Batch, BatchTransform, DataError, DatasetType, Error, Image, ImageDataBunch,
    ImageDataBunchBuilder, ImageError, ImageProblem, Limits, ReadConfig, ResizeMethod, Split,
    Stats, Transform, device, get_transforms,
};

use crate::numbers::largest_difference;

/// 46 training and 18 validation images of digits, drawn once for all tests of this file.
fn digits() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    static PATH: OnceLock<std::path::PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let folder = FOLDER.get_or_init(|| tempfile::tempdir().unwrap());
        synthetic::digits(&folder.path().join("digits"), 5, 23, 9).unwrap()
    })
}

fn builder() -> ImageDataBunchBuilder {
    ImageDataBunch::from_folder(digits())
        .batch_size(8)
        .device(device::parse("cpu").unwrap())
}

fn epoch(data: &ImageDataBunch, which: DatasetType, epoch: u64) -> Vec<Batch> {
    data.loader(which, epoch)
        .unwrap()
        .map(|batch| batch.unwrap())
        .collect()
}

fn indices(batches: &[Batch]) -> Vec<usize> {
    batches
        .iter()
        .flat_map(|batch| batch.indices.clone())
        .collect()
}

/// A copy of the digits in which some training images are no images.
fn spoilt(bad: &[usize]) -> (tempfile::TempDir, Vec<std::path::PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("digits");
    synthetic::digits(&path, 5, 5, 2).unwrap();
    let data = ImageDataBunch::from_folder(&path).build().unwrap();
    let files: Vec<_> = bad
        .iter()
        .map(|&i| data.train_ds().paths()[i].clone())
        .collect();
    for file in &files {
        fs::write(file, "this is no image").unwrap();
    }
    (folder, files)
}

#[test]
fn batches_are_the_same_with_any_number_of_workers() {
    let data = |workers| {
        builder()
            .size(20)
            .transforms(get_transforms())
            .num_workers(workers)
            .build()
            .unwrap()
    };
    for which in [
        DatasetType::Train,
        DatasetType::Valid,
        DatasetType::Fix,
        DatasetType::Single,
    ] {
        let alone = epoch(&data(0), which, 3);
        assert!(!alone.is_empty());
        for workers in 1..=8 {
            assert_eq!(
                epoch(&data(workers), which, 3),
                alone,
                "{which:?}, {workers} workers"
            );
        }
    }
}

#[test]
fn what_is_kept_in_memory_changes_no_batch() {
    // 28x28 pixels of three bytes: room for none, for five, for all.
    let data = |bytes| {
        builder()
            .transforms(get_transforms())
            .size(20)
            .reading(ReadConfig::new().with_memory(bytes))
            .build()
            .unwrap()
    };
    let none = data(0);
    for bytes in [5 * 28 * 28 * 3, 1 << 30] {
        let some = data(bytes);
        for number in [0, 1, 0] {
            let expected = epoch(&none, DatasetType::Train, number);
            assert_eq!(epoch(&some, DatasetType::Train, number), expected);
        }
    }
}

#[test]
fn images_are_decoded_once_as_long_as_there_is_room_and_each_time_without() {
    for (room, bytes) in [(10, 1 << 20), (4, 4 * 28 * 28 * 3 + 100), (0, 0)] {
        let (folder, _) = spoilt(&[]);
        let data = ImageDataBunch::from_folder(folder.path().join("digits"))
            .batch_size(1)
            .num_workers(2)
            .bad_images(BadImages::Skip)
            .reading(ReadConfig::new().with_memory(bytes))
            .build()
            .unwrap();
        assert_eq!(epoch(&data, DatasetType::Fix, 0).len(), 10);
        for path in data.train_ds().paths() {
            fs::write(path, "gone").unwrap();
        }
        assert_eq!(epoch(&data, DatasetType::Fix, 0).len(), room);
    }
}

#[test]
fn a_disk_cache_changes_no_batch_and_later_data_reads_it_instead_of_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = synthetic::digits(&folder.path().join("digits"), 5, 23, 9).unwrap();
    let cache = folder.path().join("cache");
    let build = |reading: ReadConfig, workers| {
        let data = ImageDataBunch::from_folder(&path)
            .batch_size(8)
            .transforms(get_transforms());
        data.reading(reading.with_memory(0))
            .num_workers(workers)
            .build()
            .unwrap()
    };
    let cached = || ReadConfig::new().with_disk_cache(&cache);
    let all = |data: &ImageDataBunch| {
        let parts = [DatasetType::Train, DatasetType::Valid];
        parts.map(|part| {
            (0..2)
                .flat_map(|number| epoch(data, part, number))
                .collect::<Vec<_>>()
        })
    };
    let expected = all(&build(ReadConfig::new(), 2));
    assert_eq!(all(&build(cached(), 2)), expected);
    // The files keep their lengths and times, but are no images any more.
    for file in image_files(&path).unwrap() {
        let metadata = fs::metadata(&file).unwrap();
        fs::write(&file, vec![0; metadata.len() as usize]).unwrap();
        let handle = fs::File::options().write(true).open(&file).unwrap();
        handle.set_modified(metadata.modified().unwrap()).unwrap();
    }
    assert_eq!(all(&build(cached(), 0)), expected);
    // Without the cache, and for another size, the files themselves are read.
    for reading in [ReadConfig::new(), cached().with_short_side(9)] {
        let error = build(reading, 1).one_batch(DatasetType::Train).unwrap_err();
        assert!(
            matches!(error, Error::Image(ImageError::Decode { .. })),
            "{error}"
        );
    }
}

#[test]
fn limits_on_pixels_hold_for_a_data_set_too() {
    let limits = Limits {
        max_pixels: 28 * 28 - 1,
        ..Limits::default()
    };
    let data = builder().reading(ReadConfig::new().with_limits(limits));
    let error = data.build().unwrap().one_batch(DatasetType::Valid);
    assert_matches!(
        error.unwrap_err(),
        Error::Image(ImageError::Decode {
            problem: ImageProblem::TooManyPixels { .. },
            ..
        })
    );
}

#[test]
fn jpegs_are_reduced_only_if_asked_for_and_not_below_twice_the_size() {
    let folder = tempfile::tempdir().unwrap();
    let jpeg = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reduced/444.jpg");
    for place in ["train/a", "train/b", "valid/a"] {
        fs::create_dir_all(folder.path().join(place)).unwrap();
        fs::copy(&jpeg, folder.path().join(place).join("0.jpg")).unwrap();
    }
    let height = |size: Option<usize>, reduced| {
        let builder = ImageDataBunch::from_folder(folder.path())
            .batch_size(1)
            .reading(ReadConfig::new().with_reduced_jpegs(reduced));
        let builder = size.map_or(builder.clone(), |size| builder.size(size));
        builder
            .build()
            .unwrap()
            .train_ds()
            .image(0)
            .unwrap()
            .height()
    };
    // The file has 131 rows.
    assert_eq!(height(Some(16), false), 131);
    assert_eq!(height(Some(16), true), 33);
    assert_eq!(height(Some(33), true), 131);
    assert_eq!(height(None, true), 131);
}

#[test]
fn a_loader_says_how_long_it_was_waited_for() {
    let data = builder().num_workers(0).build().unwrap();
    let mut loader = data.loader(DatasetType::Train, 0).unwrap();
    assert!(loader.waited().is_zero());
    let begin = std::time::Instant::now();
    assert!(loader.next().unwrap().is_ok());
    let (waited, passed) = (loader.waited(), begin.elapsed());
    // All the work was done while it was waited for.
    assert!(!waited.is_zero() && waited <= passed);
    assert!(loader.next().unwrap().is_ok());
    assert!(loader.waited() > waited && loader.waited() <= begin.elapsed());
}

#[test]
fn training_shuffles_and_drops_what_does_not_fill_a_batch() {
    let data = builder().build().unwrap();
    assert_eq!(data.batches(DatasetType::Train), 5);
    let first = epoch(&data, DatasetType::Train, 0);
    assert!(first.iter().all(|batch| batch.len() == 8));
    let order = indices(&first);
    assert_eq!(order.len(), 40);
    assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), 40);
    assert!(!order.is_sorted());
    assert_ne!(order, indices(&epoch(&data, DatasetType::Train, 1)));
    assert_eq!(order, indices(&epoch(&data, DatasetType::Train, 0)));
    assert_ne!(
        order,
        indices(&epoch(&data.clone().with_seed(1), DatasetType::Train, 0))
    );
}

#[test]
fn other_parts_come_in_order_and_whole() {
    let data = builder().val_batch_size(5).build().unwrap();
    let valid = epoch(&data, DatasetType::Valid, 0);
    assert_eq!(
        valid.iter().map(Batch::len).collect::<Vec<_>>(),
        [5, 5, 5, 3]
    );
    assert_eq!(indices(&valid), (0..18).collect::<Vec<_>>());
    assert_eq!(data.batches(DatasetType::Valid), 4);
    let fix = epoch(&data, DatasetType::Fix, 0);
    assert_eq!(indices(&fix), (0..46).collect::<Vec<_>>());
    assert_eq!(fix.len(), data.batches(DatasetType::Fix));
    let single = epoch(&data, DatasetType::Single, 0);
    assert_eq!((single.len(), single[0].len()), (18, 1));
}

#[test]
fn every_item_keeps_its_label_and_its_pixels() {
    let data = builder().build().unwrap();
    let dataset = data.train_ds();
    for batch in epoch(&data, DatasetType::Train, 2) {
        let labels = batch.labels.categories().unwrap();
        for (position, (&index, label)) in batch.indices.iter().zip(labels).enumerate() {
            assert_eq!(dataset.label(index), Some(label));
            let folder = dataset.path(index).unwrap().parent().unwrap();
            assert!(folder.ends_with(&data.classes()[label]));
            let picture = batch.image(position).unwrap();
            assert_eq!(picture, dataset.image(index).unwrap().into_rgb_image());
        }
        assert!(batch.image(8).is_none());
    }
}

#[test]
fn fastais_numbers_of_batches_hold() {
    // 130 items in batches of 64: 2 for training, 3 for validation.
    let folder = tempfile::tempdir().unwrap();
    for part in ["train", "valid"] {
        for class in ["a", "b"] {
            let folder = folder.path().join(part).join(class);
            fs::create_dir_all(&folder).unwrap();
            for i in 0..65 {
                fs::write(folder.join(format!("{i}.png")), "").unwrap();
            }
        }
    }
    let data = ImageDataBunch::from_folder(folder.path()).build().unwrap();
    assert_eq!((data.batch_size(), data.val_batch_size()), (64, 64));
    assert_eq!(data.batches(DatasetType::Train), 2);
    assert_eq!(data.batches(DatasetType::Valid), 3);
}

#[test]
fn a_batch_becomes_a_tensor_divided_by_255_and_normalized_on_the_device() {
    let stats = Stats {
        mean: [0.1, 0.2, 0.3],
        std: [0.5, 0.25, 0.125],
    };
    let data = builder().normalize(stats).build().unwrap();
    let batch = data.one_batch(DatasetType::Train).unwrap();
    let device = data.device();
    let plain: Vec<f32> = batch
        .to_device(device, None)
        .into_data()
        .try_to_vec()
        .unwrap();
    let normal = batch.to_device(device, data.stats().as_ref());
    assert_eq!(normal.dims(), batch.shape());
    assert_eq!(normal.dims(), [8, 3, 28, 28]);
    let values: Vec<f32> = normal.clone().into_data().try_to_vec().unwrap();
    let image = data.train_ds().image(batch.indices[0]).unwrap();
    assert_eq!(values.len(), plain.len());
    for (i, (value, plain)) in values.iter().zip(&plain).enumerate() {
        let channel = i / 784 % 3;
        let expected = (plain - stats.mean[channel]) / stats.std[channel];
        assert!((value - expected).abs() < 1e-6);
        if i < 784 {
            assert_eq!(*plain, f32::from(image.pixels()[3 * i]) / 255.0);
        }
    }
    let back: Vec<f32> = data
        .denormalize(&normal)
        .unwrap()
        .into_data()
        .try_to_vec()
        .unwrap();
    let plain: Vec<f64> = plain.into_iter().map(f64::from).collect();
    assert!(largest_difference(&back, &plain) < 1e-6);
    let targets: Vec<i64> = batch
        .targets(device)
        .unwrap()
        .into_data()
        .convert::<i64>()
        .try_to_vec()
        .unwrap();
    assert_eq!(
        targets,
        batch
            .labels
            .rows()
            .iter()
            .map(|&l| l as i64)
            .collect::<Vec<_>>()
    );
}

#[test]
fn one_image_is_prepared_as_in_a_batch() {
    let data = builder()
        .size((20, 24))
        .normalize(Stats::IMAGENET)
        .build()
        .unwrap();
    let batch = data.one_batch(DatasetType::Single).unwrap();
    let in_batch = batch.to_device(data.device(), data.stats().as_ref());
    let alone = data.prepare(&data.valid_ds().image(0).unwrap()).unwrap();
    assert_eq!(alone.dims(), [1, 3, 20, 24]);
    assert_eq!(alone.into_data(), in_batch.into_data());
}

#[test]
fn an_image_to_predict_is_made_smaller_as_those_to_validate_are() {
    let folder = tempfile::tempdir().unwrap();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reduced");
    for (class, name) in ["a", "b"]
        .iter()
        .flat_map(|c| ["444", "420"].map(|n| (c, n)))
    {
        fs::create_dir_all(folder.path().join(class)).unwrap();
        let to = folder.path().join(class).join(format!("{name}.jpg"));
        fs::copy(fixtures.join(format!("{name}.jpg")), to).unwrap();
    }
    let build = |reading: ReadConfig| {
        let data = ImageDataBunch::from_folder(folder.path()).split(Split::ValidIndices(vec![0]));
        data.batch_size(2).size(16).reading(reading).build()
    };
    let both = ReadConfig::new()
        .with_short_side(20)
        .with_reduced_jpegs(true);
    for reading in [ReadConfig::new().with_short_side(20), both] {
        let data = build(reading).unwrap();
        let batch = data.one_batch(DatasetType::Valid).unwrap();
        let expected = batch.to_device(data.device(), None).into_data();
        let path = data.valid_ds().path(0).unwrap();
        assert_eq!(
            data.prepare(&data.open(path).unwrap()).unwrap().into_data(),
            expected
        );
        if !data.train_ds().reading().pixel_options().contains("true") {
            // Of an image in memory too.
            let image = Image::open(path).unwrap();
            assert_eq!(data.prepare(&image).unwrap().into_data(), expected);
        }
        assert_matches!(
            data.with_size(21).unwrap_err(),
            Error::Option(OptionError { option: "short_side", found, .. }) if found.contains("20")
        );
    }
    assert_matches!(
        build(ReadConfig::new().with_short_side(15)).unwrap_err(),
        Error::Option(OptionError { option: "short_side", found, .. }) if found.contains("15")
    );
}

#[test]
fn statistics_of_a_batch_bring_its_mean_to_zero_and_its_deviation_to_one() {
    let data = builder().build().unwrap().normalize_batch().unwrap();
    let batch = data.one_batch(DatasetType::Train).unwrap();
    let images = batch.to_device(data.device(), data.stats().as_ref());
    let values: Vec<f32> = images.into_data().try_to_vec().unwrap();
    let n = values.len() as f32;
    let mean = values.iter().sum::<f32>() / n;
    let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / n;
    assert!(
        mean.abs() < 1e-3 && (variance - 1.0).abs() < 1e-3,
        "{mean}, {variance}"
    );
    // What is done to batches as a whole comes after that, and makes them paler.
    let mixed = builder()
        .batch_transforms([BatchTransform::mixup(1.0)])
        .build();
    let mixed = mixed.unwrap().normalize_batch().unwrap();
    assert_eq!(mixed.stats(), data.stats());
    assert!(mixed.one_batch(DatasetType::Train).unwrap().mix().is_some());
    assert!(matches!(
        data.normalize_batch(),
        Err(Error::Data(DataError::AlreadyNormalized { .. }))
    ));
}

#[test]
fn a_bad_image_ends_the_epoch_with_its_path() {
    let (folder, files) = spoilt(&[6]);
    for workers in [0, 1, 3] {
        let data = ImageDataBunch::from_folder(folder.path().join("digits"))
            .batch_size(2)
            .num_workers(workers)
            .build()
            .unwrap();
        let mut loader = data.loader(DatasetType::Fix, 0).unwrap();
        let batches: Vec<_> = loader.by_ref().collect();
        assert_eq!(batches.len(), 4, "three good ones and the error");
        let error = batches[3].as_ref().unwrap_err();
        assert_matches!(error, Error::Image(ImageError::Decode { path, .. }) if *path == files[0]);
        assert!(loader.next().is_none());
    }
}

#[test]
fn bad_images_are_left_out_and_reported_if_asked_for() {
    let (folder, files) = spoilt(&[2, 3, 4]);
    for workers in [0, 1, 4] {
        let data = ImageDataBunch::from_folder(folder.path().join("digits"))
            .batch_size(2)
            .num_workers(workers)
            .bad_images(BadImages::Skip)
            .build()
            .unwrap();
        let mut loader = data.loader(DatasetType::Fix, 0).unwrap();
        let batches: Vec<Vec<usize>> = loader
            .by_ref()
            .map(|batch| batch.unwrap().indices)
            .collect();
        // The batch of 2 and 3 is left out, that of 4 and 5 is smaller.
        assert_eq!(batches, [vec![0, 1], vec![5], vec![6, 7], vec![8, 9]]);
        let skipped = loader.skipped();
        assert_eq!(
            skipped.iter().map(|s| s.index).collect::<Vec<_>>(),
            [2, 3, 4]
        );
        assert_eq!(skipped[1].path, files[1]);
        assert!(
            skipped[1].reason.contains("this is"),
            "{}",
            skipped[1].reason
        );
    }
}

#[test]
fn training_never_sees_a_batch_that_was_left_with_one_item() {
    let (folder, _) = spoilt(&[0, 4, 7]);
    let data = ImageDataBunch::from_folder(folder.path().join("digits"))
        .batch_size(2)
        .bad_images(BadImages::Skip)
        .build()
        .unwrap();
    for number in 0..10 {
        let batches = epoch(&data, DatasetType::Train, number);
        assert!(batches.iter().all(|batch| batch.len() == 2));
        assert!(batches.len() < data.batches(DatasetType::Train));
    }
}

#[test]
fn images_of_different_sizes_are_named_with_the_remedy() {
    let (folder, files) = spoilt(&[1]);
    image::RgbImage::new(31, 17).save(&files[0]).unwrap();
    let builder = ImageDataBunch::from_folder(folder.path().join("digits")).batch_size(4);
    let data = builder.clone().build().unwrap();
    let error = data
        .loader(DatasetType::Fix, 0)
        .unwrap()
        .next()
        .unwrap()
        .unwrap_err();
    let message = error.to_string();
    for part in [
        "28x28",
        "31x17",
        "pass a `size`",
        files[0].to_str().unwrap(),
    ] {
        assert!(message.contains(part), "{message}");
    }
    let data = builder.clone().size(28).build().unwrap();
    assert_eq!(epoch(&data, DatasetType::Fix, 0)[0].shape(), [4, 3, 28, 28]);
    // Where a size is given, another one does not help.
    let builder = builder.size(10).resize_method(ResizeMethod::No);
    let data = builder.clone().build().unwrap();
    let error = data.one_batch(DatasetType::Fix).unwrap_err().to_string();
    assert!(
        error.contains("`ResizeMethod::No` ignores the size"),
        "{error}"
    );
    assert!(!error.contains("pass a `size`"), "{error}");
    // What is advised does help.
    let crop = vec![Transform::crop(10)];
    let data = builder.transforms((crop.clone(), crop)).build().unwrap();
    assert_eq!(epoch(&data, DatasetType::Fix, 0)[0].shape(), [4, 3, 10, 10]);
}

#[test]
fn a_loader_dropped_half_way_takes_its_threads_along() {
    for taken in [0, 1, 3] {
        for workers in [1, 2, 8] {
            let data = builder()
                .batch_size(2)
                .num_workers(workers)
                .build()
                .unwrap();
            let mut loader = data.loader(DatasetType::Train, 0).unwrap();
            assert_eq!(loader.by_ref().take(taken).count(), taken);
            drop(loader);
        }
    }
}

#[test]
fn many_more_workers_than_batches_do_no_harm() {
    let data = builder().num_workers(500).build().unwrap();
    let loader = data.loader(DatasetType::Valid, 0).unwrap();
    assert_eq!(loader.size_hint(), (0, Some(3)));
    assert_eq!(loader.count(), 3);
}

#[test]
fn show_batch_shows_as_many_images_as_asked_for() {
    let data = builder().build().unwrap();
    // A title is a text in the SVG, and there is one above each image.
    let titles = |rows: usize| {
        let svg = data.show_batch(rows).unwrap().to_svg();
        svg.matches("</text>").count()
    };
    assert_eq!(titles(2), 4);
    // Eight images are all that a batch has.
    assert_eq!(titles(5), 8);
    assert!(data.show_batch(0).is_err());
    // Nothing can be trained of less than a batch, but looked at.
    let small = builder().batch_size(1_000).build().unwrap();
    assert!(matches!(
        small.one_batch(DatasetType::Train),
        Err(Error::Data(DataError::BatchLargerThanSet { .. }))
    ));
    let svg = small.show_batch(2).unwrap().to_svg();
    assert_eq!(svg.matches("</text>").count(), 4);
}

#[test]
fn a_mixed_image_is_titled_with_both_labels_and_their_weights() {
    let data = builder()
        .batch_transforms([BatchTransform::mixup(1.0)])
        .build()
        .unwrap();
    let batch = data.one_batch(DatasetType::Train).unwrap();
    let mix = batch.mix().unwrap();
    let svg = data.show_batch(3).unwrap().to_svg();
    let label = |position: usize| data.train_ds().label_text(batch.indices[position]).unwrap();
    let mut mixed = 0;
    for (position, (&partner, lambda)) in mix.partner.iter().zip(&mix.lambda).enumerate() {
        if partner != position {
            mixed += 1;
            let (own, other) = (label(position), label(partner));
            let title = format!(">{own} {lambda:.2} + {other} {:.2}<", 1.0 - lambda);
            assert!(svg.contains(&title), "{title}");
        }
    }
    assert!(mixed > 0);
    // Validation is not mixed.
    let svg = data
        .show_batch_with(3, DatasetType::Valid)
        .unwrap()
        .to_svg();
    assert!(!svg.contains(" + "));
}

#[test]
fn an_item_that_is_not_there_is_an_error() {
    let data = builder().build().unwrap();
    let error = data.train_ds().image(46).unwrap_err();
    assert!(matches!(
        error,
        Error::Data(DataError::NoSuchItem { index: 46, len: 46 })
    ));
    assert!(data.train_ds().path(usize::MAX).is_err());
    assert_eq!(data.train_ds().label(46), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn an_epoch_is_a_function_of_seed_and_epoch_alone(
        seed: u64, number: u64, workers in 0_usize..=8, batch_size in 1_usize..=46,
    ) {
        let data = builder().batch_size(batch_size).seed(seed).num_workers(workers).build().unwrap();
        let batches = epoch(&data, DatasetType::Train, number);
        prop_assert_eq!(batches.len(), 46 / batch_size);
        prop_assert!(batches.iter().all(|batch| batch.len() == batch_size));
        let order = indices(&batches);
        prop_assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), order.len());
        let alone = builder().batch_size(batch_size).seed(seed).num_workers(0).build().unwrap();
        prop_assert_eq!(batches, epoch(&alone, DatasetType::Train, number));
    }
}
