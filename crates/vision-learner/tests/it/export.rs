//! A trained learner leaves this library: as ONNX, and as a state dict of fastai's or torchvision's.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use burn::tensor::{Tensor, TensorData};
use vision_data::Resizing;
use vision_learner::{Error, ExportConfig, Predictor, Pretrained, create_body, create_head};
use vision_models::export::Names;
use vision_models::weights::{WeightsFile, load_into};
use vision_models::{Arch, Cut, Init, state};

use crate::prelude::*;
use crate::support;

#[test]
fn a_learner_leaves_as_onnx_with_its_weights_and_what_comes_before_them() {
    let digits = support::digits(8, 4);
    let mut learner = support::learner(support::data(&digits.path, 8));
    learner.fit(1, 1e-3).unwrap();
    let path = digits.path.join("digits.onnx");
    learner.export_onnx(&path).unwrap();

    let file = WeightsFile::open(&path).unwrap();
    for tensor in learner.weights() {
        assert_eq!(
            file.read_f32(&tensor.name).unwrap(),
            tensor.values,
            "{}",
            tensor.name
        );
    }
    let mut other = support::learner(support::data(&digits.path, 8));
    other.load(&path).unwrap();
    assert_eq!(other.weights(), learner.weights());
    assert_eq!(file.metadata("arch"), Some("resnet18"));
    assert_eq!(file.metadata("classes"), Some("[\"3\",\"7\"]"));
    // What comes before the model goes with it.
    let resizing = serde_json::from_str(file.metadata("resizing").unwrap()).ok();
    assert_eq!(resizing.as_ref(), Some(learner.data().resizing()));
    let transforms = serde_json::from_str(file.metadata("transforms").unwrap()).ok();
    assert_eq!(
        transforms.as_ref(),
        Some(&learner.data().transforms().valid)
    );
}

/// A Python with the packages of CONTRIBUTING.md.
fn python() -> OsString {
    env::var_os("VISION_PYTHON").expect("VISION_PYTHON is set")
}

