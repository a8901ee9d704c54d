//! What the ONNX reader uses of `vision_models::export`: how nodes look. Which layers a model has needs Burn.

#[path = "../../crates/vision-models/src/export/proto.rs"]
pub mod proto;

pub fn structure(_model: &crate::layers::Sequential) -> Option<Vec<proto::Node>> {
    None
}
