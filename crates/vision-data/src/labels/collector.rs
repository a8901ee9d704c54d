//! Collects labels item by item, and turns them into targets.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::PathBuf;

use vision_base::message::{listed, quoted};

use crate::error::Result;
use crate::labels::Label;
use crate::labels::kind::{Dropped, TargetKind};
use crate::labels::names::Names;
use crate::labels::options::LabelOptions;
use crate::labels::targets::{MultiLabels, Targets};

/// A label that cannot be used, and what was expected instead.
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

/// Formats numbers for a message.
fn numbers(values: &[f64]) -> String {
    listed(values.iter().map(text))
}

/// The shortest text that identifies the number among 32-bit floats.
fn text(value: &f64) -> String {
    (*value as f32).to_string()
}

/// Collects labels of one kind, item by item.
#[derive(Debug)]
pub(crate) struct Collector<'a> {
    options: &'a LabelOptions,
    kind: Option<TargetKind>,
    names: Names,
    /// Whether all names were given as integers.
    integers: bool,
    /// With one class per item, its number in `names` for each item; otherwise those of all items in turn.
    labels: Vec<u32>,
    /// With several classes per item, the end of each item's labels in `labels`.
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
            // The user declared these numbers to be classes.
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
                rejected("names of classes", "an empty name")
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
            let found = format!("{bad:e}, which does not fit into 32 bits");
            return rejected("a number of 32 bits (up to 3.4e38)", found);
        }
        let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
        if self.columns == 0 {
            self.columns = values.len();
        }
        if values.is_empty() || values.len() != self.columns {
            let found = format!(
                "{} numbers where the other items have {}",
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

    /// The numbers of an item's names in `names`.
    pub(crate) fn numbers(&self, item: usize) -> &[u32] {
        match self.kind() {
            TargetKind::Category => &self.labels[item..=item],
            TargetKind::MultiCategory => {
                let start = item.checked_sub(1).map_or(0, |before| self.ends[before]);
                &self.labels[start as usize..self.ends[item] as usize]
            }
            TargetKind::Float => &[],
        }
    }

    /// The classes of the first `items` items: sorted as numbers if all labels are integers, otherwise
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
            classes.sort_by_key(|name| name.parse::<i64>().expect("it was made of an integer"));
        } else {
            classes.sort_unstable();
        }
        classes
    }

    /// Counts the labels without a position in the items of a part; `file` gives the file of an item.
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

    /// The position of each name in `classes`.
    pub(crate) fn positions(&self, classes: &[String]) -> Vec<Option<u32>> {
        let known: HashMap<&str, u32> = classes.iter().map(String::as_str).zip(0..).collect();
        self.names
            .iter()
            .map(|name| known.get(name).copied())
            .collect()
    }

    /// All names so far.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter()
    }

    /// The names of an item.
    pub(crate) fn names_of(&self, item: usize) -> impl Iterator<Item = &str> {
        self.numbers(item).iter().map(|&number| self.name(number))
    }

    fn name(&self, number: u32) -> &str {
        self.names.get(number).expect("numbers are those of names")
    }

    /// The targets of the items `items`. Each of their labels has a position or is skipped.
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
                        &self.values[start..start + self.columns]
                    })
                    .copied()
                    .collect(),
            },
        })
    }
}
