//! Transforms of the user's own: their place, their random numbers, saving, and what happens if they fail.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use vision_base::OptionError;
use vision_data::datasets::synthetic;
use vision_data::{
    DataError, DatasetType, Error, Image, ImageDataBunch, ImageDataBunchBuilder, ItemTransform,
    PaddingMode, Pipeline, Resizing, Transform, TransformError, TransformRng, Transforms,
    get_transforms, register_transform,
};

type Applied = Result<Image, Box<dyn StdError + Send + Sync>>;

/// Adds a random number to every byte, around 256.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shift {
    most: u8,
}

impl ItemTransform for Shift {
    const NAME: &'static str = "shift";

    fn apply(&self, image: Image, rng: &mut TransformRng) -> Applied {
        let by = rng.below(usize::from(self.most) + 1) as u8;
        let mut image = image.into_rgb_image();
        image
            .iter_mut()
            .for_each(|byte| *byte = byte.wrapping_add(by));
        Ok(image.try_into()?)
    }

    fn check(&self) -> Result<(), Box<dyn StdError + Send + Sync>> {
        match self.most {
            0 => Err("`most` must be at least 1".into()),
            _ => Ok(()),
        }
    }
}

/// Fails unless the image has the size that is expected at this place.
#[derive(Debug, Serialize, Deserialize)]
struct Expects {
    order: i8,
    height: u32,
    width: u32,
}

impl ItemTransform for Expects {
    const NAME: &'static str = "expects";

    fn apply(&self, image: Image, _: &mut TransformRng) -> Applied {
        match (image.height(), image.width()) == (self.height, self.width) {
            true => Ok(image),
            false => Err(format!("{} at {}", image.size(), self.order).into()),
        }
    }

    fn order(&self) -> i8 {
        self.order
    }
}

/// Panics on images of one class.
#[derive(Debug, Serialize, Deserialize)]
struct Panics;

impl ItemTransform for Panics {
    const NAME: &'static str = "panics";

    fn apply(&self, _: Image, _: &mut TransformRng) -> Applied {
        panic!("no such lamp")
    }
}

fn digits(folder: &tempfile::TempDir) -> PathBuf {
    let path = folder.path().join("digits");
    if !path.exists() {
        synthetic::digits(&path, 1, 12, 4).unwrap();
    }
    path
}

fn train(transforms: Vec<Transform>) -> Transforms {
    Transforms {
        train: transforms,
        valid: Vec::new(),
    }
}

fn builder(folder: &tempfile::TempDir, transforms: Transforms) -> ImageDataBunchBuilder {
    ImageDataBunch::from_folder(digits(folder))
        .batch_size(6)
        .size(20)
        .transforms(transforms)
}

fn shift() -> Transform {
    Transform::custom(Shift { most: 200 }).with_p(0.5)
}

#[test]
fn it_is_drawn_from_seed_epoch_and_index_whatever_the_threads() {
    let folder = tempfile::tempdir().unwrap();
    let mut transforms = get_transforms();
    transforms.train.push(shift());
    let batches = |threads, epoch| -> Vec<_> {
        let data = builder(&folder, transforms.clone()).num_workers(threads);
        let loader = data.build().unwrap().loader(DatasetType::Train, epoch);
        loader.unwrap().map(Result::unwrap).collect()
    };
    let alone = batches(0, 0);
    assert!(alone == batches(1, 0) && alone == batches(3, 0));
    assert!(alone != batches(0, 1));
}

#[test]
fn half_of_the_images_are_changed_and_the_others_are_what_they_were_without_it() {
    let image = Image::from_rgb8(9, 7, (0..189).collect()).unwrap();
    let of = |transforms: &[Transform], index| {
        let pipeline = Pipeline::new(transforms, Resizing::default()).unwrap();
        let draw = pipeline.draw(1, 0, index);
        pipeline.image(&image, &draw).unwrap().image(0).unwrap()
    };
    let mut changed = 0;
    for index in 0..400 {
        // What comes before it is drawn as without it.
        let flip = Transform::flip_lr().with_p(0.5);
        let without = of(std::slice::from_ref(&flip), index);
        let with = of(&[flip, shift()], index);
        let by = with.as_raw()[0].wrapping_sub(without.as_raw()[0]);
        let shifted: Vec<u8> = without
            .as_raw()
            .iter()
            .map(|b| b.wrapping_add(by))
            .collect();
        assert_eq!(with.as_raw(), &shifted);
        changed += usize::from(by != 0);
    }
    // 200 · 200/201 with a deviation of 10.
    assert!((150..=250).contains(&changed), "{changed}");
}

