//! The learning rate.

use std::str::FromStr;

use serde::{Serialize, Serializer};

/// `auto`, or a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Lr {
    Auto,
    Rate(f64),
}

impl FromStr for Lr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        match text.parse() {
            Ok(rate) if f64::is_finite(rate) && rate > 0.0 => Ok(Self::Rate(rate)),
            _ => Err("expected `auto`, or a number above 0 such as 1e-3".to_owned()),
        }
    }
}

impl Serialize for Lr {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => to.serialize_str("auto"),
            Self::Rate(rate) => to.serialize_f64(*rate),
        }
    }
}
