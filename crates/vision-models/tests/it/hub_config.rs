//! The configurations of timm's repositories on the hub are read as timm reads them.

use std::fs;
use std::sync::LazyLock;

use serde_json::{Value, json};
use vision_models::weights::HubConfig;
use vision_models::{Arch, Error, WeightsPlace, near_repositories};

static FIXTURE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../fixtures/timm_hub.json")).unwrap());

fn read(text: &str) -> Result<HubConfig, Error> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    fs::write(&file, text).unwrap();
    HubConfig::read(&file)
}

#[test]
fn a_configuration_says_what_timm_makes_of_it() {
    let configs = FIXTURE["configs"].as_array().unwrap();
    assert_eq!(configs.len(), 8);
    for expected in configs {
        // The file of today, and the older one with everything at the top.
        let new = expected["config"].clone();
        let mut old = new["pretrained_cfg"].clone();
        old["architecture"] = new["architecture"].clone();
        for config in [new, old] {
            let found = read(&config.to_string()).unwrap();
            let name = expected["name"].as_str().unwrap();
            assert_eq!(
                found.architecture.as_deref(),
                expected["architecture"].as_str(),
                "{name}"
            );
            assert_eq!(json!(found.classes), expected["classes"], "{name}");
            let numbers = |value: &Value| -> Vec<f32> {
                let numbers = value.as_array().unwrap().iter();
                numbers
                    .map(|number| number.as_f64().unwrap() as f32)
                    .collect()
            };
            assert_eq!(
                found.mean.unwrap().to_vec(),
                numbers(&expected["mean"]),
                "{name}"
            );
            assert_eq!(
                found.std.unwrap().to_vec(),
                numbers(&expected["std"]),
                "{name}"
            );
            let [height, width] = found.size.unwrap();
            assert_eq!(json!([3, height, width]), expected["input_size"], "{name}");
            assert_eq!(json!(found.crop_pct), expected["crop_pct"], "{name}");
            assert_eq!(json!(found.crop_mode), expected["crop_mode"], "{name}");
            assert_eq!(
                json!(found.interpolation),
                expected["interpolation"],
                "{name}"
            );
            assert_eq!(json!(found.fixed_size), expected["fixed_size"], "{name}");
            assert!(
                found.first_conv.is_some() && found.classifier.is_some(),
                "{name}"
            );
        }
    }
}

#[test]
fn what_other_libraries_write_is_named() {
    for (text, holds) in [
        (
            r#"{"architectures": ["DetrForObjectDetection"], "model_type": "detr", "num_labels": 91}"#,
            "DetrForObjectDetection, model_type detr",
        ),
        (
            r#"{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "pipeline_tag": "text-generation"}"#,
            "LlamaForCausalLM, model_type llama, pipeline_tag text-generation",
        ),
        ("{}", "something that its config.json does not name"),
        // Fields that mean something else elsewhere.
        (
            r#"{"mean": "x", "std": 7, "input_size": 3}"#,
            "something that its config.json does not name",
        ),
    ] {
        let found = read(text).unwrap();
        assert_eq!(
            (found.architecture.as_deref(), found.holds().as_str()),
            (None, holds),
            "{text}"
        );
    }
    // transformers' wrapper of timm's networks.
    let text =
        r#"{"architecture": "resnet18", "architectures": ["TimmWrapperForImageClassification"]}"#;
    assert_eq!(read(text).unwrap().holds(), "\"resnet18\"");
}

