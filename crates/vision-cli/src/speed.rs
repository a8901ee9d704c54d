//! How fast a network trains and predicts here.

use std::error::Error;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use vision::data::{
    Device, Image, ImageContent, ImageList, ImageSource, ReadConfig, Split, Stats, get_transforms,
};
use vision::learner::{Callback, Context, FitConfig, Learner, Predictor, create_cnn};
use vision::models::Arch;

use crate::failure::Result;

/// Height and width of the images that are predicted: those of a usual photo on the web.
pub(crate) const PHOTO: [u32; 2] = [375, 500];
/// Images of the data, each of which has a name in memory.
const IMAGES: usize = 200_000;
/// Steps that are measured at least.
const FEWEST: usize = 2;
const WARM_UP: usize = 3;
/// Single images that are measured.
const SINGLE: std::ops::RangeInclusive<usize> = 5..=1000;

/// Images that are drawn when they are read, so that no file is needed.
struct Drawn {
    side: u32,
    images: usize,
}

impl ImageSource for Drawn {
    fn len(&self) -> usize {
        self.images
    }

    fn name(&self, item: usize) -> PathBuf {
        format!("{}/{item}", item % 2).into()
    }

    fn read(&self, item: usize) -> std::result::Result<ImageContent, Box<dyn Error + Send + Sync>> {
        Ok(drawn(self.side, self.side, item)?.into())
    }
}

/// An image of waves.
fn drawn(height: u32, width: u32, item: usize) -> vision::data::Result<Image> {
    let pixel = |i: usize| ((i * (3 + item % 5) / 7) ^ (i / 977)) as u8;
    let values = 3 * height as usize * width as usize;
    Image::from_rgb8(width, height, (0..values).map(pixel).collect())
}

/// A network with random weights, which compute as fast as trained ones.
pub(crate) fn learner(
    arch: Arch,
    size: usize,
    batch_size: usize,
    device: Option<Device>,
) -> Result<Learner> {
    let source = Drawn {
        side: size as u32,
        images: IMAGES.max(batch_size),
    };
    let mut builder = ImageList::from_source(".", source)?
        .split(Split::None)?
        .label_from_folder()?
        .databunch()
        .transforms(get_transforms())
        .size(size)
        .normalize(Stats::IMAGENET)
        .reading(ReadConfig::new().with_memory(0))
        .batch_size(batch_size);
    if let Some(device) = device {
        builder = builder.device(device);
    }
    let learner = create_cnn(builder.build()?, arch).pretrained(false);
    Ok(learner.silent(true).build()?)
}

/// Steps and their time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Training {
    pub(crate) steps: usize,
    pub(crate) seconds: f64,
}

/// Trains all layers for so long: transforms, forward and backward pass and the step of the optimizer.
pub(crate) fn training(learner: &mut Learner, budget: Duration) -> Result<Training> {
    let ends = Arc::new(Mutex::new(Vec::new()));
    let stopwatch = Stopwatch {
        budget,
        ends: Arc::clone(&ends),
    };
    let config = FitConfig::new(1).with_lr(1e-5).with_callback(stopwatch);
    learner.fit_with(config)?;
    let ends = ends.lock().unwrap_or_else(PoisonError::into_inner);
    // The first step fills buffers.
    Ok(match (ends.first(), ends.last()) {
        (Some(first), Some(last)) => Training {
            steps: ends.len().saturating_sub(1),
            seconds: last.duration_since(*first).as_secs_f64(),
        },
        _ => Training {
            steps: 0,
            seconds: f64::NAN,
        },
    })
}

/// Notes when each step ends, and ends the fit.
#[derive(Debug)]
struct Stopwatch {
    budget: Duration,
    ends: Arc<Mutex<Vec<Instant>>>,
}

impl Callback for Stopwatch {
    fn on_batch_end(&mut self, ctx: &mut Context<'_>) -> vision::learner::Result<()> {
        if !ctx.state.train {
            return Ok(());
        }
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.push(Instant::now());
        let is_over = ends
            .first()
            .is_some_and(|first| first.elapsed() >= self.budget);
        if is_over && ends.len() > FEWEST {
            ctx.state.stop_epoch = true;
            ctx.state.stop_training = true;
        }
        Ok(())
    }
}

/// The times of single predictions in seconds, in ascending order.
pub(crate) fn single(predictor: &Predictor, budget: Duration) -> Result<Vec<f64>> {
    let image = drawn(PHOTO[0], PHOTO[1], 0)?;
    for _ in 0..WARM_UP {
        predictor.predict(&image)?;
    }
    let begin = Instant::now();
    let mut seconds = Vec::new();
    while seconds.len() < *SINGLE.start()
        || (begin.elapsed() < budget && seconds.len() < *SINGLE.end())
    {
        let begin = Instant::now();
        predictor.predict(&image)?;
        seconds.push(begin.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds)
}

/// The time below which this share of ascending times is.
pub(crate) fn percentile(ascending: &[f64], share: f64) -> f64 {
    let at = (ascending.len() as f64 * share).ceil() as usize;
    let at = at.saturating_sub(1);
    ascending.get(at).copied().unwrap_or(f64::NAN)
}

/// Images a second, of many at a time.
pub(crate) fn many(predictor: &Predictor, images: usize, budget: Duration) -> Result<f64> {
    let images: vision::data::Result<Vec<Image>> = (0..images)
        .map(|item| drawn(PHOTO[0], PHOTO[1], item))
        .collect();
    let images = images?;
    predictor.predict_batch(&images)?;
    let begin = Instant::now();
    let mut done = 0;
    while done == 0 || begin.elapsed() < budget {
        predictor.predict_batch(&images)?;
        done += images.len();
    }
    Ok(done as f64 / begin.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    // Of 100 numbers, 50 are at most the 50th, and 99 at most the 99th (the nearest rank).
    #[test]
    fn percentiles_are_the_nearest_ranks() {
        let ascending: Vec<f64> = (1..=100).map(f64::from).collect();
        for (share, expected) in [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0), (0.0, 1.0)] {
            assert_eq!(percentile(&ascending, share), expected);
        }
        assert_eq!(percentile(&[7.0], 0.99), 7.0);
        assert!(percentile(&[], 0.5).is_nan());
    }
}
