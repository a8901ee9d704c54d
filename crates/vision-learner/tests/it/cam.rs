//! Heat maps of what speaks for a class, against hooks in PyTorch (scripts/make_cam_fixtures.py).

use std::collections::BTreeMap;

use burn::module::Module;
use burn::nn;
use burn::tensor::Tensor;
use serde::Deserialize;
use vision_base::OptionError;
use vision_data::Image;
use vision_learner::{
    Backbone, Body, BodyBuilder, CamConfig, CamMethod, Error, ExportConfig, Head, Heatmap,
    OcclusionConfig, OcclusionFill, Predictor,
};
use vision_models::state::NamedTensor;
use vision_models::weights::write_safetensors;
use vision_models::{Init, parity};

use crate::prelude::*;
use crate::small::Small;
use crate::support::{self, close, digits};

#[derive(Deserialize)]
struct Fixture {
    pixels: Vec<u8>,
    cams: Vec<Cam>,
    occlusions: Vec<Occlusion>,
}

#[derive(Deserialize)]
struct Cam {
    model: String,
    layer: String,
    method: String,
    #[serde(flatten)]
    map: Map,
}

#[derive(Deserialize)]
struct Occlusion {
    side: usize,
    stride: usize,
    fill: String,
    #[serde(flatten)]
    map: Map,
}

#[derive(Deserialize)]
struct Map {
    image: [u32; 2],
    class: Option<usize>,
    found: usize,
    probability: f32,
    size: [usize; 2],
    values: Vec<f32>,
}

const CLASSES: [&str; 3] = ["a", "b", "c"];

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../fixtures/cam.json")).unwrap()
}

/// The image that the script draws.
fn picture([height, width]: [u32; 2]) -> Image {
    let mut noise = parity::uniform("picture", 0);
    let mut pixels = Vec::new();
    for place in 0..height * width {
        let (y, x) = (place / width, place % width);
        for _ in 0..3 {
            let noise = ((noise.next().unwrap() + 1.0) * 20.0).floor() as u32;
            pixels.push((noise + (x / 8) * (y / 8) % 5 * 50).min(255) as u8);
        }
    }
    Image::from_rgb8(width, height, pixels).unwrap()
}

fn classes() -> ImageDataBunch {
    ImageDataBunch::single_from_classes(".", CLASSES)
        .normalize(Stats::IMAGENET)
        .build()
        .unwrap()
}

/// A learner whose weights are filled from their names.
fn filled(backbone: impl Backbone + 'static) -> Learner {
    let mut learner = create_cnn(classes(), backbone)
        .pretrained(false)
        .ps(0.0)
        .silent(true)
        .build()
        .unwrap();
    let fill = |t: NamedTensor| NamedTensor {
        values: parity::fill(&t.name, &t.shape, 0),
        ..t
    };
    let tensors: Vec<NamedTensor> = learner.weights().into_iter().map(fill).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("filled.safetensors");
    write_safetensors(&file, &tensors, &BTreeMap::new()).unwrap();
    learner.load(&file).unwrap();
    learner
}

fn small() -> Learner {
    filled(Small)
}

#[track_caller]
fn check(what: &str, found: &Heatmap, expected: &Map, absolute: Option<f64>) {
    assert_eq!(
        [found.height(), found.width()],
        expected.size,
        "{what}: size"
    );
    assert_eq!(
        found.class(),
        Some(CLASSES[expected.found]),
        "{what}: class"
    );
    let probability = found.probability().unwrap();
    assert!((probability - expected.probability).abs() < 1e-4, "{what}");
    let largest = expected.values.iter().fold(0.0_f32, |most, v| most.max(*v));
    let absolute = absolute.unwrap_or(1e-4 * f64::from(largest));
    close(what, found.values(), &expected.values, 0.0, absolute);
}

