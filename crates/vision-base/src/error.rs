//! The two errors that every crate has.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};

use crate::message::shown;

/// The operating system refused something.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}: {source}{}{hint}", shown(path), if hint.is_empty() { "" } else { "; " })]
pub struct IoError {
    /// What was tried, as a verb ("create the folder").
    pub action: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
    /// What to do about it, if there is more to say than the system does; else empty.
    pub hint: &'static str,
}

impl IoError {
    /// With advice.
    pub fn with_hint(mut self, hint: &'static str) -> Self {
        self.hint = hint;
        self
    }
}

/// Makes an [`IoError`] of what the system said: `fs::read(path).map_err(io_error("read", path))`.
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
#[error("bad {option}: expected {expected}, found {found}")]
pub struct OptionError {
    /// The name of the option.
    pub option: &'static str,
    /// Its range.
    pub expected: Cow<'static, str>,
    /// What was given.
    pub found: String,
}

impl OptionError {
    /// `option` is not `expected`, but `found`.
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
