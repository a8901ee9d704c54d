//! Callbacks of the library, alone and together.

use std::fs;
use std::sync::{Arc, Mutex};

use vision_learner::callbacks::{
    AccumulateGradients, CsvLogger, EarlyStopping, Ema, GradientClip, MemoryAlarm,
    ProgressiveResizing, ReduceLrOnPlateau, SaveModel, Swa, TerminateOnNan,
};
use vision_learner::{Better, Context, Error, Metric, Recorder, Result, Scores, Sgd};
use vision_models::state::NamedTensor;

use crate::callbacks_by_pytorch::Script;
use crate::plain::{MeanHead, TwoConvs as Own};
use crate::prelude::*;
use crate::small::Small;
use crate::support::{self, Digits};

fn learner(digits: &Digits, script: &[f64], better: Better) -> Learner {
    let builder = create_cnn(support::data(&digits.path, 8), Small).pretrained(false);
    let builder = builder.metrics([Script::new(script, better)]).silent(true);
    builder.build().unwrap()
}

/// A second metric beside the script.
struct Second(Script);

impl Metric for Second {
    fn name(&self) -> String {
        "second".to_owned()
    }

    fn better(&self) -> Better {
        self.0.better()
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn update(&mut self, batch: &Scores<'_>) {
        self.0.update(batch);
    }

    fn value(&self) -> f64 {
        self.0.value()
    }
}

/// The weights at the end of each epoch.
#[derive(Clone, Default)]
struct Weights(Arc<Mutex<Vec<Vec<NamedTensor>>>>);

impl Callback for Weights {
    fn on_epoch_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        self.0.lock().unwrap().push(ctx.weights());
        Ok(())
    }
}

