//! A fit by several processes is that of one.
//!
//! Threads stand in for processes: each has its own learner, and all that they know of each other comes through sockets.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use vision_data::{BadImages, BatchTransform, get_transforms};
use vision_learner::callbacks::{CsvLogger, EarlyStopping, SaveModel, Swa};
use vision_learner::{
    Average, Collective, Context, DataParallel, Error, Gpus, LostRank, Metric, Recorder, Result,
    Resumable, Sgd, Sockets, log_loss, roc_auc,
};
use vision_models::state::NamedTensor;

use crate::prelude::*;
use crate::support::{self, Digits, close};

/// Runs `work` once for each rank, in the order of ranks.
fn together<T: Send>(ranks: usize, work: impl Fn(Sockets) -> T + Sync) -> Vec<T> {
    let ends = Sockets::local(ranks).unwrap();
    thread::scope(|scope| {
        let threads: Vec<_> = ends
            .into_iter()
            .map(|end| scope.spawn(|| work(end.with_limit(Duration::from_secs(120)).unwrap())))
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    })
}

fn data(path: &Path) -> ImageDataBunch {
    ImageDataBunch::from_folder(path)
        .batch_size(10)
        .val_batch_size(7)
        .transforms(get_transforms())
        .bad_images(BadImages::Skip)
        .build()
        .unwrap()
}

fn metrics() -> Vec<Box<dyn Metric>> {
    vec![
        Box::new(accuracy()),
        Box::new(log_loss()),
        Box::new(roc_auc(Average::Macro)),
    ]
}

/// At usual rates, plain SGD on a network with random weights multiplies such errors a thousandfold in some steps, too.
const RATE: f64 = 3e-6;

/// Adam divides gradients by their size, also those that are rounding errors, so that two runs differ after a few steps.
fn sgd() -> Sgd {
    Sgd::default()
}

/// A ResNet-18 with a new head, cut before a child.
fn cut_at(cut: isize, path: &Path, data: ImageDataBunch) -> Learner {
    create_cnn(data, Arch::ResNet18)
        .cut(cut)
        .pretrained(false)
        .metrics(metrics())
        .optimizer(sgd())
        .path(path)
        .seed(3)
        .silent(true)
        .build()
        .unwrap()
}

/// With dropout, and batch norms in the body and the head. Only the first stages, whose batch norms have many pixels: in the
/// whole network, where they have ten values at random weights, a change of all weights by one part in ten millions changes
/// the losses by a tenth within ten steps.
fn learner(path: &Path) -> Learner {
    cut_at(5, path.parent().unwrap(), data(path))
}

/// Notes what a rank has after each step.
#[derive(Clone, Default)]
struct Steps(Arc<Mutex<Vec<Vec<u32>>>>);

impl Callback for Steps {
    fn on_step_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        // One number in 997 of all parameters and statistics.
        let all = ctx.weights().into_iter().flat_map(|tensor| tensor.values);
        let some = all.step_by(997).map(f32::to_bits).collect();
        self.0.lock().unwrap().push(some);
        Ok(())
    }
}

/// Ends the fit of its rank after so many batches.
struct Fails {
    after: usize,
    pause: Duration,
}

impl Callback for Fails {
    fn on_batch_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if ctx.state.train && ctx.state.iteration == self.after {
            thread::sleep(self.pause);
            return Err(Error::Callback {
                name: "Fails".to_owned(),
                source: "the disk is full".into(),
            });
        }
        Ok(())
    }
}

struct Run {
    record: Recorder,
    weights: Vec<NamedTensor>,
    steps: Vec<Vec<u32>>,
}

fn run(mut learner: Learner, epochs: usize) -> Run {
    let steps = Steps::default();
    let config = FitConfig::one_cycle(epochs)
        .with_lr(RATE)
        .with_callback(steps.clone());
    let record = learner.fit_with(config).unwrap();
    let steps = steps.0.lock().unwrap().clone();
    Run {
        record,
        weights: learner.weights(),
        steps,
    }
}

