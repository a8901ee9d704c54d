//! Weights files written by PyTorch, fastai and safetensors (`scripts/make_checkpoint_fixtures.py`).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::{Tensor, TensorData};
use serde_json::Value;
use vision_base::atomic;
use vision_models::layers::{AdaptiveAvgPool2d, BatchNorm, ConvConfig, Layer, Linear, Sequential};
use vision_models::state::{self, NamedTensor};
use vision_models::weights::{self, Format, LoadReport, Wanted, WeightsFile, write_safetensors};
use vision_models::{Arch, Error, Init};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/weights")
        .join(name)
}

fn numbers(value: &Value) -> Vec<u64> {
    let list = value.as_array().unwrap();
    list.iter().map(|n| n.as_u64().unwrap()).collect()
}

fn bits(values: &[f32]) -> Vec<u64> {
    values.iter().map(|v| v.to_bits().into()).collect()
}

fn named(name: &str, shape: &[usize], values: &[f32]) -> NamedTensor {
    NamedTensor {
        name: name.into(),
        shape: shape.to_vec(),
        values: values.to_vec(),
    }
}

#[test]
fn every_tensor_of_every_format_reads_bit_for_bit_as_in_pytorch() {
    let expected: Value =
        serde_json::from_slice(&fs::read(fixture("expected.json")).unwrap()).unwrap();
    let files = expected["files"].as_object().unwrap();
    assert!(files.len() >= 18);
    for (name, expected) in files {
        let tensors = expected["tensors"].as_object().unwrap();
        let file = WeightsFile::open(fixture(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let wanted: Vec<(&str, Vec<usize>)> = tensors
            .iter()
            .map(|(name, tensor)| {
                let shape = numbers(&tensor["shape"]);
                (name.as_str(), shape.iter().map(|&d| d as usize).collect())
            })
            .collect();
        let wanted = Wanted::new(wanted.iter().map(|(name, shape)| (*name, &shape[..])));
        let file = file
            .matched(&wanted)
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        let names: Vec<&str> = file.names().collect();
        let mut wanted: Vec<&String> = tensors.keys().collect();
        wanted.sort();
        assert_eq!(names, wanted, "{name}");
        assert_eq!(file.len(), wanted.len());
        let skipped: Vec<&str> = file.skipped().collect();
        assert_eq!(serde_json::json!(skipped), expected["skipped"], "{name}");
        for (tensor, expected) in tensors {
            let shape: Vec<u64> = file
                .shape(tensor)
                .unwrap()
                .iter()
                .map(|&d| d as u64)
                .collect();
            assert_eq!(shape, numbers(&expected["shape"]), "{name} {tensor}");
            let values = file.read_f32(tensor).unwrap();
            assert_eq!(bits(&values), numbers(&expected["bits"]), "{name} {tensor}");
        }
    }
}

#[test]
fn the_format_is_told_by_the_content_and_not_by_the_extension() {
    let folder = tempfile::tempdir().unwrap();
    for (name, disguise, format) in [
        ("zip.pth", "a.safetensors", Format::Pytorch),
        ("legacy.pth", "b", Format::Pytorch),
        ("plain.safetensors", "c.pth", Format::Safetensors),
    ] {
        let path = folder.path().join(disguise);
        fs::copy(fixture(name), &path).unwrap();
        assert_eq!(WeightsFile::open(&path).unwrap().format(), format);
    }
}

#[cfg(unix)]
#[test]
fn a_link_to_a_weights_file_opens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("link.pth");
    std::os::unix::fs::symlink(fixture("zip.pth"), &path).unwrap();
    assert!(WeightsFile::open(&path).unwrap().contains("fc.weight"));
}

#[test]
fn a_tensor_that_holds_no_floats_is_no_weight_and_says_what_it_holds() {
    let file = WeightsFile::open(fixture("zip.pth")).unwrap();
    assert!(!file.contains("bn.num_batches_tracked"));
    assert_eq!(file.shape("bn.num_batches_tracked"), None);
    let error = file.read_f32("bn.num_batches_tracked").unwrap_err();
    assert_matches!(
        error,
        Error::TensorType { path, name, found }
            if path.ends_with("zip.pth") && name == "bn.num_batches_tracked" && found == "I64"
    );
}

#[test]
fn a_name_that_is_not_there_is_answered_with_the_nearest() {
    let file = WeightsFile::open(fixture("zip.pth")).unwrap();
    let error = file.read_f32("conv1.weight").unwrap_err();
    assert!(matches!(&error, Error::NoSuchTensor { near: Some(n), .. } if n == "conv.weight"));
}

#[test]
fn the_metadata_of_a_safetensors_file_can_be_asked_for() {
    let file = WeightsFile::open(fixture("plain.safetensors")).unwrap();
    assert_eq!(file.metadata("made by"), Some("safetensors"));
    assert_eq!(file.metadata("other"), None);
}

#[test]
fn the_report_says_under_which_key_and_prefix_the_tensors_lay() {
    for (name, notes) in [
        ("zip.pth", &[][..]),
        ("whole_model.pth", &[]),
        ("model_child.pth", &[]),
        (
            "state_dict.pth",
            &[
                "found under the prefix \"state_dict.\"",
                "6 other tensors of the file are outside it",
            ],
        ),
        (
            "module_prefix.pth",
            &["found under the prefix \"state_dict.module.\""],
        ),
    ] {
        let report = compare(name, &wanted(2));
        assert_eq!(report.notes, notes, "{name}");
        for note in notes {
            assert!(report.to_string().contains(note), "{report}");
        }
    }
}

#[test]
fn safetensors_in_several_files_open_by_their_index() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, tensors: &[NamedTensor]| {
        write_safetensors(folder.path().join(name), tensors, &BTreeMap::new()).unwrap();
    };
    let all = state::tensors(&model(1));
    let (first, second) = all.split_at(3);
    write("model-00001-of-00002.safetensors", first);
    let extra = named("extra", &[1], &[0.0]);
    write(
        "model-00002-of-00002.safetensors",
        &[second, &[extra]].concat(),
    );
    let map: BTreeMap<&str, &str> = all
        .iter()
        .enumerate()
        .map(|(i, t)| {
            let shard = [
                "model-00001-of-00002.safetensors",
                "model-00002-of-00002.safetensors",
            ];
            (t.name.as_str(), shard[usize::from(i >= 3)])
        })
        .collect();
    // As Hugging Face's libraries write it.
    let index = serde_json::json!({ "metadata": { "total_size": 1 }, "weight_map": map });
    let path = folder.path().join("model.safetensors.index.json");
    fs::write(&path, serde_json::to_string_pretty(&index).unwrap()).unwrap();

    let file = WeightsFile::open(&path).unwrap();
    assert_eq!(file.format(), Format::Safetensors);
    let (loaded, report) = weights::load_into(model(2), &file).unwrap();
    report.require_complete().unwrap();
    assert_eq!(state::tensors(&loaded), all);
    let text = report.to_string();
    assert!(
        text.contains("2 shards") && text.contains("1 tensors of the shards"),
        "{text}"
    );
}

