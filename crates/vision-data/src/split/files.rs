//! Selects validation items by file name.

use std::collections::HashMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::error::{Error, Result};
use crate::labels::alike;
use crate::labels::names::posix;
use crate::split::Items;
use crate::split::error::SplitError;

/// The positions of the files with these names; `file` is the list that holds the names, if any.
pub(super) fn named(list: Items<'_>, names: &[String], file: Option<&Path>) -> Result<Vec<usize>> {
    let root = list.root;
    let absolute = [std::path::absolute(root), fs::canonicalize(root)];
    // Normalize paths under the root to one form.
    let plain = |path: &Path| {
        let mut roots = absolute.iter().flatten();
        let inner = roots.find_map(|root| path.strip_prefix(root).ok());
        let parts = inner.unwrap_or(path).components();
        let parts = parts.filter(|part| *part != Component::CurDir);
        format!("./{}", posix(&parts.collect::<PathBuf>()))
    };
    let key = |name: &String| match Path::new(name).components().count() {
        // The name alone matches in any folder.
        1 => name.clone(),
        _ => plain(Path::new(name)),
    };
    let keys: Vec<String> = names.iter().map(key).collect();
    let mut met: HashMap<&str, bool> = keys.iter().map(|key| (key.as_str(), false)).collect();
    let mut valid = Vec::new();
    for (position, path) in list.files.iter().enumerate() {
        let inner = plain(path.strip_prefix(root).unwrap_or(path));
        let last = inner.rsplit('/').next().unwrap_or_default();
        let mut chosen = false;
        for name in [last, &inner, &plain(path)] {
            if let Some(met) = met.get_mut(name) {
                *met = true;
                chosen = true;
            }
        }
        if chosen {
            valid.push(position);
        }
    }
    // Report in the order of the list, so that the message is deterministic.
    let missing: Vec<&String> = names
        .iter()
        .zip(&keys)
        .filter(|(_, key)| met.get(key.as_str()) == Some(&false))
        .map(|(name, _)| name)
        .collect();
    match missing.first() {
        None => Ok(valid),
        Some(first) => Err(Error::Split(SplitError::UnknownFiles {
            list: file.map_or_else(|| PathBuf::from("the list"), Path::to_owned),
            first: (*first).clone(),
            count: missing.len(),
            folder: list.root.to_owned(),
            alike: {
                let name = |path: &Path| path.file_name().map(|n| n.to_string_lossy().into_owned());
                let known: Vec<String> = list.files.iter().filter_map(|file| name(file)).collect();
                let first = name(Path::new(first));
                first.and_then(|first| alike::among([first.as_str()], &known))
            },
        })),
    }
}
