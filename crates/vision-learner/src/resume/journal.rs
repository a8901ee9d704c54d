//! The history of a resumable fit, in a file that only grows.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use vision_base::io_error;

use crate::Result;
use crate::train::recorder::Recorder;

/// How much of a journal belongs to a saved step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mark {
    pub(super) bytes: u64,
    /// Of these bytes.
    pub(super) sha256: String,
}

/// A file of lines, each a JSON [`Recorder`] with what was added since the line before.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    hash: Sha256,
    bytes: u64,
    written: Written,
}

/// How much of a recorder is in the file.
#[derive(Clone, Copy, Debug, Default)]
struct Written {
    epochs: usize,
    lrs: usize,
    losses: usize,
}

impl Journal {
    /// Opens the file, cut after the marked part, and reads that part; `None` starts it anew.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened or changed, or if its content is not what was marked.
    pub(super) fn open(path: &Path, mark: Option<&Mark>) -> Result<(Self, Recorder)> {
        let fail = || io_error("open the journal", path);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(fail())?;
        let bytes = mark.map_or(0, |mark| mark.bytes);
        let mut hash = Sha256::new();
        let mut recorder = Recorder::default();
        let mut lines = BufReader::new(Read::by_ref(&mut file).take(bytes));
        let mut line = Vec::new();
        let mut found = 0;
        while lines.read_until(b'\n', &mut line).map_err(fail())? > 0 {
            found += line.len() as u64;
            hash.update(&line);
            let part = serde_json::from_slice(&line).map_err(|error| fail()(error.into()))?;
            recorder.extend(part);
            line.clear();
        }
        if mark.is_some_and(|mark| found != mark.bytes || hex(hash.clone()) != mark.sha256) {
            let reason = "it is shorter than it was, or was changed";
            return Err(fail()(io::Error::new(io::ErrorKind::InvalidData, reason)).into());
        }
        file.set_len(bytes).map_err(fail())?;
        file.seek(SeekFrom::Start(bytes)).map_err(fail())?;
        let journal = Self {
            path: path.to_owned(),
            file,
            hash,
            bytes,
            written: Written::of(&recorder),
        };
        Ok((journal, recorder))
    }

    /// Appends what the recorder has gained, on disk afterwards.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(super) fn append(&mut self, recorder: &Recorder) -> Result<Mark> {
        let fail = || io_error("write the journal", &self.path);
        let Written {
            epochs,
            lrs,
            losses,
        } = self.written;
        let part = recorder.since(epochs, lrs, losses);
        let mut line = serde_json::to_vec(&part).map_err(|error| fail()(error.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(fail())?;
        self.file.sync_data().map_err(fail())?;
        self.hash.update(&line);
        self.bytes += line.len() as u64;
        self.written = Written::of(recorder);
        Ok(Mark {
            bytes: self.bytes,
            sha256: hex(self.hash.clone()),
        })
    }
}

impl Written {
    fn of(recorder: &Recorder) -> Self {
        Self {
            epochs: recorder.epochs.len(),
            lrs: recorder.lrs.len(),
            losses: recorder.losses.len(),
        }
    }
}

fn hex(hash: Sha256) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(64);
    for byte in hash.finalize() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
