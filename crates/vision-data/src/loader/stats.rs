//! Channel statistics for normalization.

use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use vision_base::OptionError;

use crate::error::{Error, Result};

/// The mean and standard deviation of each channel (red, green, blue) of pixels in `[0, 1]`.
///
/// Normalization is `(x - mean) / std`, per channel.
///
/// ```
/// use vision_data::Stats;
///
/// let own = Stats { mean: [0.5; 3], std: [0.25; 3] };
/// assert!(own.check().is_ok());
/// assert!(Stats { std: [0.0; 3], ..own }.check().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stats {
    /// The mean of each channel.
    pub mean: [f32; 3],
    /// The standard deviation of each channel.
    pub std: [f32; 3],
}

impl Stats {
    /// The statistics of ImageNet, which pretrained weights expect.
    #[doc(alias = "imagenet_stats")]
    pub const IMAGENET: Self = Self {
        mean: [0.485, 0.456, 0.406],
        std: [0.229, 0.224, 0.225],
    };
    /// The statistics of CIFAR-10.
    pub const CIFAR: Self = Self {
        mean: [0.491, 0.482, 0.447],
        std: [0.247, 0.243, 0.261],
    };
    /// The statistics of MNIST, the same for all three channels.
    pub const MNIST: Self = Self {
        mean: [0.131; 3],
        std: [0.308; 3],
    };

    /// Checks that normalization can be inverted.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] unless all values are finite, all standard deviations are above zero, and normalized
    /// pixels are finite too.
    pub fn check(&self) -> Result<()> {
        // Black and white, normalized; and the factor by which some devices multiply.
        let is_finite = |(&mean, &std): (&f32, &f32)| {
            [-mean / std, (1.0 - mean) / std, 1.0 / std]
                .iter()
                .all(|value| value.is_finite())
        };
        let is_positive = |std: &f32| std.is_finite() && *std > 0.0;
        if self.std.iter().all(is_positive) && self.mean.iter().zip(&self.std).all(is_finite) {
            return Ok(());
        }
        Err(Error::Option(OptionError::new(
            "stats",
            "finite means, and standard deviations above zero, with which pixels stay finite",
            format!("mean {:?}, std {:?}", self.mean, self.std),
        )))
    }

    /// The mean and the unbiased standard deviation of planar pixels: `planes` holds the red, green
    /// and blue planes of one image after another.
    pub(crate) fn of_planes(planes: &[f32], plane: usize) -> Self {
        let channel = |c: usize| {
            planes
                .chunks_exact(plane.max(1))
                .skip(c)
                .step_by(3)
                .flatten()
                .map(|&x| f64::from(x))
        };
        let mut stats = Self {
            mean: [0.0; 3],
            std: [0.0; 3],
        };
        for (c, (mean_of, std_of)) in stats.mean.iter_mut().zip(&mut stats.std).enumerate() {
            let n = channel(c).count() as f64;
            let mean = channel(c).sum::<f64>() / n;
            let squares = channel(c).map(|x| (x - mean) * (x - mean)).sum::<f64>();
            *mean_of = mean as f32;
            *std_of = (squares / (n - 1.0)).sqrt() as f32;
        }
        stats
    }
}

/// Computes `x · std + mean` per channel.
///
/// # Errors
///
/// [`Error::Option`] unless there are three channels.
pub(crate) fn denormalize(images: Tensor<4>, stats: &Stats) -> Result<Tensor<4>> {
    let shape = images.dims();
    if shape[1] != 3 {
        return Err(Error::Option(OptionError::new(
            "images",
            "a tensor [batch, 3, height, width]",
            format!("{shape:?}"),
        )));
    }
    let device = images.device();
    Ok(images * channels(stats.std, &device) + channels(stats.mean, &device))
}

fn channels(values: [f32; 3], device: &Device) -> Tensor<4> {
    Tensor::<1>::from_floats(values, device).reshape([1, 3, 1, 1])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_deviation_of_a_batch_is_unbiased() {
        // Two images of two pixels. Red: 0, 1, 0, 1, so the variance is 4 · 0.25 / 3 = 1/3.
        let planes = [
            0.0, 1.0, 0.5, 0.5, 0.2, 0.4, //
            0.0, 1.0, 0.5, 0.5, 0.6, 0.8,
        ];
        let stats = Stats::of_planes(&planes, 2);
        assert_eq!(stats.mean, [0.5, 0.5, 0.5]);
        assert!((stats.std[0] - (1.0_f32 / 3.0).sqrt()).abs() < 1e-7);
        assert_eq!(stats.std[1], 0.0);
        // 0.2, 0.4, 0.6, 0.8: the variance is 0.2 / 3.
        assert!((stats.std[2] - (0.2_f32 / 3.0).sqrt()).abs() < 1e-7);
        assert!(stats.check().is_err());
    }

    #[test]
    fn a_deviation_that_is_no_number_is_refused() {
        for std in [
            0.0,
            -1.0,
            f32::NAN,
            f32::INFINITY,
            1e-45,
            f32::MIN_POSITIVE / 8.0,
        ] {
            let stats = Stats {
                mean: [0.5; 3],
                std: [0.2, std, 0.2],
            };
            assert!(stats.check().unwrap_err().to_string().contains("stats"));
        }
    }
}
