//! Every transform does to pixels what fastai v1 does. Numbers are from fastai's own tests and from PyTorch
//! (`scripts/make_transform_fixtures.py`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

use serde_json::Value;
use vision_base::OptionError;
use vision_data::builtin::{
    Crop, CropPad, Dihedral, DihedralAffine, PerspectiveWarp, RandAugment, RandomResizedCrop,
    ResizeCenterCrop, RgbRandomize, Squish, SymmetricWarp, TrivialAugment, Zoom, ZoomSquish,
};
use vision_data::presets::{rand_pad, rand_resize_crop, random_resized_crop, zoom_crop};
use vision_data::{
    Batch, BatchTransform, DatasetType, Device, Draw, Error, Image, ImageDataBunch, PaddingMode,
    Pipeline, ResizeMethod, Resizing, Size, Transform, Transforms, get_transforms,
};

use crate::numbers::largest_difference;

fn pipeline(transforms: &[Transform]) -> Pipeline {
    Pipeline::new(transforms, Resizing::default()).unwrap()
}

/// Height, width and planes of an image after a draw.
fn pixels(pipeline: &Pipeline, image: &Image, draw: &Draw) -> (usize, usize, Vec<f32>) {
    let images = pipeline.image(image, draw).unwrap();
    let [_, _, height, width] = images.shape();
    let data = images.to_device(&Device::default(), None).into_data();
    (height, width, data.try_to_vec().unwrap())
}

/// A 5 by 5 image that is black but for one white pixel.
fn dot((row, col): (usize, usize)) -> Image {
    let mut pixels = vec![0; 75];
    pixels[3 * (5 * row + col)..][..3].fill(255);
    Image::from_rgb8(5, 5, pixels).unwrap()
}

/// Where a dot is after `transforms`, which have to leave everything else black.
fn places(transforms: &[Transform], at: (usize, usize)) -> Vec<(usize, usize)> {
    let pipeline = pipeline(transforms);
    let (height, width, planes) = pixels(&pipeline, &dot(at), &pipeline.draw(1, 0, 0));
    let red = &planes[..height * width];
    let bright = |&i: &usize| red[i] > 0.5;
    let places: Vec<usize> = (0..red.len()).filter(bright).collect();
    let off: f32 = (0..red.len())
        .map(|i| (red[i] - if places.contains(&i) { 1.0 } else { 0.0 }).abs())
        .sum();
    assert!(off < 5e-7, "{transforms:?}: off by {off}: {red:?}");
    let places: Vec<_> = places.into_iter().map(|i| (i / width, i % width)).collect();
    places
}

/// The brightest place, which has to be white: row and column.
fn brightest(transforms: &[Transform], at: (usize, usize)) -> (usize, usize) {
    let pipeline = pipeline(transforms);
    let (height, width, planes) = pixels(&pipeline, &dot(at), &pipeline.draw(1, 0, 0));
    let red = &planes[..height * width];
    let place = (0..red.len()).max_by(|&a, &b| red[a].total_cmp(&red[b]));
    let place = place.unwrap();
    assert!((red[place] - 1.0).abs() < 5e-7, "{transforms:?}: {red:?}");
    (place / width, place % width)
}

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
    let list = value.as_array().unwrap().iter();
    list.map(|v| v.as_f64().or(v.as_bool().map(f64::from)).unwrap())
        .collect()
}

fn padding(name: &str) -> PaddingMode {
    serde_json::from_value(name.into()).unwrap()
}

