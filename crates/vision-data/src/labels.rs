//! The class of each file, by the name of its folder.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Files, each with the name of its class. Names are stored once, however many the files.
#[derive(Debug, Default)]
pub(crate) struct Labelled {
    pub(crate) paths: Vec<PathBuf>,
    /// Of each path, the position of its class in `names`.
    label: Vec<u32>,
    /// In the order in which they were met.
    names: Vec<String>,
}

impl Labelled {
    /// Labels each file with the name of the folder it is in.
    pub(crate) fn by_folder(paths: Vec<PathBuf>, root: &Path) -> Result<Self> {
        let loose = |path: &&PathBuf| path.parent() == Some(root);
        if let Some(example) = paths.iter().find(loose) {
            return Err(Error::Unlabelled {
                folder: root.to_owned(),
                example: example.clone(),
                count: paths.iter().filter(loose).count(),
            });
        }
        let mut names: Vec<String> = Vec::new();
        let mut known: HashMap<String, u32> = HashMap::new();
        let mut label = Vec::with_capacity(paths.len());
        // Files are sorted, so a folder's come one after another.
        let mut last: Option<(&Path, u32)> = None;
        for path in &paths {
            let folder = path.parent().unwrap_or(root);
            let class = match last {
                Some((same, class)) if same == folder => class,
                _ => {
                    let name = folder_name(folder)?;
                    match known.get(name) {
                        Some(&class) => class,
                        None => {
                            let class = names.len() as u32;
                            names.push(name.to_owned());
                            known.insert(name.to_owned(), class);
                            class
                        }
                    }
                }
            };
            last = Some((folder, class));
            label.push(class);
        }
        Ok(Self {
            paths,
            label,
            names,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.paths.len()
    }

    /// The number of files of each class, by name.
    pub(crate) fn counts(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for name in self
            .label
            .iter()
            .filter_map(|&i| self.names.get(i as usize))
        {
            *counts.entry(name.as_str()).or_insert(0) += 1;
        }
        counts
    }

    /// The classes, sorted: by code point, so "10" comes before "2".
    pub(crate) fn classes(&self) -> Vec<String> {
        self.counts().into_keys().map(ToOwned::to_owned).collect()
    }

    /// Without the files of other classes.
    pub(crate) fn only(self, classes: &[String]) -> Self {
        let wanted: Vec<bool> = self
            .names
            .iter()
            .map(|name| classes.contains(name))
            .collect();
        let (paths, label) = self
            .paths
            .into_iter()
            .zip(self.label)
            .filter(|(_, label)| wanted.get(*label as usize) == Some(&true))
            .unzip();
        Self {
            paths,
            label,
            names: self.names,
        }
    }

    /// Two parts: the files at the (sorted) `positions`, and the others.
    pub(crate) fn split(self, positions: &[usize]) -> (Self, Self) {
        let mut chosen = Self {
            names: self.names.clone(),
            ..Self::default()
        };
        let mut others = Self {
            names: self.names,
            ..Self::default()
        };
        for (position, (path, label)) in self.paths.into_iter().zip(self.label).enumerate() {
            let part = if positions.binary_search(&position).is_ok() {
                &mut chosen
            } else {
                &mut others
            };
            part.paths.push(path);
            part.label.push(label);
        }
        (chosen, others)
    }

    /// The paths, and of each the position of its class in `classes`.
    ///
    /// The classes that are not among them are handed back with their counts.
    #[allow(clippy::type_complexity)] // the two parts of one answer, used once
    pub(crate) fn encode(
        self,
        classes: &[String],
    ) -> std::result::Result<(Vec<PathBuf>, Vec<u32>), Vec<(String, usize)>> {
        let unknown: Vec<(String, usize)> = self
            .counts()
            .into_iter()
            .filter(|(name, _)| !classes.iter().any(|class| class == name))
            .map(|(name, count)| (name.to_owned(), count))
            .collect();
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let position: Vec<u32> = self
            .names
            .iter()
            .map(|name| classes.iter().position(|class| class == name).unwrap_or(0) as u32)
            .collect();
        let labels = self
            .label
            .iter()
            .filter_map(|&i| position.get(i as usize).copied())
            .collect();
        Ok((self.paths, labels))
    }
}

/// Checks a list of classes that somebody gave.
pub(crate) fn check_classes(classes: &[String]) -> Result<()> {
    let bad = |reason| Err(Error::BadClasses { reason });
    for (position, name) in classes.iter().enumerate() {
        if name.is_empty() {
            return bad(format!("the name at position {position} is empty"));
        }
        if classes.iter().take(position).any(|other| other == name) {
            return bad(format!("{name:?} is in it twice"));
        }
    }
    Ok(())
}

fn folder_name(folder: &Path) -> Result<&str> {
    folder
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| Error::ClassNotUtf8 {
            folder: folder.to_owned(),
        })
}
