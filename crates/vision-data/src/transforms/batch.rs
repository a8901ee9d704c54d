//! MixUp and CutMix: training on two items at once.
//!
//! Both change the images of a training batch and record the mix in [`Mixed`]. The loss of
//! item `i` is then `lambda[i] · L(target[i]) + (1 - lambda[i]) · L(target[partner[i]])`.

use rand_distr::{Beta, Distribution as _};
use serde::{Deserialize, Serialize};
use vision_base::OptionError;

use crate::error::{Error, Result};
use crate::loader::batch::HostImages;
use crate::pipeline::pixels::Planes;
use crate::rng::Rng;

/// A transform of a whole training batch. If several are given, each batch draws one.
///
/// The draw depends only on the seed, the epoch and the number of the batch.
///
/// ```
/// use vision_data::{BatchTransform, ImageDataBunch};
/// # use vision_data::{DatasetType};
/// # use vision_data::datasets::synthetic;
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = synthetic::digits(&folder.path().join("digits"), 1, 20, 5)?;
/// let data = ImageDataBunch::from_folder(&path)
///     .batch_size(8)
///     .batch_transforms([BatchTransform::mixup(0.4), BatchTransform::cutmix(1.0)])
///     .build()?;
/// let batch = data.one_batch(DatasetType::Train)?;
/// assert_eq!(batch.mix().map(|mix| mix.partner.len()), Some(8));
/// # Ok::<(), vision_data::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum BatchTransform {
    /// Blends each image with another image of the batch (Zhang et al., <https://arxiv.org/abs/1710.09412>).
    ///
    /// As in fastai, each item draws its own lambda from Beta(alpha, alpha) and uses the larger of lambda
    /// and 1 - lambda, so that the item itself weighs at least as much as its partner.
    MixUp {
        /// The parameter of the beta distribution, above zero. With a small value, one image dominates.
        alpha: f64,
        /// Probability.
        p: f64,
    },
    /// Pastes a rectangle of another image of the batch into each image (Yun et al.,
    /// <https://arxiv.org/abs/1905.04899>).
    ///
    /// As in fastai, each batch draws one rectangle with a uniform center. Its area is 1 - lambda of the
    /// image, with lambda from Beta(alpha, alpha). The rectangle is clipped to the image, and
    /// [`Mixed::lambda`] is the fraction of the area left to the item itself.
    CutMix {
        /// The parameter of the beta distribution, above zero. With 1, lambda is uniform.
        alpha: f64,
        /// Probability.
        p: f64,
    },
}

/// Which items of a batch share an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixed {
    /// For each item, the position in the batch of the other item in its image.
    pub partner: Vec<usize>,
    /// For each item, its own weight in `[0, 1]`; its partner has the remaining weight.
    pub lambda: Vec<f32>,
}

impl BatchTransform {
    /// [`MixUp`](Self::MixUp) for every batch; fastai's alpha is 0.4.
    pub fn mixup(alpha: f64) -> Self {
        Self::MixUp { alpha, p: 1.0 }
    }

    /// [`CutMix`](Self::CutMix) for every batch; fastai's alpha is 1.
    pub fn cutmix(alpha: f64) -> Self {
        Self::CutMix { alpha, p: 1.0 }
    }

    /// Sets the probability that a batch is mixed.
    pub fn with_p(mut self, probability: f64) -> Self {
        let (Self::MixUp { p, .. } | Self::CutMix { p, .. }) = &mut self;
        *p = probability;
        self
    }

    /// Checks that alpha is finite and above zero, and that the probability is valid.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] if not.
    pub fn check(&self) -> Result<()> {
        let (Self::MixUp { alpha, p } | Self::CutMix { alpha, p }) = self;
        if (1e-3..=1e3).contains(alpha) && (0.0..=1.0).contains(p) {
            return Ok(());
        }
        Err(Error::Option(OptionError::new(
            "batch_transform",
            "alpha in [0.001, 1000] and p in [0, 1]",
            format!("{self:?}"),
        )))
    }
}

impl Mixed {
    /// The other item in the image of this one, and the weight of this one.
    pub(crate) fn of(&self, position: usize) -> Option<(usize, f32)> {
        let partner = *self.partner.get(position)?;
        let lambda = *self.lambda.get(position)?;
        (partner != position).then_some((partner, lambda))
    }
}

