//! Labels as they are given, and how they become targets.

pub(crate) mod class_weights;
pub(crate) mod columns;
pub(crate) mod error;
pub(crate) mod names;
pub(crate) mod targets;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;
use std::path::PathBuf;

use vision_base::OptionError;
use vision_base::message::{listed, quoted};

use crate::error::{Error, Result};
use crate::labels::error::LabelError;
use crate::labels::names::Names;
use crate::labels::targets::{MultiLabels, TargetKind, Targets};
use crate::table::LINE_ENDS;

/// The label of one item, as a file, a table or a function gives it. Its type decides the kind of
/// the set, unless [`LabelOptions`] do.
///
/// ```
/// use vision_data::Label;
/// assert_eq!(Label::from("cat"), Label::Category("cat".to_owned()));
/// assert_eq!(Label::from(3), Label::Int(3));
/// assert_eq!(Label::from(0.5_f32), Label::Float(vec![0.5]));
/// assert_eq!(Label::from(vec!["haze", "road"]), Label::Multi(vec!["haze".into(), "road".into()]));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Label {
    /// The name of a class.
    Category(String),
    /// A class that is a number. If all are, they are sorted as numbers.
    Int(i64),
    /// The names of any number of classes.
    Multi(Vec<String>),
    /// Numbers to be predicted.
    Float(Vec<f64>),
}

impl From<&str> for Label {
    fn from(name: &str) -> Self {
        Self::Category(name.to_owned())
    }
}

impl From<String> for Label {
    fn from(name: String) -> Self {
        Self::Category(name)
    }
}

macro_rules! label_from_integers {
    ($($integer:ty),*) => { $(
        impl From<$integer> for Label {
            fn from(class: $integer) -> Self {
                Self::Int(i64::from(class))
            }
        }
    )* };
}

label_from_integers!(i8, i16, i32, i64, u8, u16, u32);

impl From<f32> for Label {
    fn from(value: f32) -> Self {
        Self::Float(vec![value.into()])
    }
}

impl From<f64> for Label {
    fn from(value: f64) -> Self {
        Self::Float(vec![value])
    }
}

impl From<Vec<f32>> for Label {
    fn from(values: Vec<f32>) -> Self {
        Self::Float(values.into_iter().map(f64::from).collect())
    }
}

impl From<Vec<String>> for Label {
    fn from(names: Vec<String>) -> Self {
        Self::Multi(names)
    }
}

impl From<Vec<&str>> for Label {
    fn from(names: Vec<&str>) -> Self {
        Self::Multi(names.into_iter().map(ToOwned::to_owned).collect())
    }
}

/// What to do about a label that is not among the classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownLabels {
    /// End with an error that counts and lists them.
    #[default]
    Fail,
    /// Leave the items out, or only the label where an item has several classes, and keep a
    /// record: [`ImageDataBunch::dropped`](crate::ImageDataBunch::dropped).
    Drop,
}

/// How labels are read.
///
/// ```
/// use vision_data::{LabelOptions, TargetKind};
/// // "haze road" are two classes.
/// let tags = LabelOptions::new().with_delimiter(" ");
/// // Numbers that are no classes, and their logarithms are what is predicted.
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
    /// The kind is that of the labels, the classes are those of the training items, and another
    /// one in validation is an error.
    pub fn new() -> Self {
        Self::default()
    }

    /// The kind, whatever the labels look like.
    pub fn with_kind(mut self, kind: TargetKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// The classes and their order.
    pub fn with_classes<S: Into<String>>(mut self, classes: impl IntoIterator<Item = S>) -> Self {
        self.classes = Some(classes.into_iter().map(Into::into).collect());
        self
    }

    /// Each label is a list of classes with this between them. Spaces around a class are not part
    /// of it, and an empty label is no class.
    #[doc(alias("label_delim", "sep"))]
    pub fn with_delimiter(mut self, delimiter: impl Into<String>) -> Self {
        self.delimiter = Some(delimiter.into());
        self
    }

    /// Whether the natural logarithm of numbers is what is predicted.
    pub fn with_log(mut self, log: bool) -> Self {
        self.log = log;
        self
    }

    /// What to do about labels that are not among the classes.
    pub fn with_unknown(mut self, unknown: UnknownLabels) -> Self {
        self.unknown = unknown;
        self
    }

    /// What `other` sets, and of the rest what this sets.
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

    /// Whether a line end is between the classes of an item.
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

/// Labels that were left out on request: those of one name in one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// "training", "validation" or "test".
    pub part: &'static str,
    /// The label that is not among the classes.
    pub label: String,
    /// The number of items that had it.
    pub items: usize,
    /// The first of them.
    pub first: PathBuf,
}

