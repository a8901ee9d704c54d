//! Several processes train together.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::support::{Ran, command, vision, workplace};

/// A training that hardly moves the weights: at random ones, rounding grows a hundredfold in a few steps of usual size.
const OPTIONS: [&str; 6] = [
    "--arch=resnet18",
    "--size=28",
    "--pretrained=no",
    "--epochs=3",
    "--lr=1e-8",
    "--batch-size=4",
];

/// The losses and metrics of a run: its history without the columns that are times.
fn history(run: &Path) -> Vec<Vec<f64>> {
    let text = fs::read_to_string(run.join("history.csv")).unwrap();
    let header: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    let kept = |name: &&str| ["train_loss", "valid_loss", "accuracy"].contains(name);
    let columns = header.iter().map(kept);
    let columns: Vec<bool> = columns.collect();
    text.lines()
        .skip(1)
        .map(|line| {
            let cells = line.split(',').zip(&columns).filter(|(_, kept)| **kept);
            cells.map(|(cell, _)| cell.parse().unwrap()).collect()
        })
        .collect()
}

#[track_caller]
fn assert_close(found: &Path, expected: &Path) {
    let (found, expected) = (history(found), history(expected));
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
        let close = (found - expected).abs() <= 5e-3 * expected.abs() + 1e-3;
        assert!(close, "{found}, expected {expected}");
    }
}

/// Starts two processes that meet.
fn two(path: &Path, arguments: &[&str]) -> Vec<Child> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let meet = format!("--meet=127.0.0.1:{port}");
    let start = |process| {
        let process = format!("--process={process}");
        let own = [&process[..], &meet];
        let arguments: Vec<&str> = arguments.iter().copied().chain(own).collect();
        let mut command = command(path);
        command
            .env("RAYON_NUM_THREADS", "1")
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    };
    ["0/2", "1/2"].map(start).into()
}

fn ended(children: Vec<Child>, code: i32) -> Vec<Ran> {
    let ran = children
        .into_iter()
        .map(|child| Ran::of(child.wait_with_output().unwrap()));
    ran.map(|ran| ran.ends(code)).collect()
}

#[test]
fn processes_that_meet_train_the_model_of_one_and_the_first_writes_it() {
    let folder = workplace();
    let path = folder.path();
    let alone = ["train", "digits", "--out=alone"].iter().chain(&OPTIONS);
    vision(path, alone).ends(0);

    let many = ["train", "digits", "--out=many"].into_iter();
    let many: Vec<&str> = many.chain(OPTIONS).collect();
    let ran = ended(two(path, &many), 0);
    assert!(ran[0].out.contains("model: "), "{}", ran[0].out);
    assert_eq!((ran[1].out.as_str(), ran[1].err.as_str()), ("", ""));
    assert_close(&path.join("many"), &path.join("alone"));
    vision(path, ["predict", "many", "digits"]).ends(0);
}

/// Ctrl-C in a terminal reaches both; a request of a system to end, one of them.
#[cfg(unix)]
#[test]
fn an_interruption_of_one_process_saves_the_step_of_both_and_they_go_on() {
    let folder = workplace();
    let path = folder.path();
    let options = OPTIONS.map(|o| {
        if o.contains("epochs") {
            "--epochs=4"
        } else {
            o
        }
    });
    let trained = |out: &str| {
        let out = format!("--out={out}");
        let own = ["train", "digits", &out].into_iter();
        let arguments: Vec<&str> = own.chain(options).collect();
        two(path, &arguments)
    };
    ended(trained("whole"), 0);

    for (at, signaled) in [&[1][..], &[0, 1]].into_iter().enumerate() {
        let out = format!("broken-{at}");
        let children = trained(&out);
        let rows = || {
            let history = fs::read_to_string(path.join(&out).join("history.csv"));
            history.map_or(0, |text| text.lines().count())
        };
        while rows() < 2 {
            sleep(Duration::from_millis(5));
        }
        for rank in signaled {
            let id = children[*rank].id().to_string();
            let kill = Command::new("kill").args(["-INT", &id]).status();
            assert!(kill.unwrap().success());
        }
        let ran = ended(children, 3);
        assert!(ran[0].err.contains("vision resume"), "{}", ran[0].err);
        assert!(rows() < 5, "it was not interrupted");
        ended(two(path, &["resume", &out]), 0);
        assert_eq!(history(&path.join(&out)), history(&path.join("whole")));
    }
}

#[test]
fn processes_that_a_launcher_started_do_not_train_apart_without_mpi() {
    if cfg!(feature = "mpi") {
        return;
    }
    let folder = workplace();
    let mut command = command(folder.path());
    command
        .env("OMPI_COMM_WORLD_SIZE", "4")
        .args(["train", "digits"]);
    Ran::of(command.output().unwrap())
        .ends(2)
        .says("4 copies of this program")
        .says("--features mpi");
    vision(
        folder.path(),
        ["train", "digits", "--process=2/2", "--meet=:1"],
    )
    .ends(2)
    .says("0/4");
}

