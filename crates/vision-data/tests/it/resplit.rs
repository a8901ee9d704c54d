//! The same items split anew, and with other validation transforms.

use std::collections::BTreeSet;
use std::path::PathBuf;

use vision_base::OptionError;
use vision_data::datasets::synthetic;
use vision_data::{
    By, DataError, DatasetType, Error, Folds, Image, ImageDataBunch, ImageList, LabelError,
    MemoryImages, PathFn, Sampler, Split, SplitError, TableError, Transform,
};

fn digits(folder: &tempfile::TempDir) -> PathBuf {
    synthetic::digits(&folder.path().join("digits"), 1, 10, 5).unwrap()
}

fn data(folder: &tempfile::TempDir) -> ImageDataBunch {
    let builder = ImageDataBunch::from_folder(digits(folder)).batch_size(4);
    builder.num_workers(0).build().unwrap()
}

#[test]
fn folds_divide_training_and_validation_items_and_each_item_is_in_one_fold() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&folder);
    let all = [data.train_ds().paths(), data.valid_ds().paths()].concat();
    assert_eq!(all.len(), 30);
    for folds in [Folds::new(4), Folds::stratified(4, By::Label)] {
        let mut seen = BTreeSet::new();
        for split in folds.splits() {
            let fold = data.with_split(&split).unwrap();
            let valid = fold.valid_ds().paths();
            // In the order of all items, training before validation.
            let rest: Vec<_> = all
                .iter()
                .filter(|path| !valid.contains(path))
                .cloned()
                .collect();
            assert_eq!(fold.train_ds().paths(), rest);
            for (item, path) in valid.iter().enumerate() {
                assert!(
                    seen.insert(path.clone()),
                    "{} is in two folds",
                    path.display()
                );
                let class = path.parent().unwrap().file_name().unwrap().to_str();
                assert_eq!(fold.valid_ds().label_text(item).as_deref(), class);
            }
            assert!([7, 8].contains(&valid.len()));
        }
        assert_eq!(seen.len(), 30);
    }
}

#[test]
fn a_stratified_fold_by_label_has_the_same_share_of_each_class() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&folder);
    for split in Folds::stratified(5, By::Label).splits() {
        let fold = data.with_split(&split).unwrap();
        let sevens = (0..6).filter(|item| fold.valid_ds().label(*item) == Some(1));
        assert_eq!((fold.valid_ds().len(), sevens.count()), (6, 3));
    }
}

#[test]
fn grouped_folds_keep_groups_whole() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&folder);
    let group = |path: &std::path::Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    let by = By::Func(PathFn::new(group));
    for split in Folds::grouped(3, by).with_seed(3).splits() {
        let fold = data.with_split(&split).unwrap();
        let groups = |part: &vision_data::ImageDataset| -> BTreeSet<String> {
            part.paths().iter().map(|path| group(path)).collect()
        };
        assert!(groups(fold.train_ds()).is_disjoint(&groups(fold.valid_ds())));
    }
}

#[test]
fn the_seed_of_folds_decides_them() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&folder);
    let valid = |folds: Folds| {
        let split = folds.splits().next().unwrap();
        data.with_split(&split).unwrap().valid_ds().paths().to_vec()
    };
    assert_eq!(valid(Folds::new(3)), valid(Folds::new(3).with_seed(42)));
    assert_ne!(valid(Folds::new(3)), valid(Folds::new(3).with_seed(43)));
}

#[test]
fn images_of_a_source_keep_their_pixels_and_labels() {
    let images: Vec<(String, Image)> = (0..6_u8)
        .map(|i| {
            let class = ["a", "b"][usize::from(i % 2)];
            let image = Image::from_rgb8(2, 2, vec![i; 12]).unwrap();
            (format!("{class}/{i}.png"), image)
        })
        .collect();
    let list = ImageList::from_source("images", MemoryImages::new(images)).unwrap();
    let split = Split::ValidIndices(vec![1, 4]);
    let lists = list.split(split).unwrap().label_from_folder().unwrap();
    let data = lists.databunch().batch_size(2).build().unwrap();
    let fold = data.with_split(&Split::ValidIndices(vec![0, 5])).unwrap();
    // The pooled order is 0, 2, 3, 5, 1, 4.
    let pixel = |item: usize| fold.valid_ds().image(item).unwrap().pixels()[0];
    assert_eq!((pixel(0), pixel(1)), (0, 4));
    assert_eq!(fold.valid_ds().label_text(1).as_deref(), Some("a"));
    assert_eq!(fold.train_ds().len(), 4);
}

