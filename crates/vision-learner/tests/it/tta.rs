//! Test-time augmentation is what fastai's definition says, and repeatable.

use serde::Deserialize;
use vision_data::{
    DatasetType, Image, ImageDataBunch, ImageList, MemoryImages, ResizeMethod, Size, Split,
    Targets, Transform, TransformConfig, Transforms,
};
use vision_learner::{BinaryCrossEntropy, CrossEntropy, Error, Learner, Predictions, TtaConfig};
use vision_models::Arch;

use crate::prelude::*;
use crate::support::{self, Digits, close, digits};

fn learner(
    digits: &Digits,
    transforms: impl Into<Transforms>,
    batch: usize,
    workers: usize,
) -> Learner {
    let data = ImageDataBunch::from_folder(&digits.path)
        .transforms(transforms)
        .batch_size(batch)
        .num_workers(workers)
        .build()
        .unwrap();
    support::learner(data)
}

/// Predictions for the data of each variant, one after the other, by the public functions alone.
fn of_variants(learner: &mut Learner, config: &TtaConfig) -> Vec<Predictions> {
    let data = learner.data().clone();
    let variants = config.variants(&data).unwrap();
    let mut predict = |variant| {
        learner.set_data(variant).unwrap();
        learner.get_preds(DatasetType::Valid).unwrap()
    };
    let found = variants.into_iter().map(&mut predict).collect();
    learner.set_data(data).unwrap();
    found
}

#[test]
fn tta_is_two_fifths_of_the_plain_prediction_and_three_fifths_of_the_mean_of_eight_variants() {
    let digits = digits(4, 5);
    for transforms in [vision_data::get_transforms(), Transforms::default()] {
        let mut learner = learner(&digits, transforms, 4, 0);
        let config = TtaConfig::new();
        let variants = of_variants(&mut learner, &config);
        assert_eq!(variants.len(), 8);
        let plain = learner.get_preds(DatasetType::Valid).unwrap();
        let expected: Vec<f64> = (0..plain.probabilities.len())
            .map(|i| {
                let of = |p: &Predictions| f64::from(p.probabilities[i]);
                0.4 * of(&plain) + 0.6 * variants.iter().map(of).sum::<f64>() / 8.0
            })
            .collect();
        let found = learner.tta(DatasetType::Valid).unwrap();
        let probabilities: Vec<f64> = found.probabilities.iter().map(|p| f64::from(*p)).collect();
        close("tta", &probabilities, &expected, 0.0, 1e-7);
        // The variants say something else than the plain images.
        assert!(
            variants
                .iter()
                .all(|variant| variant.probabilities != plain.probabilities)
        );
        assert_eq!(
            (found.targets, found.indices),
            (plain.targets, plain.indices)
        );
    }
}

#[test]
fn both_predictions_can_be_had_and_blended_otherwise() {
    let digits = digits(4, 3);
    let learner = learner(&digits, vision_data::get_transforms(), 4, 0);
    let config = TtaConfig::new();
    let (plain, augmented) = learner.tta_parts(DatasetType::Valid, &config).unwrap();
    assert_eq!(plain, learner.get_preds(DatasetType::Valid).unwrap());
    let only = |beta| {
        learner
            .tta_with(DatasetType::Valid, &config.clone().with_beta(beta))
            .unwrap()
    };
    assert_eq!(only(1.0).probabilities, plain.probabilities);
    assert_eq!(only(0.0), augmented);
    for row in 0..augmented.len() {
        let sum: f32 = augmented.row(row).iter().sum();
        assert!((sum - 1.0).abs() < 1e-5, "{sum}");
    }
}

#[test]
fn tta_is_repeatable_whatever_the_batch_size_and_the_workers() {
    let digits = digits(8, 5);
    let tta = |batch, workers| {
        let learner = learner(&digits, vision_data::get_transforms(), batch, workers);
        learner.tta(DatasetType::Valid).unwrap()
    };
    let first = tta(4, 0);
    assert_eq!(tta(4, 2), first);
    assert_eq!(tta(4, 0), first);
    // The kernels of other batch sizes differ in the last bits, not in what is drawn.
    close(
        "batches of 3",
        &tta(3, 1).probabilities,
        &first.probabilities,
        0.0,
        1e-5,
    );
}

