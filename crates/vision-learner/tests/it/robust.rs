//! A step is all or nothing, a checkpoint says what it is, and damage is noticed.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use burn::tensor::Tensor;
use vision_base::OptionError;
use vision_data::{PaddingMode, Resizing, Size, Transform, Transforms};
use vision_learner::{Adam, Context, CrossEntropy, Error, LoadConfig, Result};
use vision_models::Init;
use vision_models::layers::{AdaptiveAvgPool2d, ConvConfig, Layer, Sequential};
use vision_models::state::NamedTensor;
use vision_models::weights::WeightsFile;

use crate::prelude::*;
use crate::support;

/// The bits of everything that a checkpoint holds, but its manifest.
fn tensors(file: &Path) -> Vec<(String, Vec<u32>)> {
    let file = WeightsFile::open(file).unwrap();
    let bits = |name: &str| {
        file.read_f32(name)
            .unwrap()
            .iter()
            .map(|v| v.to_bits())
            .collect()
    };
    file.names()
        .map(|name| (name.to_owned(), bits(name)))
        .collect()
}

fn saved(learner: &Learner, folder: &Path) -> Vec<(String, Vec<u32>)> {
    tensors(&learner.save(folder.join("state")).unwrap())
}

/// A small network that trains in moments.
fn small(data: ImageDataBunch) -> Learner {
    create_cnn(data, Arch::SqueezeNet1_1)
        .pretrained(false)
        .metrics([accuracy()])
        .silent(true)
        .build()
        .unwrap()
}

/// Spoils one training batch.
struct Spoil {
    batch: usize,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Input,
    Output,
    /// The loss stays finite.
    Gradient,
    Error,
}

impl Callback for Spoil {
    fn on_batch_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if ctx.state.train && ctx.state.iteration == self.batch && matches!(self.what, What::Input)
        {
            let input = ctx.state.last_input.take();
            ctx.state.last_input = input.map(|input| input.mul_scalar(f64::NAN));
        }
        Ok(())
    }

    fn on_loss_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if !ctx.state.train || ctx.state.iteration != self.batch {
            return Ok(());
        }
        let output = |ctx: &mut Context<'_>, f: &dyn Fn(Tensor<2>) -> Tensor<2>| {
            ctx.state.last_output = ctx.state.last_output.take().map(f);
        };
        match self.what {
            What::Output => output(ctx, &|logits| logits.mul_scalar(f64::INFINITY)),
            // The root of 0 is 0, and its derivative is infinite.
            What::Gradient => output(ctx, &|logits| {
                let zero = logits.clone() - logits.clone().detach();
                logits + zero.powf_scalar(2.0).sqrt()
            }),
            What::Error => {
                return Err(Error::Callback {
                    name: "spoil".to_owned(),
                    source: "on purpose".into(),
                });
            }
            What::Input => {}
        }
        Ok(())
    }
}

#[test]
fn after_a_failed_step_the_learner_is_the_one_before_it_bit_for_bit() {
    let digits = support::digits(16, 4);
    for what in [What::Input, What::Output, What::Gradient, What::Error] {
        let mut learner = support::learner(support::data(&digits.path, 8));
        learner.fit(1, 1e-3).unwrap();
        let before = saved(&learner, digits.dir.path());
        let spoil = Spoil { batch: 0, what };
        let config = FitConfig::new(1).with_lr(1e-3).with_callback(spoil);
        let error = learner.fit_with(config).unwrap_err();
        let expected = match what {
            What::Input | What::Output => matches!(error, Error::NotFinite { batch: 0, .. }),
            What::Gradient => matches!(error, Error::GradientNotFinite { batch: 0, .. }),
            What::Error => matches!(error, Error::Callback { .. }),
        };
        assert!(expected, "{what:?}: {error}");
        assert_eq!(saved(&learner, digits.dir.path()), before, "{what:?}");
        // It can go on.
        learner.fit(1, 1e-3).unwrap();
        assert_ne!(saved(&learner, digits.dir.path()), before);
    }
}