/// A step of a fixture as a transform whose numbers are fixed.
fn step(step: &Value) -> Transform {
    let (name, arg) = (step[0].as_str().unwrap(), &step[1]);
    let m = arg.as_array().map(|_| numbers(arg)).unwrap_or_default();
    match name {
        "symmetric_warp" => Transform::SymmetricWarp(SymmetricWarp {
            magnitude: [0, 1, 2, 3].map(|i| m[i].into()),
            p: 1.0,
        }),
        "perspective_warp" => Transform::PerspectiveWarp(PerspectiveWarp {
            magnitude: [0, 1, 2, 3, 4, 5, 6, 7].map(|i| m[i].into()),
            p: 1.0,
        }),
        "tilt" => Transform::tilt(m[0] as u32, m[1]),
        "skew" => Transform::skew(m[0] as u32, m[1]),
        "rotate" => Transform::rotate(arg.as_f64().unwrap()),
        "flip_affine" => Transform::flip_affine(),
        "dihedral_affine" => Transform::DihedralAffine(DihedralAffine {
            k: (arg.as_u64().unwrap() as u32).into(),
            p: 1.0,
        }),
        "zoom" => Transform::Zoom(Zoom {
            scale: m[0].into(),
            row: m[1].into(),
            col: m[2].into(),
            p: 1.0,
        }),
        "squish" => Transform::Squish(Squish {
            scale: m[0].into(),
            row: m[1].into(),
            col: m[2].into(),
            p: 1.0,
        }),
        // Whether the squish is turned round is drawn; a squish of 1/x is the other way round.
        "zoom_squish" => Transform::ZoomSquish(ZoomSquish {
            scale: m[0].into(),
            squish: m[1].into(),
            row: m[3].into(),
            col: m[4].into(),
            p: 1.0,
        }),
        _ => panic!("{name}"),
    }
}

#[test]
fn moves_of_pixels_give_what_grid_sample_computes() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/warps.json");
    let cases: Vec<Value> = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(cases.len(), 44);
    for case in &cases {
        let size = |name: &str| {
            let sides = numbers(case.get(name)?);
            Some((sides[0] as usize, sides[1] as usize))
        };
        let method = case.get("method").and_then(Value::as_str);
        let resizing = Resizing {
            size: size("size").map(Into::into),
            resize_method: Some(match method {
                Some("pad") => ResizeMethod::Pad,
                Some("squish") => ResizeMethod::Squish,
                Some("no") => ResizeMethod::No,
                _ => ResizeMethod::Crop,
            }),
            mult: case.get("mult").map(|m| m.as_u64().unwrap() as usize),
            padding_mode: case
                .get("padding_mode")
                .map_or(PaddingMode::Reflection, |name| {
                    padding(name.as_str().unwrap())
                }),
        };
        let mut transforms: Vec<Transform> =
            case["steps"].as_array().unwrap().iter().map(step).collect();
        if let Some(pad) = case.get("pad") {
            let mode = padding(pad[1].as_str().unwrap());
            transforms.push(Transform::pad(pad[0].as_u64().unwrap() as u32, mode));
        }
        let pipeline = Pipeline::new(&transforms, resizing).unwrap();
        let (rows, cols) = size("source").unwrap();
        let image = picture(rows, cols);
        let inverted = case["steps"][0][0] == "zoom_squish";
        let shape = numbers(&case["shape"]);
        let expected = numbers(&case["expected"]);

        // Of a squish either direction is drawn: one of a few draws has to be the one of the fixture.
        let draws = if inverted { 20 } else { 1 };
        let fits = (0..draws).any(|index| {
            let draw = pipeline.draw(0, 0, index);
            let (height, width, found) = pixels(&pipeline, &image, &draw);
            assert_eq!([3.0, height as f64, width as f64], shape[..], "{case}");
            let worst = largest_difference(&found, &expected);
            if !inverted {
                assert!(worst < 2e-5, "off by {worst}: {case}");
            }
            worst < 2e-5
        });
        assert!(fits, "{case}");
    }
}

#[test]
fn a_dot_goes_where_fastais_tests_say() {
    let start = (3, 3);
    assert_eq!(places(&[Transform::rotate(90.0)], start), [(1, 3)]);
    assert_eq!(places(&[Transform::rotate(-90.0)], start), [(3, 1)]);
    assert_eq!(places(&[Transform::flip_lr()], start), [(3, 1)]);
    assert_eq!(places(&[Transform::flip_affine()], start), [(3, 1)]);
    // These enlarge a dot.
    assert_eq!(brightest(&[Transform::zoom(2.0)], start), (4, 4));
    assert_eq!(brightest(&[Transform::squish(0.5)], start), (3, 4));
    assert_eq!(brightest(&[Transform::squish(2.0)], start), (4, 3));
}

