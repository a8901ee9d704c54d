//! Predictions to interpret, and an SVG reader.
#![allow(unreachable_pub)]

use image::{Rgb, RgbImage};
use vision_data::Targets;
use vision_interp::{ClassificationInterpretation, ImageError};
use vision_learner::Predictions;

pub fn names(names: &[&str]) -> Vec<String> {
    names.iter().copied().map(str::to_owned).collect()
}

/// Predictions for items with these actual and predicted classes and losses. The predicted class has a
/// probability of 0.6, the others share the rest.
pub fn predictions(classes: usize, items: &[(usize, usize, f32)]) -> Predictions {
    let actual = items.iter().map(|(actual, ..)| *actual as u32).collect();
    let mut all = Predictions {
        probabilities: Vec::new(),
        classes,
        targets: Targets::Category(actual),
        losses: Vec::new(),
        indices: Vec::new(),
    };
    for (index, (_, predicted, loss)) in items.iter().enumerate() {
        let rest = 0.4 / (classes.max(2) - 1) as f32;
        all.probabilities
            .extend((0..classes).map(|c| if c == *predicted { 0.6 } else { rest }));
        all.losses.push(*loss);
        all.indices.push(index);
    }
    all
}

/// A gray image of 28 x 28 whose brightness is the position of the item.
pub fn gray(item: usize) -> Result<RgbImage, ImageError> {
    Ok(RgbImage::from_pixel(28, 28, Rgb([item as u8; 3])))
}

pub fn interpretation(
    classes: &[&str],
    items: &[(usize, usize, f32)],
) -> ClassificationInterpretation {
    let predictions = predictions(classes.len(), items);
    ClassificationInterpretation::from_predictions(names(classes), predictions, gray).unwrap()
}

/// Checks that a document is well-formed XML (of the parts of XML that occur in figures) and returns the
/// text of all elements called `element`.
pub fn texts(svg: &str, element: &str) -> Vec<String> {
    let mut found = Vec::new();
    // Name of each open element, and its text so far.
    let mut open: Vec<(String, String)> = Vec::new();
    let mut rest = svg;
    while let Some(start) = rest.find('<') {
        let text = &rest[..start];
        check_text(text);
        match open.last_mut() {
            Some((_, all)) => all.push_str(&unescape(text)),
            None => assert!(text.trim().is_empty(), "text outside of the root: {text:?}"),
        }
        let end = rest[start..].find('>').expect("a tag that ends") + start;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let (opened, text) = open.pop().expect("an element to close");
            assert_eq!(opened, name);
            if name == element {
                found.push(text);
            }
            continue;
        }
        let (tag, closed) = match tag.strip_suffix('/') {
            Some(tag) => (tag, true),
            None => (tag, false),
        };
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(
            name.chars().all(|c| c.is_ascii_alphabetic()),
            "name of a tag: {name:?}"
        );
        check_attributes(attributes);
        if !closed {
            open.push((name.to_owned(), String::new()));
        }
    }
    assert!(open.is_empty(), "never closed: {open:?}");
    assert!(rest.trim().is_empty());
    found
}

fn check_attributes(mut attributes: &str) {
    let mut names = Vec::new();
    while let Some((name, after)) = attributes.split_once("=\"") {
        let name = name.trim();
        assert!(
            name.chars()
                .all(|c| c.is_ascii_alphabetic() || "-:".contains(c)),
            "{name:?}"
        );
        assert!(!names.contains(&name), "{name} twice");
        names.push(name);
        let (value, rest) = after.split_once('"').expect("a value that ends");
        check_text(value);
        attributes = rest;
    }
    assert!(attributes.trim().is_empty(), "left over: {attributes:?}");
}

fn check_text(text: &str) {
    assert!(!text.contains(['<', '>']), "{text:?}");
    // The characters that XML 1.0 allows.
    assert!(
        text.chars()
            .all(|c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)),
        "{text:?}"
    );
    for entity in text.split('&').skip(1) {
        let (entity, _) = entity.split_once(';').expect("an entity that ends");
        assert!(
            ["amp", "lt", "gt", "quot", "#39"].contains(&entity),
            "&{entity};"
        );
    }
}

fn unescape(text: &str) -> String {
    let pairs = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    pairs
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}