#[test]
#[ignore = "needs Python: set VISION_PYTHON (CONTRIBUTING.md)"]
fn onnx_runtime_gives_the_logits_of_a_learner() {
    let digits = support::digits(8, 4);
    let mut learner = support::learner(support::data(&digits.path, 8));
    learner.fit(1, 1e-3).unwrap();
    let path = digits.path.join("digits.onnx");
    learner.export_onnx(&path).unwrap();
    let file = WeightsFile::open(&path).unwrap();
    // Body and head once more, with the learner's weights.
    let device = Device::default();
    let body = create_body(Arch::ResNet18, Pretrained::No, Cut::Default, &device).unwrap();
    let head = create_head(HeadConfig::new(1024, 2)).unwrap();
    let head = head.build(&mut Init::zeroed(&device), &Default::default());
    let parts = [body, head].map(vision_models::layers::Layer::Sequential);
    let model = vision_models::layers::Sequential::numbered(parts);
    let (model, report) = load_into(model, &file).unwrap();
    report.require_complete().unwrap();
    let x: Vec<f32> = (0..2 * 3 * 40 * 28)
        .map(|i| (i as f32 * 0.37).sin())
        .collect();
    let pictures = Tensor::<4>::from_data(TensorData::new(x.clone(), [2, 3, 40, 28]), &device);
    let logits = state::values(model.forward(pictures));
    let spec = serde_json::json!({
        "onnx": path, "opset": 17, "tolerance": 1e-4,
        "cases": [{"shape": [2, 3, 40, 28], "input": x, "output": logits}],
    });
    let case = digits.path.join("case.json");
    fs::write(&case, spec.to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/check_onnx_export.py");
    let output = Command::new(python())
        .arg(script)
        .arg(case)
        .output()
        .unwrap();
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// JPEGs and a PNG of several shapes, or those of the folder in `VISION_PHOTOS`.
fn photos(folder: &Path) -> Vec<PathBuf> {
    if let Some(photos) = env::var_os("VISION_PHOTOS") {
        return vision_data::files::image_files(photos).unwrap();
    }
    let sizes = [
        (500, 375),
        (375, 500),
        (64, 64),
        (40, 30),
        (28, 28),
        (700, 90),
        (91, 640),
        (1200, 900),
        (33, 47),
    ];
    let draw = |(i, (width, height)): (usize, (u32, u32))| {
        let image = image::RgbImage::from_fn(width, height, |x, y| {
            let wave = |a: f32, b: f32| {
                (127.5 + 100.0 * (x as f32 * a + i as f32).sin() * (y as f32 * b).cos()) as u8
            };
            image::Rgb([wave(0.02, 0.03), wave(0.11, 0.05), wave(0.31, 0.4)])
        });
        let path = folder.join(format!("photo{i}.{}", if i == 3 { "png" } else { "jpg" }));
        image.save(&path).unwrap();
        path
    };
    sizes.into_iter().enumerate().map(draw).collect()
}

#[test]
#[ignore = "needs Python: set VISION_PYTHON (CONTRIBUTING.md)"]
fn onnx_runtime_prepares_images_as_the_predictor_does() {
    use vision_data::{PaddingMode, ResizeMethod, Transforms, builtin};
    let digits = support::digits(8, 4);
    let photos = photos(digits.dir.path());
    let resizing = |size: vision_data::Size, method, padding_mode| Resizing {
        size: Some(size),
        resize_method: Some(method),
        padding_mode,
        ..Resizing::default()
    };
    let pillow = Transforms {
        valid: vec![builtin::ResizeCenterCrop { extra: 8 }.into()],
        ..Transforms::default()
    };
    let plain = ReadConfig::new;
    let cases = [
        (
            "crop",
            resizing(64.into(), ResizeMethod::Crop, PaddingMode::Reflection),
            Transforms::default(),
            plain(),
        ),
        (
            "pad",
            resizing(64.into(), ResizeMethod::Pad, PaddingMode::Reflection),
            Transforms::default(),
            plain(),
        ),
        (
            "zeros",
            resizing((48, 80).into(), ResizeMethod::Pad, PaddingMode::Zeros),
            Transforms::default(),
            plain(),
        ),
        (
            "border",
            resizing((80, 48).into(), ResizeMethod::Pad, PaddingMode::Border),
            Transforms::default(),
            plain(),
        ),
        (
            "squish",
            resizing(
                (64, 96).into(),
                ResizeMethod::Squish,
                PaddingMode::Reflection,
            ),
            vision_data::get_transforms(),
            plain(),
        ),
        (
            "pillow",
            resizing(64.into(), ResizeMethod::Crop, PaddingMode::Reflection),
            pillow,
            plain(),
        ),
        (
            "short",
            resizing(64.into(), ResizeMethod::Crop, PaddingMode::Reflection),
            Transforms::default(),
            plain().with_short_side(100),
        ),
    ];
    for (name, resizing, transforms, reading) in cases {
        let data = ImageDataBunch::from_folder(&digits.path)
            .batch_size(8)
            .resizing(resizing)
            .transforms(transforms)
            .reading(reading)
            .normalize(Stats::IMAGENET)
            .build()
            .unwrap();
        let mut learner = support::learner(data);
        learner.fit(1, 1e-3).unwrap();
        let path = digits.path.join(format!("{name}.onnx"));
        learner.export_onnx_with_preprocessing(&path).unwrap();
        let opened =
            Predictor::from_bytes(&learner.export_bytes(ExportConfig::new()).unwrap()).unwrap();
        let images: Vec<_> = photos
            .iter()
            .enumerate()
            .map(|(i, file)| {
                let decoded = vision_data::Image::open(file).unwrap();
                let pixels = digits.dir.path().join(format!("{i}.rgb"));
                fs::write(&pixels, decoded.pixels()).unwrap();
                serde_json::json!({
                    "file": file, "pixels": pixels, "size": [decoded.height(), decoded.width()],
                    "outputs": opened.predict_file(file).unwrap().probabilities,
                })
            })
            .collect();
        let spec = serde_json::json!({"onnx": path, "tolerance": 1e-4, "images": images});
        let case = digits.path.join("case.json");
        fs::write(&case, spec.to_string()).unwrap();
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/check_onnx_image.py");
        let output = Command::new(python())
            .arg(script)
            .arg(case)
            .output()
            .unwrap();
        println!("{name}\n{}", String::from_utf8_lossy(&output.stdout));
        assert!(
            output.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/predict_onnx.py");
        let output = Command::new(python())
            .arg(script)
            .arg(&path)
            .arg(&photos[0])
            .output()
            .unwrap();
        let class = opened.predict_file(&photos[0]).unwrap().class;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            text.contains(&format!(" {class} [")),
            "{text} is not {class}"
        );
    }
}

#[test]
fn preprocessing_that_no_graph_can_hold_is_an_error_that_names_it() {
    use vision_data::{PaddingMode, Transform, Transforms};
    let digits = support::digits(8, 4);
    let data = |valid: Vec<Transform>, reading: ReadConfig| {
        let transforms = Transforms {
            valid,
            ..Transforms::default()
        };
        let data = ImageDataBunch::from_folder(&digits.path)
            .batch_size(8)
            .size(32);
        data.transforms(transforms)
            .reading(reading)
            .build()
            .unwrap()
    };
    let pad = vec![Transform::pad(2, PaddingMode::Zeros)];
    for (data, what) in [
        (data(pad, ReadConfig::new()), "Pad"),
        (
            data(vec![Transform::rand_crop()], ReadConfig::new()),
            "position is random",
        ),
        (
            data(Vec::new(), ReadConfig::new().with_reduced_jpegs(true)),
            "reduced JPEGs",
        ),
    ] {
        let learner = support::learner(data);
        let path = digits.path.join("x.onnx");
        let error = learner
            .export_onnx_with_preprocessing(&path)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(what) && error.contains("export_onnx"),
            "{error}"
        );
        assert!(!path.exists());
    }
}

#[test]
fn fastais_names_are_those_of_body_and_head() {
    let digits = support::digits(8, 4);
    let learner = support::learner(support::data(&digits.path, 8));
    let path = digits.path.join("fastai.safetensors");
    let report = learner.export_safetensors(&path, Names::FastAi).unwrap();
    assert!(report.omitted.is_empty() && report.notes.is_empty());
    let file = WeightsFile::open(&path).unwrap();
    for name in [
        "0.0.weight",
        "0.4.0.conv1.weight",
        "0.7.1.bn2.running_var",
        "1.8.bias",
    ] {
        assert!(file.contains(name), "{name}");
    }
    assert!(file.skipped().any(|name| name == "0.1.num_batches_tracked"));
    for tensor in learner.weights() {
        assert_eq!(file.read_f32(&tensor.name).unwrap(), tensor.values);
    }
    let mut other = support::learner(support::data(&digits.path, 8));
    other.load(&path).unwrap();
    assert_eq!(other.weights(), learner.weights());
}

#[test]
fn torchvisions_names_are_those_of_the_backbone_and_the_head_is_said_to_be_left_out() {
    let digits = support::digits(8, 4);
    let learner = support::learner(support::data(&digits.path, 8));
    let path = digits.path.join("torchvision.safetensors");
    let report = learner
        .export_safetensors(&path, Names::Torchvision)
        .unwrap();
    assert!(report.omitted.iter().all(|name| name.starts_with("1.")) && !report.omitted.is_empty());
    assert!(report.to_string().contains("strict=False"), "{report}");
    let file = WeightsFile::open(&path).unwrap();
    let weights = learner.weights();
    for (ours, theirs) in [
        ("0.0.weight", "conv1.weight"),
        ("0.1.running_mean", "bn1.running_mean"),
        ("0.4.0.conv1.weight", "layer1.0.conv1.weight"),
        ("0.7.0.downsample.1.bias", "layer4.0.downsample.1.bias"),
    ] {
        let ours = weights.iter().find(|t| t.name == ours).unwrap();
        assert_eq!(file.read_f32(theirs).unwrap(), ours.values);
    }
    // It is a body for the next learner.
    create_body(
        Arch::ResNet18,
        path.as_path(),
        Cut::Default,
        &Default::default(),
    )
    .unwrap();
}

#[test]
fn a_body_comes_out_of_an_onnx_file_of_the_whole_network() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("resnet18.onnx");
    let whole = Arch::ResNet18.build(10, &mut Init::new(4, &Default::default()));
    vision_models::export::export_onnx(&whole, &path, &Default::default()).unwrap();
    let body = create_body(
        Arch::ResNet18,
        path.as_path(),
        Cut::Default,
        &Default::default(),
    )
    .unwrap();
    let expected = Cut::Default.apply(whole, -2).unwrap();
    assert_eq!(state::tensors(&body), state::tensors(&expected));
}

