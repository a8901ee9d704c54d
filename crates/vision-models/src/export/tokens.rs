//! Lowering of vision transformers. Tokens are `[batch, tokens, channels]`.

use super::lower::{Lowered, Lowering, Refusal, Value, join};
use super::proto::Attribute;
use crate::arch::vit::{Attention, TransformerBlock};
use crate::layers::{Linear, Tokens};
use crate::state::NamedTensor;

type Named = Result<String, Refusal>;

impl Lowering {
    /// Tokens as maps of one row, `[batch, channels, 1, tokens]`; other values as they are.
    pub(super) fn maps(&mut self, path: &str, x: Value) -> Lowered {
        if !x.tokens {
            return Ok(x);
        }
        let first = self.transposed(&join(path, "channels_first"), &x.name, &[0, 2, 1])?;
        let axis = self.ints(&join(path, "row_axis"), vec![2])?;
        let name = self.node("Unsqueeze", &join(path, "row"), &[&first, &axis], [])?;
        let tokens = false;
        Ok(Value { name, tokens, ..x })
    }

    /// Tokens at `path`, with parameters at `root`.
    pub(super) fn tokens(&mut self, path: &str, root: &str, layer: &Tokens, x: Value) -> Lowered {
        let [channels, grid] = layer.sizes();
        let size = match (x.size, self.structure_only) {
            (Some(size), _) => size,
            (None, true) => [grid; 2],
            (None, false) => {
                return Err(Refusal {
                    layer: path.to_owned(),
                    reason: "interpolates its positions for the size of the images: fix the size \
                             (OnnxConfig::with_size)"
                        .to_owned(),
                });
            }
        };
        let mut positions = join(root, "pos_embed");
        if let Some(values) = layer.resized(size) {
            let learned = positions;
            positions = format!("{learned}_{}x{}", size[0], size[1]);
            let tensor = NamedTensor {
                name: positions.clone(),
                shape: vec![1, values.len() / channels, channels],
                values,
            };
            self.computed.push((tensor, learned));
        }
        let at = |name: &str| join(path, name);
        let shape = self.ints(&at("shape"), vec![0, 0, -1])?;
        let flat = self.node("Reshape", &at("patches"), &[&x.name, &shape], [])?;
        let mut patches = self.transposed(&at("last"), &flat, &[0, 2, 1])?;
        if !layer.class() {
            patches = self.node("Add", &at("positions"), &[&patches, &positions], [])?;
        }
        let span = [("start", Attribute::Int(0)), ("end", Attribute::Int(1))];
        let batch = self.node("Shape", &at("batch"), &[&x.name], span)?;
        let ones = self.ints(&at("ones"), vec![1, 1])?;
        let axis = [("axis", Attribute::Int(0))];
        let shape = self.node("Concat", &at("class_shape"), &[&batch, &ones], axis)?;
        let token = join(root, "cls_token");
        let token = self.node("Expand", &at("class"), &[&token, &shape], [])?;
        let axis = [("axis", Attribute::Int(1))];
        let mut name = self.node("Concat", &at("tokens"), &[&token, &patches], axis)?;
        if layer.class() {
            name = self.node("Add", path, &[&name, &positions], [])?;
        }
        Ok(Value {
            name,
            channels: Some(channels),
            size: Some([1, size[0] * size[1] + 1]),
            flat: false,
            tokens: true,
        })
    }

    /// A linear map of the last dimension.
    fn linear_map(&mut self, path: &str, layer: &Linear, x: &str) -> Named {
        self.matrix(path, &join(path, "weight"), layer.bias.is_some(), x)
    }

