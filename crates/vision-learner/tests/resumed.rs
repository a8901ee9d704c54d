//! A process that is killed at any moment of a run goes on, when it is started again, and ends with the same bits.
//! A program of its own, because it starts itself again.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic)]

#[path = "it/small.rs"]
mod small;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

use sha2::{Digest, Sha256};
use vision_data::datasets::synthetic;
use vision_data::{BatchTransform, ImageDataBunch, get_transforms};
use vision_learner::callbacks::{
    AccumulateGradients, CsvLogger, EarlyStopping, Ema, GradientClip, ProgressiveResizing,
    SaveModel, Swa,
};
use vision_learner::{
    Callback, Context, FitConfig, Learner, LearningRate, Recorder, Resumable, accuracy, create_cnn,
    slice,
};

use crate::small::Small;

const KILLS: usize = 50;
/// Set for the process that is killed: the folder of the run, the number of threads that load, and the steps between
/// two saves.
const FOLDER: &str = "VISION_TEST_RUN";
const WORKERS: &str = "VISION_TEST_WORKERS";
const STEPS: &str = "VISION_TEST_STEPS";

fn learner(folder: &Path, workers: usize) -> Learner {
    let data = ImageDataBunch::from_folder(folder.join("digits"))
        .size(28)
        .batch_size(8)
        .num_workers(workers)
        .transforms(get_transforms())
        .batch_transforms([BatchTransform::mixup(0.4)])
        .build()
        .unwrap();
    let builder = create_cnn(data, Small)
        .pretrained(false)
        .metrics([accuracy()]);
    builder.path(folder).silent(true).build().unwrap()
}

/// Prints a line at each batch, by which the other process knows how far this one is.
struct Tell;

impl Callback for Tell {
    fn on_batch_begin(&mut self, _ctx: &mut Context<'_>) -> vision_learner::Result<()> {
        println!("batch");
        Ok(())
    }
}

/// The head, then everything, with all that gathers state.
fn program(learner: &mut Learner, steps: usize) -> vision_learner::Result<[Recorder; 2]> {
    let config = |epochs, lr: LearningRate| {
        FitConfig::one_cycle(epochs)
            .with_lr(lr)
            .with_callback(Tell)
            .with_callback(GradientClip::norm(1.0))
            .with_callback(AccumulateGradients::new(2))
            .with_callback(Ema::new(0.9))
            .with_callback(Swa::from_epoch(1))
            .with_callback(ProgressiveResizing::new([(0, 20)]).until(2))
            .with_callback(EarlyStopping::new("ema_valid_loss").with_patience(2))
            .with_callback(CsvLogger::new(format!("history-{epochs}.csv")))
            .resumable(Resumable::new("run").every_steps(steps))
    };
    learner.freeze()?;
    let best = SaveModel::best("valid_loss").with_name("head");
    let head = learner.fit_with(config(3, 1e-2.into()).with_callback(best))?;
    learner.unfreeze();
    let best = SaveModel::best("valid_loss").with_name("whole");
    let whole = learner.fit_with(config(4, slice(1e-3..1e-2)).with_callback(best))?;
    learner.save("end")?;
    Ok([head, whole])
}

/// Runs in the process that is killed. Prints when it trains, and how it ended.
#[test]
fn trains_until_it_is_killed() {
    let Some(folder) = env::var_os(FOLDER) else {
        return;
    };
    let number = |name| env::var(name).unwrap().parse().unwrap();
    let mut learner = learner(Path::new(&folder), number(WORKERS));
    println!("\ntrains");
    match program(&mut learner, number(STEPS)) {
        Ok(_) => println!("ended"),
        Err(error) => println!("error: {error}"),
    }
}

fn command(folder: &Path, workers: usize, steps: usize) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", "trains_until_it_is_killed", "--nocapture"])
        .env(FOLDER, folder)
        .env(WORKERS, workers.to_string())
        .env(STEPS, steps.to_string())
        .stdout(Stdio::piped());
    command
}

/// Starts this program again, and waits until it trains.
fn start(mut command: Command) -> (Child, impl Iterator<Item = String>) {
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    assert!(lines.any(|line| line == "trains"), "it ended early");
    (child, lines)
}

/// Lets a run end; it must not need more than one start.
fn finish(folder: &Path, workers: usize, steps: usize) {
    let (mut child, mut lines) = start(command(folder, workers, steps));
    let end = lines.find(|line| line == "ended" || line.starts_with("error"));
    child.wait().unwrap();
    assert_eq!(end.as_deref(), Some("ended"));
}

