//! Export to safetensors, with the names that Python libraries expect.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use vision_base::message::shown;

use crate::Result;
use crate::layers::Sequential;
use crate::state::{self, NamedTensor};
use crate::weights::write_state_dict;

/// Naming scheme of the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// torchvision's names for the whole backbone: `layer1.0.conv1.weight`.
    Torchvision,
    /// fastai's names for body and head: `0.4.0.conv1.weight`, `1.8.bias`.
    FastAi,
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

/// Writes a backbone with torchvision's names, so that
/// `torchvision.models.resnet18().load_state_dict(safetensors.torch.load_file(path))` accepts it in
/// strict mode.
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