#[test]
fn a_classifier_with_fastais_names_is_a_whole_model_with_another_head() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fastai.safetensors");
    // fastai's body is a list without names of the model's first children, its head another list.
    let positions = BTreeMap::from([("conv", "0.0"), ("bn", "0.1")]);
    let all = state::tensors(&model(1));
    let mut tensors: Vec<NamedTensor> = all
        .iter()
        .filter_map(|t| {
            let (child, rest) = t.name.split_once('.')?;
            let name = format!("{}.{rest}", positions.get(child)?);
            Some(NamedTensor { name, ..t.clone() })
        })
        .collect();
    tensors.push(named("1.8.weight", &[2, 3], &[0.0; 6]));
    write_safetensors(&path, &tensors, &BTreeMap::new()).unwrap();

    let file = WeightsFile::open(&path).unwrap();
    let (loaded, report) = weights::load_layers(model(2), &file).unwrap();
    let report = report.without("fc");
    report.require_complete().unwrap();
    assert_eq!(report.replaced, ["fc.weight", "fc.bias"]);
    let text = report.to_string();
    assert!(text.contains("as fastai names them"), "{text}");
    assert!(
        text.contains("1 other tensors of the file are outside"),
        "{text}"
    );
    assert!(
        text.contains("2 not in the file, initialized anew: fc.weight, fc.bias"),
        "{text}"
    );
    for (loaded, saved) in state::tensors(&loaded).iter().zip(&all) {
        assert_eq!(
            loaded == saved,
            !saved.name.starts_with("fc."),
            "{}",
            saved.name
        );
    }
}

#[test]
fn a_list_without_names_is_taken_as_it_is() {
    // fastai's xresnets: 0 and 1 are the first children of the body.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.safetensors");
    let list = ["0.0.weight", "1.0.weight", "4.0.weight"];
    let tensors = list.map(|n| named(n, &[1], &[0.0]));
    write_safetensors(&path, &tensors, &BTreeMap::new()).unwrap();
    let wanted = Wanted::new(list.map(|n| (n, &[1][..])));
    let wanted = wanted.with_children(&["0", "1", "2", "3", "4"]);
    let file = WeightsFile::open(&path).unwrap().matched(&wanted).unwrap();
    assert_eq!(file.names().collect::<Vec<_>>(), list);
    assert!(file.notes().is_empty());
}

