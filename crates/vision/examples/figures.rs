//! Makes the figures of the README: trains a small ResNet on a few drawn 3s and 7s and saves the plots.
//!
//!     cargo run --example figures -- docs/images
//!
//! Results, in the folder: batch.png, lr_find.png, top_losses.png, confusion_matrix.png.

use std::path::PathBuf;
use std::{env, fs};

use vision::base::io_error;
use vision::data::datasets::synthetic;
use vision::prelude::*;

fn main() -> vision::MainResult {
    let out = env::args()
        .nth(1)
        .map_or("out/figures".into(), PathBuf::from);
    fs::create_dir_all(&out).map_err(io_error("create the folder", &out))?;
    let folder = tempfile::tempdir()?;
    // Few images, so that the network makes mistakes.
    let path = synthetic::digits(&folder.path().join("digits"), 0, 100, 50)?;
    let data = ImageDataBunch::from_folder(&path).batch_size(16).build()?;
    data.show_batch(3)?.save(out.join("batch.png"))?;

    let mut learner = create_cnn(data, Arch::ResNet18)
        .pretrained(false)
        .metrics([accuracy()])
        .build()?;
    let found = learner.lr_find()?;
    plot_lr_find(&found)?.save(out.join("lr_find.png"))?;
    learner.fit_one_cycle(2, 1e-3)?;

    let interp = ClassificationInterpretation::from_learner(&learner)?;
    interp
        .plot_top_losses(9)?
        .save(out.join("top_losses.png"))?;
    interp
        .plot_confusion_matrix()?
        .save(out.join("confusion_matrix.png"))?;
    println!("see {}", out.display());
    Ok(())
}
