//! Arguments that cannot work are errors that name them, before anything is changed.

use std::fs;

use burn::module::{Module, Param, RunningState};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::Tensor;
use vision_base::OptionError;
use vision_learner::{
    Backbone, Body, BodyBuilder, CacheRefusal, Error, HeadConfig, Result, create_head,
};
use vision_models::Init;
use vision_models::layers::{ConvConfig, Layer, Sequential};

use crate::prelude::*;
use crate::support;

/// A convolution of 8 channels, of which its backbone says something else.
struct Says {
    features: usize,
    kernel: usize,
}

impl Backbone for Says {
    type Body = Sequential;

    fn name(&self) -> String {
        "says".to_owned()
    }

    fn body(&self, builder: &mut BodyBuilder<'_>) -> Result<(Sequential, usize)> {
        let net = |init: &mut Init| {
            let conv = ConvConfig::new(3, 8, self.kernel).init(init);
            Sequential::numbered([Layer::Conv2d(conv)])
        };
        Ok((builder.load_layers(net)?, self.features))
    }
}

fn says(features: usize, kernel: usize, data: ImageDataBunch) -> Learner {
    let builder = create_cnn(data, Says { features, kernel }).pretrained(false);
    builder.lin_ftrs([]).silent(true).build().unwrap()
}

#[test]
fn a_body_with_other_features_than_its_backbone_says_is_an_error_with_both_numbers() {
    let digits = support::digits(8, 4);
    let data = || support::data(&digits.path, 8);
    says(8, 3, data()).fit(1, 1e-3).unwrap();
    for wrong in [1, 7, 9, 512] {
        let mut learner = says(wrong, 3, data());
        let before = learner.weights();
        let image = learner.data().train_ds().image(0).unwrap();
        let errors = [
            learner.fit(1, 1e-3).unwrap_err(),
            learner.predict(&image).unwrap_err(),
            learner.get_preds(DatasetType::Valid).unwrap_err(),
            learner.lr_find().unwrap_err(),
        ];
        for error in errors {
            assert!(
                matches!(error, Error::Features { expected, found: [8, 26, 26], size: [28, 28], .. }
                    if expected == wrong),
                "{error:?}"
            );
        }
        assert_eq!(learner.weights(), before);
    }
}

#[test]
fn a_body_that_leaves_nothing_of_small_images_is_an_error_with_the_size() {
    let digits = support::digits(8, 4);
    let mut learner = says(8, 29, support::data(&digits.path, 8));
    let image = learner.data().train_ds().image(0).unwrap();
    for error in [
        learner.fit(1, 1e-3).unwrap_err(),
        learner.predict(&image).unwrap_err(),
    ] {
        assert!(
            matches!(
                &error,
                Error::Features {
                    found: [8, 0, 0],
                    size: [28, 28],
                    ..
                }
            ),
            "{error:?}"
        );
        assert!(error.to_string().contains("min_size"), "{error}");
    }
    // One pixel more on each side is enough.
    let large = learner.data().clone().with_size(29).unwrap();
    learner.set_data(large).unwrap();
    learner.fit(1, 1e-3).unwrap();
}

#[test]
fn a_head_that_no_memory_holds_is_refused_with_its_number_of_parameters() {
    let option = |config: HeadConfig| match create_head(config).unwrap_err() {
        Error::Option(OptionError { option, found, .. }) => (option, found),
        other => panic!("{other:?}"),
    };
    let (name, found) = option(HeadConfig::new(1024, 2).with_lin_ftrs([1 << 20]));
    assert!(name.contains("lin_ftrs"), "{name}");
    // 1024 · 2^20 + 2 · 1024 + 2^20, and 2^20 · 2 + 2 · 2^20 + 2.
    let parameters: u64 = (1024 << 20) + 2048 + (1 << 20) + (2 << 20) + (2 << 20) + 2;
    assert!(found.contains(&parameters.to_string()), "{found}");
    assert_eq!(
        option(HeadConfig::new(8, 2).with_lin_ftrs(vec![4; 1001])).0,
        "lin_ftrs"
    );
    assert!(create_head(HeadConfig::new(4096, 1000).with_lin_ftrs([4096, 4096])).is_ok());
}

