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
