//! Resizing and transforms give the numbers of fastai v1, computed with PyTorch by
//! `scripts/make_resize_fixtures.py`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

use serde_json::Value;
use vision_base::OptionError;
use vision_data::builtin::{
    Brightness, Contrast, CropPad, DihedralAffine, FlipLr, Rotate, SymmetricWarp, Zoom,
};
use vision_data::sources::FromClasses;
use vision_data::{
    DatasetType, Error, Image, ImageDataBunch, ImageDataBunchBuilder, ResizeMethod, Size,
    Transform, TransformConfig, Transforms, get_transforms,
};

use crate::numbers::largest_difference;

fn builder() -> ImageDataBunchBuilder<FromClasses> {
    ImageDataBunch::single_from_classes("nowhere", ["a", "b"])
}

/// What the data makes of one image, plane by plane.
fn prepared(data: &ImageDataBunch, image: &Image) -> (Vec<usize>, Vec<f32>) {
    let tensor = data.prepare(image).unwrap();
    let shape = tensor.dims().to_vec();
    (shape, tensor.into_data().try_to_vec().unwrap())
}

/// The image that the script draws by the same rule.
fn picture(height: usize, width: usize) -> Image {
    let mut pixels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            for c in 0..3 {
                pixels.push(((x * 23 + y * 41 + c * 67 + x * y * 5) % 256) as u8);
            }
        }
    }
    Image::from_rgb8(width as u32, height as u32, pixels).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap())
        .collect()
}

#[test]
fn fixed_transforms_give_the_pixels_that_pytorch_computes() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/resize.json");
    let cases: Vec<Value> = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(cases.len(), 20);
    for case in &cases {
        let number = |name: &str| case.get(name).and_then(Value::as_f64);
        let list = |name: &str| case.get(name).map(numbers);
        let crop = list("crop").map(|at| {
            Transform::CropPad(CropPad {
                row: at[0].into(),
                col: at[1].into(),
            })
        });
        let warp = list("warp").map(|m| {
            Transform::SymmetricWarp(SymmetricWarp {
                magnitude: [0, 1, 2, 3].map(|i| m[i].into()),
                p: 1.0,
            })
        });
        let zoom = list("zoom").map(|z| {
            Transform::Zoom(Zoom {
                scale: z[0].into(),
                row: z[1].into(),
                col: z[2].into(),
                p: 1.0,
            })
        });
        let flip = case.get("flip").map(|_| Transform::flip_lr());
        let rotate = number("rotate").map(Transform::rotate);
        let brightness = number("brightness").map(Transform::brightness);
        let contrast = number("contrast").map(Transform::contrast);
        let steps = [crop, warp, flip, rotate, zoom, brightness, contrast];
        let valid: Vec<Transform> = steps.into_iter().flatten().collect();
        let method = match case["method"].as_str().unwrap() {
            "crop" => ResizeMethod::Crop,
            "pad" => ResizeMethod::Pad,
            _ => ResizeMethod::Squish,
        };
        let mut builder = builder().resize_method(method).transforms(Transforms {
            train: Vec::new(),
            valid,
        });
        if let Some(size) = case.get("size").map(numbers) {
            builder = builder.size((size[0] as usize, size[1] as usize));
        }
        let source = numbers(&case["source"]);
        let image = picture(source[0] as usize, source[1] as usize);
        let (shape, found) = prepared(&builder.build().unwrap(), &image);
        let wanted_shape: Vec<usize> = numbers(&case["shape"])
            .iter()
            .map(|&n| n as usize)
            .collect();
        assert_eq!(shape[1..], wanted_shape, "{case}");
        let expected = numbers(&case["expected"]);
        let worst = largest_difference(&found, &expected);
        assert!(worst < 2e-5, "off by {worst}: {case}");
    }
}

#[test]
fn every_method_and_size_gives_exactly_the_size_asked_for() {
    let sizes: [(Size, [usize; 2]); 3] = [
        (14.into(), [14, 14]),
        ((14, 14).into(), [14, 14]),
        ((14, 20).into(), [14, 20]),
    ];
    let images = [
        picture(28, 28),
        picture(19, 61),
        picture(3, 300),
        picture(1, 1),
        picture(90, 2),
    ];
    for (size, wanted) in sizes {
        for method in [ResizeMethod::Pad, ResizeMethod::Crop, ResizeMethod::Squish] {
            for transforms in [Transforms::default(), get_transforms()] {
                let data = builder()
                    .size(size)
                    .resize_method(method)
                    .transforms(transforms)
                    .build()
                    .unwrap();
                for image in &images {
                    let (shape, values) = prepared(&data, image);
                    assert_eq!(shape, [1, 3, wanted[0], wanted[1]]);
                    assert!(values.iter().all(|v| (0.0..=1.0).contains(v)));
                }
            }
        }
    }
}

#[test]
fn without_a_size_images_stay_as_they_are() {
    let image = picture(3, 4);
    for transforms in [Transforms::default(), get_transforms()] {
        let (shape, values) = prepared(&builder().transforms(transforms).build().unwrap(), &image);
        assert_eq!(shape, [1, 3, 3, 4]);
        for (channel, plane) in values.chunks(12).enumerate() {
            for (value, pixel) in plane.iter().zip(image.pixels().chunks(3)) {
                assert_eq!(*value, f32::from(pixel[channel]) / 255.0);
            }
        }
    }
}

#[test]
fn sizes_out_of_range_are_refused_before_any_work() {
    for size in [Size::Square(0), Size::Exact(5, 0), Size::Square(1_000_000)] {
        let error = builder().size(size).build().unwrap_err();
        assert!(
            matches!(error, Error::Option(OptionError { option: "size", .. })),
            "{error}"
        );
    }
}

