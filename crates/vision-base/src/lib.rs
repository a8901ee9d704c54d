//! Building blocks that all crates share.
//!
//! | module | |
//! |---|---|
//! | [`message`] | user-supplied names and texts, made safe and short for messages |
//! | [`atomic`] | atomic file writes |
//! | [`paths`] | sibling files and parent folders |
//! | [`progress`] | progress reports of long work: [`Progress`](progress::Progress) |
//! | [`workers`] | work on many items with several threads |
//! | [`IoError`], [`OptionError`] | errors that all crates share |

pub mod atomic;
mod error;
pub mod message;
pub mod paths;
pub mod progress;
pub mod workers;

pub use crate::error::{IoError, OptionError, io_error};
