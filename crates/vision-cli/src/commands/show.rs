//! `vision show`.

use std::fs;
use std::path::PathBuf;

use serde_json::json;
use vision::base::io_error;
use vision::base::message::shown;
use vision::data::Stats;

use crate::data::{self, Images};
use crate::failure::{Outcome, Result};
use crate::new_file::check_new;
use crate::options::images::ImageOptions;
use crate::options::source::SourceOptions;
use crate::output::Output;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Writes plain.png and augmented.png: the same training images without and with augmentation.\n\n\
                        Examples:\n  \
                        vision show pets\n  \
                        vision show pets --size 128 --rows 6 --out sheets"
)]
pub(crate) struct Args {
    /// Folder of the images, a CSV file, a .tgz archive, or the URL of one
    #[arg(value_name = "DATA")]
    data: String,
    #[command(flatten)]
    source: SourceOptions,
    #[command(flatten)]
    images: ImageOptions,
    /// Rows and columns of a sheet
    #[arg(long, value_name = "NUMBER", default_value_t = 4)]
    rows: usize,
    /// Folder of the sheets
    #[arg(long, value_name = "FOLDER", default_value = "show")]
    out: PathBuf,
    /// Replace earlier sheets
    #[arg(long)]
    overwrite: bool,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result {
    let sheets = [("plain", false), ("augmented", true)];
    let sheets = sheets.map(|(name, augment)| (args.out.join(format!("{name}.png")), augment));
    for (file, _) in &sheets {
        check_new(file, args.overwrite, "another folder with --out")?;
    }
    let located = data::locate(Some(&args.data), &args.source)?;
    let mut files = Vec::new();
    for (file, augment) in sheets {
        if augment && args.images.augment == Some(false) {
            continue;
        }
        let mut options = args.images.clone();
        options.augment = Some(augment);
        let images = Images {
            located: &located,
            options: &options,
            mixup: None,
            stats: Stats::IMAGENET,
        };
        let sheet = images.build()?.show_batch(args.rows)?;
        fs::create_dir_all(&args.out).map_err(io_error("create the folder", &args.out))?;
        sheet.save(&file)?;
        output.text(shown(&file));
        files.push(file);
    }
    output.value(&json!({ "sheets": files }))?;
    Ok(Outcome::Done)
}
