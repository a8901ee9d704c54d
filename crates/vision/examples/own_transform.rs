//! A custom transform: in training, each image gets a random color cast, as under different lamps.
//!
//!     cargo run --example own_transform
//!
//! Draws digits, saves the data with the transform, loads it again, and compares batches. Result, in
//! out/own_transform: batch.png.

use std::error::Error;
use std::path::Path;

use serde::{Deserialize, Serialize};
use vision::data::datasets::synthetic;
use vision::data::{ItemTransform, TransformRng, register_transform};
use vision::prelude::*;

/// Multiplies red, green and blue by three random factors. The fields are saved with the data.
#[derive(Debug, Serialize, Deserialize)]
struct ColorCast {
    /// The smallest factor; the largest is 1.
    darkest: f64,
}

impl ItemTransform for ColorCast {
    const NAME: &'static str = "color_cast";

    fn apply(
        &self,
        image: Image,
        rng: &mut TransformRng,
    ) -> Result<Image, Box<dyn Error + Send + Sync>> {
        let factors = [(); 3].map(|()| rng.between(self.darkest, 1.0));
        let mut image = image.into_rgb_image();
        for pixel in image.pixels_mut() {
            for (value, factor) in pixel.0.iter_mut().zip(factors) {
                *value = (f64::from(*value) * factor).round() as u8;
            }
        }
        Ok(image.try_into()?)
    }

    fn check(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        match (0.0..=1.0).contains(&self.darkest) {
            true => Ok(()),
            false => Err(format!("`darkest` must be in [0, 1], found {}", self.darkest).into()),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    run(Path::new("out/own_transform"))
}

/// Runs the whole example in a folder.
pub(crate) fn run(out: &Path) -> Result<(), Box<dyn Error>> {
    // Register the transform, so that data which uses it can be loaded.
    register_transform::<ColorCast>()?;

    let digits = synthetic::digits(&out.join("digits"), 7, 40, 10)?;

    let mut transforms = get_transforms();
    let cast = ColorCast { darkest: 0.2 };
    transforms.train.push(Transform::custom(cast).with_p(0.75));
    let data = ImageDataBunch::from_folder(&digits)
        .size(64)
        .batch_size(16)
        .transforms(transforms)
        .build()?;
    println!("{}", data.summary(DatasetType::Train, 0)?);

    // The same batch with other numbers of threads, and from the saved data.
    let file = data.save("data.json")?;
    let batch = data.one_batch(DatasetType::Train)?;
    for threads in [0, 3] {
        let loaded = ImageDataBunch::load(&digits, &file)?.num_workers(threads);
        let mut batches = loaded.build()?.loader(DatasetType::Train, 0)?;
        let first = batches.next().ok_or("no batch")??;
        assert!(first == batch, "{threads} threads");
    }

    data.show_batch(4)?.save(out.join("batch.png"))?;
    println!("see {}", out.display());
    Ok(())
}
