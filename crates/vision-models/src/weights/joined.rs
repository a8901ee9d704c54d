//! Layers that one program keeps as one, and another as three: queries, keys and values of an attention.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::contents::Stored;

/// The tensors of a file, with those that are made of several.
pub(super) struct Joined<'a> {
    pub(super) tensors: Cow<'a, BTreeMap<String, Stored>>,
    /// The names of the parts of those that were made.
    pub(super) parts: HashMap<String, [String; 3]>,
}

/// Adds `..qkv.weight` for `..query.weight`, `..key.weight` and `..value.weight` of one shape, if a model has queries, keys and values in
/// one layer.
pub(super) fn joined<'a>(tensors: &'a BTreeMap<String, Stored>, wanted: &[String]) -> Joined<'a> {
    let mut all = Joined {
        tensors: Cow::Borrowed(tensors),
        parts: HashMap::new(),
    };
    if !wanted.iter().any(|name| name.contains(".qkv.")) {
        return all;
    }
    for name in tensors.keys() {
        let Some((before, after)) = name.split_once(".query.") else {
            continue;
        };
        let names = ["query", "key", "value"].map(|part| format!("{before}.{part}.{after}"));
        let [Some(q), Some(k), Some(v)] = names.each_ref().map(|name| tensors.get(name)) else {
            continue;
        };
        let name = format!("{before}.qkv.{after}");
        if tensors.contains_key(&name) {
            continue;
        }
        if let Some(tensor) = join([q, k, v]) {
            all.tensors.to_mut().insert(name.clone(), tensor);
            all.parts.insert(name, names);
        }
    }
    all
}

/// The three tensors one after the other, along their first dimension.
fn join(parts: [&Stored; 3]) -> Option<Stored> {
    let [first, others @ ..] = parts;
    let alike = |other: &&Stored| other.shape == first.shape && other.dtype == first.dtype;
    if !others.iter().all(alike) {
        return None;
    }
    let mut shape = first.shape.clone();
    *shape.first_mut()? = shape.first()?.checked_mul(3)?;
    let reads = parts.map(|part| Arc::clone(&part.read));
    Some(Stored {
        shape,
        dtype: first.dtype.clone(),
        read: Arc::new(move || {
            let mut bytes = Vec::new();
            for read in &reads {
                bytes.extend(read()?);
            }
            Ok(bytes)
        }),
        place: first.place.clone(),
    })
}
