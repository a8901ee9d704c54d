//! ONNX: the initializers of a graph, and as much of the graph as shows which layer they belong to.

mod data;
mod fit;
mod layers;
mod proto;
mod wire;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::path::Path;

pub(crate) use fit::Fit;

use super::contents::{Contents, Graph, bad};
use crate::Result;

/// The maximum number of nodes. A DenseNet-201 has about 1,000.
const MAX_NODES: usize = 100_000;
const MAX_TENSORS: usize = 100_000;
/// The maximum number of inputs, outputs and attributes of all nodes, and of pieces of values.
const MAX_VALUES: usize = 1_000_000;
/// The maximum length of a name in bytes.
const MAX_NAME: u64 = 4096;
/// The maximum length of all names and texts together in bytes.
const MAX_TEXT: u64 = 64 << 20;
const MAX_METADATA: usize = 1000;
/// The maximum number of dimensions of a tensor.
const MAX_RANK: usize = 16;

/// Checks for a format version, followed by one of the other fields of a `ModelProto`.
///
/// Protobuf has no magic number; every serializer writes fields in the order of their numbers.
pub(super) fn looks_like_onnx(head: &[u8]) -> bool {
    const NEXT: [u8; 8] = [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72];
    match head {
        [0x08, version, next, ..] => (1..0x80).contains(version) && NEXT.contains(next),
        _ => false,
    }
}

/// Reads the graph of a file of `len` bytes and checks what its tensors declare.
pub(super) fn open(path: &Path, file: File, len: u64) -> Result<Contents> {
    let mut wire = wire::Wire::new(path, file)?;
    let model = proto::model(&mut wire, len)?;
    check(path, &model)?;
    let mut contents = Contents {
        metadata: model.metadata,
        ..Contents::default()
    };
    let mut by_name = HashMap::new();
    for tensor in &model.tensors {
        contents
            .tensors
            .insert(tensor.name.clone(), data::stored(path, tensor)?);
        by_name.insert(tensor.name.as_str(), tensor);
    }
    // torch.onnx writes equal tensors once and refers to them by other names through an Identity.
    for node in &model.nodes {
        if let ("Identity", [input], [output]) =
            (node.op.as_str(), &node.inputs[..], &node.outputs[..])
            && let Some(&tensor) = by_name.get(input.as_str())
        {
            contents
                .tensors
                .insert(output.clone(), data::stored(path, tensor)?);
            by_name.insert(output, tensor);
        }
    }
    contents.graph = Some(Graph { nodes: model.nodes });
    Ok(contents)
}

/// Why the names and layers of a graph may not match any model, if it was changed after export.
pub(super) fn changed(graph: &Graph) -> Option<&'static str> {
    let any = |is: fn(&str) -> bool| graph.nodes.iter().any(|node| is(&node.op));
    if any(|op| op.contains("Quantize") || op.contains("QLinear") || op.ends_with("Integer")) {
        return Some("its weights are quantized: take the ONNX file from before quantization");
    }
    any(|op| op.starts_with("com.microsoft")).then_some(
        "it was optimized by ONNX Runtime, which renames weights and changes their layout: take the file that was \
         exported, not optimized_model_filepath",
    )
}

/// Checks that a graph produces every value once, before it is read.
fn check(path: &Path, model: &proto::Model) -> Result<()> {
    let mut known: HashSet<&str> = model.inputs.iter().map(String::as_str).collect();
    let mut tensors = HashSet::new();
    for tensor in &model.tensors {
        if !tensors.insert(tensor.name.as_str()) {
            return Err(bad(
                path,
                format!("it has two tensors called {:?}", tensor.name),
            ));
        }
    }
    known.extend(&tensors);
    let mut makers: BTreeMap<&str, usize> = BTreeMap::new();
    for (i, node) in model.nodes.iter().enumerate() {
        for output in node.outputs.iter().filter(|o| !o.is_empty()) {
            let constant = node.op == "Constant";
            if makers.insert(output, i).is_some()
                || (!constant && tensors.contains(output.as_str()))
            {
                return Err(bad(path, format!("its graph computes {output:?} twice")));
            }
        }
    }
    for (i, node) in model.nodes.iter().enumerate() {
        for input in node.inputs.iter().filter(|n| !n.is_empty()) {
            if known.contains(input.as_str()) {
                continue;
            }
            let reason = match makers.get(input.as_str()) {
                Some(&j) if j >= i => format!(
                    "node {i} ({}) reads {input:?}, which only node {j} computes: its graph is cyclic or out of order",
                    node.op
                ),
                _ => format!(
                    "node {i} ({}) reads {input:?}, which no node computes",
                    node.op
                ),
            };
            return Err(bad(path, reason));
        }
        known.extend(node.outputs.iter().map(String::as_str));
    }
    Ok(())
}
