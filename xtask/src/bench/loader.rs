//! Benchmark of the loader: images per second from files to batches on the device, optionally
//! compared with fastai.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use burn::tensor::Device;
use clap::ValueEnum;
use serde_json::{Value, json};
use vision::data::presets::presize;
use vision::data::{
    DatasetType, ImageDataBunch, ImageDataBunchBuilder, ReadConfig, get_transforms,
};

use crate::Result;

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub(crate) enum Kind {
    /// Photos of a few hundred pixels, to crops of 224
    Photos,
    /// The 28-pixel PNGs of MNIST_SAMPLE, without transforms
    Mnist,
}

/// A name, and a function that configures a data bunch.
type Setting = (
    &'static str,
    fn(ImageDataBunchBuilder) -> ImageDataBunchBuilder,
);

impl Kind {
    /// The settings of `scripts/bench_fastai_loader.py`.
    fn settings(self) -> &'static [Setting] {
        match self {
            Self::Photos => &[
                ("random_resized_crop", |data| {
                    data.size(224).transforms(presize())
                }),
                ("random_resized_crop+aug_transforms", |data| {
                    let (crop, others) = (presize(), get_transforms());
                    let train = [crop.train, others.train].concat();
                    data.size(224).transforms((train, crop.valid))
                }),
            ],
            Self::Mnist => &[("plain", |data| data)],
        }
    }

    fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or(String::new(), |v| v.get_name().to_owned())
    }
}

/// What to time: `workers` threads on the images of a folder with `train` and `valid`.
pub(crate) struct Work<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) kind: Kind,
    pub(crate) workers: usize,
    pub(crate) device: &'a Device,
    /// A Python with fastai, for alternating measurements.
    pub(crate) python: Option<&'a PathBuf>,
    pub(crate) rounds: usize,
}

/// Prints one JSON line per measurement. With fastai, also one line per setting, with the medians
/// of the ratios.
pub(crate) fn run(work: &Work<'_>) -> Result<()> {
    let rounds = work.python.map_or(1, |_| work.rounds.max(1));
    let mut ratios: Vec<(String, f64)> = Vec::new();
    for _ in 0..rounds {
        let mut ours = Vec::new();
        for (name, with) in work.kind.settings() {
            // Without memory for decoded images, every epoch decodes, as the first epoch always
            // does.
            for memory in [0, 8 << 30] {
                let speed = time(work, *with, memory)?;
                println!(
                    "{}",
                    json!({
                        "engine": format!("vision {}", env!("CARGO_PKG_VERSION")),
                        "setting": name, "workers": work.workers, "images_per_s": speed,
                        "decoded_in_memory": memory > 0,
                    })
                );
                ours.push((*name, memory > 0, speed));
            }
        }
        for line in work
            .python
            .map_or(Ok(Vec::new()), |python| fastai(python, work))?
        {
            println!("{line}");
            let (theirs, setting) = (line["images_per_s"].as_f64(), line["setting"].as_str());
            for (name, kept, speed) in &ours {
                if let (Some(theirs), true) = (theirs, setting == Some(name)) {
                    let kept = if *kept { "from memory" } else { "decoding" };
                    ratios.push((format!("{name}, {kept}"), speed / theirs));
                }
            }
        }
    }
    ratios.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    for same in ratios.chunk_by(|a, b| a.0 == b.0) {
        if let Some((name, ratio)) = same.get(same.len() / 2) {
            println!(
                "{}",
                json!({"setting": name, "ours_over_fastai": ratio, "rounds": same.len()})
            );
        }
    }
    Ok(())
}

/// Images per second of the second epoch.
fn time(
    work: &Work<'_>,
    with: fn(ImageDataBunchBuilder) -> ImageDataBunchBuilder,
    memory: usize,
) -> Result<f64> {
    let builder = ImageDataBunch::from_folder(work.folder)
        .batch_size(64)
        .num_workers(work.workers)
        .reading(ReadConfig::new().with_memory(memory))
        .device(work.device.clone());
    let data = with(builder).build()?;
    let mut speed = 0.0;
    for epoch in 0..2 {
        let begin = Instant::now();
        let mut images = 0;
        for batch in data.loader(DatasetType::Train, epoch)? {
            let batch = batch?;
            let tensors = (
                batch.to_device(work.device, None),
                batch.targets(work.device)?,
            );
            work.device.sync()?;
            drop(tensors);
            images += batch.len();
        }
        speed = f64::from(images as u32) / begin.elapsed().as_secs_f64();
    }
    Ok(speed)
}

/// The same work with fastai, in a separate process.
fn fastai(python: &Path, work: &Work<'_>) -> Result<Vec<Value>> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/bench_fastai_loader.py");
    let output = Command::new(python)
        .arg(script)
        .arg(work.folder)
        .args([work.kind.name(), work.workers.to_string()])
        .output()
        .map_err(|e| format!("{}: {e}", python.display()))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{}: {}", python.display(), text.trim()).into());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text
        .lines()
        .map(serde_json::from_str)
        .collect::<std::result::Result<_, _>>()?)
}