/// Checks all maps of one model.
fn check_model(name: &str, learner: &Learner, at_least: usize) {
    let cams = fixture().cams.into_iter();
    let cams: Vec<Cam> = cams.filter(|cam| cam.model == name).collect();
    assert!(cams.len() >= at_least, "{} maps", cams.len());
    for cam in cams {
        let method = match cam.method.as_str() {
            "grad_cam" => CamMethod::GradCam,
            "grad_cam_plus_plus" => CamMethod::GradCamPlusPlus,
            other => panic!("{other}"),
        };
        let mut config = CamConfig::new().with_method(method).with_layer(&cam.layer);
        if let Some(class) = cam.map.class {
            config = config.with_class(CLASSES[class]);
        }
        let image = picture(cam.map.image);
        let found = learner.grad_cam_with(&image, &config).unwrap();
        let what = format!("{name} {} {} {:?}", cam.layer, cam.method, cam.map.class);
        check(&what, &found, &cam.map, None);
        assert_eq!(found.layer(), Some(cam.layer.as_str()));
        if cam.layer == "0" && cam.map.class.is_none() && method == CamMethod::GradCam {
            assert_eq!(learner.grad_cam(&image).unwrap(), found, "{what}: default");
        }
    }
}

#[test]
fn maps_of_a_resnet_are_those_of_hooks_in_pytorch() {
    check_model("resnet18", &filled(Arch::ResNet18), 12);
}

#[test]
fn a_deployed_model_gives_the_maps_of_its_learner() {
    let learner = filled(Arch::ResNet18);
    let bytes = learner.export_bytes(ExportConfig::new()).unwrap();
    let deployed = Predictor::from_bytes(&bytes).unwrap();
    let image = picture([80, 64]);
    let expected = learner.grad_cam(&image).unwrap();
    assert_eq!(deployed.grad_cam(&image).unwrap(), expected);
    assert_eq!(learner.predictor().grad_cam(&image).unwrap(), expected);
    for layer in ["0", "0.6"] {
        let config = CamConfig::new().with_layer(layer).with_class("b");
        let expected = learner.grad_cam_with(&image, &config).unwrap();
        assert_eq!(deployed.grad_cam_with(&image, &config).unwrap(), expected);
    }
    assert!(matches!(
        deployed.grad_cam_with(&image, &CamConfig::new().with_layer("9")),
        Err(Error::NoSuchLayer { known, .. }) if known.contains(&"0.6".to_owned())
    ));
}

#[test]
fn maps_of_a_densenet_are_those_of_hooks_in_pytorch() {
    check_model("densenet121", &filled(Arch::DenseNet121), 10);
}

#[test]
fn maps_of_a_mobilenet_are_those_of_hooks_in_pytorch() {
    check_model("mobilenet_v2", &filled(Arch::MobileNetV2), 11);
}

#[test]
fn maps_of_a_backbone_of_ones_own_are_those_of_hooks_in_pytorch() {
    let drawn = picture([40, 56]).to_rgb_image().into_raw();
    assert_eq!(drawn[..24], fixture().pixels);
    check_model("small", &small(), 8);
}

#[test]
fn occlusion_maps_are_those_of_pytorch() {
    let learner = small();
    for case in fixture().occlusions {
        let fill = match case.fill.as_str() {
            "mean" => OcclusionFill::Mean,
            "gray" => OcclusionFill::Gray,
            other => panic!("{other}"),
        };
        let mut config = OcclusionConfig::new()
            .with_side(case.side)
            .with_stride(case.stride)
            .with_fill(fill);
        if let Some(class) = case.map.class {
            config = config.with_class(CLASSES[class]);
        }
        let image = picture(case.map.image);
        let found = learner.occlusion_with(&image, &config).unwrap();
        check(&case.fill, &found, &case.map, Some(1e-5));
        assert_eq!(found.layer(), None);
        if case.map.class.is_none() {
            // A quarter of 40 pixels, and half of that.
            assert_eq!(learner.occlusion(&image).unwrap(), found);
        }
    }
    assert_eq!(fixture().occlusions.len(), 2);
}

