//! The folder of a training.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use vision::base::io_error;
use vision::base::message::shown;

use crate::config;
use crate::failure::{Failure, Result};
use crate::options::train::TrainOptions;

/// The files and folders that a training writes.
const FILES: [&str; 4] = [MODEL, HISTORY, REPORT, config::NAME];
const FOLDERS: [&str; 2] = [STEPS, "models"];
const MODEL: &str = "model.safetensors";
const REPORT: &str = "report.html";
pub(crate) const HISTORY: &str = "history.csv";
/// Where a fit saves its steps.
pub(crate) const STEPS: &str = "steps";

/// The folder of a training, as an absolute path.
#[derive(Debug)]
pub(crate) struct RunFolder {
    path: PathBuf,
    is_new: bool,
}

impl RunFolder {
    /// Whether there may be a new one: what is there already stays, unless it is a run to be overwritten.
    fn check_new(path: &Path, overwrite: bool) -> Result<()> {
        let is_empty = match fs::read_dir(path) {
            Ok(mut entries) => entries.next().is_none(),
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
        })
    }

    /// Makes a new folder, in the place of an earlier one.
    pub(crate) fn begin(&self) -> Result<()> {
        if self.is_new {
            self.clear()?;
            fs::create_dir_all(&self.path).map_err(io_error("create the folder", &self.path))?;
        }
        Ok(())
    }

    /// The folder of an earlier training.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let run = Self {
            path: absolute(path),
            is_new: false,
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
