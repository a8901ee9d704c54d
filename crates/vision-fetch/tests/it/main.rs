//! The tests of downloads and archives, in one program.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod archive;
mod download;
mod support;
