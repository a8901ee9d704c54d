//! x

pub mod archive;
pub mod cache;
pub mod datasets;
pub mod device;
pub mod download;
mod error;

pub use burn::tensor::Device;

pub use self::datasets::{Dataset, Urls, untar_data};
pub use self::error::{Error, Result};
