//! Features of inner layers, against hooks in PyTorch and against the layers themselves.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::Module;
use burn::nn;
use burn::tensor::Tensor;
use serde::Deserialize;
use vision_base::OptionError;
use vision_data::{DatasetType, ImageDataBunch, Targets};
use vision_learner::{EmbedConfig, Error, Head, Learner};
use vision_models::layers::AdaptiveConcatPool2d;
use vision_models::state::{NamedTensor, values};
use vision_models::weights::{WeightsFile, write_safetensors};
use vision_models::{Arch, Cut, Init, parity};

use crate::prelude::*;
use crate::support::{self, digits};

#[derive(Deserialize)]
struct Fixture {
    layers: BTreeMap<String, Rows>,
    kept: BTreeMap<String, Rows>,
}

#[derive(Deserialize)]
struct Rows {
    dim: usize,
    rows: Vec<Vec<f64>>,
}

/// The images and the learner of `scripts/make_training_fixture.py`.
fn filled(folder: &Path) -> Learner {
    let (n, side) = (8, 32);
    let u = parity::uniform("pictures", 0).take(n * side * side * 3);
    let pixels: Vec<u8> = u.map(|u| ((u + 1.0) * 127.999).floor() as u8).collect();
    for (i, picture) in pixels.chunks(side * side * 3).enumerate() {
        let image = image::RgbImage::from_raw(side as u32, side as u32, picture.to_vec()).unwrap();
        for part in ["train", "valid"] {
            let folder = folder.join(part).join(if i % 2 == 0 { "a" } else { "b" });
            std::fs::create_dir_all(&folder).unwrap();
            image.save(folder.join(format!("{i}.png"))).unwrap();
        }
    }
    let data = ImageDataBunch::from_folder(folder)
        .batch_size(3)
        .build()
        .unwrap();
    let mut learner = create_cnn(data, Arch::ResNet18)
        .pretrained(false)
        .ps(0.0)
        .silent(true)
        .build()
        .unwrap();
    let tensors: Vec<NamedTensor> = learner
        .weights()
        .into_iter()
        .map(|t| NamedTensor {
            values: parity::fill(&t.name, &t.shape, 0),
            ..t
        })
        .collect();
    let file = folder.join("filled.safetensors");
    write_safetensors(&file, &tensors, &BTreeMap::new()).unwrap();
    learner.load(&file).unwrap();
    learner
}

fn check(what: &str, found: &vision_learner::Embeddings, expected: &Rows) {
    assert_eq!(found.dim(), expected.dim, "{what}");
    let largest = expected
        .rows
        .iter()
        .flatten()
        .fold(0.0_f64, |most, v| most.max(v.abs()));
    for (row, name) in found.names.iter().enumerate() {
        // The script numbers its images.
        let image: usize = Path::new(name)
            .file_stem()
            .unwrap()
            .to_str()
            .unwrap()
            .parse()
            .unwrap();
        let torch = &expected.rows[image];
        for (i, (found, torch)) in found.row(row).iter().zip(torch).enumerate() {
            let off = (f64::from(*found) - torch).abs();
            assert!(
                off <= 1e-4 * largest,
                "{what} {name} {i}: {found}, expected {torch}"
            );
        }
    }
}

