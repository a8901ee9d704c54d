//! Benchmark of prediction: single images from threads that share one predictor.

use std::thread;
use std::time::Instant;

use burn::tensor::Device;
use serde_json::json;
use vision::data::{Image, ImageDataBunch, Stats};
use vision::learner::{Predictor, create_cnn};

use super::Args;
use super::measurement::median;
use crate::Result;

/// The numbers of threads that are compared.
const CALLERS: [usize; 2] = [1, 8];

/// Alternates between the numbers of calling threads. Prints one JSON line per number: images per second
/// in the median of the rounds.
pub(super) fn run(args: &Args, device: &Device) -> Result<()> {
    let data = ImageDataBunch::single_from_classes(".", ["a", "b"])
        .size(args.size)
        .normalize(Stats::IMAGENET)
        .device(device.clone())
        .build()?;
    let learner = create_cnn(data, args.arch).pretrained(false).silent(true);
    let predictor = learner.build()?.predictor();
    let side = args.size as u32;
    let pixels = (0..args.size * args.size * 3).map(|i| (i * i / 7 % 251) as u8);
    let image = Image::from_rgb8(side, side, pixels.collect())?;
    // Before the first measurement: packed weights, memory pools.
    time(&predictor, &image, 1, args.repeats.min(4))?;
    let mut speeds = CALLERS.map(|_| Vec::new());
    for _ in 0..args.rounds.max(1) {
        for (callers, speeds) in CALLERS.iter().zip(&mut speeds) {
            speeds.push(time(&predictor, &image, *callers, args.repeats)?);
        }
    }
    for (callers, speeds) in CALLERS.iter().zip(speeds) {
        println!(
            "{}",
            json!({
                "what": "predict", "arch": args.arch.name(), "size": args.size, "threads": args.threads,
                "callers": callers, "images_per_s": median(speeds),
            })
        );
    }
    Ok(())
}

/// Images per second of `callers` threads that predict `repeats` images each.
fn time(predictor: &Predictor, image: &Image, callers: usize, repeats: usize) -> Result<f64> {
    let begin = Instant::now();
    thread::scope(|scope| {
        let work = || (0..repeats).try_for_each(|_| predictor.predict(image).map(drop));
        let threads: Vec<_> = (0..callers).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })?;
    Ok((callers * repeats) as f64 / begin.elapsed().as_secs_f64())
}