fn run_together(path: &Path, ranks: usize, epochs: usize) -> Vec<Run> {
    together(ranks, |sockets| {
        let mut learner = learner(path);
        learner.data_parallel(sockets);
        run(learner, epochs)
    })
}

/// Metrics and losses of the epochs.
fn scores(record: &Recorder) -> Vec<f64> {
    let rows = record.epochs.iter();
    rows.flat_map(|row| row.valid_loss.into_iter().chain(row.metrics.clone()))
        .collect()
}

/// The changes of all parameters.
fn changes(begin: &[NamedTensor], end: &[NamedTensor]) -> Vec<f64> {
    let pairs = begin.iter().zip(end);
    let pairs = pairs.filter(|(tensor, _)| !tensor.name.contains("running"));
    let values = pairs.flat_map(|(begin, end)| begin.values.iter().zip(&end.values));
    values.map(|(b, e)| f64::from(*e) - f64::from(*b)).collect()
}

#[test]
fn fifty_steps_of_two_and_four_ranks_are_those_of_one_process_up_to_rounding() {
    let digits = support::digits(85, 15);
    let begin = learner(&digits.path).weights();
    let alone = run(learner(&digits.path), 3);
    assert_eq!(alone.record.raw_losses.len(), 51);
    for ranks in [2, 4] {
        let all = run_together(&digits.path, ranks, 3);
        let first = &all[0];
        let (found, expected) = (&first.record.raw_losses, &alone.record.raw_losses);
        let far = found.iter().zip(expected).map(|(a, b)| (a - b).abs() / b);
        let far: Vec<String> = far.map(|far| format!("{far:.0e}")).collect();
        println!(
            "{ranks} ranks, relative difference of losses: {}",
            far.join(" ")
        );
        close("the first losses", &found[..5], &expected[..5], 1e-5, 1e-6);
        close("losses", found, expected, 1e-4, 1e-5);
        // What the steps have done to the weights: the sum of all gradients.
        let [found, expected] = [first, &alone].map(|run| changes(&begin, &run.weights));
        let norm = |values: &[f64]| values.iter().map(|v| v * v).sum::<f64>().sqrt();
        let errors: Vec<f64> = found.iter().zip(&expected).map(|(a, b)| a - b).collect();
        let error = norm(&errors) / norm(&expected);
        println!("{ranks} ranks, relative difference of what weights changed by: {error:.1e}");
        assert!(error < 5e-3, "{error}");
        close(
            "scores",
            &scores(&first.record),
            &scores(&alone.record),
            0.01,
            5e-3,
        );
        assert_eq!(first.record.epochs[0].images, 170);
        for (rank, run) in all.iter().enumerate() {
            assert_eq!(run.steps.len(), 51);
            assert!(
                run.steps == first.steps,
                "rank {rank}: weights of some step"
            );
            assert!(run.weights == first.weights, "rank {rank}: weights");
            assert_eq!(run.record.raw_losses, first.record.raw_losses);
            assert_eq!(scores(&run.record), scores(&first.record));
        }
        let again = run_together(&digits.path, ranks, 3);
        assert_eq!(again[0].record.raw_losses, first.record.raw_losses);
        assert!(again[0].weights == first.weights, "from run to run");
    }
}

#[test]
fn devices_of_one_process_train_as_sockets_do() {
    let digits = support::digits(10, 6);
    let by_sockets = run_together(&digits.path, 2, 1);
    let devices = [Device::flex(), Device::flex()];
    let all = thread::scope(|scope| {
        let threads = Gpus::local(&devices).unwrap().into_iter().map(|gpus| {
            scope.spawn(|| {
                assert_eq!(*gpus.device(), Device::flex());
                let mut learner = learner(&digits.path);
                learner.data_parallel(gpus);
                run(learner, 1)
            })
        });
        let threads: Vec<_> = threads.collect();
        let runs = threads.into_iter().map(|thread| thread.join().unwrap());
        runs.collect::<Vec<_>>()
    });
    for (found, expected) in all.iter().zip(&by_sockets) {
        assert_eq!(found.record.raw_losses, expected.record.raw_losses);
        assert!(found.weights == expected.weights);
    }
    let error = Gpus::local(&[]).unwrap_err();
    assert!(matches!(error, Error::Option(_)), "{error}");
}