#[test]
#[ignore = "needs Python: set VISION_PYTHON (CONTRIBUTING.md)"]
fn a_learner_on_batch_norms_folded_into_onnx_warns_that_their_statistics_are_gone() {
    let digits = support::digits(8, 4);
    let script = "
import sys, torch, torchvision
model = torchvision.models.resnet18(num_classes=10).eval()
for folded in [True, False]:
    mode = torch.onnx.TrainingMode.EVAL if folded else torch.onnx.TrainingMode.PRESERVE
    torch.onnx.export(model, (torch.zeros(1, 3, 32, 32),), f'{sys.argv[1]}/{folded}.onnx', dynamo=False,
                      do_constant_folding=folded, training=mode, opset_version=17)
";
    let output = Command::new(python())
        .args(["-c", script])
        .arg(&digits.path)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for (name, warned) in [("True.onnx", true), ("False.onnx", false)] {
        let learner = create_cnn(support::data(&digits.path, 8), Arch::ResNet18)
            .pretrained(digits.path.join(name))
            .silent(true)
            .build()
            .unwrap();
        let found = learner
            .warnings()
            .iter()
            .any(|w| w.contains("20 batch norms were folded"));
        assert_eq!(found, warned, "{:?}", learner.warnings());
    }
}

#[test]
fn a_head_of_ones_own_that_tells_no_layers_is_an_error_that_says_what_to_do() {
    let digits = support::digits(8, 4);
    let head = support_head::MeanHead::new(512, 2);
    let learner = create_cnn(support::data(&digits.path, 8), Arch::ResNet18)
        .pretrained(false)
        .custom_head(head)
        .silent(true)
        .build()
        .unwrap();
    let path = digits.path.join("x.onnx");
    let error = learner.export_onnx(&path).unwrap_err();
    assert_matches!(
        error,
        Error::Models(vision_models::Error::Export { reason, .. }) if reason.contains("as_layers")
    );
    assert!(!path.exists());
    learner
        .export_safetensors(digits.path.join("x.safetensors"), Names::FastAi)
        .unwrap();
}

