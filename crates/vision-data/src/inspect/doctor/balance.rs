//! Checking the classes: their names, their folders, and their numbers of items.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use vision_base::message::spelled;

use crate::inspect::doctor::Cases;
use crate::inspect::doctor::finding::{Finding, FindingKind, FoundFile};
use crate::inspect::doctor::report::ClassCount;
use crate::labels::alike::{self, Alike};

pub(super) fn findings(cases: &Cases, imbalance: f64, folds: usize) -> Vec<Finding> {
    let classes = &cases.classes;
    let mut findings = Vec::new();
    if cases.all.is_empty() {
        // Data for prediction only has classes but no items.
        return findings;
    }
    let mut found = |kind, message| findings.push(Finding::new(kind, message, Vec::new()));
    // Without parts, all items count as training items.
    let told = TellApart::new(classes);
    let training = |class: &ClassCount| class.train + class.unsplit;
    let present = || classes.iter().filter(|class| training(class) > 0);
    let largest = present().max_by_key(|class| training(class));
    let smallest = present().min_by_key(|class| training(class));
    if let (Some(largest), Some(smallest)) = (largest, smallest) {
        let (most, least) = (training(largest), training(smallest));
        if most as f64 >= imbalance * least as f64 {
            found(
                FindingKind::Imbalance,
                format!(
                    "{} has {most} training items, {} has {least}: {:.1} times as many",
                    told.name(&largest.name),
                    told.name(&smallest.name),
                    most as f64 / least as f64
                ),
            );
        }
    }
    let validated = classes.iter().any(|class| class.valid > 0);
    for class in classes {
        let usable = class.train + class.valid + class.unsplit;
        let name = told.name(&class.name);
        if usable < folds.max(2) {
            found(
                FindingKind::FewItems,
                format!(
                    "{name} has {usable} item(s), fewer than {} folds",
                    folds.max(2)
                ),
            );
        }
        if validated && class.valid == 0 {
            found(
                FindingKind::MissingInSplit,
                format!("{name} has no validation item"),
            );
        }
        if validated && class.train == 0 {
            found(
                FindingKind::MissingInSplit,
                format!("{name} has no training item"),
            );
        }
    }
    findings
}

/// The names of classes for messages: those that are alike are spelled so that they differ.
pub(super) struct TellApart<'a>(HashSet<&'a str>);

impl<'a> TellApart<'a> {
    pub(super) fn new(classes: &'a [ClassCount]) -> Self {
        let groups = alike::groups(classes.iter().map(|class| class.name.as_str()));
        Self(groups.into_iter().flat_map(|(_, names)| names).collect())
    }

    pub(super) fn name(&self, name: &str) -> String {
        match self.0.contains(name) {
            true => spelled(name),
            false => name.to_owned(),
        }
    }
}

/// Classes whose names are alike.
pub(super) fn names(classes: &[ClassCount]) -> Vec<Finding> {
    let items = |name: &str| {
        let class = classes.iter().find(|class| class.name == name);
        class.map_or(0, |class| class.train + class.valid + class.unsplit)
    };
    let finding = |(alike, names): (Alike, Vec<&str>)| {
        let kind = match alike {
            Alike::Print => FindingKind::NamesPrintAlike,
            Alike::BlanksOrCase => FindingKind::NamesDifferByBlanks,
        };
        let names: Vec<String> = names
            .into_iter()
            .map(|name| format!("{} ({} items)", spelled(name), items(name)))
            .collect();
        Finding::new(
            kind,
            format!("{} {}", names.join(", "), alike.words()),
            Vec::new(),
        )
    };
    let names = classes.iter().map(|class| class.name.as_str());
    alike::groups(names).into_iter().map(finding).collect()
}

/// Folders without images beside folders that have some, unless they are there for other files.
pub(super) fn empty_folders(cases: &Cases) -> Vec<Finding> {
    let folders: HashSet<&Path> = cases
        .all
        .iter()
        .filter_map(|case| case.path.parent())
        .collect();
    let beside: HashSet<&Path> = folders
        .iter()
        .filter_map(|folder| folder.parent())
        .collect();
    let names: HashSet<_> = folders
        .iter()
        .filter_map(|folder| folder.file_name())
        .collect();
    let bare = cases.skipped.bare.iter().filter(|(folder, others)| {
        let class = folder.file_name().is_some_and(|name| names.contains(name));
        folder
            .parent()
            .is_some_and(|parent| beside.contains(parent))
            && (class || !others)
    });
    let finding = |(folder, others): &(PathBuf, bool)| {
        let message = match others {
            true => "it has files, but no image",
            false => "it has no image",
        };
        let files = vec![FoundFile::of_path(folder)];
        Finding::new(FindingKind::EmptyClassFolder, message.to_owned(), files)
    };
    bare.map(finding).collect()
}
