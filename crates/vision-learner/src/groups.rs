//! Layer groups: which parameters learn and freeze together.

use vision_models::state::Entry;

use crate::{Error, Result};

/// Cuts the parameters, in their order, where the named modules begin.
///
/// # Errors
///
/// [`Error::Split`] if a module is not there, holds no parameters, or begins where another one does.
pub(crate) fn split(entries: &[Entry], starts: &[String]) -> Result<Vec<Vec<Entry>>> {
    let mut cuts = vec![0];
    for module in starts {
        let inside = |entry: &Entry| {
            entry
                .name
                .strip_prefix(module.as_str())
                .is_some_and(|rest| rest.starts_with('.'))
        };
        match entries.iter().position(inside) {
            Some(at) if cuts.last().is_some_and(|last| *last < at) => cuts.push(at),
            _ => {
                return Err(Error::Split {
                    module: module.clone(),
                    known: modules(entries),
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

/// The first two levels of the modules' names.
fn modules(entries: &[Entry]) -> Vec<String> {
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

/// Turns fastai's index of a group into a number of frozen groups.
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
