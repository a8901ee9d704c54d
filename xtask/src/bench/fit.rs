//! Times what a fit does besides its steps: saving them, averaging weights.

use std::time::Instant;

use serde_json::json;
use vision::data::datasets::synthetic;
use vision::data::{Device, ImageDataBunch};
use vision::learner::callbacks::Ema;
use vision::learner::{FitConfig, Learner, create_cnn};

use super::Args;
use super::measurement::median;
use crate::Result;

/// Alternates a plain fit, a resumable one and one with an average of the weights, and prints the seconds of each and
/// their ratios to the plain one.
pub(super) fn run(args: &Args, device: &Device) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let images = args.batch * args.repeats;
    let path = synthetic::digits(&folder.path().join("digits"), 1, images.div_ceil(2), 8)?;
    let names = ["plain", "resumable", "ema"];
    let mut seconds: [Vec<f64>; 3] = Default::default();
    for round in 0..args.rounds.max(1) {
        for (kind, times) in names.iter().zip(&mut seconds) {
            let data = ImageDataBunch::from_folder(&path)
                .size(args.size)
                .batch_size(args.batch)
                .device(device.clone())
                .build()?;
            let mut learner: Learner = create_cnn(data, args.arch)
                .pretrained(false)
                .path(folder.path())
                .silent(true)
                .build()?;
            // The first epoch fills caches.
            learner.fit(1, 1e-4)?;
            let config = FitConfig::one_cycle(1).with_lr(1e-4);
            let config = match *kind {
                "resumable" => config.resumable(format!("run-{round}")),
                "ema" => config.with_callback(Ema::new(0.99)),
                _ => config,
            };
            let begin = Instant::now();
            let record = learner.fit_with(config)?;
            // Validation of the average and its statistics is another matter.
            let epoch = record
                .epochs
                .first()
                .map_or(f64::NAN, |row| row.train_seconds);
            times.push(match *kind {
                "ema" => epoch,
                _ => begin.elapsed().as_secs_f64(),
            });
            if *kind == "plain" && round == 0 {
                println!("{}", json!({ "steps": record.lrs.len(), "train_s": epoch }));
            }
        }
    }
    let plain = median(seconds[0].clone());
    for (kind, times) in names.iter().zip(&seconds) {
        let time = median(times.clone());
        println!(
            "{}",
            json!({
                "what": "fit", "kind": kind, "arch": args.arch.name(), "batch": args.batch, "size": args.size,
                "threads": args.threads, "seconds": time, "to_plain": time / plain,
            })
        );
    }
    Ok(())
}
