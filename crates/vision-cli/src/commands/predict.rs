//! `vision predict`.

use std::cell::Cell;
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use vision::base::csv;
use vision::base::message::{named, shown};
use vision::data::files::image_files;
use vision::learner::{PredictionRow, RowScore};

use crate::deployed;
use crate::failure::{Failure, Outcome, Result};
use crate::output::{Output, note};
use crate::wording::in_options;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "An image that cannot be read is a row with its error; the others go on, and the exit code is 1. Rows are \
                        printed as they are computed. A list on standard input may have any length: its names are not kept.\n\n\
                        Examples:\n  \
                        vision predict run/model.safetensors photo.jpg\n  \
                        vision predict run new/ 'more/*.png' --top 3\n  \
                        vision predict run new/ --csv > predictions.csv\n  \
                        find . -name '*.jpg' | vision predict run - --json"
)]
pub(crate) struct Args {
    /// Model file, or folder of a training
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Images, folders, patterns; - reads a list from standard input
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Print CSV
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Print so many classes for each image
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    top: u16,
    /// Probability from which on an image has a class; if it has just one, the class is left open below it
    #[arg(long, value_name = "PROBABILITY")]
    threshold: Option<f32>,
    /// Predict the mean over the image and eight enlarged and mirrored variants of it, which takes nine times as long
    #[arg(long)]
    tta: bool,
    /// Images that are computed at a time [default: 4 for each core]
    #[arg(long, value_name = "NUMBER")]
    batch_size: Option<usize>,
    /// Device: cpu, cuda .. (see `vision devices`)
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
}

pub(crate) fn run(args: &Args, output: &Output) -> Result {
    let predictor = deployed::open_for(&args.model, args.device.as_deref(), args.tta)?;
    let broken = Broken::default();
    let mut inputs: Vec<Box<dyn Iterator<Item = PathBuf>>> = Vec::new();
    for path in &args.paths {
        inputs.push(expanded(path, &broken)?);
    }
    let mut predictions = predictor.predict_files(inputs.into_iter().flatten());
    if let Some(images) = args.batch_size {
        predictions = predictions.with_images(images)?;
    }
    if let Some(threshold) = args.threshold {
        predictions = predictions.with_threshold(threshold)?;
    }
    let mut rows = predictor.row_format().with_top(usize::from(args.top))?;
    if let Some(threshold) = args.threshold {
        rows = rows.with_threshold(threshold)?;
    }
    let classes = predictor.classes().iter();
    let width = classes.map(|class| named(class).chars().count()).max();
    let format = Format {
        top: rows.top(),
        width: width.unwrap_or(0),
    };
    if args.csv {
        output.line(format.csv_header());
    }
    let (mut images, mut failed) = (0_usize, 0_usize);
    for (path, prediction) in predictions {
        images += 1;
        let image = path.to_string_lossy();
        let row = match prediction {
            Ok(prediction) => rows.row(image, &prediction),
            Err(error) => PredictionRow::failed(image, in_options(&error.to_string())),
        };
        if let Some(error) = &row.error {
            failed += 1;
            note(format_args!("error: {error}"));
        }
        match (args.csv, output.is_json()) {
            (true, _) => output.line(format.csv(&row)),
            (false, true) => output.value(&row)?,
            (false, false) => output.text(format.text(&row)),
        }
        if output.is_closed() {
            return Ok(Outcome::Done);
        }
    }
    if let Some(error) = broken.take() {
        return Err(Failure::failed(format!(
            "cannot read the list on standard input: {error}. The {images} images before that are predicted, what follows \
             is not"
        )));
    }
    if images == 0 {
        return Err(Failure::failed("there are no images to predict"));
    }
    if failed > 0 {
        note(format_args!(
            "{failed} of {images} images could not be predicted"
        ));
        return Ok(Outcome::Found);
    }
    Ok(Outcome::Done)
}

/// Why the list on standard input ended early, if it did.
type Broken = Rc<Cell<Option<io::Error>>>;

/// The images that an argument stands for.
fn expanded(path: &Path, broken: &Broken) -> Result<Box<dyn Iterator<Item = PathBuf>>> {
    if path == Path::new("-") {
        let broken = Rc::clone(broken);
        let lines = io::stdin()
            .lock()
            .split(b'\n')
            .map_while(move |line| line.map_err(|error| broken.set(Some(error))).ok());
        return Ok(Box::new(
            lines
                .map(path_of)
                .filter(|path| !path.as_os_str().is_empty()),
        ));
    }
    if path.is_dir() {
        return Ok(Box::new(image_files(path)?.into_iter()));
    }
    let pattern = path.to_str().filter(|text| text.contains(['*', '?', '[']));
    let Some(pattern) = pattern.filter(|_| !path.exists()) else {
        return Ok(Box::new(std::iter::once(path.to_owned())));
    };
    let found = glob::glob(pattern)
        .map_err(|error| Failure::usage(format!("bad pattern {pattern:?}: {error}")))?;
    let mut files = Vec::new();
    for path in found {
        let path = path?;
        match path.is_dir() {
            true => files.extend(image_files(&path)?),
            false => files.push(path),
        }
    }
    if files.is_empty() {
        return Err(Failure::failed(format!("no file is like {pattern:?}")));
    }
    Ok(Box::new(files.into_iter()))
}

#[cfg(unix)]
fn path_of(line: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    std::ffi::OsString::from_vec(line).into()
}

#[cfg(not(unix))]
fn path_of(line: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&line).trim_end_matches('\r').into()
}

/// How rows are printed.
struct Format {
    top: usize,
    /// Of the longest class.
    width: usize,
}

impl Format {
    /// What an image is, in words.
    fn label(row: &PredictionRow) -> String {
        match (&row.class, &row.classes, &row.numbers) {
            (Some(class), ..) => class.clone().unwrap_or_default(),
            (_, Some(classes), _) => classes.join(";"),
            (.., Some(numbers)) => {
                let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
                numbers.join(";")
            }
            _ => String::new(),
        }
    }

    fn csv_header(&self) -> String {
        let mut header = "image,label".to_owned();
        for place in 1..=self.top {
            header.push_str(&format!(",class_{place},probability_{place}"));
        }
        header + ",error"
    }

    fn csv(&self, row: &PredictionRow) -> String {
        let mut line = format!(
            "{},{}",
            csv::field(&row.image),
            csv::field(&Self::label(row))
        );
        for place in 0..self.top {
            match row.top.get(place) {
                Some(RowScore { class, probability }) => {
                    line.push_str(&format!(",{},{probability}", csv::field(class)));
                }
                None => line.push_str(",,"),
            }
        }
        line + "," + &csv::field(row.error.as_deref().unwrap_or_default())
    }

    /// Columns whose widths are known before the first row: label, scores, image.
    fn text(&self, row: &PredictionRow) -> String {
        let image = shown(&row.image);
        if row.error.is_some() {
            return format!("{:<width$}  {image}", "error", width = self.width);
        }
        let label = match Self::label(row) {
            label if label.is_empty() => "-".to_owned(),
            label => named(&label),
        };
        let mut line = format!("{label:<width$}", width = self.width);
        for (place, RowScore { class, probability }) in row.top.iter().enumerate() {
            // Of one class per image the first is the label.
            if place > 0 || row.class.as_ref().is_none_or(Option::is_none) {
                line.push_str(&format!("  {:<width$}", named(class), width = self.width));
            }
            line.push_str(&format!("  {probability:.4}"));
        }
        format!("{line}  {image}")
    }
}