#[test]
fn the_random_rest_depends_on_the_seed_and_can_be_left_out() {
    let digits = digits(4, 3);
    let transforms: Transforms = TransformConfig::new().with_p_affine(1.0).into();
    let random = learner(&digits, transforms, 4, 0);
    let tta = |config: TtaConfig| random.tta_with(DatasetType::Valid, &config).unwrap();
    let seed = |seed| tta(TtaConfig::new().with_seed(seed));
    assert_eq!(seed(1), seed(1));
    assert_ne!(seed(1), seed(2));
    assert_eq!(seed(random.data().seed()), tta(TtaConfig::new()));
    // Without it, the result is that of a learner that has no training transforms at all.
    let plain = learner(&digits, Transforms::default(), 4, 0);
    let fixed = tta(TtaConfig::new().with_random(false));
    assert_eq!(fixed, plain.tta(DatasetType::Valid).unwrap());
    assert_eq!(fixed, tta(TtaConfig::new().with_random(false).with_seed(9)));
    assert_ne!(fixed, tta(TtaConfig::new()));
}

#[test]
fn crops_flips_and_zooms_of_training_are_replaced_so_that_with_them_alone_tta_is_fixed() {
    let digits = digits(4, 1);
    let tta = |transforms: Transforms, seed| {
        let config = TtaConfig::new().with_seed(seed);
        let learner = learner(&digits, transforms, 4, 0);
        learner.tta_with(DatasetType::Valid, &config).unwrap()
    };
    let fixed = tta(Transforms::default(), 0);
    for flip in [
        Transform::flip_lr().with_p(0.5),
        Transform::dihedral(),
        Transform::dihedral_affine(),
        Transform::flip_affine(),
    ] {
        let train = vec![
            Transform::rand_crop(),
            flip,
            Transform::rand_zoom([1.0, 1.5]),
        ];
        assert_eq!(tta((train, vec![]).into(), 1), fixed);
    }
    // Everything else stays.
    let data = learner(&digits, vision_data::get_transforms(), 4, 0)
        .data()
        .clone();
    let variants = TtaConfig::new().variants(&data).unwrap();
    let names: Vec<&str> = variants[4]
        .transforms()
        .valid
        .iter()
        .map(Transform::name)
        .collect();
    assert_eq!(
        names,
        [
            "SymmetricWarp",
            "Rotate",
            "Brightness",
            "Contrast",
            "Zoom",
            "CropPad",
            "FlipLr"
        ]
    );
}

#[derive(Deserialize)]
struct Case {
    source: [u32; 2],
    size: [usize; 2],
    squish: bool,
    variants: Vec<Vec<f64>>,
}

// scripts/make_tta_fixture.py
#[test]
fn the_pixels_of_the_eight_variants_are_those_that_grid_sample_gives() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../fixtures/tta.json")).unwrap();
    for case in cases {
        let [height, width] = case.source;
        let value = |x: u32, y: u32, c: u32| ((x * 23 + y * 41 + c * 67 + x * y * 5) % 256) as u8;
        let pixels = (0..height)
            .flat_map(|y| (0..width).flat_map(move |x| (0..3).map(move |c| value(x, y, c))));
        let image = Image::from_rgb8(width, height, pixels.collect()).unwrap();
        let images = ["a/0", "b/1", "a/2", "b/3"].map(|name| (name, image.clone()));
        let list = ImageList::from_source("images", MemoryImages::new(images)).unwrap();
        let lists = list.split(Split::ValidIndices(vec![2, 3])).unwrap();
        let builder = lists.label_from_folder().unwrap().databunch();
        let builder = builder
            .size(Size::from((case.size[0], case.size[1])))
            .batch_size(2);
        let method = if case.squish {
            ResizeMethod::Squish
        } else {
            ResizeMethod::Crop
        };
        let data = builder.resize_method(method).build().unwrap();
        let variants = TtaConfig::new().variants(&data).unwrap();
        for (number, (variant, torch)) in variants.iter().zip(&case.variants).enumerate() {
            let found = variant
                .one_batch(DatasetType::Valid)
                .unwrap()
                .image(0)
                .unwrap();
            let found: Vec<f64> = found.into_raw().into_iter().map(f64::from).collect();
            // Half a step of rounding to bytes, and the rounding of f32.
            close(&format!("variant {number}"), &found, torch, 0.0, 0.51);
        }
    }
}

