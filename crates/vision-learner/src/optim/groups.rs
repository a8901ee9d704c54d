//! Layer groups: sets of parameters that share a learning rate and are frozen together.

use vision_models::state::{Entry, Start};

use crate::{Error, Result};

/// Splits the parameters, in order, at the named modules. A module without parameters (a pool, which is
/// where fastai splits SqueezeNet 1.1) starts its group at the next parameter after it.
///
/// # Errors
///
/// [`Error::Split`] if a module does not exist, if no parameter follows it, or if it begins where
/// another one does.
pub(crate) fn split(
    entries: &[Entry],
    modules: &[Start],
    split_on: &[String],
) -> Result<Vec<Vec<Entry>>> {
    let mut cuts = vec![0];
    for module in split_on {
        let start = modules.iter().find(|start| start.name == *module);
        match start.map(|start| start.entry) {
            Some(at) if cuts.last().is_some_and(|last| *last < at) && at < entries.len() => {
                cuts.push(at);
            }
            _ => {
                return Err(Error::Split {
                    module: module.clone(),
                    known: known(entries),
                });
            }
        }
    }
    cuts.push(entries.len());
    let groups = cuts.windows(2).map(|range| {
        let group = entries[range[0]..range[1]].iter();
        group.filter(|entry| !entry.buffer).cloned().collect()
    });
    Ok(groups.collect())
}

/// The modules at which the second and later groups begin if each child of the body with weights, and the head, is a
/// group. If the body has a single child, its children are taken, and so on.
pub(crate) fn children(entries: &[Entry], modules: &[Start]) -> Vec<String> {
    let two_parts = entries
        .iter()
        .all(|e| e.name.starts_with("0.") || e.name.starts_with("1."));
    let (body, head) = if two_parts {
        ("0.", Some("1"))
    } else {
        ("", None)
    };
    let has_weights = |module: &str| {
        let inside = entries.iter().filter(|e| {
            let rest = e.name.strip_prefix(module);
            rest.is_some_and(|rest| rest.starts_with('.'))
        });
        inside.into_iter().any(|e| !(e.buffer || e.is_batch_norm()))
    };
    let deepest = modules.iter().map(|m| m.name.split('.').count()).max();
    for depth in body.len().min(1) + 1..=deepest.unwrap_or(0) {
        let children = modules.iter().map(|module| module.name.as_str());
        let children =
            children.filter(|name| name.starts_with(body) && name.split('.').count() == depth);
        let children: Vec<&str> = children.filter(|name| has_weights(name)).collect();
        if children.len() > 1 {
            let later = children[1..].iter().copied();
            return later.chain(head).map(str::to_owned).collect();
        }
    }
    head.map(str::to_owned).into_iter().collect()
}

/// The first two levels of the module names.
fn known(entries: &[Entry]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for entry in entries {
        let parts: Vec<_> = entry.name.split('.').collect();
        for depth in 1..=2.min(parts.len() - 1) {
            let name = parts[..depth].join(".");
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// Converts fastai's group index to a number of frozen groups.
///
/// # Errors
///
/// [`Error::FreezeTo`] if there is no such group.
pub(crate) fn frozen_groups(n: isize, groups: usize) -> Result<usize> {
    let index = if n < 0 { groups as isize + n } else { n };
    if (0..groups as isize).contains(&index) {
        Ok(index as usize)
    } else {
        Err(Error::FreezeTo { n, groups })
    }
}
