//! What another device computes is what the CPU computes.
//!
//! Runs on every GPU backend that is compiled in, or on the device that `VISION_TEST_DEVICE` names:
//! `cargo test -p vision --features wgpu --test it devices -- --ignored`. docs/devices.md says what was seen.

use std::path::Path;

use vision::data::{Device, device};
use vision::learner::Recorder;
use vision::prelude::*;

use crate::support;

/// The devices to compare with the CPU: at least one.
fn devices() -> Vec<(String, Device)> {
    let names = match std::env::var("VISION_TEST_DEVICE") {
        Ok(name) => vec![name],
        Err(_) => {
            let gpus = device::compiled().into_iter();
            let gpus = gpus.filter(|name| *name != "flex");
            gpus.map(str::to_owned).collect()
        }
    };
    let found: Vec<_> = names
        .into_iter()
        .map(|name| (name.clone(), device::parse(&name).unwrap()))
        .collect();
    assert!(
        !found.is_empty(),
        "no device but the CPU: build with --features wgpu or cuda, or set VISION_TEST_DEVICE"
    );
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
#[ignore = "needs a GPU: --features wgpu or cuda, or VISION_TEST_DEVICE"]
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
        println!("{name}: {}", device::describe(&device));
        let (found, expected) = (found.probabilities, expected.probabilities);
        support::close(&name, &found, &expected, 0.0, 1e-4);
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
#[ignore = "needs a GPU: --features wgpu or cuda, or VISION_TEST_DEVICE"]
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
            let (found, expected) = (found.raw_losses, expected.raw_losses);
            support::close(&name, &found[..1], &expected[..1], 1e-4, 0.0);
            // Rounding grows from step to step; the course stays the same.
            support::close(&name, &found, &expected, 0.05, 0.01);
        }
    }
}
