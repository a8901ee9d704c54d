//! What is taken for what.

use crate::report::block::{Block, Cell, Section, Table};
use crate::report::subject::{Kind, Subject};
use crate::{ClassificationInterpretation, ConfusionPlotConfig, MultiLabelInterpretation};

/// With more classes, the chart shows those that are confused.
const MOST_CLASSES: usize = 30;
/// Most pairs in the table.
const MOST_PAIRS: usize = 100;
/// Example images of a pair.
const EXAMPLES: usize = 4;

pub(super) fn section(subject: &Subject<'_>) -> Option<Section> {
    let blocks = match subject.interp {
        Kind::OneClass(interp) => one_class(subject, interp),
        Kind::Several(interp) => several(interp),
    };
    Some(Section {
        id: "confusion",
        title: "What is taken for what",
        blocks,
    })
}

fn one_class(subject: &Subject<'_>, interp: &ClassificationInterpretation) -> Vec<Block> {
    let many = interp.classes().len() > MOST_CLASSES;
    let config = ConfusionPlotConfig::new();
    let (config, caption) = match many {
        true => (
            config.with_confused_only(MOST_CLASSES),
            "Rows are actual classes, columns predicted ones. Only classes of the most confused pairs, similar ones beside \
             each other.",
        ),
        false => (config, "Rows are actual classes, columns predicted ones."),
    };
    let matrix = interp.confusion_matrix();
    let wrong = matrix.total() - matrix.correct();
    // A chart of classes that are never confused would have nothing to show.
    let mut blocks = match many && wrong == 0 {
        true => Vec::new(),
        false => {
            let figure = interp.plot_confusion_matrix_with(&config);
            vec![Block::chart(figure, "The confusion matrix", caption)]
        }
    };
    if wrong == 0 {
        blocks.push(Block::text("No image was taken for another class."));
        return blocks;
    }
    let pairs = interp.confused_classes(usize::MAX);
    let mut table = Table::new("Confused pairs")
        .text("actual")
        .text("predicted");
    table = table.numbers(["times", "of the class"]);
    let totals: Vec<u64> = matrix.rows().map(|row| row.iter().sum()).collect();
    for (count, actual, predicted) in pairs.iter().take(MOST_PAIRS) {
        table.rows.push(vec![
            Cell::text(&interp.classes()[*actual]),
            Cell::text(&interp.classes()[*predicted]),
            Cell::count(*count),
            share(*count, totals[*actual]),
        ]);
    }
    blocks.push(Block::Table(table));
    if pairs.len() > MOST_PAIRS {
        let text = format!("The table shows {MOST_PAIRS} of {} pairs.", pairs.len());
        blocks.push(Block::text(text));
    }
    for (_, actual, predicted) in interp.confused_classes(subject.config.pairs) {
        let names = [actual, predicted].map(|class| &interp.classes()[class]);
        blocks.push(Block::heading(format!(
            "{} taken for {}",
            names[0], names[1]
        )));
        let rows = interp
            .confused_rows(actual, predicted, EXAMPLES)
            .into_iter();
        let cards = rows.map(|row| {
            let probability = subject.predictions().row(row)[predicted];
            let line = format!("probability of {}: {probability:.2}", names[1]);
            subject.card(row, None, vec![line])
        });
        blocks.push(Block::Cards {
            cards: cards.collect(),
        });
    }
    blocks
}

fn share(part: u64, whole: u64) -> Cell {
    let value = (whole > 0).then(|| part as f64 / whole as f64);
    Cell {
        text: value.map_or("–".to_owned(), |value| format!("{:.1} %", 100.0 * value)),
        sort: value,
    }
}

fn several(interp: &MultiLabelInterpretation) -> Vec<Block> {
    let text = format!(
        "A class is predicted if its probability is above {}. Each class of an image is a question of its own.",
        interp.threshold()
    );
    let mut blocks = vec![Block::text(text)];
    if interp.classes().len() <= MOST_CLASSES {
        let figure = interp.plot_confusion_matrices();
        let caption = "For each class: rows are actual, columns predicted.";
        blocks.push(Block::chart(figure, "The confusion matrices", caption));
    }
    let mut table = Table::new("Answers by class").text("class");
    table = table.numbers(["right yes", "wrong yes", "wrong no", "right no"]);
    for matrix in interp.confusion_matrices() {
        let counts = [
            matrix.true_positives,
            matrix.false_positives,
            matrix.false_negatives,
            matrix.true_negatives,
        ];
        let cells = counts.map(Cell::count);
        table.rows.push(
            [Cell::text(&matrix.class)]
                .into_iter()
                .chain(cells)
                .collect(),
        );
    }
    blocks.push(Block::Table(table));
    blocks
}
