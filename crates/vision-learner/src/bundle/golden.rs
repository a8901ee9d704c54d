//! Golden inputs: encoded images with the outputs that the exported model gave for them.

use serde::{Deserialize, Serialize};

/// The entry of a golden input in the manifest. Its image is the tensor of bytes `golden.<position>`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GoldenEntry {
    /// A name for messages.
    pub(crate) name: String,
    /// The bits of the predicted probabilities or numbers.
    pub(crate) outputs: Vec<u32>,
}

/// A golden input of an opened file.
#[derive(Clone, Debug)]
pub(crate) struct Golden {
    pub(crate) name: String,
    /// An encoded image.
    pub(crate) bytes: Vec<u8>,
    pub(crate) outputs: Vec<f32>,
}

/// The name of the tensor of a golden image.
pub(super) fn tensor_name(position: usize) -> String {
    format!("golden.{position}")
}