#[test]
fn it_is_applied_in_its_order_among_the_others() {
    // Of 20 by 30 pixels, resized to 10 by 15, padded by 2, cropped to 10 by 10.
    let image = Image::from_rgb8(30, 20, vec![7; 1800]).unwrap();
    let resizing = Resizing {
        size: Some(10.into()),
        ..Resizing::default()
    };
    let at = |order, height, width| {
        Transform::custom(Expects {
            order,
            height,
            width,
        })
    };
    let run = |own: Transform, with: &[Transform]| {
        let transforms = [&[own], with].concat();
        let pipeline = Pipeline::new(&transforms, resizing).unwrap();
        let draw = pipeline.draw(0, 0, 0);
        pipeline.image(&image, &draw).map(|images| images.shape())
    };
    let others = [
        Transform::crop_pad(),
        Transform::pad(2, PaddingMode::Zeros),
        Transform::rotate(10.0),
    ];
    for (order, height, width) in [
        (-128, 20, 30),
        (-11, 20, 30),
        (-10, 10, 15),
        (-9, 14, 19),
        (4, 14, 19),
        (50, 14, 19),
        (99, 10, 15),
        (100, 10, 10),
        (127, 10, 10),
    ] {
        let with = if order == 99 { &[] } else { &others[..] };
        let shape = run(at(order, height, width), with).unwrap();
        assert_eq!(shape, [1, 3, 10, 10], "{order}");
    }
    let error = run(at(0, 20, 30), &others).unwrap_err();
    assert!(matches!(
        error,
        Error::Transform(TransformError::Failed { transform, .. }) if transform == "expects"
    ));
}

#[test]
fn an_image_that_it_leaves_alone_keeps_every_bit() {
    let image = Image::from_rgb8(30, 20, (0..1800).map(|i| (i * 7 % 256) as u8).collect()).unwrap();
    let none = Transform::custom(Expects {
        order: 100,
        height: 16,
        width: 16,
    });
    let of = |transforms: &[Transform]| {
        let resizing = Resizing {
            size: Some(16.into()),
            ..Resizing::default()
        };
        let pipeline = Pipeline::new(transforms, resizing).unwrap();
        let draw = pipeline.draw(1, 0, 0);
        pipeline.image(&image, &draw).unwrap()
    };
    // Rounded to 8 bits for it, which the image of a batch is too.
    let turn = Transform::rotate(20.0);
    let (with, without) = (of(&[turn.clone(), none]), of(&[turn]));
    assert_eq!(with.image(0), without.image(0));
}

