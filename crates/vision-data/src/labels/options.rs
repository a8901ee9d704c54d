//! How labels are read.

use std::collections::HashSet;
use std::path::Path;

use vision_base::OptionError;
use vision_base::message::{quoted, shown};

use crate::error::{Error, Result};
use crate::labels::error::LabelError;
use crate::labels::kind::TargetKind;
use crate::table::LINE_ENDS;

/// What to do about a label that is not among the classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownLabels {
    /// Fail with an error that counts and lists them.
    #[default]
    Fail,
    /// Leave the items out (an item with several classes loses only the label), and keep a
    /// record in [`ImageDataBunch::dropped`](crate::ImageDataBunch::dropped).
    Drop,
}

/// How labels are read.
///
/// ```
/// use vision_data::{LabelOptions, TargetKind};
/// // "haze road" are two classes.
/// let tags = LabelOptions::new().with_delimiter(" ");
/// // Numbers, not classes; the model predicts their logarithms.
/// let ages = LabelOptions::new().with_kind(TargetKind::Float).with_log(true);
/// ```
#[doc(alias("label_cls", "MultiCategoryList", "FloatList", "CategoryList"))]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelOptions {
    pub(crate) kind: Option<TargetKind>,
    pub(crate) classes: Option<Vec<String>>,
    pub(crate) delimiter: Option<String>,
    pub(crate) log: bool,
    pub(crate) unknown: UnknownLabels,
}

impl LabelOptions {
    /// Infers the kind from the labels and takes the classes from the training items; an unknown
    /// validation label is an error.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the kind, whatever the labels look like.
    pub fn with_kind(mut self, kind: TargetKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Sets the classes and their order.
    pub fn with_classes<S: Into<String>>(mut self, classes: impl IntoIterator<Item = S>) -> Self {
        self.classes = Some(classes.into_iter().map(Into::into).collect());
        self
    }

    /// Splits each label into several classes at this delimiter. Spaces around a class are removed,
    /// and an empty label means no class.
    #[doc(alias("label_delim", "sep"))]
    pub fn with_delimiter(mut self, delimiter: impl Into<String>) -> Self {
        self.delimiter = Some(delimiter.into());
        self
    }

    /// Whether to predict the natural logarithm of the numbers. Default: `false`.
    pub fn with_log(mut self, log: bool) -> Self {
        self.log = log;
        self
    }

    /// What to do about labels that are not among the classes.
    pub fn with_unknown(mut self, unknown: UnknownLabels) -> Self {
        self.unknown = unknown;
        self
    }

    /// Merges the options: those that `other` sets win.
    pub(crate) fn merged(self, other: Self) -> Self {
        Self {
            kind: other.kind.or(self.kind),
            classes: other.classes.or(self.classes),
            delimiter: other.delimiter.or(self.delimiter),
            log: other.log || self.log,
            unknown: match other.unknown {
                UnknownLabels::Fail => self.unknown,
                UnknownLabels::Drop => UnknownLabels::Drop,
            },
        }
    }

    /// Whether a line end separates the classes of an item.
    pub(crate) fn has_lines(&self) -> bool {
        let delimiter = self.delimiter.as_deref();
        delimiter.is_some_and(|delimiter| delimiter.contains(LINE_ENDS))
    }

    pub(crate) fn check(&self) -> Result<()> {
        let bad = |option, expected, found: &str| {
            Err(Error::Option(OptionError::new(
                option,
                expected,
                found.to_owned(),
            )))
        };
        if self.delimiter.as_deref() == Some("") {
            return bad("label_delim", "at least one character", "an empty text");
        }
        let kind = self.delimiter.as_ref().map_or(self.kind, |_| {
            Some(self.kind.unwrap_or(TargetKind::MultiCategory))
        });
        if self.delimiter.is_some() && kind != Some(TargetKind::MultiCategory) {
            return bad("label_delim", "labels of several classes", "another kind");
        }
        if self.log && kind.is_some_and(|kind| kind != TargetKind::Float) {
            return bad("log", "labels that are numbers", "another kind");
        }
        self.classes.as_deref().map_or(Ok(()), check_classes)
    }
}

/// Checks a list of classes that a user gave.
pub(crate) fn check_classes(classes: &[String]) -> Result<()> {
    let bad = |reason| Err(Error::Label(LabelError::BadClasses { reason }));
    if classes.is_empty() {
        return bad("it is empty".to_owned());
    }
    let mut seen = HashSet::new();
    for (position, name) in classes.iter().enumerate() {
        if name.is_empty() {
            return bad(format!("the name at position {position} is empty"));
        }
        if !seen.insert(name) {
            return bad(format!("{} occurs twice", quoted(name)));
        }
    }
    Ok(())
}

/// Checks that a classifier has enough classes to tell apart.
pub(crate) fn check_enough(kind: TargetKind, classes: &[String], folder: &Path) -> Result<()> {
    match kind {
        TargetKind::Category if classes.len() < 2 => Err(Error::Label(LabelError::TooFewClasses {
            folder: folder.to_owned(),
            classes: classes.to_vec(),
        })),
        TargetKind::MultiCategory if classes.is_empty() => {
            Err(Error::Label(LabelError::BadClasses {
                reason: format!("no training image in {} has a label", shown(folder)),
            }))
        }
        TargetKind::Category | TargetKind::MultiCategory | TargetKind::Float => Ok(()),
    }
}
