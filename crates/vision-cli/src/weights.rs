//! Which weights a network begins with, and what images they want.

use std::path::Path;

use vision::base::message::shown;
use vision::data::{ImageDefaults, Stats};
use vision::fetch::hub::Hub;
use vision::fetch::is_http;
use vision::learner::{HubWeights, Pretrained, hub_weights, imagenet_weights};
use vision::models::{Arch, WeightsPlace, near_repositories};

use crate::data::SIZE;
use crate::failure::{Failure, Result};
use crate::options::model::{HUB, ModelOptions};
use crate::output::{note, warn};

pub(crate) const ARCH: Arch = Arch::ResNet34;

/// The images that weights want.
pub(crate) struct WeightsImages {
    pub(crate) stats: Stats,
    /// Their side in pixels.
    pub(crate) side: usize,
}

/// Pretrained weights unless the user says otherwise, or there are none. Those of the hub bring their architecture, and the
/// option then names their commit, so that a training that goes on later begins with the same ones.
pub(crate) fn choose(model: &mut ModelOptions) -> Result<WeightsImages> {
    check_file(model)?;
    if let Some(hub) = hub_of(model) {
        match hub_weights(&hub, model.arch) {
            Ok(weights) => {
                model.arch = Some(weights.arch);
                let option = format!("{HUB}{}@{}", hub.name(), weights.commit);
                note(format_args!("pretrained weights: {option}"));
                model.pretrained = Some(option);
                return Ok(of_hub(&weights));
            }
            Err(error) if model.pretrained.is_some() => return Err(error.into()),
            Err(error) => without(model, &error),
        }
        return images(model);
    }
    let arch = *model.arch.get_or_insert(ARCH);
    if model.pretrained.is_none() {
        match imagenet_weights(arch) {
            Ok(_) => model.pretrained = Some("yes".to_owned()),
            Err(error) => without(model, &error),
        }
    }
    images(model)
}

fn without(model: &mut ModelOptions, error: &vision::learner::Error) {
    let reason = match error {
        // Without what a program could do instead.
        vision::learner::Error::NoWeights { source, .. } => source.to_string(),
        error => error.to_string(),
    };
    warn(format_args!(
        "training begins with random weights, which takes many more images and epochs: {reason}. To use a file \
         say --pretrained FILE; --pretrained no hides this warning"
    ));
    model.pretrained = Some("no".to_owned());
}

/// The weights of these options.
pub(crate) fn pretrained(model: &ModelOptions) -> Pretrained {
    match model.pretrained.as_deref() {
        None | Some("yes") => true.into(),
        Some("no") => false.into(),
        Some(other) => other.into(),
    }
}

/// The images that the weights of these options want.
pub(crate) fn images(model: &ModelOptions) -> Result<WeightsImages> {
    if let Some(hub) = hub_of(model) {
        return Ok(of_hub(&hub_weights(&hub, model.arch)?));
    }
    let info = model.arch.unwrap_or(ARCH).info();
    Ok(WeightsImages {
        stats: Stats {
            mean: info.mean,
            std: info.std,
        },
        side: SIZE,
    })
}

fn of_hub(weights: &HubWeights) -> WeightsImages {
    let ImageDefaults { stats, size, .. } = weights.images;
    let info = weights.arch.info();
    WeightsImages {
        stats: stats.unwrap_or(Stats {
            mean: info.mean,
            std: info.std,
        }),
        side: size.map_or(SIZE, |size| size.height_width().0),
    }
}

/// The repository of these options, if their weights are on the hub.
fn hub_of(model: &ModelOptions) -> Option<Hub> {
    match model.pretrained.as_deref() {
        Some("no") => None,
        None | Some("yes") => match model.arch.unwrap_or(ARCH).info().weights.as_ref()?.place {
            WeightsPlace::Hub { repository } => Some(Hub::new(repository)),
            _ => None,
        },
        Some(text) => text.strip_prefix(HUB).map(Hub::new),
    }
}

/// A name of the hub without its beginning would be a file that does not exist.
fn check_file(model: &ModelOptions) -> Result<()> {
    let Some(text) = model.pretrained.as_deref() else {
        return Ok(());
    };
    if ["yes", "no"].contains(&text)
        || text.starts_with(HUB)
        || is_http(text)
        || Path::new(text).exists()
    {
        return Ok(());
    }
    let parts: Vec<String> = Path::new(text)
        .iter()
        .rev()
        .take(2)
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    let (Some(last), organization) = (parts.first(), parts.get(1)) else {
        return Ok(());
    };
    let known = near_repositories(last);
    let is = |name: &String| {
        Some(name.as_str()) == known.first().map(|known| known.trim_start_matches("timm/"))
    };
    if is(last) || organization.is_some_and(|name| name == "timm") {
        return Err(Failure::failed(format!(
            "there is no file {}; for the weights of the hub say --pretrained {HUB}{}",
            shown(text),
            shown(last)
        )));
    }
    Ok(())
}
