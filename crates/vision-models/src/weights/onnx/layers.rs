//! The layers with weights in a graph, and the connections between them.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::export::proto::Node;

/// A graph with more layers is not a classifier. Bounds the work of finding connections.
const MAX_LAYERS: usize = 4096;
/// The maximum number of steps for finding connections. A DenseNet-201 takes about 100,000.
const MAX_STEPS: usize = 1_000_000;

/// The kind of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Conv,
    Linear,
    Norm,
}

/// A tensor of the graph, possibly transposed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Weight {
    pub(super) name: String,
    pub(super) flipped: bool,
}

/// A node with weights.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) kind: Kind,
    pub(super) weight: Weight,
    pub(super) bias: Option<String>,
    /// Mean and variance of a norm.
    pub(super) statistics: Option<[String; 2]>,
    pub(super) epsilon: f32,
    /// The nearest layers before it, as indices into the list.
    pub(super) upstream: BTreeSet<usize>,
    /// Whether it takes another layer's output directly, with no pool or activation between.
    pub(super) direct: bool,
}

/// The layers of a graph in order; none if there are too many, or with too many connections.
pub(super) fn layers(nodes: &[Node], is_tensor: impl Fn(&str) -> bool) -> Option<Vec<Layer>> {
    let mut layers: Vec<Layer> = Vec::new();
    // For each computed value, the layers that it comes from.
    let mut sources: HashMap<&str, BTreeSet<usize>> = HashMap::new();
    let mut transposed: HashMap<&str, &str> = HashMap::new();
    // Unmodified outputs of layers.
    let mut plain: HashSet<&str> = HashSet::new();
    // Outputs of matrix products, whose bias is a separate node.
    let mut products: HashMap<&str, usize> = HashMap::new();
    let mut steps = 0;
    for node in nodes {
        let input = |i: usize| {
            node.inputs
                .get(i)
                .map(String::as_str)
                .filter(|n| !n.is_empty())
        };
        let mut upstream = BTreeSet::new();
        for input in &node.inputs {
            let feeding = sources.get(input.as_str());
            steps += feeding.map_or(0, BTreeSet::len) * node.outputs.len().max(1);
            if steps > MAX_STEPS {
                return None;
            }
            upstream.extend(feeding.into_iter().flatten());
        }
        let constant = |name: Option<&str>| name.filter(|n| is_tensor(n)).map(str::to_owned);
        let weight = |flipped: bool| {
            let name = input(1)?;
            let (name, flipped) = match transposed.get(name) {
                Some(&original) => (original, !flipped),
                None => (name, flipped),
            };
            let name = constant(Some(name))?;
            Some(Weight { name, flipped })
        };
        let kind_and_weight = match node.op.as_str() {
            "Conv" => weight(false).map(|w| (Kind::Conv, w)),
            "Gemm" if is_plain(node) => {
                weight(node.int("transB") != Some(1)).map(|w| (Kind::Linear, w))
            }
            "MatMul" => weight(true).map(|w| (Kind::Linear, w)),
            "BatchNormalization" => weight(false).map(|w| (Kind::Norm, w)),
            "Transpose" => {
                if let (Some(from), [to], Some([1, 0])) = (
                    input(0).filter(|n| is_tensor(n)),
                    &node.outputs[..],
                    node.ints("perm"),
                ) {
                    transposed.insert(to, from);
                }
                None
            }
            "Add" => {
                // The bias of a MatMul.
                for (value, other) in [(input(0), input(1)), (input(1), input(0))] {
                    let product = value.and_then(|v| products.get(v));
                    if let (Some(&i), Some(bias)) = (product, constant(other))
                        && let Some(layer) = layers.get_mut::<usize>(i)
                    {
                        layer.bias.get_or_insert(bias);
                    }
                }
                None
            }
            _ => None,
        };
        let takes_plain = input(0).is_some_and(|n| plain.contains(n));
        let passes_on = kind_and_weight.is_none()
            && takes_plain
            && matches!(node.op.as_str(), "Identity" | "Dropout");
        if kind_and_weight.is_some() || passes_on {
            plain.extend(node.outputs.first().map(String::as_str));
        }
        if let Some((kind, weight)) = kind_and_weight {
            let statistics = match kind {
                Kind::Norm => Some([constant(input(3))?, constant(input(4))?]),
                _ => None,
            };
            layers.push(Layer {
                kind,
                weight,
                bias: constant(input(2)),
                statistics,
                epsilon: node.float("epsilon").unwrap_or(1e-5),
                upstream,
                direct: takes_plain,
            });
            if layers.len() > MAX_LAYERS {
                return None;
            }
            upstream = BTreeSet::from([layers.len() - 1]);
            if let ("MatMul", [output]) = (node.op.as_str(), &node.outputs[..]) {
                products.insert(output, layers.len() - 1);
            }
        }
        for output in &node.outputs {
            sources.insert(output, upstream.clone());
        }
    }
    Some(layers)
}

/// Whether a Gemm is just a linear layer.
fn is_plain(node: &Node) -> bool {
    let one = |name| node.float(name).is_none_or(|value| value == 1.0);
    one("alpha") && one("beta") && node.int("transA").unwrap_or(0) == 0
}
