//! A fit that was ended at any step goes on, and ends with the bits of one that was not.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use vision_data::{BatchTransform, ImageContent, ImageList, ImageSource, get_transforms};
use vision_learner::{CallbackState, Context, Error, Recorder, Result, Resumable, Sgd};
use vision_models::state::NamedTensor;

use crate::prelude::*;
use crate::small::Small;
use crate::support::{self, Digits};
use crate::written::Written;

/// Ends the process, as it were: an error after so many events.
#[derive(Clone)]
struct Crash(Arc<AtomicUsize>);

impl Crash {
    fn after(events: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(events)))
    }

    fn count(&self) -> Result<()> {
        match self.0.fetch_sub(1, Ordering::Relaxed) {
            1 => Err(Error::Callback {
                name: "Crash".to_owned(),
                source: "the process ends here".into(),
            }),
            _ => Ok(()),
        }
    }
}

impl Callback for Crash {
    fn on_batch_begin(&mut self, _ctx: &mut Context<'_>) -> Result<()> {
        self.count()
    }

    fn on_epoch_end(&mut self, _ctx: &mut Context<'_>) -> Result<()> {
        self.count()
    }
}

/// Gathers what a resumed fit must have again, and changes the weights by it.
#[derive(Default)]
struct Memory {
    begun: usize,
    sum: f64,
    weights: Vec<NamedTensor>,
}

impl Callback for Memory {
    fn state(&self) -> Result<CallbackState> {
        let mut state = CallbackState::of("Memory", &(self.begun, self.sum))?;
        state.tensors.clone_from(&self.weights);
        Ok(state)
    }

    fn restore(&mut self, state: CallbackState, _ctx: &mut Context<'_>) -> Result<()> {
        (self.begun, self.sum) = state.read("Memory")?;
        self.weights = state.tensors;
        Ok(())
    }

    fn on_epoch_begin(&mut self, _ctx: &mut Context<'_>) -> Result<()> {
        self.begun += 1;
        Ok(())
    }

    fn on_backward_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        self.sum += ctx.state.last_loss;
        let factor = 1.0 + self.sum.sin() / self.begun as f64;
        ctx.map_gradients(|_, grad| grad.mul_scalar(factor));
        if ctx.state.iteration.is_multiple_of(2) {
            self.weights = ctx.weights();
        }
        Ok(())
    }
}

fn data(digits: &Digits) -> ImageDataBunch {
    ImageDataBunch::from_folder(&digits.path)
        .batch_size(8)
        .transforms(get_transforms())
        .batch_transforms([BatchTransform::mixup(0.4)])
        .build()
        .unwrap()
}

fn learner(data: ImageDataBunch, path: &Path) -> Learner {
    create_cnn(data, Small)
        .pretrained(false)
        .metrics([accuracy()])
        .path(path)
        .silent(true)
        .build()
        .unwrap()
}

fn resumable() -> Resumable {
    Resumable::new("run").every_steps(1)
}

/// The program that is run again and again: the head, then everything.
fn program(learner: &mut Learner, crash: &Crash, run: &Resumable) -> Result<[Recorder; 2]> {
    learner.freeze()?;
    let config = |epochs, lr: LearningRate| {
        FitConfig::one_cycle(epochs)
            .with_lr(lr)
            .with_callback(crash.clone())
            .with_callback(Memory::default())
            .resumable(run.clone())
    };
    let head = learner.fit_with(config(1, 1e-2.into()))?;
    learner.unfreeze();
    let whole = learner.fit_with(config(2, slice(1e-3..1e-2)))?;
    Ok([head, whole])
}

/// Everything that must be equal, without times.
fn result(learner: &Learner, records: [Recorder; 2]) -> impl PartialEq + std::fmt::Debug + use<> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("end");
    learner.save(&path).unwrap();
    let file = fs::read(path.with_extension("safetensors")).unwrap();
    let rows = |record: Recorder| {
        record
            .to_csv()
            .lines()
            .map(|l| l.rsplit_once(',').unwrap().0.to_owned())
            .collect::<Vec<_>>()
    };
    let curves = |record: &Recorder| {
        [
            &record.losses,
            &record.raw_losses,
            &record.lrs,
            &record.moms,
        ]
        .map(|curve| curve.iter().map(|x| x.to_bits()).collect::<Vec<_>>())
    };
    let [head, whole] = records;
    (
        hash_of(&file),
        curves(&head),
        curves(&whole),
        rows(head),
        rows(whole),
    )
}

