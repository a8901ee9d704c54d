//! What is done to an image besides resizing, as data.
//!
//! A list of [`Transform`]s says what may happen to an image, how likely it is and within which
//! bounds. What does happen to one image is drawn from (seed, epoch, index) alone. All moves of
//! pixels are composed into one map, so that an image is resampled once, however long the list.
//!
//! Written down as JSON, [`Transforms`] come back the same. What is misspelt is refused, and what is
//! out of bounds when the data is built:
//!
//! ```
//! use vision_data::{Transforms, get_transforms};
//!
//! let written = serde_json::to_string(&get_transforms()).unwrap();
//! assert_eq!(serde_json::from_str::<Transforms>(&written).unwrap(), get_transforms());
//!
//! let misspelt = r#"{"train": [{"rotat": {"degrees": [-9, 9], "p": 1}}], "valid": []}"#;
//! let error = serde_json::from_str::<Transforms>(misspelt).unwrap_err();
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
