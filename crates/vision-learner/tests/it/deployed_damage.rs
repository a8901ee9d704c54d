//! Damage of a deployed model is noticed, and one that was written to deceive is an error.

use std::fs;

use serde_json::{Value, json};
use vision_learner::{Error, ExportConfig, Predictor};
use vision_models::Init;
use vision_models::layers::{AdaptiveAvgPool2d, BatchNorm, ConvConfig, Layer, Linear, Sequential};

use crate::prelude::*;
use crate::support;
use crate::written::{Written, header};

/// A learner on a network of few parameters, and its file.
fn small() -> (support::Digits, Learner, Vec<u8>) {
    let digits = support::digits(4, 2);
    let data = ImageDataBunch::from_folder(&digits.path)
        .batch_size(4)
        .size(16)
        .build()
        .unwrap();
    let mut init = Init::new(0, data.device());
    let conv = ConvConfig::new(3, 4, 3).with_stride(2).init(&mut init);
    let net = Sequential::numbered([
        Layer::Conv2d(conv),
        Layer::BatchNorm(BatchNorm::new(4, &init)),
        Layer::Relu,
        Layer::AdaptiveAvgPool2d(AdaptiveAvgPool2d::new(1)),
        Layer::Linear(Linear::new(4, 2, &mut init)),
    ]);
    let mut learner = Learner::builder(data, net).silent(true).build().unwrap();
    learner.fit(1, 1e-3).unwrap();
    let bytes = learner.export_bytes(ExportConfig::new()).unwrap();
    (digits, learner, bytes)
}

#[test]
fn every_flipped_bit_and_every_cut_of_a_deployed_model_is_an_error_that_says_what_to_do() {
    let (_digits, _, good) = small();
    Predictor::from_bytes(&good).unwrap();
    let mut bytes = good.clone();
    let header = header(&good);
    // Every bit of the length and the header, and of every 13th byte after it.
    let places = (0..header).chain((header..good.len()).step_by(13));
    let mut flips = 0;
    for at in places {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            let error = match Predictor::from_bytes(&bytes) {
                Err(error @ (Error::Models(_) | Error::Bundle { .. })) => error.to_string(),
                other => panic!("bit {bit} of byte {at}: {other:?}"),
            };
            assert!(error.contains("another copy"), "byte {at}: {error}");
            bytes[at] ^= 1 << bit;
            flips += 1;
        }
    }
    assert!(flips > 20_000, "{flips}");
    for length in (0..good.len()).filter(|length| *length < 3000 || length % 101 == 0) {
        let error = Predictor::from_bytes(&good[..length]).unwrap_err();
        assert!(
            matches!(error, Error::Models(_)),
            "cut at {length}: {error}"
        );
        assert!(error.to_string().contains("another copy"), "{error}");
    }
    assert!(
        Predictor::from_bytes(&[&good[..], b"x"].concat()).is_err(),
        "a byte more"
    );
    assert_eq!(bytes, good);
}

#[test]
fn a_file_that_is_only_sealed_again_is_the_same_model() {
    let (_digits, learner, bytes) = small();
    let opened = Written::of(&bytes).open().unwrap();
    let image = learner.data().valid_ds().image(0).unwrap();
    assert_eq!(
        opened.predict(&image).unwrap(),
        learner.predict(&image).unwrap()
    );
}

/// The paths of all values in JSON, as pointers.
fn places(value: &Value, at: &str, out: &mut Vec<String>) {
    if !at.is_empty() {
        out.push(at.to_owned());
    }
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                places(value, &format!("{at}/{key}"), out);
            }
        }
        Value::Array(list) => {
            for (i, value) in list.iter().enumerate() {
                places(value, &format!("{at}/{i}"), out);
            }
        }
        _ => {}
    }
}

#[test]
fn a_manifest_without_a_field_or_with_one_of_another_type_is_an_error() {
    let (_digits, _, bytes) = small();
    let good = Written::of(&bytes);
    let mut fields = Vec::new();
    places(&good.manifest(), "", &mut fields);
    // Golden outputs and classes are lists.
    fields.retain(|place| place.rsplit('/').next().unwrap().parse::<usize>().is_err());
    assert!(fields.len() > 40, "{fields:?}");
    for place in &fields {
        let (parent, field) = place.rsplit_once('/').unwrap();
        let without = good.clone().with_manifest(|m| {
            let parent = m.pointer_mut(parent).unwrap().as_object_mut().unwrap();
            parent.remove(field).unwrap();
        });
        let error = without.open().expect_err(place);
        assert!(matches!(error, Error::Bundle { .. }), "{place}: {error:?}");
        assert!(
            error.to_string().contains("Learner::export"),
            "{place}: {error}"
        );
        let another = good
            .clone()
            .with_manifest(|m| *m.pointer_mut(place).unwrap() = json!([[{"no": "field"}]]));
        let error = another.open().expect_err(place);
        assert!(matches!(error, Error::Bundle { .. }), "{place}: {error:?}");
        assert!(
            error.to_string().contains("Learner::export"),
            "{place}: {error}"
        );
    }
    let more = good.clone().with_manifest(|m| m["more"] = json!(1));
    assert!(matches!(more.open(), Err(Error::Bundle { .. })));
}