/// The model of the fixtures, as names and shapes, with `classes` outputs.
fn wanted(classes: usize) -> Vec<(&'static str, Vec<usize>)> {
    vec![
        ("conv.weight", vec![3, 2, 2, 2]),
        ("conv.bias", vec![3]),
        ("bn.weight", vec![3]),
        ("bn.bias", vec![3]),
        ("bn.running_mean", vec![3]),
        ("bn.running_var", vec![3]),
        ("fc.weight", vec![classes, 3]),
        ("fc.bias", vec![classes]),
    ]
}

fn compare(file: &str, wanted: &[(&'static str, Vec<usize>)]) -> LoadReport {
    let wanted = Wanted::new(wanted.iter().map(|(n, s)| (*n, &s[..])));
    let file = WeightsFile::open(fixture(file)).unwrap();
    LoadReport::compare(&file.matched(&wanted).unwrap(), &wanted)
}

#[test]
fn a_complete_load_reports_integers_as_skipped_and_never_as_unused() {
    let report = compare("zip.pth", &wanted(2));
    report.require_complete().unwrap();
    assert_eq!(report.loaded.len(), 8);
    assert!(report.unused.is_empty());
    assert_eq!(report.skipped, ["bn.num_batches_tracked"]);
    assert_eq!(
        report.to_string(),
        "zip.pth: 8 loaded\n  1 skipped, not floating point: bn.num_batches_tracked"
    );
}

#[test]
fn another_number_of_classes_is_explained_and_can_be_set_aside() {
    let report = compare("zip.pth", &wanted(7));
    assert_eq!(report.loaded.len(), 6);
    let error = report.require_complete().unwrap_err();
    let text = error.to_string();
    for part in [
        "zip.pth",
        "fc.weight: expected [7, 3], found [2, 3]",
        "trained on 2 classes",
        "has 7",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert!(matches!(error, Error::WeightsMisfit { mismatched, .. } if mismatched.len() == 2));
    report.without("fc").require_complete().unwrap();
}

#[test]
fn setting_a_module_aside_does_not_touch_others_whose_names_begin_alike() {
    let mut model = wanted(2);
    model.push(("fc2.weight", vec![1]));
    let report = compare("zip.pth", &model).without("fc");
    assert_eq!(report.missing, ["fc2.weight"]);
}

#[test]
fn a_missing_tensor_is_reported_with_the_name_that_the_file_has_instead() {
    let mut model = wanted(2);
    model[2].0 = "bn1.weight";
    let report = compare("zip.pth", &model);
    assert_eq!(report.missing, ["bn1.weight"]);
    assert_eq!(report.unused, ["bn.weight"]);
    assert_matches!(
        report.require_complete().unwrap_err(),
        Error::WeightsMisfit { missing, hint, .. }
            if missing == &["bn1.weight"] && hint.contains("\"bn.weight\"")
    );
}

#[test]
fn a_file_of_another_architecture_is_called_that() {
    let report = compare("zip.pth", &[("features.0.squeeze.bias", vec![16])]);
    assert_matches!(
        report.require_complete().unwrap_err(),
        Error::WeightsMisfit { hint, .. } if hint.contains("architecture")
    );
}

#[test]
fn what_is_written_is_the_safetensors_format_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    let tensors = [named("b", &[2], &[1.0, -2.0]), named("a", &[], &[0.5])];
    let metadata = BTreeMap::from([
        ("z".to_owned(), "1".to_owned()),
        ("y".to_owned(), "2".to_owned()),
    ]);
    write_safetensors(&path, &tensors, &metadata).unwrap();

    // From the specification: u64 length, JSON padded with spaces, little-endian values without gaps.
    let mut json = concat!(
        r#"{"__metadata__":{"y":"2","z":"1"},"#,
        r#""b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"#,
        r#""a":{"dtype":"F32","shape":[],"data_offsets":[8,12]}}"#
    )
    .to_owned();
    while !json.len().is_multiple_of(8) {
        json.push(' ');
    }
    let mut expected = (json.len() as u64).to_le_bytes().to_vec();
    expected.extend(json.bytes());
    expected.extend([0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0, 0x3f]);
    assert_eq!(fs::read(&path).unwrap(), expected);
}

#[test]
fn written_tensors_read_back_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    let odd = [
        f32::NAN,
        f32::INFINITY,
        -0.0,
        1e-45,
        f32::MAX,
        f32::MIN_POSITIVE,
    ];
    write_safetensors(&path, &[named("odd", &[2, 3], &odd)], &BTreeMap::new()).unwrap();
    let file = WeightsFile::open(&path).unwrap();
    assert_eq!(file.shape("odd"), Some(&[2, 3][..]));
    assert_eq!(bits(&file.read_f32("odd").unwrap()), bits(&odd));
}

#[test]
fn what_pytorch_saved_goes_through_this_library_without_a_changed_bit() {
    let expected: Value =
        serde_json::from_slice(&fs::read(fixture("expected.json")).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "zip.pth",
        "legacy.pth",
        "tar.pth",
        "strided.pth",
        "plain.safetensors",
    ] {
        let file = WeightsFile::open(fixture(name)).unwrap();
        let tensors: Vec<NamedTensor> = file
            .names()
            .map(|n| named(n, file.shape(n).unwrap(), &file.read_f32(n).unwrap()))
            .collect();
        let path = folder.path().join("out.safetensors");
        write_safetensors(&path, &tensors, &BTreeMap::new()).unwrap();

        // The reference implementation reads what was written; expected.json is what PyTorch had.
        let bytes = fs::read(&path).unwrap();
        let written = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let tensors = expected["files"][name]["tensors"].as_object().unwrap();
        assert_eq!(written.len(), tensors.len(), "{name}");
        for (tensor, expected) in tensors {
            let view = written.tensor(tensor).unwrap();
            let shape: Vec<u64> = view.shape().iter().map(|&d| d as u64).collect();
            assert_eq!(shape, numbers(&expected["shape"]), "{name} {tensor}");
            let values = view.data().as_chunks().0.iter();
            let bits: Vec<u64> = values.map(|&v| u32::from_le_bytes(v).into()).collect();
            assert_eq!(bits, numbers(&expected["bits"]), "{name} {tensor}");
        }
    }
}

#[test]
fn a_write_that_fails_keeps_the_old_file_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    write_safetensors(&path, &[named("a", &[1], &[1.0])], &BTreeMap::new()).unwrap();
    let before = fs::read(&path).unwrap();
    for bad in [
        vec![named("a", &[2], &[1.0])],
        vec![named("a", &[1], &[1.0]), named("a", &[1], &[1.0])],
        vec![named("__metadata__", &[1], &[1.0])],
    ] {
        let error = write_safetensors(&path, &bad, &BTreeMap::new()).unwrap_err();
        assert!(matches!(error, Error::WriteWeights { .. }), "{error}");
    }
    // The name of a folder cannot be taken: this fails at the last step.
    fs::create_dir(folder.path().join("taken")).unwrap();
    let error = atomic::write(&folder.path().join("taken"), b"x").unwrap_err();
    assert!(error.path.ends_with("taken"), "{error}");
    let error = atomic::write(&folder.path().join("no/such/folder"), b"x").unwrap_err();
    assert!(error.path.ends_with("no/such/folder"), "{error}");

    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[cfg(unix)]
#[test]
fn a_written_file_can_be_read_by_others_as_any_file_can() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    atomic::write(&ours, b"x").unwrap();
    fs::write(&theirs, b"x").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&ours), mode(&theirs));
}