#[test]
fn a_class_that_only_validation_would_have_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = digits(&folder);
    let data = ImageDataBunch::from_folder(&path)
        .batch_size(4)
        .build()
        .unwrap();
    let threes: Vec<usize> = (0..30)
        .filter(|item| match item {
            0..20 => data.train_ds().label(*item) == Some(0),
            _ => data.valid_ds().label(*item - 20) == Some(0),
        })
        .collect();
    let error = data.with_split(&Split::ValidIndices(threes)).unwrap_err();
    let Error::Label(LabelError::UnknownClasses { unknown, known, .. }) = error else {
        panic!("{error:?}");
    };
    assert_eq!(
        (unknown.len(), unknown[0].label.as_str(), unknown[0].items),
        (1, "3", 15)
    );
    assert_eq!(known, ["7"]);
}

#[test]
fn splits_that_the_items_do_not_allow_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&folder);
    let error = data.with_split(&Split::Column("fold".into())).unwrap_err();
    assert!(
        matches!(error, Error::Table(TableError::NoTable { .. })),
        "{error:?}"
    );
    let fold = |fold, folds| Split::Fold {
        fold,
        folds,
        seed: 0,
    };
    for split in [fold(0, 1), fold(0, 31), fold(5, 5)] {
        let error = data.with_split(&split).unwrap_err();
        assert!(
            matches!(error, Error::Option(OptionError { .. })),
            "{error:?}"
        );
    }
    // Before there are labels.
    let split = Split::StratifiedFold {
        fold: 0,
        folds: 2,
        seed: 0,
        by: By::Label,
    };
    let error = ImageList::from_folder(digits(&folder))
        .unwrap()
        .split(split.clone())
        .unwrap_err();
    assert!(
        matches!(error, Error::Option(OptionError { option: "by", .. })),
        "{error:?}"
    );
    let empty = ImageDataBunch::single_from_classes("none", ["a", "b"])
        .build()
        .unwrap();
    let error = empty.with_split(&fold(0, 2)).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Option(_) | Error::Split(SplitError::Empty { .. })
        ),
        "{error:?}"
    );
}

#[test]
fn balanced_sampling_follows_the_new_training_items() {
    let folder = tempfile::tempdir().unwrap();
    let builder = ImageDataBunch::from_folder(digits(&folder)).batch_size(4);
    let data = builder.sampler(Sampler::Balanced).build().unwrap();
    let fold = data
        .with_split(&Split::ValidIndices((0..8).collect()))
        .unwrap();
    let order = fold.order(DatasetType::Train, 0).unwrap();
    assert!(order.iter().all(|item| *item < 22));
    assert_eq!(order.len(), 20);
}

#[test]
fn other_validation_transforms_change_validation_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&folder);
    let mirrored = data
        .clone()
        .with_valid_transforms([Transform::flip_lr()])
        .unwrap();
    let batch = |data: &ImageDataBunch, part| data.one_batch(part).unwrap();
    assert_eq!(
        batch(&mirrored, DatasetType::Train),
        batch(&data, DatasetType::Train)
    );
    let plain = data.valid_ds().image(0).unwrap().to_rgb_image();
    let found = batch(&mirrored, DatasetType::Valid).image(0).unwrap();
    for (x, y, pixel) in plain.enumerate_pixels() {
        assert_eq!(found.get_pixel(plain.width() - 1 - x, y), pixel);
    }
    assert_eq!(mirrored.preprocessing().transforms, [Transform::flip_lr()]);
}

#[test]
fn the_draw_decides_the_numbers_of_random_validation_transforms_whatever_the_batch_size() {
    let folder = tempfile::tempdir().unwrap();
    let path = digits(&folder);
    let images = |draw, batch, workers| -> Vec<Vec<u8>> {
        let builder = ImageDataBunch::from_folder(&path)
            .batch_size(batch)
            .num_workers(workers);
        let data = builder.build().unwrap();
        let data = data
            .with_valid_transforms([Transform::rotate(-30.0..=30.0)])
            .unwrap();
        let loader = data
            .with_valid_draw(draw)
            .loader(DatasetType::Valid, 0)
            .unwrap();
        loader
            .map(Result::unwrap)
            .flat_map(|batch| (0..batch.len()).map(move |i| batch.image(i).unwrap().into_raw()))
            .collect()
    };
    assert_eq!(images(7, 4, 0), images(7, 3, 2));
    assert_ne!(images(7, 4, 0), images(8, 4, 0));
}

#[test]
fn a_bad_validation_transform_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&folder);
    let error = data
        .clone()
        .with_valid_transforms([Transform::zoom(0.0)])
        .unwrap_err();
    assert!(matches!(error, Error::Option(_)), "{error:?}");
    let missing = data.dataset(DatasetType::Test).unwrap_err();
    assert!(matches!(missing, Error::Data(DataError::Empty { .. })));
}
