//! Networks written as ONNX files: what is in them, and what ONNX Runtime makes of them.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use serde_json::{Value, json};
use vision_models::export::{OnnxConfig, export_onnx, export_safetensors};
use vision_models::layers::{
    AdaptiveAvgPool2d, AdaptiveConcatPool2d, BatchNorm, ConvConfig, Dropout, Layer, Linear,
    MaxPool2d, RandomStream, Sequential,
};
use vision_models::weights::{Format, WeightsFile, load_into};
use vision_models::{Arch, Cut, Error, Init, state};

/// Values in [-1, 1] that look random and are the same everywhere.
fn noise(n: usize, seed: u64) -> Vec<f32> {
    let mut x = seed.wrapping_mul(2).wrapping_add(1);
    let mut next = || {
        x = x
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (x >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

fn images(shape: [usize; 4], seed: u64) -> Tensor<4> {
    let values = noise(shape.iter().product(), seed);
    Tensor::from_data(TensorData::new(values, shape), &Default::default())
}

/// Statistics and shifts as a trained model has them, so that no batch norm is an identity.
fn lively(model: Sequential) -> Sequential {
    let mut seed = 0;
    state::assign(model, &mut |name, shape| {
        seed += 1;
        let mut values = noise(shape.iter().product(), seed);
        let part = name.rsplit('.').next()?;
        match (part, shape.len()) {
            ("running_var", _) => values.iter_mut().for_each(|v| *v = 1.0 + 0.3 * *v),
            ("weight" | "gamma", 1) => values.iter_mut().for_each(|v| *v = 0.6 + 0.2 * *v),
            (_, 1) => values.iter_mut().for_each(|v| *v *= 0.1),
            _ => return None,
        }
        Some(values)
    })
}

fn head(features: usize, classes: usize, init: &mut Init) -> Sequential {
    let dropout = RandomStream::default();
    Sequential::numbered([
        Layer::AdaptiveConcatPool2d(AdaptiveConcatPool2d),
        Layer::Flatten,
        Layer::BatchNorm(BatchNorm::new(2 * features, init)),
        Layer::Dropout(Dropout::new(0.25, &dropout)),
        Layer::Linear(Linear::kaiming_normal(2 * features, 32, init)),
        Layer::Relu,
        Layer::BatchNorm(BatchNorm::new(32, init)),
        Layer::Dropout(Dropout::new(0.5, &dropout)),
        Layer::Linear(Linear::kaiming_normal(32, classes, init)),
        Layer::BatchNorm(BatchNorm::new(classes, init)),
    ])
}

fn classifier(arch: Arch, classes: usize) -> Sequential {
    let mut init = Init::new(7, &Default::default());
    let body = Cut::Default
        .apply(arch.build(10, &mut init), arch.info().cut)
        .unwrap();
    let head = head(arch.info().features, classes, &mut init);
    lively(Sequential::numbered([
        Layer::Sequential(body),
        Layer::Sequential(head),
    ]))
}

/// One of each kind of layer, with a few channels.
fn small() -> Sequential {
    let mut init = Init::new(3, &Default::default());
    let mut net = Sequential::new();
    let mut conv = ConvConfig::new(3, 8, 3).with_stride(2).with_padding(1);
    conv.bias = true;
    net.push("conv", Layer::Conv2d(conv.init(&mut init)));
    net.push("bn", Layer::BatchNorm(BatchNorm::new(8, &init)));
    net.push("relu", Layer::Relu);
    let mut depthwise = ConvConfig::new(8, 8, 3).with_padding(1);
    depthwise.groups = 8;
    net.push("depthwise", Layer::Conv2d(depthwise.init(&mut init)));
    net.push("maxpool", Layer::MaxPool2d(MaxPool2d::new(3, 2, 1)));
    net.push(
        "avgpool",
        Layer::AdaptiveAvgPool2d(AdaptiveAvgPool2d::new(2)),
    );
    net.push(
        "drop",
        Layer::Dropout(Dropout::new(0.5, &RandomStream::default())),
    );
    net.push("fc", Layer::Linear(Linear::new(32, 5, &mut init)));
    lively(net)
}

fn case(model: &Sequential, shape: [usize; 4]) -> Value {
    let x = images(shape, 11);
    let y = state::values(model.forward(x.clone()));
    json!({"shape": shape, "input": state::values(x), "output": y})
}

/// A Python with the packages of CONTRIBUTING.md.
fn python() -> OsString {
    env::var_os("VISION_PYTHON").expect("VISION_PYTHON is set")
}

/// Runs `scripts/check_onnx_export.py`.
fn onnx_runtime_agrees(folder: &Path, onnx: &Path, cases: Vec<Value>) {
    let spec = json!({"onnx": onnx, "opset": 17, "cases": cases, "tolerance": 1e-4});
    let path = folder.join("case.json");
    fs::write(&path, spec.to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/check_onnx_export.py");
    let output = Command::new(python())
        .arg(script)
        .arg(path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
#[ignore = "needs Python: set VISION_PYTHON (CONTRIBUTING.md)"]
fn onnx_runtime_gives_the_logits_of_resnet_classifiers_for_any_batch_and_size() {
    for arch in [Arch::ResNet18, Arch::ResNet50] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(format!("{arch}.onnx"));
        let model = classifier(arch, 7);
        export_onnx(&model, &path, &OnnxConfig::default()).unwrap();
        let cases = [[1, 3, 64, 64], [3, 3, 64, 64], [2, 3, 97, 65]];
        onnx_runtime_agrees(
            folder.path(),
            &path,
            cases.map(|shape| case(&model, shape)).into(),
        );
    }
}

#[test]
#[ignore = "needs Python: set VISION_PYTHON (CONTRIBUTING.md)"]
fn onnx_runtime_gives_the_logits_of_classifiers_of_every_family() {
    let any_size = [
        Arch::SqueezeNet1_0,
        Arch::DenseNet121,
        Arch::MobileNetV2,
        Arch::TfEfficientNetLite0,
        Arch::ResNeXt50_32x4d,
        Arch::EfficientNetB0,
        Arch::EfficientNetV2S,
        Arch::TfEfficientNetV2S,
        Arch::MobileNetV3Small,
        Arch::MobileNetV3Large100,
        Arch::MobileNetV4ConvMedium,
        Arch::RegNetY004,
        Arch::ResNet50D,
        Arch::SeResNet50,
        Arch::XResNet18,
        Arch::XResNet50,
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    for arch in any_size {
        let model = classifier(arch, 4);
        export_onnx(&model, &path, &OnnxConfig::default()).unwrap();
        // The odd size is for pools in ceil mode.
        let shapes = [[2, 3, 64, 64], [1, 3, 97, 65]];
        onnx_runtime_agrees_on(&model, folder.path(), &path, &shapes);
    }
    // Their bodies end in a pool to a fixed size, which ONNX can say for images of one size only.
    for arch in [Arch::AlexNet, Arch::Vgg11Bn] {
        let model = classifier(arch, 4);
        let config = OnnxConfig::default().with_size(224, 224);
        export_onnx(&model, &path, &config).unwrap();
        onnx_runtime_agrees_on(&model, folder.path(), &path, &[[1, 3, 224, 224]]);
    }
}

#[test]
#[ignore = "needs Python: set VISION_PYTHON (CONTRIBUTING.md)"]
fn onnx_runtime_gives_the_logits_of_convnexts_for_any_batch_and_size() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    for arch in [
        Arch::ConvNextAtto,
        Arch::ConvNextTiny,
        Arch::ConvNextV2Atto,
        Arch::ConvNextV2Tiny,
    ] {
        let whole = lively(arch.build(4, &mut Init::new(5, &Default::default())));
        for model in [classifier(arch, 4), whole] {
            export_onnx(&model, &path, &OnnxConfig::default()).unwrap();
            let shapes = [[2, 3, 64, 64], [1, 3, 97, 65]];
            onnx_runtime_agrees_on(&model, folder.path(), &path, &shapes);
        }
    }
}

#[test]
#[ignore = "needs Python: set VISION_PYTHON (CONTRIBUTING.md)"]
fn onnx_runtime_gives_the_logits_of_transformers_for_any_batch_of_one_size() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    for (arch, [h, w]) in [
        (Arch::VitTinyPatch16_224, [224, 224]),
        (Arch::VitTinyPatch16_224, [64, 96]),
        (Arch::Deit3SmallPatch16_224, [96, 64]),
        (Arch::VitSmallPatch14DinoV2, [98, 70]),
    ] {
        let whole = lively(arch.build(4, &mut Init::new(5, &Default::default())));
        // Tokens that no class token is taken of are maps of one row.
        let tokens = Cut::At(4).apply(whole.clone(), 0).unwrap();
        for model in [classifier(arch, 4), whole, tokens] {
            let config = OnnxConfig::default().with_size(h, w);
            export_onnx(&model, &path, &config).unwrap();
            let shapes = [[1, 3, h, w], [3, 3, h, w]];
            onnx_runtime_agrees_on(&model, folder.path(), &path, &shapes);
        }
    }
}

fn onnx_runtime_agrees_on(model: &Sequential, folder: &Path, onnx: &Path, shapes: &[[usize; 4]]) {
    let cases = shapes.iter().map(|&shape| case(model, shape));
    onnx_runtime_agrees(folder, onnx, cases.collect());
}

#[test]
#[ignore = "needs Python: set VISION_PYTHON (CONTRIBUTING.md)"]
fn onnx_runtime_gives_the_outputs_of_whole_backbones_and_of_bodies() {
    let arch = Arch::ResNet34;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let whole = lively(arch.build(10, &mut Init::new(1, &Default::default())));
    let config = OnnxConfig::default().with_size(64, 64);
    export_onnx(&whole, &path, &config).unwrap();
    onnx_runtime_agrees(folder.path(), &path, vec![case(&whole, [2, 3, 64, 64])]);
    let body = Cut::At(5).apply(whole, 0).unwrap();
    export_onnx(&body, &path, &config).unwrap();
    onnx_runtime_agrees(folder.path(), &path, vec![case(&body, [2, 3, 64, 64])]);
}

#[test]
#[ignore = "needs Python: set VISION_PYTHON (CONTRIBUTING.md)"]
fn onnx_runtime_gives_the_outputs_of_every_other_kind_of_layer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.onnx");
    let model = small();
    export_onnx(&model, &path, &OnnxConfig::default().with_size(24, 16)).unwrap();
    onnx_runtime_agrees(folder.path(), &path, vec![case(&model, [3, 3, 24, 16])]);
}

#[test]
#[ignore = "needs Python: set VISION_PYTHON (CONTRIBUTING.md)"]
fn a_graph_that_normalizes_gives_the_logits_of_normalized_images() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let model = classifier(Arch::ResNet18, 3);
    let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let config = OnnxConfig::default().with_normalization(mean, std);
    export_onnx(&model, &path, &config).unwrap();
    let x = images([2, 3, 32, 32], 5);
    let channels = |v: [f32; 3]| {
        Tensor::<4>::from_data(TensorData::new(v.to_vec(), [1, 3, 1, 1]), &x.device())
    };
    let normal = (x.clone() - channels(mean)) / channels(std);
    let y = state::values(model.forward(normal));
    let case = json!({"shape": [2, 3, 32, 32], "input": state::values(x.clone()), "output": y});
    onnx_runtime_agrees(folder.path(), &path, vec![case]);
}

#[test]
fn classifiers_of_every_family_are_exported_with_each_of_their_tensors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    for (arch, any_size) in [
        (Arch::SqueezeNet1_0, true),
        (Arch::DenseNet121, true),
        (Arch::MobileNetV2, true),
        (Arch::TfEfficientNetLite0, true),
        (Arch::XResNet18, true),
        (Arch::ConvNextAtto, true),
        (Arch::ConvNextTiny, true),
        (Arch::ConvNextV2Atto, true),
        // Their bodies end in a pool to a fixed size, which ONNX can say for images of one size only.
        (Arch::AlexNet, false),
        (Arch::VitTinyPatch16_224, false),
        (Arch::Deit3SmallPatch16_224, false),
        (Arch::Vgg11Bn, false),
    ] {
        let model = classifier(arch, 4);
        let mut config = OnnxConfig::default();
        if !any_size {
            let refused = export_onnx(&model, &path, &config).unwrap_err();
            assert!(matches!(refused, Error::Export { .. }), "{refused:?}");
            config = config.with_size(224, 224);
        }
        export_onnx(&model, &path, &config).unwrap();
        let file = WeightsFile::open(&path).unwrap();
        let expected: Vec<_> = state::tensors(&model);
        assert_eq!(file.len(), expected.len(), "{arch}");
        for tensor in expected {
            let found = file.read_f32(&tensor.name).unwrap();
            assert!(found == tensor.values, "{arch} {}", tensor.name);
        }
    }
}

#[test]
fn the_positions_of_a_transformer_are_written_for_the_size_of_the_images() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let model = classifier(Arch::VitTinyPatch16_224, 4);
    let config = OnnxConfig::default().with_size(64, 96);
    export_onnx(&model, &path, &config).unwrap();
    let file = WeightsFile::open(&path).unwrap();
    assert!(!file.contains("0.pos_embed"));
    assert_eq!(file.shape("0.pos_embed_4x6"), Some(&[1, 25, 192][..]));
    let config = OnnxConfig::default().with_size(60, 100);
    let error = export_onnx(&model, &path, &config).unwrap_err();
    assert_matches!(error, Error::Export { reason, .. } if reason.contains("60x100") && reason.contains("64x96"));
}

