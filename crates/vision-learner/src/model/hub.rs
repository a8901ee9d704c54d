//! Weights of a repository on Hugging Face's hub: of the right architecture, and with their preprocessing.

use std::path::PathBuf;

use vision_data::{ImageDataBunch, ImageDefaults, ResizeMethod, Size, Stats};
use vision_fetch::Options;
use vision_fetch::hub::{Hub, HubError};
use vision_models::weights::HubConfig;
use vision_models::{Arch, near_repositories};

use crate::{Error, Result};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
/// Digits of a commit in a message.
const SHORT: usize = 8;

/// Weights that were downloaded, or found in the cache.
#[derive(Clone, Debug)]
pub(crate) struct FromHub {
    name: String,
    commit: String,
    pub(crate) file: PathBuf,
    config: HubConfig,
    pub(crate) images: ImageDefaults,
}

/// Weights of the hub in the cache.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HubWeights {
    /// The weights file.
    pub file: PathBuf,
    /// The commit of the repository.
    pub commit: String,
    /// The architecture.
    pub arch: Arch,
    /// What the repository says of them.
    pub config: HubConfig,
    /// The images that they were trained on.
    pub images: ImageDefaults,
}

/// Downloads the weights of a repository into the cache, unless they are there, and checks that they are those of `arch`, or
/// without one, of any architecture of this library.
/// [`create_cnn`](crate::create_cnn) does this itself: `.pretrained(Hub::new(..))`.
///
/// ```no_run
/// use vision_fetch::hub::Hub;
///
/// let weights = vision_learner::hub_weights(&Hub::new("resnet18.a1_in1k"), None)?;
/// println!("{} {:?}", weights.arch, weights.images);
/// # Ok::<(), vision_learner::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::NoWeights`] if they are not available, [`Error::HubHolds`] and [`Error::HubArch`] if they are not those of an
/// architecture of this library.
pub fn hub_weights(hub: &Hub, arch: Option<Arch>) -> Result<HubWeights> {
    let options = Options::new();
    let name = arch.map_or(hub.name(), |arch| arch.name());
    let (config, commit) = configuration(hub, name, &options)?;
    let own = own_arch(hub, &config, arch)?;
    let Some(arch) = own else {
        return Err(Error::HubHolds {
            repository: hub.name().to_owned(),
            holds: format!(
                "weights of {}, which is not among the architectures of this library",
                config.holds()
            ),
        });
    };
    let found = weights(hub, arch.name(), config, commit, &options)?;
    Ok(HubWeights {
        file: found.file,
        commit: found.commit,
        arch,
        config: found.config,
        images: found.images,
    })
}

/// The weights of a repository for the architecture of this name.
pub(crate) fn find(hub: &Hub, name: &str, options: &Options) -> Result<FromHub> {
    let (config, commit) = configuration(hub, name, options)?;
    // A backbone of the user may be anything; whether the weights fit is found out by loading them.
    if let Ok(expected) = name.parse() {
        own_arch(hub, &config, Some(expected))?;
    }
    weights(hub, name, config, commit, options)
}

/// The architecture here of weights, which must be the expected one.
fn own_arch(hub: &Hub, config: &HubConfig, expected: Option<Arch>) -> Result<Option<Arch>> {
    let found = config.architecture.as_deref().unwrap_or_default();
    let own = Arch::from_timm(found);
    match expected {
        Some(expected) if own != Some(expected) => Err(Error::HubArch {
            repository: hub.name().to_owned(),
            expected: expected.name().to_owned(),
            found: found.to_owned(),
            own,
            known: expected.repositories(),
        }),
        _ => Ok(own),
    }
}

/// The configuration, which is small, so that a wrong repository is found out before its weights are downloaded.
fn configuration(hub: &Hub, name: &str, options: &Options) -> Result<(HubConfig, String)> {
    let file = hub
        .file_with(CONFIG, options)
        .map_err(|error| unavailable(hub, name, error))?;
    let config = HubConfig::read(&file.path)?;
    if config.architecture.is_none() {
        return Err(Error::HubHolds {
            repository: hub.name().to_owned(),
            holds: config.holds(),
        });
    }
    Ok((config, file.commit))
}

fn weights(
    hub: &Hub,
    name: &str,
    config: HubConfig,
    commit: String,
    options: &Options,
) -> Result<FromHub> {
    let images = defaults(&config);
    images.check()?;
    // Of the same commit, though the branch may move.
    let file = hub
        .clone()
        .with_revision(&commit)
        .file_with(WEIGHTS, options)
        .map_err(|error| unavailable(hub, name, error))?;
    Ok(FromHub {
        name: hub.name().to_owned(),
        commit,
        file: file.path,
        config,
        images,
    })
}

/// Adds what only this crate knows: repositories with similar names.
fn unavailable(hub: &Hub, name: &str, mut error: vision_fetch::Error) -> Error {
    if let vision_fetch::Error::Hub(hub_error) = &mut error
        && let HubError::NoRepository { near, .. }
        | HubError::Denied {
            near, gated: false, ..
        } = hub_error.as_mut()
    {
        *near = near_repositories(hub.name());
        // What exists is denied for another reason.
        near.retain(|near| near != hub.name());
    }
    Error::NoWeights {
        arch: name.to_owned(),
        source: error.into(),
    }
}

/// The preprocessing as the data's own options. The interpolation is left out: images are resized like Pillow's bilinear.
fn defaults(config: &HubConfig) -> ImageDefaults {
    let stats = config.mean.zip(config.std);
    ImageDefaults {
        stats: stats.map(|(mean, std)| Stats { mean, std }),
        size: config.size.map(|[height, width]| match height == width {
            true => Size::Square(height),
            false => Size::Exact(height, width),
        }),
        resize_method: Some(match config.crop_mode.as_deref() {
            Some("squash") => ResizeMethod::Squish,
            Some("border") => ResizeMethod::Pad,
            _ => ResizeMethod::Crop,
        }),
        crop_pct: config.crop_pct,
    }
}

impl FromHub {
    /// Where the weights come from, for the report.
    pub(crate) fn origin(&self) -> String {
        let commit = self.commit.get(..SHORT).unwrap_or(&self.commit);
        format!("{} of Hugging Face's hub, commit {commit}", self.name)
    }

    /// What the user said of the data that the weights were not trained with.
    pub(crate) fn warning(&self, data: &ImageDataBunch) -> Option<String> {
        let differences = data.differs_from(&self.images);
        (!differences.is_empty()).then(|| {
            format!(
                "the weights of {} were trained on other images than these: {}. Leave out the option of the data to take \
                 the value of the weights",
                self.name,
                differences.join("; ")
            )
        })
    }
}
