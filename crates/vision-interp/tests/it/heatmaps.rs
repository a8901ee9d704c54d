//! Heat maps over images, against PyTorch's interpolation and matplotlib's colors (scripts/make_heatmap_fixture.py).

use std::collections::BTreeMap;

use image::{Rgb, RgbImage};
use serde::Deserialize;
use vision_base::OptionError;
use vision_data::ImageDataBunch;
use vision_data::datasets::synthetic;
use vision_interp::{
    ClassificationInterpretation, Error, ImageGrid, Overlay, ShowHeatmap, TopLossesConfig,
};
use vision_learner::{CamConfig, Heatmap, Learner, create_cnn};
use vision_models::Arch;

use crate::support::{interpretation, texts};

#[derive(Deserialize)]
struct Fixture {
    colors: BTreeMap<String, [f64; 3]>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    map: [usize; 2],
    values: Vec<f32>,
    image: [u32; 2],
    pixels: Vec<u8>,
    alpha: f32,
    resized: Vec<f32>,
    drawn: Vec<f64>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../fixtures/heatmap.json")).unwrap()
}

#[test]
fn the_colors_are_those_of_matplotlibs_magma() {
    let colors = fixture().colors;
    assert_eq!(colors.len(), 11);
    for (value, expected) in colors {
        let map = Heatmap::new(vec![0.0, value.parse().unwrap(), 1.0], [1, 3]).unwrap();
        let Rgb(found) = map.overlay(&RgbImage::new(3, 1), 1.0).unwrap()[(1, 0)];
        for (found, expected) in found.iter().zip(expected) {
            let off = (f64::from(*found) - expected).abs();
            assert!(off <= 0.5001, "{value}: {found}, expected {expected}");
        }
    }
}

#[test]
fn a_map_over_an_image_is_what_pytorch_and_matplotlib_draw() {
    for case in fixture().cases {
        let [height, width] = case.image;
        let map = Heatmap::new(case.values, case.map).unwrap();
        let resized = map.resized(height as usize, width as usize).unwrap();
        assert_eq!(resized.values().len(), case.resized.len());
        for (found, expected) in resized.values().iter().zip(&case.resized) {
            assert!((found - expected).abs() < 1e-6, "{found}, {expected}");
        }
        let image = RgbImage::from_raw(width, height, case.pixels).unwrap();
        let drawn = map.overlay(&image, case.alpha).unwrap().into_raw();
        assert_eq!(drawn.len(), case.drawn.len());
        for (found, expected) in drawn.iter().zip(&case.drawn) {
            // Half a step for the color, which is a byte here, and half a step for the result.
            let off = (f64::from(*found) - expected).abs();
            assert!(off <= 1.0, "{found}, expected {expected}");
        }
    }
}

#[test]
fn an_opacity_that_is_none_is_an_error() {
    let map = Heatmap::new(vec![0.0, 1.0], [1, 2]).unwrap();
    let image = RgbImage::from_pixel(4, 3, Rgb([9, 8, 7]));
    assert_eq!(map.overlay(&image, 0.0).unwrap(), image);
    for alpha in [-0.1, 1.1, f32::NAN] {
        let error = map.overlay(&image, alpha).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Option(OptionError {
                    option: "alpha",
                    ..
                })
            ),
            "{error:?}"
        );
    }
}

fn learner(folder: &tempfile::TempDir, size: usize) -> Learner {
    let path = synthetic::digits(&folder.path().join("digits"), 1, 4, 2).unwrap();
    let data = ImageDataBunch::from_folder(path).batch_size(4).size(size);
    create_cnn(data.build().unwrap(), Arch::ResNet18)
        .pretrained(false)
        .silent(true)
        .build()
        .unwrap()
}

/// The image as a figure's SVG holds it.
fn embedded(image: RgbImage) -> String {
    let grid = ImageGrid::new().with_image(image, "");
    let svg = grid.plot().unwrap().to_svg();
    let (_, data) = svg.split_once("base64,").unwrap();
    data.split_once('"').unwrap().0.to_owned()
}

