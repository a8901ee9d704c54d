//! The names under which programs keep a model's tensors.

use std::collections::BTreeMap;

use super::contents::Contents;

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

/// Calls the parts of DenseNet's layers `norm1` where torchvision's hosted files, older than its modules, say
/// `norm.1`, and notes it.
pub(super) fn rename_dense_layers(contents: &mut Contents) {
    let old = std::mem::take(&mut contents.tensors).into_iter();
    let mut renamed = 0;
    contents.tensors = old
        .map(|(name, tensor)| match dense_layer(&name) {
            Some(new) => {
                renamed += 1;
                (new, tensor)
            }
            None => (name, tensor),
        })
        .collect();
    if renamed > 0 {
        let note = format!("{renamed} names of older DenseNets, such as norm.1 for norm1");
        contents.notes.push(note);
    }
}

/// `..denselayer1.norm.1.weight` as `..denselayer1.norm1.weight`.
fn dense_layer(name: &str) -> Option<String> {
    let at = name.find("denselayer")?;
    let (head, rest) = name.split_at(at);
    let mut parts = rest.split('.');
    let (layer, kind) = (parts.next()?, parts.next()?);
    let (number, last) = (parts.next()?, parts.next()?);
    let old = ["norm", "conv"].contains(&kind) && ["1", "2"].contains(&number);
    (old && parts.next().is_none()).then(|| format!("{head}{layer}.{kind}{number}.{last}"))
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

/// The most similar name, if one is similar at all.
pub(super) fn nearest<'a>(name: &str, among: impl Iterator<Item = &'a str>) -> Option<String> {
    // A file can have any number of names, of any length; a hint is not worth more than this.
    const CANDIDATES: usize = 4096;
    const LONGEST: usize = 200;
    const SIMILAR: f64 = 0.6;
    if name.len() > LONGEST {
        return None;
    }
    let near = among.filter(|n| n.len() <= LONGEST).take(CANDIDATES);
    let near = near.map(|n| (strsim::normalized_levenshtein(name, n), n));
    let best = near.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= SIMILAR).then(|| best.1.to_owned())
}

#[cfg(test)]
mod tests {
    use super::dense_layer;

    #[test]
    fn the_names_of_torchvisions_hosted_densenets_become_those_of_its_modules() {
        let new = |name: &str| dense_layer(name);
        assert_eq!(
            new("features.denseblock1.denselayer6.norm.2.running_mean").as_deref(),
            Some("features.denseblock1.denselayer6.norm2.running_mean")
        );
        assert_eq!(
            new("features.denseblock4.denselayer1.conv.1.weight").as_deref(),
            Some("features.denseblock4.denselayer1.conv1.weight")
        );
        for same in [
            "features.denseblock1.denselayer1.norm1.weight",
            "features.transition1.norm.weight",
            "features.denseblock1.denselayer1.norm.3.weight",
            "layer1.0.conv1.weight",
        ] {
            assert_eq!(new(same), None, "{same}");
        }
    }
}