#[test]
fn losses_are_those_of_the_averaged_probabilities() {
    let digits = digits(4, 5);
    let learner = learner(&digits, vision_data::get_transforms(), 4, 0);
    let found = learner.tta(DatasetType::Valid).unwrap();
    let Targets::Category(targets) = &found.targets else {
        panic!("{:?}", found.targets);
    };
    let expected: Vec<f32> = targets
        .iter()
        .enumerate()
        .map(|(item, target)| -found.row(item)[*target as usize].ln())
        .collect();
    close("losses", &found.losses, &expected, 1e-4, 1e-5);
}

#[test]
fn losses_with_smoothing_and_weights_are_those_of_the_loss() {
    let digits = digits(4, 3);
    let data = support::data(&digits.path, 4);
    let loss = CrossEntropy::default()
        .with_smoothing(0.1)
        .unwrap()
        .with_weights([1.0, 3.0])
        .unwrap();
    let learner = create_cnn(data, Arch::ResNet18)
        .pretrained(false)
        .silent(true)
        .loss(loss)
        .build()
        .unwrap();
    // Plain predictions alone have the losses that get_preds computes from the logits.
    let config = TtaConfig::new().with_beta(1.0);
    let found = learner.tta_with(DatasetType::Valid, &config).unwrap();
    let plain = learner.get_preds(DatasetType::Valid).unwrap();
    close("losses", &found.losses, &plain.losses, 1e-4, 1e-5);
}

#[test]
fn several_classes_an_item_are_averaged_class_by_class() {
    let digits = digits(4, 3);
    let files = vision_data::files::image_files(&digits.path).unwrap();
    let labels = |path: &std::path::Path| match path.parent().unwrap().ends_with("3") {
        true => vec!["round", "odd"],
        false => vec!["odd"],
    };
    let data = ImageDataBunch::from_name_func(&digits.path, files, labels);
    let data = data.batch_size(4).build().unwrap();
    let learner = create_cnn(data, Arch::ResNet18)
        .pretrained(false)
        .silent(true)
        .loss(BinaryCrossEntropy::default())
        .build()
        .unwrap();
    let config = TtaConfig::new().with_beta(1.0);
    let found = learner.tta_with(DatasetType::Valid, &config).unwrap();
    let plain = learner.get_preds(DatasetType::Valid).unwrap();
    assert_eq!(found.probabilities, plain.probabilities);
    close("losses", &found.losses, &plain.losses, 1e-4, 1e-5);
}

#[test]
fn tta_of_shuffled_images_and_settings_out_of_range_are_errors() {
    let digits = digits(4, 2);
    let learner = learner(&digits, Transforms::default(), 4, 0);
    let error = learner.tta(DatasetType::Train).unwrap_err();
    assert_matches!(error, Error::Option(error) if error.option == "part");
    let fix = learner.tta(DatasetType::Fix).unwrap();
    assert_eq!(fix.indices, (0..8).collect::<Vec<_>>());
    for (config, option) in [
        (TtaConfig::new().with_beta(1.1), "beta"),
        (TtaConfig::new().with_beta(f64::NAN), "beta"),
        (TtaConfig::new().with_scale(0.0), "scale"),
        (TtaConfig::new().with_scale(f64::NAN), "scale"),
    ] {
        let error = learner.tta_with(DatasetType::Valid, &config).unwrap_err();
        assert_matches!(error, Error::Option(error) if error.option == option);
    }
}
