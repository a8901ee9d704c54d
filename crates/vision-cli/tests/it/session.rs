//! The sessions of `docs/a-session.md` and `docs/a-session-with-photos.md`, typed again.

#![cfg(unix)]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use regex::Regex;
use vision::data::datasets::synthetic;

const PAGE: &str = include_str!("../../../../docs/a-session.md");
const WITH_PHOTOS: &str = include_str!("../../../../docs/a-session-with-photos.md");

/// A command of the page, and the lines that it shows below it.
struct Step {
    command: String,
    shown: Vec<String>,
}

/// The blocks that are marked as `console`.
fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
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

/// Types the commands of a page in a folder with its images, and compares what they print.
fn replay(page: &str, folder: &Path) {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_vision"));
    let path = format!(
        "{}:{}",
        program.parent().unwrap().display(),
        env::var("PATH").unwrap()
    );
    let steps = steps(page);
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
    replay(PAGE, folder.path());
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
    replay(PAGE, folder.path());
}

/// Each session has at least these lines, by which a page that lost its blocks is found without its data.
#[test]
fn the_session_with_photos_has_its_commands() {
    let steps = steps(WITH_PHOTOS);
    for command in [
        "doctor",
        "weights show",
        "lr-find",
        "train",
        "evaluate",
        "compare",
        "export",
    ] {
        let command = format!("vision {command} ");
        assert!(
            steps.iter().any(|step| step.command.starts_with(&command)),
            "{command}"
        );
    }
}

#[test]
#[ignore = "needs files: set VISION_REAL_DATA to the folder that scripts/fetch_real_data.py has filled"]
fn the_session_with_photos_goes_as_it_says() {
    let real = env::var_os("VISION_REAL_DATA").expect("VISION_REAL_DATA is set");
    let real = Path::new(&real);
    let folder = tempfile::tempdir().unwrap();
    let weights = "efficientnet-lite0-57934424.pth";
    fs::copy(real.join(weights), folder.path().join(weights)).unwrap();
    let here = folder.path().join("stamps");
    for class in fs::read_dir(real.join("stamps")).unwrap() {
        let class = class.unwrap();
        let copy = here.join(class.file_name());
        fs::create_dir_all(&copy).unwrap();
        for image in fs::read_dir(class.path()).unwrap() {
            let image = image.unwrap();
            fs::copy(image.path(), copy.join(image.file_name())).unwrap();
        }
    }
    replay(WITH_PHOTOS, folder.path());
}
