//! The registry of architectures: one entry each, everything else follows from it.

use std::{fmt, str::FromStr};

use crate::{
    Error, Result,
    init::Init,
    layers::Sequential,
    resnet::{Block, resnet},
};

/// A backbone.
///
/// It parses from and prints to torchvision's name:
///
/// ```
/// use vision_models::Arch;
/// let arch: Arch = "resnet50".parse()?;
/// assert_eq!((arch, arch.to_string().as_str()), (Arch::ResNet50, "resnet50"));
/// assert_eq!(arch.info().features, 2048);
/// # Ok::<(), vision_models::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Arch {
    /// ResNet-18: 11.7 million parameters with its 1000 ImageNet classes.
    ResNet18,
    /// ResNet-34: 21.8 million.
    ResNet34,
    /// ResNet-50: 25.6 million.
    ResNet50,
    /// ResNet-101: 44.5 million.
    ResNet101,
    /// ResNet-152: 60.2 million.
    ResNet152,
}

/// What the library knows about an architecture.
#[derive(Clone, Debug)]
pub struct ArchInfo {
    /// torchvision's name.
    pub name: &'static str,
    /// Direct children before this index are the body; negative counts from the end.
    pub cut: isize,
    /// Names of the modules that start the second and later layer groups, in the two-part model
    /// (`0` is the body, `1` the head).
    pub split: &'static [&'static str],
    /// Channels of the body's output.
    pub features: usize,
    /// torchvision's ImageNet weights.
    pub weights: WeightsInfo,
    build: fn(usize, &mut Init) -> Sequential,
}

/// Pretrained weights and the preprocessing that belongs to them.
#[derive(Clone, Debug)]
pub struct WeightsInfo {
    /// Where torchvision keeps them. The eight hex digits in the file's name begin its SHA-256.
    pub url: &'static str,
    /// Classes they were trained on.
    pub classes: usize,
    /// Side of the training pictures in pixels.
    pub input_size: usize,
    /// Mean of each channel, of pixels in [0, 1].
    pub mean: [f32; 3],
    /// Standard deviation of each channel.
    pub std: [f32; 3],
}

impl WeightsInfo {
    const fn imagenet(url: &'static str) -> Self {
        Self {
            url,
            classes: 1000,
            input_size: 224,
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
        }
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

const fn resnet_info(
    name: &'static str,
    features: usize,
    url: &'static str,
    build: fn(usize, &mut Init) -> Sequential,
) -> ArchInfo {
    ArchInfo {
        name,
        cut: -2,
        split: &["0.6", "1"],
        features,
        weights: WeightsInfo::imagenet(url),
        build,
    }
}

static RESNET18: ArchInfo = resnet_info(
    "resnet18",
    512,
    "https://download.pytorch.org/models/resnet18-f37072fd.pth",
    |classes, init| resnet(Block::Basic, [2, 2, 2, 2], classes, init),
);
static RESNET34: ArchInfo = resnet_info(
    "resnet34",
    512,
    "https://download.pytorch.org/models/resnet34-b627a593.pth",
    |classes, init| resnet(Block::Basic, [3, 4, 6, 3], classes, init),
);
static RESNET50: ArchInfo = resnet_info(
    "resnet50",
    2048,
    "https://download.pytorch.org/models/resnet50-0676ba61.pth",
    |classes, init| resnet(Block::Bottleneck, [3, 4, 6, 3], classes, init),
);
static RESNET101: ArchInfo = resnet_info(
    "resnet101",
    2048,
    "https://download.pytorch.org/models/resnet101-63fe2227.pth",
    |classes, init| resnet(Block::Bottleneck, [3, 4, 23, 3], classes, init),
);
static RESNET152: ArchInfo = resnet_info(
    "resnet152",
    2048,
    "https://download.pytorch.org/models/resnet152-394f9c45.pth",
    |classes, init| resnet(Block::Bottleneck, [3, 8, 36, 3], classes, init),
);

impl Arch {
    /// Every architecture, in the order of the registry.
    pub const ALL: &[Self] = &[
        Self::ResNet18,
        Self::ResNet34,
        Self::ResNet50,
        Self::ResNet101,
        Self::ResNet152,
    ];

    /// The registry entry.
    pub fn info(self) -> &'static ArchInfo {
        match self {
            Self::ResNet18 => &RESNET18,
            Self::ResNet34 => &RESNET34,
            Self::ResNet50 => &RESNET50,
            Self::ResNet101 => &RESNET101,
            Self::ResNet152 => &RESNET152,
        }
    }

    /// torchvision's name.
    pub fn name(self) -> &'static str {
        self.info().name
    }

    /// Builds the whole model, with torchvision's children, names and initialisation.
    pub fn build(self, classes: usize, init: &mut Init) -> Sequential {
        (self.info().build)(classes, init)
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Arch {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = Self::ALL.iter().copied().find(|a| a.name() == name);
        found.ok_or_else(|| Error::UnknownArch {
            name: name.to_owned(),
            known: Self::ALL.iter().map(|a| a.name()).collect(),
        })
    }
}
