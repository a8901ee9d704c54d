//! Trains the head on a frozen body whose outputs are cached: an epoch takes a fraction of a second.
//!
//!     cargo run --example head_only -- --data mnist_sample.tgz --pretrained weights.safetensors

use std::path::PathBuf;

use clap::Parser;
use vision::learner::Pretrained;
use vision::prelude::*;

/// Train the head alone.
#[derive(Parser)]
struct Args {
    /// Folder or .tgz with train/ and valid/
    #[arg(long)]
    data: String,
    /// Architecture
    #[arg(long, default_value = "resnet18")]
    arch: Arch,
    /// Weights of the body; random if not given
    #[arg(long)]
    pretrained: Option<PathBuf>,
    /// Number of epochs
    #[arg(long, default_value_t = 5)]
    epochs: usize,
    /// Folder to store the cached features for the next run
    #[arg(long)]
    features: Option<PathBuf>,
    /// Do not cache features, for comparison: the same losses, slower
    #[arg(long)]
    uncached: bool,
}

fn main() -> vision::MainResult {
    let args = Args::parse();
    let path = untar_data(args.data.as_str())?;
    let data = ImageDataBunch::from_folder(&path).normalize(Stats::IMAGENET);
    let pretrained = args.pretrained.map_or(Pretrained::No, Pretrained::from);
    let mut learner = create_cnn(data.build()?, args.arch)
        .pretrained(pretrained)
        .bn_freeze(true)
        .metrics([accuracy()])
        .build()?;
    learner.freeze()?;
    if !args.uncached {
        let report = match args.features {
            Some(folder) => learner.cache_features_in(folder)?,
            None => learner.cache_features()?,
        };
        println!("{report:?}");
    }
    learner.fit_one_cycle(args.epochs, 1e-3)?;
    for epoch in &learner.recorder().epochs {
        println!("epoch {}: {:.3} s", epoch.epoch, epoch.seconds);
    }
    Ok(())
}