/// Everything that a run leaves: the models as hashes, the tables without their times.
fn results(folder: &Path) -> Vec<(String, String)> {
    let mut results = Vec::new();
    for name in ["end", "head", "whole", "ema", "swa"] {
        let file = fs::read(folder.join(format!("models/{name}.safetensors"))).unwrap();
        results.push((name.to_owned(), format!("{:x}", Sha256::digest(file))));
    }
    for name in ["history-3.csv", "history-4.csv"] {
        let table = fs::read_to_string(folder.join(name)).unwrap();
        let rows = table.lines().map(|row| row.rsplit_once(',').unwrap().0);
        results.push((name.to_owned(), rows.collect::<Vec<_>>().join("\n")));
    }
    results
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    synthetic::digits(&folder.path().join("digits"), 1, 20, 6).unwrap();
    folder
}

/// The results of a run that nothing ends, and its number of batches.
fn undisturbed() -> (Vec<(String, String)>, usize) {
    let folder = folder();
    let (mut child, lines) = start(command(folder.path(), 1, 1));
    let batches = lines.filter(|line| line == "batch").count();
    child.wait().unwrap();
    (results(folder.path()), batches)
}

/// Waits until a process has begun so many batches.
fn after(lines: &mut impl Iterator<Item = String>, batches: usize) {
    for _ in 0..batches {
        assert!(lines.any(|line| line == "batch"), "it ended early");
    }
}

#[test]
fn a_run_that_is_killed_at_any_of_fifty_moments_ends_with_the_same_bits() {
    let (expected, batches) = undisturbed();
    let mut kills = 0;
    for kill in 0..KILLS {
        let folder = folder();
        let (workers, steps) = ([1, 2, 3][kill % 3], [1, 2, 5][kill / 3 % 3]);
        let (mut child, mut lines) = start(command(folder.path(), workers, steps));
        after(&mut lines, batches * kill / KILLS);
        // Anywhere in a batch and in what follows it: a save, an average, the end of an epoch.
        thread::sleep(Duration::from_micros(kill as u64 * 701 % 5000));
        child.kill().unwrap();
        child.wait().unwrap();
        kills += usize::from(!lines.any(|line| line == "ended"));
        finish(folder.path(), [2, 3, 1][kill % 3], steps);
        assert_eq!(
            results(folder.path()),
            expected,
            "killed after {kill} of {KILLS} parts"
        );
    }
    // A busy machine may let a run end before it is killed.
    assert!(
        kills > KILLS * 2 / 3,
        "only {kills} kills came before the end"
    );
}

#[cfg(unix)]
mod signals {
    use super::*;

    fn signal(child: &Child, name: &str) {
        let killed = Command::new("kill")
            .args([name, &child.id().to_string()])
            .status();
        assert!(killed.unwrap().success());
    }

    #[test]
    fn a_request_to_end_finishes_the_step_saves_it_and_says_how_to_go_on() {
        let (expected, batches) = undisturbed();
        let mut said = 0;
        for (i, name) in ["-INT", "-TERM", "-INT", "-TERM", "-INT", "-INT"]
            .iter()
            .enumerate()
        {
            let folder = folder();
            // Never saved by itself.
            let (mut child, mut lines) = start(command(folder.path(), 2, usize::MAX));
            after(&mut lines, batches * i / 7);
            signal(&child, name);
            let end = lines.find(|line| line == "ended" || line.starts_with("error"));
            let status = child.wait().unwrap();
            if let Some(error) = end.filter(|end| end != "ended") {
                said += 1;
                assert!(status.success());
                assert!(
                    error.contains("interrupted in epoch")
                        && error.contains("run the same program again"),
                    "{error}"
                );
                assert!(
                    error.contains(&folder.path().join("run").display().to_string()),
                    "{error}"
                );
            }
            finish(folder.path(), 1, 3);
            assert_eq!(
                results(folder.path()),
                expected,
                "{name} after {i} of 7 parts"
            );
        }
        assert!(said >= 3, "only {said} requests came while it trained");
    }

    #[test]
    fn a_disk_that_is_full_in_the_middle_is_an_error_and_nothing_saved_is_lost() {
        let (expected, batches) = undisturbed();
        let folder = folder();
        let (mut child, mut lines) = start(command(folder.path(), 2, 1));
        after(&mut lines, batches / 3);
        child.kill().unwrap();
        child.wait().unwrap();
        // No file can grow beyond 8 KiB, as on a full disk.
        let program = env::current_exe().unwrap();
        let limited = command(folder.path(), 2, 1);
        let (name, args) = (
            program.to_str().unwrap(),
            ["--exact", "trains_until_it_is_killed", "--nocapture"],
        );
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$@\"", "sh", name])
            .args(args);
        shell
            .envs(
                limited
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            )
            .stdout(Stdio::piped());
        let (mut child, mut lines) = start(shell);
        let end = lines
            .find(|line| line == "ended" || line.starts_with("error"))
            .unwrap();
        child.wait().unwrap();
        assert!(end.contains("too large") || end.contains("write"), "{end}");
        let path = folder.path().display().to_string();
        assert!(end.contains(&path), "the file is named: {end}");
        finish(folder.path(), 1, 2);
        assert_eq!(results(folder.path()), expected);
    }
}