    fn attention(&mut self, path: &str, layer: &Attention, x: &str) -> Named {
        let at = |name: &str| join(path, name);
        let outputs = layer.qkv.weight.lazy_shape()[0];
        let (heads, size) = (layer.heads, outputs / 3 / layer.heads);
        let qkv = self.linear_map(&at("qkv"), &layer.qkv, x)?;
        // To `[3, batch, heads, tokens, size]`.
        let shape = vec![0, 0, 3, heads as i64, size as i64];
        let shape = self.ints(&at("heads_shape"), shape)?;
        let parts = self.node("Reshape", &at("heads"), &[&qkv, &shape], [])?;
        let parts = self.transposed(&at("parts"), &parts, &[2, 0, 3, 1, 4])?;
        let mut part = |name: &str, i: i64| {
            let index = [("value_int", Attribute::Int(i))];
            let index = self.node("Constant", &at(&format!("{name}_index")), &[], index)?;
            let axis = [("axis", Attribute::Int(0))];
            self.node("Gather", &at(name), &[&parts, &index], axis)
        };
        let (q, k, v) = (part("q", 0)?, part("k", 1)?, part("v", 2)?);
        let scale = [("value_float", Attribute::Float((size as f32).powf(-0.5)))];
        let scale = self.node("Constant", &at("scale"), &[], scale)?;
        let q = self.node("Mul", &at("scaled"), &[&q, &scale], [])?;
        let k = self.transposed(&at("keys"), &k, &[0, 1, 3, 2])?;
        let scores = self.node("MatMul", &at("scores"), &[&q, &k], [])?;
        let axis = [("axis", Attribute::Int(-1))];
        let weights = self.node("Softmax", &at("softmax"), &[&scores], axis)?;
        let y = self.node("MatMul", &at("mixed"), &[&weights, &v], [])?;
        let y = self.transposed(&at("tokens_first"), &y, &[0, 2, 1, 3])?;
        let shape = self.ints(&at("joined_shape"), vec![0, 0, (heads * size) as i64])?;
        let y = self.node("Reshape", &at("joined"), &[&y, &shape], [])?;
        self.linear_map(&at("proj"), &layer.proj, &y)
    }

    pub(super) fn transformer_block(
        &mut self,
        path: &str,
        block: &TransformerBlock,
        x: Value,
    ) -> Lowered {
        if !x.tokens {
            return Err(no_tokens(path));
        }
        let at = |name: &str| join(path, name);
        let y = self.normalized(&at("norm1"), &block.norm1, &x.name)?;
        let mut y = self.attention(&at("attn"), &block.attn, &y)?;
        if block.ls1.is_some() {
            y = self.node("Mul", &at("ls1"), &[&y, &at("ls1.gamma")], [])?;
        }
        let sum = self.node("Add", &at("add1"), &[&x.name, &y], [])?;
        let y = self.normalized(&at("norm2"), &block.norm2, &sum)?;
        let mut y = self.mlp(&at("mlp"), &block.mlp, &y)?;
        if block.ls2.is_some() {
            y = self.node("Mul", &at("ls2"), &[&y, &at("ls2.gamma")], [])?;
        }
        let name = self.node("Add", path, &[&sum, &y], [])?;
        Ok(Value { name, ..x })
    }

    /// The first token, as maps of one pixel.
    pub(super) fn class_token(&mut self, path: &str, x: Value) -> Lowered {
        if !x.tokens {
            return Err(no_tokens(path));
        }
        let at = |name: &str| join(path, name);
        let begin = self.ints(&at("begin"), vec![0])?;
        let end = self.ints(&at("end"), vec![1])?;
        // Of `[batch, tokens, channels]`.
        let axis = self.ints(&at("axis"), vec![1])?;
        let inputs = [x.name.as_str(), &begin, &end, &axis];
        let first = self.node("Slice", &at("slice"), &inputs, [])?;
        let first = self.transposed(&at("channels_first"), &first, &[0, 2, 1])?;
        let axis = self.ints(&at("row_axis"), vec![3])?;
        Ok(Value {
            name: self.node("Unsqueeze", path, &[&first, &axis], [])?,
            size: Some([1, 1]),
            tokens: false,
            ..x
        })
    }
}

fn no_tokens(path: &str) -> Refusal {
    Refusal {
        layer: path.to_owned(),
        reason: "takes tokens, and gets maps".to_owned(),
    }
}
