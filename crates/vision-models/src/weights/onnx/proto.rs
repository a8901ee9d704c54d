//! The messages of an ONNX file, as far as they concern weights.
//!
//! Parsing is not recursive: a graph inside an attribute (the branches of an `If`) is skipped, so
//! nesting costs nothing.

use std::collections::BTreeMap;

use super::wire::{Field, Value, Wire};
use super::{MAX_METADATA, MAX_NAME, MAX_NODES, MAX_RANK, MAX_TENSORS, MAX_VALUES};
use crate::Result;
use crate::export::proto::{Attribute, Node};

/// An ONNX file without the values of its tensors.
#[derive(Default)]
pub(super) struct Model {
    pub(super) nodes: Vec<Node>,
    /// Initializers, and the values of constant nodes under the names of their outputs.
    pub(super) tensors: Vec<Tensor>,
    pub(super) inputs: Vec<String>,
    pub(super) metadata: BTreeMap<String, String>,
    has_graph: bool,
    has_opset: bool,
    /// The number of value names in all nodes together.
    values: usize,
    chunks: usize,
}

/// A tensor and the location of its values.
#[derive(Clone, Debug, Default)]
pub(super) struct Tensor {
    pub(super) name: String,
    pub(super) dims: Vec<i64>,
    pub(super) data_type: i64,
    /// A range of the file: offset and length.
    pub(super) raw: Option<(u64, u64)>,
    pub(super) floats: Vec<(u64, u64)>,
    pub(super) doubles: Vec<(u64, u64)>,
    pub(super) int32s: Vec<(u64, u64)>,
    /// Key and value pairs: `location`, `offset`, `length`.
    pub(super) external: Option<BTreeMap<String, String>>,
}

/// Reads a file of `len` bytes.
pub(super) fn model(wire: &mut Wire<'_>, len: u64) -> Result<Model> {
    let mut model = Model::default();
    while let Some(field) = wire.field(len)? {
        match (field.number, field.value) {
            (7, Value::Bytes) if model.has_graph => return Err(wire.bad("it has two graphs")),
            (7, Value::Bytes) => {
                model.has_graph = true;
                graph(wire, field.end, &mut model)?;
            }
            (8, Value::Bytes) => model.has_opset = true,
            (14, Value::Bytes) => {
                if model.metadata.len() >= MAX_METADATA {
                    return Err(
                        wire.bad(format!("it has more than {MAX_METADATA} metadata entries"))
                    );
                }
                let (key, text) = pair(wire, field.end)?;
                model.metadata.insert(key, text);
            }
            _ => {}
        }
        wire.finish(field)?;
    }
    if !model.has_graph {
        return Err(wire.bad("it has no graph"));
    }
    if !model.has_opset {
        return Err(wire.bad("it does not declare its opset, or ends before it"));
    }
    Ok(model)
}

fn graph(wire: &mut Wire<'_>, end: u64, model: &mut Model) -> Result<()> {
    while let Some(field) = wire.field(end)? {
        match (field.number, field.value) {
            (1, Value::Bytes) => {
                if model.nodes.len() >= MAX_NODES {
                    return Err(wire.bad(format!("its graph has more than {MAX_NODES} nodes")));
                }
                let node = node(wire, field.end, model)?;
                model.nodes.push(node);
            }
            (5, Value::Bytes) => {
                let tensor = tensor(wire, field.end, model)?;
                add(wire, tensor, model)?;
            }
            (11, Value::Bytes) => {
                let name = first_text(wire, field.end)?;
                model.count_value(wire)?;
                model.inputs.push(name);
            }
            _ => {}
        }
        wire.finish(field)?;
    }
    Ok(())
}

fn add(wire: &Wire<'_>, tensor: Tensor, model: &mut Model) -> Result<()> {
    if model.tensors.len() >= MAX_TENSORS {
        return Err(wire.bad(format!("it has more than {MAX_TENSORS} tensors")));
    }
    model.tensors.push(tensor);
    Ok(())
}

impl Model {
    fn count_value(&mut self, wire: &Wire<'_>) -> Result<()> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(wire.bad(format!("its graph names more than {MAX_VALUES} values")));
        }
        Ok(())
    }
}

fn node(wire: &mut Wire<'_>, end: u64, model: &mut Model) -> Result<Node> {
    let mut node = Node::default();
    let mut constant = None;
    let mut domain = String::new();
    while let Some(field) = wire.field(end)? {
        match (field.number, field.value) {
            (1, Value::Bytes) => {
                model.count_value(wire)?;
                node.inputs.push(wire.text(field, MAX_NAME)?);
            }
            (2, Value::Bytes) => {
                model.count_value(wire)?;
                node.outputs.push(wire.text(field, MAX_NAME)?);
            }
            (3, Value::Bytes) => node.name = wire.text(field, MAX_NAME)?,
            (4, Value::Bytes) => node.op = wire.text(field, MAX_NAME)?,
            (5, Value::Bytes) => {
                model.count_value(wire)?;
                attribute(wire, field.end, &mut node, &mut constant, model)?;
            }
            (7, Value::Bytes) => domain = wire.text(field, MAX_NAME)?,
            _ => {}
        }
        wire.finish(field)?;
    }
    // An operator of another domain is a different one: com.microsoft.nchwc.Conv stores its values
    // in blocks.
    if !["", "ai.onnx"].contains(&domain.as_str()) {
        node.op = format!("{domain}.{}", node.op);
    }
    if let ("Constant", Some(mut tensor), [output]) =
        (node.op.as_str(), constant, &node.outputs[..])
    {
        tensor.name.clone_from(output);
        add(wire, tensor, model)?;
    }
    Ok(node)
}

