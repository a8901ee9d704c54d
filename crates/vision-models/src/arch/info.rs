//! What the library knows about an architecture.

use crate::init::Init;
use crate::layers::Sequential;
use crate::parity::Tolerances;

/// What the library knows about an architecture: its entry in the registry.
#[derive(Clone, Debug)]
pub struct ArchInfo {
    /// torchvision's name, or fastai's.
    pub name: &'static str,
    /// Direct children before this index are the body; negative counts from the end.
    pub cut: isize,
    /// Names of the modules that start the second and later layer groups, in the two-part model
    /// (`0` is the body, `1` the head).
    pub split: &'static [&'static str],
    /// Channels of the body's output.
    pub features: usize,
    /// Side of the pictures that it was made for, in pixels.
    pub input_size: usize,
    /// Smallest side of a picture in pixels: of a smaller one nothing is left after the last pool.
    pub min_size: usize,
    /// Mean of each channel of these pictures, of pixels in [0, 1].
    pub mean: [f32; 3],
    /// Standard deviation of each channel.
    pub std: [f32; 3],
    /// Pretrained weights, if anybody hosts them.
    pub weights: Option<WeightsInfo>,
    /// How far float32 may be from the reference numbers.
    pub tolerances: Tolerances,
    pub(crate) build: fn(usize, &mut Init) -> Sequential,
}

/// Side of ImageNet's training pictures in pixels.
pub(crate) const IMAGENET_SIZE: usize = 224;
/// Mean of ImageNet's channels.
pub(crate) const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Standard deviation of ImageNet's channels.
pub(crate) const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// Pretrained weights.
#[derive(Clone, Debug)]
pub struct WeightsInfo {
    /// Where they are. The eight hex digits at the end of the file's name begin its SHA-256.
    pub url: &'static str,
    /// Classes they were trained on.
    pub classes: usize,
}

impl WeightsInfo {
    /// Weights for the 1000 classes of ImageNet.
    pub(crate) const fn imagenet(url: &'static str) -> Self {
        Self { url, classes: 1000 }
    }

    /// The last part of the URL, which is the file's name in the cache.
    pub fn file_name(&self) -> &'static str {
        self.url.rsplit('/').next().unwrap_or(self.url)
    }

    /// The first hex digits of the file's SHA-256, from its name.
    pub fn sha256_prefix(&self) -> &'static str {
        let stem = self.file_name().trim_end_matches(".pth");
        stem.rsplit('-').next().unwrap_or("")
    }
}
