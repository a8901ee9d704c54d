//! Synthetic images of the digits 3 and 7, for machines without a network.
//!
//! The drawings imitate handwriting: strokes of a few variants of each digit, jittered, bent,
//! slanted, rotated, scaled, and drawn with pens of different widths. The folder layout is that of
//! MNIST_SAMPLE. A model has to look at shapes to tell the digits apart; no single pixel does.

pub(crate) mod glyph;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _};
use vision_base::OptionError;

use crate::databunch::error::DataError;
use crate::datasets::synthetic::glyph::{Digit, SIDE};
use crate::error::{Error, Result, io_error};
use crate::files::image_files;
use crate::rng::{Purpose, Rng};

/// The file that records what was drawn. Written last.
const MANIFEST: &str = "digits.txt";
/// Increase whenever the drawing changes.
const VERSION: u32 = 1;
/// A larger number is most likely a typo.
const MOST_PER_CLASS: usize = 100_000;

/// Draws `train_per_class` and `valid_per_class` images each of 3 and 7 in `dest`, and returns
/// `dest`: `train/3/00000.png` and so on, gray, 28 by 28 pixels, white on black.
///
/// The same arguments give the same images on every machine, and all images differ. The folder
/// appears only when it is complete; an existing complete folder is reused.
///
/// # Errors
///
/// [`DataError::NotTheDigits`] if `dest` holds something else (nothing is overwritten),
/// [`Error::Option`] for a number outside 1 to 100,000, [`Error::Io`] if writing fails.
///
/// ```
/// # use vision_data::datasets::synthetic;
/// # let folder = tempfile::tempdir().unwrap();
/// # let folder = folder.path();
/// let path = synthetic::digits(&folder.join("digits"), 42, 3, 2)?;
/// assert!(path.join("train/3/00002.png").is_file());
/// assert!(path.join("valid/7/00001.png").is_file());
/// # Ok::<(), vision_data::Error>(())
/// ```
pub fn digits(
    dest: &Path,
    seed: u64,
    train_per_class: usize,
    valid_per_class: usize,
) -> Result<PathBuf> {
    for (option, count) in [
        ("train_per_class", train_per_class),
        ("valid_per_class", valid_per_class),
    ] {
        if !(1..=MOST_PER_CLASS).contains(&count) {
            return Err(Error::Option(OptionError::new(
                option,
                "1 to 100000",
                count.to_string(),
            )));
        }
    }
    let wanted = format!(
        "version {VERSION}, seed {seed}, {train_per_class} training and {valid_per_class} \
         validation images a class"
    );
    if dest.exists() {
        return check(dest, &wanted);
    }
    let parent = match dest.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(io_error("create the folder", parent))?;
    let scratch = tempfile::Builder::new()
        .prefix(".digits-")
        .tempdir_in(parent)
        .map_err(io_error("create a folder in", parent))?;
    // A subfolder, since the scratch folder itself is closed to other users.
    let folder = scratch.path().join("digits");
    let mut bytes = 0;
    for (part, (name, count)) in [("train", train_per_class), ("valid", valid_per_class)]
        .into_iter()
        .enumerate()
    {
        for digit in [Digit::Three, Digit::Seven] {
            let folder = folder.join(name).join(digit.name());
            fs::create_dir_all(&folder).map_err(io_error("create the folder", &folder))?;
            for i in 0..count {
                // Two digits never share a stream.
                let index = 2 * i as u64 + digit as u64;
                let mut rng = Rng::keyed(Purpose::Digit, seed, part as u64, index);
                let png = encode(&glyph::draw(digit, &mut rng))?;
                bytes += png.len() as u64;
                let file = folder.join(format!("{i:05}.png"));
                fs::write(&file, png).map_err(io_error("write", &file))?;
            }
        }
    }
    write_manifest(&folder.join(MANIFEST), &manifest(&wanted, bytes))?;
    match fs::rename(&folder, dest) {
        Ok(()) => Ok(dest.to_owned()),
        // Another process has drawn them in the meantime.
        Err(_) if dest.exists() => check(dest, &wanted),
        Err(error) => Err(io_error("rename the finished folder to", dest)(error)),
    }
}

/// Checks that `dest` contains exactly the wanted images.
fn check(dest: &Path, wanted: &str) -> Result<PathBuf> {
    let differs = |found: String| {
        Error::Data(DataError::NotTheDigits {
            path: dest.to_owned(),
            expected: wanted.to_owned(),
            found,
        })
    };
    let found =
        fs::read_to_string(dest.join(MANIFEST)).map_err(|_| differs(format!("no {MANIFEST}")))?;
    // Small files are not synced one by one, so a crash may have left some empty.
    let mut bytes = 0;
    for file in image_files(dest)? {
        bytes += fs::metadata(&file)
            .map_err(io_error("look at", &file))?
            .len();
    }
    if found == manifest(wanted, bytes) {
        return Ok(dest.to_owned());
    }
    Err(differs(match found.lines().nth(1) {
        Some(parameters) if parameters != wanted => parameters.to_owned(),
        _ => "some of its images missing or changed".to_owned(),
    }))
}

fn manifest(parameters: &str, bytes: u64) -> String {
    format!("Digits drawn by vision_data::synthetic\n{parameters}\n{bytes} bytes\n")
}

fn write_manifest(path: &Path, text: &str) -> Result<()> {
    fs::File::create(path)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .map_err(io_error("write", path))
}

fn encode(pixels: &[u8]) -> Result<Vec<u8>> {
    let side = SIDE as u32;
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Fast, FilterType::NoFilter)
        .write_image(pixels, side, side, ExtendedColorType::L8)
        .map_err(|error| {
            Error::Data(DataError::Worker {
                reason: format!("a digit could not be encoded: {error}"),
            })
        })?;
    Ok(png)
}
