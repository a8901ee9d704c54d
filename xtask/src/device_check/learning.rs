//! What a learner does with data: steps, cached features, test-time augmentation, export.

use std::path::Path;

use vision::data::Device;
use vision::data::datasets::synthetic;
use vision::learner::{BnFreeze, Precision};
use vision::prelude::*;

use super::difference::{Difference, largest, norm};
use super::table::Table;
use crate::Result;

const PART: &str = "learning";
const BATCH: usize = 8;
const STEPS: usize = 20;
/// Relative.
const FIRST_LOSS: f64 = 1e-4;
/// The norm of the differences of all losses over that of the losses: rounding grows from step to step.
const LOSSES: f64 = 0.05;
/// The largest learning rate of the steps.
const RATE: f64 = 1e-4;
/// The same where steps with activations of 16 bits are compared: at `RATE`, 20 steps multiply a difference of the first loss
/// by thousands, so that they would say nothing.
const HALF_RATE: f64 = 1e-5;
/// Allowed for the first loss (relative) and for those of all steps, with 8 bits of precision and with 11.
const HALF_BF16: [f64; 2] = [0.05, 0.2];
const HALF_F16: [f64; 2] = [0.01, 0.05];
/// The sum of the second half of the losses over that of the first. On the CPU in 32 bits it is 0.62.
const LEARNED: f64 = 0.8;
/// Of the largest probability.
const PROBABILITIES: f64 = 1e-4;

/// Compares with the CPU.
pub(super) fn check(device: &Device, cpu: &Device, table: &mut Table) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = &folder.path().join("digits");
    // Of each of two classes.
    synthetic::digits(path, 1, STEPS * BATCH / 2, 2 * BATCH)?;
    for frozen in [false, true] {
        steps(path, frozen, [device, cpu], table)?;
    }
    for precision in [Precision::Bf16, Precision::F16] {
        half(path, precision, [device, cpu], table)?;
    }
    let mut here = learner(path, cpu, BnFreeze::Off, Precision::F32)?;
    here.fit_one_cycle(1, 1e-3)?;
    let saved = here.save("trained")?;
    let predictions = |learner: &Learner| learner.get_preds(DatasetType::Valid);
    let expected = [predictions(&here)?, here.tta(DatasetType::Valid)?];
    let [plain, augmented] = expected.map(|found| wide(&found.probabilities));
    let there = || -> Result<Learner> {
        let mut learner = learner(path, device, BnFreeze::Off, Precision::F32)?;
        learner.load(&saved)?;
        Ok(learner)
    };
    table.check(PART, "predictions of weights of the CPU", || {
        let found = there().and_then(|learner| Ok(predictions(&learner)?.probabilities));
        probabilities(found, &plain)
    });
    table.check(PART, "test-time augmentation", || {
        let found = there().and_then(|learner| Ok(learner.tta(DatasetType::Valid)?.probabilities));
        probabilities(found, &augmented)
    });
    table.check(PART, "predictions of an exported model, on the CPU", || {
        let found = there().and_then(|learner| {
            let file = path.join("exported.safetensors");
            learner.export(&file)?;
            let predictor = Predictor::open_on(&file, cpu.clone())?;
            let found = predictor.get_preds(here.data(), DatasetType::Valid)?;
            Ok(found.probabilities)
        });
        probabilities(found, &plain)
    });
    table.check(PART, "ONNX", || {
        let written = there().and_then(|learner| Ok(learner.export_onnx(path.join("model.onnx"))?));
        outcome(0.0, written.map(|()| (0.0, "written".to_owned())))
    });
    table.check(
        PART,
        "features that are kept, against those computed anew",
        || outcome(FIRST_LOSS, features(path, device)),
    );
    Ok(())
}

/// A ResNet-18. The dropout of its head draws on the host, the same on each device.
fn learner(
    path: &Path,
    device: &Device,
    bn_freeze: BnFreeze,
    precision: Precision,
) -> Result<Learner> {
    let data = ImageDataBunch::from_folder(path)
        .batch_size(BATCH)
        .normalize(Stats::IMAGENET)
        .device(device.clone())
        .build()?;
    let learner = create_cnn(data, Arch::ResNet18)
        .pretrained(false)
        .bn_freeze(bn_freeze)
        .precision(precision)
        .metrics([accuracy()])
        .seed(1)
        .silent(true);
    Ok(learner.build()?)
}

/// The losses of the steps of one epoch.
fn losses(
    path: &Path,
    frozen: bool,
    device: &Device,
    precision: Precision,
    rate: f64,
) -> Result<Vec<f64>> {
    let mut learner = learner(path, device, BnFreeze::Off, precision)?;
    if frozen {
        learner.freeze()?;
    }
    let record = learner.fit_one_cycle(1, rate)?;
    let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
    let broken = learner
        .weights()
        .into_iter()
        .find(|tensor| !finite(&tensor.values));
    match broken {
        Some(tensor) => Err(format!("{} is not finite", tensor.name).into()),
        None => Ok(record.raw_losses),
    }
}

