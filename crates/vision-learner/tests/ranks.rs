//! Any process of a run that is killed ends it with its name, and the run goes on with another number of processes. A
//! program of its own, because it starts itself again.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::panic)]

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

use vision_data::ImageDataBunch;
use vision_data::datasets::synthetic;
use vision_learner::{Error, FitConfig, Learner, Recorder, Resumable, Sockets, create_cnn};
use vision_models::Arch;

/// Moments at which a process is killed.
const KILLS: usize = 20;
/// Set for the processes of a run: the folder with the data, the address, the rank, the number of ranks.
const RUN: &str = "VISION_TEST_RANKS";
const EPOCHS: usize = 20;

fn learner(folder: &Path) -> Learner {
    let data = ImageDataBunch::from_folder(folder.join("digits"))
        .batch_size(8)
        .num_workers(0)
        .build()
        .unwrap();
    create_cnn(data, Arch::ResNet18)
        .pretrained(false)
        .path(folder)
        .seed(5)
        .silent(true)
        .build()
        .unwrap()
}

fn fit(learner: &mut Learner) -> Result<Recorder, Error> {
    let config = FitConfig::one_cycle(EPOCHS).with_lr(1e-5);
    learner.fit_with(config.resumable(Resumable::new("run").every_steps(2)))
}

/// The work of each process.
#[test]
fn a_process_of_a_run() {
    let Ok(run) = env::var(RUN) else {
        return;
    };
    let parts: Vec<&str> = run.split('|').collect();
    let [folder, address, rank, ranks] = parts[..] else {
        panic!("{run}");
    };
    let (rank, ranks) = (rank.parse().unwrap(), ranks.parse().unwrap());
    let sockets = Sockets::meet(rank, ranks, address, Duration::from_secs(120)).unwrap();
    let sockets = sockets.with_limit(Duration::from_secs(60)).unwrap();
    let mut learner = learner(Path::new(folder));
    learner.data_parallel(sockets);
    println!("\nready");
    match fit(&mut learner) {
        Ok(record) => println!("\ndone {:?}", record.raw_losses),
        Err(error) => println!("\nlost {error}"),
    }
}

fn start(folder: &Path, ranks: usize) -> Vec<Child> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let child = |rank: usize| {
        Command::new(env::current_exe().unwrap())
            .args(["--exact", "a_process_of_a_run", "--nocapture"])
            .env(
                RUN,
                format!("{}|127.0.0.1:{port}|{rank}|{ranks}", folder.display()),
            )
            .env("RAYON_NUM_THREADS", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    (0..ranks).map(child).collect()
}

/// What a process has said when it ends.
fn end(child: &mut Child) -> String {
    let mut said = String::new();
    let out = child.stdout.as_mut().unwrap();
    out.read_to_string(&mut said).unwrap();
    child.wait().unwrap();
    said
}

#[test]
fn a_process_that_is_killed_is_named_by_the_others_and_the_run_ends_as_one_that_was_not() {
    let folder = tempfile::tempdir().unwrap();
    synthetic::digits(&folder.path().join("digits"), 1, 40, 4).unwrap();
    let alone = {
        let other = tempfile::tempdir().unwrap();
        let mut learner = learner(folder.path());
        let config = FitConfig::one_cycle(EPOCHS).with_lr(1e-5);
        let config = config.resumable(Resumable::new(other.path().join("run")).every_steps(2));
        learner.fit_with(config).unwrap().raw_losses
    };
    let mut named = 0;
    for kill in 0..KILLS {
        let ranks = 2 + kill % 3;
        let victim = (kill / 2) % ranks;
        let mut children = start(folder.path(), ranks);
        // Not at the same moment each time: from before the first step on.
        let mut lines = BufReader::new(children[victim].stdout.take().unwrap()).lines();
        let ready = lines.any(|line| line.is_ok_and(|line| line == "ready"));
        thread::sleep(Duration::from_millis(37 * kill as u64 % 700));
        children[victim].kill().unwrap();
        children[victim].wait().unwrap();
        for (rank, child) in children.iter_mut().enumerate() {
            if rank == victim {
                continue;
            }
            let said = end(child);
            if said.contains("\ndone") {
                // It was killed after the last step.
                continue;
            }
            assert!(
                ready && said.contains(&format!("\nlost rank {victim} of {ranks} is lost")),
                "kill {kill}, rank {rank} of {ranks}, victim {victim}: {said}"
            );
            named += 1;
        }
    }
    assert!(named > 3, "only {named} processes were left to name one");
    // One process ends what is left, or reads its end.
    let mut last = learner(folder.path());
    let record = fit(&mut last).unwrap();
    assert_eq!(record.raw_losses.len(), alone.len());
    // Rounding differs between numbers of processes, and grows from step to step.
    for (step, (found, expected)) in record.raw_losses.iter().zip(&alone).take(50).enumerate() {
        let close = (found - expected).abs() <= 5e-3 * expected.abs() + 5e-4;
        assert!(close, "step {step}: {found}, expected {expected}");
    }
    assert!(fs::read_dir(folder.path().join("run")).unwrap().count() > 0);
}
