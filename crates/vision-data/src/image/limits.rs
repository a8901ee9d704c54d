//! Limits on the size of images.

use serde::{Deserialize, Serialize};

/// The largest image that may be decoded. Checked before memory is allocated for its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Largest width times height. Default: 200 million.
    pub max_pixels: u64,
    /// Largest size in bytes of the file, and of its pixels as they are stored in it. Default: 1 GiB.
    pub max_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_pixels: 200_000_000,
            max_bytes: 1 << 30,
        }
    }
}