fn attribute(
    wire: &mut Wire<'_>,
    end: u64,
    node: &mut Node,
    constant: &mut Option<Tensor>,
    model: &mut Model,
) -> Result<()> {
    let (mut name, mut value, mut ints) = (String::new(), None, Vec::new());
    while let Some(field) = wire.field(end)? {
        match (field.number, field.value) {
            (1, Value::Bytes) => name = wire.text(field, MAX_NAME)?,
            (2, Value::Four(four)) => value = Some(Attribute::Float(f32::from_le_bytes(four))),
            (3, Value::Int(int)) => value = Some(Attribute::Int(int as i64)),
            (5, Value::Bytes) => *constant = Some(tensor(wire, field.end, model)?),
            // Longer lists do not belong to a layer: they are values, and skipped like any other.
            (8, Value::Int(_)) if ints.len() >= 2 * MAX_RANK => {}
            (8, Value::Bytes) if field.len() > 10 * MAX_RANK as u64 => {}
            (8, Value::Int(_) | Value::Bytes) => wire.ints(field, &mut ints, 12 * MAX_RANK)?,
            _ => {}
        }
        wire.finish(field)?;
    }
    if !ints.is_empty() {
        value = Some(Attribute::Ints(ints));
    }
    if let Some(value) = value {
        node.attributes.push((name, value));
    }
    Ok(())
}

fn tensor(wire: &mut Wire<'_>, end: u64, model: &mut Model) -> Result<Tensor> {
    let mut tensor = Tensor::default();
    let mut location = 0;
    let mut external = BTreeMap::new();
    while let Some(field) = wire.field(end)? {
        let part = (field.start, field.len());
        match (field.number, field.value) {
            (1, _) => wire.ints(field, &mut tensor.dims, MAX_RANK)?,
            (2, Value::Int(kind)) => tensor.data_type = kind as i64,
            (4, Value::Bytes | Value::Four(_)) => chunk(wire, model, &mut tensor.floats, part)?,
            (5, Value::Bytes | Value::Int(_)) => {
                // A single unpacked number has no length prefix: its bytes end where it ends.
                chunk(wire, model, &mut tensor.int32s, alone(wire, field))?;
            }
            (10, Value::Bytes) => chunk(wire, model, &mut tensor.doubles, part)?,
            (8, Value::Bytes) => tensor.name = wire.text(field, MAX_NAME)?,
            (9, Value::Bytes) => tensor.raw = Some(part),
            (13, Value::Bytes) => {
                if external.len() >= 16 {
                    return Err(wire.bad(format!(
                        "tensor {:?} has too many entries about external data",
                        tensor.name
                    )));
                }
                let (key, text) = pair(wire, field.end)?;
                external.insert(key, text);
            }
            (14, _) => location = field.int().unwrap_or(0),
            _ => {}
        }
        wire.finish(field)?;
    }
    tensor.external = (location == 1).then_some(external);
    Ok(tensor)
}

fn alone(wire: &Wire<'_>, field: Field) -> (u64, u64) {
    match field.value {
        Value::Int(_) => (field.start, wire.at().saturating_sub(field.start)),
        _ => (field.start, field.len()),
    }
}

fn chunk(
    wire: &Wire<'_>,
    model: &mut Model,
    into: &mut Vec<(u64, u64)>,
    part: (u64, u64),
) -> Result<()> {
    model.chunks += 1;
    if model.chunks > MAX_VALUES {
        return Err(wire.bad("the values of its tensors are in too many pieces"));
    }
    into.push(part);
    Ok(())
}

/// A `StringStringEntryProto`.
fn pair(wire: &mut Wire<'_>, end: u64) -> Result<(String, String)> {
    let (mut key, mut text) = (String::new(), String::new());
    while let Some(field) = wire.field(end)? {
        match field.number {
            1 => key = wire.text(field, MAX_NAME)?,
            2 => text = wire.text(field, 1 << 20)?,
            _ => {}
        }
        wire.finish(field)?;
    }
    Ok((key, text))
}

/// The first field of a message if it is a text: the name of a `ValueInfoProto`.
fn first_text(wire: &mut Wire<'_>, end: u64) -> Result<String> {
    let mut name = String::new();
    while let Some(field) = wire.field(end)? {
        if field.number == 1 {
            name = wire.text(field, MAX_NAME)?;
        }
        wire.finish(field)?;
    }
    Ok(name)
}
