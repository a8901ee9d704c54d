//! The data, and what the doctor says of it.

use vision_base::message::printable;
use vision_data::inspect::doctor::{Finding, Report as DoctorReport};

use crate::report::block::{Block, Cell, Section, Table};
use crate::report::subject::Subject;

/// Most classes in the table.
const MOST_CLASSES: usize = 1000;

pub(super) fn section(subject: &Subject<'_>) -> Option<Section> {
    let data = subject.data();
    let fingerprint = data.fingerprint();
    let facts = [
        ("folder", printable(&data.path().to_string_lossy())),
        ("classes", data.classes().len().to_string()),
        ("training images", fingerprint.train.to_string()),
        ("validation images", fingerprint.valid.to_string()),
        ("fingerprint", fingerprint.hash),
    ];
    let facts = facts.map(|(name, value)| (name.to_owned(), value));
    let mut blocks = vec![
        Block::Facts { rows: facts.into() },
        Block::text(
            "The fingerprint is a hash over names, sizes and labels of the images: the same data has the same one.",
        ),
    ];
    match &subject.doctor {
        Some(report) => blocks.extend(of_doctor(report)),
        None => blocks.push(Block::text("The data was not examined by the doctor.")),
    }
    Some(Section {
        id: "data",
        title: "The data",
        blocks,
    })
}

/// A finding with its first file.
fn example(report: &DoctorReport, finding: &Finding) -> String {
    let message = printable(&finding.message);
    match finding.files.first() {
        Some(file) => {
            let path = file.path.strip_prefix(&report.root).unwrap_or(&file.path);
            format!("{}: {message}", printable(&path.to_string_lossy()))
        }
        None => message,
    }
}

fn of_doctor(report: &DoctorReport) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut table = Table::new("Images by class").text("class");
    table = table.numbers(["training", "validation"]);
    for class in report.classes.iter().take(MOST_CLASSES) {
        table.rows.push(vec![
            Cell::text(&class.name),
            Cell::count(class.train as u64),
            Cell::count(class.valid as u64),
        ]);
    }
    if !table.rows.is_empty() {
        blocks.push(Block::Table(table));
    }
    if report.findings.is_empty() {
        let text = format!(
            "The doctor examined {} files and found nothing wrong.",
            report.files
        );
        blocks.push(Block::text(text));
        return blocks;
    }
    let mut table = Table::new(format!("What the doctor found in {} files", report.files));
    table = table.text("severity").text("finding").numbers(["count"]);
    table = table.text("for example").text("what to do");
    let mut rest = report.findings.as_slice();
    // Findings of a kind stand together.
    while let Some(first) = rest.first() {
        let count = rest
            .iter()
            .take_while(|finding| finding.kind == first.kind)
            .count();
        table.rows.push(vec![
            Cell::text(first.severity.to_string()),
            Cell::text(first.kind.title()),
            Cell::count(count as u64),
            Cell::text(example(report, first)),
            Cell::text(first.advice),
        ]);
        rest = &rest[count..];
    }
    blocks.push(Block::Table(table));
    blocks
}