/// The names of the files in the folder of saved models.
fn models(learner: &Learner) -> Vec<String> {
    let files = fs::read_dir(learner.model_dir()).unwrap();
    let mut names: Vec<_> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

// fastai's own notebook: monitor accuracy, min_delta 0.01, patience 3, a rate at which nothing moves.
#[test]
fn early_stopping_with_a_patience_of_3_stops_after_epoch_4() {
    let digits = support::digits(8, 4);
    let builder = create_cnn(support::data(&digits.path, 8), Small).pretrained(false);
    let mut learner = builder.metrics([accuracy()]).silent(true).build().unwrap();
    let stopping = EarlyStopping::new("accuracy")
        .with_min_delta(0.01)
        .with_patience(3);
    let config = FitConfig::new(20).with_lr(1e-42).with_callback(stopping);
    let record = learner.fit_with(config).unwrap();
    assert_eq!(
        record
            .epochs
            .iter()
            .map(|row| row.epoch)
            .collect::<Vec<_>>(),
        [0, 1, 2, 3, 4]
    );
}

#[test]
fn early_stopping_waits_for_improvements_in_the_direction_of_its_metric() {
    let digits = support::digits(8, 4);
    let epochs = |script: &[f64], better, stopping: EarlyStopping| {
        let mut learner = learner(&digits, script, better);
        let config = FitConfig::new(script.len())
            .with_lr(1e-4)
            .with_callback(stopping);
        learner.fit_with(config).unwrap().epochs.len()
    };
    let stopping = || EarlyStopping::new("script").with_patience(1);
    let nan = f64::NAN;
    assert_eq!(
        epochs(
            &[0.5, 0.6, 0.6, 0.7, 0.6, 0.5, 0.9],
            Better::Higher,
            stopping()
        ),
        6
    );
    assert_eq!(
        epochs(
            &[0.5, 0.4, 0.4, 0.3, 0.4, 0.5, 0.1],
            Better::Lower,
            stopping()
        ),
        6
    );
    assert_eq!(
        epochs(
            &[0.5, 0.55, 0.58, 0.9],
            Better::Higher,
            stopping().with_min_delta(0.1)
        ),
        3
    );
    assert_eq!(epochs(&[nan, nan, nan, 0.1], Better::Higher, stopping()), 2);
    assert_eq!(
        epochs(&[nan, 0.2, 0.1, 0.1, 0.1], Better::Higher, stopping()),
        4
    );
}

#[test]
fn the_best_weights_are_saved_and_are_the_learners_at_the_end() {
    let digits = support::digits(8, 4);
    for (better, script) in [
        (Better::Higher, [0.1, 0.5, 0.3, 0.7, 0.6]),
        (Better::Lower, [0.9, 0.5, 0.6, 0.2, 0.2]),
    ] {
        let mut learner = learner(&digits, &script, better);
        let seen = Weights::default();
        let config = FitConfig::one_cycle(5)
            .with_callback(SaveModel::best("script"))
            .with_callback(seen.clone());
        let record = learner.fit_with(config).unwrap();
        assert_eq!(record.epochs.len(), 5);
        let seen = seen.0.lock().unwrap();
        assert_eq!(learner.weights(), seen[3]);
        assert_ne!(learner.weights(), seen[4]);
        assert_eq!(learner.epochs_trained(), 5);
        assert_eq!(
            models(&learner),
            ["bestmodel.json", "bestmodel.safetensors"]
        );
        fs::remove_dir_all(learner.model_dir()).unwrap();
    }
    let mut learner = learner(&digits, &[0.9, 0.1], Better::Higher);
    let seen = Weights::default();
    let best = SaveModel::best("script")
        .with_name("first")
        .with_reload(false);
    learner
        .fit_with(
            FitConfig::new(2)
                .with_callback(best)
                .with_callback(seen.clone()),
        )
        .unwrap();
    assert_eq!(learner.weights(), seen.0.lock().unwrap()[1]);
    learner.load("first").unwrap();
    assert_eq!(learner.weights(), seen.0.lock().unwrap()[0]);
}

#[test]
fn the_weights_that_a_fit_begins_with_may_be_the_best() {
    let digits = support::digits(8, 4);
    // Two epochs, the score at the beginning of the second fit, two epochs.
    for (script, best) in [
        ([0.1, 0.5, 0.5, 0.3, 0.2], None),
        ([0.1, 0.5, 0.5, 0.3, 0.6], Some(1)),
    ] {
        let mut learner = learner(&digits, &script, Better::Higher);
        let save = || SaveModel::best("script").with_start(true);
        let first = learner.fit_with(FitConfig::new(2).with_callback(save()));
        first.unwrap();
        let before = learner.weights();
        let seen = Weights::default();
        let config = FitConfig::new(2)
            .with_callback(save())
            .with_callback(seen.clone());
        let record = learner.fit_with(config).unwrap();
        let seen = seen.0.lock().unwrap();
        assert_eq!(record.epochs.len(), 2);
        assert_eq!(
            learner.weights(),
            *best.map_or(&before, |at: usize| &seen[at])
        );
        // An exported model says the scores of the weights that it has, not those of the last epoch.
        let path = digits.path.join("exported.safetensors");
        let card = learner.export(&path).unwrap();
        let score = card.metrics.iter().find(|score| score.name == "script");
        let expected = if best.is_some() { 0.6 } else { 0.5 };
        assert_eq!(score.unwrap().value, Some(expected));
        let kept = learner.recorder().kept.clone().unwrap();
        assert_eq!(kept, card.metrics);
    }
    // A run that has ended says them again.
    for _ in 0..2 {
        let mut learner = learner(&digits, &[0.9, 0.1], Better::Higher);
        let config = FitConfig::new(2).with_callback(SaveModel::best("script"));
        learner
            .fit_with(config.resumable(digits.path.join("run")))
            .unwrap();
        let card = learner
            .export(digits.path.join("again.safetensors"))
            .unwrap();
        assert_eq!(card.metrics[1].value, Some(0.9));
    }
    // Without a fit before, and without being asked, the beginning is not scored: the script has a value for each epoch.
    let mut fresh = learner(&digits, &[0.9, 0.1], Better::Higher);
    let save = SaveModel::best("script").with_start(true);
    fresh
        .fit_with(FitConfig::new(2).with_callback(save))
        .unwrap();
    let kept = fresh.recorder().kept.clone().unwrap();
    assert_eq!(kept[1].value, Some(0.9));
}

#[test]
fn of_equal_values_the_tie_break_decides() {
    let digits = support::digits(8, 4);
    // Without one, the first of the equal ones.
    for (tie, best) in [(None, 1), (Some("second"), 3)] {
        let script = Script::new(&[0.1, 0.5, 0.5, 0.5, 0.4], Better::Higher);
        let second = Script::new(&[0.0, 0.9, f64::NAN, 0.8, 0.1], Better::Lower);
        let metrics: [Box<dyn Metric>; 2] = [Box::new(script), Box::new(Second(second))];
        let builder = create_cnn(support::data(&digits.path, 8), Small).pretrained(false);
        let builder = builder.metrics(metrics).silent(true);
        let mut learner = builder.build().unwrap();
        let seen = Weights::default();
        let mut save = SaveModel::best("script");
        if let Some(tie) = tie {
            save = save.with_tie_break(tie);
        }
        let config = FitConfig::one_cycle(5)
            .with_callback(save)
            .with_callback(seen.clone());
        learner.fit_with(config).unwrap();
        assert_eq!(learner.weights(), seen.0.lock().unwrap()[best], "{tie:?}");
    }
    let mut learner = learner(&digits, &[0.9, 0.1], Better::Higher);
    let unknown = SaveModel::best("script").with_tie_break("certainty");
    let error = learner
        .fit_with(FitConfig::new(1).with_callback(unknown))
        .unwrap_err();
    assert!(error.to_string().contains("certainty"), "{error}");
}

#[test]
fn checkpoints_of_every_second_epoch_are_kept_as_many_as_asked() {
    let digits = support::digits(8, 4);
    let mut learner = learner(&digits, &[0.0; 7], Better::Higher);
    let other = learner.save("epoch_0").unwrap();
    let save = SaveModel::every(2).with_name("epoch").keep_last(2);
    learner
        .fit_with(FitConfig::new(7).with_callback(save))
        .unwrap();
    let expected = ["epoch_0", "epoch_3", "epoch_5"]
        .map(|name| [format!("{name}.json"), format!("{name}.safetensors")]);
    assert_eq!(models(&learner), expected.concat());
    assert!(other.is_file(), "what this fit has not saved stays");
}

#[test]
fn an_unknown_metric_is_an_error_that_lists_the_names() {
    let digits = support::digits(8, 4);
    let refused = |callback: Box<dyn Fn(FitConfig) -> FitConfig>| {
        let mut learner = learner(&digits, &[0.0; 3], Better::Higher);
        let error = learner.fit_with(callback(FitConfig::new(1))).unwrap_err();
        assert_matches!(error, Error::NoSuchMetric { name, known } if name == "acuracy" && known.contains(&"script".to_owned()));
        let text = error.to_string();
        assert!(
            text.contains("\"acuracy\"") && text.contains("train_loss, valid_loss, script"),
            "{text}"
        );
    };
    refused(Box::new(|fit| {
        fit.with_callback(EarlyStopping::new("acuracy"))
    }));
    refused(Box::new(|fit| {
        fit.with_callback(SaveModel::best("acuracy"))
    }));
    refused(Box::new(|fit| {
        fit.with_callback(ReduceLrOnPlateau::new("acuracy"))
    }));
    // Without a validation set there is no validation loss.
    let data = ImageDataBunch::from_folder(&digits.path)
        .valid_pct(0.0)
        .batch_size(8)
        .build()
        .unwrap();
    let mut learner = create_cnn(data, Small)
        .pretrained(false)
        .silent(true)
        .build()
        .unwrap();
    let config = FitConfig::new(1).with_callback(EarlyStopping::new("valid_loss"));
    assert_matches!(learner.fit_with(config), Err(Error::NoSuchMetric { known, .. }) if *known == ["train_loss"]);
}

#[test]
fn a_column_of_a_callback_can_be_followed_and_a_schedule_excludes_plateaus() {
    let digits = support::digits(8, 4);
    let mut learner = learner(&digits, &[0.5; 20], Better::Higher);
    let stopping = EarlyStopping::new("ema_script");
    let config = FitConfig::new(5)
        .with_callback(stopping)
        .with_callback(Ema::new(0.5));
    let record = learner.fit_with(config).unwrap();
    assert_eq!(
        record.metric_names,
        ["script", "ema_valid_loss", "ema_script"]
    );
    assert_eq!(record.epochs.len(), 2);
    // The fit ended early, and the average is saved all the same.
    assert!(learner.model_dir().join("ema.safetensors").is_file());
    let plateau = ReduceLrOnPlateau::new("train_loss");
    let error = learner
        .fit_with(FitConfig::one_cycle(1).with_callback(plateau))
        .unwrap_err();
    assert!(error.to_string().contains("FitConfig::new"), "{error}");
}

#[test]
fn the_csv_file_has_the_rows_of_the_record_and_replaces_only_its_own_kind() {
    let digits = support::digits(8, 4);
    let mut learner = learner(&digits, &[0.25; 20], Better::Higher);
    let file = learner.data().path().join("history.csv");
    let first = learner
        .fit_with(FitConfig::new(2).with_callback(CsvLogger::new("history.csv")))
        .unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), first.to_csv());
    let second = learner
        .fit_with(FitConfig::new(1).with_callback(CsvLogger::new("history.csv")))
        .unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), second.to_csv());
    let third = learner
        .fit_with(FitConfig::new(1).with_callback(CsvLogger::new("history.csv").append(true)))
        .unwrap();
    let rows = third.to_csv();
    let expected = second.to_csv() + rows.split_once('\n').unwrap().1;
    assert_eq!(fs::read_to_string(&file).unwrap(), expected);

    fs::write(&file, "name,label\n").unwrap();
    for append in [false, true] {
        let logger = CsvLogger::new("history.csv").append(append);
        let error = learner
            .fit_with(FitConfig::new(1).with_callback(logger))
            .unwrap_err();
        assert_matches!(error, Error::Option(_));
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "name,label\n");
    fs::write(&file, "epoch,train_loss,valid_loss,other,time\n").unwrap();
    let logger = CsvLogger::new("history.csv").append(true);
    assert_matches!(
        learner.fit_with(FitConfig::new(1).with_callback(logger)),
        Err(Error::Option(_))
    );
    for name in ["", "..", "history.csv/x"] {
        assert!(
            learner
                .fit_with(FitConfig::new(1).with_callback(CsvLogger::new(name)))
                .is_err(),
            "{name}"
        );
    }
}

