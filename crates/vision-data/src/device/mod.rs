//! Choosing a device: the only place in this workspace that names Burn's backends.
//!
//! All other code takes a [`Device`] and passes it on. The cargo features `flex` (the CPU, on by
//! default), `wgpu`, `vulkan`, `metal` and `cuda` decide at build time which devices a program
//! supports. At run time, a name chooses one:
//!
//! | name | device |
//! |---|---|
//! | `default` | `$BURN_DEVICE` if set, else the first GPU of a compiled-in feature, else the CPU |
//! | `cpu`, `flex` | the CPU, through Burn's Flex backend |
//! | `cuda`, `cuda:1` | an NVIDIA GPU, the first or by CUDA's index |
//! | `wgpu`, `wgpu:1` | the adapter that wgpu prefers, or by index in its list |
//! | `vulkan`, `metal` (`:N`) | as `wgpu`, pinned to that graphics API |
//!
//! Burn's own `Device::default()` panics on an invalid `BURN_DEVICE` and assumes that a GPU exists
//! if its feature is on; [`default_device`] does neither.

pub(crate) mod error;

use std::env;
use std::ffi::OsString;
use std::panic::{self, AssertUnwindSafe};

#[cfg(any(feature = "wgpu", feature = "vulkan", feature = "metal"))]
use burn::tensor::DeviceKind;
#[cfg(any(
    feature = "cuda",
    feature = "wgpu",
    feature = "vulkan",
    feature = "metal"
))]
use burn::tensor::DeviceType;
use burn::tensor::{Device, Tensor};
use vision_base::message::{panic_message, shown};

use crate::device::error::DeviceError;
use crate::error::{Error, Result};

/// The environment variable that names the default device. Burn reads it too.
pub const DEVICE_VARIABLE: &str = "BURN_DEVICE";

/// Names (also the cargo features), in order of preference, and whether this build has them.
const BACKENDS: [(&str, bool); 5] = [
    ("cuda", cfg!(feature = "cuda")),
    ("metal", cfg!(feature = "metal")),
    ("vulkan", cfg!(feature = "vulkan")),
    (
        "wgpu",
        // Burn's features `vulkan` and `metal` enable `wgpu` too.
        cfg!(any(feature = "wgpu", feature = "vulkan", feature = "metal")),
    ),
    ("flex", cfg!(feature = "flex")),
];

/// Returns the device with this name; see the table of this module. Case does not matter.
///
/// A GPU is started, which can take a second the first time, so that a driver that is too old is an error here.
/// It never panics.
///
/// # Errors
///
/// [`DeviceError::Unknown`] for a name that is not in the table, [`DeviceError::NotCompiled`] if
/// its cargo feature is off, [`DeviceError::Missing`] if the machine lacks the device,
/// [`DeviceError::Unusable`] if it does not start.
///
/// ```
/// # use vision_data::device;
/// let cpu = device::parse("cpu")?;
/// assert_eq!(device::describe(&cpu), "flex (CPU)");
///
/// let error = device::parse("abacus").unwrap_err().to_string();
/// assert!(error.contains("abacus") && error.contains("flex"));
/// # Ok::<(), vision_data::Error>(())
/// ```
pub fn parse(name: &str) -> Result<Device> {
    let wanted = name.trim().to_ascii_lowercase();
    if wanted == "default" {
        return default_device();
    }
    let (base, index) = match wanted.split_once(':') {
        None => (wanted.as_str(), None),
        Some((base, index)) => match index.parse::<usize>() {
            Ok(index) => (base, Some(index)),
            Err(_) => return Err(unknown(name, "what follows the colon is not an index")),
        },
    };
    let base = if base == "cpu" { "flex" } else { base };
    let Some(&(backend, _)) = BACKENDS.iter().find(|(known, _)| *known == base) else {
        return Err(unknown(name, "unknown name"));
    };
    let found = find(backend).ok_or_else(|| {
        Error::Device(DeviceError::NotCompiled {
            name: name.to_owned(),
            feature: backend,
            compiled: compiled(),
        })
    })?;
    let device = match index {
        None if found.all.is_empty() => None,
        None => Some(found.preferred),
        Some(index) => found.all.get(index).cloned(),
    };
    let device = device.ok_or_else(|| {
        Error::Device(DeviceError::Missing {
            name: name.to_owned(),
            found: found.all.len(),
        })
    })?;
    started(name, device)
}