#[test]
fn any_value_of_a_manifest_may_be_anything_and_nothing_panics() {
    let (_digits, learner, bytes) = small();
    let good = Written::of(&bytes);
    let image = learner.data().valid_ds().image(0).unwrap();
    let mut all = Vec::new();
    places(&good.manifest(), "", &mut all);
    // Golden outputs differ in nothing.
    all.retain(|place| !place.contains("/outputs/") || place.ends_with("/0"));
    let strange = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(1),
        json!(2),
        json!(1e300),
        json!(u64::MAX),
        json!(1_000_000),
        json!(""),
        json!("x"),
        json!([]),
        json!({}),
        json!([0, 1]),
    ];
    let mut opened = 0;
    for place in &all {
        for value in &strange {
            let changed = good
                .clone()
                .with_manifest(|m| *m.pointer_mut(place).unwrap() = value.clone());
            // What opens predicts something, or says why not.
            if let Ok(predictor) = changed.open() {
                opened += 1;
                let _ = predictor.predict(&image);
                let test = predictor.self_test();
                let _ = (test.to_string(), predictor.card().unwrap().to_string());
            }
        }
    }
    // Texts, numbers of training and the like may be anything.
    assert!(
        (50..all.len() * strange.len() / 2).contains(&opened),
        "{opened} of {}",
        all.len()
    );
}

