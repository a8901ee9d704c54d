//! What a command prints: results on standard output, messages on standard error.

use std::cell::RefCell;
use std::fmt::Display;
use std::io::{self, ErrorKind, Stdout, Write};
use std::sync::OnceLock;

use serde::Serialize;
use vision::base::console;

use crate::failure::{Failure, Result};

/// The results of a command: text for people, or JSON for programs.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
    out: Stdout,
    /// The first write that failed.
    failed: RefCell<Option<io::Error>>,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            out: io::stdout(),
            failed: RefCell::default(),
        }
    }

    /// Whether programs read it.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// A line for people; nothing if programs read.
    pub(crate) fn text(&self, line: impl Display) {
        if !self.json {
            self.line(line);
        }
    }

    /// A line of JSON for programs; nothing if people read.
    pub(crate) fn value(&self, value: &impl Serialize) -> Result<()> {
        if self.json {
            self.line(serde_json::to_string(value)?);
        }
        Ok(())
    }

    /// A line for both.
    pub(crate) fn line(&self, line: impl Display) {
        if self.failed.borrow().is_some() || RANK.get().is_some() {
            return;
        }
        let mut out = self.out.lock();
        if let Err(error) = writeln!(out, "{line}").and_then(|()| out.flush()) {
            *self.failed.borrow_mut() = Some(error);
        }
    }

    /// Whether nobody reads anymore, as after `| head`.
    pub(crate) fn is_closed(&self) -> bool {
        self.failed.borrow().is_some()
    }

    /// Fails if a line could not be written. A reader that has ended had enough, which is no fault.
    pub(crate) fn finish(&self) -> Result<()> {
        match self.failed.take() {
            Some(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::failed(format!(
                "cannot write to standard output: {error}"
            ))),
            _ => Ok(()),
        }
    }
}

/// The number of this process, if it is not the first of several, and says nothing but errors.
static RANK: OnceLock<usize> = OnceLock::new();

/// Leaves everything but errors to the first process.
pub(crate) fn mute(rank: usize) {
    // Once in a process.
    let _ = RANK.set(rank);
}

/// A message on standard error.
pub(crate) fn note(line: impl Display) {
    if RANK.get().is_none() {
        console::note(line);
    }
}

/// A warning on standard error.
pub(crate) fn warn(line: impl Display) {
    if RANK.get().is_none() {
        console::warn(line);
    }
}

/// The error that ends the program, on standard error.
pub(crate) fn error(message: impl Display) {
    match RANK.get() {
        None => console::note(format_args!("error: {message}")),
        Some(rank) => console::note(format_args!("error on rank {rank}: {message}")),
    }
}
