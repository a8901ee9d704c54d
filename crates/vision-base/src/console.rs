//! The one place that prints. A program that reads our output may end before we do, and a log may be on a
//! full disk: neither is a reason to stop a training run, so a line that cannot be written is dropped.

use std::fmt::Display;
use std::io::{self, Write};

/// Writes a line to standard output.
pub fn line(text: impl Display) {
    let _ = writeln!(io::stdout(), "{text}");
}

/// Writes `warning: ` and a line to standard error.
pub fn warn(text: impl Display) {
    let _ = writeln!(io::stderr(), "warning: {text}");
}

/// Writes a line to standard error.
pub fn note(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}
