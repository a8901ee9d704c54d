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
//! # Safety of files
//!
//! A file is data. The pickle inside a PyTorch file is read without calling anything; a file whose pickle names
//! a function that acts on the machine (`os.system`) is refused on top of that. Whatever a file says about itself is checked before memory is set aside for it, within
//! these limits:
//!
//! | | at most |
//! |---|---|
//! | a file | [`MAX_FILE_BYTES`] |
//! | a tensor | the size of its file, or 1 MiB if that is more |
//! | the pickles of a file | 1 million operations, 64 MiB, 100 levels |
//! | what a compressed archive unpacks to | 64 MiB, or 8 times the file if that is more |
//! | the header of a safetensors file, or an index | 4 MiB |
//! | the files that an index names | 256 |
//! | the graph of an ONNX file | 100,000 nodes and tensors, 64 MiB of names |
//!
//! External data of an ONNX file is read from the file's own folder and nowhere else.
//!
//! Entries of a PyTorch zip archive must not overlap.
//! An index of several safetensors files may name files of its own folder only.
//!
//! # Map
//!
//! [`WeightsSource`] names a file and the weights in it, [`WeightsFile`] opens and reads, [`load_into`] fills a module, [`load_layers`] a backbone whose ONNX file
//! may have lost the names, [`LoadReport`] says how that went;
//! [`write_safetensors`] writes.

mod choice;
mod contents;
mod file;
mod names;
mod onnx;
mod pth;
mod report;
mod safetensors;
mod seal;
mod shards;
mod source;

use std::collections::BTreeSet;

use burn::module::Module;
pub use choice::Wanted;
pub use contents::MAX_FILE_BYTES;
pub use file::{Format, WeightsFile};
pub use report::{LoadReport, Mismatch};
pub(crate) use safetensors::write_state_dict;
pub use safetensors::{write_safetensors, write_sealed};
pub use seal::{Seal, check_seal};
pub use source::WeightsSource;

use crate::Result;
use crate::layers::Sequential;
use crate::state::{self, Entry};

/// Fills a module with the tensors of a file that have its names and shapes.
///
/// What the file lacks, or has in another shape, stays as it is and is in the report. Values are read one
/// tensor at a time. Running statistics are shared by the clones of a module, so a clone would see new
/// ones (see [`state::assign`]).
///
/// # Errors
///
/// As [`WeightsFile::matched`], or if a tensor cannot be read, which a file whose checksums are wrong shows only
/// now.
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

/// Fills a backbone as [`load_into`] does, and goes by the graph where an ONNX file has lost the names.
///
/// Exporters fold batch norms into convolutions and rename what they changed. The graph still says which
/// layer is which, by kind, shape and the layers that feed it. A folded batch norm becomes one that adds the
/// convolution's bias and nothing else; [`LoadReport::folded`] lists them.
///
/// # Errors
///
/// As [`load_into`].
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

/// What [`load_layers`] would report. No value is read.
///
/// # Errors
///
/// As [`WeightsFile::matched`].
pub fn compare_layers(model: &Sequential, file: &WeightsFile) -> Result<LoadReport> {
    Ok(plan(model, file)?.2)
}

fn wanted(entries: &[Entry]) -> Wanted {
    Wanted::new(entries.iter().map(|e| (e.name.as_str(), &e.shape[..])))
}

/// How to load: by the graph, if it has more than the names do. The file comes back under the model's names.
fn plan(
    model: &Sequential,
    file: &WeightsFile,
) -> Result<(Option<onnx::Fit>, WeightsFile, LoadReport)> {
    let children: Vec<&str> = model.names().collect();
    let wanted = wanted(&state::entries(model)).with_children(&children);
    let matched = file.matched(&wanted)?;
    let by_name = LoadReport::compare(&matched, &wanted);
    // A graph also has what names do not say, such as another epsilon. It decides where it finds more, and where the
    // file's names are not the model's own but were found behind a prefix.
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