#[test]
fn a_map_leaves_the_learner_as_it_is_and_is_the_same_each_time() {
    let digits = digits(8, 4);
    let mut learner = support::learner(support::data(&digits.path, 8));
    let mut twin = support::learner(support::data(&digits.path, 8));
    let image = picture([64, 96]);
    // In the middle of a training, with running statistics in motion.
    for learner in [&mut learner, &mut twin] {
        learner.fit(1, 1e-3).unwrap();
    }
    let before = learner.weights();
    let config = CamConfig::new().with_layer("0.5").with_class("3");
    let first = learner.grad_cam_with(&image, &config).unwrap();
    learner.occlusion(&image).unwrap();
    assert_eq!(learner.weights(), before);
    assert_eq!(learner.grad_cam_with(&image, &config).unwrap(), first);
    for learner in [&mut learner, &mut twin] {
        learner.fit(1, 1e-3).unwrap();
    }
    assert_eq!(learner.weights(), twin.weights());
}

#[test]
fn a_map_of_a_single_place_is_an_error_that_says_how_large_it_is() {
    let digits = digits(4, 2);
    let learner = support::learner(support::data(&digits.path, 4));
    let image = learner.data().valid_ds().image(0).unwrap();
    let error = learner.grad_cam(&image).unwrap_err();
    assert_matches!(
        error,
        Error::NoSpatialMap { layer, found: [1, 1], size: [28, 28] } if layer == "0"
    );
    assert!(error.to_string().contains(".size("), "{error}");
    // Behind the head's pool there are no places in any image.
    for layer in ["1.0", "1.8"] {
        let config = CamConfig::new().with_layer(layer);
        let error = learner
            .grad_cam_with(&picture([64, 64]), &config)
            .unwrap_err();
        assert_matches!(error, Error::NoSpatialMap { layer: found, .. } if found == layer);
    }
    let config = CamConfig::new().with_layer("0.5");
    let map = learner.grad_cam_with(&image, &config).unwrap();
    assert_eq!([map.height(), map.width()], [4, 4]);
}

#[test]
fn unknown_layers_and_classes_and_numbers_are_errors_that_name_them() {
    let learner = small();
    let image = picture([40, 40]);
    for layer in ["0.9", "", "0.0.weight", "2"] {
        let config = CamConfig::new().with_layer(layer);
        let error = learner.grad_cam_with(&image, &config).unwrap_err();
        assert_matches!(
            error,
            Error::NoSuchLayer { layer: found, known } if found == layer && known.contains(&"0.3".to_owned())
        );
    }
    let error = learner
        .grad_cam_with(&image, &CamConfig::new().with_class("d"))
        .unwrap_err();
    assert_matches!(
        error,
        Error::Option(OptionError {
            option: "class",
            ..
        })
    );
    assert!(error.to_string().contains("a, b, c"), "{error}");
    for (config, name) in [
        (OcclusionConfig::new().with_side(0), "side"),
        (OcclusionConfig::new().with_side(41), "side"),
        (OcclusionConfig::new().with_stride(0), "stride"),
        (OcclusionConfig::new().with_side(4).with_stride(5), "stride"),
        (OcclusionConfig::new().with_class("d"), "class"),
    ] {
        let error = learner.occlusion_with(&image, &config).unwrap_err();
        assert_matches!(error, Error::Option(OptionError { option, .. }) if *option == name);
    }

    let digits = digits(4, 2);
    let data = ImageDataBunch::from_name_func(
        &digits.path,
        vision_data::files::image_files(&digits.path).unwrap(),
        |_: &std::path::Path| vec![1.5_f32],
    );
    let data = data.batch_size(4).build().unwrap();
    let plan = create_cnn(data, Small).pretrained(false).silent(true);
    let numbers = plan.build().unwrap();
    for error in [
        numbers.grad_cam(&image).unwrap_err(),
        numbers.occlusion(&image).unwrap_err(),
    ] {
        assert_matches!(
            error,
            Error::Option(OptionError {
                option: "labels",
                ..
            })
        );
    }
}

