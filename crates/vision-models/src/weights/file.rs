//! A weights file of any format.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::choice::{self, Wanted};
use super::contents::{
    Dtype, Graph, Stored, bad, catch, io_error, not_weights, open_regular, read_error,
};
use super::names::nearest;
use super::safetensors::{self, looks_like_safetensors};
use super::shards::{self, looks_like_index};
use super::source::WeightsSource;
use super::{onnx, pth};
use crate::{Error, Result};

/// The format of a weights file, detected from its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// Written by any version of `torch.save`.
    Pytorch,
    /// safetensors, in one file or in several with an index.
    Safetensors,
    /// ONNX: the initializers of its graph.
    Onnx,
}

/// The named tensors of a weights file. Values are read on demand.
///
/// Names are those of the file, with everything around the model: `state_dict.module.conv1.weight`
/// if a training program saved a dict with a key `state_dict`, of a model in `DataParallel`.
/// [`matched`](Self::matched) finds the model in it; [`load_into`](super::load_into) calls it
/// automatically.
///
/// To open safetensors in several files, open their index, `model.safetensors.index.json`. The
/// files that it names must be in the same folder.
///
/// Tensors that are not floating point, such as a batch norm's `num_batches_tracked`, are not
/// weights: only [`skipped`](Self::skipped) lists them.
#[derive(Clone)]
pub struct WeightsFile {
    source: WeightsSource,
    format: Format,
    tensors: BTreeMap<String, Stored>,
    metadata: BTreeMap<String, String>,
    notes: Vec<String>,
    graph: Option<Arc<Graph>>,
    /// Objects whose values are not read: location and class.
    foreign: Vec<(String, String)>,
}

impl WeightsFile {
    /// Opens a file, reads its list of tensors and checks it against the file's size.
    ///
    /// The format is detected from the content, not the extension. A [`WeightsSource`] can select
    /// one of several sets of weights.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be opened, [`Error::NotWeights`] if it is not a weights
    /// file, [`Error::BadWeights`] if it is damaged, [`Error::UnsafeWeights`] if its pickle names a
    /// dangerous function, [`Error::WeightsTooLarge`] beyond
    /// [`MAX_FILE_BYTES`](super::MAX_FILE_BYTES), [`Error::Shard`] if an index names a file that is
    /// missing, in another folder, or lacks its tensors.
    pub fn open(source: impl Into<WeightsSource>) -> Result<Self> {
        let source = source.into();
        let path = &source.path;
        let (mut file, len) = open_regular(path)?;
        let mut head = Vec::new();
        (&mut file)
            .take(512)
            .read_to_end(&mut head)
            .map_err(|source| io_error(path, source))?;

        let (format, contents) = if looks_like_safetensors(&head) {
            (Format::Safetensors, safetensors::open(path, file, len)?)
        } else if onnx::looks_like_onnx(&head) {
            (Format::Onnx, onnx::open(path, file, len)?)
        } else if let Some(container) = pth::Container::of(&head) {
            (Format::Pytorch, pth::open(path, file, len, container)?)
        } else if looks_like_index(&head) {
            (Format::Safetensors, shards::open(path, file, len)?)
        } else {
            return Err(not_weights(path, describe(&head)));
        };
        let foreign = contents.foreign;
        let quantized =
            |class: &str| class.ends_with("_rebuild_qtensor") || class.contains(".quantized.");
        if foreign.iter().any(|(_, class)| quantized(class)) {
            return Err(not_weights(
                path,
                "its weights are quantized; save those of the model from before it was converted \
                 (torch.ao.quantization.convert)",
            ));
        }
        if !contents.tensors.values().any(|t| t.dtype.is_float()) {
            let what = foreign.first().map(|(name, class)| match name.as_str() {
                "" => format!("; it is a {class}, not a dictionary of tensors"),
                name => format!("; {}", describe_foreign(name, class)),
            });
            let what = what.unwrap_or_default();
            return Err(bad(
                path,
                format!("it holds no floating-point tensor{what}"),
            ));
        }
        Ok(Self {
            format,
            tensors: contents.tensors,
            metadata: contents.metadata,
            notes: contents.notes,
            graph: contents.graph.map(Arc::new),
            foreign,
            source,
        })
    }

