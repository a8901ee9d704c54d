//! Files of named tensors: PyTorch's (`.pth`, `.pt`), safetensors in one file or several, and ONNX.
//!
//! ```no_run
//! use vision_models::{Arch, Init, weights};
//! # let device = vision_models::test_device();
//!
//! let file = weights::WeightsFile::open("resnet18-f37072fd.pth")?;
//! let model = Arch::ResNet18.build(1000, &mut Init::zeroed(&device));
//! let (model, report) = weights::load_into(model, &file)?;
//! report.require_complete()?; // an error that says what does not fit
//! println!("{report}");       // what was loaded, missing, unused
//! # Ok::<(), vision_models::Error>(())
//! ```
//!
//! # File safety
//!
//! The content of a file is untrusted. The pickle inside a PyTorch file is read without calling
//! anything; in addition, a file whose pickle names a dangerous function (`os.system`) is rejected.
//! Sizes that a file declares are checked before memory is allocated, against these limits:
//!
//! | | limit |
//! |---|---|
//! | a file | [`MAX_FILE_BYTES`] |
//! | a tensor | the size of its file, or 1 MiB if that is larger |
//! | the pickles of a file | 1 million operations, 64 MiB, 100 levels |
//! | the unpacked size of a compressed archive | 64 MiB, or 8 times the file if that is larger |
//! | the header of a safetensors file, or an index | 4 MiB |
//! | the files named by an index | 256 |
//! | the graph of an ONNX file | 100,000 nodes and tensors, 64 MiB of names |
//!
//! External data of an ONNX file is only read from the file's own folder. Entries of a PyTorch zip
//! archive must not overlap. An index of several safetensors files may only name files in its own
//! folder.
//!
//! # Overview
//!
//! [`WeightsSource`] selects a file and a set of weights in it, [`WeightsFile`] opens and reads it,
//! [`load_into`] fills a module, [`load_layers`] fills a backbone from an ONNX file that may have
//! lost the names, and [`LoadReport`] lists the results. [`write_safetensors`] writes.

mod choice;
mod contents;
mod file;
mod hub_config;
mod joined;
mod names;
mod onnx;
mod other_names;
mod pth;
mod report;
mod safetensors;
mod seal;
mod sealed;
mod shards;
mod source;
mod torchvision;
mod write;

use std::collections::BTreeSet;

use burn::module::Module;
pub use choice::Wanted;
pub use contents::MAX_FILE_BYTES;
pub use file::{Format, WeightsFile};
pub use hub_config::HubConfig;
pub(crate) use names::timm_names;
pub use report::{LoadReport, Mismatch};
pub use seal::{Seal, check_seal};
pub use sealed::SealedFile;
pub use source::WeightsSource;
pub(crate) use torchvision::torchvision_names;
pub(crate) use write::write_state_dict;
pub use write::{TensorToWrite, Values, sealed_bytes, write_safetensors, write_sealed};

use crate::Result;
use crate::layers::Sequential;
use crate::state::{self, Entry};

/// Fills a module with the tensors of a file that have its names and shapes.
///
/// Parameters that are missing in the file, or have another shape, keep their values and are in the
/// report. Values are read one tensor at a time. Running statistics are shared by the clones of a
/// module, so a clone would see new ones (see [`state::assign`]).
///
/// # Errors
///
/// The errors of [`WeightsFile::matched`]; also if a tensor cannot be read, since wrong checksums
/// only show up now.
pub fn load_into<M: Module>(module: M, file: &WeightsFile) -> Result<(M, LoadReport)> {
    let modules = state::starts(&module);
    let children: Vec<&str> = modules
        .iter()
        .map(|start| start.name.as_str())
        .filter(|name| !name.contains('.'))
        .collect();
    let wanted = wanted(&state::entries(&module)).with_children(&children);
    let file = file.matched(&wanted)?;
    let report = LoadReport::compare(&file, &wanted);
    fill(module, &file, report)
}

fn fill<M: Module>(module: M, file: &WeightsFile, report: LoadReport) -> Result<(M, LoadReport)> {
    let mut failed = None;
    let module = state::assign(module, &mut |name, shape| {
        if failed.is_some() || file.shape(name) != Some(shape) {
            return None;
        }
        file.read_f32(name).map_err(|e| failed = Some(e)).ok()
    });
    match failed {
        Some(error) => Err(error),
        None => Ok((module, report)),
    }
}

/// Same as [`load_into`] for a backbone, but uses the graph if an ONNX file has lost the names.
///
/// Exporters fold batch norms into convolutions and rename what they changed. The graph still
/// identifies each layer by its kind, its shape and the layers that feed it. A folded batch norm
/// becomes one that only adds the convolution's bias; [`LoadReport::folded`] lists them.
///
/// # Errors
///
/// Same as [`load_into`].
pub fn load_layers(model: Sequential, file: &WeightsFile) -> Result<(Sequential, LoadReport)> {
    let (fit, matched, report) = plan(&model, file)?;
    let Some(fit) = fit else {
        return fill(model, &matched, report);
    };
    let mut failed = None;
    let model = state::assign(model, &mut |name, shape| {
        if failed.is_some() {
            return None;
        }
        fit.read(name, shape, file)
            .map_err(|e| failed = Some(e))
            .ok()?
    });
    match failed {
        Some(error) => Err(error),
        None => Ok((model, report)),
    }
}

/// What [`load_layers`] would report, without reading any values.
///
/// # Errors
///
/// Same as [`WeightsFile::matched`].
pub fn compare_layers(model: &Sequential, file: &WeightsFile) -> Result<LoadReport> {
    Ok(plan(model, file)?.2)
}

fn wanted(entries: &[Entry]) -> Wanted {
    Wanted::new(entries.iter().map(|e| (e.name.as_str(), &e.shape[..])))
}

/// Chooses how to load: by the graph if that finds more than the names do. Returns the file with
/// the model's names.
fn plan(
    model: &Sequential,
    file: &WeightsFile,
) -> Result<(Option<onnx::Fit>, WeightsFile, LoadReport)> {
    let children: Vec<&str> = model.names().collect();
    let wanted = wanted(&state::entries(model)).with_children(&children);
    let matched = file.matched(&wanted)?;
    let by_name = LoadReport::compare(&matched, &wanted);
    // A graph also has information that names lack, such as a different epsilon. It wins if it
    // finds more, or if the file's names are not the model's own but were found under a prefix.
    let own_names = wanted.names().all(|name| file.contains(name));
    let fit = match by_name.missing[..] {
        [] if own_names => None,
        [] => onnx::Fit::find(model, file).filter(|fit| fit.len() >= by_name.loaded.len()),
        _ => onnx::Fit::find(model, file).filter(|fit| fit.len() > by_name.loaded.len()),
    };
    let Some(fit) = fit else {
        return Ok((None, matched, by_name));
    };
    let mut report = LoadReport {
        by_graph: true,
        loaded: Vec::new(),
        missing: Vec::new(),
        mismatched: fit.mismatched.clone(),
        folded: fit.folded.clone(),
        notes: file.notes().to_vec(),
        ..by_name
    };
    for name in wanted.names() {
        if fit.contains(name) {
            report.loaded.push(name.to_owned());
        } else if !fit.mismatched.iter().any(|m| m.name == name) {
            report.missing.push(name.to_owned());
        }
    }
    let used: BTreeSet<&str> = fit.reads().collect();
    let unused = file.names().filter(|name| !used.contains(name));
    report.unused = unused.map(str::to_owned).collect();
    Ok((Some(fit), matched, report))
}
