//! Architectures as data.

use burn::tensor::{Device, Tensor};
use serde_json::{Value, json};
use vision_models::layers::{
    AdaptiveAvgPool2d, AvgPool2d, BatchNorm, ConvConfig, Dropout, Layer, Linear, MaxPool2d,
    Sequential,
};
use vision_models::{Arch, Cut, Description, Error, Init, state};

fn device() -> Device {
    Device::default()
}

/// Names and shapes.
fn shapes(model: &Sequential) -> Vec<(String, Vec<usize>)> {
    let entries = state::entries(model);
    entries.into_iter().map(|e| (e.name, e.shape)).collect()
}

/// The network that the JSON of `model`'s description describes.
fn again(model: &Sequential) -> Sequential {
    let json = serde_json::to_string(&Description::of(model)).unwrap();
    let description: Description = serde_json::from_str(&json).unwrap();
    assert_eq!(description, Description::of(model));
    let known = shapes(model);
    let shape = |name: &str| {
        let found = known.iter().find(|(known, _)| known == name);
        found.map(|(_, shape)| shape.clone())
    };
    description.build(shape, &device()).unwrap()
}

#[test]
fn every_architecture_comes_back_from_its_description_with_its_names_and_shapes() {
    for &arch in Arch::ALL {
        let model = arch.build(10, &mut Init::zeroed(&device()));
        let built = again(&model);
        let description = Description::of(&model);
        assert_eq!(shapes(&built), shapes(&model), "{arch}");
        assert_eq!(description.parameters(), shapes(&model), "{arch}");
        // A second description shows settings without parameters: strides, pools, epsilons.
        assert_eq!(Description::of(&built), description, "{arch}");
        assert_eq!(
            description.check(Some([224, 224])).unwrap(),
            Some(10),
            "{arch}"
        );
        let cut = Cut::Default.apply(model, arch.info().cut).unwrap();
        assert_eq!(shapes(&again(&cut)), shapes(&cut), "{arch}");
    }
}

#[test]
fn a_network_of_a_description_computes_the_bits_of_the_first_one() {
    for arch in [
        Arch::SqueezeNet1_1,
        Arch::ResNet18,
        Arch::ResNet50,
        Arch::DenseNet121,
        Arch::MobileNetV2,
        Arch::TfEfficientNetLite0,
        Arch::ResNeXt50_32x4d,
        Arch::EfficientNetB0,
        Arch::EfficientNetV2S,
        Arch::MobileNetV3Small100,
        Arch::MobileNetV4ConvSmall,
        Arch::RegNetY004,
        Arch::ResNet50D,
        Arch::SeResNet50,
        Arch::XResNet18,
        Arch::XResNet50,
        Arch::ConvNextAtto,
        Arch::ConvNextTiny,
        Arch::ConvNextV2Atto,
        Arch::VitTinyPatch16_224,
        Arch::Deit3SmallPatch16_224,
        Arch::VitSmallPatch14DinoV2,
    ] {
        let model = arch.build(7, &mut Init::new(3, &device()));
        let mut values = state::tensors(&model).into_iter();
        let built = state::assign(again(&model), &mut |_, _| Some(values.next()?.values));
        let pixels: Vec<f32> = (0..2 * 3 * 64 * 48)
            .map(|i| (i as f32 * 0.37).sin())
            .collect();
        let images = Tensor::<1>::from_floats(&pixels[..], &device()).reshape([2, 3, 64, 48]);
        let bits = |model: &Sequential| {
            let outputs = state::values(model.forward(images.clone()));
            outputs.iter().map(|v| v.to_bits()).collect::<Vec<_>>()
        };
        assert_eq!(bits(&built), bits(&model), "{arch}");
    }
}

