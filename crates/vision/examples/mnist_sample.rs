//! Trains a classifier of handwritten 3s and 7s and shows its mistakes.
//!
//!     cargo run --example mnist_sample
//!
//! It covers every code cell of fastai's `vision.learner` page.

use std::fs;
use std::path::PathBuf;

use clap::Parser;
use serde_json::json;
use vision::base::{atomic, io_error};
use vision::data::datasets::synthetic;
use vision::data::device;
use vision::learner::{HeadConfig, Pretrained, create_body, create_head};
use vision::models::Cut;
use vision::prelude::*;
use vision::system::peak_memory_bytes;

/// Train ResNet-18 on MNIST_SAMPLE: 3 against 7.
#[derive(Parser)]
struct Args {
    /// Folder or .tgz with train/ and valid/; default: MNIST_SAMPLE, or drawn digits when offline
    #[arg(long)]
    data: Option<String>,
    /// Architecture
    #[arg(long, default_value = "resnet18")]
    arch: Arch,
    /// Number of epochs
    #[arg(long, default_value_t = 1)]
    epochs: usize,
    /// Peak learning rate
    #[arg(long, default_value_t = 1e-3)]
    lr: f64,
    /// Images per batch
    #[arg(long, default_value_t = 64)]
    batch_size: usize,
    /// Weights of the body (.pth or safetensors, with torchvision's or fastai's names); freezes the body
    #[arg(long)]
    pretrained: Option<PathBuf>,
    /// Freeze the body even with random weights
    #[arg(long)]
    freeze: bool,
    /// Seed of weights, order and dropout
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Device: cpu, or cuda, wgpu, vulkan, metal when compiled in
    #[arg(long, default_value = "default")]
    device: String,
    /// Output folder
    #[arg(long, default_value = "out/mnist_sample")]
    out: PathBuf,
}

fn main() -> vision::MainResult {
    let args = Args::parse();
    fs::create_dir_all(&args.out).map_err(io_error("create the folder", &args.out))?;
    let (dataset, path, why) = match &args.data {
        Some(data) => (
            data.as_str(),
            untar_data(data.as_str())?,
            "given with --data".to_owned(),
        ),
        None => match untar_data(Urls::MNIST_SAMPLE) {
            Ok(path) => (
                "MNIST_SAMPLE",
                path,
                "in the cache or downloaded".to_owned(),
            ),
            Err(e) => (
                "drawn digits",
                synthetic::digits(&args.out.join("digits"), 0, 3000, 500)?,
                e.to_string(),
            ),
        },
    };
    println!("data: {dataset} at {} ({why})", path.display());

    let device = device::parse(&args.device)?;
    let data = ImageDataBunch::from_folder(&path)
        .batch_size(args.batch_size)
        .device(device.clone())
        .build()?;
    let pretrained = args
        .pretrained
        .clone()
        .map_or(Pretrained::No, Pretrained::from);
    let mut learner = create_cnn(data, args.arch)
        .metrics([accuracy()])
        .pretrained(pretrained)
        .seed(args.seed)
        .path(&args.out)
        .build()?;
    if args.freeze {
        learner.freeze()?;
    }
    learner.fit_one_cycle(args.epochs, args.lr)?;
    let saved = learner.save("one_epoch")?;

    let image = learner.data().train_ds().image(0)?;
    let prediction = learner.predict(&image)?;
    println!(
        "first training image: {} {:?}",
        prediction.class, prediction.probabilities
    );

    let empty = ImageDataBunch::single_from_classes(&path, learner.data().classes().to_vec())
        .device(device.clone())
        .build()?;
    let mut deployed = create_cnn(empty, args.arch)
        .pretrained(false)
        .path(&args.out)
        .build()?;
    deployed.load("one_epoch")?;
    assert_eq!(deployed.predict(&image)?, prediction);

    let body = create_body(args.arch, Pretrained::No, Cut::Default, &device)?;
    let head = create_head(
        HeadConfig::new(2 * args.arch.info().features, 2)
            .with_lin_ftrs([512])
            .with_ps(0.5),
    )?
    .init(&device);
    println!(
        "body: {} children, head: {} children",
        body.len(),
        head.len()
    );

    let interp = ClassificationInterpretation::from_learner(&learner)?;
    interp
        .plot_top_losses(9)?
        .save(args.out.join("top_losses.png"))?;
    interp
        .plot_confusion_matrix()?
        .save(args.out.join("confusion_matrix.png"))?;
    interp
        .report(&learner)?
        .save(args.out.join("report.html"))?;
    println!(
        "{}\nmost confused: {:?}",
        interp.confusion_matrix(),
        interp.most_confused(1)
    );

    // Whole or not at all, even on a full disk.
    let history = learner.recorder().to_csv();
    atomic::write(&args.out.join("history.csv"), history.as_bytes())?;
    let result = json!({
        "dataset": dataset, "why": why, "path": path, "arch": args.arch.name(), "seed": args.seed,
        "device": device::describe(&device), "pretrained": args.pretrained, "saved": saved,
        "accuracy": learner.recorder().epochs.last().map(|e| e.metrics[0]),
        "valid_loss": learner.recorder().epochs.last().map(|e| e.valid_loss),
        "epochs": learner.recorder().epochs.iter().map(|e| json!({
            "seconds": e.seconds, "images_per_second": e.images_per_second(),
            "waiting_for_data": e.waiting()
        })).collect::<Vec<_>>(),
        "peak_memory_bytes": peak_memory_bytes(),
    });
    let result = serde_json::to_string_pretty(&result)?;
    atomic::write(&args.out.join("result.json"), result.as_bytes())?;
    println!("results in {}", args.out.display());
    Ok(())
}