#[test]
fn a_crop_keeps_the_part_asked_for() {
    let crop = |row: f64, col: f64| {
        Transform::Crop(Crop {
            size: 4.into(),
            row: row.into(),
            col: col.into(),
        })
    };
    for (row, col, place) in [
        (0.0, 0.0, (3, 3)),
        (0.0, 0.99, (3, 2)),
        (0.5, 0.5, (2, 2)),
        (0.99, 0.0, (2, 3)),
        (0.99, 0.99, (2, 2)),
    ] {
        assert_eq!(places(&[crop(row, col)], (3, 3)), [place]);
        // The same with the size of the data.
        let resizing = Resizing {
            size: Some((4, 4).into()),
            resize_method: Some(ResizeMethod::Crop),
            ..Resizing::default()
        };
        let cut = Transform::CropPad(CropPad {
            row: row.into(),
            col: col.into(),
        });
        let pipeline = Pipeline::new(&[cut], resizing).unwrap();
        assert_eq!(
            pipeline
                .image(&dot((3, 3)), &pipeline.draw(0, 0, 0))
                .unwrap()
                .shape(),
            [1, 3, 4, 4]
        );
    }
}

#[test]
fn padding_is_black_or_the_edge_or_a_mirror() {
    for (mode, expected) in [
        (PaddingMode::Zeros, vec![(4, 5)]),
        (PaddingMode::Border, vec![(4, 5), (4, 6)]),
        (PaddingMode::Reflection, vec![(4, 5), (6, 5)]),
    ] {
        assert_eq!(places(&[Transform::pad(1, mode)], (3, 4)), expected);
    }
}

#[test]
fn each_symmetry_of_the_square_is_fastais() {
    let expected = [
        (0, 1),
        (4, 1),
        (0, 3),
        (4, 3),
        (1, 0),
        (1, 4),
        (3, 0),
        (3, 4),
    ];
    for (k, place) in (0..).zip(expected) {
        let k = u32::into(k);
        assert_eq!(
            places(&[Transform::Dihedral(Dihedral { k, p: 1.0 })], (0, 1)),
            [place]
        );
    }
}

#[test]
fn a_perspective_warp_and_a_skew_move_the_corner_that_is_named() {
    type Place = (usize, usize);
    let cases: [(u32, f64, Place, Place); 8] = [
        (0, 0.5, (0, 0), (0, 1)),
        (1, 0.5, (0, 0), (1, 0)),
        (2, 0.5, (4, 0), (4, 1)),
        (3, -0.5, (4, 0), (3, 0)),
        (4, -0.5, (0, 4), (0, 3)),
        (5, 0.5, (0, 4), (1, 4)),
        (6, -0.5, (4, 4), (4, 3)),
        (7, -0.5, (4, 4), (3, 4)),
    ];
    for (k, by, from, to) in cases {
        let mut magnitude = [0.0.into(); 8];
        magnitude[k as usize] = by.into();
        let warp = Transform::PerspectiveWarp(PerspectiveWarp { magnitude, p: 1.0 });
        for transform in [warp, Transform::skew(k, -0.5)] {
            let pipeline = pipeline(&[transform]);
            let (_, _, planes) = pixels(&pipeline, &dot(from), &pipeline.draw(0, 0, 0));
            assert!(
                (planes[5 * to.0 + to.1] - 1.0).abs() < 5e-7,
                "{k}: {planes:?}"
            );
        }
    }
}

#[test]
fn a_tilt_moves_both_corners_of_a_side() {
    let cases = [
        (0, [((0, 4), (1, 4)), ((4, 4), (3, 4))]),
        (1, [((0, 0), (1, 0)), ((4, 0), (3, 0))]),
        (2, [((4, 0), (4, 1)), ((4, 4), (4, 3))]),
        (3, [((0, 0), (0, 1)), ((0, 4), (0, 3))]),
    ];
    for (direction, moves) in cases {
        for (from, (row, col)) in moves {
            let pipeline = pipeline(&[Transform::tilt(direction, -0.5)]);
            let (_, _, planes) = pixels(&pipeline, &dot(from), &pipeline.draw(0, 0, 0));
            assert!((planes[5 * row + col] - 1.0).abs() < 5e-7, "{direction}");
        }
    }
}

