//! The tensors of a saved object, by path.

use std::collections::{BTreeMap, HashSet};

use super::pickle::{Id, Node, Object, Pickle};
use super::view::View;
use crate::Result;

/// The maximum number of visits to values: the same value may be in many places, but a small file
/// must not take long.
const MAX_VISITS: usize = 1_000_000;
const VISITS_PER_VALUE: usize = 64;
const MAX_DEPTH: usize = 100;
/// The maximum length of a path, and of all paths together, in bytes.
const MAX_PATH: usize = 4096;
const MAX_PATHS: usize = 64 << 20;

/// Builds a tensor of a class that wraps others, which is the first argument: `DTensor`.
const WRAPPER: &str = "torch._utils._rebuild_wrapper_subclass";

#[derive(Default)]
pub(super) struct Found {
    /// Paths are keys of dicts, indices of lists and names of attributes, separated by dots.
    pub(super) tensors: BTreeMap<String, View>,
    /// Objects whose values cannot be read: path and class.
    pub(super) foreign: Vec<(String, String)>,
}

/// A step of the traversal.
enum Step {
    /// Visit a value at this path and depth.
    Enter(Id, String, usize),
    /// All parts of a value have been visited.
    Leave(Id),
}

/// Traverses dicts, lists, and the attributes of objects.
pub(super) fn find(pickle: &Pickle<'_>, root: Id) -> Result<Found> {
    let mut found = Found::default();
    let mut left = vec![Step::Enter(root, String::new(), 0)];
    // The values that contain the current one.
    let mut around = HashSet::new();
    let most = MAX_VISITS.min(pickle.nodes.len().saturating_mul(VISITS_PER_VALUE));
    let (mut visits, mut text) = (0, 0);
    while let Some(step) = left.pop() {
        let (id, path, depth) = match step {
            Step::Enter(id, path, depth) => (id, path, depth),
            Step::Leave(id) => {
                around.remove(&id);
                continue;
            }
        };
        visits += 1;
        text += path.len();
        if visits > most || text > MAX_PATHS {
            return Err(pickle.bad("its values refer to each other without end (a memo bomb)"));
        }
        if depth > MAX_DEPTH || path.len() > MAX_PATH {
            continue;
        }
        // A value inside itself, such as the trainer that a callback refers to.
        if !around.insert(id) {
            continue;
        }
        left.push(Step::Leave(id));
        let mut go = |name: &str, id: Id| {
            // Numbers and texts end here; most values beside the weights are of these kinds.
            if matches!(
                pickle.node(id),
                Node::Nothing | Node::Int(_) | Node::Text(_)
            ) {
                return;
            }
            let path = match path.is_empty() {
                true => name.to_owned(),
                false => format!("{path}.{name}"),
            };
            left.push(Step::Enter(id, path, depth + 1));
        };
        match pickle.node(id) {
            Node::Tensor(view) => drop(found.tensors.insert(path, view.clone())),
            Node::List(items) => {
                for (i, &item) in items.iter().enumerate() {
                    go(&i.to_string(), item);
                }
            }
            Node::Dict(pairs) => each(pickle, pairs, &mut go),
            Node::Object(object) => {
                if let Some(class) = opaque(pickle, object) {
                    found.foreign.push((path, class.to_owned()));
                } else {
                    parts(pickle, object, &mut go);
                }
            }
            Node::Nothing | Node::Int(_) | Node::Text(_) | Node::Class(_) | Node::Storage(_) => {}
        }
    }
    if let (true, true, Node::Object(object)) = (
        found.tensors.is_empty(),
        found.foreign.is_empty(),
        pickle.node(root),
    ) {
        found
            .foreign
            .push((String::new(), object.class.to_string()));
    }
    found.foreign.sort();
    Ok(found)
}

/// The class of an object whose values cannot be read: a tensor of another kind, or a layer with
/// quantized weights.
fn opaque<'a>(pickle: &'a Pickle<'_>, object: &'a Object) -> Option<&'a str> {
    let holds = |id: &Id| matches!(pickle.node(*id), Node::Tensor(_) | Node::Storage(_));
    let quantized = [".ao.nn.quantized.", "torch.nn.quantized."];
    let is_quantized = quantized.iter().any(|part| object.class.contains(part))
        && !object.class.ends_with(".FloatFunctional");
    if &*object.class == WRAPPER {
        let class = object.arguments.first();
        return Some(class.and_then(|&id| pickle.class(id)).unwrap_or(WRAPPER));
    }
    (is_quantized || object.arguments.iter().any(holds)).then_some(&*object.class)
}

fn each(pickle: &Pickle<'_>, pairs: &[(Id, Id)], go: &mut impl FnMut(&str, Id)) {
    for &(key, value) in pairs {
        if let Some(name) = pickle.name(key) {
            go(&name, value);
        }
    }
}

/// Visits the parts of an object. The parts of a `torch.nn.Module` are named as in its state dict.
fn parts(pickle: &Pickle<'_>, object: &Object, go: &mut impl FnMut(&str, Id)) {
    let pairs_of = |id: Id| match pickle.node(id) {
        Node::Dict(pairs) => &pairs[..],
        _ => &[],
    };
    // With __slots__ the state is a tuple of two dicts.
    let states = object
        .state
        .map_or_else(Vec::new, |state| match pickle.node(state) {
            Node::List(states) => states.clone(),
            _ => vec![state],
        });
    for &state in &states {
        let state = pairs_of(state);
        let get = |name: &str| {
            let found = state
                .iter()
                .find(|(key, _)| pickle.text(*key) == Some(name));
            found.map(|&(_, value)| value)
        };
        match (get("_parameters"), get("_buffers"), get("_modules")) {
            (Some(parameters), Some(buffers), Some(modules)) => {
                let transient = get("_non_persistent_buffers_set");
                let transient = transient.map_or(&[][..], |id| pickle.list(id));
                let transient: Vec<_> =
                    transient.iter().filter_map(|&id| pickle.text(id)).collect();
                each(pickle, pairs_of(parameters), go);
                let kept = |pair: &&(Id, Id)| {
                    pickle
                        .text(pair.0)
                        .is_none_or(|name| !transient.contains(&name))
                };
                let buffers: Vec<_> = pairs_of(buffers).iter().filter(kept).copied().collect();
                each(pickle, &buffers, go);
                each(pickle, pairs_of(modules), go);
            }
            _ => each(pickle, state, go),
        }
    }
    each(pickle, &object.pairs, go);
    for (i, &item) in object.items.iter().chain(&object.arguments).enumerate() {
        go(&i.to_string(), item);
    }
}