/// The file as text that an assertion can show.
fn hash_of(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    format!("{:x}", Sha256::digest(bytes))
}

#[test]
fn a_fit_that_ends_at_any_event_goes_on_with_the_same_bits() {
    let digits = support::digits(16, 6);
    let never = Crash::after(0);
    let folder = tempfile::tempdir().unwrap();
    let mut whole = learner(data(&digits), folder.path());
    let records = program(&mut whole, &never, &resumable()).unwrap();
    let expected = result(&whole, records);
    // Not resumable at all, which is the same.
    let mut plain = learner(data(&digits), folder.path());
    plain.freeze().unwrap();
    let config = |epochs, lr: LearningRate| {
        FitConfig::one_cycle(epochs)
            .with_lr(lr)
            .with_callback(Memory::default())
    };
    let head = plain.fit_with(config(1, 1e-2.into())).unwrap();
    plain.unfreeze();
    let all = plain.fit_with(config(2, slice(1e-3..1e-2))).unwrap();
    assert_eq!(result(&plain, [head, all]), expected);

    // 4 training batches, 2 of validation and the end of the epoch, three times.
    for events in 1..=21 {
        let folder = tempfile::tempdir().unwrap();
        let mut dying = learner(data(&digits), folder.path());
        let error = program(&mut dying, &Crash::after(events), &resumable()).unwrap_err();
        assert_matches!(error, Error::Callback { .. });
        drop(dying);
        let mut again = learner(data(&digits), folder.path());
        let records = program(&mut again, &never, &resumable()).unwrap();
        assert_eq!(result(&again, records), expected, "after {events} events");
    }
}

#[test]
fn a_fit_that_ends_twice_with_rare_saves_and_other_workers_goes_on_with_the_same_bits() {
    let digits = support::digits(16, 6);
    let folder = tempfile::tempdir().unwrap();
    let run = Resumable::new("run").every_steps(3);
    let mut whole = learner(data(&digits), folder.path());
    let records = program(&mut whole, &Crash::after(0), &run).unwrap();
    let expected = result(&whole, records);
    for (first, second) in [(3, 2), (5, 9), (10, 6), (13, 4), (17, 3)] {
        let folder = tempfile::tempdir().unwrap();
        for (workers, events) in [(0, first), (1, second), (3, 0)] {
            let data = ImageDataBunch::from_folder(&digits.path)
                .batch_size(8)
                .transforms(get_transforms())
                .batch_transforms([BatchTransform::mixup(0.4)])
                .num_workers(workers)
                .build()
                .unwrap();
            let mut learner = learner(data, folder.path());
            let ended = program(&mut learner, &Crash::after(events), &run);
            match events {
                0 => assert_eq!(
                    result(&learner, ended.unwrap()),
                    expected,
                    "{first}, {second}"
                ),
                _ => assert_matches!(ended, Err(Error::Callback { .. })),
            }
        }
    }
}

#[test]
fn a_fit_on_cached_features_goes_on_with_the_same_bits() {
    let digits = support::digits(16, 6);
    let fit = |folder: &Path, events| {
        let data = support::data(&digits.path, 8);
        let builder = create_cnn(data, Small).pretrained(false).bn_freeze(true);
        let mut learner = builder.path(folder).silent(true).build().unwrap();
        learner.freeze().unwrap();
        learner.cache_features().unwrap();
        let config = FitConfig::one_cycle(2)
            .with_callback(Crash::after(events))
            .resumable(resumable());
        learner
            .fit_with(config)
            .map(|record| (learner.weights(), record.raw_losses))
    };
    let folder = tempfile::tempdir().unwrap();
    let expected = fit(folder.path(), 0).unwrap();
    for events in [2, 5, 8, 11] {
        let folder = tempfile::tempdir().unwrap();
        fit(folder.path(), events).unwrap_err();
        assert_eq!(
            fit(folder.path(), 0).unwrap(),
            expected,
            "after {events} events"
        );
    }
}

