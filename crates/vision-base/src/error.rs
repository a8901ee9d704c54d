//! Errors that all crates share.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use crate::message::shown;

/// An operation of the file system failed.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot {action} {}: {}{}{hint}",
    shown(path),
    shown(source.to_string()),
    if hint.is_empty() { "" } else { "; " }
)]
pub struct IoError {
    /// The attempted action, as a verb ("create the folder").
    pub action: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// The system's error.
    pub source: io::Error,
    /// Advice to the user. Empty if there is none.
    pub hint: &'static str,
}

impl IoError {
    /// Adds advice.
    pub fn with_hint(mut self, hint: &'static str) -> Self {
        self.hint = hint;
        self
    }
}

/// Returns a closure that makes an [`IoError`] from the system's error:
/// `fs::read(path).map_err(io_error("read", path))`.
pub fn io_error<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> IoError + 'a {
    move |source| IoError {
        action,
        path: path.to_owned(),
        source,
        hint: "",
    }
}

/// An option is outside its range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bad {option}: expected {expected}, found {}", shown(found))]
pub struct OptionError {
    /// The name of the option.
    pub option: &'static str,
    /// The allowed values.
    pub expected: Cow<'static, str>,
    /// The value that was given.
    pub found: String,
}

impl OptionError {
    /// The error for `option`, which should have been `expected` but was `found`.
    pub fn new(
        option: &'static str,
        expected: impl Into<Cow<'static, str>>,
        found: impl ToString,
    ) -> Self {
        Self {
            option,
            expected: expected.into(),
            found: found.to_string(),
        }
    }
}
