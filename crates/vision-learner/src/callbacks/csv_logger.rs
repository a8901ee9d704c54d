//! Writes the table of epochs to a file.

use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;

use vision_base::paths::{continue_file, open_file, parent_of};
use vision_base::{OptionError, io_error};

use crate::{Callback, CallbackState, Context, Error, Recorder, Result};

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

    /// The header of the table.
    fn header(ctx: &Context<'_>) -> String {
        let table = Recorder {
            metric_names: ctx.recorder().metric_names.clone(),
            ..Recorder::default()
        };
        table.to_csv()
    }

    /// The row of the epoch that ends. A name in the header may have several lines.
    fn row(ctx: &Context<'_>) -> String {
        let recorder = ctx.recorder();
        let table = Recorder {
            metric_names: recorder.metric_names.clone(),
            epochs: recorder.epochs.last().cloned().into_iter().collect(),
            ..Recorder::default()
        };
        table.to_csv().split_off(Self::header(ctx).len())
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
        if !ctx.is_main() {
            return Ok(());
        }
        self.path = ctx.path().join(&self.name);
        if self.name.file_name().is_none() {
            return Err(Self::wrong(format!(
                "{:?}, which is no name of a file",
                self.name
            )));
        }
        let folder = parent_of(&self.path);
        std::fs::create_dir_all(folder).map_err(io_error("create the folder", folder))?;
        self.file = None;
        let header = Self::header(ctx);
        let mut text = Vec::new();
        self.bytes = 0;
        // Not yet changed: a fit that goes on needs what is in it.
        if self.path.exists() {
            let fail = || io_error("read", &self.path);
            let mut file = open_file(&self.path)?;
            let most = (header.len() + 1) as u64;
            let begin = Read::by_ref(&mut file).take(most).read_to_end(&mut text);
            begin.map_err(fail())?;
            if self.append {
                self.bytes = file.metadata().map_err(fail())?.len();
            }
        } else {
            // Known now, and not after an epoch, if it cannot be written.
            continue_file(&self.path, 0)?;
        }
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
        Ok(())
    }

    fn on_epoch_end(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        if !ctx.is_main() {
            return Ok(());
        }
        if self.file.is_none() {
            let bytes = self.bytes;
            self.file = Some(continue_file(&self.path, bytes)?);
            if bytes == 0 {
                self.write(&Self::header(ctx))?;
            }
        }
        self.write(&Self::row(ctx))
    }
}