#[test]
fn the_initializers_are_the_parameters_bit_for_bit_and_come_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let model = classifier(Arch::ResNet50, 3);
    export_onnx(
        &model,
        &path,
        &OnnxConfig::default().with_metadata("classes", "[\"a\",\"ü\"]"),
    )
    .unwrap();
    let file = WeightsFile::open(&path).unwrap();
    assert_eq!(file.format(), Format::Onnx);
    assert_eq!(file.metadata("classes"), Some("[\"a\",\"ü\"]"));
    let tensors = state::tensors(&model);
    assert_eq!(file.len(), tensors.len());
    for tensor in &tensors {
        assert_eq!(
            file.shape(&tensor.name),
            Some(&tensor.shape[..]),
            "{}",
            tensor.name
        );
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        let found = file.read_f32(&tensor.name).unwrap();
        assert!(bits(&found) == bits(&tensor.values), "{}", tensor.name);
    }
    let (back, report) = load_into(classifier(Arch::ResNet50, 3).map(&mut Zero), &file).unwrap();
    report.require_complete().unwrap();
    assert!(report.unused.is_empty() && !report.by_graph);
    assert_eq!(state::tensors(&back), tensors);
}

/// Forgets every parameter.
struct Zero;

impl burn::module::ModuleMapper for Zero {
    fn map_float<const D: usize>(
        &mut self,
        param: burn::module::Param<Tensor<D>>,
    ) -> burn::module::Param<Tensor<D>> {
        param.map(|t| t.zeros_like())
    }
}