#[test]
fn a_value_that_cannot_be_is_an_error_that_names_its_field() {
    let with = |field: &str, value: Value| {
        let mut cfg = json!({ "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5] });
        cfg[field] = value;
        json!({ "architecture": "resnet18", "pretrained_cfg": cfg }).to_string()
    };
    for (name, text) in [
        ("the file", "{".to_owned()),
        ("the file", "[]".to_owned()),
        ("architecture", json!({ "architecture": 7 }).to_string()),
        (
            "pretrained_cfg",
            json!({ "architecture": "a", "pretrained_cfg": [] }).to_string(),
        ),
        (
            "num_classes",
            json!({ "architecture": "a", "num_classes": -1 }).to_string(),
        ),
        ("mean", with("mean", json!([0.5, 0.5]))),
        ("mean", with("mean", json!([0.5, 0.5, "0.5"]))),
        ("mean", with("mean", json!([0.5, 0.5, 1e99]))),
        ("std", with("std", json!([0.5, 0.0, 0.5]))),
        ("std", with("std", json!(0.5))),
        ("input_size", with("input_size", json!([1, 224, 224]))),
        ("input_size", with("input_size", json!([3, 0, 224]))),
        ("input_size", with("input_size", json!([3, 224, 1e9]))),
        ("input_size", with("input_size", json!([3, 224, 16385]))),
        ("crop_pct", with("crop_pct", json!(0))),
        ("crop_pct", with("crop_pct", json!(1.5))),
        ("interpolation", with("interpolation", json!(3))),
        ("crop_mode", with("crop_mode", json!({}))),
    ] {
        let error = read(&text).unwrap_err();
        assert!(
            matches!(&error, Error::HubConfig { field, .. } if *field == name),
            "{text}: {error}"
        );
        assert!(error.to_string().contains(name), "{error}");
    }
    assert_eq!(read(&with("mean", Value::Null)).unwrap().mean, None);
}

#[test]
fn the_table_of_published_weights_is_timms() {
    let mut of_table = 0;
    for (name, tags) in FIXTURE["tags"].as_object().unwrap() {
        let arch = Arch::from_timm(name).unwrap();
        let tags = tags.as_array().unwrap().iter();
        let expected: Vec<String> = tags
            .map(|tag| format!("timm/{name}.{}", tag.as_str().unwrap()))
            .collect();
        assert_eq!(arch.repositories(), expected, "{name}");
        of_table += expected.len();
    }
    assert_eq!(of_table, 219);
    assert_eq!(Arch::from_timm("mobilenetv2_100"), Some(Arch::MobileNetV2));
    assert_eq!(Arch::from_timm("efficientdet_d0"), None);
    // What `.pretrained(true)` takes is one that exists.
    for arch in Arch::ALL {
        let weights = arch.info().weights.as_ref();
        if let Some(WeightsPlace::Hub { repository }) = weights.map(|weights| weights.place) {
            assert!(
                repository.starts_with("timm/") && repository.contains('.'),
                "{arch}: {repository}"
            );
            let name = repository
                .trim_start_matches("timm/")
                .split('.')
                .next()
                .unwrap();
            assert_eq!(Arch::from_timm(name), Some(*arch), "{repository}");
        }
    }
}

#[test]
fn names_that_are_nearly_right_lead_to_the_right_ones() {
    for (given, nearest) in [
        ("resnet18.a1_in1", "timm/resnet18.a1_in1k"),
        ("timm/resnet18.A1_in1k", "timm/resnet18.a1_in1k"),
        ("timm/resnet-18.a1_in1k", "timm/resnet18.a1_in1k"),
        ("timm/densenet121.ra_in_1k", "timm/densenet121.ra_in1k"),
        (
            "timm/tf_efficientnet_lite0",
            "timm/tf_efficientnet_lite0.in1k",
        ),
        ("mobilenetv2_100", "timm/mobilenetv2_100.ra_in1k"),
        ("vgg16_bn.imagenet", "timm/vgg16_bn.tv_in1k"),
    ] {
        let near = near_repositories(given);
        assert_eq!(
            near.first().map(String::as_str),
            Some(nearest),
            "{given}: {near:?}"
        );
        assert!(near.len() <= 5);
    }
    // Without its tag, all of the architecture and of no other.
    let near = near_repositories("resnet18");
    assert!(
        near.len() == 5 && near.iter().all(|name| name.starts_with("timm/resnet18.")),
        "{near:?}"
    );
    for nothing in ["", "facebook/detr-resnet-50", "bert-base-uncased", "."] {
        assert!(
            near_repositories(nothing).is_empty(),
            "{nothing}: {:?}",
            near_repositories(nothing)
        );
    }
}
