//! Lowering of layers that work on the channels of each pixel. Within a block the channels are the last dimension.

use super::lower::{Lowered, Lowering, Refusal, Value, join};
use super::proto::Attribute;
use crate::arch::convnext::ConvNextBlock;
use crate::layers::{LayerNorm, Mlp, Pointwise, ResponseNorm};

type Named = Result<String, Refusal>;

impl Lowering {
    pub(super) fn ints(&mut self, path: &str, values: Vec<i64>) -> Named {
        let values = [("value_ints", Attribute::Ints(values))];
        self.node("Constant", path, &[], values)
    }

    pub(super) fn transposed(&mut self, path: &str, x: &str, order: &[i64]) -> Named {
        let order = [("perm", Attribute::Ints(order.to_vec()))];
        self.node("Transpose", path, &[x], order)
    }

    /// A layer norm between other layers.
    pub(super) fn layer_norm(&mut self, path: &str, layer: &LayerNorm, x: Value) -> Lowered {
        if x.flat || x.tokens {
            let name = self.normalized(path, layer, &x.name)?;
            return Ok(Value { name, ..x });
        }
        let name = self.transposed(&join(path, "last"), &x.name, &[0, 2, 3, 1])?;
        let name = self.normalized(path, layer, &name)?;
        let name = self.transposed(&join(path, "first"), &name, &[0, 3, 1, 2])?;
        Ok(Value { name, ..x })
    }

    pub(super) fn normalized(&mut self, path: &str, layer: &LayerNorm, x: &str) -> Named {
        let [weight, bias] = ["weight", "bias"].map(|part| join(path, part));
        let settings = [
            ("axis", Attribute::Int(-1)),
            ("epsilon", Attribute::Float(layer.epsilon() as f32)),
        ];
        self.node("LayerNormalization", path, &[x, &weight, &bias], settings)
    }

    /// A linear map of the last dimension.
    pub(super) fn pointwise(&mut self, path: &str, map: &Pointwise, x: &str) -> Named {
        let mut weight = join(path, "weight");
        let bias = match map {
            Pointwise::Linear(linear) => &linear.bias,
            Pointwise::Conv(conv) => {
                let sizes = map.sizes().map(|size| size as i64);
                let shape = self.ints(&join(path, "shape"), vec![sizes[1], sizes[0]])?;
                weight = self.node("Reshape", &join(path, "matrix"), &[&weight, &shape], [])?;
                &conv.bias
            }
        };
        self.matrix(path, &weight, bias.is_some(), x)
    }

    /// The product of the last dimension with a matrix `[outputs, inputs]`, and the bias at `path`.
    pub(super) fn matrix(&mut self, path: &str, weight: &str, bias: bool, x: &str) -> Named {
        let weight = self.transposed(&join(path, "transposed"), weight, &[1, 0])?;
        if !bias {
            return self.node("MatMul", path, &[x, &weight], []);
        }
        let y = self.node("MatMul", &join(path, "product"), &[x, &weight], [])?;
        self.node("Add", path, &[&y, &join(path, "bias")], [])
    }

    /// `x * (1 + erf(x / √2)) / 2`.
    fn gelu(&mut self, path: &str, x: &str) -> Named {
        let mut constant = |part: &str, value: f32| {
            let value = [("value_float", Attribute::Float(value))];
            self.node("Constant", &join(path, part), &[], value)
        };
        let root = constant("root", std::f32::consts::SQRT_2)?;
        let (one, half) = (constant("one", 1.0)?, constant("half", 0.5)?);
        let y = self.node("Div", &join(path, "div"), &[x, &root], [])?;
        let y = self.node("Erf", &join(path, "erf"), &[&y], [])?;
        let y = self.node("Add", &join(path, "add"), &[&y, &one], [])?;
        let y = self.node("Mul", &join(path, "mul"), &[x, &y], [])?;
        self.node("Mul", path, &[&y, &half], [])
    }

    fn response_norm(&mut self, path: &str, x: &str) -> Named {
        let axes = |axes: &[i64]| [("axes", Attribute::Ints(axes.to_vec()))];
        let norm = self.node("ReduceL2", &join(path, "norm"), &[x], axes(&[1, 2]))?;
        let mean = self.node("ReduceMean", &join(path, "mean"), &[&norm], axes(&[3]))?;
        let epsilon = [(
            "value_float",
            Attribute::Float(ResponseNorm::EPSILON as f32),
        )];
        let epsilon = self.node("Constant", &join(path, "epsilon"), &[], epsilon)?;
        let mean = self.node("Add", &join(path, "least"), &[&mean, &epsilon], [])?;
        let part = self.node("Div", &join(path, "relative"), &[&norm, &mean], [])?;
        let [weight, bias] = ["weight", "bias"].map(|part| join(path, part));
        let factor = self.node("Mul", &join(path, "factor"), &[&part, &weight], [])?;
        let y = self.node("Mul", &join(path, "mul"), &[x, &factor], [])?;
        let y = self.node("Add", &join(path, "shift"), &[&y, &bias], [])?;
        self.node("Add", path, &[x, &y], [])
    }

    pub(super) fn mlp(&mut self, path: &str, mlp: &Mlp, x: &str) -> Named {
        let mut y = self.pointwise(&join(path, "fc1"), &mlp.fc1, x)?;
        y = self.gelu(&join(path, "act"), &y)?;
        if mlp.grn.is_some() {
            y = self.response_norm(&join(path, "grn"), &y)?;
        }
        self.pointwise(&join(path, "fc2"), &mlp.fc2, &y)
    }

    pub(super) fn conv_next_block(
        &mut self,
        path: &str,
        block: &ConvNextBlock,
        x: Value,
    ) -> Lowered {
        let y = self.conv(&join(path, "conv_dw"), &block.conv_dw, x.clone())?;
        let mut name = self.transposed(&join(path, "last"), &y.name, &[0, 2, 3, 1])?;
        name = self.normalized(&join(path, "norm"), &block.norm, &name)?;
        name = self.mlp(&join(path, "mlp"), &block.mlp, &name)?;
        if block.gamma.is_some() {
            let inputs = [name.as_str(), &join(path, "gamma")];
            name = self.node("Mul", &join(path, "scale"), &inputs, [])?;
        }
        name = self.transposed(&join(path, "first"), &name, &[0, 3, 1, 2])?;
        let name = self.node("Add", path, &[&x.name, &name], [])?;
        Ok(Value { name, ..y })
    }
}