#[test]
fn a_loss_that_is_not_finite_ends_the_fit_without_an_error_if_that_is_wanted() {
    let digits = support::digits(16, 4);
    let mut learner = learner(&digits, &[0.0; 5], Better::Higher);
    let huge = || FitConfig::new(3).with_lr(1e30);
    assert!(learner.fit_with(huge()).is_err());
    let mut learner = self::learner(&digits, &[0.0; 5], Better::Higher);
    let record = learner
        .fit_with(huge().with_callback(TerminateOnNan))
        .unwrap();
    assert_eq!(record.epochs.len(), 1);
    assert_eq!(record.epochs[0].valid_loss, None, "validation is skipped");
    assert!(record.lrs.len() < 4);
    let finite = |tensor: &NamedTensor| tensor.values.iter().all(|value| value.is_finite());
    assert!(learner.weights().iter().all(finite));
}

/// A net without batch norms, in which a batch is the sum of its items.
fn plain(digits: &Digits, batch_size: usize) -> Learner {
    let data = support::data(&digits.path, batch_size);
    let builder = create_cnn(data, Own).pretrained(false);
    let builder = builder
        .custom_head(MeanHead::new())
        .optimizer(Sgd::default());
    builder.silent(true).build().unwrap()
}

#[test]
fn the_mean_gradient_of_small_batches_is_that_of_a_large_one() {
    let digits = support::digits(16, 4);
    let lr = || FitConfig::new(2).with_lr(0.05);
    let mut large = plain(&digits, 8);
    large.fit_with(lr()).unwrap();
    let mut small = plain(&digits, 4);
    let begin = small.weights();
    small
        .fit_with(lr().with_callback(AccumulateGradients::new(2)))
        .unwrap();
    for ((small, large), begin) in small.weights().iter().zip(large.weights()).zip(begin) {
        let moved = |values: &[f32]| {
            values
                .iter()
                .zip(&begin.values)
                .map(|(a, b)| f64::from((a - b).abs()))
                .sum::<f64>()
        };
        assert!(moved(&large.values) > 1e-4);
        support::close(&small.name, &small.values, &large.values, 1e-4, 1e-6);
    }
    // 8 batches of 4 in sets of 3: steps after 3, 6 and 8 batches, and so 3 an epoch.
    let mut thirds = plain(&digits, 4);
    thirds
        .fit_with(lr().with_callback(AccumulateGradients::new(3)))
        .unwrap();
    let path = thirds.save("thirds").unwrap();
    let manifest: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(path.with_extension("json")).unwrap()).unwrap();
    let steps = manifest["optimizer"]["steps"].as_object().unwrap();
    assert!(steps.values().all(|steps| *steps == 6), "{steps:?}");
}

