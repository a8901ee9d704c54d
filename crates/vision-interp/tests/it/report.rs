//! The report: one page, whatever the data.

use std::fs;
use std::path::Path;

use image::RgbImage;
use sha2::{Digest as _, Sha256};
use vision_data::datasets::synthetic;
use vision_data::{DatasetType, Decision, Decisions, ImageDataBunch, ReadConfig, Targets};
use vision_figure::base64;
use vision_interp::{
    ClassificationInterpretation, Error, HtmlReport, MultiLabelInterpretation, ReportConfig,
};
use vision_learner::{FitConfig, Learner, LrFindConfig, Predictions, accuracy, create_cnn};
use vision_models::Arch;

use crate::support::{gray, texts};

fn learner(data: ImageDataBunch) -> Learner {
    create_cnn(data, Arch::ResNet18)
        .pretrained(false)
        .metrics([accuracy()])
        .silent(true)
        .build()
        .unwrap()
}

/// A learner that has been trained a little, on images of 28 x 28.
fn trained(folder: &Path) -> Learner {
    let path = synthetic::digits(&folder.join("digits"), 1, 20, 5).unwrap();
    // No image stays in memory, so that a deleted file is missed.
    let data = ImageDataBunch::from_folder(path).reading(ReadConfig::new().with_memory(0));
    let data = data.batch_size(16).build();
    let mut learner = learner(data.unwrap());
    learner
        .lr_find_with(LrFindConfig::new().with_num_it(12))
        .unwrap();
    learner
        .fit_with(FitConfig::one_cycle(2).with_lr(1e-3))
        .unwrap();
    learner
}

/// Checks what holds for every page, and returns its text without scripts and styles.
fn check(report: &HtmlReport) -> String {
    let html = report.html();
    assert!(html.trim_start().starts_with("<!DOCTYPE html>"));
    // Nothing is loaded, and nothing leads out of the page.
    for (attribute, allowed) in [("src=\"", "data:image/"), ("href=\"", "#")] {
        for value in html.split(attribute).skip(1) {
            let is_data = value.starts_with("data:image/");
            assert!(
                value.starts_with(allowed) || is_data,
                "{attribute}{value:.60}"
            );
        }
    }
    // The only script is the one whose hash the page allows.
    assert_eq!(html.matches("<script").count(), 1);
    let script = between(html, "<script>", "</script>");
    let hash = format!("'sha256-{}'", base64(&Sha256::digest(script)));
    assert!(html.contains(&hash));
    assert_eq!(html.matches("<style").count(), 1);
    assert!(!html.contains("onerror") && !html.contains("onload"));
    // Each chart is a document of its own.
    for svg in html.split("<svg").skip(1) {
        let svg = format!("<svg{}</svg>", svg.split("</svg>").next().unwrap());
        assert!(!texts(&svg, "title").is_empty());
    }
    let text = html.replace(script, "");
    let style = between(html, "<style>", "</style>");
    text.replace(style, "")
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let from = text.find(start).unwrap() + start.len();
    &text[from..from + text[from..].find(end).unwrap()]
}

#[test]
fn a_report_has_all_sections_and_needs_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let learner = trained(folder.path());
    let interp = ClassificationInterpretation::from_learner(&learner).unwrap();
    let config = ReportConfig::new()
        .with_title("Digits & friends")
        .with_note("Made for a test.");
    let report = interp.report_with(&learner, &config).unwrap();
    assert_eq!(report.problems(), [""; 0]);
    let text = check(&report);
    for id in [
        "summary",
        "scores",
        "confusion",
        "losses",
        "calibration",
        "training",
        "data",
        "settings",
    ] {
        assert!(text.contains(&format!("<section id=\"{id}\"")), "{id}");
        assert!(text.contains(&format!("<a href=\"#{id}\">")), "{id}");
    }
    assert!(text.contains("<h1>Digits &amp; friends</h1>"));
    assert!(text.contains("Made for a test."));
    let right = interp.confusion_matrix().correct();
    assert!(text.contains(&format!("It is right for {right} of 10 validation images")));
    assert!(text.contains(
        "resnet18 was trained for 2 epochs, with 40 training images of 2 classes: 3, 7."
    ));
    assert!(text.contains(&learner.data().fingerprint().hash));
    assert!(text.contains("Learning rate finder"));
    // Twelve losses were asked for, and ten images are there.
    assert_eq!(
        between(&text, "id=\"losses\"", "</section>")
            .matches("<li class=\"card\"")
            .count(),
        10
    );
    // The same every time, but for the seconds.
    let plain = |report: &HtmlReport| report.html().to_owned();
    assert_eq!(
        plain(&report),
        plain(&interp.report_with(&learner, &config).unwrap())
    );
    let path = folder.path().join("report.html");
    report.save(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), report.html());
    let error = report
        .save(folder.path().join("none/report.html"))
        .unwrap_err();
    assert!(matches!(error, Error::Io(_)), "{error}");
}