/// The module of the fixtures.
fn model(seed: u64) -> Sequential {
    let mut init = Init::new(seed, &vision_models::test_device());
    let conv = ConvConfig {
        bias: true,
        ..ConvConfig::new(2, 3, 2)
    };
    let mut net = Sequential::new();
    net.push("conv", Layer::Conv2d(conv.init(&mut init)));
    net.push("bn", Layer::BatchNorm(BatchNorm::new(3, &init)));
    net.push("pool", Layer::AdaptiveAvgPool2d(AdaptiveAvgPool2d::new(1)));
    net.push("flat", Layer::Flatten);
    net.push("fc", Layer::Linear(Linear::new(3, 2, &mut init)));
    net
}

#[test]
fn a_loaded_module_computes_what_it_computes_in_pytorch() {
    let expected: Value =
        serde_json::from_slice(&fs::read(fixture("expected.json")).unwrap()).unwrap();
    let outputs: Vec<f64> = serde_json::from_value(expected["outputs_of_zip.pth"].clone()).unwrap();
    let pixels: Vec<f32> = (0..100).map(|i| i as f32 / 100.0).collect();
    let pixels = TensorData::new(pixels, [2, 2, 5, 5]);
    let pixels = Tensor::<4>::from_data(pixels, &vision_models::test_device());
    for name in ["zip.pth", "legacy.pth", "protocol4.pth", "whole_model.pth"] {
        let file = WeightsFile::open(fixture(name)).unwrap();
        let (net, report) = weights::load_into(model(0), &file).unwrap();
        report.require_complete().unwrap();
        let values = state::values(net.forward(pixels.clone()));
        assert_eq!(values.len(), outputs.len());
        for (value, expected) in values.iter().zip(&outputs) {
            assert!(
                (f64::from(*value) - expected).abs() < 1e-6,
                "{name}: {values:?} {outputs:?}"
            );
        }
    }
}