/// A white disc on black.
fn disc(side: usize) -> Image {
    let inside = |row: usize, col: usize| {
        let distance = |i: usize, middle: f64| i as f64 - middle * side as f64;
        distance(row, 0.4).hypot(distance(col, 0.55)) < side as f64 * 0.3
    };
    let pixels = (0..side * side).flat_map(|i| [u8::from(inside(i / side, i % side)) * 255; 3]);
    Image::from_rgb8(side as u32, side as u32, pixels.collect()).unwrap()
}

#[test]
fn an_image_target_of_another_size_goes_through_the_same_draw() {
    let image = disc(160);
    let resizing = Resizing {
        size: Some(20.into()),
        ..Resizing::default()
    };
    let small = Pipeline::new(&[Transform::flip_lr().with_p(0.5)], resizing).unwrap();
    let large = small.with_size(80).unwrap();
    let mut flips = 0;
    for index in 0..20 {
        let draw = small.draw(0, 0, index);
        let (height, _, found) = pixels(&small, &image, &draw);
        let (target_height, _, target) = pixels(&large, &image, &draw);
        assert_eq!((height, target_height), (20, 80));
        // The disc is right of the middle, unless it was flipped.
        let right = |planes: &[f32], side: usize| {
            let half = |from: usize| -> f32 {
                let columns = |row: usize| &planes[row * side + from..][..side / 2];
                (0..side).flat_map(columns).sum()
            };
            half(side / 2) > half(0)
        };
        assert_eq!(right(&found, 20), right(&target, 80));
        flips += usize::from(!right(&found, 20));
    }
    // 10 with a deviation of 2.2.
    assert!((1..20).contains(&flips), "{flips}");
}

#[test]
fn what_is_painted_does_not_change_how_pixels_are_jittered() {
    let bytes = (0..9 * 13 * 3).map(|i| (i * 89 % 256) as u8).collect();
    let image = Image::from_rgb8(13, 9, bytes).unwrap();
    let with = |paint: Option<Transform>| {
        let resizing = Resizing {
            size: Some(6.into()),
            ..Resizing::default()
        };
        let transforms: Vec<_> = [Transform::jitter(0.2)].into_iter().chain(paint).collect();
        let pipeline = Pipeline::new(&transforms, resizing).unwrap();
        pixels(&pipeline, &image, &pipeline.draw(3, 0, 0))
    };
    assert_eq!(with(None), with(Some(Transform::cutout(0, 0))));
}

#[test]
fn cutout_makes_squares_black_that_may_reach_beyond_the_edge() {
    let white = Image::from_rgb8(30, 20, vec![255; 1800]).unwrap();
    let pipeline = pipeline(&[Transform::cutout(1, 6)]);
    let mut whole = 0;
    for index in 0..300 {
        let (_, _, planes) = pixels(&pipeline, &white, &pipeline.draw(0, 0, index));
        let black: Vec<usize> = (0..600).filter(|&i| planes[i] == 0.0).collect();
        let cols: std::collections::BTreeSet<usize> = black.iter().map(|i| i % 30).collect();
        let rows: std::collections::BTreeSet<usize> = black.iter().map(|i| i / 30).collect();
        assert_eq!(black.len(), rows.len() * cols.len());
        assert!((3..=6).contains(&rows.len()) && (3..=6).contains(&cols.len()));
        assert_eq!(
            planes.iter().filter(|v| **v == 0.0).count(),
            3 * black.len()
        );
        whole += usize::from(black.len() == 36);
    }
    // The centre has to be 3 pixels from each edge: 15/20 · 25/30 of all, 187.5 with a deviation of 8.4.
    assert!((145..=230).contains(&whole), "{whole}");
}

#[test]
fn rgb_randomize_fills_one_channel_with_noise_below_its_threshold() {
    let white = Image::from_rgb8(8, 8, vec![255; 192]).unwrap();
    let pipeline = pipeline(&[Transform::rgb_randomize()]);
    let mut seen = [0; 3];
    for index in 0..300 {
        let (_, _, planes) = pixels(&pipeline, &white, &pipeline.draw(0, 0, index));
        let noisy: Vec<usize> = (0..3)
            .filter(|c| planes[64 * c..][..64].iter().any(|v| *v < 1.0))
            .collect();
        let [channel] = noisy[..] else {
            panic!("{noisy:?}")
        };
        assert!(
            planes[64 * channel..][..64]
                .iter()
                .all(|v| (0.0..0.3).contains(v))
        );
        seen[channel] += 1;
    }
    // 100 each with a deviation of 8.2.
    assert!(seen.iter().all(|n| (59..=141).contains(n)), "{seen:?}");
}

