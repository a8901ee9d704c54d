//! Settings and versions.

use crate::report::block::{Block, Section};
use crate::report::subject::Subject;

pub(super) fn section(subject: &Subject<'_>) -> Option<Section> {
    if subject.config.data.is_some() {
        // The learner holds a model that was trained elsewhere.
        return None;
    }
    let rows = subject.learner.describe().into_iter();
    let rows = rows.map(|(name, value)| (name.to_owned(), value));
    let mut blocks = vec![Block::Facts {
        rows: rows.collect(),
    }];
    for warning in subject.learner.warnings() {
        blocks.push(Block::text(format!("Warning: {warning}")));
    }
    Some(Section {
        id: "settings",
        title: "Settings and versions",
        blocks,
    })
}
