//! What must be the same when a fit is resumed.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use vision_base::message::hex;
use vision_base::{atomic, io_error};

use crate::{Error, Result};

const FORMAT: u32 = 1;

/// Everything that decides the course of a fit, as pairs of a name and a value for people.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identity {
    format: u32,
    fields: Vec<(String, String)>,
}

impl Identity {
    pub(super) fn new(fields: Vec<(&'static str, String)>) -> Self {
        let fields = fields.into_iter();
        Self {
            format: FORMAT,
            fields: fields
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        }
    }

    /// Names and values.
    pub(crate) fn into_fields(self) -> Vec<(String, String)> {
        self.fields
    }

    /// Compares with what the folder of a fit holds, or writes it down at the beginning of one.
    ///
    /// # Errors
    ///
    /// [`Error::OtherFit`] for the first difference.
    pub(super) fn check(&self, fit: &Path) -> Result<()> {
        let file = fit.join("fit.json");
        let damaged = |reason: String| Error::DamagedRun {
            folder: fit.to_owned(),
            reason: format!("fit.json: {reason}"),
        };
        if !file.exists() {
            let json = serde_json::to_vec_pretty(self).map_err(|e| damaged(e.to_string()))?;
            return Ok(atomic::write(&file, &json)?);
        }
        let json = fs::read(&file).map_err(io_error("read", &file))?;
        let before: Self = serde_json::from_slice(&json).map_err(|e| damaged(e.to_string()))?;
        if before.format != self.format {
            let found = before.format;
            return Err(damaged(format!(
                "expected format {FORMAT}, found {found}, of another version of vision"
            )));
        }
        let value = |of: &Self, name: &str| {
            let field = of.fields.iter().find(|(own, _)| own == name);
            field.map_or("absent".to_owned(), |(_, value)| value.clone())
        };
        // First those that this fit does not have: others follow from them.
        let names = before.fields.iter().chain(&self.fields);
        for (name, _) in names {
            let (before, now) = (value(&before, name), value(self, name));
            if before != now {
                return Err(Error::OtherFit {
                    folder: fit.to_owned(),
                    field: name.clone(),
                    before,
                    now,
                });
            }
        }
        Ok(())
    }
}

/// The first digits of a hash over texts, to tell lists apart that are too long to show.
pub(super) fn short_hash<T: AsRef<[u8]>>(parts: impl IntoIterator<Item = T>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        let part = part.as_ref();
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hex(&hash.finalize()[..8])
}