#[test]
fn jitter_takes_pixels_from_no_farther_than_its_magnitude() {
    // A ramp of 101 columns from -1 to 1: value = column / 255.
    let pixels_of: Vec<u8> = (0..101).flat_map(|x| [x as u8; 3]).collect();
    let image = Image::from_rgb8(101, 1, pixels_of).unwrap();
    let jitter = pipeline(&[Transform::jitter(0.1)]);
    let mut moved = Vec::new();
    for index in 0..50 {
        let draw = jitter.draw(0, 0, index);
        let (_, _, planes) = pixels(&jitter, &image, &draw);
        for (x, value) in planes[..101].iter().enumerate().skip(10).take(80) {
            moved.push(f64::from(*value) * 255.0 - x as f64);
        }
    }
    // 0.1 of half the width, 5 columns either way, uniform: variance 25/3.
    assert!(moved.iter().all(|by| by.abs() < 5.001));
    let mean = moved.iter().sum::<f64>() / moved.len() as f64;
    let variance = moved.iter().map(|by| by * by).sum::<f64>() / moved.len() as f64;
    // Deviations of the two means over 4,000: sqrt(25/3/4000) = 0.046, and 0.12.
    assert!(
        mean.abs() < 0.23 && (variance - 25.0 / 3.0).abs() < 0.6,
        "{mean} {variance}"
    );
}

#[test]
fn rand_augment_and_trivial_augment_stay_within_the_image_and_repeat_themselves() {
    let image = picture(40, 33);
    for transform in [Transform::rand_augment(), Transform::trivial_augment()] {
        let resizing = Resizing {
            size: Some(32.into()),
            ..Resizing::default()
        };
        let pipeline = Pipeline::new(&[transform], resizing).unwrap();
        let mut different = std::collections::HashSet::new();
        for index in 0..60 {
            let draw = pipeline.draw(9, 4, index);
            let (height, width, planes) = pixels(&pipeline, &image, &draw);
            assert_eq!((height, width), (32, 32));
            assert_eq!(
                planes,
                pixels(&pipeline, &image, &pipeline.draw(9, 4, index)).2
            );
            assert!(planes.iter().all(|v| (0.0..=1.0).contains(v)));
            different.insert(format!("{planes:?}"));
        }
        // Some operations do nothing, and of fourteen some are drawn twice.
        assert!(different.len() > 15, "{}", different.len());
    }
}

#[test]
fn without_a_size_fastais_transforms_work_on_a_raw_image() {
    let image = picture(17, 23);
    let Transforms { train, valid } = get_transforms();
    let train = pipeline(&train);
    assert_eq!(
        train.image(&image, &train.draw(0, 0, 0)).unwrap().shape(),
        [1, 3, 17, 23]
    );
    let valid = pipeline(&valid);
    let (_, _, planes) = pixels(&valid, &image, &valid.draw(0, 0, 0));
    assert_eq!(planes[1], f32::from(image.pixels()[3]) / 255.0);
}

#[test]
fn padding_that_would_take_gigabytes_is_refused() {
    let new = |pads: &[u32]| {
        let pads = pads
            .iter()
            .map(|&pixels| Transform::pad(pixels, PaddingMode::Zeros));
        let transforms: Vec<_> = pads.chain([Transform::rotate(10.0)]).collect();
        Pipeline::new(&transforms, Resizing::default())
    };
    assert!(new(&[2_048]).is_ok() && new(&[1_000, 1_048]).is_ok());
    for pads in [&[2_049][..], &[2_000; 9], &[16_384; 2]] {
        let error = new(pads).unwrap_err().to_string();
        assert!(error.contains("2048 pixels of padding per side"), "{error}");
    }
}

