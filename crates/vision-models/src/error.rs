use std::path::PathBuf;

use thiserror::Error;
use vision_base::IoError;
use vision_base::message::{joined, named, quoted, shown};

use crate::weights::Mismatch;

/// Errors of models and their files.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// No architecture has that name.
    #[error(
        "unknown architecture {}{} Known architectures: {}", quoted(name), near_names(near), known.join(", ")
    )]
    UnknownArch {
        /// The requested name.
        name: String,
        /// The most similar names of the registry, nearest first.
        near: Vec<&'static str>,
        /// The names of the registry.
        known: Vec<&'static str>,
    },
    /// A cut leaves no children, or is out of range.
    #[error(
        "cut at {index} does not fit a model of {children} children: use an index that keeps at \
         least one of them (Cut::At(-2) drops the last two) or a function (Cut::with)"
    )]
    Cut {
        /// The index.
        index: isize,
        /// The number of direct children of the whole model.
        children: usize,
    },

    /// A file of reference numbers is inconsistent.
    #[error(
        "invalid reference for {arch}: {field} should be {expected}, found \
         {found}. Create it again with scripts/make_parity_reference.py"
    )]
    Reference {
        /// The architecture.
        arch: &'static str,
        /// The field, with dots between levels.
        field: &'static str,
        /// The expected value.
        expected: String,
        /// The value found.
        found: String,
    },

    // ---- weights files
    /// The content of a file does not match its SHA-256.
    #[error(
        "{} is damaged: its content has the SHA-256 {found}, but {expected} was written; get another copy of the \
         file",
        shown(path)
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The digits in its header.
        expected: String,
        /// The digits of its content.
        found: String,
    },

    /// An operation of the file system failed.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The file is not a weights file.
    #[error(
        "{} is not a weights file: {reason}. Supported are PyTorch (.pth, .pt), safetensors (also with \
         an index of several files) and ONNX",
        shown(path)
    )]
    NotWeights {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        reason: String,
    },
    /// The file is inconsistent, truncated, or exceeds a limit.
    #[error(
        "{} cannot be read as weights: {reason}. Download or save it again (in Python: \
         torch.save(model.state_dict(), path))",
        shown(path)
    )]
    BadWeights {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        reason: String,
    },
    /// Loading the file in Python would execute code. Nothing was executed.
    #[error(
        "{} is not safe: loading it in Python would call {call}, which no weights file \
         needs. Nothing was executed. Get the weights from another source, if possible as safetensors",
        shown(path)
    )]
    UnsafeWeights {
        /// The file.
        path: PathBuf,
        /// The function.
        call: String,
    },
    /// The file is too large.
    #[error(
        "{} is too large for a weights file: it has {found} bytes, the limit is {limit} bytes",
        shown(path)
    )]
    WeightsTooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        found: u64,
        /// The largest allowed size, in bytes.
        limit: u64,
    },
    /// An index of several files does not match them.
    #[error(
        "{} names the file {shard:?}, {reason}. Put all files of the set into one folder, as \
         published",
        shown(path)
    )]
    Shard {
        /// The index.
        path: PathBuf,
        /// The file that it names.
        shard: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The file holds several sets of the model's weights, and nothing says which is meant.
    #[error(
        "{} holds several sets of these weights, under the prefixes {}; choose one of them: \
         WeightsSource::new(path).prefix({:?})",
        shown(path), joined(prefixes.iter().map(|p| quoted(p))), prefixes.first().map_or("", |p| p)
    )]
    SeveralSets {
        /// The file.
        path: PathBuf,
        /// The prefix of each set.
        prefixes: Vec<String>,
    },
    /// The file holds no weights of the model where an option says.
    #[error(
        "{} holds no weights of this model {}; the model's names are under the prefix {}",
        shown(path), option_text(option, given), joined(found.iter().map(|p| quoted(p)))
    )]
    NoSuchSet {
        /// The file.
        path: PathBuf,
        /// The option: `key`, `prefix` or `averaged`.
        option: &'static str,
        /// Its value.
        given: String,
        /// The prefixes under which the file has names of the model.
        found: Vec<String>,
    },
    /// The configuration beside weights on the hub is wrong.
    #[error(
        "{} is no configuration of timm's weights: {field}: expected {expected}, found {}. Take another repository, or load \
         its weights as a file",
        shown(path),
        named(found)
    )]
    HubConfig {
        /// The file `config.json`.
        path: PathBuf,
        /// The field.
        field: &'static str,
        /// What it must be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The file has no tensor of that name.
    #[error("{} has no tensor {}{}", shown(path), quoted(name), near_name(near))]
    NoSuchTensor {
        /// The file.
        path: PathBuf,
        /// The requested name.
        name: String,
        /// The most similar name in the file.
        near: Option<String>,
    },
    /// The values of the tensor are not floating-point numbers.
    #[error(
        "{}: tensor {name:?} has type {found}; expected floating-point numbers (16, 32 or 64 bits)",
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
    /// The tensors of the file do not match the model.
    #[error(
        "{} does not fit the model: {}{hint}",
        shown(path),
        misfits(missing, mismatched)
    )]
    WeightsMisfit {
        /// The file.
        path: PathBuf,
        /// Names that are missing from the file.
        missing: Vec<String>,
        /// Tensors with the wrong shape.
        mismatched: Vec<Mismatch>,
        /// The likely cause and what to do. Starts with "; " unless empty.
        hint: String,
    },
    /// The description of a network asks for layers that cannot be.
    #[error(
        "the description of the network is wrong: {}{}",
        layer_name(layer),
        shown(reason)
    )]
    Description {
        /// Path of the layer or parameter. Empty for the whole network.
        layer: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The model cannot be exported to ONNX.
    #[error("cannot export to {}: {}{reason}", shown(path), layer_name(layer))]
    Export {
        /// The file. It is unchanged.
        path: PathBuf,
        /// Path of the layer that cannot be exported. Empty for the whole model.
        layer: String,
        /// The reason, and what to do.
        reason: String,
    },
    /// The tensors cannot be written.
    #[error("cannot write {}: tensor {} {reason}", shown(path), quoted(name))]
    WriteWeights {
        /// The file. It is unchanged.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

fn option_text(option: &str, given: &str) -> String {
    match option {
        "averaged" => "that were averaged".to_owned(),
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
    let parts = [("missing", missing), ("with another shape", &shapes)];
    let parts = parts.iter().filter(|(_, names)| !names.is_empty());
    let parts: Vec<_> = parts
        .map(|(what, names)| format!("{} {what} ({})", names.len(), first_few(names)))
        .collect();
    parts.join(", ")
}

/// The first names of a list, and the number of the others.
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