mod support_head {
    use burn::module::Module;
    use burn::nn;
    use burn::tensor::Tensor;
    use vision_learner::Head;

    #[derive(Module, Debug)]
    pub(crate) struct MeanHead {
        fc: nn::Linear,
    }

    impl MeanHead {
        pub(crate) fn new(features: usize, classes: usize) -> Self {
            Self {
                fc: nn::LinearConfig::new(features, classes).init(&Default::default()),
            }
        }
    }

    impl Head for MeanHead {
        fn forward(&self, features: Tensor<4>) -> Tensor<2> {
            let [n, c, ..] = features.dims();
            self.fc
                .forward(features.mean_dim(3).mean_dim(2).reshape([n, c]))
        }
    }
}

#[test]
fn an_exported_model_says_what_size_it_gets_and_how_jpegs_are_read() {
    let digits = support::digits(8, 4);
    let data = ImageDataBunch::from_folder(&digits.path)
        .batch_size(8)
        .resizing(Resizing {
            size: Some(50.into()),
            mult: Some(32),
            ..Resizing::default()
        })
        .reading(ReadConfig::new().with_reduced_jpegs(true))
        .build()
        .unwrap();
    let shape = data.one_batch(DatasetType::Valid).unwrap().shape();
    let config = support::learner(data).onnx_config();
    let says = |key: &str| config.metadata.get(key).map(String::as_str);
    // 50 / 32 = 1.6, so 2 · 32.
    assert_eq!((shape[2], says("size")), (64, Some("[64,64]")));
    assert_eq!(says("reduced_jpegs"), Some("50"));
    assert_eq!(says("presize"), None);
}
