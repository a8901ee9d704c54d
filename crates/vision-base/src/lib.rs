//! Building blocks that all crates share.
//!
//! | module | |
//! |---|---|
//! | [`message`] | user-supplied names and texts, made safe and short for messages |
//! | [`atomic`] | atomic file writes |
//! | [`console`] | printing that cannot fail |
//! | [`csv`] | fields of CSV files |
//! | [`paths`] | sibling files and parent folders |
//! | [`progress`] | progress reports of long work: [`Progress`](progress::Progress) |
//! | [`shorten`] | texts cut to a room, so that different ones stay different |
//! | [`workers`] | work on many items with several threads |
//! | [`IoError`], [`OptionError`] | errors that all crates share |

// A line that cannot be written must not end a program: `vision_base::console` prints.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

pub mod atomic;
pub mod console;
pub mod csv;
mod error;
pub mod message;
pub mod paths;
pub mod progress;
pub mod shorten;
pub mod workers;

pub use crate::error::{IoError, OptionError, io_error};
