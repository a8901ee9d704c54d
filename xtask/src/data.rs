//! Benchmarks of indexing and inspecting data.

use std::path::PathBuf;
use std::time::Instant;

use serde_json::json;
use vision::data::inspect::doctor::{Doctor, Severity};
use vision::data::{ImageDataBunch, files};
use vision::system;

use crate::Result;

#[derive(Clone, Copy, clap::ValueEnum)]
enum What {
    /// Find all image files
    Index,
    /// Build a data bunch from train/CLASS and valid/CLASS: find, label, split
    Build,
    /// Run the data doctor
    Doctor,
    /// Count images, sizes and colors, and compute means
    Describe,
}

#[derive(clap::Args)]
pub(crate) struct Args {
    #[arg(long)]
    what: What,
    /// The folder
    #[arg(long)]
    data: PathBuf,
}

/// Times one piece of work, once, in this process, and prints one JSON line.
pub(crate) fn run(args: &Args) -> Result<()> {
    let before = system::peak_memory_bytes().unwrap_or(0);
    let start = Instant::now();
    let folder = &args.data;
    let (files, more) = match args.what {
        What::Index => (files::image_files(folder)?.len(), json!(null)),
        What::Build => {
            let data = ImageDataBunch::from_folder(folder).build()?;
            let files = data.train_ds().len() + data.valid_ds().len();
            (files, json!({ "classes": data.c() }))
        }
        What::Doctor => {
            let report = Doctor::new().examine_folder(folder)?;
            let mut kinds = std::collections::BTreeMap::<&str, usize>::new();
            for finding in &report.findings {
                *kinds.entry(finding.kind.title()).or_default() += 1;
            }
            let errors = report.count(Severity::Error);
            (report.files, json!({ "errors": errors, "findings": kinds }))
        }
        What::Describe => {
            let data = ImageDataBunch::from_folder(folder).build()?;
            let described = data.describe()?;
            let files = described.parts.iter().map(|part| part.items).sum();
            (files, json!({ "mean": described.parts[0].mean }))
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    let peak = system::peak_memory_bytes().unwrap_or(0);
    println!(
        "{}",
        json!({
            "files": files, "seconds": seconds, "files_per_s": files as f64 / seconds,
            "peak_memory_bytes": peak,
            "bytes_per_file": peak.saturating_sub(before) as f64 / files.max(1) as f64,
            "found": more,
        })
    );
    Ok(())
}
