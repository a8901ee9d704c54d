//! Reports, and comparisons of two models.

use vision::data::{MultiLabels, Targets};
use vision::interp::{ClassificationInterpretation, MultiLabelInterpretation, ReportConfig};
use vision::learner::{Predictions, Threshold};

use crate::support::{Folder, learner};
use crate::table::{ANY, Table};
use crate::values::{F32, U32, USIZE, texts, writable};

pub(crate) fn table(t: &mut Table) {
    let folder = Folder::new();
    let trained = learner(&folder.digits());
    let interp = ClassificationInterpretation::from_learner(&trained).unwrap();
    let plain = || ReportConfig::new().with_doctor(false).with_heatmaps(false);
    let report = |config: ReportConfig| interp.report_with(&trained, &config);
    t.line("ReportConfig::with_top_losses", "top_losses", USIZE, |n| {
        report(plain().with_top_losses(n))
    });
    t.line(
        "ReportConfig::with_confused_pairs",
        "confused_pairs",
        USIZE,
        |n| report(plain().with_confused_pairs(n)),
    );
    t.line(
        "ReportConfig::with_label_errors",
        "label_errors",
        USIZE,
        |n| report(plain().with_label_errors(n)),
    );
    t.line("ReportConfig::with_image_size", "image_size", U32, |n| {
        report(plain().with_image_size(n))
    });
    t.line("ReportConfig::with_title", ANY, texts(), |text| {
        report(plain().with_title(text))
    });
    t.line("ReportConfig::with_note", ANY, texts(), |text| {
        report(plain().with_note(text))
    });
    t.line("ReportConfig::with_comparison", ANY, texts(), |text| {
        report(plain().with_comparison(text, interp.clone()))
    });
    t.paths("HtmlReport::save", writable(folder.path()), |path| {
        report(plain()).unwrap().save(path)
    });
    t.line(
        "ClassificationInterpretation::plot_changed",
        "draw",
        USIZE,
        |k| interp.plot_changed(&interp.clone(), k),
    );
    t.line("Threshold::check", "threshold", USIZE, |n| {
        Threshold::from([0.5; 2]).check(n)
    });
    t.line("Threshold::of", ANY, USIZE, |n| {
        Some(Threshold::from([0.5; 2]).of(n))
    });
    t.line(
        "MultiLabelInterpretation::with_threshold",
        "threshold",
        F32,
        |x| several().with_threshold([x, 0.5]),
    );
}

fn several() -> MultiLabelInterpretation {
    let mut labels = MultiLabels::new(2);
    labels.push([0]).unwrap();
    let predictions = Predictions {
        probabilities: vec![0.9, 0.1],
        classes: 2,
        targets: Targets::MultiCategory(labels),
        losses: vec![0.1],
        indices: vec![0],
    };
    let classes = vec!["a".to_owned(), "b".to_owned()];
    let image = |_| Ok(image::RgbImage::new(8, 8));
    MultiLabelInterpretation::from_predictions(classes, predictions, image).unwrap()
}