#[test]
fn sizes_follow_the_epochs_and_the_learner_keeps_its_own() {
    #[derive(Clone, Default)]
    struct Sizes(Arc<Mutex<Vec<(bool, usize)>>>);
    impl Callback for Sizes {
        fn on_batch_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
            let side = ctx.state.last_input.as_ref().unwrap().dims()[2];
            let mut seen = self.0.lock().unwrap();
            if seen.last() != Some(&(ctx.state.train, side)) {
                seen.push((ctx.state.train, side));
            }
            Ok(())
        }
    }
    let digits = support::digits(8, 4);
    let data = ImageDataBunch::from_folder(&digits.path)
        .size(28)
        .batch_size(8)
        .build()
        .unwrap();
    let mut learner = create_cnn(data, Small)
        .pretrained(false)
        .silent(true)
        .build()
        .unwrap();
    let seen = Sizes::default();
    let sizes = ProgressiveResizing::new([(0, 16), (2, 20)]).until(3);
    learner
        .fit_with(
            FitConfig::new(4)
                .with_callback(sizes)
                .with_callback(seen.clone()),
        )
        .unwrap();
    let expected = [16, 16, 20, 28]
        .map(|side| [(true, side), (false, side)])
        .concat();
    let mut expected: Vec<_> = expected;
    expected.dedup();
    assert_eq!(*seen.0.lock().unwrap(), expected);
    assert_eq!(learner.data().resizing().height_width(), Some((28, 28)));
    // What it saves is for images of its own size.
    let path = learner.save("x").unwrap();
    assert!(
        fs::read_to_string(path.with_extension("json"))
            .unwrap()
            .contains("28")
    );
    for wrong in [
        vec![],
        vec![(3, 16), (1, 20)],
        vec![(0, 0)],
        vec![(0, 1 << 20)],
    ] {
        let sizes = ProgressiveResizing::new(wrong);
        assert_matches!(
            learner.fit_with(FitConfig::new(1).with_callback(sizes)),
            Err(Error::Option(_) | Error::Data(_))
        );
    }
}

