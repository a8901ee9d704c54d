//! The modules of `vision_models::weights` that do not need Burn.

#[path = "../../crates/vision-models/src/weights/choice.rs"]
mod choice;
#[path = "../../crates/vision-models/src/weights/contents.rs"]
mod contents;
#[path = "../../crates/vision-models/src/weights/file.rs"]
mod file;
#[path = "../../crates/vision-models/src/weights/joined.rs"]
mod joined;
#[path = "../../crates/vision-models/src/weights/names.rs"]
mod names;
#[path = "../../crates/vision-models/src/weights/onnx/mod.rs"]
mod onnx;
#[path = "../../crates/vision-models/src/weights/other_names.rs"]
mod other_names;
#[path = "../../crates/vision-models/src/weights/pth/mod.rs"]
mod pth;
#[path = "../../crates/vision-models/src/weights/report.rs"]
mod report;
#[path = "../../crates/vision-models/src/weights/safetensors.rs"]
mod safetensors;
#[path = "../../crates/vision-models/src/weights/seal.rs"]
mod seal;
#[path = "../../crates/vision-models/src/weights/shards.rs"]
mod shards;
#[path = "../../crates/vision-models/src/weights/source.rs"]
mod source;
#[path = "../../crates/vision-models/src/weights/torchvision.rs"]
mod torchvision;
pub use choice::Wanted;
pub use contents::MAX_FILE_BYTES;
pub use file::{Format, WeightsFile};
pub use report::{LoadReport, Mismatch};
pub use seal::{Seal, check_seal};
pub use source::WeightsSource;