/// GPUs that are connected, where the CPU stands for that of rank 0, and rank 1 has none.
#[derive(Debug)]
struct OneGpu(Sockets, [Device; 1]);

impl Collective for OneGpu {
    fn name(&self) -> String {
        self.0.name()
    }

    fn rank(&self) -> usize {
        self.0.rank()
    }

    fn ranks(&self) -> usize {
        self.0.ranks()
    }

    fn exchange(
        &self,
        sent: &[&[u8]],
        received: &mut [&mut [u8]],
    ) -> std::result::Result<(), LostRank> {
        self.0.exchange(sent, received)
    }

    fn connected_gpus(&self) -> Option<&[Device]> {
        Some(&self.1)
    }

    fn leave(&self, reason: &str) {
        self.0.leave(reason);
    }
}

#[test]
fn ranks_on_other_gpus_than_their_own_are_refused_on_all_before_they_wait_for_each_other() {
    let digits = support::digits(10, 6);
    let messages = together(2, |sockets| {
        let mut learner = learner(&digits.path);
        learner.data_parallel(OneGpu(sockets, [Device::flex()]));
        let error = learner.fit(1, 1e-3).unwrap_err();
        assert!(matches!(error, Error::Option(_)), "{error}");
        error.to_string()
    });
    assert!(messages[0].contains("another rank"), "{}", messages[0]);
    assert!(
        messages[1].contains("a GPU for each rank"),
        "{}",
        messages[1]
    );
}

#[test]
fn the_learning_rate_finder_of_several_ranks_is_that_of_one_process() {
    let digits = support::digits(20, 6);
    let config = || LrFindConfig::new().with_end_lr(1e-4).with_num_it(12);
    let alone = learner(&digits.path).lr_find_with(config()).unwrap();
    assert_eq!(alone.raw_losses.len(), 12);
    for ranks in [2, 3] {
        let all = together(ranks, |sockets| {
            let mut learner = learner(&digits.path);
            let before = learner.weights();
            learner.data_parallel(sockets);
            let found = learner.lr_find_with(config()).unwrap();
            assert!(learner.weights() == before, "the weights moved");
            // The ranks still know each other.
            learner.fit(1, RATE).unwrap();
            found
        });
        for found in &all {
            assert_eq!(found.lrs, alone.lrs);
            close("losses", &found.raw_losses, &alone.raw_losses, 1e-4, 1e-5);
            assert_eq!(found.raw_losses, all[0].raw_losses);
        }
    }
}

#[test]
fn metrics_over_all_ranks_are_those_of_one_process() {
    let digits = support::digits(10, 16);
    // Weights do not move, and neither do statistics: what is measured is the same model.
    let still = |mut learner: Learner| {
        learner.freeze().unwrap();
        let config = FitConfig::new(1).with_lr(1e-30);
        scores(&learner.fit_with(config).unwrap())
    };
    let built = || {
        create_cnn(data(&digits.path), Arch::SqueezeNet1_1)
            .pretrained(false)
            .metrics(metrics())
            .silent(true)
            .build()
            .unwrap()
    };
    let alone = still(built());
    for ranks in [2, 3, 4] {
        // 32 images in batches of 7: the last one has 4, or fewer than ranks below.
        let all = together(ranks, |sockets| {
            let mut learner = built();
            learner.data_parallel(sockets);
            still(learner)
        });
        for found in all {
            close("scores", &found, &alone, 1e-6, 1e-6);
            assert_eq!(found[1], alone[1], "an accuracy is a count");
        }
    }
}