#[test]
fn turning_by_a_quarter_needs_a_square_or_a_crop() {
    let folder = folder();
    let build = |transforms: &[Transform], size: Size, resize_method| {
        let builder = ImageDataBunch::from_folder(folder.path())
            .batch_size(4)
            .size(size);
        let train = transforms.to_vec();
        let transforms = Transforms {
            train,
            valid: Vec::new(),
        };
        let builder = builder.transforms(transforms);
        match resize_method {
            Some(method) => builder.resize_method(method),
            None => builder,
        }
        .build()
    };
    let (turn, crop) = (Transform::dihedral(), Transform::crop((20, 30)));
    let wide = || Size::from((20, 30));
    let error = build(std::slice::from_ref(&turn), wide(), None).unwrap_err();
    assert!(error.to_string().contains("DihedralAffine"), "{error}");
    // What is cut out before it may be turned, what is cut out after it may not.
    assert!(build(&[crop.clone(), turn.clone()], wide(), None).is_err());
    let square = build(std::slice::from_ref(&turn), 20.into(), None).unwrap();
    assert!(square.clone().with_size((20, 30)).is_err());
    for fine in [
        build(
            std::slice::from_ref(&turn),
            wide(),
            Some(ResizeMethod::Crop),
        ),
        build(&[turn.clone(), crop], wide(), None),
        build(&[turn], (20, 20).into(), None),
        build(&[Transform::dihedral_affine()], wide(), None),
        Ok(square),
    ] {
        for batch in fine.unwrap().loader(DatasetType::Train, 0).unwrap() {
            batch.unwrap();
        }
    }
}

#[test]
fn resizing_to_a_part_needs_a_size() {
    let error = ImageDataBunch::single_from_classes("nowhere", ["a", "b"])
        .transforms(random_resized_crop())
        .build()
        .unwrap_err();
    assert!(
        matches!(error, Error::Option(OptionError { option: "size", .. })),
        "{error}"
    );
}

/// One of each.
fn all() -> Vec<Transform> {
    let mut all = get_transforms().train;
    all.extend(random_resized_crop().train);
    all.extend(random_resized_crop().valid);
    all.extend(rand_pad(4, 28, PaddingMode::Zeros));
    all.extend(rand_resize_crop((20, 30), 2.0, [0.75, 1.33]));
    all.extend(zoom_crop(1.0..=2.0, true, 0.5));
    all.extend(zoom_crop(1.5, false, 1.0));
    all.extend([
        Transform::perspective_warp([-0.1, 0.2]),
        Transform::tilt(0..=3, [-0.2, 0.2]),
        Transform::skew(0..=7, [-0.2, 0.2]),
        Transform::jitter([0.0, 0.02]),
        Transform::squish([0.8, 1.2]),
        Transform::flip_affine(),
        Transform::dihedral_affine(),
        Transform::dihedral(),
        Transform::rgb_randomize(),
        Transform::cutout(1..=3, 10..=20),
        Transform::rand_augment(),
        Transform::trivial_augment(),
    ]);
    all
}

#[test]
fn every_transform_survives_being_written_down() {
    let names: std::collections::BTreeSet<String> = all()
        .iter()
        .map(|t| format!("{t:?}").split(' ').next().unwrap().to_owned())
        .collect();
    assert_eq!(names.len(), 24, "{names:?}");
    let transforms = Transforms {
        train: all(),
        valid: all(),
    };
    let written = serde_json::to_string(&transforms).unwrap();
    assert_eq!(
        serde_json::from_str::<Transforms>(&written).unwrap(),
        transforms
    );
    let resizing = Resizing {
        size: Some(224.into()),
        resize_method: Some(ResizeMethod::No),
        mult: Some(32),
        padding_mode: PaddingMode::Border,
    };
    let written = serde_json::to_string(&resizing).unwrap();
    assert_eq!(
        serde_json::from_str::<Resizing>(&written).unwrap(),
        resizing
    );
}

