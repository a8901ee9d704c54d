//! What the other crates share.
//!
//! | module | |
//! |---|---|
//! | [`message`] | names and texts of the user's, made safe and short for messages |
//! | [`atomic`] | files that are whole or absent |
//! | [`paths`] | the files beside a file |
//! | [`progress`] | progress reports of long work: [`Progress`](progress::Progress) |
//! | [`workers`] | work on many items by several threads |
//! | [`IoError`], [`OptionError`] | the two errors that every crate has |

pub mod atomic;
mod error;
pub mod message;
pub mod paths;
pub mod progress;
pub mod workers;

pub use crate::error::{IoError, OptionError, io_error};