#[test]
fn a_step_that_fails_later_leaves_the_steps_before_it() {
    let digits = support::digits(16, 4);
    let run = |batches: usize, spoil: bool| {
        let mut learner = support::learner(support::data(&digits.path, 8));
        let config = FitConfig::new(1).with_lr(1e-3);
        let result = match spoil {
            true => learner.fit_with(config.with_callback(Spoil {
                batch: batches,
                what: What::Input,
            })),
            false => learner.fit_with(config.with_callback(StopAfter(batches))),
        };
        assert_eq!(result.is_err(), spoil);
        saved(&learner, digits.dir.path())
    };
    assert_eq!(run(2, true), run(2, false));
}

/// Ends the epoch after so many batches.
struct StopAfter(usize);

impl Callback for StopAfter {
    fn on_batch_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        ctx.state.stop_epoch |= ctx.state.train && ctx.state.iteration + 1 == self.0;
        Ok(())
    }
}

#[test]
fn weights_that_are_no_numbers_are_neither_saved_nor_used() {
    let digits = support::digits(8, 4);
    let mut learner = support::learner(support::data(&digits.path, 8));
    let path = learner.save("good").unwrap();
    let before = fs::read(&path).unwrap();
    // A rate at which the weights overflow after one step.
    let _ = learner.fit(1, 1e38);
    let _ = learner.fit(1, 1e38);
    let weights = learner.weights();
    let bad = |tensor: &NamedTensor| tensor.values.iter().any(|value| !value.is_finite());
    if weights.iter().any(bad) {
        let error = learner.save("good").unwrap_err();
        assert!(matches!(error, Error::NotFiniteWeights { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), before, "the old file is kept");
    }
    let image = learner.data().valid_ds().image(0).unwrap();
    match learner.predict(&image) {
        Ok(prediction) => assert!(prediction.probabilities.iter().all(|p| p.is_finite())),
        Err(error) => assert!(
            matches!(error, Error::NotFinitePrediction { item: 0, .. }),
            "{error}"
        ),
    }
    learner.load("good").unwrap();
    assert!(learner.predict(&image).is_ok());
}

/// Flips these bits of a checkpoint, one at a time; each must be an error.
fn flip(learner: &mut Learner, path: &Path, bits: impl Iterator<Item = usize>) -> usize {
    let good = fs::read(path).unwrap();
    let mut file = fs::File::options().write(true).open(path).unwrap();
    let mut put = |at: usize, byte: u8| {
        file.seek(SeekFrom::Start(at as u64)).unwrap();
        file.write_all(&[byte]).unwrap();
    };
    let mut flips = 0;
    for bit in bits {
        let at = bit / 8;
        put(at, good[at] ^ 1 << (bit % 8));
        assert!(
            learner.load(path).is_err(),
            "bit {bit} of {}",
            good.len() * 8
        );
        put(at, good[at]);
        flips += 1;
    }
    learner.load(path).unwrap();
    flips
}

#[test]
fn every_flipped_bit_of_a_checkpoint_is_noticed() {
    let digits = support::digits(8, 4);
    let data = support::data(&digits.path, 8);
    // A network of 56 parameters: every bit of its values and of the length, and many of the header.
    let mut init = Init::new(0, data.device());
    let conv = ConvConfig::new(3, 2, 3).init(&mut init);
    let layers = [
        Layer::Conv2d(conv),
        Layer::AdaptiveAvgPool2d(AdaptiveAvgPool2d::new(1)),
    ];
    let tiny = Learner::builder(data.clone(), Sequential::numbered(layers));
    let mut learner = tiny.silent(true).build().unwrap();
    learner.fit(1, 1e-3).unwrap();
    let path = learner.save("tiny").unwrap();
    let bytes = fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let bits = (0..64)
        .chain((64..header * 8).step_by(37))
        .chain(header * 8..bytes.len() * 8);
    let flips = flip(&mut learner, &path, bits);
    assert!(flips > 1000, "{flips}");

    let mut learner = small(data);
    let path = learner.save("sealed").unwrap();
    let bits = fs::metadata(&path).unwrap().len() as usize * 8;
    flip(&mut learner, &path, (64..bits).step_by(394_001));
    let good = fs::read(&path).unwrap();
    for length in [0, 7, 8, 100, header, good.len() - 1] {
        fs::write(&path, &good[..length]).unwrap();
        assert!(learner.load("sealed").is_err(), "cut off at {length}");
    }
    fs::write(&path, [&good[..], b"x"].concat()).unwrap();
    assert!(learner.load("sealed").is_err(), "a byte more");
    fs::write(&path, &good).unwrap();
    learner.load("sealed").unwrap();
}

#[test]
fn preprocessing_that_changes_predictions_is_compared() {
    let digits = support::digits(8, 4);
    let builder = || ImageDataBunch::from_folder(&digits.path).batch_size(8);
    let trained = small(
        builder()
            .size(32)
            .normalize(Stats::IMAGENET)
            .build()
            .unwrap(),
    );
    trained.save(digits.dir.path().join("trained")).unwrap();
    let file = digits.dir.path().join("trained");
    let load = |data: ImageDataBunch, config: LoadConfig| small(data).load_with(&file, config);
    let valid = |transforms: Vec<Transform>| Transforms {
        train: Vec::new(),
        valid: transforms,
    };
    let cases: [(&str, ImageDataBunch); 6] = [
        ("normalize", builder().size(32).build().unwrap()),
        (
            "normalize",
            builder().size(32).normalize(Stats::CIFAR).build().unwrap(),
        ),
        (
            "size",
            builder().normalize(Stats::IMAGENET).build().unwrap(),
        ),
        (
            "size",
            builder()
                .size(40)
                .normalize(Stats::IMAGENET)
                .build()
                .unwrap(),
        ),
        ("padding_mode", {
            let resizing = Resizing {
                size: Some(Size::from(32)),
                padding_mode: PaddingMode::Border,
                ..Resizing::default()
            };
            builder()
                .resizing(resizing)
                .normalize(Stats::IMAGENET)
                .build()
                .unwrap()
        }),
        ("transforms", {
            let turn = valid(vec![Transform::rotate([5.0, 5.0])]);
            builder()
                .size(32)
                .transforms(turn)
                .normalize(Stats::IMAGENET)
                .build()
                .unwrap()
        }),
    ];
    for (expected, data) in cases {
        let error = load(data.clone(), LoadConfig::new()).unwrap_err();
        assert!(
            matches!(&error, Error::Checkpoint { field, hint, .. }
                if field == expected && hint.contains("with_other_preprocessing")),
            "{expected}: {error}"
        );
        let report = load(data, LoadConfig::new().with_other_preprocessing(true)).unwrap();
        assert!(
            report.notes.iter().any(|note| note.starts_with(expected)),
            "{:?}",
            report.notes
        );
    }
    let same = builder()
        .size(32)
        .normalize(Stats::IMAGENET)
        .build()
        .unwrap();
    assert!(load(same, LoadConfig::new()).unwrap().notes.is_empty());
    // Another seed trains otherwise, and predicts the same.
    let seeded = builder()
        .size(32)
        .normalize(Stats::IMAGENET)
        .seed(9)
        .build()
        .unwrap();
    let notes = load(seeded, LoadConfig::new()).unwrap().notes;
    assert!(
        matches!(&notes[..], [note] if note.contains("seed")),
        "{notes:?}"
    );
}

#[test]
fn the_history_comes_back_with_the_checkpoint() {
    let digits = support::digits(8, 4);
    let mut learner = small(support::data(&digits.path, 8));
    learner.fit_one_cycle(2, 1e-3).unwrap();
    learner.save("two").unwrap();
    let mut again = small(support::data(&digits.path, 8));
    again.load(learner.model_dir().join("two")).unwrap();
    // All but the times, which differ from run to run and would make checkpoints differ too.
    let mut expected = learner.recorder().clone();
    for row in &mut expected.epochs {
        (row.seconds, row.train_seconds, row.wait_seconds) = (0.0, 0.0, 0.0);
    }
    assert_eq!(again.recorder(), &expected);
    assert_eq!(again.recorder().epochs.len(), 2);
    let (more, expected) = (again.fit(1, 1e-3).unwrap(), learner.fit(1, 1e-3).unwrap());
    assert_eq!(more.losses, expected.losses);
    assert_eq!(again.recorder().epochs[2].epoch, 2);
}

#[test]
fn names_that_are_none_of_a_file_are_refused() {
    let digits = support::digits(8, 4);
    let learner = small(support::data(&digits.path, 8));
    for name in ["", ".", "..", "/", "dir/", "dir/..", "a/."] {
        let error = learner.save(name).unwrap_err();
        assert!(
            matches!(&error, Error::Option(OptionError { option: "name", .. })),
            "{name:?}: {error}"
        );
    }
    assert!(!learner.model_dir().exists(), "nothing was written");
}

#[test]
fn optimizers_refuse_rates_that_cannot_work() {
    let digits = support::digits(8, 4);
    for beta2 in [f64::NAN, 1.0, 1.5, -0.1, f64::INFINITY] {
        let data = support::data(&digits.path, 8);
        let adam = Adam {
            beta2,
            ..Adam::default()
        };
        let result = create_cnn(data, Arch::SqueezeNet1_1)
            .pretrained(false)
            .silent(true)
            .optimizer(adam)
            .build()
            .and_then(|mut learner| learner.fit(1, 1e-3));
        assert!(
            matches!(
                &result,
                Err(Error::Option(OptionError {
                    option: "beta2",
                    ..
                }))
            ),
            "{beta2}: {result:?}"
        );
    }
}

#[test]
fn the_validation_loss_with_class_weights_does_not_depend_on_the_batch_size() {
    let digits = support::digits(8, 7);
    let losses = [1, 2, 5, 14].map(|batch_size| {
        let data = ImageDataBunch::from_folder(&digits.path)
            .batch_size(8)
            .val_batch_size(batch_size)
            .build()
            .unwrap();
        let weights = CrossEntropy::default().with_weights([1.0, 5.0]).unwrap();
        let mut learner = create_cnn(data, Arch::SqueezeNet1_1)
            .pretrained(false)
            .loss(weights)
            .silent(true)
            .build()
            .unwrap();
        let loss = learner.validate().unwrap()[0].1;
        // By hand: the weighted mean of the items' losses.
        let preds = learner.get_preds(DatasetType::Valid).unwrap();
        let targets = preds.targets.categories().unwrap();
        let weight = |class: usize| [1.0, 5.0][class];
        let sum: f64 = targets
            .iter()
            .zip(&preds.losses)
            .map(|(_, loss)| f64::from(*loss))
            .sum();
        let expected = sum / targets.iter().map(|&class| weight(class)).sum::<f64>();
        assert!((loss - expected).abs() < 1e-6, "{loss} {expected}");
        loss
    });
    for loss in losses {
        assert!((loss - losses[0]).abs() < 1e-6, "{losses:?}");
    }
}

#[test]
fn a_batch_of_a_class_that_weighs_nothing_trains_nothing_and_ends_nothing() {
    let digits = support::digits(8, 4);
    let weights = CrossEntropy::default().with_weights([0.0, 1.0]).unwrap();
    let mut learner = create_cnn(support::data(&digits.path, 2), Arch::SqueezeNet1_1)
        .pretrained(false)
        .loss(weights)
        .silent(true)
        .build()
        .unwrap();
    learner.fit(2, 1e-4).unwrap();
}

#[test]
fn weights_for_another_number_of_classes_are_an_error_not_a_panic() {
    let digits = support::digits(8, 4);
    for weights in [vec![1.0], vec![1.0; 3]] {
        let loss = CrossEntropy::default().with_weights(weights).unwrap();
        let result = create_cnn(support::data(&digits.path, 8), Arch::SqueezeNet1_1)
            .pretrained(false)
            .loss(loss)
            .silent(true)
            .build()
            .and_then(|mut learner| learner.fit(1, 1e-3));
        assert!(
            matches!(
                &result,
                Err(Error::Option(OptionError {
                    option: "class weights",
                    ..
                }))
            ),
            "{result:?}"
        );
    }
}