#[test]
fn names_of_classes_and_files_are_only_text() {
    let folder = tempfile::tempdir().unwrap();
    let digits = synthetic::digits(&folder.path().join("digits"), 1, 6, 3).unwrap();
    let root = folder.path().join("data");
    let classes = [
        ("3", "<script>alert(1)<⁄script>"),
        ("7", "\"><img src=x onerror=alert(2)> {{ 7*7 }}"),
    ];
    for part in ["train", "valid"] {
        for (from, to) in classes {
            let to = root.join(part).join(to);
            fs::create_dir_all(&to).unwrap();
            for (i, file) in fs::read_dir(digits.join(part).join(from))
                .unwrap()
                .enumerate()
            {
                let name = format!("'\"><script>alert({i})<⁄script>&amp;{{% raw %}}.png");
                fs::copy(file.unwrap().path(), to.join(name)).unwrap();
            }
        }
    }
    let data = ImageDataBunch::from_folder(root)
        .batch_size(4)
        .build()
        .unwrap();
    let learner = learner(data);
    let interp = ClassificationInterpretation::from_learner(&learner).unwrap();
    let config = ReportConfig::new()
        .with_title("</title><script>alert(3)</script>")
        .with_note("<script src=\"https://example.org/x.js\"></script>")
        .with_comparison("<b>older</b>", interp.clone());
    let report = interp.report_with(&learner, &config).unwrap();
    let html = report.html().replace("onerror=alert(2)", "");
    assert_eq!(
        html.matches("<script").count(),
        1,
        "one script, that of the page"
    );
    assert!(!html.contains("<img src=x") && !html.contains("<b>older"));
    assert!(
        html.contains("{{ 7*7 }}") && html.contains("{% raw %}"),
        "no template of a name is filled"
    );
    assert!(
        html.contains("&lt;script&gt;alert(3)&lt;&#x2f;script&gt;")
            || html.contains("&lt;script&gt;alert(3)&lt;/script&gt;")
    );
}

#[test]
fn a_section_that_cannot_be_made_says_why_and_the_rest_stands() {
    let folder = tempfile::tempdir().unwrap();
    let learner = trained(folder.path());
    let classes = || learner.data().classes().to_vec();
    let predictions = |probabilities: Vec<f32>, targets: Vec<u32>| Predictions {
        losses: vec![0.5; targets.len()],
        indices: (0..targets.len()).collect(),
        classes: 2,
        probabilities,
        targets: Targets::Category(targets),
    };
    let report = |predictions| {
        let interp = ClassificationInterpretation::from_predictions(classes(), predictions, gray);
        interp.unwrap().report(&learner).unwrap()
    };

    let empty = report(predictions(vec![], vec![]));
    let text = check(&empty);
    assert!(text.contains("There are no images, so nothing is known of its mistakes."));
    assert!(
        empty
            .problems()
            .iter()
            .any(|problem| problem.contains("at least one item"))
    );

    let nan = report(predictions(vec![f32::NAN, f32::NAN, 0.2, 0.8], vec![0, 1]));
    check(&nan);
    assert!(
        nan.problems().iter().any(|problem| problem.contains("NaN")),
        "{:?}",
        nan.problems()
    );
    assert!(nan.html().contains("id=\"settings\"") && nan.html().contains("Losses"));

    let one_class = report(predictions(vec![0.9, 0.1, 0.8, 0.2], vec![0, 0]));
    check(&one_class);
    assert!(
        one_class
            .html()
            .contains("No image was taken for another class.")
    );

    // Predictions without files have no heat maps, and an image that cannot be read says so.
    let broken = |item: usize| match item {
        0 => Err("the disk is gone".into()),
        _ => Ok(RgbImage::new(28, 28)),
    };
    let pair = predictions(vec![0.1, 0.9, 0.8, 0.2], vec![0, 0]);
    let interp = ClassificationInterpretation::from_predictions(classes(), pair, broken).unwrap();
    let report = interp.report(&learner).unwrap();
    let text = check(&report);
    assert!(text.contains("the disk is gone") && text.contains("no image"));

    // Files that are deleted after the interpretation.
    let interp = ClassificationInterpretation::from_learner(&learner).unwrap();
    fs::remove_dir_all(learner.data().path().join("valid")).unwrap();
    let report = interp.report(&learner).unwrap();
    let text = check(&report);
    assert!(text.contains("cannot get the image of item 0"));
    let doctor = learner.data().doctor();
    assert!(!doctor.is_healthy(), "{doctor}");
    for finding in &doctor.findings {
        let title = finding.kind.title();
        assert!(text.contains(title), "the doctor says it too: {title}");
    }
}

