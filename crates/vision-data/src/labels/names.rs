//! Names of classes and groups, taken from folders and patterns.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use regex::Regex;

use crate::error::{Error, Result};
use crate::labels::error::LabelError;

/// Interned names: each is stored once and numbered in order of first appearance.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    names: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Names {
    /// The number of a name; a new name gets the next number.
    pub(crate) fn number(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = self.names.len() as u32;
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }

    pub(crate) fn get(&self, number: u32) -> Option<&str> {
        self.names.get(number as usize).map(String::as_str)
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }
}

/// A regular expression whose first group is searched for in paths.
#[derive(Debug)]
pub(crate) struct Pattern(Regex);

impl Pattern {
    pub(crate) fn new(pattern: &str) -> Result<Self> {
        let bad = |reason: String| {
            Error::Label(LabelError::BadPattern {
                pattern: pattern.to_owned(),
                reason,
            })
        };
        let regex = Regex::new(pattern).map_err(|error| {
            // The lines before the last one point at the place, below the pattern.
            let error = error.to_string();
            let last = error.lines().last().unwrap_or_default();
            bad(last.trim_start_matches("error: ").to_owned())
        })?;
        if regex.captures_len() < 2 {
            return Err(bad(
                "it has no group in brackets to take the label from".to_owned()
            ));
        }
        Ok(Self(regex))
    }

    /// What the first group captures in the first match.
    pub(crate) fn label(&self, path: &Path) -> Result<String> {
        let text = posix(path);
        let captures = self.0.captures(&text);
        let label = captures.as_ref().and_then(|captures| captures.get(1));
        match label {
            Some(label) => Ok(label.as_str().to_owned()),
            None => Err(Error::Label(LabelError::PatternNotFound {
                pattern: self.0.as_str().to_owned(),
                path: path.to_owned(),
            })),
        }
    }
}

/// A path with `/` as separator on every system.
pub(crate) fn posix(path: &Path) -> String {
    let text: Cow<'_, str> = path.to_string_lossy();
    if cfg!(windows) {
        text.replace('\\', "/")
    } else {
        text.into_owned()
    }
}

/// The last component of a folder, as a class name.
pub(crate) fn folder_name(folder: &Path) -> Result<&str> {
    folder
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| {
            Error::Label(LabelError::NotUtf8 {
                folder: folder.to_owned(),
            })
        })
}
