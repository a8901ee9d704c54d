//! Logs for TensorBoard, read back by its own reader (scripts/check_tensor_board.py).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use vision_data::ImageDataBunch;
use vision_data::datasets::synthetic;
use vision_interp::TensorBoard;
use vision_learner::{
    Callback, Context, Error, FitConfig, Learner, Recorder, Result, Resumable, accuracy, create_cnn,
};
use vision_models::Arch;

fn learner(folder: &Path) -> Learner {
    let path = folder.join("digits");
    if !path.exists() {
        synthetic::digits(&path, 1, 12, 5).unwrap();
    }
    let data = ImageDataBunch::from_folder(path)
        .batch_size(8)
        .build()
        .unwrap();
    let builder = create_cnn(data, Arch::SqueezeNet1_1)
        .pretrained(false)
        .metrics([accuracy()]);
    builder.path(folder).silent(true).build().unwrap()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join("logs")).unwrap();
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The records of a file: of each, the length that it says and its message.
fn records(file: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(file).unwrap();
    let (mut rest, mut records) = (&bytes[..], Vec::new());
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        records.push(rest[12..12 + length].to_vec());
        rest = &rest[12 + length + 4..];
    }
    records
}

/// Ends the process, as it were, in the second epoch.
struct Crash;

impl Callback for Crash {
    fn on_batch_begin(&mut self, ctx: &mut Context<'_>) -> Result<()> {
        match (ctx.state.epoch, ctx.state.num_batch) {
            (1, 1) => Err(Error::Callback {
                name: "Crash".to_owned(),
                source: "the process ends here".into(),
            }),
            _ => Ok(()),
        }
    }
}

fn fit(learner: &mut Learner, crash: bool) -> Result<Recorder> {
    let config = FitConfig::one_cycle(2).with_callback(TensorBoard::new("logs").with_images(4));
    let config = config.resumable(Resumable::new("run").every_steps(2));
    match crash {
        true => learner.fit_with(config.with_callback(Crash)),
        false => learner.fit_with(config),
    }
}

#[test]
fn a_fit_writes_one_file_with_a_record_for_each_batch_and_epoch() {
    let folder = tempfile::tempdir().unwrap();
    fit(&mut learner(folder.path()), false).unwrap();
    let files = files(folder.path());
    assert_eq!(files.len(), 1);
    assert!(files[0].to_str().unwrap().contains("tfevents"));
    // The version, 3 batches and the end of each of 2 epochs.
    let records = records(&files[0]);
    assert_eq!(records.len(), 1 + 2 * 4);
    let holds = |record: &[u8], text: &str| {
        record
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    assert!(holds(&records[0], "brain.Event:2"));
    assert!(holds(&records[1], "train/loss") && holds(&records[1], "hyper/lr_0"));
    assert!(holds(&records[4], "valid/accuracy") && holds(&records[4], "valid/top_losses"));
    let wrong = TensorBoard::new("logs").with_images(100_000);
    let error = learner(folder.path()).fit_with(FitConfig::new(1).with_callback(wrong));
    assert!(matches!(error, Err(Error::Option(_))));
}

#[test]
#[ignore = "needs Python: set VISION_PYTHON (CONTRIBUTING.md)"]
fn tensorboard_reads_what_the_record_holds_also_after_an_interruption() {
    let folder = tempfile::tempdir().unwrap();
    let mut dying = learner(folder.path());
    fit(&mut dying, true).unwrap_err();
    drop(dying);
    // Rows of another process than the one that wrote the beginning.
    let mut again = learner(folder.path());
    let config = FitConfig::one_cycle(2).with_callback(TensorBoard::new("logs").with_images(4));
    let config = config
        .with_callback(Never)
        .resumable(Resumable::new("run").every_steps(2));
    let record = again.fit_with(config).unwrap();
    assert_eq!(files(folder.path()).len(), 1);

    let python = std::env::var("VISION_PYTHON").expect("VISION_PYTHON is set");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/check_tensor_board.py");
    let output = Command::new(python)
        .arg(script)
        .arg(folder.path().join("logs"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();
    let scalars: BTreeMap<String, Vec<(usize, f64)>> =
        serde_json::from_value(read["scalars"].clone()).unwrap();
    let check = |tag: &str, expected: Vec<(usize, f64)>| {
        let found = &scalars[tag];
        assert_eq!(found.len(), expected.len(), "{tag}");
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(found.0, expected.0, "{tag}");
            assert!(
                (found.1 - expected.1).abs() <= 1e-6 * expected.1.abs(),
                "{tag}: {found:?}, {expected:?}"
            );
        }
    };
    let batches = |values: &[f64]| values.iter().copied().enumerate().collect::<Vec<_>>();
    check("train/loss", batches(&record.raw_losses));
    check("train/smooth_loss", batches(&record.losses));
    check("hyper/mom", batches(&record.moms));
    for group in 0..record.group_lrs[0].len() {
        let rates: Vec<f64> = record.group_lrs.iter().map(|rates| rates[group]).collect();
        check(&format!("hyper/lr_{group}"), batches(&rates));
    }
    let epochs = |value: &dyn Fn(usize) -> f64| vec![(2, value(0)), (5, value(1))];
    check(
        "valid/loss",
        epochs(&|epoch| record.epochs[epoch].valid_loss.unwrap()),
    );
    check(
        "valid/accuracy",
        epochs(&|epoch| record.epochs[epoch].metrics[0]),
    );
    let images: Vec<[u64; 5]> =
        serde_json::from_value(read["images"]["valid/top_losses"].clone()).unwrap();
    assert_eq!(
        images.iter().map(|image| image[0]).collect::<Vec<_>>(),
        [2, 5]
    );
    assert!(
        images
            .iter()
            .all(|[_, w, h, width, height]| w == width && h == height && *w > 100)
    );
}

/// Named as [`Crash`], which the fit began with.
struct Never;

impl Callback for Never {
    fn name(&self) -> String {
        "Crash".to_owned()
    }
}
