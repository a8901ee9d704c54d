//! A custom source of images: a file of raw digits, as in MNIST.
//!
//!     cargo run --example own_source
//!
//! Draws digits, packs them into one file, and makes batches of the images in it.

use std::error::Error;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use vision::data::datasets::synthetic;
use vision::data::files::image_files;
use vision::data::{DatasetType, Image, ImageContent, ImageList, ImageSource};

/// The side of each image.
const SIDE: usize = 28;

/// Gray images stored one after the other in a file, and their names.
struct RawFile {
    file: Mutex<File>,
    names: Vec<String>,
}

impl ImageSource for RawFile {
    fn len(&self) -> usize {
        self.names.len()
    }

    fn name(&self, item: usize) -> PathBuf {
        PathBuf::from(&self.names[item])
    }

    fn read(&self, item: usize) -> Result<ImageContent, Box<dyn Error + Send + Sync>> {
        let mut gray = [0; SIDE * SIDE];
        {
            let mut file = self
                .file
                .lock()
                .map_err(|_| "another thread has panicked")?;
            file.seek(SeekFrom::Start((item * gray.len()) as u64))?;
            file.read_exact(&mut gray)?;
        }
        let rgb = gray.iter().flat_map(|&value| [value; 3]).collect();
        Ok(Image::from_rgb8(SIDE as u32, SIDE as u32, rgb)?.into())
    }
}

/// Packs the images of a folder into one file, and opens that as a source.
fn pack(folder: &Path, to: &Path) -> Result<RawFile, Box<dyn Error>> {
    let (mut bytes, mut names) = (Vec::new(), Vec::new());
    for file in image_files(folder)? {
        let image = Image::open(&file)?;
        bytes.extend(image.pixels().iter().step_by(3));
        // The path, such as "train/3/0001.png", contains the split and the label.
        names.push(file.strip_prefix(folder)?.display().to_string());
    }
    fs::write(to, bytes)?;
    Ok(RawFile {
        file: Mutex::new(File::open(to)?),
        names,
    })
}

/// The number of training images, and the first batch of them.
pub(crate) fn run(folder: &Path) -> Result<(usize, [usize; 4]), Box<dyn Error>> {
    let digits = synthetic::digits(&folder.join("digits"), 1, 40, 10)?;
    let source = pack(&digits, &folder.join("digits.raw"))?;
    let data = ImageList::from_source(folder, source)?
        .split_by_folder("train", "valid")?
        .label_from_folder()?
        .databunch()
        .batch_size(16)
        .build()?;
    println!("{data}");
    let batch = data.one_batch(DatasetType::Train)?;
    Ok((data.train_ds().len(), batch.shape()))
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new("out/own_source");
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let (items, shape) = run(folder)?;
    println!("{items} training images, batches of {shape:?}");
    Ok(())
}