#[test]
fn save_replaces_no_file_that_it_has_not_written() {
    let digits = support::digits(8, 4);
    let data = support::data(&digits.path, 8);
    let kept = data.save("data.json").unwrap();
    let learner = create_cnn(
        data,
        Says {
            features: 8,
            kernel: 3,
        },
    )
    .pretrained(false)
    .model_dir("")
    .silent(true)
    .build()
    .unwrap();
    let other = digits.path.join("weights.pth");
    fs::write(&other, "weights of somebody").unwrap();
    for (name, file) in [("data", &kept), ("weights.pth", &other)] {
        let before = fs::read(file).unwrap();
        let error = learner.save(name).unwrap_err();
        assert!(
            matches!(&error, Error::Option(OptionError { option: "name", found, .. })
                if found.contains(file.to_str().unwrap())),
            "{error}"
        );
        assert_eq!(fs::read(file).unwrap(), before);
    }
    assert!(
        !digits.path.join("data.safetensors").exists(),
        "nothing is written by half"
    );
    // Its own files are replaced as before.
    learner.save("mine").unwrap();
    learner.save("mine").unwrap();
}

#[test]
fn a_weight_decay_that_turns_signs_and_epochs_that_cannot_be_counted_are_refused() {
    let digits = support::digits(8, 4);
    let mut learner = says(8, 3, support::data(&digits.path, 8));
    let option = |result: Result<vision_learner::Recorder>| match result.unwrap_err() {
        Error::Option(OptionError { option, .. }) => option,
        other => panic!("{other:?}"),
    };
    let decay = |wd: f64| FitConfig::new(1).with_lr(1e-2).with_wd(wd);
    learner.fit_with(decay(100.0)).unwrap();
    assert_eq!(option(learner.fit_with(decay(100.1))), "weight decay");
    assert_eq!(option(learner.fit_one_cycle(usize::MAX, 1e-3)), "epochs");
    let late = FitConfig::one_cycle(3).with_start_epoch(usize::MAX);
    assert_eq!(option(learner.fit_with(late)), "start_epoch");
}

/// A batch norm of one's own, under a name of its own: only the learned scale and shift matter here.
#[derive(Module, Debug)]
struct Renamed {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
    training: Param<burn::module::Flag>,
    running_mean: RunningState<Tensor<1>>,
}

#[derive(Module, Debug)]
struct Normed {
    conv: Conv2d,
    norm: Renamed,
    #[module(skip)]
    declared: bool,
}

impl Body for Normed {
    fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let x = self.conv.forward(images);
        let channel = |value: Tensor<1>| value.reshape([1, -1, 1, 1]);
        x * channel(self.norm.weight.val()) + channel(self.norm.bias.val())
    }

    fn batch_norms(&self) -> Vec<&'static str> {
        if self.declared {
            vec!["Renamed"]
        } else {
            Vec::new()
        }
    }
}

struct WithNorm {
    declared: bool,
}

impl Backbone for WithNorm {
    type Body = Normed;

    fn name(&self) -> String {
        "with_norm".to_owned()
    }

    fn body(&self, builder: &mut BodyBuilder<'_>) -> Result<(Normed, usize)> {
        let init = builder.init();
        let device = init.device().clone();
        let body = Normed {
            conv: Conv2dConfig::new([3, 4], [3, 3]).init(&device),
            norm: Renamed {
                weight: init.ones([4]),
                bias: init.zeros([4]),
                training: Param::from_bool(true),
                running_mean: RunningState::new(Tensor::zeros([4], &device)),
            },
            declared: self.declared,
        };
        Ok((body, 4))
    }
}

