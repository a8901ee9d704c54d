//! The course of the training.

use vision_learner::Recorder;

use crate::report::block::{Block, Cell, Section, Table};
use crate::report::subject::Subject;
use crate::{plot_losses, plot_lr_find, plot_metrics, plot_rates};

/// Most epochs in the table.
const MOST_EPOCHS: usize = 300;

pub(super) fn section(subject: &Subject<'_>) -> Option<Section> {
    if subject.config.data.is_some() {
        // The learner holds a model that was trained elsewhere.
        return None;
    }
    let recorder = subject.learner.recorder();
    let mut blocks = Vec::new();
    if recorder.epochs.is_empty() {
        let text = "Nothing is known of the training: this learner has no history.";
        blocks.push(Block::text(text));
    } else {
        let caption = "Loss of each batch, smoothed, and of validation after each epoch. If the validation loss rises \
                       while the training loss falls, the model learns its training images by heart.";
        blocks.push(Block::chart(
            plot_losses(recorder),
            "The chart of losses",
            caption,
        ));
        // Without validation there are names and no values.
        let is_known = |value: &f64| value.is_finite();
        let mut metrics = recorder.epochs.iter().flat_map(|row| &row.metrics);
        if metrics.any(is_known) {
            let caption = "Each metric on the validation images, after each epoch.";
            blocks.push(Block::chart(
                plot_metrics(recorder),
                "The chart of metrics",
                caption,
            ));
        }
        let caption = "What each batch was trained with.";
        blocks.push(Block::chart(
            plot_rates(recorder),
            "The chart of learning rates",
            caption,
        ));
        blocks.push(Block::Table(table(recorder)));
        if recorder.epochs.len() > MOST_EPOCHS {
            let text = format!(
                "The table shows the last {MOST_EPOCHS} of {} epochs.",
                recorder.epochs.len()
            );
            blocks.push(Block::text(text));
        }
    }
    if let Some(found) = subject.learner.lr_found() {
        let suggestion = found.suggestion();
        let suggestion = suggestion.map_or(String::new(), |found| format!(" Suggested: {found}."));
        let caption = format!("The learning rate finder: loss while the rate grows.{suggestion}");
        blocks.push(Block::chart(
            plot_lr_find(found),
            "The chart of the finder",
            caption,
        ));
    }
    Some(Section {
        id: "training",
        title: "The training",
        blocks,
    })
}

fn table(recorder: &Recorder) -> Table {
    let names = recorder.metric_names.iter().map(String::as_str);
    let names = ["epoch", "training loss", "validation loss"]
        .into_iter()
        .chain(names);
    let mut table = Table::new("Epochs").numbers(names.chain(["images", "seconds"]));
    let hidden = recorder.epochs.len().saturating_sub(MOST_EPOCHS);
    for row in recorder.epochs.iter().skip(hidden) {
        let mut cells = vec![
            Cell::count(row.epoch as u64 + 1),
            Cell::number(Some(row.train_loss), 4),
            Cell::number(row.valid_loss, 4),
        ];
        let metric = |at: usize| Cell::number(row.metrics.get(at).copied(), 4);
        cells.extend((0..recorder.metric_names.len()).map(metric));
        cells.push(Cell::count(row.images as u64));
        // Not known of an epoch that was loaded.
        cells.push(Cell::number(Some(row.seconds).filter(|s| *s > 0.0), 1));
        table.rows.push(cells);
    }
    table
}
