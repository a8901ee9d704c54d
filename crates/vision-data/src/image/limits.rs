//! Limits on the size of images.

use serde::{Deserialize, Serialize};
use vision_base::OptionError;

use crate::error::{Error, Result};

/// The largest image that may be decoded, checked before memory is allocated for its pixels, and how much memory
/// all decoders take together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Largest width times height. Default: 200 million.
    pub max_pixels: u64,
    /// Largest size in bytes of the file, and of what decoding it takes in memory. Default: 1 GiB.
    pub max_bytes: u64,
    /// How many bytes all decoders of the process that have these limits take together, with their results
    /// until these are transformed; from 1 MiB to 1 TiB. Those beyond wait, and an image that needs more is
    /// decoded alone, so that no number of workers takes more than the larger of this and `max_bytes`.
    /// Default: 768 MiB.
    pub max_memory: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_pixels: 200_000_000,
            max_bytes: 1 << 30,
            max_memory: 768 << 20,
        }
    }
}

impl Limits {
    /// Checks that the limit on memory makes sense.
    pub(crate) fn check(&self) -> Result<()> {
        match self.max_memory {
            0x10_0000..=0x100_0000_0000 => Ok(()),
            other => Err(Error::Option(OptionError::new(
                "max_memory",
                "from 1 MiB (1048576) to 1 TiB (1099511627776) bytes",
                other.to_string(),
            ))),
        }
    }
}
