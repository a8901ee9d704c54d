//! Long lists of images.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::thread;

use crate::support::{TRAINED, command, vision};

#[test]
#[cfg(unix)]
fn a_list_that_cannot_be_read_to_its_end_is_an_error() {
    let trained = &TRAINED;
    // Reading a folder fails.
    let folder = fs::File::open(trained.path()).unwrap();
    let output = command(trained.path())
        .args(["predict", "run", "-", "--json"])
        .stdin(Stdio::from(folder))
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("cannot read the list on standard input"),
        "{said}"
    );
    assert!(said.contains("The 0 images before that"), "{said}");
}

/// Predicts so many names from standard input, the last of which is an image; returns the rows and the peak of memory.
#[cfg(target_os = "linux")]
fn peak(names: usize) -> (usize, u64) {
    let trained = &TRAINED;
    let mut command: Command = command(trained.path());
    let mut child = command
        .args(["predict", "run", "-", "--csv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut messages = child.stderr.take().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let status = format!("/proc/{}/status", child.id());
    let writer = thread::spawn(move || {
        for name in 0..names {
            writeln!(input, "a/folder/with/a/name/of/usual/length/{name:09}.jpg").unwrap();
        }
        writeln!(input, "digits/valid/3/00000.png").unwrap();
    });
    let reader = thread::spawn(move || messages.read_to_end(&mut Vec::new()).unwrap());
    let (mut rows, mut peak) = (0, 0);
    for line in out.lines() {
        line.unwrap();
        rows += 1;
        if rows % 1000 == 0 || rows >= names {
            let status = fs::read_to_string(&status).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = line.map(|line| line.trim().trim_end_matches("kB").trim());
            peak = kib.and_then(|kib| kib.parse().ok()).unwrap_or(0).max(peak);
        }
    }
    writer.join().unwrap();
    reader.join().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    (rows, peak)
}

#[test]
#[cfg(target_os = "linux")]
fn memory_does_not_grow_with_the_list() {
    let (rows, few) = peak(2000);
    assert_eq!(rows, 2002);
    let (rows, many) = peak(200_000);
    assert_eq!(rows, 200_002);
    // The names alone have 10 MB.
    assert!(
        few > 10_000 && many < few + 6000,
        "{few} KiB, then {many} KiB"
    );
}

#[test]
fn augmented_predictions_differ_and_are_repeatable() {
    let trained = &TRAINED;
    let rows = |more: &[&str]| {
        let arguments = ["predict", "run", "digits/valid", "--json"]
            .iter()
            .chain(more);
        vision(trained.path(), arguments).ends(0).out
    };
    let careful = rows(&["--tta"]);
    assert_ne!(careful, rows(&[]));
    assert_eq!(careful, rows(&["--tta", "--batch-size=1"]));
}