/// A label that cannot be used, and what was expected in its place.
#[derive(Debug)]
pub(crate) struct Rejected {
    pub(crate) expected: &'static str,
    pub(crate) found: String,
}

fn rejected<T>(
    expected: &'static str,
    found: impl Into<String>,
) -> std::result::Result<T, Rejected> {
    Err(Rejected {
        expected,
        found: found.into(),
    })
}

/// Numbers in a message.
fn numbers(values: &[f64]) -> String {
    listed(values.iter().map(text))
}

/// A number as short as it can be told from others of 32 bits.
fn text(value: &f64) -> String {
    (*value as f32).to_string()
}

/// Labels of one kind, collected item by item.
#[derive(Debug)]
pub(crate) struct Collector<'a> {
    options: &'a LabelOptions,
    kind: Option<TargetKind>,
    names: Names,
    /// Whether all names are integers, given as such.
    integers: bool,
    /// Of one class an item its number in `names`, else those of all items.
    labels: Vec<u32>,
    /// Of several classes an item, where its labels end.
    ends: Vec<u32>,
    columns: usize,
    values: Vec<f32>,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(options: &'a LabelOptions) -> Self {
        let delimited = options
            .delimiter
            .as_ref()
            .map(|_| TargetKind::MultiCategory);
        Self {
            options,
            kind: options.kind.or(delimited),
            names: Names::default(),
            integers: true,
            labels: Vec::new(),
            ends: Vec::new(),
            columns: 0,
            values: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, label: Label) -> std::result::Result<(), Rejected> {
        let kind = *self.kind.get_or_insert(match label {
            Label::Category(_) | Label::Int(_) => TargetKind::Category,
            Label::Multi(_) => TargetKind::MultiCategory,
            Label::Float(_) => TargetKind::Float,
        });
        match kind {
            TargetKind::Category => {
                self.integers &= matches!(label, Label::Int(_));
                let name = self.one_name(label)?;
                self.labels.push(self.names.number(&name));
            }
            TargetKind::MultiCategory => {
                self.integers = false;
                for name in self.many_names(label)? {
                    self.labels.push(self.names.number(&name));
                }
                self.ends.push(self.labels.len() as u32);
            }
            TargetKind::Float => self.push_numbers(&label)?,
        }
        Ok(())
    }

    fn one_name(&self, label: Label) -> std::result::Result<String, Rejected> {
        match label {
            Label::Category(name) if name.is_empty() => rejected("a label", "an empty text"),
            Label::Category(name) => Ok(name),
            Label::Int(class) => Ok(class.to_string()),
            // The user has said that these numbers are classes.
            Label::Float(values) if self.options.kind.is_some() && values.len() == 1 => {
                Ok(values.iter().map(text).collect())
            }
            Label::Float(values) => rejected("a class like the others", numbers(&values)),
            Label::Multi(names) => rejected("one class like the others", listed(names.iter())),
        }
    }

    fn many_names(&self, label: Label) -> std::result::Result<Vec<String>, Rejected> {
        match (label, &self.options.delimiter) {
            (Label::Category(text), Some(delimiter)) => Ok(text
                .split(delimiter.as_str())
                .map(str::trim)
                .filter(|name| !name.is_empty())
                .map(ToOwned::to_owned)
                .collect()),
            (Label::Category(name), None) if name.is_empty() => Ok(Vec::new()),
            (Label::Category(name), None) => Ok(vec![name]),
            (Label::Int(class), _) => Ok(vec![class.to_string()]),
            (Label::Multi(names), _) if names.iter().any(String::is_empty) => {
                rejected("names of classes", "an empty one among them")
            }
            (Label::Multi(names), _) => Ok(names),
            (Label::Float(values), _) => rejected("names of classes", numbers(&values)),
        }
    }

    fn push_numbers(&mut self, label: &Label) -> std::result::Result<(), Rejected> {
        let values = match label {
            Label::Float(values) => values.clone(),
            Label::Int(value) => vec![*value as f64],
            Label::Category(text) => match text.trim().parse() {
                Ok(value) => vec![value],
                Err(_) => return rejected("a number", quoted(text)),
            },
            Label::Multi(names) => return rejected("a number", listed(names.iter())),
        };
        if let Some(bad) = values.iter().find(|value| !value.is_finite()) {
            return rejected("a finite number", bad.to_string());
        }
        if let Some(bad) = values.iter().find(|value| !(**value as f32).is_finite()) {
            let found = format!("{bad:e}, which is beyond 32 bits");
            return rejected("a number of 32 bits (up to 3.4e38)", found);
        }
        let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
        if self.columns == 0 {
            self.columns = values.len();
        }
        if values.is_empty() || values.len() != self.columns {
            let found = format!(
                "{} numbers where others have {}",
                values.len(),
                self.columns
            );
            return rejected("as many numbers as the other items have", found);
        }
        if !self.options.log {
            self.values.extend(values);
            return Ok(());
        }
        if let Some(bad) = values.iter().find(|&&value| value <= 0.0) {
            return rejected("a number above 0, to take its logarithm", bad.to_string());
        }
        self.values.extend(values.iter().map(|value| value.ln()));
        Ok(())
    }

    pub(crate) fn kind(&self) -> TargetKind {
        self.kind.unwrap_or(TargetKind::Category)
    }

    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// The numbers of an item's names.
    pub(crate) fn numbers(&self, item: usize) -> &[u32] {
        let range = match self.kind() {
            TargetKind::Category => item..item.saturating_add(1),
            TargetKind::MultiCategory => {
                let start = item.checked_sub(1).and_then(|before| self.ends.get(before));
                let end = self.ends.get(item).copied().unwrap_or(0);
                start.map_or(0, |&start| start as usize)..end as usize
            }
            TargetKind::Float => 0..0,
        };
        self.labels.get(range).unwrap_or_default()
    }

    /// The classes of the first `items` items: sorted as numbers if all labels are integers, else
    /// by code point, so that "10" comes before "2".
    pub(crate) fn classes(&self, items: usize) -> Vec<String> {
        let mut used = vec![false; self.names.iter().len()];
        for item in 0..items {
            for &number in self.numbers(item) {
                used[number as usize] = true;
            }
        }
        let names = self.names.iter().zip(used);
        let mut classes: Vec<String> = names
            .filter(|(_, used)| *used)
            .map(|(name, _)| name.to_owned())
            .collect();
        if self.integers {
            classes.sort_by_key(|name| name.parse::<i64>().unwrap_or(0));
        } else {
            classes.sort_unstable();
        }
        classes
    }

    /// The labels of the items of a part that have no position, counted; `file` names an item.
    pub(crate) fn unknown(
        &self,
        part: &'static str,
        items: Range<usize>,
        positions: &[Option<u32>],
        file: impl Fn(usize) -> PathBuf,
    ) -> Vec<Dropped> {
        let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for item in items {
            for &number in self.numbers(item) {
                if positions.get(number as usize) == Some(&None) {
                    counts.entry(self.name(number)).or_insert((0, item)).0 += 1;
                }
            }
        }
        let dropped = counts.into_iter().map(|(label, (items, first))| Dropped {
            part,
            label: label.to_owned(),
            items,
            first: file(first),
        });
        dropped.collect()
    }

    /// Of each name its position in `classes`.
    pub(crate) fn positions(&self, classes: &[String]) -> Vec<Option<u32>> {
        let known: HashMap<&str, u32> = classes.iter().map(String::as_str).zip(0..).collect();
        self.names
            .iter()
            .map(|name| known.get(name).copied())
            .collect()
    }

    fn name(&self, number: u32) -> &str {
        self.names.get(number).unwrap_or_default()
    }

    /// The targets of the items `items`, of which each label has a position or is passed over.
    pub(crate) fn targets(
        &self,
        items: &[usize],
        positions: &[Option<u32>],
        classes: usize,
    ) -> Result<Targets> {
        let of = |item: usize| {
            let numbers = self.numbers(item).iter();
            numbers.filter_map(|&number| positions.get(number as usize).copied().flatten())
        };
        Ok(match self.kind() {
            TargetKind::Category => {
                Targets::Category(items.iter().flat_map(|&item| of(item).take(1)).collect())
            }
            TargetKind::MultiCategory => {
                let mut labels = MultiLabels::new(classes);
                for &item in items {
                    labels.push(of(item).map(|position| position as usize))?;
                }
                Targets::MultiCategory(labels)
            }
            TargetKind::Float => Targets::Float {
                columns: self.columns,
                values: items
                    .iter()
                    .flat_map(|&item| {
                        let start = item * self.columns;
                        self.values
                            .get(start..start + self.columns)
                            .unwrap_or_default()
                    })
                    .copied()
                    .collect(),
            },
        })
    }
}

/// Checks a list of classes that somebody gave.
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
            return bad(format!("{} is in it twice", quoted(name)));
        }
    }
    Ok(())
}