#[test]
fn a_process_beyond_its_limit_of_memory_ends_the_fit() {
    let digits = support::digits(8, 4);
    let mut learner = learner(&digits, &[0.0; 9], Better::Higher);
    learner
        .fit_with(FitConfig::new(1).with_callback(MemoryAlarm::new().with_limit(1 << 40)))
        .unwrap();
    let error =
        learner.fit_with(FitConfig::new(3).with_callback(MemoryAlarm::new().with_limit(1 << 20)));
    if cfg!(target_os = "linux") {
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("the limit of 1 MiB")
        );
    }
}

#[test]
fn callbacks_of_a_learner_begin_anew_with_each_fit_and_leave_the_rate_finder_alone() {
    let digits = support::digits(8, 4);
    let builder = create_cnn(support::data(&digits.path, 8), Small).pretrained(false);
    let builder = builder.metrics([accuracy()]).silent(true);
    let builder = builder
        .callback(SaveModel::best("valid_loss"))
        .callback(EarlyStopping::new("accuracy"));
    let builder = builder
        .callback(Ema::new(0.9).with_take_over(true))
        .callback(CsvLogger::new("log.csv"));
    let mut learner = builder.build().unwrap();
    learner.lr_find().unwrap();
    assert!(!learner.model_dir().exists());
    assert!(!learner.data().path().join("log.csv").exists());
    for _ in 0..2 {
        let rows = learner
            .fit_with(FitConfig::new(6).with_lr(1e-42))
            .unwrap()
            .epochs
            .len();
        assert_eq!(rows, 2);
    }
    assert_eq!(models(&learner).len(), 4);
}