#[cfg(all(feature = "mpi", target_os = "linux"))]
mod mpi {
    use super::*;

    fn mpirun(path: &Path, ranks: usize, arguments: &[&str]) -> Child {
        let program = command(path);
        let mut command = Command::new("mpirun");
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
            .current_dir(path)
            // More processes than cores, also for root in a container.
            .args(["--oversubscribe", "-n", &ranks.to_string()])
            .env("OMPI_ALLOW_RUN_AS_ROOT", "1")
            .env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
            .env("RAYON_NUM_THREADS", "1")
            .arg(program.get_program())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("mpirun: apt install openmpi-bin")
    }

    fn trained(path: &Path, ranks: usize, out: &str) {
        let out = format!("--out={out}");
        let arguments: Vec<&str> = ["train", "digits", &out]
            .into_iter()
            .chain(OPTIONS)
            .collect();
        let child = mpirun(path, ranks, &arguments);
        let ran = Ran::of(child.wait_with_output().unwrap()).ends(0);
        assert_eq!(ran.out.matches("model: ").count(), 1, "{}", ran.out);
    }

    #[test]
    #[ignore = "needs mpirun: apt install openmpi-bin libopenmpi-dev libclang-dev"]
    fn two_and_four_processes_of_mpirun_train_the_model_of_one_the_same_each_time() {
        let folder = workplace();
        let path = folder.path();
        let alone = ["train", "digits", "--out=alone"].iter().chain(&OPTIONS);
        vision(path, alone).ends(0);
        for ranks in [2, 4] {
            let names = [format!("many-{ranks}"), format!("again-{ranks}")];
            for name in &names {
                trained(path, ranks, name);
                assert_close(&path.join(name), &path.join("alone"));
            }
            let [first, again] = names.map(|name| history(&path.join(name)));
            assert_eq!(first, again, "{ranks} ranks");
        }
    }

    /// The process of a rank in this folder.
    fn process(path: &Path, rank: usize) -> Option<u32> {
        let home = format!("VISION_HOME={}", path.join("cache").display());
        let rank = format!("OMPI_COMM_WORLD_RANK={rank}");
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let mut numbers = processes.filter_map(|p| p.file_name().to_str()?.parse().ok());
        numbers.find(|number: &u32| {
            let environment = fs::read(format!("/proc/{number}/environ")).unwrap_or_default();
            let has = |text: &str| {
                environment
                    .split(|b| *b == 0)
                    .any(|own| own == text.as_bytes())
            };
            has(&home) && has(&rank)
        })
    }

    #[test]
    #[ignore = "needs mpirun: apt install openmpi-bin libopenmpi-dev libclang-dev"]
    fn a_kill_of_any_rank_at_any_of_twenty_moments_ends_the_run_which_goes_on() {
        let folder = workplace();
        let path = folder.path();
        let long = |out: &'static str| {
            let own = ["train", "digits", out, "--epochs=60"].into_iter();
            own.chain(OPTIONS.into_iter().filter(|o| !o.contains("epochs")))
        };
        vision(path, long("--out=alone")).ends(0);
        let mut named = 0;
        for kill in 0..20_usize {
            let ranks = 2 + kill % 3;
            let victim = kill % ranks;
            let begun = path.join("many/vision.toml").is_file();
            let arguments: Vec<&str> = match begun {
                true => vec!["resume", "many"],
                false => long("--out=many").collect(),
            };
            let mut child = mpirun(path, ranks, &arguments);
            let number = loop {
                if let Some(number) = process(path, victim) {
                    break number;
                }
                if child.try_wait().unwrap().is_some() {
                    break 0;
                }
                sleep(Duration::from_millis(5));
            };
            sleep(Duration::from_millis(300 + 131 * kill as u64 % 1500));
            if number > 0 {
                let number = number.to_string();
                Command::new("kill").args(["-9", &number]).status().unwrap();
            }
            let ran = Ran::of(child.wait_with_output().unwrap());
            if ran.code == 0 {
                continue;
            }
            let says = [
                format!("process rank {victim}"),
                format!("rank {victim} of {ranks} is lost"),
            ];
            assert!(
                says.iter().any(|text| ran.err.contains(text)),
                "{}",
                ran.err
            );
            named += 1;
        }
        assert!(named > 5, "{named} runs were killed");
        if !path.join("many/model.safetensors").is_file() {
            vision(path, ["resume", "many"]).ends(0);
        }
        assert_eq!(history(&path.join("many")).len(), 60);
        vision(path, ["predict", "many", "digits"]).ends(0);
    }
}
