//! Registry entries of architectures.

use crate::init::Init;
use crate::layers::Sequential;
use crate::parity::Tolerances;

/// The registry entry of an architecture.
#[derive(Clone, Debug)]
pub struct ArchInfo {
    /// The name of the architecture in torchvision, or in fastai.
    pub name: &'static str,
    /// The direct children before this index are the body. A negative index counts from the end.
    pub cut: isize,
    /// Names of the modules that start the second and later layer groups, in the model of body
    /// (`0`) and head (`1`).
    pub split: &'static [&'static str],
    /// Channels of the body's output.
    pub features: usize,
    /// Side of the images that it was designed for, in pixels.
    pub input_size: usize,
    /// Smallest side of an image, in pixels. Smaller images have no pixels left after the last
    /// pool.
    pub min_size: usize,
    /// Mean of each channel of these images, for pixels in [0, 1].
    pub mean: [f32; 3],
    /// Standard deviation of each channel.
    pub std: [f32; 3],
    /// Pretrained weights. `None` if nobody hosts any.
    pub weights: Option<WeightsInfo>,
    /// Tolerances of float32 results against the reference numbers.
    pub tolerances: Tolerances,
    pub(crate) build: fn(usize, &mut Init) -> Sequential,
}

/// Side of ImageNet's training images in pixels.
pub(crate) const IMAGENET_SIZE: usize = 224;
/// Mean of ImageNet's channels.
pub(crate) const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Standard deviation of ImageNet's channels.
pub(crate) const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// Pretrained weights.
#[derive(Clone, Debug)]
pub struct WeightsInfo {
    /// URL of the file. The eight hexadecimal digits at the end of the file name are the start of
    /// its SHA-256.
    pub url: &'static str,
    /// Number of classes that they were trained on.
    pub classes: usize,
}

impl WeightsInfo {
    /// Weights for the 1000 classes of ImageNet.
    pub(crate) const fn imagenet(url: &'static str) -> Self {
        Self { url, classes: 1000 }
    }

    /// The last part of the URL, which is the file name in the cache.
    pub fn file_name(&self) -> &'static str {
        self.url.rsplit('/').next().unwrap_or(self.url)
    }

    /// The first hexadecimal digits of the file's SHA-256, from its name.
    pub fn sha256_prefix(&self) -> &'static str {
        let stem = self.file_name().trim_end_matches(".pth");
        stem.rsplit('-').next().unwrap_or("")
    }
}
