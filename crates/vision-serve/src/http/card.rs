//! `GET /model`.

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};
use vision_data::TargetKind;
use vision_learner::Predictor;

use crate::settings::Settings;

/// The limits that a client may want to know.
#[derive(Serialize)]
struct Most {
    body_bytes: u64,
    pixels: u64,
    images: usize,
    seconds: f64,
}

/// What the model says about itself, and what the service takes.
pub(crate) fn card(predictor: &Predictor, settings: &Settings) -> Bytes {
    let mut card = match predictor.card() {
        Some(card) => serde_json::to_value(card),
        // A learner's own model, which was never in a file.
        None => Ok(json!({
            "hash": Value::Null,
            "arch": predictor.arch(),
            "kind": predictor.kind(),
            "classes": predictor.classes(),
            "preprocessing": predictor.preprocessing(),
            "metrics": [],
        })),
    }
    .unwrap_or_default();
    if let Value::Object(card) = &mut card {
        // The threshold that is used, whether the file sets one or not.
        card.insert("threshold".to_owned(), json!(predictor.threshold()));
        // A map shows what speaks for a class.
        let heatmap = predictor.kind() != TargetKind::Float;
        card.insert("heatmap".to_owned(), json!(heatmap));
        let most = Most {
            body_bytes: settings.max_body,
            pixels: settings.image.max_pixels,
            images: settings.max_images,
            seconds: settings.timeout.as_secs_f64(),
        };
        card.insert("limits".to_owned(), json!(most));
    }
    let mut text = card.to_string().into_bytes();
    text.push(b'\n');
    text.into()
}
