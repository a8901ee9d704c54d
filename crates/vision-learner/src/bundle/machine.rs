//! What decides the last bits of an output.

use vision_data::{Device, device};
use vision_kernels::{Isa, ops};

/// Describes what two runs must have in common to give the same bits: version, system, device, instruction set.
pub(crate) fn describe(on: &Device) -> String {
    let device = device::describe(on);
    let system = (std::env::consts::OS, std::env::consts::ARCH);
    let isa = match device::is_cpu(on) {
        true => format!("{:?}, {:?}", Isa::detect(), ops::accuracy()),
        false => "GPU".to_owned(),
    };
    format!(
        "vision {}, {} {}, {device}, {isa}",
        env!("CARGO_PKG_VERSION"),
        system.0,
        system.1
    )
}