#[test]
fn ranks_without_an_image_of_a_batch_change_nothing() {
    let digits = support::digits(12, 3);
    // Half of the images of a class cannot be read.
    let files = fs::read_dir(digits.path.join("train/3")).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    for file in files.iter().step_by(2) {
        fs::write(file, b"no image").unwrap();
    }
    let built = || {
        let data = ImageDataBunch::from_folder(&digits.path)
            .batch_size(8)
            .val_batch_size(4)
            .bad_images(BadImages::Skip)
            .build()
            .unwrap();
        cut_at(5, &digits.path, data)
    };
    let alone = run(built(), 2);
    let all = together(8, |sockets| {
        let mut learner = built();
        learner.data_parallel(sockets);
        run(learner, 2)
    });
    close(
        "losses",
        &all[0].record.raw_losses,
        &alone.record.raw_losses,
        2e-3,
        2e-4,
    );
    let images = |run: &Run| {
        run.record
            .epochs
            .iter()
            .map(|e| e.images)
            .collect::<Vec<_>>()
    };
    assert_eq!(images(&all[0]), images(&alone));
    assert!(all.iter().all(|run| run.weights == all[0].weights));
}

#[test]
fn local_batch_norms_leave_all_ranks_with_the_same_weights_and_statistics() {
    let digits = support::digits(20, 6);
    let all = together(2, |sockets| {
        let mut learner = learner(&digits.path);
        learner.data_parallel(DataParallel::new(sockets).with_local_batch_norm(true));
        run(learner, 1)
    });
    assert!(all[0].steps == all[1].steps);
    assert!(all[0].weights == all[1].weights);
    let synchronized = run_together(&digits.path, 2, 1);
    let differ =
        |found: &[f64], other: &[f64]| found.iter().zip(other).any(|(a, b)| (a - b).abs() > 1e-4);
    assert!(differ(
        &all[0].record.raw_losses,
        &synchronized[0].record.raw_losses
    ));
}

#[test]
fn cached_features_are_shared_too() {
    let digits = support::digits(14, 6);
    let built = || {
        let data = support::data(&digits.path, 5);
        create_cnn(data, Arch::ResNet18)
            .pretrained(false)
            .bn_freeze(true)
            .silent(true)
            .build()
            .unwrap()
    };
    let cached = |mut learner: Learner| {
        learner.freeze().unwrap();
        learner.cache_features().unwrap();
        run(learner, 2)
    };
    let alone = cached(built());
    let all = together(3, |sockets| {
        let mut learner = built();
        learner.data_parallel(sockets);
        cached(learner)
    });
    let found = &all[0].record;
    close(
        "losses",
        &found.raw_losses,
        &alone.record.raw_losses,
        1e-3,
        1e-4,
    );
    close("scores", &scores(found), &scores(&alone.record), 1e-3, 1e-4);
    assert!(all.iter().all(|run| run.weights == all[0].weights));
}

#[test]
fn ranks_that_differ_are_told_what_differs_and_on_which() {
    let digits = support::digits(8, 4);
    let other = support::digits(9, 4);
    let with = |sockets: Sockets, digits: &Digits, batch_size: usize, seed: u64| {
        let data = support::data(&digits.path, batch_size);
        let built = create_cnn(data, Arch::SqueezeNet1_1).pretrained(false);
        let mut learner = built.seed(seed).silent(true).build().unwrap();
        learner.data_parallel(sockets);
        learner.fit(1, 1e-3).unwrap_err().to_string()
    };
    use vision_learner::Collective;
    let is_last = |sockets: &Sockets| sockets.rank() == 2;
    let told = together(3, |sockets| {
        let size = if is_last(&sockets) { 5 } else { 4 };
        with(sockets, &digits, size, 1)
    });
    for told in told {
        assert!(
            told.starts_with(
                "batch size differs between the processes: 4 on ranks 0, 1; 5 on rank 2"
            ),
            "{told}"
        );
    }
    let told = together(3, |sockets| {
        let digits = if is_last(&sockets) { &other } else { &digits };
        with(sockets, digits, 4, 1)
    });
    assert!(
        told.iter()
            .all(|told| told.starts_with("training images differs")),
        "{told:?}"
    );
    let told = together(3, |sockets| {
        let seed = if is_last(&sockets) { 2 } else { 1 };
        with(sockets, &digits, 4, seed)
    });
    assert!(told.iter().all(|told| told.contains("differs")), "{told:?}");
}