/// Draws one of `choices`, whether it applies, and its numbers; changes the images and returns the mix.
pub(crate) fn apply(
    choices: &[BatchTransform],
    images: &mut HostImages,
    rng: &mut Rng,
) -> Option<Mixed> {
    let choice = choices.get(rng.below(choices.len()))?;
    let (BatchTransform::MixUp { alpha, p } | BatchTransform::CutMix { alpha, p }) = choice;
    if rng.uniform() >= *p {
        return None;
    }
    let beta = Beta::new(*alpha, *alpha).expect("`check` has seen to alpha");
    let items = images.shape()[0];
    match choice {
        BatchTransform::MixUp { .. } => {
            let lambda: Vec<f32> = (0..items)
                .map(|_| beta.sample(rng.source()) as f32)
                .map(|lambda| lambda.max(1.0 - lambda))
                .collect();
            let partner = rng.order(items);
            blend(images, &partner, &lambda);
            Some(Mixed { partner, lambda })
        }
        BatchTransform::CutMix { .. } => {
            let part = beta.sample(rng.source());
            let partner = rng.order(items);
            let [_, _, height, width] = images.shape();
            let hole = Hole::draw(height, width, part, rng);
            paste(images, &partner, &hole);
            let lambda = vec![1.0 - hole.area() as f32 / (height * width) as f32; items];
            Some(Mixed { partner, lambda })
        }
    }
}

fn blend(images: &mut HostImages, partner: &[usize], lambda: &[f32]) {
    let [_, channels, height, width] = images.shape();
    let size = channels * height * width;
    let own = images.to_floats();
    let mut mixed = own.to_vec();
    for ((item, &other), &lambda) in mixed.chunks_exact_mut(size).zip(partner).zip(lambda) {
        for (own, other) in item.iter_mut().zip(&own[other * size..]) {
            *own = other + lambda * (*own - other);
        }
    }
    images.planes = Planes::Floats(mixed);
}

fn paste(images: &mut HostImages, partner: &[usize], hole: &Hole) {
    let [_, channels, height, width] = images.shape();
    let size = channels * height * width;
    match &mut images.planes {
        Planes::Bytes(pixels) => paste_into(pixels, size, (height, width), partner, hole),
        Planes::Floats(pixels) => paste_into(pixels, size, (height, width), partner, hole),
    }
}

fn paste_into<T: Copy>(
    pixels: &mut [T],
    size: usize,
    (height, width): (usize, usize),
    partner: &[usize],
    hole: &Hole,
) {
    let before = pixels.to_vec();
    for (item, &other) in pixels.chunks_exact_mut(size).zip(partner) {
        let other = &before[other * size..][..size];
        for (row, (line, from)) in item
            .chunks_exact_mut(width)
            .zip(other.chunks_exact(width))
            .enumerate()
        {
            if (hole.top..hole.bottom).contains(&(row % height)) {
                line[hole.left..hole.right].copy_from_slice(&from[hole.left..hole.right]);
            }
        }
    }
}

/// A rectangle of pixels; the ends are exclusive.
#[derive(Debug)]
struct Hole {
    top: usize,
    bottom: usize,
    left: usize,
    right: usize,
}

impl Hole {
    /// fastai's rectangle, which leaves `lambda` of the area uncovered if it lies entirely inside.
    fn draw(height: usize, width: usize, lambda: f64, rng: &mut Rng) -> Self {
        let side = (1.0 - lambda).sqrt();
        let mut span = |n: usize| {
            let half = (n as f64 * side).round_ties_even() as usize / 2;
            let centre = rng.below(n);
            (centre.saturating_sub(half), (centre + half).min(n))
        };
        let (left, right) = span(width);
        let (top, bottom) = span(height);
        Self {
            top,
            bottom,
            left,
            right,
        }
    }