#[test]
fn the_same_network_makes_the_same_bytes_and_another_file_stays_until_then() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a.onnx"), folder.path().join("b.onnx"));
    for path in [&a, &b] {
        export_onnx(&small(), path, &OnnxConfig::default().with_size(24, 16)).unwrap();
    }
    assert_eq!(fs::read(&a).unwrap(), fs::read(&b).unwrap());
    let before = fs::read(&a).unwrap();
    assert!(export_onnx(&small(), &a, &OnnxConfig::default()).is_err());
    assert_eq!(fs::read(&a).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_layer_that_onnx_cannot_carry_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.onnx");
    let any_size = export_onnx(&small(), &path, &OnnxConfig::default()).unwrap_err();
    assert_matches!(
        any_size,
        Error::Export { layer, reason, .. } if layer == "avgpool" && reason.contains("with_size")
    );
    let uneven = OnnxConfig::default().with_size(20, 16);
    assert_matches!(
        export_onnx(&small(), &path, &uneven).unwrap_err(),
        Error::Export { layer, reason, .. } if layer == "avgpool" && reason.contains("multiples of 2")
    );
    let mut headless = Sequential::new();
    headless.push("relu", Layer::Relu);
    let error = export_onnx(&headless, &path, &OnnxConfig::default()).unwrap_err();
    assert_matches!(error, Error::Export { layer, .. } if layer.is_empty());
    let mut twice = small();
    twice.push("relu", Layer::Relu);
    let error = export_onnx(&twice, &path, &OnnxConfig::default().with_size(24, 16)).unwrap_err();
    assert_matches!(error, Error::Export { layer, reason, .. } if layer == "relu" || reason.contains("\"relu\""));
    assert!(!path.exists());
}

