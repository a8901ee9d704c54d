//! The folder of a run: a lock, and a folder for each of its fits.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process;

use vision_base::io_error;

use crate::{Error, Result};

/// The folder of a run, which no other process can open while this lives.
#[derive(Debug)]
pub(crate) struct RunFolder {
    path: PathBuf,
    /// Fits that have ended, here or in an earlier process.
    ended: usize,
    /// Unlocked when it is closed, also by the end of the process.
    _lock: File,
}

impl RunFolder {
    pub(super) fn open(path: PathBuf) -> Result<Self> {
        fs::create_dir_all(&path).map_err(|source| {
            io_error("create the folder", &path)(source)
                .with_hint("choose another one with .path(..), or another name for the run")
        })?;
        let file = path.join("lock");
        let fail = || io_error("lock", &file);
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&file)
            .map_err(fail())?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut process = String::new();
                // Where a lock keeps others from reading, its owner stays unknown.
                let read = Read::by_ref(&mut lock)
                    .take(32)
                    .read_to_string(&mut process);
                let known = read.is_ok() && !process.is_empty();
                return Err(Error::RunInUse {
                    folder: path,
                    process: if known { process } else { "?".to_owned() },
                });
            }
            Err(TryLockError::Error(error)) => return Err(fail()(error).into()),
        }
        let number = process::id().to_string();
        lock.set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| lock.write_all(number.as_bytes()))
            .map_err(fail())?;
        Ok(Self {
            path,
            ended: 0,
            _lock: lock,
        })
    }

    /// The folder of the fit after those that have ended.
    pub(super) fn next_fit(&self) -> Result<PathBuf> {
        let path = self.path.join(format!("fit-{}", self.ended));
        fs::create_dir_all(&path).map_err(io_error("create the folder", &path))?;
        Ok(path)
    }

    pub(super) fn end_fit(&mut self) {
        self.ended += 1;
    }
}

/// The two files that hold saved steps in turn, so that one is always whole.
pub(super) fn step_files(fit: &Path) -> [PathBuf; 2] {
    ["step-a.safetensors", "step-b.safetensors"].map(|name| fit.join(name))
}
