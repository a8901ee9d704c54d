use std::path::PathBuf;

use thiserror::Error;
use vision_base::IoError;
use vision_base::message::{joined, named, quoted, shown};

use crate::weights::Mismatch;

/// What can go wrong in this crate.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// No architecture has that name.
    #[error(
        "no architecture is called {name:?}{} Known are: {}", near_names(near), known.join(", ")
    )]
    UnknownArch {
        /// The name that was asked for.
        name: String,
        /// The most similar names of the registry, nearest first.
        near: Vec<&'static str>,
        /// The names of the registry.
        known: Vec<&'static str>,
    },
    /// A cut leaves nothing, or more than there is.
    #[error(
        "cut at {index} does not fit a model of {children} children: use an index that leaves at \
         least one of them (Cut::At(-2) drops the last two) or a function (Cut::with)"
    )]
    Cut {
        /// The index, as given.
        index: isize,
        /// The number of direct children of the whole model.
        children: usize,
    },

    /// A file of reference numbers contradicts itself.
    #[error(
        "the reference of {arch} cannot be compared with: {field} should be {expected}, found \
         {found}; make it again with scripts/make_parity_reference.py"
    )]
    Reference {
        /// The architecture.
        arch: &'static str,
        /// The field, with dots between levels.
        field: &'static str,
        /// What would have fitted.
        expected: String,
        /// What is there.
        found: String,
    },

    // ---- weights files
    /// The operating system refused something.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The file is of no kind that holds weights.
    #[error(
        "{} is not a weights file: {reason}; PyTorch (.pth, .pt), safetensors (also by their index) and \
         ONNX files can be read",
        shown(path)
    )]
    NotWeights {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        reason: String,
    },
    /// The file contradicts itself, ends too early or goes beyond a limit.
    #[error(
        "{} cannot be read as weights: {reason}; fetch or save it again (in Python: \
         torch.save(model.state_dict(), path))",
        shown(path)
    )]
    BadWeights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        reason: String,
    },
    /// The file would run code in Python. It was not run.
    #[error(
        "{} is not to be trusted: loading it in Python would call {call}, which no weights file \
         needs. Nothing was executed; get the weights from another source, as safetensors if possible",
        shown(path)
    )]
    UnsafeWeights {
        /// The file.
        path: PathBuf,
        /// The function.
        call: String,
    },
    /// The file is larger than what is read.
    #[error(
        "{} has {found} bytes and is too large for a weights file: the limit is {limit} bytes",
        shown(path)
    )]
    WeightsTooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        found: u64,
        /// The largest size that is read.
        limit: u64,
    },
    /// An index of several files does not go with them.
    #[error(
        "{} names the file {shard:?}, {reason}; put all files of the set into one folder, as they were \
         published",
        shown(path)
    )]
    Shard {
        /// The index.
        path: PathBuf,
        /// The file that it names.
        shard: String,
        /// What is wrong with that.
        reason: String,
    },
    /// The file holds several sets of the model's weights, and nothing says which is meant.
    #[error(
        "{} holds several sets of these weights, behind {}; name one of them: \
         WeightsSource::new(path).prefix({:?})",
        shown(path), joined(prefixes.iter().map(|p| quoted(p))), prefixes.first().map_or("", |p| p)
    )]
    SeveralSets {
        /// The file.
        path: PathBuf,
        /// What is before the names of each.
        prefixes: Vec<String>,
    },
    /// The file holds no weights of the model where an option says.
    #[error(
        "{} holds no weights of this model {}; names of the model are behind {}",
        shown(path), option_text(option, given), joined(found.iter().map(|p| quoted(p)))
    )]
    NoSuchSet {
        /// The file.
        path: PathBuf,
        /// The option: `key`, `prefix` or `averaged`.
        option: &'static str,
        /// Its value.
        given: String,
        /// What is before names of the model in the file.
        found: Vec<String>,
    },
    /// The file has no tensor of that name.
    #[error("{} has no tensor {name:?}{}", shown(path), near_name(near))]
    NoSuchTensor {
        /// The file.
        path: PathBuf,
        /// The name that was asked for.
        name: String,
        /// The most similar name in the file.
        near: Option<String>,
    },
    /// The tensor's values are not floating point numbers.
    #[error(
        "{}: tensor {name:?} holds {found}; expected floating point numbers (16, 32 or 64 bits)",
        shown(path)
    )]
    TensorType {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// The type of its values.
        found: String,
    },
    /// The file does not hold what the model needs.
    #[error(
        "{} does not fit the model: {}{hint}",
        shown(path),
        misfits(missing, mismatched)
    )]
    WeightsMisfit {
        /// The file.
        path: PathBuf,
        /// Names that the file lacks.
        missing: Vec<String>,
        /// Tensors of another shape.
        mismatched: Vec<Mismatch>,
        /// What the reason seems to be and what to do; starts with "; " unless empty.
        hint: String,
    },
    /// The network cannot be taken out to ONNX.
    #[error("cannot export to {}: {}{reason}", shown(path), layer_name(layer))]
    Export {
        /// The file, which was left as it was.
        path: PathBuf,
        /// Path of the layer that cannot be carried; empty for the whole model.
        layer: String,
        /// Why, and what to do.
        reason: String,
    },
    /// The tensors cannot be written as they are.
    #[error("cannot write {}: tensor {name:?} {reason}", shown(path))]
    WriteWeights {
        /// The file, which was left as it was.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

fn option_text(option: &str, given: &str) -> String {
    match option {
        "averaged" => "that are averaged".to_owned(),
        option => format!("under the {option} {}", quoted(given)),
    }
}

fn near_names(near: &[&str]) -> String {
    if near.is_empty() {
        return ".".to_owned();
    }
    format!("; did you mean {}?", near.join(" or "))
}

fn layer_name(layer: &str) -> String {
    if layer.is_empty() {
        String::new()
    } else {
        format!("layer {layer:?} ")
    }
}

fn near_name(near: &Option<String>) -> String {
    near.as_ref()
        .map(|n| format!(", the nearest is {n:?}"))
        .unwrap_or_default()
}

fn misfits(missing: &[String], mismatched: &[Mismatch]) -> String {
    let shapes: Vec<_> = mismatched.iter().map(Mismatch::to_string).collect();
    let parts = [("missing", missing), ("of another shape", &shapes)];
    let parts = parts.iter().filter(|(_, names)| !names.is_empty());
    let parts: Vec<_> = parts
        .map(|(what, names)| format!("{} {what} ({})", names.len(), first_few(names)))
        .collect();
    parts.join(", ")
}

/// The first names of a list, and how many more there are.
pub(crate) fn first_few(names: &[String]) -> String {
    const SHOWN: usize = 4;
    let first: Vec<_> = names.iter().take(SHOWN).map(|name| named(name)).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// A result with this crate's [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;
