//! Runs the program, and makes data for it.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::TempDir;
use vision::data::datasets::synthetic;

/// What a run of the program left.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Checks the exit code, and that nothing panicked.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        let Self { out, err, .. } = &self;
        assert_eq!(self.code, code, "{out}\n{err}");
        assert!(!err.contains("panicked"), "{err}");
        self
    }

    /// Checks that standard error says this.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.err.contains(text), "{text:?} is not in {}", self.err);
        self
    }

    /// Standard output, which is one JSON object and nothing else.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let lines = self.lines();
        assert_eq!(lines.len(), 1, "{}", self.out);
        lines.into_iter().next().unwrap()
    }

    /// Standard output, which is a JSON object in each line and nothing else.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<Value> {
        let object = |line: &str| {
            let value: Value = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{error}: {line:?} in {}", self.out));
            assert!(value.is_object(), "{line}");
            value
        };
        self.out.lines().map(object).collect()
    }
}

pub(crate) fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vision"));
    command
        .current_dir(folder)
        .env("VISION_OFFLINE", "1")
        .env("VISION_HOME", folder.join("cache"))
        .env_remove("VISION_MIRROR")
        .env("BURN_DEVICE", "flex")
        .stdin(Stdio::null());
    command
}

/// Runs the program in a folder.
pub(crate) fn vision<S: AsRef<OsStr>>(
    folder: &Path,
    arguments: impl IntoIterator<Item = S>,
) -> Ran {
    Ran::of(command(folder).args(arguments).output().unwrap())
}

/// The same, and it may download.
pub(crate) fn vision_online(folder: &Path, arguments: &[&str]) -> Ran {
    let mut command = command(folder);
    command.env_remove("VISION_OFFLINE").args(arguments);
    Ran::of(command.output().unwrap())
}

/// The same, with standard input.
pub(crate) fn vision_reads(folder: &Path, arguments: &[&str], input: &str) -> Ran {
    let mut child = command(folder)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    Ran::of(child.wait_with_output().unwrap())
}

/// A child that can be sent signals.
pub(crate) fn start(folder: &Path, arguments: &[&str]) -> std::process::Child {
    let mut command = command(folder);
    command
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Options of a training of a second.
pub(crate) const SHORT: [&str; 6] = [
    "--arch=resnet18",
    "--size=28",
    "--pretrained=no",
    "--epochs=1",
    "--lr=1e-3",
    "--batch-size=8",
];

/// A folder with `digits`, 8 images for training and 3 for validation of each of two classes.
pub(crate) fn workplace() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    synthetic::digits(&folder.path().join("digits"), 1, 8, 3).unwrap();
    folder
}

/// A workplace with a training in `run`, made once: tests only read it.
pub(crate) static TRAINED: LazyLock<Trained> = LazyLock::new(|| {
    let folder = workplace();
    let ran = vision(folder.path(), ["train", "digits"].iter().chain(&SHORT)).ends(0);
    Trained {
        folder,
        out: ran.out,
    }
});

/// The same of images that were split at random.
pub(crate) static UNSPLIT: LazyLock<Trained> = LazyLock::new(|| {
    let folder = workplace();
    let ran = vision(
        folder.path(),
        ["train", "digits/train"].iter().chain(&SHORT),
    )
    .ends(0);
    Trained {
        folder,
        out: ran.out,
    }
});

pub(crate) struct Trained {
    folder: TempDir,
    /// What the training printed.
    pub(crate) out: String,
}

impl Trained {
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn run(&self) -> PathBuf {
        self.path().join("run")
    }
}