    /// Reduces the file to one model: its tensors under the model's names, without everything
    /// around it.
    ///
    /// Selects the prefix (of any length) under which most of the model's names are;
    /// [`notes`](Self::notes) report it. A file that has none of the names is returned unchanged.
    ///
    /// # Errors
    ///
    /// [`Error::SeveralSets`] if several sets fit equally well, and [`Error::NoSuchSet`] if the
    /// file lacks the set that the [`WeightsSource`] selects.
    pub fn matched(&self, wanted: &Wanted) -> Result<Self> {
        let Some(chosen) = choice::choose(&self.source, &self.tensors, wanted)? else {
            return Ok(self.clone());
        };
        let mut notes = self.notes.clone();
        notes.extend(chosen.notes);
        if let Some((name, class)) = self.foreign.first() {
            let n = self.foreign.len();
            notes.push(format!(
                "skipped {n} values of other types, such as {name} ({class})"
            ));
        }
        Ok(Self {
            tensors: chosen.tensors,
            notes,
            ..self.clone()
        })
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.source.path
    }

    /// The format of the file.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The number of floating-point tensors.
    pub fn len(&self) -> usize {
        self.names().count()
    }

    /// Always false: a file without floating-point tensors cannot be opened.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The names of the floating-point tensors, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let floats = self.tensors.iter().filter(|(_, t)| t.dtype.is_float());
        floats.map(|(name, _)| name.as_str())
    }

    /// The names of the other tensors (`num_batches_tracked`), in alphabetical order.
    pub fn skipped(&self) -> impl Iterator<Item = &str> {
        let others = self.tensors.iter().filter(|(_, t)| !t.dtype.is_float());
        others.map(|(name, _)| name.as_str())
    }

    /// Whether there is a floating-point tensor with this name.
    pub fn contains(&self, name: &str) -> bool {
        self.shape(name).is_some()
    }

    /// The shape of a floating-point tensor.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        let tensor = self.tensors.get(name)?;
        tensor.dtype.is_float().then_some(&tensor.shape)
    }

    /// The reason why the file may not fit any model, if known.
    pub(super) fn changed(&self) -> Option<String> {
        const OPTIMIZER: [&str; 5] = [
            "step",
            "exp_avg",
            "exp_avg_sq",
            "momentum_buffer",
            "square_avg",
        ];
        let last = |name| str::rsplit(name, '.').next().unwrap_or_default();
        let all = |is: fn(&str) -> bool| self.names().map(last).all(is);
        if let Some(changed) = self.graph().and_then(onnx::changed) {
            Some(changed.to_owned())
        } else if all(|name| name.bytes().all(|b| b.is_ascii_digit())) {
            Some("its tensors have no names: save model.state_dict()".to_owned())
        } else {
            all(|name| OPTIMIZER.contains(&name)).then(|| {
                "it holds the state of an optimizer, not a model: save model.state_dict()"
                    .to_owned()
            })
        }
    }

    /// What the file has instead of one of these parameters, if that cannot be read.
    pub(super) fn unreadable(&self, missing: &[String]) -> Option<String> {
        let is = |found: &str, name: &String| {
            let prefix = found.strip_suffix(name.as_str());
            prefix.is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('.'))
        };
        let mut foreign = self.foreign.iter();
        let (name, class) =
            foreign.find(|(found, _)| missing.iter().take(4).any(|name| is(found, name)))?;
        Some(describe_foreign(name, class))
    }

    /// How the tensors are used; only for ONNX files.
    pub(super) fn graph(&self) -> Option<&Graph> {
        self.graph.as_deref()
    }

    /// A metadata text of the file; safetensors and ONNX files have them.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// Notes on how the tensors were found: the key that contained them, a dropped prefix, shards.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Reads a tensor's values in row-major order.
    ///
    /// 16-bit numbers are converted exactly; 64-bit numbers are rounded to nearest, as in PyTorch.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchTensor`], [`Error::TensorType`] if the values are not floating-point numbers,
    /// and [`Error::BadWeights`] or [`Error::Io`] if they cannot be read.
    pub fn read_f32(&self, name: &str) -> Result<Vec<f32>> {
        let tensor = self.tensors.get(name).ok_or_else(|| Error::NoSuchTensor {
            path: self.source.path.clone(),
            name: name.to_owned(),
            near: nearest(name, self.names()),
        })?;
        if let Dtype::Other(found) = &tensor.dtype {
            return Err(Error::TensorType {
                path: self.source.path.clone(),
                name: name.to_owned(),
                found: found.clone(),
            });
        }
        let read = catch(&self.source.path, || (tensor.read)())?;
        let bytes = read.map_err(|e| match e.raw_os_error() {
            None => bad(&self.source.path, format!("tensor {name:?}: {e}")),
            Some(_) => read_error(&self.source.path, e),
        })?;
        let values = tensor.dtype.to_f32(&bytes);
        if values.len() != tensor.shape.iter().product::<usize>() {
            let reason = format!("tensor {name:?} has {} values", values.len());
            return Err(bad(&self.source.path, reason));
        }
        Ok(values)
    }
}

