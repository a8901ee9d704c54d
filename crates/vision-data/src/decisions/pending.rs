//! Decisions, matched with the items of a list.

use std::collections::HashMap;
use std::path::{Component, MAIN_SEPARATOR, Path, PathBuf};
use std::sync::Arc;

use vision_base::message::{quoted, shown};

use crate::decisions::decision::Decision;
use crate::decisions::error::DecisionError;
use crate::decisions::file::{Decisions, Entry, key};
use crate::error::Result;
use crate::labels::alike;
use crate::labels::names::posix;

/// Decisions about the items of a list, which go with it from step to step.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) decisions: Arc<Decisions>,
    /// For each item the number of its decision, from 1; 0 without one.
    of_items: Vec<u32>,
    /// Whether a decision is about an item of any list so far.
    met: Vec<bool>,
}

impl Pending {
    pub(crate) fn new(decisions: Arc<Decisions>) -> Self {
        Self {
            met: vec![false; decisions.len()],
            of_items: Vec::new(),
            decisions,
        }
    }

    /// Matches the decisions with the items of another list. `root` is what the names of the items begin with.
    pub(crate) fn meet(&mut self, root: &Path, items: &[PathBuf]) -> Result<()> {
        let entries = self.decisions.entries();
        let number = |(entry, at): (&Entry, u32)| (key(&entry.name), at);
        let exact: HashMap<String, u32> = entries.iter().zip(0..).map(number).collect();
        let mut others: HashMap<String, u32> = HashMap::new();
        for (entry, at) in entries.iter().zip(0..) {
            for other in other_spellings(&entry.name, root) {
                if !exact.contains_key(&other) {
                    others.entry(other).or_insert(at);
                }
            }
        }
        // For each decision the first item by its own name, and by another spelling.
        let mut firsts: [Vec<Option<usize>>; 2] =
            [vec![None; entries.len()], vec![None; entries.len()]];
        let mut found = Vec::new();
        for (item, path) in items.iter().enumerate() {
            let name = inside(path, root);
            let (spelling, at) = match (exact.get(&name), others.get(&name)) {
                (Some(&at), _) => (0, at),
                (None, Some(&at)) => (1, at),
                (None, None) => continue,
            };
            let first = *firsts[spelling][at as usize].get_or_insert(item);
            // A table may name one file several times.
            if items[first] != *path {
                let entry = &entries[at as usize];
                let files = [&items[first], path].map(|path| format!("{path:?}"));
                return Err(DecisionError::Ambiguous {
                    place: self.decisions.place(entry),
                    name: entry.name.clone(),
                    files: files.to_vec(),
                }
                .into());
            }
            found.push((item, spelling, at));
        }
        self.of_items = vec![0; items.len()];
        for (item, spelling, at) in found {
            // On Unix a backslash may be part of a name, which goes before a Windows path.
            if spelling == 0 || firsts[0][at as usize].is_none() {
                self.of_items[item] = at + 1;
                self.met[at as usize] = true;
            }
        }
        Ok(())
    }

    /// Keeps only the items whose flag is set.
    pub(crate) fn retain(&mut self, kept: &[bool]) {
        let mut flags = kept.iter();
        self.of_items.retain(|_| flags.next() == Some(&true));
    }

    fn of(&self, item: usize) -> Option<&Entry> {
        let number = self.of_items.get(item)?.checked_sub(1)?;
        self.decisions.entries().get(number as usize)
    }

    pub(crate) fn is_excluded(&self, item: usize) -> bool {
        self.of(item)
            .is_some_and(|entry| entry.decision == Decision::Exclude)
    }

    /// The decision and the new label of an item, if it gets one.
    pub(crate) fn relabel(&self, item: usize) -> Option<(&Entry, &str)> {
        let entry = self.of(item)?;
        match &entry.decision {
            Decision::Relabel(label) => Some((entry, label)),
            Decision::Keep | Decision::Exclude => None,
        }
    }

    /// Whether an item gets a new label.
    pub(crate) fn relabels(&self) -> bool {
        (0..self.of_items.len()).any(|item| self.relabel(item).is_some())
    }

    /// The error for a new label that cannot be used.
    pub(crate) fn bad_label(&self, entry: &Entry, expected: &str, found: &str) -> DecisionError {
        DecisionError::Label {
            place: self.decisions.place(entry),
            name: entry.name.clone(),
            expected: expected.to_owned(),
            found: found.to_owned(),
        }
    }

    /// Checks that a class of a new label is known or allowed.
    pub(crate) fn check_class(&self, entry: &Entry, class: &str, known: &[&str]) -> Result<()> {
        let allowed = &self.decisions.new_classes;
        if known.contains(&class) || allowed.iter().any(|allowed| allowed == class) {
            return Ok(());
        }
        let mut known: Vec<String> = known.iter().map(|&name| name.to_owned()).collect();
        known.sort_unstable();
        Err(DecisionError::NewClass {
            place: self.decisions.place(entry),
            name: entry.name.clone(),
            class: class.to_owned(),
            known,
        }
        .into())
    }

    /// Checks that each decision is about an item of one of the lists: those with these files.
    pub(crate) fn check_met<'a>(
        &self,
        root: &Path,
        files: impl Iterator<Item = &'a PathBuf>,
    ) -> Result<()> {
        let entries = self.decisions.entries().iter().zip(&self.met);
        let mut unmet = entries.filter(|(_, met)| !**met).map(|(entry, _)| entry);
        let first = match unmet.next() {
            Some(first) if !self.decisions.missing_ignored => first,
            _ => return Ok(()),
        };
        Err(DecisionError::Unknown {
            place: self.decisions.place(first),
            name: first.name.clone(),
            others: unmet.count(),
            root: root.to_owned(),
            hint: hint(&first.name, root, files),
        }
        .into())
    }
}

/// Other spellings of a name: with Windows separators, and with the root before it.
fn other_spellings(name: &str, root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    if name.contains('\\') {
        found.push(key(&name.replace('\\', "/")));
    }
    let roots = [Some(root.to_owned()), std::path::absolute(root).ok()];
    for root in roots.into_iter().flatten() {
        match Path::new(name).strip_prefix(&root) {
            Ok(inner) if !root.as_os_str().is_empty() => found.push(posix(inner)),
            _ => {}
        }
    }
    found
}

/// The name of an item, relative to the root, with `/` between folders.
fn inside(path: &Path, root: &Path) -> String {
    key(&posix(path.strip_prefix(root).unwrap_or(path)))
}

/// What may be wrong with a name, or what names look like.
fn hint<'a>(name: &str, root: &Path, files: impl Iterator<Item = &'a PathBuf>) -> String {
    let path = Path::new(name);
    if path.is_absolute() || path.components().any(|part| part == Component::ParentDir) {
        return "it leads out of the root, and a name is relative to it".to_owned();
    }
    let names: Vec<String> = files.map(|file| inside(file, root)).collect();
    if let Some(alike) = alike::among([name], &names) {
        return format!("note that {alike}");
    }
    let separators = ['/', '\\', MAIN_SEPARATOR];
    let last = |name: &str| name.rsplit(separators).next().map(ToOwned::to_owned);
    let same = names.iter().find(|other| last(other) == last(name));
    match (same, names.first()) {
        (Some(same), _) => format!("one with the same file name is {}", quoted(same)),
        (None, Some(first)) => format!("a name is relative to the root, such as {}", shown(first)),
        (None, None) => "the data has no images".to_owned(),
    }
}
