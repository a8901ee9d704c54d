//! The scores of each class.

use vision_learner::Interval;

use crate::report::block::{Block, Cell, Section, Table};
use crate::report::subject::{Kind, Subject};
use crate::{AverageScores, ClassificationReport};

/// Most curves in a chart.
const MOST_CURVES: usize = 10;

pub(super) fn section(subject: &Subject<'_>) -> Option<Section> {
    let (report, rankings) = match subject.interp {
        Kind::OneClass(interp) => (interp.confusion_matrix().classification_report(), None),
        Kind::Several(interp) => {
            let rankings = (interp.average_precision(), interp.roc_auc());
            (interp.classification_report(), Some(rankings))
        }
    };
    let images = subject.images();
    let about = format!(
        "Recall is the fraction of the {images} of a class that the model finds, precision the fraction of its answers \
         that is right, F1 their harmonic mean. The ranges are 95 % intervals (Wilson): what is plausible for other images \
         of the same kind. Few images make them wide."
    );
    let mut blocks = vec![Block::text(about), Block::Table(table(&report, rankings))];
    let mut averages = vec![("mean over classes", report.macro_avg)];
    averages.push(("weighted by images", report.weighted_avg));
    if report.samples_avg.is_some() {
        averages.push(("all labels together", report.micro_avg));
    }
    averages.extend(
        report
            .samples_avg
            .map(|average| ("mean over images", average)),
    );
    blocks.push(Block::Table(of_averages(&averages)));
    let shown = weakest(&report);
    if !shown.is_empty() {
        let which = match shown.len() < subject.classes().len() {
            true => format!("the {} classes with the lowest F1", shown.len()),
            false => "each class".to_owned(),
        };
        let (roc, curve) = match subject.interp {
            Kind::OneClass(interp) => (
                interp.plot_roc(shown.clone()),
                interp.plot_precision_recall(shown),
            ),
            Kind::Several(interp) => (
                interp.plot_roc(shown.clone()),
                interp.plot_precision_recall(shown),
            ),
        };
        let caption = format!("ROC curves of {which} against the rest.");
        blocks.push(Block::chart(roc, "The chart of ROC curves", caption));
        let caption = format!("Precision against recall, of {which}, over all thresholds.");
        blocks.push(Block::chart(
            curve,
            "The chart of precision and recall",
            caption,
        ));
    }
    Some(Section {
        id: "scores",
        title: "Scores of each class",
        blocks,
    })
}

/// The classes for the curves: all, or those with the lowest F1.
fn weakest(report: &ClassificationReport) -> Vec<usize> {
    let items = report.weighted_avg.support;
    // Without items of the class, or with nothing else, there is no curve.
    let has_curve = |class: &usize| report.classes[*class].support > 0 && items > 0;
    let mut classes: Vec<usize> = (0..report.classes.len()).filter(has_curve).collect();
    classes.sort_by(|a, b| report.classes[*a].f1.total_cmp(&report.classes[*b].f1));
    classes.truncate(MOST_CURVES);
    classes.sort_unstable();
    classes
}

type Rankings = (Vec<Option<f64>>, Vec<Option<f64>>);

fn table(report: &ClassificationReport, rankings: Option<Rankings>) -> Table {
    let table = Table::new("Classes").text("class");
    let mut table = table.numbers([
        "images",
        "recall",
        "range",
        "precision",
        "range ",
        "F1",
        "predicted",
    ]);
    if rankings.is_some() {
        table = table.numbers(["average precision", "ROC AUC"]);
    }
    let range = |interval: Option<Interval>| Cell {
        text: interval.map_or("–".to_owned(), |interval| format!("{interval:.2}")),
        sort: interval.map(|interval| interval.low),
    };
    for (at, class) in report.classes.iter().enumerate() {
        let known = |value, count: u64| Cell::number((count > 0).then_some(value), 3);
        let mut row = vec![
            Cell::text(&class.class),
            Cell::count(class.support),
            known(class.recall, class.support),
            range(class.recall_interval),
            known(class.precision, class.predicted),
            range(class.precision_interval),
            known(class.f1, class.support + class.predicted),
            Cell::count(class.predicted),
        ];
        if let Some((precision, auc)) = &rankings {
            row.extend(
                [precision, auc].map(|list| Cell::number(list.get(at).copied().flatten(), 3)),
            );
        }
        table.rows.push(row);
    }
    table
}

fn of_averages(averages: &[(&str, AverageScores)]) -> Table {
    let mut table = Table::new("Averages").text("average");
    table = table.numbers(["recall", "precision", "F1"]);
    for (name, scores) in averages {
        let values = [scores.recall, scores.precision, scores.f1];
        let cells = values.map(|value| Cell::number(Some(value), 3));
        table
            .rows
            .push([Cell::text(*name)].into_iter().chain(cells).collect());
    }
    table
}