#[test]
fn a_fit_that_has_ended_is_not_trained_again() {
    let digits = support::digits(16, 6);
    let folder = tempfile::tempdir().unwrap();
    let mut first = learner(data(&digits), folder.path());
    let records = program(&mut first, &Crash::after(0), &resumable()).unwrap();
    let weights = first.weights();
    drop(first);
    let mut again = learner(data(&digits), folder.path());
    // The first training batch would be an error.
    let found = program(&mut again, &Crash::after(1), &resumable()).unwrap();
    assert_eq!(found[1].raw_losses, records[1].raw_losses);
    assert_eq!(again.weights(), weights);
    assert_eq!(again.epochs_trained(), 3);
    assert_eq!(again.recorder().epochs.len(), 3);
}

/// Images in shards of four, read through a buffer of 8.
struct Shards {
    images: usize,
    buffer: usize,
    streams: usize,
}

impl ImageSource for Shards {
    fn len(&self) -> usize {
        self.images
    }

    fn name(&self, item: usize) -> PathBuf {
        format!("{}/{item}", if item.is_multiple_of(2) { "a" } else { "b" }).into()
    }

    fn read(
        &self,
        item: usize,
    ) -> std::result::Result<ImageContent, Box<dyn std::error::Error + Send + Sync>> {
        Ok(vision_data::Image::from_rgb8(28, 28, vec![5 * item as u8; 28 * 28 * 3])?.into())
    }

    fn shard(&self, item: usize) -> usize {
        item / 4
    }

    fn shuffle_buffer(&self) -> usize {
        self.buffer
    }

    fn streams(&self) -> usize {
        self.streams
    }
}

