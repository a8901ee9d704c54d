//! Data takes from weights what its user has not said.

use vision_data::builtin::ResizeCenterCrop;
use vision_data::datasets::synthetic;
use vision_data::{
    DatasetType, Error, ImageDataBunch, ImageDefaults, ResizeMethod, Size, Stats, Transform,
    get_transforms,
};

fn weights() -> ImageDefaults {
    ImageDefaults {
        stats: Some(Stats::CIFAR),
        size: Some(Size::Square(20)),
        resize_method: Some(ResizeMethod::Crop),
        crop_pct: Some(0.875),
    }
}

#[test]
fn what_the_user_said_stays_and_the_rest_is_that_of_the_weights() {
    let folder = tempfile::tempdir().unwrap();
    let path = synthetic::digits(&folder.path().join("digits"), 1, 4, 2).unwrap();
    let open = || ImageDataBunch::from_folder(&path).batch_size(2);
    // timm's Resize for these weights: floor(20 / 0.875) is 22.
    let crop = vec![Transform::ResizeCenterCrop(ResizeCenterCrop { extra: 2 })];
    let data = open()
        .build()
        .unwrap()
        .with_image_defaults(&weights())
        .unwrap();
    assert_eq!(
        (data.stats(), data.size()),
        (Some(Stats::CIFAR), Some(Size::Square(20)))
    );
    assert_eq!(
        (&data.transforms().train, &data.transforms().valid),
        (&crop, &crop)
    );
    for part in [DatasetType::Train, DatasetType::Valid] {
        assert_eq!(data.one_batch(part).unwrap().shape(), [2, 3, 20, 20]);
    }
    let said = open()
        .normalize(weights().stats)
        .size(20)
        .transforms((crop.clone(), crop));
    let said = said.build().unwrap();
    assert_eq!(
        data.one_batch(DatasetType::Valid).unwrap(),
        said.one_batch(DatasetType::Valid).unwrap()
    );
    assert!(data.differs_from(&weights()).is_empty());

    let data = open()
        .size(14)
        .normalize(None)
        .build()
        .unwrap()
        .with_image_defaults(&weights())
        .unwrap();
    assert_eq!((data.stats(), data.size()), (None, Some(Size::Square(14))));
    assert!(data.transforms().valid.is_empty());
    assert_eq!(data.differs_from(&weights()).len(), 2);
    let data = open().transforms(get_transforms()).build().unwrap();
    let data = data.with_image_defaults(&weights()).unwrap();
    assert_eq!(
        (data.size(), data.transforms()),
        (Some(Size::Square(20)), &get_transforms())
    );
    let method = open().resize_method(ResizeMethod::Pad).build().unwrap();
    assert_eq!(method.with_image_defaults(&weights()).unwrap().size(), None);
    // Statistics of the data's own images are said, too.
    let own = open().build().unwrap().normalize_batch().unwrap();
    let stats = own.stats();
    assert_eq!(own.with_image_defaults(&weights()).unwrap().stats(), stats);
}

#[test]
fn data_that_was_saved_without_statistics_has_said_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = synthetic::digits(&folder.path().join("digits"), 1, 4, 2).unwrap();
    let file = path.join("data.json");
    ImageDataBunch::from_folder(&path)
        .batch_size(2)
        .build()
        .unwrap()
        .save(&file)
        .unwrap();
    let data = ImageDataBunch::load(&path, &file).unwrap().build().unwrap();
    assert_eq!(
        data.with_image_defaults(&weights()).unwrap().stats(),
        Some(Stats::CIFAR)
    );
}

#[test]
fn a_crop_is_for_square_sizes_that_are_cropped() {
    let data = || {
        ImageDataBunch::single_from_classes(".", ["a", "b"])
            .build()
            .unwrap()
    };
    for defaults in [
        ImageDefaults {
            crop_pct: Some(1.0),
            ..weights()
        },
        ImageDefaults {
            crop_pct: None,
            ..weights()
        },
        ImageDefaults {
            size: Some(Size::Exact(20, 30)),
            ..weights()
        },
        ImageDefaults {
            resize_method: Some(ResizeMethod::Squish),
            ..weights()
        },
    ] {
        let data = data().with_image_defaults(&defaults).unwrap();
        assert!(data.transforms().valid.is_empty(), "{defaults:?}");
        assert_eq!(
            (data.size(), data.resize_method()),
            (defaults.size, defaults.resize_method)
        );
    }
}

#[test]
fn a_default_out_of_range_is_an_error_that_names_it() {
    let data = ImageDataBunch::single_from_classes(".", ["a", "b"])
        .build()
        .unwrap();
    let mut wrong = Vec::new();
    for part in [
        0.0,
        -1.0,
        1.0 + 1e-9,
        1e-300,
        f64::MIN_POSITIVE,
        f64::NAN,
        f64::INFINITY,
    ] {
        wrong.push((
            "crop_pct",
            ImageDefaults {
                crop_pct: Some(part),
                ..weights()
            },
        ));
    }
    for size in [
        Size::Square(0),
        Size::Square(usize::MAX),
        Size::Exact(1, 1 << 20),
    ] {
        wrong.push((
            "size",
            ImageDefaults {
                size: Some(size),
                ..weights()
            },
        ));
    }
    let stats = Stats {
        std: [f32::NAN; 3],
        ..Stats::CIFAR
    };
    wrong.push((
        "stats",
        ImageDefaults {
            stats: Some(stats),
            ..weights()
        },
    ));
    for (name, defaults) in wrong {
        let error = data.clone().with_image_defaults(&defaults).unwrap_err();
        assert!(
            matches!(&error, Error::Option(error) if error.option == name),
            "{defaults:?}: {error}"
        );
    }
}
