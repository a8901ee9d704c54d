//! A process that is killed while it saves loses nothing that was saved, and leaves nothing behind for long.
//! A program of its own, because it starts itself again.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

use vision_data::datasets::synthetic;
use vision_data::{DatasetType, ImageDataBunch, ReadConfig};
use vision_learner::{Learner, create_cnn};
use vision_models::Arch;

const KILLS: u64 = 60;
/// Set for the process that is killed: the folder with the data.
const FOLDER: &str = "VISION_TEST_KILLS";

fn learner(folder: &Path) -> Learner {
    let data = ImageDataBunch::from_folder(folder.join("digits"))
        .batch_size(8)
        .reading(
            ReadConfig::new()
                .with_memory(0)
                .with_disk_cache(folder.join("cache")),
        )
        .build()
        .unwrap();
    create_cnn(data, Arch::SqueezeNet1_1)
        .pretrained(false)
        .path(folder)
        .silent(true)
        .build()
        .unwrap()
}

/// All files below a folder, without those of the data set.
fn files(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        // The process that is to be killed may remove a folder meanwhile.
        for entry in fs::read_dir(&next).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() && !path.ends_with("digits") {
                folders.push(path);
            } else if path.is_file() {
                names.push(path.strip_prefix(folder).unwrap().display().to_string());
            }
        }
    }
    names.sort();
    names
}

/// The files that are being written, or were when their process was killed.
fn parts(folder: &Path) -> BTreeSet<String> {
    let names = files(folder).into_iter();
    names.filter(|name| name.ends_with(".part")).collect()
}

/// The work of the process that is killed: it saves a checkpoint, kept features and decoded images, over
/// and over.
#[test]
fn saves_until_it_is_killed() {
    let Some(folder) = env::var_os(FOLDER) else {
        return;
    };
    let folder = Path::new(&folder);
    let mut learner = learner(folder);
    learner.freeze().unwrap();
    for round in 0.. {
        learner.save("best").unwrap();
        if round == 0 {
            println!("\nready");
        }
        learner.cache_features_in(folder.join("features")).unwrap();
        let _ = fs::remove_dir_all(folder.join("cache"));
        fs::create_dir_all(folder.join("cache/parts")).unwrap();
        learner.get_preds(DatasetType::Valid).unwrap();
    }
}

/// Starts this program again, and waits until it has saved once.
fn start(folder: &Path) -> Child {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "saves_until_it_is_killed", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(
        lines.map_while(Result::ok).any(|line| line == "ready"),
        "it ended early"
    );
    child
}

#[test]
fn sixty_kills_lose_nothing_and_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    synthetic::digits(&folder.path().join("digits"), 1, 8, 8).unwrap();
    let mut leftovers = 0;
    for kill in 0..KILLS {
        let mut child = start(folder.path());
        if kill % 3 == 0 {
            // While a file is written, however fast the machine is.
            let before = parts(folder.path());
            while parts(folder.path()).is_subset(&before) {
                thread::sleep(Duration::from_micros(100));
            }
        } else {
            // Steps of 7 ms, in another order each 11 kills.
            thread::sleep(Duration::from_millis(kill * 7 % 77));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        leftovers += parts(folder.path()).len();
        let mut learner = learner(folder.path());
        learner.load("best").unwrap();
    }
    assert!(
        leftovers > 5,
        "only {leftovers} kills came while a file was written"
    );

    let mut learner = learner(folder.path());
    learner.freeze().unwrap();
    learner.save("best").unwrap();
    learner
        .cache_features_in(folder.path().join("features"))
        .unwrap();
    learner.get_preds(DatasetType::Valid).unwrap();
    let rest: Vec<_> = files(folder.path())
        .into_iter()
        .filter(|name| !(name.starts_with("cache/") && name.len() > 60))
        .collect();
    assert_eq!(rest.len(), 3, "{rest:?}");
    assert_eq!(
        rest[1..],
        ["models/best.json", "models/best.safetensors"],
        "{rest:?}"
    );
}