#[test]
fn another_shuffle_buffer_or_number_of_streams_is_refused_and_the_same_goes_on_with_the_same_bits()
{
    let fit = |folder: &Path, buffer, streams, events| {
        let source = Shards {
            images: 48,
            buffer,
            streams,
        };
        let list = ImageList::from_source(folder, source).unwrap();
        let split = list.split_by_rand_pct(0.2, 42).unwrap();
        let data = split.label_from_folder().unwrap().databunch();
        let mut learner = learner(data.batch_size(8).build().unwrap(), folder);
        let config = FitConfig::one_cycle(2)
            .with_callback(Crash::after(events))
            .resumable(resumable());
        learner
            .fit_with(config)
            .map(|record| (learner.weights(), record.raw_losses))
    };
    let folder = tempfile::tempdir().unwrap();
    let expected = fit(folder.path(), 8, 2, 0).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fit(folder.path(), 8, 2, 3).unwrap_err();
    for (buffer, streams, differs, was, is) in [
        (9, 2, "shuffle buffer", "8", "9"),
        (48, 2, "shuffle buffer", "8", "39"),
        (48, 1, "shuffle buffer", "8", "absent"),
        (8, 1, "streams of shards", "2", "1"),
    ] {
        match fit(folder.path(), buffer, streams, 0) {
            Err(Error::OtherFit {
                field, before, now, ..
            }) => assert_eq!((&*field, &*before, &*now), (differs, was, is)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(fit(folder.path(), 8, 2, 0).unwrap(), expected);
}

#[test]
fn another_setting_is_refused_with_both_values() {
    let digits = support::digits(16, 6);
    let others = support::digits(15, 6);
    let folder = tempfile::tempdir().unwrap();
    let fit = |data: ImageDataBunch, seed, config: FitConfig| {
        let builder = create_cnn(data, Small).pretrained(false).seed(seed);
        let mut learner = builder.path(folder.path()).silent(true).build().unwrap();
        learner.fit_with(config.resumable(resumable()))
    };
    let sized = |size| {
        ImageDataBunch::from_folder(&digits.path)
            .size(size)
            .batch_size(8)
            .build()
            .unwrap()
    };
    let batches = |n| {
        ImageDataBunch::from_folder(&digits.path)
            .size(28)
            .batch_size(n)
            .build()
            .unwrap()
    };
    let config = || FitConfig::one_cycle(2).with_lr(1e-3);
    fit(sized(28), 1, config().with_callback(Crash::after(3))).unwrap_err();
    let refused = |result: Result<Recorder>, expected: &str, before: &str, now: &str| match result {
        Err(Error::OtherFit {
            field,
            before: b,
            now: n,
            ..
        }) => {
            assert_eq!(field, expected);
            assert!(b.contains(before) && n.contains(now), "{field}: {b} / {n}");
        }
        other => panic!("{other:?}"),
    };
    let crash = || Crash::after(0);
    refused(
        fit(sized(28), 2, config().with_callback(crash())),
        "order",
        "32",
        "32",
    );
    refused(
        fit(batches(4), 1, config().with_callback(crash())),
        "batch size",
        "8",
        "4",
    );
    refused(
        fit(sized(24), 1, config().with_callback(crash())),
        "preprocessing",
        "28",
        "24",
    );
    refused(
        fit(
            sized(28),
            1,
            FitConfig::one_cycle(3).with_lr(1e-3).with_callback(crash()),
        ),
        "epochs",
        "2",
        "3",
    );
    refused(
        fit(sized(28), 1, config().with_lr(2e-3).with_callback(crash())),
        "learning rates",
        "0.001",
        "0.002",
    );
    refused(fit(sized(28), 1, config()), "callbacks", "Crash", "");
    refused(
        fit(
            sized(28),
            1,
            config().with_pct_start(0.5).with_callback(crash()),
        ),
        "schedule",
        "pct_start: 0.3",
        "pct_start: 0.5",
    );
    let other = ImageDataBunch::from_folder(&others.path)
        .size(28)
        .batch_size(8)
        .build()
        .unwrap();
    refused(
        fit(other, 1, config().with_callback(crash())),
        "training images",
        "32",
        "30",
    );
    let builder = create_cnn(sized(28), Arch::ResNet18)
        .pretrained(false)
        .seed(1)
        .path(folder.path())
        .silent(true);
    refused(
        builder
            .build()
            .unwrap()
            .fit_with(config().with_callback(crash()).resumable(resumable())),
        "architecture",
        "small",
        "resnet18",
    );
    let builder = create_cnn(sized(28), Small)
        .pretrained(false)
        .seed(1)
        .path(folder.path())
        .silent(true);
    refused(
        builder
            .optimizer(Sgd::default())
            .build()
            .unwrap()
            .fit_with(config().with_callback(crash()).resumable(resumable())),
        "optimizer",
        "Adam",
        "Sgd",
    );
    // And unchanged it goes on.
    fit(sized(28), 1, config().with_callback(crash())).unwrap();
}

#[test]
fn a_second_learner_on_a_running_fit_is_told() {
    let digits = support::digits(16, 6);
    let folder = tempfile::tempdir().unwrap();
    let mut first = learner(data(&digits), folder.path());
    first.fit_with(FitConfig::new(1).resumable("run")).unwrap();
    let mut second = learner(data(&digits), folder.path());
    let error = second
        .fit_with(FitConfig::new(1).resumable("run"))
        .unwrap_err();
    let process = std::process::id().to_string();
    assert_matches!(error, Error::RunInUse { process: found, .. } if *found == process);
    drop(first);
    second.fit_with(FitConfig::new(1).resumable("run")).unwrap();
}

/// A fit that ended in the second epoch, and what comes of it after a change of its files.
fn after_damage(digits: &Digits, change: impl Fn(&Path)) -> Result<Vec<NamedTensor>> {
    let folder = tempfile::tempdir().unwrap();
    let fit = |events| {
        let mut learner = learner(support::data(&digits.path, 8), folder.path());
        let config = FitConfig::one_cycle(2).with_callback(Crash::after(events));
        let ended = learner.fit_with(config.resumable(resumable()));
        ended.map(|_| learner.weights())
    };
    fit(10).unwrap_err();
    change(&folder.path().join("run/fit-0"));
    fit(0)
}

#[test]
fn damaged_files_of_a_run_are_named_or_the_step_before_is_taken() {
    let digits = support::digits(16, 6);
    let expected = after_damage(&digits, |_| {}).unwrap();
    let cut = |path: &Path, len: u64| {
        fs::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(len)
            .unwrap()
    };
    let flip = |path: &Path, at: usize| {
        let mut bytes = fs::read(path).unwrap();
        let at = at % bytes.len();
        bytes[at] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    for name in ["step-a.safetensors", "step-b.safetensors"] {
        for at in [0, 9, 200, 2000, 30_000] {
            let one = after_damage(&digits, |fit| flip(&fit.join(name), at)).unwrap();
            assert_eq!(one, expected, "{name}, a bit at {at}");
            let one = after_damage(&digits, |fit| cut(&fit.join(name), at as u64)).unwrap();
            assert_eq!(one, expected, "{name}, cut at {at}");
        }
        let gone = after_damage(&digits, |fit| fs::remove_file(fit.join(name)).unwrap());
        assert_eq!(gone.unwrap(), expected, "{name}");
    }
    let both = after_damage(&digits, |fit| {
        flip(&fit.join("step-a.safetensors"), 100);
        cut(&fit.join("step-b.safetensors"), 100);
    });
    assert_matches!(both, Err(Error::DamagedRun { reason, .. }) if reason.contains("step-a"));
    for len in [0, 1, 50] {
        let cut = after_damage(&digits, |fit| cut(&fit.join("journal.jsonl"), len));
        assert_matches!(cut, Err(Error::DamagedRun { reason, .. }) if reason.contains("journal"));
    }
    let flipped = after_damage(&digits, |fit| flip(&fit.join("journal.jsonl"), 40));
    assert_matches!(flipped, Err(Error::DamagedRun { reason, .. }) if reason.contains("journal"));
    let longer = after_damage(&digits, |fit| {
        let mut bytes = fs::read(fit.join("journal.jsonl")).unwrap();
        bytes.extend(b"{\"metric_na");
        fs::write(fit.join("journal.jsonl"), bytes).unwrap();
    });
    assert_eq!(
        longer.unwrap(),
        expected,
        "a line that was not finished is cut off"
    );
    for text in ["", "{", "[]", "{\"format\": 2, \"fields\": []}"] {
        let other = after_damage(&digits, |fit| {
            fs::write(fit.join("fit.json"), text).unwrap()
        });
        assert_matches!(other, Err(Error::DamagedRun { reason, .. }) if reason.contains("fit.json"));
    }
}

/// What comes of a fit whose steps somebody has changed and sealed again.
fn after_forgery(digits: &Digits, place: &str, value: &Value) -> Result<Vec<NamedTensor>> {
    after_damage(digits, |fit| {
        for name in ["step-a.safetensors", "step-b.safetensors"] {
            let file = fit.join(name);
            let written = Written::of(&fs::read(&file).unwrap());
            let written = written.with_entry("vision-step", |step| {
                *step.pointer_mut(place).unwrap() = value.clone();
            });
            fs::write(file, written.bytes()).unwrap();
        }
    })
}

#[test]
fn a_step_that_no_fit_has_written_is_refused() {
    let digits = support::digits(16, 6);
    let steps = [
        (
            "/position/epoch",
            json!(u64::from(u32::MAX) + 1),
            "position",
        ),
        ("/position/epoch", json!(u64::MAX), "position"),
        ("/position/batches", json!(u64::MAX), "position"),
        ("/position/num_batch", json!(u64::MAX), "position"),
        ("/position/iteration", json!(u64::MAX), "position"),
        ("/position/smooth/count", json!(-1), "position"),
        ("/position/epoch", json!(-1), "invalid value"),
        (
            "/hyper",
            json!([]),
            "expected rates of 3 layer groups, found 0",
        ),
        ("/callbacks", json!([]), "no state of the callback"),
        ("/number", json!("1"), "invalid type"),
    ];
    for (place, value, said) in steps {
        let error = after_forgery(&digits, place, &value)
            .unwrap_err()
            .to_string();
        assert!(error.contains(said), "{place} {value}: {error}");
        assert!(error.contains("step-a"), "{place} {value}: {error}");
        assert_eq!(error.matches("cannot go on").count(), 1, "{error}");
    }
    // The largest counts: another fit, but one that ends.
    for place in ["batches", "num_batch", "iteration"] {
        let _ = after_forgery(&digits, &format!("/position/{place}"), &json!(u32::MAX));
    }
    let _ = after_forgery(&digits, "/number", &json!(u64::MAX));
}

#[test]
fn a_folder_that_cannot_be_written_is_named_before_training() {
    let digits = support::digits(16, 6);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("run"), "a file").unwrap();
    let mut learner = learner(support::data(&digits.path, 8), folder.path());
    let weights = learner.weights();
    let error = learner
        .fit_with(FitConfig::new(1).resumable("run"))
        .unwrap_err();
    assert!(error.to_string().contains("run"), "{error}");
    assert_eq!(learner.weights(), weights);
    let error = learner
        .fit_with(FitConfig::new(1).resumable(""))
        .unwrap_err();
    assert_matches!(error, Error::Option(_));
    let run = Resumable::new("other").every_steps(0);
    assert_matches!(
        learner.fit_with(FitConfig::new(1).resumable(run)),
        Err(Error::Option(_))
    );
}