/// The device to use when none is named.
///
/// `$BURN_DEVICE` if it is set: a plain name, without an index, since Burn reads the variable too
/// and panics on anything else. Otherwise the first of CUDA, Metal, Vulkan and wgpu that is
/// compiled in and present on this machine (a software rasterizer does not count), otherwise the
/// CPU.
///
/// # Errors
///
/// The errors of [`parse`] for the variable's value, [`DeviceError::Unknown`] if no backend is
/// compiled in.
///
/// ```
/// # use vision_data::device;
/// println!("computing on {}", device::describe(&device::default_device()?));
/// # Ok::<(), vision_data::Error>(())
/// ```
pub fn default_device() -> Result<Device> {
    default_from(env::var_os(DEVICE_VARIABLE))
}

/// The names that this build understands, in order of preference.
pub fn compiled() -> Vec<&'static str> {
    BACKENDS
        .iter()
        .filter(|(_, here)| *here)
        .map(|(name, _)| *name)
        .collect()
}

/// A short display name: "flex (CPU)", "cuda:0", "wgpu (DefaultDevice)".
pub fn describe(device: &Device) -> String {
    let plain = device.clone().without_autodiff();
    #[cfg(feature = "flex")]
    if plain == Device::flex() {
        return "flex (CPU)".to_owned();
    }
    #[cfg(any(
        feature = "cuda",
        feature = "wgpu",
        feature = "vulkan",
        feature = "metal"
    ))]
    {
        use burn::backend::{CubeDevice, DispatchDevice};
        match plain.as_dispatch() {
            DispatchDevice::Cube(CubeDevice::Cuda(gpu)) => return format!("cuda:{}", gpu.index),
            DispatchDevice::Cube(CubeDevice::Wgpu(gpu)) => {
                let api = format!("{:?}", gpu.backend).to_lowercase();
                let api = if api == "auto" { "wgpu" } else { &api };
                return format!("{api} ({:?})", gpu.kind);
            }
            _ => {}
        }
    }
    format!("{:?}", plain.as_dispatch())
}

/// Whether the device computes in host memory.
pub fn is_cpu(device: &Device) -> bool {
    let plain = device.clone().without_autodiff();
    find("flex").is_some_and(|found| found.all.contains(&plain))
}

fn default_from(variable: Option<OsString>) -> Result<Device> {
    match variable {
        Some(name) if !name.is_empty() => {
            let name = name.to_string_lossy().into_owned();
            let plain = name.to_ascii_lowercase();
            if !BACKENDS.iter().any(|(known, _)| *known == plain) {
                return Err(unknown(
                    &name,
                    "from BURN_DEVICE, which takes one of the plain names",
                ));
            }
            parse(&plain)
        }
        _ => {
            let found = compiled().into_iter().find_map(|name| {
                let found = find(name)?;
                found.worthwhile.then_some((name, found.preferred))
            });
            let (name, device) =
                found.ok_or_else(|| unknown("default", "no backend has a device here"))?;
            started(name, device)
        }
    }
}

fn unknown(name: &str, reason: &str) -> Error {
    Error::Device(DeviceError::Unknown {
        name: name.to_owned(),
        reason: reason.to_owned(),
        compiled: compiled(),
    })
}

/// The device, once it has computed a value: the libraries that call a driver panic if it lacks what they need.
fn started(name: &str, device: Device) -> Result<Device> {
    let value = || (Tensor::<1>::zeros([1], &device) + 1.0).into_data();
    let Err(panic) = panic::catch_unwind(AssertUnwindSafe(value)) else {
        return Ok(device);
    };
    let reason = match panic_message(&*panic) {
        // CubeCL computes in a thread of its own. All that is known of its panic here is that the thread has ended.
        text if text.contains("RecvError") => {
            "the library that calls its driver panicked, and has printed why".to_owned()
        }
        text => shown(text),
    };
    Err(Error::Device(DeviceError::Unusable {
        name: name.to_owned(),
        reason,
    }))
}

/// The devices of one backend on this machine.
struct Found {
    /// The device for a name without an index. Meaningless if `all` is empty.
    preferred: Device,
    /// The devices, by index.
    all: Vec<Device>,
    /// Whether the default device may be one of these.
    worthwhile: bool,
}

impl Found {
    #[cfg(feature = "flex")]
    fn cpu(device: Device) -> Option<Self> {
        Some(Self {
            preferred: device.clone(),
            all: vec![device],
            worthwhile: true,
        })
    }

