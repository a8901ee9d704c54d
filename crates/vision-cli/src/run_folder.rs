//! The folder of a training.

use std::cell::OnceCell;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use vision::base::io_error;
use vision::base::message::shown;

use crate::config;
use crate::failure::{Failure, Result};
use crate::options::train::TrainOptions;

/// The files and folders that a training writes.
const FILES: [&str; 6] = [
    MODEL,
    HISTORY,
    REPORT,
    config::NAME,
    "cross-validation.json",
    "cross-validation.csv",
];
const FOLDERS: [&str; 3] = [STEPS, FOLDS, "models"];
const MODEL: &str = "model.safetensors";
const REPORT: &str = "report.html";
/// What a cross-validation needs to go on.
const FOLDS: &str = "folds";
/// Held by the process that trains here.
const LOCK: &str = "lock";
pub(crate) const HISTORY: &str = "history.csv";
/// Where a fit saves its steps.
pub(crate) const STEPS: &str = "steps";

/// The folder of a training, as an absolute path.
#[derive(Debug)]
pub(crate) struct RunFolder {
    path: PathBuf,
    is_new: bool,
    /// Unlocked by the end of the process, however it ends.
    lock: OnceCell<File>,
}

impl RunFolder {
    /// Whether there may be a new one: what is there already stays, unless it is a run to be overwritten.
    fn check_new(path: &Path, overwrite: bool) -> Result<()> {
        let is_empty = match fs::read_dir(path) {
            // A process that ended before it wrote anything leaves its lock.
            Ok(entries) => entries.flatten().all(|entry| entry.file_name() == LOCK),
            Err(error) if error.kind() == ErrorKind::NotFound => true,
            Err(error) => return Err(io_error("read the folder", path)(error).into()),
        };
        if is_empty {
            return Ok(());
        }
        if !overwrite {
            return Err(Failure::failed(format!(
                "{} exists already: choose another folder with --out, go on with `vision resume {0}`, or replace it with \
                 --overwrite",
                shown(path)
            )));
        }
        if !path.join(config::NAME).is_file() {
            return Err(Failure::failed(format!(
                "{} is not the folder of a training, since it has no {}: --overwrite replaces nothing else. Choose another \
                 folder with --out",
                shown(path),
                config::NAME
            )));
        }
        Ok(())
    }

    /// A new one; [`begin`](Self::begin) makes it.
    pub(crate) fn create(path: &Path, overwrite: bool) -> Result<Self> {
        Self::check_new(path, overwrite)?;
        Ok(Self {
            path: absolute(path),
            is_new: true,
            lock: OnceCell::new(),
        })
    }

    /// Makes a new folder, in the place of an earlier one, and keeps other processes from training there.
    pub(crate) fn begin(&self) -> Result<()> {
        fs::create_dir_all(&self.path).map_err(io_error("create the folder", &self.path))?;
        self.lock()?;
        if self.is_new {
            self.clear()?;
        }
        Ok(())
    }

    fn lock(&self) -> Result<()> {
        let file = self.path.join(LOCK);
        let failed = || io_error("lock", &file);
        let lock = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&file)
            .map_err(failed())?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Failure::failed(format!(
                    "another process trains in {}: wait until it ends, end it, or choose another folder with --out",
                    shown(&self.path)
                )));
            }
            Err(TryLockError::Error(error)) => return Err(failed()(error).into()),
        }
        // The same process does not train there twice.
        let _ = self.lock.set(lock);
        Ok(())
    }

    /// The folder of an earlier training.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let run = Self {
            path: absolute(path),
            is_new: false,
            lock: OnceCell::new(),
        };
        if !run.settings().is_file() {
            return Err(Failure::failed(format!(
                "{} is not the folder of a training: expected {} in it, as `vision train` writes it",
                shown(path),
                config::NAME
            )));
        }
        Ok(run)
    }

    /// Removes what a training wrote, and nothing else.
    fn clear(&self) -> Result<()> {
        let missing_is_fine = |result: std::io::Result<()>| match result {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        for name in FOLDERS {
            let folder = self.path.join(name);
            missing_is_fine(fs::remove_dir_all(&folder))
                .map_err(io_error("remove the folder", &folder))?;
        }
        for name in FILES {
            let file = self.path.join(name);
            missing_is_fine(fs::remove_file(&file)).map_err(io_error("remove", &file))?;
        }
        Ok(())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn settings(&self) -> PathBuf {
        self.path.join(config::NAME)
    }

    pub(crate) fn model(&self) -> PathBuf {
        self.path.join(MODEL)
    }

    pub(crate) fn report(&self) -> PathBuf {
        self.path.join(REPORT)
    }

    /// The folder of the training of a fold, from 1.
    pub(crate) fn fold(&self, number: usize) -> PathBuf {
        self.path.join(FOLDS).join(number.to_string())
    }

    /// The results of a cross-validation, `json` or `csv`.
    pub(crate) fn cross_validation(&self, extension: &str) -> PathBuf {
        self.path.join(format!("cross-validation.{extension}"))
    }

    /// Removes what a cross-validation needed to go on.
    pub(crate) fn clear_folds(&self) {
        // It only takes up space.
        let _ = fs::remove_dir_all(self.path.join(FOLDS));
    }

    /// Whether the training has ended: its model is written last but the report.
    pub(crate) fn is_finished(&self) -> bool {
        self.model().is_file()
    }

    /// Whether the steps of the fits are there.
    pub(crate) fn has_steps(&self) -> bool {
        self.path.join(STEPS).is_dir()
    }

    /// The options of the training.
    pub(crate) fn options(&self) -> Result<TrainOptions> {
        config::read(&self.settings())
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
