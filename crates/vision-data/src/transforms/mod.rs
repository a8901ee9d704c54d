//! Image transforms, described as data.
//!
//! A list of [`Transform`]s defines what may happen to an image, with which probability and within which
//! bounds. The actual draw for an image depends only on (seed, epoch, index). All moves of pixels are
//! composed into one map, so that an image is resampled once, however long the list.
//!
//! [`Transforms`] can be serialized to JSON and back without loss. Misspelled names are errors when
//! deserializing, and numbers out of range when the data is built:
//!
//! ```
//! use vision_data::{Transforms, get_transforms};
//!
//! let written = serde_json::to_string(&get_transforms()).unwrap();
//! assert_eq!(serde_json::from_str::<Transforms>(&written).unwrap(), get_transforms());
//!
//! let misspelled = r#"{"train": [{"rotat": {"degrees": [-9, 9], "p": 1}}], "valid": []}"#;
//! let error = serde_json::from_str::<Transforms>(misspelled).unwrap_err();
//! assert!(error.to_string().contains("unknown variant `rotat`, expected one of"));
//! ```

pub(crate) mod batch;
pub(crate) mod bounds;
pub mod builtin;
pub(crate) mod config;
pub(crate) mod constructors;
pub(crate) mod custom;
pub(crate) mod error;
pub(crate) mod kind;
pub(crate) mod lists;
pub(crate) mod padding;
pub mod presets;
pub(crate) mod resizing;
pub(crate) mod size;
pub(crate) mod transform;
