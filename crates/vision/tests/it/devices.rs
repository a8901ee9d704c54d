//! What another device computes is what the CPU computes.
//!
//! Runs on every GPU backend that is compiled in, or on the device that `VISION_TEST_DEVICE` names:
//! `cargo test -p vision --features wgpu --test it devices`. docs/devices.md says what was seen.

use std::path::Path;

use vision::data::{Device, device};
use vision::learner::Recorder;
use vision::prelude::*;

use crate::support;

/// The devices to compare with the CPU; says so if there is none.
fn devices() -> Vec<(String, Device)> {
    let names = match std::env::var("VISION_TEST_DEVICE") {
        Ok(name) => vec![name],
        Err(_) => {
            let gpus = device::compiled().into_iter();
            let gpus = gpus.filter(|name| !["flex", "ndarray"].contains(name));
            gpus.map(str::to_owned).collect()
        }
    };
    let open = |name: String| match device::parse(&name) {
        Ok(device) => Some((name, device)),
        Err(e) => {
            eprintln!("skipped: {e}");
            None
        }
    };
    let found: Vec<_> = names.into_iter().filter_map(open).collect();
    if found.is_empty() {
        eprintln!("skipped: no device but the CPU; build with --features wgpu or cuda");
    }
    found
}

fn learner(path: &Path, device: &Device) -> Learner {
    let data = ImageDataBunch::from_folder(path)
        .batch_size(8)
        .normalize(Stats::IMAGENET)
        .device(device.clone());
    support::learner(data.build().unwrap())
}

#[test]
fn another_device_predicts_what_the_cpu_predicts() {
    let digits = support::digits(20, 20);
    let cpu = device::parse("cpu").unwrap();
    for (name, device) in devices() {
        let mut here = learner(&digits.path, &cpu);
        here.fit_one_cycle(1, 1e-3).unwrap();
        let saved = here.save("trained").unwrap();
        let expected = here.get_preds(DatasetType::Valid).unwrap();
        let mut there = learner(&digits.path, &device);
        there.load(saved).unwrap();
        let found = there.get_preds(DatasetType::Valid).unwrap();
        assert_eq!(found.targets, expected.targets);
        let pairs = found.probabilities.iter().zip(&expected.probabilities);
        let largest = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!(
            "{name}, {}: largest difference of a probability {largest:.1e}",
            device::describe(&device)
        );
        assert!(largest < 1e-4, "{name}: {largest}");
    }
}

/// Trains for an epoch of five batches from the same weights.
fn trained(path: &Path, device: &Device, frozen: bool) -> (Learner, Recorder) {
    let mut learner = learner(path, device);
    if frozen {
        learner.freeze().unwrap();
    }
    let record = learner.fit_one_cycle(1, 1e-4).unwrap();
    (learner, record)
}

#[test]
fn another_device_trains_with_finite_gradients_and_the_losses_of_the_cpu() {
    let digits = support::digits(20, 4);
    let cpu = device::parse("cpu").unwrap();
    for (name, device) in devices() {
        for frozen in [false, true] {
            let (_, expected) = trained(&digits.path, &cpu, frozen);
            let before = learner(&digits.path, &device).weights();
            let (there, found) = trained(&digits.path, &device, frozen);
            // Adam turns a gradient that is not finite into a weight that is not.
            for (old, new) in before.iter().zip(there.weights()) {
                assert!(new.values.iter().all(|v| v.is_finite()), "{}", new.name);
                let still = frozen && new.name.starts_with("0.") && new.shape.len() == 4;
                assert_eq!(old.values == new.values, still, "{name}: {}", new.name);
            }
            println!(
                "{name}, frozen {frozen}: losses {:?}, on the CPU {:?}",
                found.raw_losses, expected.raw_losses
            );
            assert_eq!(found.raw_losses.len(), 5);
            let first = (found.raw_losses[0] - expected.raw_losses[0]).abs();
            assert!(first < 1e-4 * expected.raw_losses[0], "{name}: {first}");
            // Rounding grows from step to step; the course stays the same.
            for (a, b) in found.raw_losses.iter().zip(&expected.raw_losses) {
                assert!((a - b).abs() < 0.05 * b + 0.01, "{name}: {a} is not {b}");
            }
        }
    }
}
