//! Checking the number of items per class.

use crate::inspect::doctor::Cases;
use crate::inspect::doctor::finding::{Finding, FindingKind};
use crate::inspect::doctor::report::ClassCount;

pub(super) fn findings(cases: &Cases, imbalance: f64, folds: usize) -> Vec<Finding> {
    let classes = &cases.classes;
    let mut findings = Vec::new();
    if cases.all.is_empty() {
        // Data for prediction only has classes but no items.
        return findings;
    }
    let mut found = |kind, message| findings.push(Finding::new(kind, message, Vec::new()));
    // Without parts, all items count as training items.
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
                    largest.name,
                    smallest.name,
                    most as f64 / least as f64
                ),
            );
        }
    }
    let validated = classes.iter().any(|class| class.valid > 0);
    for class in classes {
        let usable = class.train + class.valid + class.unsplit;
        let name = &class.name;
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
