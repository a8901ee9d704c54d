//! What the other crates share.
//!
//! | module | |
//! |---|---|
//! | [`message`] | names and texts of the user's, made safe and short for messages |
//! | [`atomic`] | files that are whole or absent |
//! | [`console`] | printing that cannot fail |
//! | [`paths`] | the files beside a file |
//! | [`progress`] | progress reports of long work: [`Progress`](progress::Progress) |
//! | [`workers`] | work on many items by several threads |
//! | [`IoError`], [`OptionError`] | the two errors that every crate has |

// A line that cannot be written must not end a program: `vision_base::console` prints.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

pub mod atomic;
pub mod console;
mod error;
pub mod message;
pub mod paths;
pub mod progress;
pub mod workers;

pub use crate::error::{IoError, OptionError, io_error};
