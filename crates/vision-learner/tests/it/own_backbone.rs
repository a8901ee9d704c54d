//! Any module goes through `create_cnn`, with its own cut, split and number of features.

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use vision_learner::{Backbone, Body, BodyBuilder, Error, Result};

use crate::prelude::*;
use crate::support;

/// Two of Burn's own convolutions: no `Sequential`, no layer of this library.
#[derive(Module, Debug)]
struct TwoConvs {
    first: Conv2d,
    second: Conv2d,
}

impl Body for TwoConvs {
    fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        relu(self.second.forward(relu(self.first.forward(images))))
    }
}

struct Own;

impl Backbone for Own {
    type Body = TwoConvs;

    fn name(&self) -> String {
        "two_convs".to_owned()
    }

    fn body(&self, builder: &mut BodyBuilder<'_>) -> Result<(TwoConvs, usize)> {
        let device = builder.init().device().clone();
        let conv = |inputs, outputs| {
            Conv2dConfig::new([inputs, outputs], [3, 3])
                .with_stride([2, 2])
                .with_padding(PaddingConfig2d::Valid)
                .init(&device)
        };
        let body = TwoConvs {
            first: conv(3, 6),
            second: conv(6, 10),
        };
        Ok((body, 10))
    }

    fn split(&self) -> Vec<String> {
        ["0.second", "1"].map(str::to_owned).to_vec()
    }
}

fn learner(digits: &support::Digits) -> Learner {
    let data = support::data(&digits.path, 8);
    let builder = create_cnn(data, Own).pretrained(false).silent(true);
    builder.build().unwrap()
}

#[test]
fn a_module_of_burns_own_layers_has_its_groups_and_its_features() {
    let learner = learner(&support::digits(8, 4));
    let groups = learner.layer_groups();
    let count = |group: &[vision_models::state::Entry]| group.iter().map(|e| e.len()).sum();
    let counts: Vec<usize> = groups.iter().map(|group| count(group)).collect();
    // 20 pooled features: batch norm, 20 to 512, batch norm, 512 to 2 classes.
    let head = 2 * 20 + (20 * 512 + 512) + 2 * 512 + (512 * 2 + 2);
    assert_eq!(counts, [3 * 6 * 9 + 6, 6 * 10 * 9 + 10, head]);
    assert_eq!(groups[1][0].name, "0.second.weight");
}

#[test]
fn a_module_of_burns_own_layers_freezes_trains_and_comes_back_from_a_checkpoint() {
    let digits = support::digits(8, 4);
    let mut trained = learner(&digits);
    trained.freeze_to(1).unwrap();
    let before = trained.weights();
    trained.fit(1, 1e-3).unwrap();
    for (old, new) in before.iter().zip(trained.weights()) {
        let frozen = old.name.starts_with("0.first.");
        assert_eq!(old.values == new.values, frozen, "{}", old.name);
    }
    trained.save("own").unwrap();
    let mut other = learner(&digits);
    other.load("own").unwrap();
    assert_eq!(other.weights(), trained.weights());

    let data = support::data(&digits.path, 8);
    let mut resnet = support::learner(data);
    let error = resnet.load("own").unwrap_err();
    assert_matches!(error, Error::Checkpoint { found, .. } if found.contains("two_convs"));
}

#[test]
fn a_random_body_is_not_frozen_and_what_a_backbone_ignores_is_an_error() {
    let digits = support::digits(4, 2);
    let builder = || create_cnn(support::data(&digits.path, 4), Own).silent(true);
    let random = builder().pretrained(false).build().unwrap();
    let (trainable, all) = random.num_params();
    assert_eq!(trainable, all);

    // Asked for no weights at all, which is to ask for ImageNet's.
    let error = builder().build().unwrap_err();
    assert!(matches!(&error, Error::NotHosted { arch } if arch == "two_convs"));
    assert!(error.to_string().contains(".pretrained(false)"), "{error}");
    let error = builder().pretrained("weights.pth").build().unwrap_err();
    assert!(
        matches!(&error, Error::Ignored { arch, option: "pretrained", .. } if arch == "two_convs"),
        "{error:?}"
    );
    let error = builder().pretrained(false).cut(-1).build().unwrap_err();
    assert!(
        matches!(&error, Error::Ignored { option: "cut", .. }),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("two_convs ignores .cut(..)"),
        "{error}"
    );
}
