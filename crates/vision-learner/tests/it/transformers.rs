//! Vision transformers: images are cut into patches, and the head takes one vector.

use vision_learner::{Error, ExportConfig, Learner, Predictor};
use vision_models::{Arch, Cut};

use crate::prelude::*;
use crate::support;

fn learner(arch: Arch, size: impl Into<vision_data::Size>) -> (support::Digits, Learner) {
    let digits = support::digits(8, 4);
    let data = ImageDataBunch::from_folder(&digits.path)
        .batch_size(4)
        .size(size)
        .build()
        .unwrap();
    let builder = create_cnn(data, arch).pretrained(false).silent(true);
    (digits, builder.build().unwrap())
}

#[test]
fn sides_that_are_no_multiples_of_the_patches_are_an_error_that_names_the_nearest() {
    let (_digits, mut learner) = learner(Arch::VitTinyPatch16_224, (30, 50));
    let is_it = |error: &Error| {
        assert_matches!(
            error,
            Error::ImageSides {
                multiple: 16,
                found: [30, 50],
                nearest: [32, 48],
                ..
            }
        );
        let text = error.to_string();
        assert!(
            text.contains("30x50") && text.contains(".size((32, 48))"),
            "{text}"
        );
    };
    let before = learner.weights();
    is_it(&learner.fit(1, 1e-3).unwrap_err());
    assert_eq!(learner.weights(), before);
    is_it(&learner.validate().unwrap_err());
    is_it(&learner.summary().unwrap_err());
    is_it(&learner.export_bytes(ExportConfig::new()).unwrap_err());
    let image = learner.data().valid_ds().image(0).unwrap();
    is_it(&learner.predict(&image).unwrap_err());
    assert_matches!(
        learner.summary_for([8, 32]).unwrap_err(),
        Error::ImageTooSmall { expected: 16, .. }
    );
}

#[test]
fn a_transformer_trains_with_a_head_without_a_pool_and_leaves_as_one_file() {
    let (_digits, mut learner) = learner(Arch::VitTinyPatch16_224, 32);
    let names: Vec<_> = learner.weights().into_iter().map(|t| t.name).collect();
    for name in [
        "0.cls_token",
        "0.pos_embed",
        "0.0.proj.weight",
        "0.2.11.attn.qkv.bias",
        "1.0.weight",
        "1.2.weight",
    ] {
        assert!(names.iter().any(|known| known == name), "{name}: {names:?}");
    }
    let before = learner.weights();
    learner.fit(1, 1e-3).unwrap();
    for (old, new) in before.iter().zip(learner.weights()) {
        assert_ne!(old.values, new.values, "{}", old.name);
    }
    let summary = learner.summary().unwrap();
    let counted: usize = summary.layers.iter().map(|layer| layer.parameters).sum();
    assert_eq!(counted, summary.parameters);

    let bytes = learner.export_bytes(ExportConfig::new()).unwrap();
    let deployed = Predictor::from_bytes(&bytes).unwrap();
    assert!(deployed.self_test().passed());
    let card = deployed.card().unwrap();
    assert_eq!((card.min_size, card.size_multiple), (16, 16));
    let image = learner.data().valid_ds().image(1).unwrap();
    assert_eq!(
        deployed.predict(&image).unwrap().probabilities,
        learner.predict(&image).unwrap().probabilities
    );
}

#[test]
fn a_body_that_is_cut_before_the_class_token_is_pooled() {
    let digits = support::digits(4, 4);
    let data = ImageDataBunch::from_folder(&digits.path)
        .size(32)
        .build()
        .unwrap();
    let learner = create_cnn(data, Arch::VitTinyPatch16_224)
        .pretrained(false)
        .cut(Cut::At(4))
        .silent(true)
        .build()
        .unwrap();
    let first = learner
        .weights()
        .into_iter()
        .find(|t| t.name == "1.2.weight")
        .unwrap();
    assert_eq!(first.shape, [2 * 192]);
    let image = learner.data().valid_ds().image(0).unwrap();
    assert_eq!(learner.predict(&image).unwrap().probabilities.len(), 2);
}

#[test]
fn stochastic_depth_drops_branches_in_training_alone_and_a_network_without_it_refuses_it() {
    let digits = support::digits(4, 4);
    let build = |arch, rate| {
        let data = ImageDataBunch::from_folder(&digits.path)
            .size(32)
            .batch_size(4)
            .build()
            .unwrap();
        let builder = create_cnn(data, arch).pretrained(false).silent(true);
        builder.seed(1).drop_path(rate).build()
    };
    let losses = |rate| {
        let mut learner = build(Arch::VitTinyPatch16_224, rate).unwrap();
        let image = learner.data().valid_ds().image(0).unwrap();
        let before = learner.predict(&image).unwrap().probabilities;
        let record = learner.fit(1, 1e-4).unwrap();
        (before, record.losses)
    };
    let (plain, dropped) = (losses(0.0), losses(0.9));
    assert_eq!(plain.0, dropped.0);
    assert_ne!(plain.1, dropped.1);
    assert_eq!(dropped.1, losses(0.9).1, "one seed, one run");
    for (arch, rate) in [(Arch::ResNet18, 0.1), (Arch::VitTinyPatch16_224, 1.0)] {
        assert_matches!(
            build(arch, rate).unwrap_err(),
            Error::Option(error) if error.option == "drop_path"
        );
    }
}
