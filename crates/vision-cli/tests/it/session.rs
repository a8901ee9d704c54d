//! The session of `docs/a-session.md`, typed again.

#![cfg(unix)]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use regex::Regex;
use vision::data::datasets::synthetic;

const PAGE: &str = include_str!("../../../../docs/a-session.md");

/// A command of the page, and the lines that it shows below it.
struct Step {
    command: String,
    shown: Vec<String>,
}

/// The blocks that are marked as `console`.
fn steps() -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in PAGE.lines() {
        match (inside, line) {
            (false, "```console") => inside = true,
            (true, "```") => inside = false,
            (true, line) => match line.strip_prefix("$ ") {
                Some(command) => steps.push(Step {
                    command: command.to_owned(),
                    shown: Vec::new(),
                }),
                None => {
                    let step = steps.last_mut().unwrap();
                    // A command goes on behind a backslash.
                    match step.command.strip_suffix('\\') {
                        Some(first) if step.shown.is_empty() => {
                            step.command = format!("{first} {}", line.trim());
                        }
                        _ => step.shown.push(line.to_owned()),
                    }
                }
            },
            (false, _) => {}
        }
    }
    steps
}

/// A line without what differs between machines and data: numbers, times, the spaces that align columns.
fn masked(line: &str) -> String {
    let numbers = Regex::new(r"-?\d+(?:[.:]\d+)*(?:e-?\d+)?").unwrap();
    let spaces = Regex::new(r"\s+").unwrap();
    let isa = Regex::new(r"Avx\d+|Neon|Portable").unwrap();
    let line = isa.replace_all(line, "ISA").into_owned();
    let line = numbers.replace_all(&line, "N").into_owned();
    spaces.replace_all(line.trim(), " ").into_owned()
}

/// Types the commands in a folder with `mnist_sample`, and compares what they print.
fn replay(folder: &Path) {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_vision"));
    let path = format!(
        "{}:{}",
        program.parent().unwrap().display(),
        env::var("PATH").unwrap()
    );
    let steps = steps();
    assert!(steps.len() >= 12, "{}", steps.len());
    for Step { command, shown } in steps {
        let output = Command::new("sh")
            .args(["-c", &format!("{{ {command}\n}} 2>&1")])
            .current_dir(folder)
            .env("PATH", &path)
            .env("VISION_OFFLINE", "1")
            .env("VISION_HOME", folder.join("cache"))
            .env("BURN_DEVICE", "flex")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let out = String::from_utf8(output.stdout).unwrap();
        let out = out.replace(folder.to_str().unwrap(), "/home/me");
        assert!(!out.contains("panicked"), "{command}: {out}");
        let code = shown
            .iter()
            .find_map(|line| line.strip_prefix("(exit code "));
        let code = code.map_or(0, |code| code.trim_end_matches(')').parse().unwrap());
        assert_eq!(output.status.code(), Some(code), "{command}: {out}");
        // Each line that is shown is printed, in this order; `..` stands for others.
        let printed: Vec<String> = out.lines().map(masked).collect();
        let mut from = 0;
        let lines = shown.iter().filter(|line| {
            !(line.is_empty() || line.as_str() == ".." || line.starts_with("(exit code "))
        });
        for line in lines {
            let line = masked(line);
            let at = printed[from..].iter().position(|printed| *printed == line);
            let at = at
                .unwrap_or_else(|| panic!("{command}: {line:?} is not in\n{}", printed.join("\n")));
            from += at + 1;
        }
    }
}

#[test]
fn the_session_of_the_page_goes_as_it_says() {
    let folder = tempfile::tempdir().unwrap();
    synthetic::digits(&folder.path().join("mnist_sample"), 1, 60, 20).unwrap();
    fs::remove_file(folder.path().join("mnist_sample/digits.txt")).unwrap();
    replay(folder.path());
}

#[test]
#[ignore = "needs a file: set VISION_MNIST_SAMPLE to fastai's mnist_sample.tgz"]
fn the_session_of_the_page_goes_so_on_the_real_images() {
    let archive = env::var_os("VISION_MNIST_SAMPLE").expect("VISION_MNIST_SAMPLE is set");
    let folder = tempfile::tempdir().unwrap();
    vision::fetch::archive::extract_tgz(
        Path::new(&archive),
        &folder.path().join("mnist_sample"),
        &vision::fetch::archive::Limits::default(),
    )
    .unwrap();
    replay(folder.path());
}
