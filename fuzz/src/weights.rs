//! The modules of `vision_models::weights` that do not need Burn.

#[path = "../../crates/vision-models/src/weights/atomic.rs"]
mod atomic;
#[path = "../../crates/vision-models/src/weights/contents.rs"]
mod contents;
#[path = "../../crates/vision-models/src/weights/file.rs"]
mod file;
#[path = "../../crates/vision-models/src/weights/guard.rs"]
mod guard;
#[path = "../../crates/vision-models/src/weights/names.rs"]
mod names;
#[path = "../../crates/vision-models/src/weights/onnx/mod.rs"]
mod onnx;
#[path = "../../crates/vision-models/src/weights/pth.rs"]
mod pth;
#[path = "../../crates/vision-models/src/weights/report.rs"]
mod report;
#[path = "../../crates/vision-models/src/weights/safetensors.rs"]
mod safetensors;
#[path = "../../crates/vision-models/src/weights/shards.rs"]
mod shards;
pub use contents::MAX_FILE_BYTES;
pub use file::{Format, WeightsFile};
pub use report::{LoadReport, Mismatch};