#[test]
fn stochastic_depth_comes_back_and_rises_to_the_rate_of_the_last_block() {
    let mut init = Init::zeroed(&device());
    init.set_drop_path(0.2);
    let model = Arch::ConvNextAtto.build(10, &mut init);
    let json = serde_json::to_value(Description::of(&model)).unwrap();
    let mut rates = Vec::new();
    for stage in json[1][1]["sequential"].as_array().unwrap() {
        let stage = stage[1]["sequential"].as_array().unwrap();
        for block in stage.last().unwrap()[1]["sequential"].as_array().unwrap() {
            let block = &block[1]["conv_next_block"];
            rates.push(block.get("drop_path").map_or(0.0, |p| p.as_f64().unwrap()));
        }
    }
    // timm's calculate_drop_path_rates(0.2, [2, 2, 6, 2], stagewise=True).
    assert_eq!(rates.len(), 12);
    for (i, rate) in rates.iter().enumerate() {
        assert!((rate - 0.2 * i as f64 / 11.0).abs() < 1e-12, "{rates:?}");
    }
    assert_eq!(Description::of(&again(&model)), Description::of(&model));

    let model = Arch::VitTinyPatch16_224.build(10, &mut init);
    let json = serde_json::to_value(Description::of(&model)).unwrap();
    let blocks = json[2][1]["sequential"].as_array().unwrap();
    let last = &blocks[11][1]["transformer_block"]["drop_path"];
    assert_eq!(last.as_f64(), Some(0.2));
    assert_eq!(Description::of(&again(&model)), Description::of(&model));
}

#[test]
fn settings_that_no_architecture_has_come_back_too() {
    let mut init = Init::new(0, &device());
    let conv = ConvConfig::new(3, 8, 5).with_stride(3).with_padding(1);
    let mut linear = Linear::new(8, 2, &mut init);
    linear.bias = None;
    let model = Sequential::numbered([
        Layer::Conv2d(conv.with_bias().init(&mut init)),
        Layer::BatchNorm(
            BatchNorm::new(8, &init)
                .with_epsilon(0.1)
                .with_momentum(0.3),
        ),
        Layer::MaxPool2d(MaxPool2d::new(3, 1, 1).with_ceil_mode()),
        Layer::AvgPool2d(AvgPool2d::new(2).with_ceil_mode()),
        Layer::Relu6,
        Layer::Conv2d(ConvConfig::new(8, 8, 1).with_groups(4).init(&mut init)),
        Layer::AdaptiveAvgPool2d(AdaptiveAvgPool2d::new(1)),
        Layer::Dropout(Dropout::new(0.123_456_789_012_345, init.dropout())),
        Layer::Linear(linear),
    ]);
    assert_eq!(Description::of(&again(&model)), Description::of(&model));
}

fn described(layers: Value) -> vision_models::Result<Option<usize>> {
    let description: Description = serde_json::from_value(layers).unwrap();
    description.check(Some([32, 32]))
}

fn conv(changes: &[(&str, usize)]) -> Value {
    let mut conv = json!({
        "inputs": 3, "outputs": 4, "kernel": 3, "stride": 1, "padding": 1, "groups": 1, "bias": true,
    });
    for (key, value) in changes {
        conv[*key] = json!(value);
    }
    json!({ "conv2d": conv })
}