#[test]
fn the_top_losses_have_the_map_of_the_actual_class_over_the_image() {
    let folder = tempfile::tempdir().unwrap();
    let learner = learner(&folder, 128);
    let interp = ClassificationInterpretation::from_learner(&learner).unwrap();
    let config = TopLossesConfig::new(4);
    let figure = interp
        .plot_top_losses_with_heatmaps(&config, &learner)
        .unwrap();
    let svg = figure.to_svg();
    // The same captions.
    let plain = interp.plot_top_losses(4).unwrap().to_svg();
    assert_eq!(texts(&svg, "text"), texts(&plain, "text"));
    let valid = learner.data().valid_ds();
    for item in interp.top_losses(4).1 {
        let image = valid.image(item).unwrap();
        let seen = learner.data().preprocessor().seen(&image).unwrap();
        let drawn = |class: &str| {
            let config = CamConfig::new().with_class(class);
            let map = learner.grad_cam_with(&image, &config).unwrap();
            assert_eq!([map.height(), map.width()], [4, 4]);
            embedded(map.overlay(&seen, 0.6).unwrap())
        };
        let actual = valid.label_text(item).unwrap();
        let other = if actual == "3" { "7" } else { "3" };
        assert!(svg.contains(&drawn(&actual)), "item {item}");
        assert!(!svg.contains(&drawn(other)), "item {item}");
    }
    // 16 values are fine enough; 17 would not be.
    let coarse = config.clone().with_heatmap_thresh(17);
    let without = interp
        .plot_top_losses_with_heatmaps(&coarse, &learner)
        .unwrap();
    assert_eq!(without.to_svg(), plain);
    let finer = coarse.with_cam(CamConfig::new().with_layer("0.5"));
    let with = interp
        .plot_top_losses_with_heatmaps(&finer, &learner)
        .unwrap();
    assert_ne!(with.to_svg(), plain);
}

#[test]
fn images_of_28_pixels_have_no_map_and_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let learner = learner(&folder, 28);
    let interp = ClassificationInterpretation::from_learner(&learner).unwrap();
    let config = TopLossesConfig::new(2);
    let figure = interp
        .plot_top_losses_with_heatmaps(&config, &learner)
        .unwrap();
    let pixels = |png: Vec<u8>| image::load_from_memory(&png).unwrap().into_rgb8();
    assert_eq!(
        pixels(figure.to_png().unwrap()),
        pixels(interp.plot_top_losses(2).unwrap().to_png().unwrap())
    );
}

#[test]
fn heat_maps_need_the_learner_of_the_predictions() {
    let folder = tempfile::tempdir().unwrap();
    let learner = learner(&folder, 28);
    let config = TopLossesConfig::new(1);
    for (classes, word) in [(["3", "7"], "from_learner"), (["a", "b"], "a, b")] {
        let interp = interpretation(&classes, &[(0, 1, 2.0)]);
        let error = interp
            .plot_top_losses_with_heatmaps(&config, &learner)
            .unwrap_err();
        assert!(
            matches!(
                error,
                Error::Option(OptionError {
                    option: "learner",
                    ..
                })
            ),
            "{error:?}"
        );
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn a_map_is_shown_beside_its_image_with_class_and_probability() {
    let folder = tempfile::tempdir().unwrap();
    let learner = learner(&folder, 128);
    let image = learner.data().valid_ds().image(0).unwrap();
    let map = learner.grad_cam(&image).unwrap();
    let svg = learner.show_heatmap(&image, &map).unwrap().to_svg();
    let title = format!("{} {:.2}", map.class().unwrap(), map.probability().unwrap());
    assert!(texts(&svg, "text").contains(&title), "{title}");
    let seen = learner.data().preprocessor().seen(&image).unwrap();
    assert!(svg.contains(&embedded(seen.clone())));
    assert!(svg.contains(&embedded(map.overlay(&seen, 0.6).unwrap())));
}
