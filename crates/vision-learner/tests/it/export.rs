//! A trained learner leaves this library: as ONNX, and as a state dict of fastai's or torchvision's.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use burn::tensor::{Tensor, TensorData};
use vision_data::Resizing;
use vision_learner::{Error, Pretrained, create_body, create_head};
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
