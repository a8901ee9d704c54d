//! The history of a resumable fit, in a file that only grows.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use vision_base::io_error;
use vision_base::message::hex;

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
        if mark
            .is_some_and(|mark| found != mark.bytes || hex(&hash.clone().finalize()) != mark.sha256)
        {
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
            sha256: hex(&self.hash.clone().finalize()),
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::MetricValue;
    use crate::train::recorder::EpochRow;

    fn grown(batches: usize, epochs: usize) -> Recorder {
        let curve = |scale: f64| (0..batches).map(|i| scale / (i as f64 + 3.0)).collect();
        let row = |epoch| EpochRow {
            epoch,
            train_loss: 1.0 / 3.0,
            valid_loss: Some(f64::from(f32::MIN_POSITIVE)),
            metrics: vec![0.1, 1e300],
            seconds: 0.0,
            train_seconds: 0.0,
            wait_seconds: 0.0,
            images: 7,
        };
        Recorder {
            metric_names: vec!["a".to_owned(), "b\n".to_owned()],
            epochs: (0..epochs).map(row).collect(),
            lrs: curve(1.0),
            group_lrs: (0..batches).map(|i| vec![1e-5, i as f64 / 7.0]).collect(),
            moms: curve(0.95),
            losses: curve(2.0),
            raw_losses: curve(std::f64::consts::PI),
            kept: Some(vec![MetricValue::new("a", batches as f64 / 3.0)]),
        }
    }

    #[test]
    fn a_journal_gives_back_every_bit_up_to_a_mark_or_says_that_it_was_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let (mut journal, empty) = Journal::open(&path, None).unwrap();
        assert_eq!(empty, Recorder::default());
        let steps = [grown(2, 0), grown(5, 1), grown(6, 1), grown(9, 2)];
        let marks: Vec<Mark> = steps
            .iter()
            .map(|step| journal.append(step).unwrap())
            .collect();
        drop(journal);
        let whole = fs::read(&path).unwrap();
        for (mark, step) in marks.iter().zip(&steps) {
            fs::write(&path, &whole).unwrap();
            let (mut journal, read) = Journal::open(&path, Some(mark)).unwrap();
            assert_eq!(read, *step);
            assert_eq!(
                fs::read(&path).unwrap(),
                whole[..mark.bytes as usize],
                "what comes later is cut"
            );
            // It goes on with the same bytes.
            let last = journal.append(&steps[3]).unwrap();
            assert_eq!(Journal::open(&path, Some(&last)).unwrap().1, steps[3]);
        }
        let mark = &marks[2];
        for len in 0..whole.len() {
            fs::write(&path, &whole[..len]).unwrap();
            let opened = Journal::open(&path, Some(mark));
            assert_eq!(opened.is_ok(), len as u64 >= mark.bytes, "cut at {len}");
            let left = fs::read(&path).unwrap();
            assert!(
                opened.is_ok() || left == whole[..len],
                "an error changes nothing"
            );
        }
        for at in 0..mark.bytes as usize {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(&path, &bytes).unwrap();
            assert!(Journal::open(&path, Some(mark)).is_err(), "a bit at {at}");
            assert_eq!(fs::read(&path).unwrap(), bytes, "an error changes nothing");
        }
    }
}