#[test]
fn a_norm_of_another_name_counts_as_one_once_it_is_declared() {
    let digits = support::digits(8, 4);
    let learner = |declared: bool, bn_freeze: bool| {
        create_cnn(support::data(&digits.path, 8), WithNorm { declared })
            .pretrained(false)
            .bn_freeze(bn_freeze)
            .lin_ftrs([])
            .silent(true)
            .build()
            .unwrap()
    };
    let moved = |mut learner: Learner| {
        learner.freeze().unwrap();
        let before = learner.weights();
        learner.fit(1, 1e-2).unwrap();
        let pairs = before.into_iter().zip(learner.weights());
        let moved =
            pairs.filter(|(old, new)| old.name.starts_with("0.") && old.values != new.values);
        moved.map(|(old, _)| old.name).collect::<Vec<_>>()
    };
    assert_eq!(moved(learner(false, false)), Vec::<String>::new());
    assert_eq!(
        moved(learner(true, false)),
        ["0.norm.weight", "0.norm.bias"]
    );
    assert_eq!(moved(learner(true, true)), Vec::<String>::new());

    // A body with a switch for training cannot be cached unless the norm is known and frozen.
    let mut known = learner(true, true);
    known.freeze().unwrap();
    known.cache_features().unwrap();
    let mut unknown = learner(false, true);
    unknown.freeze().unwrap();
    let error = unknown.cache_features().unwrap_err();
    assert!(
        matches!(
            &error,
            Error::CannotCache(CacheRefusal::BodyVaries {
                batch_norm: false,
                ..
            })
        ),
        "{error:?}"
    );
    assert!(error.to_string().contains("batch_norms"), "{error}");
}

#[test]
fn a_frozen_body_of_random_weights_is_warned_of_once() {
    let digits = support::digits(8, 4);
    let mut learner = says(8, 3, support::data(&digits.path, 8));
    let random = |learner: &Learner| {
        learner
            .warnings()
            .iter()
            .filter(|w| w.contains("random"))
            .count()
    };
    learner.fit(1, 1e-3).unwrap();
    assert_eq!(random(&learner), 0);
    learner.freeze().unwrap();
    learner.fit(1, 1e-3).unwrap();
    learner.fit(1, 1e-3).unwrap();
    assert_eq!(random(&learner), 1);

    learner.save("trained").unwrap();
    let mut loaded = says(8, 3, support::data(&digits.path, 8));
    loaded.load("trained").unwrap();
    loaded.freeze().unwrap();
    loaded.fit(1, 1e-3).unwrap();
    assert_eq!(random(&loaded), 0);
}

#[test]
fn a_file_of_weights_without_normalization_is_warned_of_as_imagenets_are() {
    let digits = support::digits(8, 4);
    let first = says(8, 3, support::data(&digits.path, 8));
    let file = digits.dir.path().join("body.safetensors");
    let body = first.weights().into_iter().filter_map(|mut tensor| {
        tensor.name = tensor.name.strip_prefix("0.")?.to_owned();
        Some(tensor)
    });
    vision_models::weights::write_safetensors(
        &file,
        &body.collect::<Vec<_>>(),
        &Default::default(),
    )
    .unwrap();
    let build = |data: ImageDataBunch| {
        let builder = create_cnn(data, WithClassifier).pretrained(file.as_path());
        builder.silent(true).build().unwrap()
    };
    let plain = build(support::data(&digits.path, 8));
    assert!(
        plain.warnings()[0].contains("normalize"),
        "{:?}",
        plain.warnings()
    );
    let normalized = ImageDataBunch::from_folder(&digits.path)
        .batch_size(8)
        .normalize(Stats::MNIST);
    assert!(build(normalized.build().unwrap()).warnings().is_empty());
}

/// The convolution of [`Says`], and a classifier that the file need not have.
struct WithClassifier;

impl Backbone for WithClassifier {
    type Body = Sequential;

    fn name(&self) -> String {
        "with_classifier".to_owned()
    }

    fn body(&self, builder: &mut BodyBuilder<'_>) -> Result<(Sequential, usize)> {
        let net = builder.load_layers(|init| {
            let conv = ConvConfig::new(3, 8, 3).init(init);
            Sequential::numbered([Layer::Conv2d(conv), Layer::Relu])
        })?;
        Ok((net, 8))
    }
}