#[test]
fn the_learner_takes_over_an_average_if_that_is_wanted() {
    let digits = support::digits(8, 4);
    let end = |takes_over| -> (Vec<NamedTensor>, Recorder, Vec<NamedTensor>) {
        let mut learner = learner(&digits, &[0.0; 30], Better::Higher);
        let ema = Ema::new(0.5).with_name("mean").with_take_over(takes_over);
        let record = learner
            .fit_with(FitConfig::new(2).with_lr(0.01).with_callback(ema))
            .unwrap();
        let weights = learner.weights();
        learner.load("mean").unwrap();
        (weights, record, learner.weights())
    };
    let (plain, _, mean) = end(false);
    assert_ne!(plain, mean);
    let (taken, _, mean) = end(true);
    assert_eq!(taken, mean);
}

#[test]
fn settings_of_callbacks_that_mean_nothing_are_refused_before_training() {
    let digits = support::digits(8, 4);
    let mut learner = learner(&digits, &[0.0; 9], Better::Higher);
    let weights = learner.weights();
    let mut refused = |config: FitConfig, option: &str| {
        let error = learner.fit_with(config).unwrap_err();
        assert!(
            matches!(error, Error::Option(_)) && error.to_string().contains(option),
            "{error}"
        );
        assert_eq!(learner.weights(), weights);
    };
    let fit = || FitConfig::new(1);
    for max in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        refused(fit().with_callback(GradientClip::norm(max)), "max");
        refused(fit().with_callback(GradientClip::value(max)), "max");
    }
    refused(fit().with_callback(AccumulateGradients::new(0)), "batches");
    for decay in [1.0, -0.1, f64::NAN] {
        refused(fit().with_callback(Ema::new(decay)), "decay");
    }
    refused(fit().with_callback(Ema::new(0.9).with_name("..")), "name");
    refused(fit().with_callback(Swa::from_epoch(1)), "from_epoch");
    refused(
        fit().with_callback(Swa::from_epoch(0).with_name("")),
        "name",
    );
    refused(fit().with_callback(SaveModel::every(0)), "every");
    refused(
        fit().with_callback(SaveModel::every(1).keep_last(0)),
        "keep_last",
    );
    refused(
        fit().with_callback(SaveModel::best("script").with_name("")),
        "name",
    );
    refused(
        fit().with_callback(SaveModel::best("script").with_min_delta(-1.0)),
        "min_delta",
    );
    refused(
        fit().with_callback(EarlyStopping::new("script").with_min_delta(f64::NAN)),
        "min_delta",
    );
    refused(
        fit().with_callback(ReduceLrOnPlateau::new("script").with_factor(1.0)),
        "factor",
    );
    refused(
        fit().with_callback(ReduceLrOnPlateau::new("script").with_min_lr(-1.0)),
        "min_lr",
    );
    refused(
        fit().with_callback(MemoryAlarm::new().with_limit(0)),
        "limit",
    );
}
