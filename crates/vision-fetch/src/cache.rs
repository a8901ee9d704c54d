//! Cache folders.
//!
//! ```text
//! $VISION_HOME, or <platform cache folder>/vision     ~/.cache/vision on Linux and macOS
//! ├── archive/   archives as they were downloaded     mnist_sample.tgz
//! ├── data/      extracted data sets                  mnist_sample/train/3/..
//! └── weights/   pretrained weights
//! ```
//!
//! The platform's cache folder is `$XDG_CACHE_HOME` or `~/.cache`, and on Windows `%LOCALAPPDATA%`.
//! Everything in it can be deleted at any time; it is downloaded again when needed.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;

use crate::error::{Error, Result, io_error};

/// The environment variable that moves the cache.
pub const HOME_VARIABLE: &str = "VISION_HOME";

/// The root of the cache, as an absolute path: `$VISION_HOME` if it is set and not empty, otherwise
/// `vision` in the platform's cache folder. The folder need not exist.
///
/// # Errors
///
/// [`Error::NoHome`] if neither is known.
pub fn home() -> Result<PathBuf> {
    home_from(env::var_os(HOME_VARIABLE))
}

/// The folder for extracted data sets: `data` under [`home`].
///
/// # Errors
///
/// As [`home`].
pub fn data_dir() -> Result<PathBuf> {
    Ok(home()?.join("data"))
}

/// The folder for downloaded archives: `archive` under [`home`].
///
/// # Errors
///
/// As [`home`].
pub fn archive_dir() -> Result<PathBuf> {
    Ok(home()?.join("archive"))
}

/// The folder for pretrained weights: `weights` under [`home`].
///
/// # Errors
///
/// As [`home`].
pub fn weights_dir() -> Result<PathBuf> {
    Ok(home()?.join("weights"))
}

fn home_from(variable: Option<OsString>) -> Result<PathBuf> {
    match variable {
        Some(folder) if !folder.is_empty() => {
            let folder = Path::new(&folder);
            std::path::absolute(folder).map_err(io_error("make absolute", folder))
        }
        _ => etcetera::choose_base_strategy()
            .map(|platform| platform.cache_dir().join("vision"))
            .map_err(|_| Error::NoHome {
                variable: HOME_VARIABLE,
            }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_variable_wins_and_becomes_absolute() {
        let set = home_from(Some("some/where".into())).unwrap();
        assert!(set.is_absolute());
        assert!(set.ends_with("some/where"));
    }

    #[test]
    fn an_empty_variable_is_as_good_as_none() {
        let platform = home_from(None).unwrap();
        assert!(platform.is_absolute());
        assert!(platform.ends_with("vision"));
        assert_eq!(home_from(Some(OsString::new())).unwrap(), platform);
    }
}
