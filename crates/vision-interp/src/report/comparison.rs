//! The model beside another one.

use crate::report::block::{Block, Section};
use crate::report::subject::{Kind, Subject};

/// Most images that either lost or gained.
const MOST: usize = 12;

pub(super) fn section(subject: &Subject<'_>) -> Option<Section> {
    let (name, other) = subject.config.other.as_ref()?;
    let mut blocks = Vec::new();
    match subject.interp {
        Kind::OneClass(interp) => match other.compare(interp) {
            Ok(compared) => {
                let text = format!("A is {name}, and B the model of this report. {compared}");
                blocks.push(Block::text(text));
                for (own, heading) in [
                    (true, "Lost: only A is right"),
                    (false, "Gained: only B is right"),
                ] {
                    let rows = other.changed_rows(interp, own).into_iter().take(MOST);
                    let cards = rows.map(|row| {
                        let [a, b] = [other, interp].map(|interp| interp.loss_title(row));
                        let lines = vec![
                            format!("actual {}", b.actual),
                            format!("A: {}, B: {}", a.predicted, b.predicted),
                        ];
                        subject.card(row, None, lines)
                    });
                    let cards: Vec<_> = cards.collect();
                    if !cards.is_empty() {
                        blocks.push(Block::heading(heading));
                        blocks.push(Block::Cards { cards });
                    }
                }
            }
            Err(error) => blocks.push(Block::problem("The comparison", error)),
        },
        Kind::Several(_) => {
            let text = "Only models of one class for each image are compared.";
            blocks.push(Block::problem("The comparison", text));
        }
    }
    Some(Section {
        id: "comparison",
        title: "Beside another model",
        blocks,
    })
}