#[test]
fn what_needs_a_whole_batch_is_refused() {
    let digits = support::digits(8, 4);
    let errors = together(2, |sockets| {
        let data = ImageDataBunch::from_folder(&digits.path).batch_size(4);
        let data = data.batch_transforms([BatchTransform::mixup(0.4)]);
        let mut learner = support::learner(data.build().unwrap());
        learner.data_parallel(sockets);
        learner.fit(1, 1e-3).unwrap_err().to_string()
    });
    assert!(
        errors[0].contains("MixUp and CutMix need all of it"),
        "{errors:?}"
    );
    let errors = together(4, |sockets| {
        let mut learner = support::learner(support::data(&digits.path, 4));
        learner.data_parallel(DataParallel::new(sockets).with_local_batch_norm(true));
        learner.fit(1, 1e-3).unwrap_err().to_string()
    });
    assert!(errors[0].contains("at least 8 with local"), "{errors:?}");
}

#[test]
fn a_rank_that_fails_ends_the_fit_of_all_with_its_name_and_reason() {
    let digits = support::digits(20, 4);
    for after in [0, 2, 5] {
        let errors = together(3, |sockets| {
            use vision_learner::Collective;
            let fails = sockets.rank() == 1;
            let mut learner = learner(&digits.path);
            learner.data_parallel(sockets);
            let mut config = FitConfig::new(3);
            if fails {
                config = config.with_callback(Fails {
                    after,
                    pause: Duration::ZERO,
                });
            } else {
                config = config.with_callback(Quiet);
            }
            learner.fit_with(config).unwrap_err()
        });
        assert_matches!(errors[1], Error::Callback { .. });
        for error in [&errors[0], &errors[2]] {
            assert_matches!(
                error,
                Error::LostRank {
                    rank: 1,
                    ranks: 3,
                    ..
                }
            );
            assert!(error.to_string().contains("the disk is full"), "{error}");
        }
    }
}

/// Has the name of [`Fails`], which ranks compare, and does nothing.
struct Quiet;

impl Callback for Quiet {
    fn name(&self) -> String {
        "Fails".to_owned()
    }
}

#[test]
fn a_rank_that_answers_no_more_meets_a_limit() {
    let digits = support::digits(20, 4);
    let begin = Instant::now();
    let errors = together(3, |sockets| {
        use vision_learner::Collective;
        let stalls = sockets.rank() == 2;
        let sockets = sockets.with_limit(Duration::from_secs(3)).unwrap();
        let mut learner = learner(&digits.path);
        learner.data_parallel(sockets);
        let mut config = FitConfig::new(3);
        if stalls {
            config = config.with_callback(Fails {
                after: 1,
                pause: Duration::from_secs(8),
            });
        } else {
            config = config.with_callback(Quiet);
        }
        (learner.fit_with(config).unwrap_err(), begin.elapsed())
    });
    for (error, _) in &errors[..2] {
        assert_matches!(error, Error::LostRank { rank: 2, .. });
        assert!(
            error.to_string().contains("nothing came from it for 3s"),
            "{error}"
        );
    }
}

#[test]
fn one_rank_writes_and_all_have_what_was_best() {
    let digits = support::digits(20, 6);
    let folder = tempfile::tempdir().unwrap();
    let all = together(2, |sockets| {
        use vision_learner::Collective;
        // A disk of its own for each, and nothing may come to that of the second.
        let path = folder.path().join(sockets.rank().to_string());
        let mut learner = create_cnn(data(&digits.path), Arch::ResNet18)
            .pretrained(false)
            .metrics([accuracy()])
            .path(&path)
            .silent(true)
            .build()
            .unwrap();
        learner.data_parallel(sockets);
        let config = FitConfig::one_cycle(3)
            .with_callback(SaveModel::best("valid_loss"))
            .with_callback(SaveModel::every(1).with_name("epoch").keep_last(1))
            .with_callback(CsvLogger::new("history.csv"))
            .with_callback(EarlyStopping::new("valid_loss").with_patience(5))
            .with_callback(Swa::from_epoch(1))
            .with_checkpoint("last");
        let record = learner.fit_with(config).unwrap();
        (learner.weights(), record.kept)
    });
    assert!(all[0].0 == all[1].0, "the best weights");
    assert_eq!(all[0].1, all[1].1);
    assert!(all[0].1.is_some());
    let names = |rank: &str| -> BTreeSet<String> {
        let files = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
        let folder = folder.path().join(rank);
        let all = files(&folder).chain(files(&folder.join("models")));
        all.map(|file| file.file_name().to_string_lossy().into_owned())
            .collect()
    };
    let written = names("0");
    for name in [
        "history.csv",
        "bestmodel.safetensors",
        "epoch_2.safetensors",
        "last.safetensors",
    ] {
        assert!(written.contains(name), "{name}: {written:?}");
    }
    assert!(!written.contains("epoch_1.safetensors"));
    assert_eq!(names("1"), BTreeSet::new());
}

