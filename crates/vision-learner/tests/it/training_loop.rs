//! Schedules, events, metrics and records of a fit are fastai's.

use std::sync::{Arc, Mutex};

use vision_data::DataError;
use vision_learner::{Context, Error, Metric, Scores};

use crate::prelude::*;
use crate::support;

#[test]
fn fit_keeps_rate_and_momentum_constant() {
    let digits = support::digits(20, 4);
    let mut learner = support::learner(support::data(&digits.path, 8));
    let record = learner.fit(2, 3e-3).unwrap();
    assert_eq!(record.lrs, [3e-3; 10]);
    assert_eq!(record.moms, [0.9; 10]);
}

// Learning rate and momentum of batch i of N = 10, computed with fastai 1.0.61's callbacks/one_cycle.py.
#[test]
fn fit_one_cycle_trains_every_batch_with_fastais_rate_and_momentum() {
    let digits = support::digits(20, 4);
    let mut learner = support::learner(support::data(&digits.path, 8));
    let record = learner.fit_one_cycle(2, [1e-5, 1e-4, 1e-3]).unwrap();
    let lr = [
        4.0e-5,
        2.8e-4,
        7.6e-4,
        1.0e-3,
        9.504846320e-4,
        8.117456539e-4,
        6.112620219e-4,
        3.887419781e-4,
        1.882583461e-4,
        4.951936799e-5,
    ];
    let mom = [
        0.95, 0.925, 0.875, 0.85, 0.854952, 0.868826, 0.888874, 0.911126, 0.931174, 0.945048,
    ];
    for i in 0..10 {
        assert!(
            (record.lrs[i] - lr[i]).abs() < 1e-9 * lr[i] + 1e-13,
            "batch {i}: {}",
            record.lrs[i]
        );
        assert!(
            (record.moms[i] - mom[i]).abs() < 1e-6,
            "batch {i}: {}",
            record.moms[i]
        );
        let groups = [1e-2, 1e-1, 1.0].map(|factor| factor * record.lrs[i]);
        let what = format!("batch {i}, rates");
        support::close(&what, &record.group_lrs[i], &groups, 0.0, 1e-12);
    }
    let after = learner.optimizer().unwrap().lr();
    assert!((after - 4e-9).abs() < 1e-15, "{after}");
}

#[test]
fn a_run_resumed_at_an_epoch_follows_the_rest_of_the_same_schedule() {
    let digits = support::digits(20, 4);
    let mut learner = support::learner(support::data(&digits.path, 8));
    let whole = learner.fit_one_cycle(2, 1e-3).unwrap();
    let config = FitConfig::one_cycle(2).with_lr(1e-3).with_start_epoch(1);
    let rest = learner.fit_with(config).unwrap();
    assert_eq!(rest.lrs, whole.lrs[5..]);
    assert_eq!(rest.moms, whole.moms[5..]);
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, event: &str, ctx: &Context<'_>) {
        let s = &ctx.state;
        let kind = if s.train { "train" } else { "valid" };
        self.0.lock().unwrap().push(format!(
            "{event} {kind} e{} i{} b{}",
            s.epoch, s.iteration, s.num_batch
        ));
    }
}

macro_rules! log_events {
    ($($event:ident)*) => {
        impl Callback for Log {
            $(fn $event(&mut self, ctx: &mut Context<'_>) -> vision_learner::Result<()> {
                self.add(stringify!($event), ctx);
                Ok(())
            })*
        }
    };
}
log_events! {
    on_train_begin on_epoch_begin on_batch_begin on_loss_begin on_backward_begin on_backward_end
    on_step_end on_batch_end on_epoch_end on_train_end
}

// The order of fit in fastai 1.0.61's basic_train.py and callback.py.
#[test]
fn events_come_in_fastais_order_with_fastais_counters() {
    let digits = support::digits(8, 4);
    let mut learner = support::learner(support::data(&digits.path, 8));
    let log = Log::default();
    learner
        .fit_with(FitConfig::new(1).with_lr(1e-4).with_callback(log.clone()))
        .unwrap();
    let train = |i: usize| {
        [
            "on_batch_begin",
            "on_loss_begin",
            "on_backward_begin",
            "on_backward_end",
            "on_step_end",
            "on_batch_end",
        ]
        .map(|event| format!("{event} train e0 i{i} b{i}"))
    };
    let valid =
        ["on_batch_begin", "on_loss_begin", "on_batch_end"].map(|e| format!("{e} valid e0 i2 b2"));
    let mut expected = vec![
        "on_train_begin valid e0 i0 b0".to_owned(),
        "on_epoch_begin train e0 i0 b0".to_owned(),
    ];
    expected.extend(train(0));
    expected.extend(train(1));
    expected.extend(valid);
    expected.extend([
        "on_epoch_end valid e0 i2 b2".to_owned(),
        "on_train_end valid e0 i2 b2".to_owned(),
    ]);
    assert_eq!(*log.0.lock().unwrap(), expected);
}