#[test]
fn descriptions_that_cannot_be_networks_are_errors_that_name_the_layer() {
    let nested = |depth: usize| {
        (0..depth).fold(
            json!("relu"),
            |inner, _| json!({"sequential": [["0", inner]]}),
        )
    };
    let norm = |channels: usize| json!({"batch_norm": {"channels": channels, "momentum": 0.1, "epsilon": 1e-5}});
    let linear = |inputs: usize| json!({"linear": {"inputs": inputs, "outputs": 2, "bias": true}});
    let block = json!({"basic_block": {
        "conv1": conv(&[("inputs", 4)])["conv2d"], "bn1": norm(4)["batch_norm"],
        "conv2": conv(&[("inputs", 4), ("stride", 2)])["conv2d"], "bn2": norm(4)["batch_norm"],
        "downsample": null,
    }});
    let next = |sizes: &[usize; 4], drop_path: f64| {
        let conv = conv(&[("outputs", 3), ("groups", 3)]);
        let map = |from: usize, to: usize| json!({"inputs": from, "outputs": to, "bias": true});
        json!({"conv_next_block": {
            "conv_dw": conv["conv2d"], "norm": {"channels": sizes[0], "epsilon": 1e-6},
            "mlp": {"fc1": map(sizes[0], sizes[1]), "fc2": map(sizes[2], sizes[3])},
            "scale": true, "drop_path": drop_path,
        }})
    };
    let tokens = json!({"tokens": {"channels": 3, "grid": 2, "class": true}});
    let block_of = |heads: usize, qkv: usize| {
        let norm = json!({"channels": 3, "epsilon": 1e-6});
        let map = |from: usize, to: usize| json!({"inputs": from, "outputs": to, "bias": true});
        json!({"transformer_block": {
            "norm1": norm, "heads": heads, "qkv": map(3, qkv), "proj": map(3, 3), "norm2": norm,
            "mlp": {"fc1": map(3, 12), "fc2": map(12, 3)}, "scale": false,
        }})
    };
    let cases = [
        (json!([]), "", "no layers"),
        (json!([["a", conv(&[("groups", 0)])]]), "a", "groups"),
        (json!([["a", conv(&[("groups", 2)])]]), "a", "groups"),
        (json!([["a", conv(&[("kernel", 0)])]]), "a", "window of 0"),
        (
            json!([["a", conv(&[("kernel", 1 << 40)])]]),
            "a",
            "window of",
        ),
        (json!([["a", conv(&[("stride", 0)])]]), "a", "stride of 0"),
        (
            json!([["a", conv(&[("padding", 1 << 20)])]]),
            "a",
            "padding",
        ),
        (json!([["a", conv(&[("outputs", 0)])]]), "a", "features"),
        (
            json!([["a", conv(&[("outputs", usize::MAX)])]]),
            "a",
            "features",
        ),
        (
            json!([["a", conv(&[("inputs", 4)])]]),
            "a",
            "takes 4 channels, and gets 3",
        ),
        (
            json!([["a", conv(&[])], ["b", norm(5)]]),
            "b",
            "takes 5 channels, and gets 4",
        ),
        (
            json!([["a", conv(&[])], ["b", linear(7)]]),
            "b",
            "takes 7 channels, and gets 4096",
        ),
        (
            json!([["a", conv(&[])], ["a", conv(&[("inputs", 4)])]]),
            "a.weight",
            "same name",
        ),
        // Squeeze and excitation with another number of factors, and with factors of several pixels.
        (
            json!([["a", {"gate": [["fc", conv(&[("kernel", 1), ("padding", 0)])]]}]]),
            "a",
            "multiplies 3 channels of 1x1 with 4 channels of 1x1",
        ),
        (
            json!([["a", {"gate": [["fc", conv(&[("outputs", 3), ("kernel", 1), ("padding", 1)])]]}]]),
            "a",
            "of 1x1 with 3 channels of",
        ),
        (
            json!([["a", {"gate": []}], ["b", {"residual": {
                "layers": [["conv1", conv(&[])]], "downsample": [["0", conv(&[("outputs", 5)])]], "relu": true,
            }}]]),
            "b",
            "different shapes",
        ),
        (
            json!([["a", conv(&[])], ["b", block]]),
            "b",
            "different shapes",
        ),
        (json!([["a", {"dropout": {"p": 2.0}}]]), "a", "probability"),
        (
            json!([["a", {"adaptive_avg_pool2d": {"size": 0}}]]),
            "a",
            "size of 0",
        ),
        (
            json!([["a", {"adaptive_avg_pool2d": {"size": 100_000}}]]),
            "a",
            "size of 100000",
        ),
        (
            json!([["a", {"max_pool2d": {"kernel": 2, "stride": 1, "padding": 2, "ceil": false}}]]),
            "a",
            "padding",
        ),
        (
            json!([["a", {"avg_pool2d": {"size": 64, "ceil": false}}]]),
            "a",
            "gets 32x32",
        ),
        (
            json!([["a", {"layer_norm": {"channels": 3, "epsilon": -1.0}}]]),
            "a",
            "epsilon",
        ),
        (
            json!([["a", {"layer_norm": {"channels": 4, "epsilon": 1e-6}}]]),
            "a",
            "takes 4 channels, and gets 3",
        ),
        (
            json!([["a", next(&[4, 16, 16, 4], 0.1)]]),
            "a.norm",
            "takes 4 channels",
        ),
        (
            json!([["a", next(&[3, 12, 13, 3], 0.1)]]),
            "a.mlp.fc2",
            "takes 13 channels",
        ),
        (
            json!([["a", next(&[3, usize::MAX, usize::MAX, 3], 0.1)]]),
            "a.mlp.fc1",
            "features",
        ),
        (
            json!([["a", next(&[3, 12, 12, 6], 0.1)]]),
            "a",
            "takes 3 channels, and gets 6",
        ),
        (
            json!([["a", next(&[3, 12, 12, 3], 1.5)]]),
            "a",
            "stochastic depth",
        ),
        (
            json!([["a", {"tokens": {"channels": 3, "grid": 0, "class": true}}]]),
            "a",
            "grid of 0",
        ),
        (
            json!([["a", {"tokens": {"channels": 3, "grid": usize::MAX, "class": true}}]]),
            "a",
            "grid of",
        ),
        (
            json!([["a", tokens], ["b", tokens]]),
            "cls_token",
            "same name",
        ),
        (
            json!([["a", tokens], ["b", block_of(0, 9)]]),
            "b.attn",
            "heads of 0",
        ),
        (
            json!([["a", tokens], ["b", block_of(2, 9)]]),
            "b.attn",
            "a multiple of 6",
        ),
        (
            json!([["a", tokens], ["b", block_of(1, 12)]]),
            "b.attn.proj",
            "takes 3 channels, and gets 4",
        ),
        (
            json!([["a", block_of(1000, 9000)]]),
            "a.attn",
            "compares 1024 tokens",
        ),
        (json!([["a.b", "relu"]]), "", "without '.'"),
        (json!([["", "relu"]]), "", "expected a name"),
        (json!([["a", nested(25)]]), "a.0.0", "levels deep"),
        (
            json!(
                (0..40)
                    .map(|i| json!([i.to_string(), "adaptive_concat_pool2d"]))
                    .collect::<Vec<_>>()
            ),
            "20",
            "features",
        ),
        (
            json!(
                (0..30_000)
                    .map(|i| json!([i.to_string(), "relu"]))
                    .collect::<Vec<_>>()
            ),
            "20000",
            "limit",
        ),
    ];
    for (layers, at, what) in cases {
        match described(layers.clone()) {
            Err(Error::Description { layer, reason }) => {
                assert!(layer.starts_with(at), "{layer:?} is not {at:?}: {reason}");
                assert!(reason.contains(what), "{reason:?} without {what:?}");
            }
            other => panic!("{other:?} of {layers}"),
        }
    }
}

#[test]
fn nothing_is_built_for_values_of_another_shape() {
    let layers = json!([[
        "a",
        conv(&[
            ("outputs", 1 << 22),
            ("kernel", 64),
            ("padding", 0),
            ("stride", 64)
        ])
    ]]);
    // 206 GB of weights: an allocation would end the test.
    let description: Description = serde_json::from_value(layers).unwrap();
    for shape in [None, Some(vec![4, 3, 64, 64])] {
        let error = description.build(|_| shape.clone(), &device()).unwrap_err();
        assert!(
            matches!(&error, Error::Description { layer, .. } if layer == "a.weight"),
            "{error}"
        );
    }
}
