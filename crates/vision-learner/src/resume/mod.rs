//! Fits that survive the end of their process: [`FitConfig::resumable`](crate::FitConfig::resumable).
//!
//! The folder of a run has a folder for each fit, in the order in which the program makes them. In it are `fit.json`
//! (what must be the same when the fit is resumed), `journal.jsonl` (the history, which only grows) and two files that
//! hold the last saved steps in turn, each a checkpoint with the position of the loop, the states of the callbacks, and
//! the length and hash of the journal that belongs to it.

mod folder;
mod identity;
mod interrupt;
mod journal;
pub(crate) mod keeper;
pub(crate) mod position;
pub(crate) mod resumable;
pub(crate) mod runs;
pub(crate) mod states;
mod step;