/// The loss of each batch: as a tensor before the backward pass, and as a number after it.
#[derive(Clone, Default)]
struct Losses(Arc<Mutex<Vec<[f64; 2]>>>);

impl Callback for Losses {
    fn on_backward_begin(&mut self, ctx: &mut Context<'_>) -> vision_learner::Result<()> {
        let loss = ctx.state.loss.clone().unwrap().into_scalar::<f32>();
        self.0.lock().unwrap().push([f64::from(loss), f64::NAN]);
        Ok(())
    }

    fn on_backward_end(&mut self, ctx: &mut Context<'_>) -> vision_learner::Result<()> {
        self.0.lock().unwrap().last_mut().unwrap()[1] = ctx.state.last_loss;
        Ok(())
    }
}

#[test]
fn the_loss_of_a_batch_is_known_with_its_gradients() {
    let digits = support::digits(8, 4);
    let mut learner = support::learner(support::data(&digits.path, 4));
    let losses = Losses::default();
    learner
        .fit_with(FitConfig::new(1).with_callback(losses.clone()))
        .unwrap();
    let losses = losses.0.lock().unwrap();
    assert_eq!(losses.len(), 4);
    assert!(losses.windows(2).all(|pair| pair[0] != pair[1]));
    assert!(losses.iter().all(|[tensor, number]| tensor == number));
    let raw: Vec<f64> = losses.iter().map(|loss| loss[1]).collect();
    assert_eq!(learner.recorder().raw_losses, raw);
}

struct StopAfter(usize);

impl Callback for StopAfter {
    fn on_batch_end(&mut self, ctx: &mut Context<'_>) -> vision_learner::Result<()> {
        if ctx.state.train && ctx.state.num_batch + 1 >= self.0 {
            (
                ctx.state.stop_epoch,
                ctx.state.stop_training,
                ctx.state.skip_validate,
            ) = (true, true, true);
        }
        Ok(())
    }
}

#[test]
fn a_callback_can_stop_the_run_after_two_batches_without_validation() {
    let digits = support::digits(20, 4);
    let mut learner = support::learner(support::data(&digits.path, 8));
    let record = learner
        .fit_with(FitConfig::new(3).with_callback(StopAfter(2)))
        .unwrap();
    assert_eq!((record.losses.len(), record.epochs.len()), (2, 1));
    assert_eq!(record.epochs[0].valid_loss, None);
    assert!(
        record
            .to_csv()
            .starts_with("epoch,train_loss,valid_loss,accuracy,time\n0,")
    );
}

struct Skip;

impl Callback for Skip {
    fn on_backward_end(&mut self, ctx: &mut Context<'_>) -> vision_learner::Result<()> {
        ctx.state.skip_step = true;
        Ok(())
    }
}

#[test]
fn a_skipped_step_leaves_the_weights_alone() {
    let digits = support::digits(8, 4);
    let mut learner = support::learner(support::data(&digits.path, 8));
    let before = learner.weights();
    learner
        .fit_with(FitConfig::new(1).with_callback(Skip))
        .unwrap();
    for (old, new) in before.iter().zip(learner.weights()) {
        assert_eq!(
            old.values == new.values,
            !old.name.contains("running_"),
            "{}",
            old.name
        );
    }
}

/// fastai's own test of a custom metric: 9876 to the power of the epoch.
#[derive(Default)]
struct Dummy(i32);

