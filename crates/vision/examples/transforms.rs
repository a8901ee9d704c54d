//! A contact sheet that shows the effect of each transform on one drawn image.
//!
//!     cargo run --example transforms [IMAGE]
//!
//! Result, in out/transforms: transforms.png.

use std::path::Path;
use std::{env, fs};

use vision::data::presets::{rand_pad, rand_resize_crop, random_resized_crop, zoom_crop};
use vision::data::{
    Image, PaddingMode, Pipeline, Resizing, Transform, TransformConfig, Transforms,
};
use vision::figure::ImageGrid;
use vision::prelude::get_transforms;

/// A disc, a square and a checkerboard on a gradient, to make the effects visible.
fn drawn(side: usize) -> vision::Result<Image> {
    let mut pixels = Vec::new();
    for y in 0..side {
        for x in 0..side {
            let disc = (x as f64 - 40.0).hypot(y as f64 - 44.0) < 22.0;
            let square = (75..110).contains(&x) && (20..55).contains(&y);
            let board = y > 80 && (x / 12 + y / 12) % 2 == 0;
            pixels.extend(match (disc, square, board) {
                (true, ..) => [230, 60, 50],
                (_, true, _) => [40, 90, 220],
                (.., true) => [250, 250, 240],
                _ => [40 + x as u8, 90 + y as u8 / 2, 120],
            });
        }
    }
    Ok(Image::from_rgb8(side as u32, side as u32, pixels)?)
}

fn main() -> vision::MainResult {
    let image = match env::args().nth(1) {
        Some(path) => Image::open(path)?,
        None => drawn(128)?,
    };
    let strong: Transforms = TransformConfig::new()
        .with_max_rotate(45.0)
        .with_max_warp(0.4)
        .into();
    let one = |transform: Transform| vec![transform];
    let reflection = PaddingMode::Reflection;
    let sheet = [
        ("original", vec![]),
        ("get_transforms", get_transforms().train),
        ("stronger", strong.train),
        ("random_resized_crop", random_resized_crop().train),
        ("random_resized_crop, valid", random_resized_crop().valid),
        ("rand_pad", rand_pad(24, 128, reflection)),
        ("rand_resize_crop", rand_resize_crop(128, 3.0, [0.75, 1.33])),
        ("zoom_crop", zoom_crop(2.0, true, 1.0)),
        ("crop", one(Transform::crop(80))),
        ("pad, zeros", one(Transform::pad(16, PaddingMode::Zeros))),
        ("pad, border", one(Transform::pad(16, PaddingMode::Border))),
        ("pad, reflection", one(Transform::pad(16, reflection))),
        ("rotate", one(Transform::rotate(30.0))),
        ("zoom", one(Transform::zoom(1.5))),
        ("squish", one(Transform::squish(0.6))),
        ("flip_lr", one(Transform::flip_lr())),
        ("flip_affine", one(Transform::flip_affine())),
        ("dihedral", one(Transform::dihedral())),
        ("dihedral_affine", one(Transform::dihedral_affine())),
        (
            "symmetric_warp",
            one(Transform::symmetric_warp([-0.4, 0.4])),
        ),
        (
            "perspective_warp",
            one(Transform::perspective_warp([-0.4, 0.4])),
        ),
        ("tilt", one(Transform::tilt(0, 0.4))),
        ("skew", one(Transform::skew(5, 0.4))),
        ("jitter", one(Transform::jitter(0.06))),
        ("brightness", one(Transform::brightness(0.75))),
        ("contrast", one(Transform::contrast(2.0))),
        ("rgb_randomize", one(Transform::rgb_randomize())),
        ("cutout", one(Transform::cutout(3, 40))),
        ("rand_augment", one(Transform::rand_augment())),
        ("trivial_augment", one(Transform::trivial_augment())),
    ];
    let mut grid = ImageGrid::new().with_columns(6).with_cell_size(128.0);
    for (name, transforms) in sheet {
        // No size, so that only the transform itself is visible.
        let resizing = Resizing {
            size: name.starts_with("random_resized").then_some(128.into()),
            ..Resizing::default()
        };
        let pipeline = Pipeline::new(&transforms, resizing)?;
        let made = pipeline.image(&image, &pipeline.draw(1, 0, 3))?;
        if let Some(image) = made.image(0) {
            grid = grid.with_image(image, name);
        }
    }
    let out = Path::new("out/transforms");
    fs::create_dir_all(out)?;
    grid.plot()?.save(out.join("transforms.png"))?;
    println!("see {}", out.display());
    Ok(())
}
