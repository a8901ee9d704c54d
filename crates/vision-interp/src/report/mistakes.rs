//! The images with the largest losses.

use vision_data::TargetKind;

use crate::report::block::{Block, Section};
use crate::report::subject::{Kind, Subject};

pub(super) fn section(subject: &Subject<'_>) -> Option<Section> {
    let items = subject.items();
    let rows = 0..items.predictions.len();
    let rows = items.ranked(rows, subject.config.top_losses, true);
    let title = "The largest losses";
    let id = "losses";
    if rows.is_empty() {
        let blocks = vec![Block::text("There are no images to show.")];
        return Some(Section { id, title, blocks });
    }
    let kind = match subject.interp {
        Kind::OneClass(_) => TargetKind::Category,
        Kind::Several(_) => TargetKind::MultiCategory,
    };
    let mut text = "The images about which the model is most wrong, or least sure.".to_owned();
    if subject.config.heatmaps {
        text.push_str(match kind {
            TargetKind::Category => {
                " The second picture is a heat map (Grad-CAM): light where the image speaks for its actual class. A map \
                 that is light beside the object says that the model looks at something else."
            }
            _ => {
                " The second picture is a heat map (Grad-CAM): light where the image speaks for the class that is most \
                 wrong."
            }
        });
    }
    let cards = rows.into_iter().map(|row| {
        let (class, lines, given) = match subject.interp {
            Kind::OneClass(interp) => {
                let title = interp.loss_title(row);
                let lines = vec![
                    format!("predicted {}", title.predicted),
                    format!(
                        "actual {}, probability {:.2}",
                        title.actual, title.probability
                    ),
                    format!("loss {:.2}", title.loss),
                ];
                (title.actual.clone(), lines, Some(title.actual))
            }
            Kind::Several(interp) => {
                let found = interp.loss(row);
                let lines = vec![
                    format!("predicted {}", or_none(&found.predicted)),
                    format!("actual {}", or_none(&found.actual)),
                    format!("most wrong: {} {:.2}", found.worst, found.probability),
                    format!("loss {:.2}", found.loss),
                ];
                (found.worst, lines, None)
            }
        };
        let mut card = subject.card(row, Some(&class), lines);
        card.file = items.name(row);
        card.given = given;
        card
    });
    let cards = cards.collect();
    Some(Section {
        id,
        title,
        blocks: vec![Block::text(text), Block::Cards { cards }],
    })
}

fn or_none(classes: &[String]) -> String {
    match classes.is_empty() {
        true => "nothing".to_owned(),
        false => classes.join(", "),
    }
}