#[test]
fn a_model_written_and_loaded_is_the_same_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    let tensors = state::tensors(&model(1));
    write_safetensors(&path, &tensors, &BTreeMap::new()).unwrap();
    let file = WeightsFile::open(&path).unwrap();
    let (loaded, report) = weights::load_into(model(2), &file).unwrap();
    report.require_complete().unwrap();
    assert!(report.unused.is_empty());
    assert_eq!(state::tensors(&loaded), tensors);
}

#[test]
fn a_partial_load_leaves_the_rest_as_it_was() {
    let file = WeightsFile::open(fixture("model_child.pth")).unwrap();
    let (loaded, report) = weights::load_into(model(1), &file).unwrap();
    assert_eq!(
        (
            report.loaded.len(),
            report.missing.len(),
            report.unused.len()
        ),
        (0, 8, 2)
    );
    assert_eq!(state::tensors(&loaded), state::tensors(&model(1)));
}

/// A checkpoint of 45 MB with eight classes, too large for the repository.
#[test]
#[ignore = "needs a file: set VISION_RESNET18_DIGITS to resnet18-digits.pth"]
fn a_resnet18_checkpoint_of_torchvisions_layout_loads_completely() {
    let path = std::env::var_os("VISION_RESNET18_DIGITS").expect("VISION_RESNET18_DIGITS is set");
    let device = vision_models::test_device();
    let start = std::time::Instant::now();
    let file = WeightsFile::open(PathBuf::from(path)).unwrap();
    let opened = start.elapsed();
    assert_eq!((file.len(), file.skipped().count()), (102, 20));
    let model = Arch::ResNet18.build(8, &mut Init::zeroed(&device));
    let start = std::time::Instant::now();
    let (model, report) = weights::load_into(model, &file).unwrap();
    println!("opened in {opened:?}, loaded in {:?}", start.elapsed());
    report.require_complete().unwrap();
    assert!(report.unused.is_empty());

    // The sum of all values' bits, and the bits of one tensor, from PyTorch.
    let tensors = state::tensors(&model);
    let sum = tensors
        .iter()
        .flat_map(|t| &t.values)
        .fold(0u64, |sum, v| sum.wrapping_add(v.to_bits().into()));
    assert_eq!(sum, 23_336_539_762_201_347);
    let bias = [
        0x3cdba17d, 0x3c8d87b4, 0xbc369a05, 0xbcf1c1f7, 0xbc5738fb, 0xbcb75909, 0x3d12ba20,
        0x3c85b6bc,
    ];
    assert_eq!(bits(&file.read_f32("fc.bias").unwrap()), bias);
}

#[test]
fn a_body_that_was_cut_and_saved_loads_into_the_whole_model_by_position() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.safetensors");
    // As a learner names it: body 0, head 1, children by number.
    let mut tensors = state::tensors(&model(1).truncated(3));
    for tensor in &mut tensors {
        tensor.name = format!("0.{}", tensor.name);
    }
    tensors.push(named("1.8.weight", &[2, 3], &[0.0; 6]));
    write_safetensors(&path, &tensors, &BTreeMap::new()).unwrap();
    let (loaded, report) =
        weights::load_into(model(2), &WeightsFile::open(&path).unwrap()).unwrap();
    report.without("fc").require_complete().unwrap();
    let (ours, theirs) = (state::tensors(&loaded), state::tensors(&model(1)));
    assert_eq!(ours[..6], theirs[..6]);
}

#[test]
fn a_report_is_short_in_debug_too() {
    let path = fixture("zip.pth");
    let model = Arch::DenseNet201.build(10, &mut Init::zeroed(&vision_models::test_device()));
    let file = WeightsFile::open(path).unwrap();
    let report = weights::compare_layers(&model, &file).unwrap();
    assert!(report.missing.len() > 900);
    assert!(format!("{report:?}").len() < 600, "{report:?}");
}
