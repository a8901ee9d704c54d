//! The names under which programs keep a model's tensors.

use std::collections::BTreeMap;

use super::file::Contents;

/// The optimizer's moments in this library's checkpoints, which are no part of the model.
const OPTIMIZER: &str = "optimizer.";
/// What wrappers put before every name: `DataParallel`, and `torch.compile`.
const PREFIXES: [&str; 2] = ["module.", "_orig_mod."];

/// Drops prefixes that every name carries, and notes it.
pub(super) fn drop_prefixes(contents: &mut Contents) {
    while let Some(prefix) = common_prefix(contents) {
        let old = std::mem::take(&mut contents.tensors).into_iter();
        contents.tensors = old
            .map(|(name, tensor)| (name[prefix.len()..].to_owned(), tensor))
            .collect();
        contents
            .notes
            .push(format!("prefix {prefix:?} dropped from every name"));
    }
}

fn common_prefix(contents: &Contents) -> Option<&'static str> {
    let mut prefixes = PREFIXES.into_iter();
    let all = |prefix: &str| contents.tensors.keys().all(|n| n.starts_with(prefix));
    prefixes.find(|prefix| !contents.tensors.is_empty() && all(prefix))
}

/// Whether the names are those of fastai's classifiers, `0.` for the body and `1.` for the head, and not
/// those of a model with these children, which may be called `0` and `1` themselves.
pub(super) fn are_fastai<'a>(mut names: impl Iterator<Item = &'a str>, children: &[&str]) -> bool {
    let two_parts = |name: &str| ["0.", "1.", OPTIMIZER].iter().any(|p| name.starts_with(p));
    children
        .first()
        .is_some_and(|first| *first != "0" || children.len() > 2)
        && names.all(two_parts)
}

/// `0.4.0.conv1.weight` as `layer1.0.conv1.weight`, where child 4 is `layer1`. The head keeps its names.
/// The optimizer's state is left out.
pub(super) fn whole_model<T>(
    tensors: BTreeMap<String, T>,
    children: &[&str],
) -> BTreeMap<String, T> {
    let rename = |name: &str| {
        let (index, rest) = name.strip_prefix("0.")?.split_once('.')?;
        let child = children.get(index.parse::<usize>().ok()?)?;
        Some(format!("{child}.{rest}"))
    };
    tensors
        .into_iter()
        .filter(|(name, _)| !name.starts_with(OPTIMIZER))
        .map(|(name, tensor)| (rename(&name).unwrap_or(name), tensor))
        .collect()
}
