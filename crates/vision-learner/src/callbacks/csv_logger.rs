//! Writes the table of epochs to a file.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use vision_base::paths::parent_of;
use vision_base::{OptionError, io_error};

use crate::{Callback, CallbackState, Context, Error, Result};

/// How the file of a table begins.
const BEGINNING: &str = "epoch,train_loss,valid_loss";

/// Writes the table of epochs to a CSV file, row by row, each on disk when its epoch ends.
///
/// The columns are those of [`Recorder::to_csv`](crate::Recorder::to_csv). A file of an earlier fit is replaced, or
/// continued with [`append`](Self::append). A [resumable](crate::FitConfig::resumable) fit that goes on continues its
/// file without a row twice.
///
/// ```
/// use vision_learner::FitConfig;
/// use vision_learner::callbacks::CsvLogger;
/// let config = FitConfig::one_cycle(5).with_callback(CsvLogger::new("history.csv"));
/// ```
#[doc(alias = "CSVLogger")]
#[derive(Debug)]
pub struct CsvLogger {
    name: PathBuf,
    append: bool,
    path: PathBuf,
    file: Option<File>,
    bytes: u64,
}

impl CsvLogger {
    /// A file in the learner's [`path`](crate::LearnerBuilder::path); an absolute name is used as given.
    pub fn new(name: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            append: false,
            path: PathBuf::new(),
            file: None,
            bytes: 0,
        }
    }

    /// Sets whether rows are added to a file of an earlier fit with the same columns. Default: no, it is replaced.
    pub fn append(mut self, append: bool) -> Self {
        self.append = append;
        self
    }

    fn wrong(found: String) -> Error {
        let expected = "a new file, or one that this callback has written";
        OptionError::new("CsvLogger", expected, found).into()
    }

    /// The header of the table, or its row of the epoch that ends.
    fn line(ctx: &Context<'_>, which: Which) -> String {
        let table = ctx.recorder().to_csv();
        let line = match which {
            Which::Header => table.lines().next(),
            Which::LastRow => table.lines().last(),
        };
        format!("{}\n", line.unwrap_or_default())
    }

    fn write(&mut self, text: &str) -> Result<()> {
        let fail = || io_error("write", &self.path);
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        file.write_all(text.as_bytes()).map_err(fail())?;
        file.sync_data().map_err(fail())?;
        self.bytes += text.len() as u64;
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Which {
    Header,
    LastRow,
}

/// Opens a file for reading and writing; makes it if there is none.
fn open(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    Ok(options.open(path).map_err(io_error("open", path))?)
}

impl Callback for CsvLogger {
    fn settings(&self) -> String {
        format!("{}, append {}", self.name.display(), self.append)
    }

    fn in_lr_find(&self) -> bool {
        false
    }

    fn state(&self) -> Result<CallbackState> {
        CallbackState::of("CsvLogger", &self.bytes)
    }

    fn restore(&mut self, state: CallbackState, _ctx: &mut Context<'_>) -> Result<()> {
        self.bytes = state.read("CsvLogger")?;
        self.file = None;
        Ok(())
    }

    fn on_train_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        self.path = ctx.path().join(&self.name);
        if self.name.file_name().is_none() {
            return Err(Self::wrong(format!(
                "{:?}, which is no name of a file",
                self.name
            )));
        }
        let folder = parent_of(&self.path);
        std::fs::create_dir_all(folder).map_err(io_error("create the folder", folder))?;
        // Not yet changed: a fit that goes on needs what is in it.
        let mut file = open(&self.path)?;
        let mut text = Vec::new();
        let most = BEGINNING.len() as u64 + 4096;
        let read = Read::by_ref(&mut file).take(most).read_to_end(&mut text);
        read.map_err(io_error("read", &self.path))?;
        let header = Self::line(ctx, Which::Header);
        if !text.is_empty() && !text.starts_with(BEGINNING.as_bytes()) {
            return Err(Self::wrong(format!(
                "another file at {}",
                self.path.display()
            )));
        }
        if self.append && !text.is_empty() && !text.starts_with(header.as_bytes()) {
            let found = format!("other columns in {}", self.path.display());
            return Err(Self::wrong(found));
        }
        self.file = None;
        let bytes = file.metadata().map_err(io_error("read", &self.path))?.len();
        self.bytes = if self.append { bytes } else { 0 };
        Ok(())
    }

    fn on_epoch_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if self.file.is_none() {
            let fail = || io_error("continue", &self.path);
            let mut file = open(&self.path)?;
            let (found, bytes) = (file.metadata().map_err(fail())?.len(), self.bytes);
            if found < bytes {
                let reason =
                    format!("it had {bytes} bytes and has {found}: it was cut or replaced");
                return Err(fail()(io::Error::new(io::ErrorKind::InvalidData, reason)).into());
            }
            // What an earlier fit wrote, or a process that was ended wrote of epochs that are trained again.
            file.set_len(bytes).map_err(fail())?;
            file.seek(SeekFrom::End(0)).map_err(fail())?;
            self.file = Some(file);
            if bytes == 0 {
                self.write(&Self::line(ctx, Which::Header))?;
            }
        }
        self.write(&Self::line(ctx, Which::LastRow))
    }
}
