//! Figures of the history of a training.

use vision_interp::{Error, plot_losses, plot_metrics, plot_rates};
use vision_learner::{EpochRow, Recorder};

use crate::support::texts;

/// Two epochs of four batches.
fn recorder() -> Recorder {
    let row = |epoch: usize, train_loss: f64, valid_loss: f64| {
        // Not all fields can be named here, but those of the file can be read.
        let json = serde_json::json!({
            "epoch": epoch, "train_loss": train_loss, "valid_loss": valid_loss,
            "metrics": [0.5 + 0.2 * epoch as f64, null], "images": 40,
        });
        serde_json::from_value::<EpochRow>(json).unwrap()
    };
    Recorder {
        metric_names: vec!["accuracy".to_owned(), "<never known>".to_owned()],
        epochs: vec![row(0, 0.6, 0.65), row(1, 0.2, 0.3)],
        lrs: (0..8).map(|i| 1e-3 * f64::from(i + 1)).collect(),
        group_lrs: (0..8)
            .map(|i| vec![1e-4 * f64::from(i + 1), 1e-3 * f64::from(i + 1)])
            .collect(),
        moms: vec![0.95, 0.9, 0.85, 0.8, 0.85, 0.9, 0.92, 0.95],
        losses: vec![0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2],
        raw_losses: vec![0.9; 8],
        kept: None,
    }
}

#[test]
fn losses_are_of_training_and_validation() {
    let shown = texts(&plot_losses(&recorder()).unwrap().to_svg(), "text");
    for text in [
        "Losses",
        "training (smoothed)",
        "validation",
        "batches",
        "loss",
    ] {
        assert!(
            shown.iter().any(|shown| shown == text),
            "{text} is not in {shown:?}"
        );
    }
    let mut without = recorder();
    without
        .epochs
        .iter_mut()
        .for_each(|row| row.valid_loss = None);
    let shown = texts(&plot_losses(&without).unwrap().to_svg(), "text");
    assert!(
        !shown.iter().any(|shown| shown == "validation"),
        "{shown:?}"
    );
}

#[test]
fn each_metric_that_is_known_has_its_chart() {
    let shown = texts(&plot_metrics(&recorder()).unwrap().to_svg(), "text");
    assert!(shown.iter().any(|shown| shown == "accuracy"), "{shown:?}");
    assert!(
        !shown.iter().any(|shown| shown == "<never known>"),
        "{shown:?}"
    );
}

#[test]
fn rates_are_of_the_first_and_the_last_group_and_of_the_momentum() {
    let shown = texts(&plot_rates(&recorder()).unwrap().to_svg(), "text");
    for text in ["last layer group", "first layer group", "momentum"] {
        assert!(
            shown.iter().any(|shown| shown == text),
            "{text} is not in {shown:?}"
        );
    }
    let mut one = recorder();
    one.group_lrs = one.lrs.iter().map(|lr| vec![*lr]).collect();
    one.moms = Vec::new();
    let shown = texts(&plot_rates(&one).unwrap().to_svg(), "text");
    assert!(
        !shown
            .iter()
            .any(|shown| shown == "momentum" || shown.contains("group")),
        "{shown:?}"
    );
}

#[test]
fn a_record_without_numbers_is_an_error() {
    let none = Recorder::default();
    for error in [plot_losses(&none), plot_metrics(&none), plot_rates(&none)] {
        let error = error.unwrap_err();
        assert!(matches!(error, Error::Figure(_)), "{error}");
    }
    let many = Recorder {
        metric_names: vec![String::new(); 21],
        ..recorder()
    };
    assert!(
        plot_metrics(&many)
            .unwrap_err()
            .to_string()
            .contains("more than 20")
    );
}

#[test]
fn the_curves_are_a_table_with_a_row_for_each_batch() {
    let mut record = recorder();
    record.raw_losses[1] = f64::NAN;
    let table = record.batches_to_csv();
    let mut lines = table.lines();
    let header = "batch,loss,smoothed_loss,lr,momentum,lr_0,lr_1";
    assert_eq!(lines.next(), Some(header));
    assert_eq!(lines.next(), Some("1,0.9,0.9,0.001,0.95,0.0001,0.001"));
    assert_eq!(lines.next(), Some("2,,0.8,0.002,0.9,0.0002,0.002"));
    assert_eq!(lines.count(), 6);
    let empty = Recorder::default().batches_to_csv();
    assert_eq!(empty, "batch,loss,smoothed_loss,lr,momentum\n");
}
