//! The part of `vision_models::export` that the ONNX reader uses: the node types. The layers of a model need Burn.

#[path = "../../crates/vision-models/src/export/proto.rs"]
pub mod proto;

pub fn structure(_model: &crate::layers::Sequential) -> Option<Vec<proto::Node>> {
    None
}