#[test]
fn a_fit_goes_on_with_any_number_of_ranks() {
    let digits = support::digits(20, 6);
    let alone = run(learner(&digits.path), 2);
    let folder = tempfile::tempdir().unwrap();
    let built = |rank: usize| {
        let folder = folder.path().join(rank.to_string());
        cut_at(5, &folder, data(&digits.path))
    };
    let config = || {
        let config = FitConfig::one_cycle(2).with_lr(RATE);
        config.resumable(Resumable::new("run").every_steps(1))
    };
    // Ended at step 2 of 8 with two ranks, at step 5 with three; then one process ends it.
    for (ranks, after) in [(2, 2), (3, 5)] {
        let errors = together(ranks, |sockets| {
            use vision_learner::Collective;
            let rank = sockets.rank();
            let mut learner = built(rank);
            learner.data_parallel(sockets);
            let config = match rank {
                1 => config().with_callback(Fails {
                    after,
                    pause: Duration::ZERO,
                }),
                _ => config().with_callback(Quiet),
            };
            learner.fit_with(config).unwrap_err()
        });
        assert_matches!(errors[0], Error::LostRank { rank: 1, .. });
    }
    assert!(
        !folder.path().join("1").exists(),
        "only the first rank writes"
    );
    let mut last = built(0);
    let record = last.fit_with(config().with_callback(Quiet)).unwrap();
    close(
        "losses",
        &record.raw_losses,
        &alone.record.raw_losses,
        2e-3,
        2e-4,
    );
    assert_eq!(record.epochs.len(), 2);
    let weights_of_last = last.weights();
    // It holds the lock of the run.
    drop(last);
    // What has ended is not trained again, by any number of ranks.
    let all = together(2, |sockets| {
        use vision_learner::Collective;
        let mut learner = built(sockets.rank());
        learner.data_parallel(sockets);
        let record = learner.fit_with(config().with_callback(Quiet)).unwrap();
        (record.raw_losses, learner.weights())
    });
    for (losses, weights) in all {
        assert_eq!(losses, record.raw_losses);
        assert!(weights == weights_of_last);
    }
}

#[test]
fn what_is_sent_for_gradients_is_less_than_twice_their_size() {
    let digits = support::digits(10, 2);
    for ranks in [1, 2, 4] {
        let all = together(ranks, |sockets| {
            let path = digits.path.parent().unwrap();
            // The whole network.
            let mut learner = cut_at(-2, path, data(&digits.path));
            let parameters = learner.num_params().0;
            learner.data_parallel(sockets);
            learner.unfreeze();
            learner.fit(1, 1e-3).unwrap();
            (
                learner.traffic().unwrap(),
                learner.num_params().0.max(parameters),
            )
        });
        let (traffic, parameters) = all[0];
        assert_eq!(traffic.gradients.exchanges, 2 * 2);
        let list = 4 * parameters as u64;
        let expected = 2 * 2 * list * (ranks as u64 - 1) / ranks as u64;
        let difference = traffic.gradients.bytes.abs_diff(expected);
        assert!(difference < 100, "{traffic}: expected {expected}");
        println!("{ranks} ranks, gradients of {list} bytes, 2 steps:\n{traffic}");
    }
}
