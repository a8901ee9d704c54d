//! Near duplicates and unusual images.

use vision_data::DatasetType;
use vision_data::inspect::doctor::Split;
use vision_learner::{Embeddings, FeatureItem, FeatureSpace};

use crate::Result;
use crate::report::block::{Block, Card, Section};
use crate::report::picture::Picture;
use crate::report::subject::Subject;

/// Most groups of duplicates, images of a group, and unusual images.
const MOST_GROUPS: usize = 20;
const MOST_OF_GROUP: usize = 8;
const MOST_OUTLIERS: usize = 12;
/// Neighbors that an image is compared with, as in cleanlab.
const NEIGHBORS: usize = 10;

pub(super) fn section(subject: &Subject<'_>) -> Option<Section> {
    if !subject.config.similar_images {
        return None;
    }
    let blocks = blocks(subject).unwrap_or_else(|error| {
        let problem = Block::problem("The comparison of all images", error);
        vec![problem]
    });
    Some(Section {
        id: "similar",
        title: "Near duplicates and unusual images",
        blocks,
    })
}

fn blocks(subject: &Subject<'_>) -> Result<Vec<Block>> {
    let data = subject.learner.data();
    let mut parts: Vec<Embeddings> = Vec::new();
    for (part, items) in [
        (DatasetType::Fix, data.train_ds().len()),
        (DatasetType::Valid, data.valid_ds().len()),
    ] {
        if items > 0 {
            parts.push(subject.learner.embed(part)?);
        }
    }
    let space = FeatureSpace::new(&parts)?;
    let found = space.near_duplicates()?;
    let leaks = found.leaks().count();
    let text = match found.groups.len() {
        0 => "No two images look nearly the same to the model.".to_owned(),
        groups => format!(
            "{groups} groups of images look nearly the same to the model (a cosine of their features of {} or more). {leaks} \
             of them are in training and in validation, so that the scores say too much; and two labels of one picture cannot \
             both be right.",
            found.threshold
        ),
    };
    let mut blocks = vec![Block::text(text)];
    for group in found.groups.iter().take(MOST_GROUPS) {
        let mut heading = format!("{} images", group.items.len());
        if group.is_leak {
            heading.push_str(", in training and in validation");
        }
        if group.labels_differ {
            heading.push_str(", with different labels");
        }
        blocks.push(Block::heading(heading));
        let cards = group.items.iter().take(MOST_OF_GROUP);
        let cards = cards.map(|one| {
            let likeness = format!("likeness {:.3}", one.similarity);
            card(subject, &one.item, vec![likeness])
        });
        blocks.push(Block::Cards {
            cards: cards.collect(),
        });
    }
    if found.groups.len() > MOST_GROUPS {
        let text = format!("The first {MOST_GROUPS} of {} groups.", found.groups.len());
        blocks.push(Block::text(text));
    }
    blocks.push(Block::heading("The most unusual images"));
    blocks.push(Block::text(
        "Unlike all others to the model: files of another kind, failed photos, or rare cases.",
    ));
    let outliers = space.outliers(NEIGHBORS)?;
    let cards = outliers.items.iter().take(MOST_OUTLIERS).map(|one| {
        let line = format!("score {:.3}: 0 is unusual, 1 is not", one.score);
        card(subject, &one.item, vec![line])
    });
    blocks.push(Block::Cards {
        cards: cards.collect(),
    });
    Ok(blocks)
}

/// An image of any part of the data.
fn card(subject: &Subject<'_>, item: &FeatureItem, mut lines: Vec<String>) -> Card {
    let data = subject.learner.data();
    let (part, named) = match item.part {
        Split::Train => (DatasetType::Fix, "training"),
        Split::Valid => (DatasetType::Valid, "validation"),
        Split::Test => (DatasetType::Test, "test"),
    };
    lines.insert(0, format!("{}, {named}", item.label));
    let image = data
        .dataset(part)
        .and_then(|dataset| dataset.image(item.item));
    let seen = image.and_then(|image| data.preprocessor().seen(&image));
    let picture = match seen {
        Ok(seen) => Picture::new(&seen, subject.config.image_size),
        Err(error) => {
            lines.push(error.to_string());
            None
        }
    };
    let alt = lines.join(", ");
    lines.push(item.name.clone());
    Card {
        picture,
        heatmap: None,
        alt,
        lines,
        file: Some(item.name.clone()),
        given: Some(item.label.clone()).filter(|label| !label.is_empty()),
        suggested: None,
    }
}
