//! `vision doctor`.

use std::path::PathBuf;

use serde_json::Value;
use vision::base::message::shown;
use vision::base::progress::Progress;
use vision::data::Stats;
use vision::data::inspect::doctor::{Doctor, Severity};

use crate::data::{self, Images};
use crate::failure::{Outcome, Result};
use crate::new_file::check_new;
use crate::options::images::ImageOptions;
use crate::options::source::SourceOptions;
use crate::output::{Output, note};
use crate::wording::in_options;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Nothing is deleted, moved or changed. The exit code is 1 if it found errors; warnings and notes do not \
                        count.\n\n\
                        Examples:\n  \
                        vision doctor pets --html doctor.html\n  \
                        vision doctor pets --save-decisions decisions.csv; vision train pets --decisions decisions.csv"
)]
pub(crate) struct Args {
    /// Folder of the images, a CSV file, a .tgz archive, or the URL of one
    #[arg(value_name = "DATA")]
    data: String,
    #[command(flatten)]
    source: SourceOptions,
    /// Write a page with thumbnails
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write which images to leave out, for `vision train --decisions`; not the option to apply such a file
    #[arg(long = "save-decisions", value_name = "FILE")]
    save_decisions: Option<PathBuf>,
    /// Do not look for images that look alike
    #[arg(long)]
    no_look_alikes: bool,
    /// Replace files
    #[arg(long)]
    overwrite: bool,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result {
    for file in [&args.html, &args.save_decisions].into_iter().flatten() {
        check_new(file, args.overwrite, "another name")?;
    }
    let located = data::locate(Some(&args.data), &args.source)?;
    let doctor = Doctor::new()
        .with_look_alikes(!args.no_look_alikes)
        .with_progress(Progress::bar("Examining"));
    let source = &located.source;
    let is_plain = source.csv.is_none()
        && source.valid_pct.is_none()
        && source.decisions.is_none()
        && !located.is_saved();
    let report = if is_plain {
        // Also data that is too damaged to train with.
        doctor.examine_folder(&located.root)?
    } else {
        let images = Images {
            located: &located,
            options: &ImageOptions {
                device: Some("cpu".to_owned()),
                ..ImageOptions::default()
            },
            mixup: None,
            stats: Stats::IMAGENET,
        };
        doctor.examine(&images.build()?)?
    };
    output.text(in_options(&report.to_string()));
    let mut json: Value = serde_json::from_str(&report.to_json())?;
    for finding in json["findings"].as_array_mut().into_iter().flatten() {
        if let Some(Value::String(advice)) = finding.get_mut("advice") {
            *advice = in_options(advice);
        }
    }
    output.value(&json)?;
    if let Some(file) = &args.html {
        report.save_html(file)?;
        note(format_args!("page: {}", shown(file)));
    }
    if let Some(file) = &args.save_decisions {
        report.decisions()?.save(file)?;
        note(format_args!("decisions: {}", shown(file)));
    }
    Ok(match report.count(Severity::Error) {
        0 => Outcome::Done,
        _ => Outcome::Found,
    })
}
