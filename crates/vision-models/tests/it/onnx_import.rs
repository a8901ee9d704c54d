//! ONNX files that torch.onnx and onnx wrote (`scripts/make_onnx_fixtures.py`), read back into layers.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use burn::tensor::{Tensor, TensorData};
use serde_json::Value;
use vision_models::layers::{
    AdaptiveAvgPool2d, BatchNorm, ConvConfig, Layer, Linear, MaxPool2d, Sequential,
};
use vision_models::weights::{Format, LoadReport, WeightsFile, load_into, load_layers};
use vision_models::{Arch, Error, Init, state};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/onnx")
        .join(name)
}

fn open(name: &str) -> WeightsFile {
    WeightsFile::open(fixture(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn expected() -> Value {
    serde_json::from_slice(&fs::read(fixture("expected.json")).unwrap()).unwrap()
}

fn floats(value: &Value) -> Vec<f32> {
    let list = value.as_array().unwrap();
    list.iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

fn bits(value: &Value) -> Vec<u32> {
    let list = value.as_array().unwrap();
    list.iter().map(|v| v.as_i64().unwrap() as u32).collect()
}

/// The network of the script.
fn tiny(classes: usize) -> Sequential {
    let mut init = Init::new(0, &Default::default());
    let conv = |config: ConvConfig, init: &mut Init| Layer::Conv2d(config.init(init));
    let norm = |init: &Init| Layer::BatchNorm(BatchNorm::new(4, init));
    let point = ConvConfig::new(4, 4, 1);
    let mut biased = point;
    biased.bias = true;
    let first = Sequential::numbered([conv(point, &mut init), norm(&init)]);
    let second = Sequential::numbered([conv(biased, &mut init), norm(&init)]);
    let mut net = Sequential::new();
    let stem = ConvConfig::new(3, 4, 3).with_stride(2).with_padding(1);
    net.push("conv1", conv(stem, &mut init));
    net.push("bn1", norm(&init));
    net.push("relu", Layer::Relu);
    net.push("maxpool", Layer::MaxPool2d(MaxPool2d::new(3, 2, 1)));
    let blocks = [first, second].map(Layer::Sequential);
    net.push("layer1", Layer::Sequential(Sequential::numbered(blocks)));
    net.push(
        "avgpool",
        Layer::AdaptiveAvgPool2d(AdaptiveAvgPool2d::new(1)),
    );
    net.push("flat", Layer::Flatten);
    net.push("bn2", norm(&init));
    net.push("fc", Layer::Linear(Linear::new(4, classes, &mut init)));
    net
}

fn load(name: &str) -> (Sequential, LoadReport) {
    load_layers(tiny(3), &open(name)).unwrap()
}

fn difference(model: &Sequential, expected: &Value, output: &str) -> f32 {
    let shape: Vec<usize> = floats(&expected["shape"])
        .iter()
        .map(|&d| d as usize)
        .collect();
    let shape: [usize; 4] = shape.try_into().unwrap();
    let x = Tensor::from_data(
        TensorData::new(floats(&expected["input"]), shape),
        &Default::default(),
    );
    let found = state::values(model.forward(x));
    let wanted = floats(&expected[output]);
    assert_eq!(found.len(), wanted.len());
    let differences = found.iter().zip(&wanted).map(|(a, b)| (a - b).abs());
    // NaN stays; `f32::max` would drop it.
    differences.fold(
        0.0,
        |most, d| if most.is_nan() || most > d { most } else { d },
    )
}

#[test]
fn values_of_every_type_and_place_are_those_of_torch_bit_for_bit() {
    let expected = expected();
    for name in [
        "named",
        "float_data",
        "double_data",
        "double_raw",
        "external",
        "dynamo",
    ] {
        let file = open(&format!("{name}.onnx"));
        assert_eq!(file.format(), Format::Onnx);
        for (tensor, wanted) in expected["state"].as_object().unwrap() {
            let found = file
                .read_f32(tensor)
                .unwrap_or_else(|e| panic!("{name}: {e}"));
            let found: Vec<u32> = found.iter().map(|v| v.to_bits()).collect();
            assert_eq!(found, bits(&wanted["bits"]), "{name} {tensor}");
        }
    }
    for (name, kind) in [
        ("half_raw", "half"),
        ("half_ints", "half"),
        ("bfloat16_ints", "bfloat16"),
    ] {
        let file = open(&format!("{name}.onnx"));
        for (tensor, wanted) in expected[kind].as_object().unwrap() {
            let found: Vec<u32> = file
                .read_f32(tensor)
                .unwrap()
                .iter()
                .map(|v| v.to_bits())
                .collect();
            assert_eq!(found, bits(wanted), "{name} {tensor}");
        }
    }
}

#[test]
fn a_file_that_kept_its_names_loads_by_them_and_gives_torchs_outputs() {
    let expected = expected();
    for name in [
        "named.onnx",
        "dynamo.onnx",
        "external.onnx",
        "float_data.onnx",
    ] {
        let (model, report) = load(name);
        report.require_complete().unwrap();
        assert!(
            !report.by_graph && report.folded.is_empty(),
            "{name}: {report}"
        );
        assert!(difference(&model, &expected, "output") < 1e-5, "{name}");
        // load_into needs no graph for that.
        load_into(tiny(3), &open(name))
            .unwrap()
            .1
            .require_complete()
            .unwrap();
    }
}

#[test]
fn equal_tensors_that_an_exporter_wrote_once_are_found_under_all_their_names() {
    let (model, report) = load("shared.onnx");
    report.require_complete().unwrap();
    assert!(!report.by_graph);
    assert!(difference(&model, &expected(), "shared_output") < 1e-5);
}

#[test]
fn a_file_with_folded_batch_norms_loads_by_its_graph_and_gives_torchs_outputs() {
    let expected = expected();
    for name in ["folded.onnx", "dynamo_folded.onnx"] {
        let (model, report) = load(name);
        report.require_complete().unwrap();
        assert!(report.by_graph, "{name}");
        assert_eq!(report.folded, ["bn1", "layer1.0.1", "layer1.1.1"], "{name}");
        assert!(report.unused.is_empty(), "{name}: {:?}", report.unused);
        let text = report.to_string();
        assert!(
            text.contains("folded") && text.contains("layer1.0.1"),
            "{text}"
        );
        assert!(difference(&model, &expected, "output") < 1e-5, "{name}");
    }
}

#[test]
fn a_linear_layer_is_found_however_an_exporter_wrote_it() {
    for name in ["matmul.onnx", "gemm.onnx", "transpose.onnx"] {
        let (model, report) = load(name);
        report.require_complete().unwrap();
        assert!(difference(&model, &expected(), "output") < 1e-5, "{name}");
    }
}

#[test]
fn another_epsilon_of_a_batch_norm_goes_into_its_variance() {
    let (model, report) = load("epsilon.onnx");
    report.require_complete().unwrap();
    assert!(report.by_graph && report.folded.is_empty());
    assert!(difference(&model, &expected(), "output") < 1e-5);
}

#[test]
fn a_folded_batch_norm_adds_the_bias_and_nothing_else() {
    // (1 - 1e-5) + 1e-5 is 1 in 32-bit floats, so that the pair is exactly the folded convolution.
    assert_eq!((1.0_f32 - 1e-5) + 1e-5, 1.0);
    let (model, _) = load("folded.onnx");
    let tensors = state::tensors(&model);
    let get = |name: &str| {
        tensors
            .iter()
            .find(|t| t.name == name)
            .unwrap()
            .values
            .clone()
    };
    assert_eq!(get("bn1.weight"), [1.0; 4]);
    assert_eq!(get("bn1.running_mean"), [0.0; 4]);
    assert_eq!(get("bn1.running_var"), [1.0 - 1e-5; 4]);
    assert_eq!(
        get("bn1.bias"),
        open("folded.onnx").read_f32("onnx::Conv_41").unwrap()
    );
    // A convolution with a bias of its own keeps it there.
    assert_eq!(get("layer1.1.1.bias"), [0.0; 4]);
    assert_eq!(
        get("layer1.1.0.bias"),
        open("folded.onnx").read_f32("onnx::Conv_47").unwrap()
    );
}

#[test]
fn a_file_of_other_classes_differs_in_the_last_layer_and_nowhere_else() {
    for name in ["named.onnx", "folded.onnx"] {
        let (_, report) = load_layers(tiny(7), &open(name)).unwrap();
        let names: Vec<_> = report.mismatched.iter().map(|m| m.name.as_str()).collect();
        assert_eq!(names, ["fc.weight", "fc.bias"], "{name}");
        assert!(report.missing.is_empty(), "{name}: {:?}", report.missing);
        assert!(report.without("fc").is_complete(), "{name}");
    }
}

#[test]
fn a_file_of_another_architecture_is_no_fit_and_says_so() {
    let model = Arch::ResNet18.build(3, &mut Init::zeroed(&Default::default()));
    for name in ["named.onnx", "folded.onnx"] {
        let (_, report) = load_layers(model.clone(), &open(name)).unwrap();
        let error = report.require_complete().unwrap_err();
        assert!(matches!(&error, Error::WeightsMisfit { missing, .. } if missing.len() > 50));
    }
}

#[test]
fn an_onnx_file_is_told_by_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.pth");
    fs::copy(fixture("named.onnx"), &path).unwrap();
    assert_eq!(WeightsFile::open(&path).unwrap().format(), Format::Onnx);
}

#[test]
#[ignore = "needs Python: set VISION_PYTHON (CONTRIBUTING.md)"]
fn torchvisions_resnets_come_through_every_exporter_with_torchs_logits() {
    let python = env::var_os("VISION_PYTHON").expect("VISION_PYTHON is set");
    let folder = tempfile::tempdir().unwrap();
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/export_torchvision_onnx.py");
    let output = Command::new(python)
        .arg(script)
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for arch in [Arch::ResNet18, Arch::ResNet50] {
        let json = fs::read(folder.path().join(format!("{arch}.json"))).unwrap();
        let expected: Value = serde_json::from_slice(&json).unwrap();
        for exporter in [
            "folded",
            "reordered_folded",
            "named",
            "dynamo_folded",
            "dynamo",
        ] {
            let path = folder.path().join(format!("{arch}_{exporter}.onnx"));
            let file = WeightsFile::open(&path).unwrap();
            let model = arch.build(10, &mut Init::zeroed(&Default::default()));
            let (model, report) = load_layers(model, &file).unwrap();
            report.require_complete().unwrap();
            let difference = difference(&model, &expected, "output");
            println!(
                "{arch} {exporter}: {difference:e}, by graph: {}, folded: {}",
                report.by_graph,
                report.folded.len()
            );
            assert_eq!(report.by_graph, exporter.ends_with("folded"));
            assert!(difference < 1e-4, "{arch} {exporter}: {difference}");
        }
    }
}