#[test]
fn it_is_saved_by_name_with_its_settings_and_loaded_again() {
    let folder = tempfile::tempdir().unwrap();
    register_transform::<Shift>().unwrap();
    register_transform::<Shift>().unwrap();
    let data = builder(&folder, train(vec![shift()])).build().unwrap();
    let file = data.save("data.json").unwrap();
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let written = &json["transforms"]["train"][0]["custom"];
    let expected = serde_json::json!({"name": "shift", "settings": {"most": 200}, "p": 0.5});
    assert_eq!(written, &expected);

    let loaded = ImageDataBunch::load(digits(&folder), &file).unwrap();
    let loaded = loaded.build().unwrap();
    assert_eq!(loaded.transforms(), data.transforms());
    let batch = |data: &ImageDataBunch| data.one_batch(DatasetType::Train).unwrap();
    assert_eq!(batch(&loaded), batch(&data));

    // What the type does not take, with the place in the file or the reason.
    let load = |from: &str, to: &str| {
        let text = json.to_string();
        assert!(text.contains(from));
        std::fs::write(&file, text.replace(from, to)).unwrap();
        ImageDataBunch::load(digits(&folder), &file).unwrap_err()
    };
    let error = load(r#""most":200"#, r#""most":900"#);
    assert!(
        matches!(&error, Error::Transform(TransformError::Settings { name, .. }) if name == "shift"),
        "{error}"
    );
    let error = load(r#""most":200"#, r#""most":0"#);
    assert!(
        matches!(&error, Error::Transform(TransformError::Settings { reason, .. }) if reason.contains("at least 1")),
        "{error}"
    );
    let error = load(r#""name":"shift""#, r#""name":"unknown""#);
    let Error::Transform(TransformError::NotRegistered { name, registered }) = error else {
        panic!("{error}")
    };
    assert_eq!(name, "unknown");
    assert!(registered.contains(&"shift".to_owned()), "{registered:?}");
    let error = load(r#""p":0.5"#, r#""q":0.5"#);
    assert!(
        matches!(&error, Error::Data(DataError::BadFile { field, .. }) if field.starts_with("transforms.train[0]")),
        "{error}"
    );
}

#[test]
fn an_error_and_a_panic_name_the_item_and_the_transform() {
    let folder = tempfile::tempdir().unwrap();
    let expects = Transform::custom(Expects {
        order: 100,
        height: 1,
        width: 1,
    });
    for (transform, reason) in [
        (expects, "20x20 at 100"),
        (Transform::custom(Panics), "it panicked: no such lamp"),
    ] {
        for threads in [0, 2] {
            let data = builder(&folder, train(vec![transform.clone()])).num_workers(threads);
            let data = data.build().unwrap();
            let mut loader = data.loader(DatasetType::Train, 0).unwrap();
            let first = data.order(DatasetType::Train, 0).unwrap()[0];
            let error = loader.next().unwrap().unwrap_err();
            let Error::Transform(TransformError::Failed {
                transform: name,
                image,
                source,
            }) = &error
            else {
                panic!("{error}")
            };
            assert_eq!(name, transform.name());
            assert_eq!(image, data.train_ds().path(first).unwrap());
            assert_eq!(source.to_string(), reason);
            assert!(loader.next().is_none());
        }
    }
}

#[test]
fn the_summary_names_it_and_what_it_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let own = Transform::custom(Shift { most: 9 });
    let data = builder(&folder, train(vec![own])).build().unwrap();
    let summary = data.summary(DatasetType::Train, 0).unwrap();
    let step = summary.steps.last().unwrap();
    assert_eq!(step.name, "shift");
    assert!(step.text.contains(r#"{"most":9}"#), "{}", step.text);
}

#[test]
fn names_settings_and_probabilities_are_checked() {
    /// As `Shift` by name.
    #[derive(Debug, Serialize, Deserialize)]
    struct Other;
    impl ItemTransform for Other {
        const NAME: &'static str = "shift";
        fn apply(&self, image: Image, _: &mut TransformRng) -> Applied {
            Ok(image)
        }
    }
    /// JSON has no such keys.
    #[derive(Debug, Serialize, Deserialize)]
    struct Unwritable(BTreeMap<(u8, u8), u8>);
    impl ItemTransform for Unwritable {
        const NAME: &'static str = "";
        fn apply(&self, image: Image, _: &mut TransformRng) -> Applied {
            Ok(image)
        }
    }
    register_transform::<Shift>().unwrap();
    for error in [
        register_transform::<Other>(),
        register_transform::<Unwritable>(),
    ] {
        let error = error.unwrap_err();
        assert!(matches!(
            error,
            Error::Transform(TransformError::Name { .. })
        ));
    }
    let new = |transform: Transform| Pipeline::new(&[transform], Resizing::default());
    for bad in [
        Transform::custom(Unwritable([((1, 2), 3)].into())),
        Transform::custom(Shift { most: 0 }),
    ] {
        let error = new(bad).unwrap_err();
        assert!(matches!(
            error,
            Error::Transform(TransformError::Settings { .. })
        ));
    }
    let error = new(shift().with_p(1.5)).unwrap_err();
    assert!(matches!(
        error,
        Error::Option(OptionError {
            option: "transform",
            ..
        })
    ));
}