#[test]
fn a_whole_network_has_maps_of_its_layers_but_no_default_one() {
    let data = classes();
    let net = Arch::ResNet18.build(3, &mut Init::new(0, data.device()));
    let learner = Learner::builder(data, net).silent(true).build().unwrap();
    let image = picture([64, 64]);
    let config = CamConfig::new().with_layer("layer3");
    let map = learner.grad_cam_with(&image, &config).unwrap();
    assert_eq!([map.height(), map.width()], [4, 4]);
    let error = learner.grad_cam(&image).unwrap_err();
    assert_matches!(
        error,
        Error::Option(OptionError {
            option: "layer",
            ..
        })
    );
}

/// A convolution of Burn, whose layers are not known.
#[derive(Module, Debug)]
struct OwnBody {
    conv: nn::conv::Conv2d,
}

impl Body for OwnBody {
    fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        self.conv.forward(images)
    }
}

struct Own;

impl Backbone for Own {
    type Body = OwnBody;

    fn name(&self) -> String {
        "own".to_owned()
    }

    fn body(&self, builder: &mut BodyBuilder<'_>) -> vision_learner::Result<(OwnBody, usize)> {
        let config = nn::conv::Conv2dConfig::new([3, 8], [3, 3]).with_stride([2, 2]);
        let conv = config.init(builder.init().device());
        Ok((OwnBody { conv }, 8))
    }
}

/// A head that ignores the features.
#[derive(Module, Debug)]
struct Constant {
    logits: burn::module::Param<Tensor<2>>,
}

impl Head for Constant {
    fn forward(&self, features: Tensor<4>) -> Tensor<2> {
        self.logits.val().repeat_dim(0, features.dims()[0])
    }
}

#[test]
fn a_module_of_burns_own_layers_has_a_map_of_its_output() {
    let build = || {
        create_cnn(classes(), Own)
            .pretrained(false)
            .silent(true)
            .bn_freeze(true)
    };
    let learner = build().build().unwrap();
    let image = picture([20, 30]);
    let map = learner.grad_cam(&image).unwrap();
    assert_eq!([map.height(), map.width()], [9, 14]);
    assert!(map.values().iter().all(|value| *value >= 0.0));
    let body = CamConfig::new().with_layer("0");
    assert_eq!(learner.grad_cam_with(&image, &body).unwrap(), map);
    let error = learner
        .grad_cam_with(&image, &CamConfig::new().with_layer("0.conv"))
        .unwrap_err();
    assert_matches!(error, Error::NoSuchLayer { known, .. } if known.is_empty());

    let logits = Tensor::zeros([1, 3], classes().device());
    let logits = burn::module::Param::from_tensor(logits);
    let ignores = build().custom_head(Constant { logits }).build().unwrap();
    let map = ignores.grad_cam(&image).unwrap();
    assert!(map.values().iter().all(|value| *value == 0.0));
}

#[test]
fn a_heat_map_of_ones_own_must_have_a_finite_value_for_each_place() {
    for (values, size, name) in [
        (vec![], [0, 0], "height"),
        (vec![1.0], [1, 0], "width"),
        (vec![1.0; 3], [2, 2], "values"),
        (vec![1.0, f32::NAN], [1, 2], "values"),
        (vec![1.0], [1 << 17, 1], "height"),
        (vec![1.0], [1 << 16, 1 << 16], "height"),
    ] {
        let error = Heatmap::new(values, size).unwrap_err();
        assert_matches!(error, Error::Option(OptionError { option, .. }) if *option == name);
    }
    let map = Heatmap::new(vec![-1.0, 3.0, 1.0], [1, 3]).unwrap();
    assert_eq!(map.normalized().values(), [0.0, 1.0, 0.5]);
    assert_eq!((map.class(), map.probability()), (None, None));
    let flat = Heatmap::new(vec![2.0; 4], [2, 2]).unwrap();
    assert_eq!(flat.normalized().values(), [0.0; 4]);
    let wide = Heatmap::new(vec![f32::MIN, 0.0, f32::MAX], [3, 1]).unwrap();
    assert_eq!(wide.normalized().values(), [0.0, 0.5, 1.0]);
    for (height, width) in [(0, 1), (1, 0), (1 << 17, 1), (1 << 16, 1 << 16)] {
        assert!(map.resized(height, width).is_err(), "{height} x {width}");
    }
}