fn steps(path: &Path, frozen: bool, [device, cpu]: [&Device; 2], table: &mut Table) -> Result<()> {
    let expected = losses(path, frozen, cpu, Precision::F32, RATE)?;
    let which = if frozen { "frozen steps" } else { "steps" };
    let mut first_run = None;
    table.check(
        PART,
        &format!("the loss of the first of {STEPS} {which}"),
        || {
            let found = losses(path, frozen, device, Precision::F32, RATE);
            let difference = found.map(|found| {
                let error = norm(&found[..1], &expected[..1], expected[0]);
                first_run = Some(found);
                (error, String::new())
            });
            outcome(FIRST_LOSS, difference)
        },
    );
    let Some(found) = first_run else {
        return Ok(());
    };
    table.check(PART, &format!("the losses of {STEPS} {which}"), || {
        let scale = expected.iter().map(|loss| loss * loss).sum::<f64>().sqrt();
        let last = [&found, &expected].map(|losses| losses.last().copied().unwrap_or(f64::NAN));
        let note = format!("last {:.4}, on the CPU {:.4}", last[0], last[1]);
        outcome(LOSSES, Ok((norm(&found, &expected, scale), note)))
    });
    table.check(PART, &format!("the same {STEPS} {which} again"), || {
        let again = losses(path, frozen, device, Precision::F32, RATE).map(|again| {
            let scale = found.iter().map(|loss| loss * loss).sum::<f64>().sqrt();
            let note = match again == found {
                true => "the same bits: repeatable",
                false => "not the same bits",
            };
            (norm(&again, &found, scale), note.to_owned())
        });
        outcome(LOSSES, again)
    });
    Ok(())
}

/// Steps with activations of 16 bits, if the device has them.
fn half(
    path: &Path,
    precision: Precision,
    [device, cpu]: [&Device; 2],
    table: &mut Table,
) -> Result<()> {
    if let Err(refused) = learner(path, device, BnFreeze::Off, precision) {
        table.check(PART, &format!("{precision:?}"), || {
            outcome(0.0, Ok((0.0, refused.to_string())))
        });
        return Ok(());
    }
    let (first, all) = match precision {
        Precision::Bf16 => (HALF_BF16[0], HALF_BF16[1]),
        _ => (HALF_F16[0], HALF_F16[1]),
    };
    let expected = losses(path, false, cpu, Precision::F32, HALF_RATE)?;
    let mut found = Vec::new();
    let name = format!("the loss of the first step in {precision:?}");
    table.check(PART, &name, || {
        let run = losses(path, false, device, precision, HALF_RATE).map(|losses| {
            found = losses;
            let error = norm(&found[..1], &expected[..1], expected[0]);
            let note = format!("{:.4}, on the CPU in F32 {:.4}", found[0], expected[0]);
            (error, note)
        });
        outcome(first, run)
    });
    table.check(PART, &format!("{STEPS} steps in {precision:?}"), || {
        let scale = expected.iter().map(|loss| loss * loss).sum::<f64>().sqrt();
        let (here, there) = (text(&found), text(&expected));
        let note = format!("losses {here}; on the CPU in F32 {there}");
        outcome(all, Ok((norm(&found, &expected, scale), note)))
    });
    table.check(PART, &format!("{precision:?} learns"), || {
        let run = losses(path, false, device, precision, RATE).map(|losses| {
            let (early, late) = losses.split_at(STEPS / 2);
            let fall = late.iter().sum::<f64>() / early.iter().sum::<f64>();
            let note = format!("the second ten losses over the first: {}", text(&losses));
            (fall, note)
        });
        outcome(LEARNED, run)
    });
    Ok(())
}

fn text(losses: &[f64]) -> String {
    let texts: Vec<String> = losses.iter().map(|loss| format!("{loss:.2}")).collect();
    texts.join(" ")
}

/// The losses of two epochs, with the features of a frozen body kept and without.
fn features(path: &Path, device: &Device) -> Result<(f64, String)> {
    let mut found = Vec::new();
    for kept in [false, true] {
        let mut learner = learner(path, device, BnFreeze::Frozen, Precision::F32)?;
        learner.freeze()?;
        if kept {
            learner.cache_features()?;
        }
        found.push(learner.fit_one_cycle(2, 1e-3)?.raw_losses);
    }
    let note = match found[0] == found[1] {
        true => "the same bits",
        false => "not the same bits",
    };
    Ok((largest(&found[1], &found[0]), note.to_owned()))
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

fn probabilities(found: Result<Vec<f32>>, expected: &[f64]) -> Difference {
    let found = found.map(|found| (largest(&wide(&found), expected), String::new()));
    outcome(PROBABILITIES, found)
}

/// An error fails the check.
fn outcome(tolerance: f64, found: Result<(f64, String)>) -> Difference {
    let (error, note) = found.unwrap_or_else(|error| (f64::INFINITY, error.to_string()));
    Difference {
        error,
        tolerance,
        note,
    }
}