#[test]
fn doubtful_labels_and_near_duplicates_can_be_decided_about() {
    let folder = tempfile::tempdir().unwrap();
    let learner = trained(folder.path());
    // Sure of the other class for one item.
    let mut probabilities = [0.95, 0.05].repeat(5);
    probabilities.extend([0.05, 0.95].repeat(5));
    probabilities[18..].copy_from_slice(&[0.99, 0.01]);
    let predictions = Predictions {
        probabilities,
        classes: 2,
        targets: Targets::Category([[0; 5], [1; 5]].concat()),
        losses: vec![0.1; 10],
        indices: (0..10).collect(),
    };
    let classes = learner.data().classes().to_vec();
    let interp = ClassificationInterpretation::from_predictions(classes, predictions, gray);
    let interp = interp
        .unwrap()
        .with_names(|item| format!("valid/{item}, again.png"));
    let config = ReportConfig::new().with_similar_images(true);
    let report = interp.report_with(&learner, &config).unwrap();
    let text = check(&report);
    let labels = between(&text, "<section id=\"labels\"", "</section>");
    assert_eq!(labels.matches("<li class=\"card\"").count(), 1);
    assert!(
        labels.contains("data-file=\"valid/9, again.png\" data-given=\"7\" data-suggested=\"3\"")
            || labels.contains(
                "data-file=\"valid&#x2f;9, again.png\" data-given=\"7\" data-suggested=\"3\""
            ),
        "{labels}"
    );
    assert!(text.contains("The model doubts 1 label of the images."));
    let similar = between(&text, "<section id=\"similar\"", "</section>");
    assert!(similar.contains("The most unusual images"));
    // Drawn digits of an untrained body all look alike; each image has its file and its label.
    assert!(
        similar.matches("data-given=").count() >= 12,
        "{similar:.500}"
    );
    // The class names can be chosen.
    assert!(text.contains("<option value=\"3\"></option>"));

    let trained_on = ClassificationInterpretation::from_learner_with(&learner, DatasetType::Fix);
    let report = trained_on.unwrap().report(&learner).unwrap();
    assert!(check(&report).contains("knows their labels by heart"));
}

/// What scripts/check_report.mjs saves from a page, with names that spreadsheets and CSV make hard.
#[test]
fn a_file_of_decisions_as_the_page_writes_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("decisions.csv");
    let written = "file,decision,label\n\"a, b.png\",keep,\n'=1.png,relabel,\"an \"\"other\"\", class\"\n' x.png,exclude,\n";
    fs::write(
        &file,
        written
            .replace("' x", "\" x")
            .replace("png,exclude", "png\",exclude"),
    )
    .unwrap();
    let read = Decisions::read(&file).unwrap();
    let mut expected = Decisions::new();
    expected.set("a, b.png", Decision::Keep).unwrap();
    let label = "an \"other\", class".to_owned();
    expected.set("=1.png", Decision::Relabel(label)).unwrap();
    expected.set(" x.png", Decision::Exclude).unwrap();
    assert!(read.iter().eq(expected.iter()), "{read:?}");
}