#[test]
fn a_header_may_say_anything_of_its_tensors_and_nothing_panics() {
    let (_digits, _, bytes) = small();
    let good = Written::of(&bytes);
    let mut all = Vec::new();
    places(&good.header, "", &mut all);
    all.retain(|place| !place.starts_with("/__metadata__"));
    let most = good.values.len() as u64;
    let strange = [
        json!(null),
        json!(-1),
        json!(0),
        json!(1),
        json!(u64::MAX),
        json!(most),
        json!("F16"),
        json!("I64"),
        json!([]),
        json!([u64::MAX, 2]),
        json!({"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}),
    ];
    let mut refused = 0;
    for place in &all {
        for value in &strange {
            let mut changed = good.clone();
            *changed.header.pointer_mut(place).unwrap() = value.clone();
            refused += usize::from(changed.open().is_err());
        }
    }
    // All but values that are the same as before.
    assert!(
        refused + 40 > all.len() * strange.len(),
        "{refused} of {}",
        all.len()
    );
}

#[test]
fn manifests_that_would_predict_wrongly_are_errors_that_name_the_field() {
    let (_digits, _, bytes) = small();
    let good = Written::of(&bytes);
    let cases: [(&str, Value, &str); 22] = [
        ("/format", json!(2), "newer version"),
        ("/format", json!(0), "format"),
        ("/classes", json!(["3"]), "classes"),
        ("/classes", json!(["3", "3"]), "classes"),
        ("/classes", json!(["3", "7", "9"]), "classes"),
        ("/outputs", json!(3), "classes"),
        ("/outputs", json!(0), "outputs"),
        ("/kind", json!("float"), "classes"),
        ("/threshold", json!(0.5), "threshold"),
        ("/temperature", json!(0.0), "temperature"),
        ("/temperature", json!(-1.0), "temperature"),
        ("/min_size", json!(0), "min_size"),
        ("/min_size", json!(17), "17x17"),
        ("/activation", json!("hardmax"), "activation"),
        ("/activation", json!({"own": "x"}), "with_loss"),
        ("/layers", json!(null), "open_with"),
        ("/layers", json!([]), "no layers"),
        ("/preprocessing/size", json!({"square": 0}), "size"),
        ("/preprocessing/size", json!({"square": 16_384}), "size"),
        (
            "/preprocessing/normalize",
            json!({"mean": [0, 0, 0], "std": [0, 1, 1]}),
            "stats",
        ),
        (
            "/preprocessing/transforms",
            json!([{"custom": {"name": "no such transform", "settings": null, "p": 1.0}}]),
            "no such transform",
        ),
        ("/golden/0/outputs", json!([0]), "golden"),
    ];
    let size = good.manifest()["preprocessing"]["size"].clone();
    for (place, mut value, what) in cases {
        if place.ends_with("/size") {
            // As the library writes a size of 16.
            value =
                serde_json::from_str(&size.to_string().replace("16", &value["square"].to_string()))
                    .unwrap();
        }
        let changed = good
            .clone()
            .with_manifest(|m| *m.pointer_mut(place).unwrap() = value.clone());
        let error = changed.open().expect_err(place).to_string();
        assert!(error.contains(what), "{place} {value}: {error}");
    }
    // Two classes that change places predict wrongly, and only the writer can know: the hash names the file.
    let swapped = good
        .clone()
        .with_manifest(|m| m["classes"] = json!(["7", "3"]));
    let hash = |written: &Written| written.open().unwrap().card().unwrap().hash.clone();
    assert_ne!(hash(&swapped), hash(&good));
}

#[test]
fn layers_and_values_that_do_not_agree_are_errors_before_anything_is_allocated() {
    let (_digits, _, bytes) = small();
    let good = Written::of(&bytes);
    for (place, value) in [
        ("/layers/0/1/conv2d/outputs", json!(1 << 22)),
        ("/layers/0/1/conv2d/inputs", json!(1 << 20)),
        ("/layers/0/1/conv2d/kernel", json!(64)),
        ("/layers/0/1/conv2d/bias", json!(true)),
        ("/layers/1/1/batch_norm/channels", json!(1 << 22)),
        ("/layers/4/1/linear/outputs", json!(3)),
        ("/layers/4/1/linear/inputs", json!(1_u64 << 40)),
        ("/layers/4/0", json!("5")),
        ("/layers/3/1/adaptive_avg_pool2d/size", json!(32)),
    ] {
        let changed = good
            .clone()
            .with_manifest(|m| *m.pointer_mut(place).unwrap() = value.clone());
        let error = changed.open().expect_err(place);
        assert!(
            matches!(error, Error::Models(_) | Error::Bundle { .. }),
            "{place}: {error:?}"
        );
    }
    // The header names tensors that are too few, too many, or not finite.
    let mut less = good.clone();
    let bias = less.header.as_object_mut().unwrap().remove("4.bias");
    assert!(bias.is_some() && less.open().is_err());
    let mut other = good.clone();
    other.header["other"] = other
        .header
        .as_object_mut()
        .unwrap()
        .remove("golden.0")
        .unwrap();
    assert!(matches!(other.open(), Err(Error::Bundle { field, .. }) if field == "golden.0"));
    let mut nan = good.clone();
    nan.values[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    let error = nan.open().unwrap_err().to_string();
    assert!(error.contains("finite"), "{error}");
}

#[test]
fn a_self_test_notices_a_weight_that_somebody_changed_and_sealed() {
    let (_digits, _, bytes) = small();
    let mut written = Written::of(&bytes);
    // 0.5 in each weight of the first layer.
    written.values[..32].copy_from_slice(&0.5_f32.to_le_bytes().repeat(8));
    let opened = written.open().unwrap();
    let test = opened.self_test();
    assert!(!test.passed(), "{test}");
    assert!(
        test.inputs.iter().all(|input| input.difference > Some(0.0)),
        "{test}"
    );
    assert!(
        test.to_string().contains("self test failed: 0 of 3"),
        "{test}"
    );

    // Exported elsewhere: the last bits may differ, and not more.
    let elsewhere = Written::of(&bytes).with_manifest(|m| m["machine"] = json!("another"));
    let test = elsewhere.open().unwrap().self_test();
    assert!(test.passed() && test.tolerance == 1e-4, "{test}");
    let off = Written::of(&bytes).with_manifest(|m| {
        m["machine"] = json!("another");
        let bits = m["golden"][0]["outputs"][0].as_u64().unwrap() as u32;
        m["golden"][0]["outputs"][0] = json!((f32::from_bits(bits) + 2e-4).to_bits());
    });
    let test = off.open().unwrap().self_test();
    assert!(!test.passed() && test.inputs[1].passed, "{test}");
    let broken = Written::of(&bytes).with_manifest(|m| m["golden"] = json!([]));
    // Images that no entry names are parameters of nothing.
    assert!(broken.open().is_err());
}

#[test]
fn other_files_are_errors_that_say_what_they_are() {
    let (digits, learner, _) = small();
    let checkpoint = learner.save("state").unwrap();
    let error = Predictor::open(&checkpoint).unwrap_err().to_string();
    assert!(error.contains("a checkpoint of Learner::save"), "{error}");
    let weights = digits.path.join("weights.safetensors");
    learner
        .export_safetensors(&weights, vision_models::export::Names::FastAi)
        .unwrap();
    let onnx = digits.path.join("model.onnx");
    learner.export_onnx(&onnx).unwrap();
    let text = digits.path.join("text.safetensors");
    fs::write(&text, "no model").unwrap();
    for path in [
        weights,
        onnx,
        text,
        digits.path.join("missing"),
        digits.path.clone(),
    ] {
        let error = Predictor::open(&path).unwrap_err().to_string();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(error.contains(name), "{error}");
    }
}
