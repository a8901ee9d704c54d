//! Tests of downloads and archives.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod archive;
mod authority;
mod download;
mod hub;
mod store;
mod support;
mod tar_files;
mod tls;
