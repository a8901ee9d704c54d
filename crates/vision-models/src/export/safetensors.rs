//! Export to safetensors, with the names that Python libraries expect.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use vision_base::message::shown;

use crate::Result;
use crate::layers::Sequential;
use crate::state::{self, NamedTensor};
use crate::weights::{timm_names, torchvision_names, write_state_dict};

/// Naming scheme of the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Names {
    /// torchvision's names for the whole backbone: `layer1.0.conv1.weight`. timm's for a family of architectures that
    /// torchvision does not have.
    Torchvision,
    /// timm's names for the whole backbone: `blocks.0.0.conv_dw.weight`. torchvision's for an architecture that timm does
    /// not have.
    Timm,
    /// fastai's names for body and head: `0.4.0.conv1.weight`, `1.8.bias`.
    FastAi,
}

impl Names {
    /// The names in this scheme of all tensors of a whole backbone, in order. fastai's are the backbone's own, since they
    /// only differ for body and head.
    ///
    /// ```
    /// use vision_models::{Arch, Init, export::Names, state};
    /// # let device = vision_models::test_device();
    /// let net = Arch::EfficientNetB0.build(10, &mut Init::zeroed(&device));
    /// let own: Vec<String> = state::entries(&net).into_iter().map(|entry| entry.name).collect();
    /// assert_eq!(own[0], "conv_stem.weight");
    /// assert_eq!(Names::Torchvision.of(&own)[0], "features.0.0.weight");
    /// ```
    pub fn of(self, own: &[String]) -> Vec<String> {
        let renamed = match self {
            Self::Torchvision => torchvision_names(own),
            Self::Timm => timm_names(own),
            Self::FastAi => None,
        };
        renamed.unwrap_or_else(|| own.to_vec())
    }
}

/// Result of an export.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportReport {
    /// The file.
    pub file: PathBuf,
    /// Names in the file, in file order.
    pub written: Vec<String>,
    /// Parameters and buffers that have no name in the naming scheme and were omitted.
    pub omitted: Vec<String>,
    /// Information for the user.
    pub notes: Vec<String>,
}

/// Short, as it prints: a model can have a thousand names.
impl fmt::Debug for ExportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExportReport({self})")
    }
}

impl fmt::Display for ExportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            written,
            omitted,
            notes,
        } = self;
        write!(f, "{}: {} written", shown(file), written.len())?;
        if !omitted.is_empty() {
            let names = crate::error::first_few(omitted);
            write!(f, "\n  {} omitted: {names}", omitted.len())?;
        }
        notes.iter().try_for_each(|note| write!(f, "\n  {note}"))
    }
}

/// Writes a backbone with its own names, so that
/// `torchvision.models.resnet18().load_state_dict(safetensors.torch.load_file(path))` accepts it in
/// strict mode. They are torchvision's, or timm's for the architectures that have timm's names here
/// (see [`export_safetensors_as`]).
///
/// PyTorch's batch norms count batches (`num_batches_tracked`), those of this crate do not. The
/// counters are written as 0; only a batch norm without a momentum ever reads them.
///
/// # Errors
///
/// As [`write_safetensors`](crate::weights::write_safetensors).
pub fn export_safetensors(model: &Sequential, path: impl AsRef<Path>) -> Result<ExportReport> {
    export_safetensors_with(&state::tensors(model), path, |name| Some(name.to_owned()))
}

/// Writes a whole backbone with the names of another program, so that its model accepts the file in strict mode.
///
/// # Errors
///
/// As [`export_safetensors`].
pub fn export_safetensors_as(
    model: &Sequential,
    path: impl AsRef<Path>,
    names: Names,
) -> Result<ExportReport> {
    let mut tensors = state::tensors(model);
    let own: Vec<String> = tensors.iter().map(|tensor| tensor.name.clone()).collect();
    for (tensor, name) in tensors.iter_mut().zip(names.of(&own)) {
        // The scale of a ConvNeXt's block is a map in torchvision. A classifier is a matrix there, also where timm has a convolution of one pixel; VGG's is a convolution
        // over the whole map in timm.
        let renamed = tensor.name != name;
        if renamed && name.ends_with(".layer_scale") {
            tensor.shape.extend([1, 1]);
        }
        if renamed && name.starts_with("classifier.") {
            while tensor.shape.len() > 2 && tensor.shape.last() == Some(&1) {
                tensor.shape.pop();
            }
        }
        if let ("pre_logits.fc1.weight" | "pre_logits.fc2.weight", [outputs, inputs]) =
            (name.as_str(), &tensor.shape[..])
        {
            const VGG_CHANNELS: usize = 512;
            const VGG_SIDE: usize = 7;
            tensor.shape = match inputs / (VGG_SIDE * VGG_SIDE) {
                VGG_CHANNELS => vec![*outputs, VGG_CHANNELS, VGG_SIDE, VGG_SIDE],
                _ => vec![*outputs, *inputs, 1, 1],
            };
        }
        tensor.name = name;
    }
    export_safetensors_with(&tensors, path, |name| Some(name.to_owned()))
}

/// Writes tensors under the names that `rename` returns. Tensors without a name are omitted.
///
/// # Errors
///
/// As [`export_safetensors`].
pub fn export_safetensors_with(
    tensors: &[NamedTensor],
    path: impl AsRef<Path>,
    mut rename: impl FnMut(&str) -> Option<String>,
) -> Result<ExportReport> {
    let path = path.as_ref();
    let mut report = ExportReport {
        file: path.to_owned(),
        ..ExportReport::default()
    };
    let mut named = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        match rename(&tensor.name) {
            Some(name) => named.push((name, tensor)),
            None => report.omitted.push(tensor.name.clone()),
        }
    }
    let counters: Vec<String> = named
        .iter()
        .filter_map(|(name, _)| {
            Some(format!(
                "{}num_batches_tracked",
                name.strip_suffix("running_var")?
            ))
        })
        .collect();
    let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    write_state_dict(path, &named, &counters, &metadata)?;
    report.written = named
        .into_iter()
        .map(|(name, _)| name)
        .chain(counters)
        .collect();
    Ok(report)
}
