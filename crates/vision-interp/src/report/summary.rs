//! A report in a few sentences.

use vision_base::message::listed;
use vision_data::DatasetType;
use vision_data::inspect::doctor::Severity;
use vision_learner::{Interval, reliability};

use crate::report::subject::{Kind, Subject};
use crate::{ClassScores, ClassificationInterpretation, MultiLabelInterpretation};

/// Names of classes that are listed.
const MOST_NAMES: usize = 12;

/// The sentences of the summary.
pub(super) fn sentences(subject: &Subject<'_>) -> Vec<String> {
    let mut sentences = vec![trained(subject)];
    let images = subject.images();
    if subject.predictions().is_empty() {
        sentences.push(format!(
            "There are no {images}, so nothing is known of its mistakes."
        ));
    } else {
        match subject.interp {
            Kind::OneClass(interp) => one_class(interp, images, &mut sentences),
            Kind::Several(interp) => several(interp, images, &mut sentences),
        }
        sentences.extend(confidence(subject));
    }
    sentences.extend(labels(subject));
    sentences.extend(health(subject));
    sentences
}

fn trained(subject: &Subject<'_>) -> String {
    let learner = subject.learner;
    let classes = subject.classes();
    let names = match classes.len() {
        0..=MOST_NAMES => format!(": {}", classes.join(", ")),
        _ => format!(", such as {}", listed(classes.iter())),
    };
    if subject.config.data.is_some() {
        // Its learner knows nothing of its training.
        return format!(
            "{} distinguishes {} classes{names}.",
            learner.arch(),
            classes.len()
        );
    }
    let epochs = learner.epochs_trained();
    let trained = match epochs {
        0 => "was not trained on this data".to_owned(),
        1 => "was trained for 1 epoch".to_owned(),
        _ => format!("was trained for {epochs} epochs"),
    };
    let images = learner.data().train_ds().len();
    format!(
        "{} {trained}, with {images} training images of {} classes{names}.",
        learner.arch(),
        classes.len(),
    )
}

fn one_class(interp: &ClassificationInterpretation, images: &str, sentences: &mut Vec<String>) {
    let matrix = interp.confusion_matrix();
    let (right, all) = (matrix.correct(), matrix.total());
    sentences.push(format!(
        "It is right for {right} of {all} {images}: an accuracy of {} (95 % interval {}).",
        percent(interp.accuracy()),
        range(Interval::wilson(right, all)),
    ));
    let report = matrix.classification_report();
    let seen = || report.classes.iter().filter(|class| class.support > 0);
    if let Some(largest) = seen().max_by_key(|class| class.support) {
        sentences.push(format!(
            "To answer always {} would be right for {}.",
            largest.class,
            percent(largest.support as f64 / all as f64),
        ));
    }
    if right == all {
        return;
    }
    sentences.extend(weakest(seen()));
    if let Some((count, actual, predicted)) = interp.confused_classes(1).first() {
        let names = interp.classes();
        sentences.push(format!(
            "The most frequent mistake is to take {} for {} ({}).",
            names[*actual],
            names[*predicted],
            times(*count),
        ));
    }
}

/// The class of which the fewest are found.
fn weakest<'a>(classes: impl Iterator<Item = &'a ClassScores>) -> Option<String> {
    let class = classes.min_by(|a, b| a.recall.total_cmp(&b.recall))?;
    Some(format!(
        "The weakest class is {}: {} of its images are found (95 % interval {}).",
        class.class,
        percent(class.recall),
        range(class.recall_interval),
    ))
}

fn several(interp: &MultiLabelInterpretation, images: &str, sentences: &mut Vec<String>) {
    let report = interp.classification_report();
    sentences.push(format!(
        "On {} {images}, {} of all answers (one for each image and class) are right at a threshold of {}.",
        interp.predictions().len(),
        percent(interp.accuracy()),
        interp.threshold(),
    ));
    sentences.push(format!(
        "The mean F1 over classes is {:.3}, over images {:.3}.",
        report.macro_avg.f1,
        report.samples_avg.map_or(f64::NAN, |average| average.f1),
    ));
    sentences.extend(weakest(
        report.classes.iter().filter(|class| class.support > 0),
    ));
}

/// How confidence and accuracy compare.
fn confidence(subject: &Subject<'_>) -> Option<String> {
    let found = reliability(subject.predictions(), 15).ok()?;
    let (mut confidence, mut right, mut all) = (0.0, 0.0, 0.0);
    for bin in &found.bins {
        let count = bin.predictions as f64;
        confidence += count * bin.confidence.unwrap_or(0.0);
        right += count * bin.accuracy.unwrap_or(0.0);
        all += count;
    }
    let interval = Interval::wilson(f64::round(right) as u64, found.predictions)?;
    let (confidence, accuracy) = (confidence / all, right / all);
    let judged = match interval.contains(confidence) {
        true => "a difference that is within chance for so many answers",
        false if confidence > accuracy => "it is too sure of itself",
        false => "it is less sure than it could be",
    };
    Some(format!(
        "Its mean confidence is {}, and {} of its answers are right: {judged} (expected calibration error {:.3}).",
        percent(confidence),
        percent(accuracy),
        found.calibration_error,
    ))
}

/// How many labels the model doubts.
fn labels(subject: &Subject<'_>) -> Option<String> {
    if let Some(DatasetType::Train | DatasetType::Fix) = subject.items().part {
        return None;
    }
    let found = subject.label_errors.as_ref()?.as_ref().ok()?;
    let (count, images) = (found.items.len(), subject.images());
    Some(match count {
        0 => format!("The model doubts none of the labels of the {images}."),
        1 => format!("The model doubts 1 label of the {images}."),
        _ => format!("The model doubts {count} labels of the {images}."),
    })
}

/// What the doctor says.
fn health(subject: &Subject<'_>) -> Option<String> {
    let report = subject.doctor.as_ref()?;
    let (errors, warnings) = (
        report.count(Severity::Error),
        report.count(Severity::Warning),
    );
    Some(match errors + warnings {
        0 => "The examination of the data found no errors.".to_owned(),
        _ => format!(
            "The examination of the data found {errors} error{} and {warnings} warning{}.",
            plural(errors),
            plural(warnings),
        ),
    })
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn times(count: u64) -> String {
    match count {
        1 => "once".to_owned(),
        _ => format!("{count} times"),
    }
}

fn percent(share: f64) -> String {
    match share.is_nan() {
        true => "an unknown share".to_owned(),
        false => format!("{:.1} %", 100.0 * share),
    }
}

fn range(interval: Option<Interval>) -> String {
    interval.map_or("unknown".to_owned(), |interval| {
        format!(
            "{:.1} to {:.1} %",
            100.0 * interval.low,
            100.0 * interval.high
        )
    })
}
