//! The interpretation of a million predictions of a thousand classes.

use std::time::Instant;

use serde_json::json;
use vision::data::{Image, Targets};
use vision::interp::ClassificationInterpretation;
use vision::learner::Predictions;
use vision::system::peak_memory_bytes;

use crate::Result;

const ITEMS: usize = 1_000_000;
const CLASSES: usize = 1000;

/// Interprets made-up predictions, of which a tenth is wrong, and prints seconds and the peak of memory.
pub(super) fn run() -> Result<()> {
    let mut probabilities = vec![0.0005; ITEMS * CLASSES];
    for (item, row) in probabilities.chunks_mut(CLASSES).enumerate() {
        let off = if item % 10 == 0 { 1 + item / 10 % 7 } else { 0 };
        row[(item + off) % CLASSES] = 0.5005;
    }
    let predictions = Predictions {
        probabilities,
        classes: CLASSES,
        targets: Targets::Category((0..ITEMS).map(|item| (item % CLASSES) as u32).collect()),
        losses: (0..ITEMS)
            .map(|item| (item % 9973) as f32 / 1000.0)
            .collect(),
        indices: (0..ITEMS).collect(),
    };
    let classes = (0..CLASSES).map(|class| class.to_string()).collect();
    let before = peak_memory_bytes();
    let begin = Instant::now();
    let image = |_| Ok(Image::from_rgb8(28, 28, vec![0; 28 * 28 * 3])?.to_rgb_image());
    let interp = ClassificationInterpretation::from_predictions(classes, predictions, image)?;
    let (losses, _) = interp.top_losses(9);
    let pairs = interp.most_confused(1);
    let examples = interp.most_confused_examples(10, 4);
    let report = interp.confusion_matrix().classification_report();
    let seconds = begin.elapsed().as_secs_f64();
    let result = json!({
        "what": "interpret", "items": ITEMS, "classes": CLASSES, "seconds": seconds,
        "accuracy": interp.accuracy(), "largest_loss": losses.first(), "confused_pairs": pairs.len(),
        "examples": examples.len(), "macro_f1": report.macro_avg.f1,
        "peak_bytes": peak_memory_bytes(), "of_which_predictions": before,
    });
    println!("{result}");
    Ok(())
}