#[test]
fn transforms_out_of_range_are_refused_before_any_work_by_the_argument_that_was_given() {
    let bad: [(TransformConfig, &str); 9] = [
        (TransformConfig::new().with_p_affine(1.5), "`p_affine`"),
        (
            TransformConfig::new().with_p_lighting(f64::NAN),
            "`p_lighting`",
        ),
        (
            TransformConfig::new().with_max_lighting(1.0),
            "`max_lighting`",
        ),
        (
            TransformConfig::new().with_max_lighting(0.9995),
            "`max_lighting`",
        ),
        (TransformConfig::new().with_max_warp(0.8), "`max_warp`"),
        (TransformConfig::new().with_max_zoom(0.9), "`max_zoom`"),
        (TransformConfig::new().with_max_zoom(f64::NAN), "`max_zoom`"),
        (
            TransformConfig::new().with_max_rotate(4000.0),
            "`max_rotate`",
        ),
        (
            TransformConfig::new().with_max_rotate(f64::INFINITY),
            "`max_rotate`",
        ),
    ];
    for (config, argument) in bad {
        let error = builder().transforms(config).build().unwrap_err();
        assert!(
            matches!(
                error,
                Error::Option(OptionError {
                    option: "transform",
                    ..
                })
            ),
            "{error}"
        );
        assert!(error.to_string().contains(argument), "{error}");
    }
}

#[test]
fn the_largest_turn_warp_and_change_of_light_may_be_negative_as_in_fastai() {
    // fastai draws uniformly between -x and x, whatever the sign, and the contrast between 1 - x and
    // 1 / (1 - x): for -0.25 between 1.25 and 0.8.
    let list = |config: TransformConfig| Transforms::from(config).train;
    let config = TransformConfig::new;
    assert_eq!(
        list(config().with_max_rotate(-20.0).with_max_warp(-0.1)),
        list(config().with_max_rotate(20.0).with_max_warp(0.1))
    );
    let light = list(config().with_max_lighting(-0.25));
    let expected = [
        Transform::brightness([0.375, 0.625]).with_p(0.75),
        Transform::contrast([0.8, 1.25]).with_p(0.75),
    ];
    assert_eq!(light[light.len() - 2..], expected);
}

#[test]
fn the_default_transforms_are_those_of_fastai() {
    let Transforms { train, valid } = get_transforms();
    let anywhere = [0.0, 1.0];
    let expected = [
        Transform::CropPad(CropPad {
            row: anywhere.into(),
            col: anywhere.into(),
        }),
        Transform::FlipLr(FlipLr { p: 0.5 }),
        Transform::SymmetricWarp(SymmetricWarp {
            magnitude: [[-0.2, 0.2].into(); 4],
            p: 0.75,
        }),
        Transform::Rotate(Rotate {
            degrees: [-10.0, 10.0].into(),
            p: 0.75,
        }),
        Transform::Zoom(Zoom {
            scale: [1.0, 1.1].into(),
            row: anywhere.into(),
            col: anywhere.into(),
            p: 0.75,
        }),
        Transform::Brightness(Brightness {
            change: [0.4, 0.6].into(),
            p: 0.75,
        }),
        Transform::Contrast(Contrast {
            scale: [0.8, 1.25].into(),
            p: 0.75,
        }),
    ];
    assert_eq!(train, expected);
    assert_eq!(
        valid,
        [Transform::CropPad(CropPad {
            row: 0.5.into(),
            col: 0.5.into()
        })]
    );
    let both: Transforms = TransformConfig::new().with_flip_vert(true).into();
    assert_eq!(
        both.train[1],
        Transform::DihedralAffine(DihedralAffine {
            k: (0..=7).into(),
            p: 1.0
        })
    );
    let none: Transforms = TransformConfig::new().with_do_flip(false).into();
    assert_eq!(none.train.len(), 6);
    let more: Transforms = TransformConfig::new()
        .with_max_rotate(30.0)
        .with_p_affine(1.0)
        .with_xtra_tfms([Transform::cutout(1, 8)])
        .into();
    assert_eq!(more.train[3], Transform::rotate(-30.0..=30.0));
    assert_eq!(more.train.last(), Some(&Transform::cutout(1, 8)));
}

#[test]
fn sizes_survive_being_written_down() {
    for size in [Size::from(224), Size::from((14, 20))] {
        let written = serde_json::to_string(&size).unwrap();
        assert_eq!(serde_json::from_str::<Size>(&written).unwrap(), size);
    }
}

#[test]
fn training_transforms_change_from_epoch_to_epoch_and_not_from_run_to_run() {
    let folder = tempfile::tempdir().unwrap();
    for (part, class) in [("train", "a"), ("train", "b"), ("valid", "a")] {
        let folder = folder.path().join(part).join(class);
        fs::create_dir_all(&folder).unwrap();
        picture(24, 20)
            .to_rgb_image()
            .save(folder.join("1.png"))
            .unwrap();
    }
    let data = ImageDataBunch::from_folder(folder.path())
        .batch_size(2)
        .size(16)
        .transforms(get_transforms())
        .build()
        .unwrap();
    let epoch = |data: &ImageDataBunch, epoch| {
        let mut loader = data.loader(DatasetType::Train, epoch).unwrap();
        loader.next().unwrap().unwrap()
    };
    assert_eq!(epoch(&data, 3), epoch(&data, 3));
    assert_ne!(epoch(&data, 3).images, epoch(&data, 4).images);
    assert_ne!(
        epoch(&data, 3).images,
        epoch(&data.clone().with_seed(7), 3).images
    );
    // Validation does not move.
    let valid = |e| {
        data.loader(DatasetType::Valid, e)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
    };
    assert_eq!(valid(0), valid(1));
}
