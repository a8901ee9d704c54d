//! Times what a fit does besides its steps: saving one of them, averaging weights.

use serde_json::json;
use vision::data::datasets::synthetic;
use vision::data::{Device, ImageDataBunch};
use vision::learner::callbacks::Ema;
use vision::learner::{FitConfig, Resumable, create_cnn};

use super::Args;
use super::measurement::median;
use crate::Result;

/// Alternates a plain fit, one that saves each step and one with an average of the weights, and prints the seconds of a
/// step, and what is more than in a plain one. A resumable fit saves so rarely by default that saves take at most a
/// hundredth of its time.
pub(super) fn run(args: &Args, device: &Device) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let images = args.batch * args.repeats;
    let path = synthetic::digits(&folder.path().join("digits"), 1, images.div_ceil(2), 8)?;
    let names = ["plain", "saved", "averaged"];
    let mut seconds: [Vec<f64>; 3] = Default::default();
    for round in 0..args.rounds.max(1) {
        for (kind, times) in names.iter().zip(&mut seconds) {
            let data = ImageDataBunch::from_folder(&path)
                .size(args.size)
                .batch_size(args.batch)
                .device(device.clone())
                .build()?;
            let mut learner = create_cnn(data, args.arch)
                .pretrained(false)
                .path(folder.path())
                .silent(true)
                .build()?;
            // The first epoch fills caches.
            learner.fit(1, 1e-4)?;
            let config = FitConfig::one_cycle(1).with_lr(1e-4);
            let config = match *kind {
                "saved" => config.resumable(Resumable::new(format!("run-{round}")).every_steps(1)),
                "averaged" => config.with_callback(Ema::new(0.99)),
                _ => config,
            };
            let record = learner.fit_with(config)?;
            let row = record.epochs.first();
            let steps = record.lrs.len() as f64;
            times.push(row.map_or(f64::NAN, |row| row.train_seconds) / steps);
        }
    }
    let plain = median(seconds[0].clone());
    for (kind, times) in names.iter().zip(&seconds) {
        let time = median(times.clone());
        println!(
            "{}",
            json!({
                "what": "fit", "kind": kind, "arch": args.arch.name(), "batch": args.batch, "size": args.size,
                "threads": args.threads, "seconds_per_step": time, "more": time - plain,
            })
        );
    }
    Ok(())
}
