//! What a device reports when its memory is used up, or when it is gone.
//!
//! Burn panics on both, in the operation itself or when a value is read, which on a GPU is later. Here they become errors.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use burn::tensor::Device;
use vision_base::message::panic_message;
use vision_data::device;

use crate::{Error, Result};

/// Parts of the messages of CubeCL, wgpu, Vulkan and CUDA, in lower case.
const MEMORY: [&str; 7] = [
    "out of memory",
    "out-of-memory",
    "out of device memory",
    "out_of_memory",
    "out_of_device_memory",
    "out_of_host_memory",
    "can't allocate buffer of size",
];
const LOST: [&str; 8] = [
    "device is poisoned",
    "device was poisoned",
    "device was lost",
    "device is lost",
    "device lost",
    "device_lost",
    "illegal address",
    "illegal_address",
];

/// Runs a computation on `images` images at once.
///
/// # Errors
///
/// [`Error::OutOfMemory`] and [`Error::DeviceLost`]. Other panics go on.
pub(crate) fn guarded<T>(
    device: &Device,
    images: usize,
    run: impl FnOnce() -> Result<T>,
) -> Result<T> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        match fault(device, images, &panic_message(&*panic)) {
            Some(error) => Err(error),
            None => resume_unwind(panic),
        }
    })
}

/// The error that the message of a panic stands for.
pub(crate) fn fault(device: &Device, images: usize, message: &str) -> Option<Error> {
    let line = |parts: &[&str]| {
        message.lines().find(|line| {
            let line = line.to_ascii_lowercase();
            parts.iter().any(|part| line.contains(part))
        })
    };
    let name = device::describe(device);
    // A lost device fails at anything, allocations too.
    if let Some(reason) = line(&LOST) {
        return Some(Error::DeviceLost {
            device: name,
            reason: reason.trim().to_owned(),
        });
    }
    line(&MEMORY).map(|reason| Error::OutOfMemory {
        device: name,
        images,
        fits: None,
        reason: reason.trim().to_owned(),
    })
}

/// The largest of a half, a quarter .. of `images` with which `run` does not use up the memory.
pub(crate) fn largest_that_fits(
    device: &Device,
    images: usize,
    run: impl Fn(usize) -> Result<()>,
) -> Option<usize> {
    let halves = std::iter::successors(Some(images / 2), |items| Some(items / 2));
    let mut halves = halves.take_while(|items| *items > 0);
    halves.find(|items| guarded(device, *items, || run(*items)).is_ok())
}