    fn area(&self) -> usize {
        (self.bottom - self.top) * (self.right - self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::pixels::Pixels;
    use crate::rng::Purpose;

    /// Images of one color each: all pixels of item i are i / 10.
    fn plain(items: usize, height: usize, width: usize) -> HostImages {
        let pixels = |i| Pixels {
            height,
            width,
            planes: Planes::Floats(vec![i as f32 / 10.0; 3 * height * width]),
        };
        HostImages::collate((0..items).map(pixels).collect()).unwrap_or_else(|_| unreachable!())
    }

    fn mixed(
        choice: BatchTransform,
        number: u64,
        size: (usize, usize),
    ) -> (Vec<f32>, Option<Mixed>) {
        let mut images = plain(8, size.0, size.1);
        let mut rng = Rng::keyed(Purpose::Mix, 5, 0, number);
        let mix = apply(&[choice], &mut images, &mut rng);
        (images.to_floats().to_vec(), mix)
    }

    #[test]
    fn mixup_weighs_each_image_and_its_partners_by_lambda() {
        for number in 0..20 {
            let (pixels, mix) = mixed(BatchTransform::mixup(0.4), number, (3, 5));
            let mix = mix.unwrap_or_else(|| unreachable!());
            let mut order = mix.partner.clone();
            order.sort_unstable();
            assert_eq!(order, (0..8).collect::<Vec<_>>());
            for (i, item) in pixels.chunks(45).enumerate() {
                let (own, other) = (i as f32 / 10.0, mix.partner[i] as f32 / 10.0);
                let expected = mix.lambda[i] * own + (1.0 - mix.lambda[i]) * other;
                assert!(item.iter().all(|x| (x - expected).abs() < 1e-6));
                assert!((0.5..=1.0).contains(&mix.lambda[i]));
            }
        }
    }

    #[test]
    fn cutmix_counts_the_pixels_that_it_leaves() {
        for number in 0..50 {
            let (pixels, mix) = mixed(BatchTransform::cutmix(1.0), number, (10, 14));
            let mix = mix.unwrap_or_else(|| unreachable!());
            for (i, item) in pixels.chunks(3 * 140).enumerate() {
                let share = |i: usize| item.iter().filter(|&&x| x == i as f32 / 10.0).count();
                if mix.partner[i] != i {
                    assert_eq!(share(i) + share(mix.partner[i]), 420);
                    assert!((mix.lambda[i] - share(i) as f32 / 420.0).abs() < 1e-6);
                }
            }
        }
    }

    #[test]
    fn the_rectangle_of_cutmix_has_the_mean_area_that_follows_from_its_definition() {
        // With a side of s (relative to the image) about a uniform center, s - s²/4 of it is inside. For
        // a uniform area s², the mean is E[(s - s²/4)²] = 1/2 - 1/5 + 1/48. The standard deviation of one
        // area is below 1/2, that of the mean of 10,000 below 0.005; rounding to whole pixels adds up to
        // 0.002.
        let mut rng = Rng::keyed(Purpose::Mix, 0, 0, 0);
        let areas = (0..10_000).map(|_| {
            let lambda = rng.uniform();
            Hole::draw(1_000, 1_000, lambda, &mut rng).area() as f64 / 1e6
        });
        let mean = areas.sum::<f64>() / 10_000.0;
        assert!((mean - (0.5 - 0.2 + 1.0 / 48.0)).abs() < 0.02, "{mean}");
    }

    #[test]
    fn lambda_has_the_moments_of_the_beta_distribution() {
        // max(b, 1 - b) = 1/2 + |b - 1/2|. For alpha = 1: uniform in [1/2, 1], mean 3/4, variance 1/48.
        // For any alpha, E[(lambda - 1/2)²] is the variance of beta, 1 / (4 (2 alpha + 1)).
        for alpha in [0.2, 0.4, 1.0, 3.0] {
            let squares: Vec<f64> = (0..2_000)
                .filter_map(|number| mixed(BatchTransform::mixup(alpha), number, (1, 1)).1)
                .flat_map(|mix| mix.lambda)
                .map(|lambda| (f64::from(lambda) - 0.5).powi(2))
                .collect();
            assert_eq!(squares.len(), 16_000);
            let mean = squares.iter().sum::<f64>() / squares.len() as f64;
            let expected = 0.25 / (2.0 * alpha + 1.0);
            // The standard deviation of one square is below 1/8 (it lies in [0, 1/4]), so that of the mean of
            // 16,000 is below 0.001.
            assert!(
                (mean - expected).abs() < 0.004,
                "{alpha}: {mean} {expected}"
            );
        }
    }

    #[test]
    fn the_probability_says_how_many_batches_are_mixed() {
        let choice = BatchTransform::mixup(1.0).with_p(0.3);
        let count = (0..2_000)
            .filter(|&number| mixed(choice, number, (1, 1)).1.is_some())
            .count();
        // 600 with a standard deviation of sqrt(2000 · 0.3 · 0.7) = 20.5; allow five of them.
        assert!((500..700).contains(&count), "{count}");
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for bad in [
            BatchTransform::mixup(0.0),
            BatchTransform::cutmix(-1.0),
            BatchTransform::mixup(f64::NAN),
            BatchTransform::cutmix(1.0).with_p(1.1),
        ] {
            let message = bad
                .check()
                .map_or_else(|e| e.to_string(), |()| String::new());
            assert!(message.contains("alpha"), "{message}");
        }
    }
}