    #[cfg(any(
        feature = "cuda",
        feature = "wgpu",
        feature = "vulkan",
        feature = "metal"
    ))]
    fn gpus(kind: DeviceType, preferred: Device, software: Option<Device>) -> Option<Self> {
        let all = Device::enumerate(kind).into_vec();
        Some(Self {
            preferred,
            worthwhile: all.iter().any(|device| Some(device) != software.as_ref()),
            all,
        })
    }
}

/// Looks for the devices of a backend; `None` if it is not compiled in.
fn find(backend: &str) -> Option<Found> {
    match backend {
        #[cfg(feature = "flex")]
        "flex" => Found::cpu(Device::flex()),
        #[cfg(feature = "cuda")]
        "cuda" => Found::gpus(DeviceType::Cuda, Device::cuda(0_usize), None),
        #[cfg(feature = "metal")]
        "metal" => Found::gpus(
            DeviceType::Metal,
            Device::metal(DeviceKind::DefaultDevice),
            Some(Device::metal(DeviceKind::Cpu)),
        ),
        #[cfg(feature = "vulkan")]
        "vulkan" => Found::gpus(
            DeviceType::Vulkan,
            Device::vulkan(DeviceKind::DefaultDevice),
            Some(Device::vulkan(DeviceKind::Cpu)),
        ),
        #[cfg(any(feature = "wgpu", feature = "vulkan", feature = "metal"))]
        "wgpu" => Found::gpus(
            DeviceType::Wgpu,
            Device::wgpu(DeviceKind::DefaultDevice),
            Some(Device::wgpu(DeviceKind::Cpu)),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    #[cfg(feature = "flex")]
    fn cpu_and_flex_are_one_device_whatever_the_case() {
        for name in ["cpu", "flex", "CPU", " Flex ", "flex:0"] {
            assert_eq!(parse(name).unwrap(), Device::flex());
        }
        assert_eq!(describe(&parse("cpu").unwrap().autodiff()), "flex (CPU)");
    }

    #[test]
    fn a_name_that_is_not_known_lists_what_is_compiled_in() {
        for name in ["", "abacus", "gpu", "cuda:x", "cuda:-1", ":", "wgpu:"] {
            match parse(name) {
                Err(Error::Device(DeviceError::Unknown { compiled: list, .. })) => {
                    assert_eq!(list, compiled())
                }
                other => assert!(other.is_err(), "{name:?} was accepted"),
            }
        }
    }

    #[test]
    #[cfg(not(feature = "cuda"))]
    fn a_device_that_is_not_compiled_in_names_its_cargo_feature() {
        let error = parse("cuda:0").unwrap_err();
        assert!(matches!(
            error,
            Error::Device(DeviceError::NotCompiled {
                feature: "cuda",
                ..
            })
        ));
        assert!(error.to_string().contains("--features cuda"));
    }

    #[test]
    #[cfg(feature = "flex")]
    fn an_index_beyond_what_the_machine_has_is_an_error() {
        assert!(matches!(
            parse("flex:1"),
            Err(Error::Device(DeviceError::Missing { found: 1, .. }))
        ));
    }

    #[test]
    fn every_name_of_the_table_is_a_device_or_a_typed_error() {
        for (name, here) in BACKENDS {
            for name in [name.to_owned(), format!("{name}:0"), format!("{name}:99")] {
                match parse(&name) {
                    Ok(device) => assert!(!describe(&device).is_empty()),
                    Err(Error::Device(DeviceError::Missing { .. })) => assert!(here),
                    Err(Error::Device(DeviceError::NotCompiled { .. })) => assert!(!here),
                    Err(other) => assert!(other.to_string().is_empty(), "{name}: {other}"),
                }
            }
        }
    }

    #[test]
    #[cfg(feature = "flex")]
    fn burn_device_is_honoured_and_never_panics() {
        assert_eq!(default_from(Some("Flex".into())).unwrap(), Device::flex());
        assert!(default_from(Some(OsString::new())).is_ok());
        assert!(default_from(None).is_ok());
        // Burn itself would panic on these, including an index, and `cpu`, which it takes for
        // another backend.
        for name in ["abacus", "cpu", "cuda:0", "default"] {
            assert!(matches!(
                default_from(Some(name.into())),
                Err(Error::Device(DeviceError::Unknown { .. }))
            ));
        }
    }
}