// scripts/make_embed_fixture.py
#[test]
fn features_of_any_layer_are_what_hooks_in_pytorch_see() {
    let fixture: Fixture = serde_json::from_str(include_str!("../fixtures/embed.json")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let learner = filled(folder.path());
    let embed = |config: EmbedConfig| learner.embed_with(DatasetType::Valid, &config).unwrap();
    assert_eq!(fixture.layers.len(), 9);
    for (layer, expected) in &fixture.layers {
        let found = embed(EmbedConfig::new().with_layer(layer));
        assert_eq!((found.len(), found.layer.as_str()), (8, layer.as_str()));
        check(layer, &found, expected);
    }
    for (layer, expected) in &fixture.kept {
        let found = embed(EmbedConfig::new().with_layer(layer).with_pool(false));
        assert_eq!(found.shape.len(), 3);
        check(layer, &found, expected);
    }
    // The default is the head's pool.
    let pooled = learner.embed(DatasetType::Valid).unwrap();
    check("pooled", &pooled, &fixture.layers["1.0"]);
    assert_eq!(pooled.names[0], "valid/a/0.png");
    assert_eq!(pooled.labels, ["a", "a", "a", "a", "b", "b", "b", "b"]);
    assert_eq!(
        pooled.targets,
        Targets::Category(vec![0, 0, 0, 0, 1, 1, 1, 1])
    );
    assert_eq!(pooled.indices, (0..8).collect::<Vec<_>>());
}

#[test]
fn the_default_features_are_those_of_body_and_pool_bit_for_bit() {
    let digits = digits(4, 2);
    let data = support::data(&digits.path, 4);
    let learner = support::learner(data.clone());
    let found = learner.embed(DatasetType::Valid).unwrap();

    let whole = Arch::ResNet18.build(2, &mut Init::zeroed(data.device()));
    let body = Cut::Default.apply(whole, -2).unwrap();
    let weights: BTreeMap<String, Vec<f32>> = learner
        .weights()
        .into_iter()
        .map(|t| (t.name, t.values))
        .collect();
    let body = vision_models::state::assign(body, &mut |name, _| {
        weights.get(&format!("0.{name}")).cloned()
    });
    let batch = data.one_batch(DatasetType::Valid).unwrap();
    let maps = body.forward(batch.to_device(data.device(), None));
    let pooled = AdaptiveConcatPool2d.forward(maps);
    assert_eq!(found.rows, values(pooled));
    assert_eq!((found.len(), found.dim()), (4, 1024));
}

#[test]
fn features_can_be_saved_as_safetensors_and_csv() {
    let digits = digits(4, 2);
    let learner = support::learner(support::data(&digits.path, 4));
    let config = EmbedConfig::new().with_layer("0.4");
    let found = learner.embed_with(DatasetType::Valid, &config).unwrap();
    let path = digits.dir.path().join("features.safetensors");
    found.save(&path).unwrap();
    let file = WeightsFile::open(&path).unwrap();
    let names: serde_json::Value = serde_json::from_str(file.metadata("names").unwrap()).unwrap();
    assert_eq!(names, serde_json::json!(found.names));
    let table = digits.dir.path().join("features.csv");
    found.save(&table).unwrap();
    let text = std::fs::read_to_string(table).unwrap();
    let mut lines = text.lines();
    assert!(lines.next().unwrap().starts_with("name,label,0,1,2,"));
    for (item, line) in lines.enumerate() {
        let fields: Vec<&str> = line.split(',').collect();
        assert_eq!(
            fields[..2],
            [found.names[item].as_str(), found.labels[item].as_str()]
        );
        let values: Vec<f32> = fields[2..]
            .iter()
            .map(|field| field.parse().unwrap())
            .collect();
        assert_eq!(values, found.row(item));
    }
    assert_eq!(text.lines().count(), 5);
    for name in ["features", "features.txt", ""] {
        let error = found.save(digits.dir.path().join(name)).unwrap_err();
        assert_matches!(error, Error::Option(OptionError { option: "path", .. }));
    }
}

#[test]
fn an_unknown_layer_is_an_error_that_lists_the_layers() {
    let digits = digits(4, 2);
    let learner = support::learner(support::data(&digits.path, 4));
    for layer in ["0.8", "", "0.4.0.conv9", "1.4.weight"] {
        let config = EmbedConfig::new().with_layer(layer);
        let error = learner.embed_with(DatasetType::Valid, &config).unwrap_err();
        let Error::NoSuchLayer {
            layer: found,
            known,
        } = &error
        else {
            panic!("{error:?}");
        };
        assert_eq!(found, layer);
        for name in ["0", "0.7", "1", "1.0", "1.8"] {
            assert!(known.iter().any(|known| known == name), "{known:?}");
        }
    }
}

/// A head of one's own, without a pool that is known.
#[derive(Module, Debug)]
struct MeanHead {
    fc: nn::Linear,
}

impl Head for MeanHead {
    fn forward(&self, features: Tensor<4>) -> Tensor<2> {
        self.fc
            .forward(features.mean_dim(3).mean_dim(2).flatten(1, 3))
    }
}

#[test]
fn with_a_head_of_ones_own_the_default_is_the_mean_of_the_bodys_maps() {
    let digits = digits(4, 2);
    let data = support::data(&digits.path, 4);
    let fc = nn::LinearConfig::new(512, 2).init(data.device());
    let learner = create_cnn(data, Arch::ResNet18)
        .pretrained(false)
        .silent(true)
        .custom_head(MeanHead { fc })
        .build()
        .unwrap();
    assert_eq!(learner.embed(DatasetType::Fix).unwrap().dim(), 512);
    let config = EmbedConfig::new().with_layer("0.7");
    let error = learner.embed_with(DatasetType::Fix, &config).unwrap_err();
    assert_matches!(error, Error::NoSuchLayer { known, .. } if known.is_empty());
    assert!(error.to_string().contains("as_layers"), "{error}");
}

#[test]
fn maps_of_different_sizes_can_be_averaged_but_not_kept() {
    let digits = digits(4, 2);
    for name in ["0", "1"] {
        image::RgbImage::new(80, 90)
            .save(digits.path.join(format!("valid/7/z{name}.png")))
            .unwrap();
    }
    let builder = ImageDataBunch::from_folder(&digits.path)
        .batch_size(4)
        .val_batch_size(2);
    let learner = support::learner(builder.build().unwrap());
    let pooled = learner.embed(DatasetType::Valid).unwrap();
    assert_eq!((pooled.len(), pooled.dim()), (6, 1024));
    let config = EmbedConfig::new().with_layer("0.4").with_pool(false);
    let error = learner.embed_with(DatasetType::Valid, &config).unwrap_err();
    assert_matches!(error, Error::Option(OptionError { option: "pool", .. }));
}

#[test]
fn a_whole_network_has_features_of_every_layer_but_no_default_one() {
    let digits = digits(4, 2);
    let data = support::data(&digits.path, 4);
    let net = Arch::ResNet18.build(2, &mut Init::new(0, data.device()));
    let learner = Learner::builder(data, net).silent(true).build().unwrap();
    let config = EmbedConfig::new().with_layer("layer4");
    assert_eq!(
        learner
            .embed_with(DatasetType::Valid, &config)
            .unwrap()
            .dim(),
        512
    );
    let logits = learner
        .embed_with(DatasetType::Valid, &EmbedConfig::new().with_layer("fc"))
        .unwrap();
    let predictions = learner.get_preds(DatasetType::Valid).unwrap();
    for item in 0..4 {
        let row: Vec<f32> = logits.row(item).iter().map(|logit| logit.exp()).collect();
        let sum: f32 = row.iter().sum();
        let softmax: Vec<f32> = row.iter().map(|e| e / sum).collect();
        support::close("softmax", &softmax, predictions.row(item), 1e-4, 1e-6);
    }
    let error = learner.embed(DatasetType::Valid).unwrap_err();
    assert_matches!(
        error,
        Error::Option(OptionError {
            option: "layer",
            ..
        })
    );
}