#[test]
fn what_is_misspelt_is_refused_with_the_names_there_are() {
    for (written, message) in [
        (
            r#"{"rotat": {"degrees": [1, 2], "p": 1}}"#,
            "unknown variant `rotat`, expected one of",
        ),
        (
            r#"{"rotate": {"degree": [1, 2], "p": 1}}"#,
            "unknown field `degree`, expected `degrees`",
        ),
        (r#"{"rotate": {"degrees": [1, 2]}}"#, "missing field `p`"),
        (
            r#"{"pad": {"pixels": -1, "mode": "zeros"}}"#,
            "expected u32",
        ),
        (
            r#"{"pad": {"pixels": 1, "mode": "mirror"}}"#,
            "unknown variant `mirror`",
        ),
        (
            r#"{"rotate": {"degrees": [1, 2, 3], "p": 1}}"#,
            "trailing characters",
        ),
    ] {
        let error = serde_json::from_str::<Transform>(written)
            .unwrap_err()
            .to_string();
        assert!(error.contains(message), "{written}: {error}");
    }
}

#[test]
fn what_is_out_of_bounds_is_refused_with_the_field() {
    let part = |row, col| Transform::CropPad(CropPad { row, col });
    let bad = [
        (Transform::rotate(5.0).with_p(1.5), "`p`"),
        (Transform::rotate([10.0, -10.0]), "`degrees`"),
        (Transform::rotate(f64::NAN), "`degrees`"),
        (Transform::zoom(0.0), "`scale`"),
        (Transform::squish(f64::INFINITY), "`scale`"),
        (Transform::symmetric_warp(0.6), "`magnitude`"),
        (Transform::perspective_warp(-0.6), "`magnitude`"),
        (Transform::tilt(4, 0.1), "`direction`"),
        (Transform::tilt(3, 0.7), "`magnitude`"),
        (Transform::skew(8, 0.1), "`direction`"),
        (Transform::jitter(-0.1), "`magnitude`"),
        (Transform::brightness(1.0), "`change`"),
        (Transform::contrast(0.0), "`scale`"),
        (part(0.5.into(), 1.1.into()), "`row` and `col`"),
        (Transform::cutout(200, 5), "`holes`"),
        (Transform::cutout(2, [5, 4]), "`length`"),
        (Transform::pad(1 << 20, PaddingMode::Zeros), "`pixels`"),
        (
            Transform::RandAugment(RandAugment {
                ops: 2,
                magnitude: 31,
                bins: 31,
            }),
            "`magnitude`",
        ),
        (
            Transform::TrivialAugment(TrivialAugment { bins: 1 }),
            "`bins`",
        ),
        (
            Transform::ResizeCenterCrop(ResizeCenterCrop { extra: 1 << 20 }),
            "`extra`",
        ),
        (
            Transform::Dihedral(Dihedral {
                k: 8.into(),
                p: 1.0,
            }),
            "`k`",
        ),
        (
            Transform::RgbRandomize(RgbRandomize {
                channel: 3.into(),
                thresh: 0.3,
                p: 1.0,
            }),
            "`channel`",
        ),
        (
            Transform::RandomResizedCrop(RandomResizedCrop {
                scale: [0.0, 1.0].into(),
                ratio: 1.0.into(),
            }),
            "`scale`",
        ),
        (
            Transform::RandomResizedCrop(RandomResizedCrop {
                scale: 1.0.into(),
                ratio: 0.0.into(),
            }),
            "`ratio`",
        ),
    ];
    for (transform, field) in bad {
        let error =
            Pipeline::new(std::slice::from_ref(&transform), Resizing::default()).unwrap_err();
        assert!(error.to_string().contains(field), "{transform:?}: {error}");
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
    }
    assert!(Transform::crop(0).check().is_err());
    for transform in all() {
        transform.check().unwrap();
    }
}

/// Images of two classes and of several sizes.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (part, count) in [("train", 6), ("valid", 3)] {
        for class in ["a", "b"] {
            let folder = folder.path().join(part).join(class);
            fs::create_dir_all(&folder).unwrap();
            for i in 0..count {
                let image = picture(28 + 9 * (i % 2), 28 + 4 * (i % 3));
                let file = folder.join(format!("{i}.png"));
                image.into_rgb_image().save(file).unwrap();
            }
        }
    }
    folder
}

