//! Ctrl-C, and going on.

#![cfg(unix)]

use std::fs;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use crate::support::{start, vision, workplace};

#[test]
fn an_interrupted_training_says_how_to_go_on_and_ends_as_one_that_was_not() {
    let folder = workplace();
    let path = folder.path();
    let options = [
        "--arch=resnet18",
        "--size=28",
        "--pretrained=no",
        "--epochs=6",
        "--lr=1e-3",
        "--batch-size=4",
    ];
    let whole = ["train", "digits", "--out=whole"].iter().chain(&options);
    vision(path, whole).ends(0);

    let mut arguments = vec!["train", "digits", "--out=broken"];
    arguments.extend(options);
    let child = start(path, &arguments);
    // As soon as an epoch is in the history, there is one to come.
    let rows = || {
        fs::read_to_string(path.join("broken/history.csv")).map_or(0, |text| text.lines().count())
    };
    while rows() < 2 {
        sleep(Duration::from_millis(5));
    }
    let id = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("vision resume"), "{said}");
    vision(path, ["report", "broken"])
        .ends(1)
        .says("has not ended");

    vision(path, ["resume", "broken"]).ends(0);
    let weights = |run: &str| {
        let predicted = vision(path, ["predict", run, "digits", "--json"]).ends(0);
        predicted.out
    };
    assert_eq!(weights("broken"), weights("whole"));
    assert_eq!(rows(), 7);
}

#[test]
fn a_folder_in_which_another_process_trains_is_not_overwritten() {
    let folder = workplace();
    let path = folder.path();
    let options = [
        "--arch=resnet18",
        "--size=28",
        "--pretrained=no",
        "--epochs=100000",
        "--lr=1e-3",
        "--batch-size=4",
    ];
    let mut arguments = vec!["train", "digits", "--out=busy"];
    arguments.extend(options);
    let mut child = start(path, &arguments);
    let history = path.join("busy/history.csv");
    while fs::read_to_string(&history).map_or(0, |text| text.lines().count()) < 2 {
        sleep(Duration::from_millis(5));
    }
    let again = ["train", "digits", "--out=busy", "--overwrite"];
    let again: Vec<&str> = again.into_iter().chain(crate::support::SHORT).collect();
    vision(path, &again)
        .ends(1)
        .says("another process trains in")
        .says("--out");
    vision(path, ["resume", "busy"])
        .ends(1)
        .says("another process trains in");
    assert!(history.is_file() && path.join("busy/vision.toml").is_file());
    // The lock ends with its process, however that ends.
    child.kill().unwrap();
    child.wait().unwrap();
    vision(path, &again).ends(0);
}