impl Metric for Dummy {
    fn name(&self) -> String {
        "dummy".to_owned()
    }
    fn reset(&mut self) {
        self.0 += 1;
    }
    fn update(&mut self, _batch: &Scores<'_>) {}
    fn value(&self) -> f64 {
        9876f64.powi(self.0)
    }
}

#[test]
fn a_custom_metric_gets_its_column() {
    let digits = support::digits(8, 4);
    let data = support::data(&digits.path, 8);
    let builder = create_cnn(data, Arch::ResNet18)
        .pretrained(false)
        .silent(true);
    let mut learner = builder
        .metrics([error_rate()])
        .metrics([Dummy::default()])
        .build()
        .unwrap();
    let record = learner.fit(2, 1e-4).unwrap();
    assert_eq!(record.metric_names, ["error_rate", "dummy"]);
    assert_eq!(
        [record.epochs[0].metrics[1], record.epochs[1].metrics[1]],
        [9876.0, 9876.0 * 9876.0]
    );
    let csv = record.to_csv();
    let row: Vec<_> = csv.lines().nth(1).unwrap().split(',').collect();
    assert_eq!(row.len(), 6);
    assert_eq!(row[4], "9876.000000");
    assert_eq!(row[1], format!("{:.6}", record.epochs[0].train_loss));
}

#[test]
fn a_loss_that_is_no_number_stops_the_run_and_names_batch_and_rate() {
    let digits = support::digits(20, 4);
    let mut learner = support::learner(support::data(&digits.path, 8));
    let error = learner.fit(2, 1e30).unwrap_err();
    let Error::NotFinite {
        epoch: 0,
        batch,
        lr,
        ..
    } = error
    else {
        panic!("{error}");
    };
    assert!(batch >= 1 && lr == 1e30);
    assert_eq!(
        learner.recorder().losses.len(),
        batch,
        "every finite loss is on record"
    );
}

#[test]
fn validation_equals_the_last_row_of_the_table_and_weighs_a_smaller_last_batch_right() {
    let digits = support::digits(8, 7);
    let mut learner = support::learner(support::data(&digits.path, 4));
    let record = learner.fit(1, 1e-3).unwrap();
    let row = record.epochs.last().unwrap();
    let validated = learner.validate().unwrap();
    assert_eq!(validated[0].1, row.valid_loss.unwrap());
    assert_eq!(validated[1].1, row.metrics[0]);
    let preds = learner.get_preds(DatasetType::Valid).unwrap();
    let mean = preds.losses.iter().map(|l| f64::from(*l)).sum::<f64>() / preds.len() as f64;
    assert!((mean - validated[0].1).abs() < 1e-6);
}

#[test]
fn a_training_set_smaller_than_a_batch_is_an_error_with_both_numbers() {
    let digits = support::digits(4, 4);
    let result = ImageDataBunch::from_folder(&digits.path)
        .batch_size(64)
        .build();
    let error = support::learner(result.unwrap()).fit(1, 1e-3).unwrap_err();
    assert_matches!(
        error,
        Error::Data(vision_data::Error::Data(DataError::BatchLargerThanSet {
            batch_size: 64,
            items: 8,
        }))
    );
}

#[test]
fn a_batch_of_one_never_reaches_batch_norm_in_training() {
    let digits = support::digits(4, 4);
    let mut learner = support::learner(support::data(&digits.path, 1));
    assert!(matches!(learner.fit(1, 1e-3), Err(Error::BatchOfOne)));
}

#[test]
fn five_epochs_learn_drawn_digits_and_predictions_agree_with_get_preds() {
    let digits = support::digits(150, 30);
    let mut learner = support::learner(support::data(&digits.path, 32));
    let record = learner.fit_one_cycle(5, 3e-3).unwrap();
    let accuracy = record.epochs.last().unwrap().metrics[0];
    assert!(accuracy > 0.9, "{accuracy}");

    let preds = learner.get_preds(DatasetType::Valid).unwrap();
    assert_eq!((preds.len(), preds.classes), (60, 2));
    let valid = learner.data().valid_ds();
    for i in [0, 31, 59] {
        let one = learner.predict(&valid.image(i).unwrap()).unwrap();
        assert!((one.probabilities.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        assert_eq!(one.index, preds.predicted(i));
        assert_eq!(one.class, learner.data().classes()[one.index]);
        support::close("probabilities", &one.probabilities, preds.row(i), 0.0, 1e-4);
    }
    let fix = learner.get_preds(DatasetType::Fix).unwrap();
    assert_eq!(fix.len(), 300);
    assert_eq!(fix.indices, (0..300).collect::<Vec<_>>());
    let train = learner.get_preds(DatasetType::Train).unwrap();
    assert_eq!(train.len(), 300 / 32 * 32);
}

/// Grows the rate as fastai's finder does.
struct Growing;

impl Callback for Growing {
    fn on_batch_begin(&mut self, ctx: &mut Context<'_>) -> vision_learner::Result<()> {
        let lr = 1e-4 * 1e4_f64.powf(ctx.state.iteration as f64 / 12.0);
        ctx.optimizer
            .groups_mut()
            .iter_mut()
            .for_each(|group| group.lr = lr);
        Ok(())
    }
}

// The learning rates of fastai 1.0.61's callbacks/lr_finder.py.
#[test]
fn lr_find_trains_with_fastais_rates_and_ends_where_the_loss_diverges() {
    let digits = support::digits(20, 4);
    let mut learner = support::learner(support::data(&digits.path, 8));
    let config = || LrFindConfig::new().with_stop_div(false);
    let found = learner.lr_find_with(config()).unwrap();
    assert_eq!((found.lrs.len(), found.losses.len()), (100, 100));
    assert_eq!((found.raw_losses.len(), found.moms), (100, vec![0.9; 100]));
    for (i, lr) in [(0, 1e-7), (1, 1.20226e-7), (50, 1e-3), (99, 8.31764)] {
        let found = found.lrs[i];
        assert!((found - lr).abs() < 1e-5 * lr, "batch {i}: {found}");
    }
    // The settings of fastai's own test of lr_find. It stops at a loss of more than four times the least.
    let config = config().with_start_lr(1e-6).with_num_it(90).with_wd(0.002);
    let found = learner.lr_find_with(config.with_stop_div(true)).unwrap();
    assert_eq!((found.lrs[0], found.moms.len()), (1e-6, found.lrs.len()));
    let least = |losses: &[f64]| losses.iter().copied().fold(f64::INFINITY, f64::min);
    let (last, before) = found.losses.split_last().unwrap();
    assert!(
        found.lrs.len() < 90 && *last > 4.0 * least(before),
        "{found:?}"
    );
    assert!(
        before
            .iter()
            .enumerate()
            .all(|(i, loss)| *loss <= 4.0 * least(&before[..=i]))
    );
    assert!(found.suggestion().unwrap().minimum < 1.0);
}

#[test]
fn lr_find_changes_nothing_that_comes_after_it() {
    let digits = support::digits(20, 4);
    let run = |find: bool, prepare: fn(&mut Learner)| {
        let mut learner = support::learner(support::data(&digits.path, 8));
        prepare(&mut learner);
        let look = |learner: &mut Learner| {
            let config = LrFindConfig::new().with_num_it(12).with_end_lr(1.0);
            if find {
                let entries = learner.layer_groups();
                let found = learner.lr_find_with(config).unwrap();
                assert_eq!(found.lrs.len(), found.losses.len());
                let trainable = |groups: Vec<Vec<vision_models::state::Entry>>| -> Vec<bool> {
                    groups.into_iter().flatten().map(|e| e.trainable).collect()
                };
                assert_eq!(trainable(learner.layer_groups()), trainable(entries));
            }
        };
        look(&mut learner);
        learner.fit_one_cycle(1, 1e-3).unwrap();
        look(&mut learner);
        learner.fit(1, 1e-3).unwrap();
        let losses = learner.recorder().raw_losses.clone();
        (learner.weights(), losses, learner.recorder().epochs.len())
    };
    for prepare in [
        |_: &mut Learner| {},
        |learner: &mut Learner| learner.freeze().unwrap(),
    ] {
        let (with, losses, epochs) = run(true, prepare);
        let (without, same_losses, _) = run(false, prepare);
        assert_eq!((losses, epochs), (same_losses, 2));
        assert_eq!(with, without);
    }
}

#[test]
fn lr_find_sees_the_losses_that_training_at_its_rates_has() {
    let digits = support::digits(20, 4);
    for (bn_freeze, freeze) in [(false, false), (false, true), (true, true)] {
        let new = || {
            let mut learner = create_cnn(support::data(&digits.path, 8), Arch::ResNet18)
                .pretrained(false)
                .bn_freeze(bn_freeze)
                .silent(true)
                .build()
                .unwrap();
            if freeze {
                learner.freeze().unwrap();
            }
            // With moments to begin with.
            learner.fit(1, 1e-4).unwrap();
            learner
        };
        let config = LrFindConfig::new().with_start_lr(1e-4).with_end_lr(1.0);
        let config = config.with_num_it(12).with_stop_div(false);
        let found = new().lr_find_with(config).unwrap();
        let fit = FitConfig::new(3).with_lr(1e-4).with_callback(Growing);
        let record = new().fit_with(fit).unwrap();
        let what = format!("bn_freeze {bn_freeze}, freeze {freeze}: losses");
        // Of the fifteen batches of three epochs it looks at twelve.
        support::close(
            &what,
            &found.raw_losses,
            &record.raw_losses[..12],
            1e-9,
            0.0,
        );
    }
}

#[test]
fn lr_find_ends_with_what_it_has_when_the_loss_is_no_number_any_more() {
    let digits = support::digits(20, 4);
    let mut learner = support::learner(support::data(&digits.path, 8));
    let config = LrFindConfig::new().with_start_lr(1e30).with_end_lr(1e38);
    let found = learner.lr_find_with(config.with_stop_div(false)).unwrap();
    assert!((1..100).contains(&found.lrs.len()), "{found:?}");
    assert_eq!(found.lrs.len(), found.losses.len());
    assert!(found.losses.iter().all(|loss| loss.is_finite()));
    learner.fit(1, 1e-3).unwrap();
}
