//! Export of models: to ONNX, and to a safetensors file with PyTorch's names.
//!
//! ```no_run
//! use vision_models::{Arch, Init, export};
//! # let device = vision_models::test_device();
//! let model = Arch::ResNet18.build(1000, &mut Init::new(0, &device));
//! let config = export::OnnxConfig::default().with_size(224, 224);
//! export::export_onnx(&model, "resnet18.onnx", &config)?;
//! // In Python: torchvision.models.resnet18().load_state_dict(load_file("resnet18.safetensors"))
//! export::export_safetensors(&model, "resnet18.safetensors")?;
//! # Ok::<(), vision_models::Error>(())
//! ```
//!
//! Files are written atomically (see [`vision_base::atomic`]), and the same network gives the same
//! bytes. `docs/design/onnx.md` says why this crate has its own ONNX exporter.

mod image;
mod lower;
mod matrices;
mod onnx;
mod pixels;
pub(crate) mod proto;
mod safetensors;
mod tokens;

pub use image::{Edge, Ending, Fit, ImageInput, ImageResize};
pub(crate) use lower::windows;
pub(crate) use onnx::structure;
pub use onnx::{OnnxConfig, export_onnx};
pub use safetensors::{
    ExportReport, Names, export_safetensors, export_safetensors_as, export_safetensors_with,
};
