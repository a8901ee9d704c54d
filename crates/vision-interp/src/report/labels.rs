//! Labels that are probably wrong.

use std::collections::HashMap;

use vision_data::DatasetType;

use crate::report::block::{Block, Cell, Section, Table};
use crate::report::subject::Subject;
use crate::{LabelErrors, Result};

/// Most pairs of classes in the table.
const MOST_PAIRS: usize = 50;

pub(super) fn section(subject: &Subject<'_>) -> Option<Section> {
    let found = subject.label_errors.as_ref()?;
    Some(Section {
        id: "labels",
        title: "Are the labels right?",
        blocks: blocks(subject, found),
    })
}

fn blocks(subject: &Subject<'_>, found: &Result<LabelErrors>) -> Vec<Block> {
    if let Some(DatasetType::Train | DatasetType::Fix) = subject.items().part {
        return vec![Block::text(
            "The model was trained on these images and knows their labels by heart, the wrong ones too. A report on \
             validation images, or cross-validation, can tell which are wrong.",
        )];
    }
    let found = match found {
        Ok(found) => found,
        Err(error) => return vec![Block::problem("The list of wrong labels", error)],
    };
    if found.items.is_empty() {
        return vec![Block::text("No label looks wrong.")];
    }
    let all = subject.predictions().len();
    let text = format!(
        "For {} of {all} {}, the model is surer of another class than it is, on average, of images with that class (confident \
         learning). Some of them are wrong labels, some are mistakes of the model: a person must look.",
        found.items.len(),
        subject.images(),
    );
    let mut table = Table::new("Labels and what they probably should be").text("label");
    table = table.text("probably").numbers(["images"]);
    for pair in found.pairs().into_iter().take(MOST_PAIRS) {
        let cells = [Cell::text(pair.given), Cell::text(pair.suggested)];
        let count = Cell::count(pair.count as u64);
        table.rows.push(cells.into_iter().chain([count]).collect());
    }
    let mut blocks = vec![Block::text(text), Block::Table(table)];
    let rows = subject.predictions().indices.iter().zip(0..);
    let rows: HashMap<usize, usize> = rows.map(|(item, row)| (*item, row)).collect();
    let shown = found.items.iter().take(subject.config.label_errors);
    let cards = shown.filter_map(|one| {
        let lines = vec![
            format!(
                "label {}, probability {:.2}",
                one.given, one.given_probability
            ),
            format!(
                "probably {}: {:.2}",
                one.suggested, one.suggested_probability
            ),
        ];
        let mut card = subject.card(*rows.get(&one.item)?, None, lines);
        card.file.clone_from(&one.name);
        card.given = Some(one.given.clone());
        card.suggested = Some(one.suggested.clone());
        Some(card)
    });
    let cards: Vec<_> = cards.collect();
    if cards.len() < found.items.len() {
        let text = format!(
            "The {} most doubtful of {}:",
            cards.len(),
            found.items.len()
        );
        blocks.push(Block::text(text));
    }
    blocks.push(Block::Cards { cards });
    blocks
}