#[test]
fn a_folder_that_is_not_there_is_an_error_that_names_the_file() {
    let config = OnnxConfig::default().with_size(24, 16);
    let error = export_onnx(&small(), "/nowhere/x.onnx", &config).unwrap_err();
    assert!(
        matches!(&error, Error::Io(vision_base::IoError { path, .. }) if path.ends_with("x.onnx"))
    );
    let error = export_safetensors(&small(), "/nowhere/x.safetensors").unwrap_err();
    assert!(matches!(error, Error::Io { .. }));
}

#[test]
#[ignore = "needs Python: set VISION_PYTHON (CONTRIBUTING.md)"]
fn torchvision_takes_an_exported_backbone_strictly_and_computes_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for arch in [
        Arch::ResNet18,
        Arch::ResNet50,
        Arch::SqueezeNet1_1,
        Arch::DenseNet121,
        Arch::Vgg11Bn,
        Arch::AlexNet,
        Arch::MobileNetV2,
    ] {
        let model = lively(arch.build(10, &mut Init::new(2, &Default::default())));
        let path = folder.path().join("model.safetensors");
        let report = export_safetensors(&model, &path).unwrap();
        assert!(report.omitted.is_empty());
        let spec =
            json!({"arch": arch.name(), "classes": 10, "cases": [case(&model, [2, 3, 64, 64])]});
        let spec_path = folder.path().join("case.json");
        fs::write(&spec_path, spec.to_string()).unwrap();
        let script = "
import json, sys, torch, torchvision
from safetensors.torch import load_file
spec = json.load(open(sys.argv[2]))
model = torchvision.models.get_model(spec['arch'], num_classes=spec['classes'])
print(model.load_state_dict(load_file(sys.argv[1]), strict=True))
case = spec['cases'][0]
x = torch.tensor(case['input']).reshape(case['shape'])
with torch.no_grad():
    y = model.eval()(x).flatten()
difference = (y - torch.tensor(case['output'])).abs().max().item()
print(spec['arch'], 'largest difference', difference)
assert difference < 1e-4
torch.save(model.state_dict(), sys.argv[1] + '.pth')
";
        let output = Command::new(python())
            .args(["-c", script])
            .arg(&path)
            .arg(&spec_path)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        println!("{text}");
        assert!(
            output.status.success(),
            "{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        // And back again through torch, bit for bit.
        let file = WeightsFile::open(folder.path().join("model.safetensors.pth")).unwrap();
        for tensor in state::tensors(&model) {
            assert_eq!(
                file.read_f32(&tensor.name).unwrap(),
                tensor.values,
                "{}",
                tensor.name
            );
        }
    }
}
