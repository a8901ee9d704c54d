//! How sure the model is.

use vision_learner::{Abstention, Error, abstain_threshold, fit_temperature, reliability};

use crate::plot_reliability;
use crate::report::block::{Block, Cell, Section, Table};
use crate::report::subject::{Kind, Subject};

const BINS: usize = 15;
/// The error rates for which the report says when the model should not answer.
const RATES: [f64; 4] = [0.1, 0.05, 0.02, 0.01];

pub(super) fn section(subject: &Subject<'_>) -> Option<Section> {
    let predictions = subject.predictions();
    let mut blocks = vec![Block::text(
        "A model that says 90 % should be right for 90 % of such answers: then the line of the chart lies on the diagonal.",
    )];
    match reliability(predictions, BINS) {
        Ok(found) => {
            let caption = "Accuracy against confidence, with 95 % intervals; below, how many answers have that confidence.";
            blocks.push(Block::chart(
                plot_reliability(&found),
                "The chart of reliability",
                caption,
            ));
            let rows = [
                (
                    "expected calibration error (15 bins)",
                    found.calibration_error,
                ),
                ("largest error of a bin", found.largest_error),
                ("Brier score", found.brier_score),
            ];
            blocks.push(Block::Facts {
                rows: rows
                    .map(|(name, value)| (name.to_owned(), format!("{value:.4}")))
                    .into(),
            });
            blocks.push(match fit_temperature(predictions) {
                Ok(found) => Block::text(format!(
                    "Best {found}. An exported model can have this temperature; its answers stay the same."
                )),
                // If all answers are right, for example.
                Err(error) => Block::text(format!("There is no best temperature: {error}.")),
            });
        }
        Err(error) => blocks.push(Block::problem("The reliability", error)),
    }
    if let Kind::OneClass(_) = subject.interp {
        blocks.push(Block::heading("When should the model not answer?"));
        blocks.extend(abstain(subject));
    }
    Some(Section {
        id: "calibration",
        title: "How sure is the model?",
        blocks,
    })
}

fn abstain(subject: &Subject<'_>) -> Vec<Block> {
    let caption = "Answers only from a confidence on";
    let mut table = Table::new(caption).text("error rate of at most");
    table = table.numbers([
        "from a confidence of",
        "answered",
        "of the images",
        "wrong",
        "95 % interval",
    ]);
    let mut problem = None;
    for rate in RATES {
        match abstain_threshold(subject.predictions(), rate) {
            Ok(found) => table.rows.push(row(rate, &found)),
            // No confidence reaches the rate.
            Err(Error::Option(error)) if error.option == "error_rate" => {}
            Err(error) => problem = Some(error),
        }
    }
    if let Some(error) = problem {
        return vec![Block::problem("The table of thresholds", error)];
    }
    if table.rows.is_empty() {
        return vec![Block::text(
            "At no confidence is the error rate 10 % or less.",
        )];
    }
    let text = "If a person looks at the images of which the model is not sure, it may answer only from some confidence on. \
                The thresholds fit these images best: expect a little more errors on others.";
    vec![Block::text(text), Block::Table(table)]
}

fn row(rate: f64, found: &Abstention) -> Vec<Cell> {
    vec![
        Cell {
            text: format!("{} %", 100.0 * rate),
            sort: Some(rate),
        },
        Cell::number(Some(f64::from(found.threshold)), 4),
        Cell::count(found.answered),
        Cell {
            text: format!("{:.1} %", 100.0 * found.coverage()),
            sort: Some(found.coverage()),
        },
        Cell::count(found.wrong),
        Cell {
            text: format!("{:.3}", found.interval),
            sort: Some(found.interval.high),
        },
    ]
}