impl fmt::Debug for WeightsFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeightsFile")
            .field("path", &self.source.path)
            .field("format", &self.format)
            .field("tensors", &self.tensors.len())
            .finish_non_exhaustive()
    }
}

/// What is known about a value that is not read, and what to do.
fn describe_foreign(name: &str, class: &str) -> String {
    match class.ends_with(".DTensor") {
        true => format!(
            "{name} is a DTensor, a part of a distributed model: save get_model_state_dict(model, \
             options=StateDictOptions(full_state_dict=True))"
        ),
        false => format!("{name} is a {class}, which is not supported"),
    }
}

/// A guess at the type of a file that is not a weights file.
fn describe(head: &[u8]) -> &'static str {
    let text = str::from_utf8(head).map(str::trim_start);
    match text {
        Ok("") => "it is empty",
        Ok(t) if t.starts_with("version https://git-lfs") => {
            "it is a Git LFS pointer, not the file itself (run `git lfs pull`)"
        }
        Ok(t) if t.starts_with("model_checkpoint_path") => {
            "it is the index of a TensorFlow checkpoint, which has other names and layouts"
        }
        Ok(t) if t.starts_with("<?xml") && t.contains("<net") => {
            "it is an OpenVINO model, whose weights have other names and layouts"
        }
        Ok(t) if t.starts_with('<') => {
            "it is a web page, perhaps an error page instead of the file"
        }
        Ok(t) if !t.contains('\0') => "it is text",
        _ if head.starts_with(b"\x89HDF\r\n\x1a\n") => {
            "it is an HDF5 file, as Keras and TensorFlow write it, with other names and layouts"
        }
        _ if head.starts_with(b"\x93NUMPY") => "it is a single NumPy array without a name",
        _ if head.get(4..8) == Some(b"TFL3") => "it is a TensorFlow Lite model",
        _ if head.get(4..8) == Some(b"ORTM") => {
            "it is a model in ONNX Runtime's own format (.ort); take the ONNX file it was made from"
        }
        _ if head.starts_with(b"GGUF") => "it is a GGUF file, which holds language models",
        _ if head.starts_with(b"\x1f\x8b") => "it is compressed; unpack it with gunzip",
        _ if head.starts_with(b"\x28\xb5\x2f\xfd") => "it is compressed; unpack it with unzstd",
        _ if head.starts_with(b"\xfd7zXZ\0") => "it is compressed; unpack it with unxz",
        _ if head.starts_with(b"BZh") => "it is compressed; unpack it with bunzip2",
        _ if head.starts_with(b"7z\xbc\xaf\x27\x1c") => "it is a 7-Zip archive; unpack it with 7z",
        _ if head.starts_with(b"\xff\xd8\xff") || head.starts_with(b"\x89PNG") => "it is an image",
        _ if head.starts_with(&[0x80]) => {
            "it is a bare pickle that torch.save did not write; load it in Python and save its arrays with \
             torch.save({name: torch.from_numpy(array), ..}, \"weights.pth\")"
        }
        _ => "its format is unknown",
    }
}
