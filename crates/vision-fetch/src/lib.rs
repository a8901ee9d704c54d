//! Verified downloads and safe extraction of archives.
//!
//! * [`Download`] downloads one file.
//! * [`Store`] keeps files of the network in a folder of bounded size.
//! * [`hub`] downloads files of a repository on Hugging Face's hub.
//! * [`archive`] extracts a `.tgz`, and lists the files of a tar archive.
//! * [`cache`] gives the folders in which files are kept.

// A line that cannot be written must not end a program: `vision_base::console` prints.
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::print_stderr))]

pub mod archive;
pub mod cache;
mod certificates;
mod checksum;
mod download;
mod error;
mod http;
pub mod hub;
mod lock;
mod options;
mod store;
mod url;

pub use crate::checksum::sha256_of;
pub use crate::download::{Download, Fetched, MIRROR_VARIABLE, OFFLINE_VARIABLE, Origin};
pub use crate::error::{Error, Result};
pub use crate::options::Options;
pub use crate::store::{Known, Store};
pub use crate::url::{file_name, is_http};
