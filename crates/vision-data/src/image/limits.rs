//! How much an image may ask for.

use serde::{Deserialize, Serialize};

/// How much one image may ask for. Checked before memory is set aside for its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Width times height; 200 million by default.
    pub max_pixels: u64,
    /// The bytes of the file, and of its pixels as they are stored in it; 1 GiB by default.
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