#[test]
fn every_size_and_method_makes_batches_of_images_of_several_sizes() {
    let folder = folder();
    let builder = || ImageDataBunch::from_folder(folder.path()).batch_size(4);
    for (size, wanted) in [
        (Size::from(14), [14, 14]),
        ((14, 14).into(), [14, 14]),
        ((14, 20).into(), [14, 20]),
    ] {
        for method in [ResizeMethod::Pad, ResizeMethod::Crop, ResizeMethod::Squish] {
            for transforms in [Transforms::default(), get_transforms()] {
                let data = builder()
                    .size(size)
                    .resize_method(method)
                    .transforms(transforms)
                    .build()
                    .unwrap();
                for part in [DatasetType::Train, DatasetType::Valid] {
                    for batch in data.loader(part, 0).unwrap() {
                        assert_eq!(batch.unwrap().shape()[2..], wanted);
                    }
                }
            }
        }
    }
    // Without resizing it is the transforms that see to one size.
    let data = builder()
        .resize_method(ResizeMethod::No)
        .transforms((
            rand_pad(2, 28, PaddingMode::Reflection),
            vec![Transform::crop(28)],
        ))
        .build()
        .unwrap();
    for part in [DatasetType::Train, DatasetType::Valid] {
        assert_eq!(data.one_batch(part).unwrap().shape()[2..], [28, 28]);
    }
}

#[test]
fn presize_crops_at_random_in_training_and_in_the_middle_otherwise() {
    let folder = folder();
    let data = ImageDataBunch::from_folder(folder.path())
        .batch_size(4)
        .size(24)
        .transforms(random_resized_crop())
        .build()
        .unwrap();
    let train = |epoch| {
        data.loader(DatasetType::Train, epoch)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
    };
    assert_eq!(train(0).shape(), [4, 3, 24, 24]);
    assert_ne!(train(0).images, train(1).images);
    let valid = |epoch| {
        data.loader(DatasetType::Valid, epoch)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
    };
    assert_eq!(valid(0), valid(1));
}

#[test]
fn the_same_data_at_another_size_keeps_split_order_and_draws() {
    let folder = folder();
    let small = ImageDataBunch::from_folder(folder.path())
        .batch_size(4)
        .size(16)
        .transforms(get_transforms())
        .build()
        .unwrap();
    let large = small.clone().with_size(48).unwrap();
    assert_eq!(large.train_ds().paths(), small.train_ds().paths());
    assert_eq!(
        (large.size(), small.size()),
        (Some(48.into()), Some(16.into()))
    );
    let batch = |data: &ImageDataBunch| {
        data.loader(DatasetType::Train, 2)
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
    };
    let (a, b) = (batch(&small), batch(&large));
    assert_eq!(a.indices, b.indices);
    assert_eq!((a.shape(), b.shape()), ([4, 3, 16, 16], [4, 3, 48, 48]));
    let again = large.with_size(16).unwrap();
    assert_eq!(batch(&again), a);
    let error = small.with_size(0).unwrap_err();
    assert!(
        matches!(error, Error::Option(OptionError { option: "size", .. })),
        "{error}"
    );
}

#[test]
fn batches_are_mixed_by_seed_epoch_and_number_whatever_the_workers() {
    let folder = folder();
    let data = |workers, seed| {
        ImageDataBunch::from_folder(folder.path())
            .batch_size(4)
            .size(16)
            .batch_transforms([BatchTransform::mixup(0.4), BatchTransform::cutmix(1.0)])
            .num_workers(workers)
            .seed(seed)
            .build()
            .unwrap()
    };
    let epoch = |workers, seed, epoch| -> Vec<Batch> {
        let loader = data(workers, seed)
            .loader(DatasetType::Train, epoch)
            .unwrap();
        loader.map(|batch| batch.unwrap()).collect()
    };
    let first = epoch(0, 1, 0);
    assert_eq!(first, epoch(3, 1, 0));
    assert_ne!(first, epoch(0, 1, 1));
    assert_ne!(first, epoch(0, 2, 0));
    for batch in &first {
        let mix = batch.mix().unwrap();
        assert_eq!((mix.partner.len(), mix.lambda.len()), (4, 4));
        assert!(mix.partner.iter().all(|&other| other < 4));
    }
    for part in [DatasetType::Valid, DatasetType::Fix] {
        assert!(data(0, 1).one_batch(part).unwrap().mix().is_none());
    }
    let error = ImageDataBunch::from_folder(folder.path())
        .batch_transforms([BatchTransform::mixup(-1.0)])
        .build()
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Option(OptionError {
                option: "batch_transform",
                ..
            })
        ),
        "{error}"
    );
}
