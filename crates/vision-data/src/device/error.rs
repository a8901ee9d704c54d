//! What can be wrong with the name of a device.

/// Names separated by commas, or `otherwise` when there are none.
fn list(names: &[&str], otherwise: &str) -> String {
    if names.is_empty() {
        otherwise.to_owned()
    } else {
        names.join(", ")
    }
}

/// What can be wrong with the name of a device.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// No device has that name.
    #[error(
        "no device is called {name:?} ({reason}); compiled in are: {}",
        list(compiled, "none, enable a cargo feature such as `flex` or `wgpu`")
    )]
    Unknown {
        /// The name, as given.
        name: String,
        /// What is wrong with it, and where it came from.
        reason: String,
        /// The names that this build understands.
        compiled: Vec<&'static str>,
    },
    /// The device is known, but this program was built without it.
    #[error(
        "device {name:?} needs the cargo feature `{feature}`: build with `--features {feature}`; \
         compiled in are: {}",
        list(compiled, "none")
    )]
    NotCompiled {
        /// The name, as given.
        name: String,
        /// The feature that brings it.
        feature: &'static str,
        /// The names that this build understands.
        compiled: Vec<&'static str>,
    },
    /// The device is compiled in, but this machine has none, or not as many.
    #[error(
        "there is no device {name:?} on this machine: {found} found; check the driver, name \
         another index, or use \"flex\" (the CPU)"
    )]
    Missing {
        /// The name, as given.
        name: String,
        /// How many of the kind were found.
        found: usize,
    },
}
