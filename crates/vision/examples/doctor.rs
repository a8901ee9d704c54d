//! Inspects a data set and finds its problems: shows images, summarizes the set, and runs the data
//! doctor.
//!
//!     cargo run --example doctor                    # makes a small damaged set by itself
//!     cargo run --example doctor -- --data FOLDER   # train/CLASS/.. and valid/CLASS/..
//!
//! Results, in out/doctor: report.html, report.json, quarantine.txt, batch.png, summary.png.

use std::fs;
use std::path::PathBuf;

use clap::Parser;
use vision::base::progress::Progress;
use vision::data::BadImages;
use vision::data::datasets::synthetic;
use vision::data::files::image_files;
use vision::data::inspect::doctor::Doctor;
use vision::prelude::*;

#[derive(Parser)]
struct Args {
    /// A folder with train/CLASS/IMAGE and valid/CLASS/IMAGE
    #[arg(long)]
    data: Option<PathBuf>,
    #[arg(long, default_value = "out/doctor")]
    out: PathBuf,
}

fn main() -> vision::MainResult {
    let args = Args::parse();
    fs::create_dir_all(&args.out)?;
    let path = match args.data {
        Some(path) => path,
        None => damaged(&args.out.join("data"))?,
    };

    let data = ImageDataBunch::from_folder(&path)
        .transforms(get_transforms())
        .size(28)
        .batch_size(16)
        .bad_images(BadImages::Skip)
        .build()?;
    println!("{}", data.describe_with(&Progress::bar("Describing")));

    let doctor = Doctor::new().with_progress(Progress::bar("Examining"));
    let report = doctor.examine(&data)?;
    println!("{report}");
    report.save_html(args.out.join("report.html"))?;
    report.save_json(args.out.join("report.json"))?;
    for path in report.save_quarantine(args.out.join("quarantine.txt"))? {
        println!("not in quarantine.txt, since its name has a line break: {path:?}");
    }

    data.show_batch(4)?.save(args.out.join("batch.png"))?;
    let summary = data.summary(DatasetType::Train, 3)?;
    println!("{summary}");
    summary.plot()?.save(args.out.join("summary.png"))?;
    println!("see {}", args.out.display());
    Ok(())
}

/// Draws digits and damages some of them.
fn damaged(folder: &std::path::Path) -> vision::MainResult<PathBuf> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let path = synthetic::digits(folder, 1, 40, 10)?;
    let first =
        |class: &str| -> vision::Result<Vec<PathBuf>> { Ok(image_files(path.join(class))?) };
    let (threes, sevens) = (first("train/3")?, first("train/7")?);
    fs::write(&threes[0], "")?;
    fs::write(&threes[1], "<html>404 Not Found</html>")?;
    let whole = fs::read(&threes[2])?;
    fs::write(&threes[2], &whole[..whole.len() / 2])?;
    // Duplicates: across training and validation, under two labels, and within a class.
    fs::copy(&threes[4], path.join("valid/3/copy.png"))?;
    fs::copy(&threes[5], path.join("train/7/copy.png"))?;
    fs::copy(&sevens[1], path.join("train/7/again.png"))?;
    // The same image in another format, with the wrong extension.
    image::open(&sevens[2])?.save(path.join("train/7/other.bmp"))?;
    fs::rename(
        path.join("train/7/other.bmp"),
        path.join("train/7/other.png"),
    )?;
    Ok(path)
}