#[test]
fn several_classes_per_image_have_a_report_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = synthetic::digits(&folder.path().join("digits"), 1, 12, 5).unwrap();
    let files = vision_data::files::image_files(&path).unwrap();
    let labels = |path: &Path| -> Vec<&'static str> {
        match path.parent().unwrap().ends_with("3") {
            true => vec!["round", "odd"],
            false => vec!["odd"],
        }
    };
    let data = ImageDataBunch::from_name_func(path, files, labels).batch_size(8);
    let learner = create_cnn(data.build().unwrap(), Arch::ResNet18).pretrained(false);
    let learner = learner.silent(true).build().unwrap();
    let interp = MultiLabelInterpretation::from_learner(&learner).unwrap();
    let interp = interp.with_threshold([0.3, 0.6]).unwrap();
    let report = interp.report(&learner).unwrap();
    let text = check(&report);
    assert!(
        text.contains("at a threshold of 0.3, 0.6"),
        "{:?}",
        report.problems()
    );
    assert!(text.contains("most wrong:"));
    let error = interp.with_threshold([0.5; 3]).unwrap_err();
    assert!(error.to_string().contains("threshold"), "{error}");
}

#[test]
fn a_thousand_classes_and_ten_thousand_images_stay_below_three_megabytes() {
    let folder = tempfile::tempdir().unwrap();
    let classes: Vec<String> = (0..1000).map(|i| format!("class number {i}")).collect();
    let empty = ImageDataBunch::single_from_classes(folder.path(), classes.clone());
    let learner = learner(empty.build().unwrap());
    let items = 10_000;
    let mut probabilities = vec![0.0005; items * 1000];
    for item in 0..items {
        // A tenth is taken for one of a few neighbors.
        let off = if item % 10 == 0 { 1 + item / 10 % 3 } else { 0 };
        probabilities[item * 1000 + (item + off) % 1000] = 0.5005;
    }
    let predictions = Predictions {
        probabilities,
        classes: 1000,
        targets: Targets::Category((0..items).map(|item| (item % 1000) as u32).collect()),
        losses: (0..items)
            .map(|item| if item % 10 == 0 { 7.6 } else { 0.7 })
            .collect(),
        indices: (0..items).collect(),
    };
    let photo = |item: usize| {
        // Noise, which is the hardest for a JPEG.
        let value = |x: u32, y: u32| ((x * 2_654_435) ^ (y * 40_503) ^ (item as u32 * 97)) as u8;
        Ok(RgbImage::from_fn(224, 224, |x, y| {
            image::Rgb([value(x, y), value(y, x), value(x, x)])
        }))
    };
    let interp = ClassificationInterpretation::from_predictions(classes, predictions, photo);
    let report = interp.unwrap().report(&learner).unwrap();
    check(&report);
    let bytes = report.html().len();
    assert!(bytes < 3 << 20, "{bytes} bytes");
    assert!(report.html().contains("class number 999"));
}

#[test]
fn a_setting_outside_its_range_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let learner = trained(folder.path());
    let interp = ClassificationInterpretation::from_learner(&learner).unwrap();
    for (config, option) in [
        (ReportConfig::new().with_image_size(31), "image_size"),
        (ReportConfig::new().with_image_size(513), "image_size"),
        (ReportConfig::new().with_top_losses(501), "top_losses"),
        (
            ReportConfig::new().with_confused_pairs(501),
            "confused_pairs",
        ),
        (ReportConfig::new().with_label_errors(501), "label_errors"),
    ] {
        let error = interp.report_with(&learner, &config).unwrap_err();
        assert!(error.to_string().contains(option), "{error}");
    }
    let none = ReportConfig::new()
        .with_top_losses(0)
        .with_confused_pairs(0)
        .with_label_errors(0)
        .with_doctor(false)
        .with_heatmaps(false);
    let report = interp.report_with(&learner, &none).unwrap();
    assert!(!check(&report).contains("class=\"card\""));
    let other = vec!["a".to_owned(), "b".to_owned()];
    let predictions = interp.predictions().clone();
    let other = ClassificationInterpretation::from_predictions(other, predictions, gray).unwrap();
    let error = other.report(&learner).unwrap_err();
    assert!(error.to_string().contains("bad learner"), "{error}");
}
