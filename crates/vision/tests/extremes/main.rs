//! Extreme arguments: every public function of the workspace is called with values that no program means. No call
//! panics, aborts, takes more than 10 seconds of processor time or 2 GiB; each error names its option.
//!
//! A file per area holds a table with one line per option. Each area runs in a process of its own with limited memory,
//! so that an abort fails one call, which is named (`process`). `complete` fails for a public function that is in no
//! table.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod base;
mod callbacks;
mod checkpoints;
mod complete;
mod data;
mod evaluation;
mod fetch;
mod figures;
mod files;
mod interp;
mod kernels;
mod learner;
mod models;
mod process;
mod report;
mod serving;
mod support;
mod table;
mod training;
mod transforms;
mod values;

use crate::process::area;

#[test]
fn base() {
    area("base", base::table);
}

#[test]
fn callbacks() {
    area("callbacks", callbacks::table);
}

#[test]
fn checkpoints() {
    area("checkpoints", checkpoints::table);
}

#[test]
fn data() {
    area("data", data::table);
}

#[test]
fn evaluation() {
    area("evaluation", evaluation::table);
}

#[test]
fn fetch() {
    area("fetch", fetch::table);
}

#[test]
fn figures() {
    area("figures", figures::table);
}

#[test]
fn files() {
    area("files", files::table);
}

#[test]
fn interp() {
    area("interp", interp::table);
}

#[test]
fn kernels() {
    area("kernels", kernels::table);
}

#[test]
fn learner() {
    area("learner", learner::table);
}

#[test]
fn models() {
    area("models", models::table);
}

#[test]
fn report() {
    area("report", report::table);
}

#[test]
fn serving() {
    area("serving", serving::table);
}

#[test]
fn training() {
    area("training", training::table);
}

#[test]
fn transforms() {
    area("transforms", transforms::table);
}
