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
    /// Side of the patches of a vision transformer, in pixels: the sides of images are multiples of it, and the body gives
    /// one vector for an image instead of maps. `None` for networks of maps.
    pub patch: Option<usize>,
    /// Mean of each channel of these images, for pixels in [0, 1].
    pub mean: [f32; 3],
    /// Standard deviation of each channel.
    pub std: [f32; 3],
    /// The pretrained weights that are taken if no others are asked for. `None` if none are published.
    pub weights: Option<WeightsInfo>,
    /// Tolerances of float32 results against the reference numbers.
    pub(crate) tolerances: Tolerances,
    pub(crate) build: fn(usize, &mut Init) -> Sequential,
}

/// Side of ImageNet's training images in pixels.
pub(crate) const IMAGENET_SIZE: usize = 224;
/// Mean of ImageNet's channels.
pub(crate) const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Standard deviation of ImageNet's channels.
pub(crate) const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// Pretrained weights that somebody hosts.
#[derive(Clone, Debug)]
pub struct WeightsInfo {
    /// Where they are.
    pub place: WeightsPlace,
    /// Classes they were trained on.
    pub classes: usize,
}

/// Where weights are hosted.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum WeightsPlace {
    /// A file of torchvision.
    Url {
        /// Its URL. The file's name ends in a hyphen and at least eight digits of its SHA-256.
        url: &'static str,
        /// Its size in MiB, to three decimals, as torchvision states it.
        mib: f64,
    },
    /// The repository of timm's weights on Hugging Face's hub.
    Hub {
        /// `timm/NAME.TAG`.
        repository: &'static str,
    },
}

impl WeightsInfo {
    /// torchvision's weights for the 1000 classes of ImageNet.
    pub(crate) const fn imagenet(url: &'static str, mib: f64) -> Self {
        Self {
            place: WeightsPlace::Url { url, mib },
            classes: 1000,
        }
    }

    /// timm's weights in a repository of the hub, `timm/NAME.TAG`, for the 1000 classes of ImageNet. Weights for other
    /// classes do as well: their classifier is not used.
    pub(crate) const fn hub(repository: &'static str) -> Self {
        Self {
            place: WeightsPlace::Hub { repository },
            classes: 1000,
        }
    }

    /// What a message calls them: the name of the file or of the repository.
    pub fn name(&self) -> &'static str {
        match self.place {
            WeightsPlace::Url { url, .. } => url.rsplit('/').next().unwrap_or(url),
            WeightsPlace::Hub { repository } => repository,
        }
    }

    /// The largest size of the file in bytes, by the stated size, if one is stated.
    pub fn max_bytes(&self) -> Option<u64> {
        match self.place {
            WeightsPlace::Url { mib, .. } => Some(((mib + 0.001) * f64::from(1 << 20)) as u64),
            WeightsPlace::Hub { .. } => None,
        }
    }
}
