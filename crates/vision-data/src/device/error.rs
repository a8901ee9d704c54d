//! Errors about device names.

use vision_base::message::quoted;

/// Names separated by commas, or `otherwise` when there are none.
fn list(names: &[&str], otherwise: &str) -> String {
    if names.is_empty() {
        otherwise.to_owned()
    } else {
        names.join(", ")
    }
}

/// Errors about device names.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// No device has that name.
    #[error(
        "unknown device {} ({reason}); compiled-in devices: {}",
        quoted(name),
        list(compiled, "none, enable a cargo feature such as `flex` or `wgpu`")
    )]
    Unknown {
        /// The name, as given.
        name: String,
        /// What is wrong with it, and where the name came from.
        reason: String,
        /// The names that this build understands.
        compiled: Vec<&'static str>,
    },
    /// The device is known, but this program was built without it.
    #[error(
        "device {} needs the cargo feature `{feature}`: build with `--features {feature}`; compiled-in \
         devices: {}",
        quoted(name),
        list(compiled, "none")
    )]
    NotCompiled {
        /// The name, as given.
        name: String,
        /// The cargo feature that enables it.
        feature: &'static str,
        /// The names that this build understands.
        compiled: Vec<&'static str>,
    },
    /// The device is compiled in, but this machine has none, or too few.
    #[error(
        "there is no device {} on this machine: {found} found; check the driver, name \
         another index, or use \"flex\" (the CPU)",
        quoted(name)
    )]
    Missing {
        /// The name, as given.
        name: String,
        /// The number of devices of this kind that were found.
        found: usize,
    },
    /// The device was found, but nothing can be computed on it.
    #[error(
        "device {} does not start: {reason}; update its driver, name another device, or use \"flex\" (the CPU)",
        quoted(name)
    )]
    Unusable {
        /// The name, as given.
        name: String,
        /// What the driver, or the library that calls it, says.
        reason: String,
    },
}
