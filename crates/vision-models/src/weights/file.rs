//! A weights file of any format.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::contents::{
    Dtype, Graph, Stored, bad, catch, io_error, not_weights, open_regular, read_error,
};
use super::names::nearest;
use super::safetensors::{self, looks_like_safetensors};
use super::shards::{self, looks_like_index};
use super::{guard, names, onnx, pth};
use crate::{Error, Result};

/// What kind of file it is, found out from its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// What `torch.save` writes, in any of its versions.
    Pytorch,
    /// safetensors, in one file or, with an index, in several.
    Safetensors,
    /// ONNX: the initialisers of its graph.
    Onnx,
}

/// The named tensors of a weights file, whose values are read when they are asked for.
///
/// Of a PyTorch file it shows the state dict, also when that lies under `state_dict`,
/// `model_state_dict` or `model` (as in fastai's files with an optimizer). A prefix that every name
/// carries, `module.` left by `DataParallel` or `_orig_mod.` by `torch.compile`, is dropped.
/// [`notes`](Self::notes) says which of this happened.
///
/// safetensors in several files open by their index, `model.safetensors.index.json`. The files that it
/// names must lie in its own folder.
///
/// Tensors that are not floating point, such as a batch normalisation's `num_batches_tracked`, are no
/// weights: they are listed by [`skipped`](Self::skipped) and nowhere else.
pub struct WeightsFile {
    path: PathBuf,
    format: Format,
    tensors: BTreeMap<String, Stored>,
    metadata: BTreeMap<String, String>,
    notes: Vec<String>,
    graph: Option<Graph>,
}

impl WeightsFile {
    /// Opens a file, reads its list of tensors and checks it against the file's size.
    ///
    /// The format is told by the content, not by the extension.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be opened, [`Error::NotWeights`] if it is something else,
    /// [`Error::BadWeights`] if it is damaged, [`Error::UnsafeWeights`] if its pickle names a dangerous
    /// function, [`Error::WeightsTooLarge`] beyond [`MAX_FILE_BYTES`], [`Error::Shard`] if an index names
    /// a file that is missing, elsewhere, or does not hold what it should.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let (mut file, len) = open_regular(path)?;
        let mut head = Vec::new();
        (&mut file)
            .take(512)
            .read_to_end(&mut head)
            .map_err(|source| io_error(path, source))?;

        let (format, mut contents) = if looks_like_safetensors(&head) {
            (Format::Safetensors, safetensors::open(path, file, len)?)
        } else if onnx::looks_like_onnx(&head) {
            (Format::Onnx, onnx::open(path, file, len)?)
        } else if let Some(container) = guard::Container::of(&head) {
            guard::check(path, file, len, container)?;
            (Format::Pytorch, pth::open(path, len)?)
        } else if looks_like_index(&head) {
            (Format::Safetensors, shards::open(path, file, len)?)
        } else {
            return Err(not_weights(path, describe(&head)));
        };
        if !contents.tensors.values().any(|t| t.dtype.is_float()) {
            return Err(bad(path, "it holds no floating point tensor"));
        }
        names::drop_prefixes(&mut contents);
        names::rename_dense_layers(&mut contents);
        Ok(Self {
            path: path.to_owned(),
            format,
            tensors: contents.tensors,
            metadata: contents.metadata,
            notes: contents.notes,
            graph: contents.graph,
        })
    }

    /// The file as a file of a whole model with these direct children, if it has fastai's names.
    ///
    /// fastai calls a classifier's body `0`, its head `1`, and the body's children by their positions:
    /// `0.4.0.conv1.weight` becomes `layer1.0.conv1.weight` where the child at position 4 is `layer1`. The
    /// head (`1.8.weight`) keeps its names, so that it is unused. Another file stays as it is.
    pub fn with_children(mut self, children: &[&str]) -> Self {
        if names::are_fastai(self.names(), children) {
            self.tensors = names::whole_model(self.tensors, children);
            let note =
                "fastai's names: the body's (\"0.\") taken by position, the head's (\"1.\") left";
            self.notes.push(note.to_owned());
        }
        self
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The kind of file.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The number of floating point tensors.
    pub fn len(&self) -> usize {
        self.names().count()
    }

    /// Always false: a file without a floating point tensor does not open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names of the floating point tensors, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let floats = self.tensors.iter().filter(|(_, t)| t.dtype.is_float());
        floats.map(|(name, _)| name.as_str())
    }

    /// Names of the other tensors (`num_batches_tracked`), in alphabetical order.
    pub fn skipped(&self) -> impl Iterator<Item = &str> {
        let others = self.tensors.iter().filter(|(_, t)| !t.dtype.is_float());
        others.map(|(name, _)| name.as_str())
    }

    /// Whether there is a floating point tensor of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.shape(name).is_some()
    }

    /// The size of each dimension of a floating point tensor.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        let tensor = self.tensors.get(name)?;
        tensor.dtype.is_float().then_some(&tensor.shape)
    }

    /// How the tensors are used, which only an ONNX file says.
    pub(super) fn graph(&self) -> Option<&Graph> {
        self.graph.as_ref()
    }

    /// A text that the file carries beside its tensors; safetensors and ONNX files do.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// What was done to find the tensors: the key that they lay under, a prefix that was dropped, shards.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Reads a tensor's values in row-major order.
    ///
    /// 16-bit numbers convert exactly; 64-bit numbers are rounded to the nearest, as PyTorch does.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchTensor`], [`Error::TensorType`] if the values are no floating point numbers, and
    /// [`Error::BadWeights`] or [`Error::Io`] if they cannot be read.
    pub fn read_f32(&self, name: &str) -> Result<Vec<f32>> {
        let tensor = self.tensors.get(name).ok_or_else(|| Error::NoSuchTensor {
            path: self.path.clone(),
            name: name.to_owned(),
            near: nearest(name, self.names()),
        })?;
        if let Dtype::Other(found) = &tensor.dtype {
            return Err(Error::TensorType {
                path: self.path.clone(),
                name: name.to_owned(),
                found: found.clone(),
            });
        }
        let read = catch(&self.path, &tensor.read)?;
        let bytes = read.map_err(|e| read_error(&self.path, e))?;
        let values = tensor.dtype.to_f32(&bytes);
        if values.len() != tensor.shape.iter().product::<usize>() {
            let reason = format!("tensor {name:?} has {} values", values.len());
            return Err(bad(&self.path, reason));
        }
        Ok(values)
    }
}

impl fmt::Debug for WeightsFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeightsFile")
            .field("path", &self.path)
            .field("format", &self.format)
            .field("tensors", &self.tensors.len())
            .finish_non_exhaustive()
    }
}

/// What a file that is no weights file seems to be.
fn describe(head: &[u8]) -> &'static str {
    let text = str::from_utf8(head).map(str::trim_start);
    match text {
        Ok("") => "it is empty",
        Ok(t) if t.starts_with("version https://git-lfs") => {
            "it is a Git LFS pointer, not the file itself (run `git lfs pull`)"
        }
        Ok(t) if t.starts_with('<') => "it is a web page, perhaps an error instead of the file",
        Ok(t) if !t.contains('\0') => "it is text",
        _ if head.starts_with(&[0x80]) => "it is a bare pickle, which holds no tensors",
        _ => "its content is of no known kind",
    }
}
