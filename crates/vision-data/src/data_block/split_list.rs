//! The second step of the data block: the split into training and validation files.

use std::collections::HashSet;
use std::mem;
use std::path::{Path, PathBuf};

use vision_base::OptionError;
use vision_base::message::{listed, quoted, shown};

use crate::data_block::image_list::ImageList;
use crate::data_block::label_lists::{LabelLists, bad_label, check_count};
use crate::data_block::labeled::{Labeled, LabeledFiles};
use crate::decisions::error::DecisionError;
use crate::decisions::record::{Decided, Relabeled};
use crate::decisions::relabel;
use crate::error::{Error, Result};
use crate::files::disjoint::check_apart;
use crate::labels::collector::{Collector, Rejected};
use crate::labels::columns::{OneColumn, are_flags, is_one};
use crate::labels::error::LabelError;
use crate::labels::kind::{Dropped, TargetKind};
use crate::labels::names::{Pattern, folder_name};
use crate::labels::options::{LabelOptions, UnknownLabels, check_enough};
use crate::labels::{Label, alike};
use crate::split::{Items, Parts, PathFn, Split};
use crate::table::column::Column;
use crate::table::items::ItemColumn;

impl ImageList {
    /// Splits the files into training and validation.
    ///
    /// # Errors
    ///
    /// - [`Error::Option`] for an option outside its range;
    /// - [`SplitError::Empty`](crate::SplitError::Empty) if training is empty, or validation although
    ///   the split asks for it;
    /// - [`SplitError::OnBothSides`](crate::SplitError::OnBothSides) if a file would be in both
    ///   training and validation;
    /// - depending on the split: [`FilesError::MissingFolder`](crate::FilesError::MissingFolder),
    ///   [`FilesError::NoImages`](crate::FilesError::NoImages),
    ///   [`DataError::NoSuchItem`](crate::DataError::NoSuchItem),
    ///   [`SplitError::UnknownFiles`](crate::SplitError::UnknownFiles),
    ///   [`TableError::NoTable`](crate::TableError::NoTable),
    ///   [`TableError::NoSuchColumn`](crate::TableError::NoSuchColumn),
    ///   [`TableError::BadCell`](crate::TableError::BadCell),
    ///   [`LabelError::BadPattern`](crate::LabelError::BadPattern),
    ///   [`LabelError::PatternNotFound`](crate::LabelError::PatternNotFound),
    ///   [`LabelError::NotUtf8`](crate::LabelError::NotUtf8), [`Error::Io`].
    pub fn split(self, split: Split) -> Result<SplitList> {
        let mut parts = split.parts(self.items_to_split())?;
        for (part, items) in [
            ("training", &mut parts.train),
            ("validation", &mut parts.valid),
        ] {
            let before = items.len();
            items.retain(|&item| !self.is_excluded(item));
            if items.is_empty() && before > 0 {
                let items = before;
                return Err(DecisionError::NothingLeft { part, items }.into());
            }
        }
        // The names in a source are not files, and each is unique.
        if self.source.is_none() {
            check_apart(
                ("training", self.paths_at(&parts.train)),
                ("validation", self.paths_at(&parts.valid)),
            )?;
        }
        let root = self.names_root();
        let folders = match &split {
            Split::Folders { train, valid } => {
                vec![root.join(train), root.join(valid)]
            }
            _ => Vec::new(),
        };
        Ok(SplitList::new(self, parts, folders))
    }

    fn items_to_split(&self) -> Items<'_> {
        Items {
            path: self.path(),
            root: self.names_root(),
            are_files: self.source.is_none(),
            files: self.items(),
            rows: self.table.as_ref(),
            labels: None,
        }
    }

    /// Splits by folder, such as `train` and `valid`: [`Split::Folders`].
    ///
    /// # Errors
    ///
    /// Those of [`split`](Self::split).
    pub fn split_by_folder(self, train: &str, valid: &str) -> Result<SplitList> {
        self.split(Split::Folders {
            train: train.to_owned(),
            valid: valid.to_owned(),
        })
    }

    /// Splits at random: [`Split::Random`].
    ///
    /// # Errors
    ///
    /// Those of [`split`](Self::split).
    #[doc(alias = "random_split_by_pct")]
    pub fn split_by_rand_pct(self, valid_pct: f64, seed: u64) -> Result<SplitList> {
        self.split(Split::Random { valid_pct, seed })
    }

    /// Uses all files for training: [`Split::None`].
    ///
    /// # Errors
    ///
    /// [`SplitError::Empty`](crate::SplitError::Empty) if the list is empty.
    #[doc(alias = "no_split")]
    pub fn split_none(self) -> Result<SplitList> {
        self.split(Split::None)
    }

    /// Splits by a function of the path: [`Split::Func`].
    ///
    /// # Errors
    ///
    /// Those of [`split`](Self::split).
    pub fn split_by_valid_func(
        self,
        is_valid: impl Fn(&Path) -> bool + Send + Sync + 'static,
    ) -> Result<SplitList> {
        self.split(Split::Func(PathFn::new(is_valid)))
    }

    /// Splits by a column of the table: [`Split::Column`].
    ///
    /// # Errors
    ///
    /// Those of [`split`](Self::split).
    pub fn split_from_df(self, column: impl Into<Column>) -> Result<SplitList> {
        self.split(Split::Column(column.into()))
    }
}

/// Files, split into training and validation, not yet labeled.
#[derive(Clone, Debug)]
pub struct SplitList {
    list: ImageList,
    parts: Parts,
    /// The folders of the parts, if the split is by folder.
    folders: Vec<PathBuf>,
    options: LabelOptions,
}

impl SplitList {
    pub(crate) fn new(list: ImageList, parts: Parts, folders: Vec<PathBuf>) -> Self {
        Self {
            list,
            parts,
            folders,
            options: LabelOptions::default(),
        }
    }

    /// The number of training files.
    pub fn train_len(&self) -> usize {
        self.parts.train.len()
    }

    /// The number of validation files.
    pub fn valid_len(&self) -> usize {
        self.parts.valid.len()
    }

    /// The training files, in order.
    pub fn train_items(&self) -> impl Iterator<Item = &Path> {
        self.list.paths_at(&self.parts.train)
    }

    /// The validation files, in order.
    pub fn valid_items(&self) -> impl Iterator<Item = &Path> {
        self.list.paths_at(&self.parts.valid)
    }

    /// Sets how labels are read. If several calls set the same option, the last one wins.
    pub fn label_with(mut self, options: LabelOptions) -> Self {
        self.options = self.options.merged(options);
        self
    }

    /// Labels each file with the name of the folder that contains it.
    ///
    /// # Errors
    ///
    /// [`LabelError::Unlabeled`](crate::LabelError::Unlabeled) for files outside of such folders,
    /// [`LabelError::NotUtf8`](crate::LabelError::NotUtf8), and the class errors
    /// [`LabelError::TooFewClasses`](crate::LabelError::TooFewClasses),
    /// [`LabelError::BadClasses`](crate::LabelError::BadClasses) and
    /// [`LabelError::UnknownClasses`](crate::LabelError::UnknownClasses).
    pub fn label_from_folder(self) -> Result<LabelLists> {
        let roots = match self.folders.as_slice() {
            [] => vec![self.list.names_root().to_owned()],
            folders => folders.to_vec(),
        };
        for root in roots {
            let items = || (0..self.list.len()).filter(|&item| !self.list.is_excluded(item));
            let loose = || {
                let paths = items().map(|item| &self.list.items()[item]);
                paths.filter(|path| path.parent() == Some(&root))
            };
            if let Some(example) = loose().next() {
                return Err(Error::Label(LabelError::Unlabeled {
                    count: loose().count(),
                    example: example.clone(),
                    folder: root,
                }));
            }
        }
        self.label(|_, path| Ok(folder_name(path.parent().unwrap_or(path))?.into()))
    }

    /// Labels each file with the result of `label` for its path.
    ///
    /// # Errors
    ///
    /// [`LabelError::BadLabel`](crate::LabelError::BadLabel) for a label whose kind differs from the
    /// others, and the class errors of [`label_from_folder`](Self::label_from_folder).
    pub fn label_from_func<L: Into<Label>>(self, label: impl Fn(&Path) -> L) -> Result<LabelLists> {
        self.label(|_, path| Ok(label(path).into()))
    }

    /// Labels each file with what the first group of `pattern` captures in its path. Path components
    /// are separated by `/` on every system.
    ///
    /// # Errors
    ///
    /// [`LabelError::BadPattern`](crate::LabelError::BadPattern);
    /// [`LabelError::PatternNotFound`](crate::LabelError::PatternNotFound) with the pattern and the
    /// file; and the class errors of [`label_from_folder`](Self::label_from_folder).
    pub fn label_from_re(self, pattern: &str) -> Result<LabelLists> {
        let pattern = Pattern::new(pattern)?;
        self.label(|_, path| Ok(pattern.label(path)?.into()))
    }

    /// Labels item i of the [`ImageList`] with `labels[i]`.
    ///
    /// # Errors
    ///
    /// [`LabelError::Count`](crate::LabelError::Count) unless there is one label per item,
    /// [`LabelError::BadLabel`](crate::LabelError::BadLabel), and the class errors of
    /// [`label_from_folder`](Self::label_from_folder).
    pub fn label_from_list<L: Into<Label>>(
        self,
        labels: impl IntoIterator<Item = L>,
    ) -> Result<LabelLists> {
        let mut labels: Vec<Option<Label>> =
            labels.into_iter().map(|label| Some(label.into())).collect();
        check_count(self.list.len(), labels.len())?;
        self.label(|item, path| {
            // Each item is in exactly one part.
            labels
                .get_mut(item)
                .and_then(Option::take)
                .ok_or_else(|| bad_label(path, "one label per item", "none"))
        })
    }

    /// Takes the labels from one or more columns of the table.
    ///
    /// A single column with a delimiter holds several classes per item. Without a delimiter it holds
    /// numbers if all cells are numbers but not all are integers; otherwise it holds classes. Classes
    /// are sorted as numbers if all are 64-bit integers, and as text otherwise (also if longer integers
    /// are among them). Of several columns, each is a class that an item has or not if all cells are 0
    /// or 1; otherwise they hold numbers. [`LabelOptions::with_kind`] overrides this.
    ///
    /// # Errors
    ///
    /// [`TableError::NoTable`](crate::TableError::NoTable),
    /// [`TableError::NoSuchColumn`](crate::TableError::NoSuchColumn),
    /// [`TableError::ColumnTwice`](crate::TableError::ColumnTwice);
    /// [`TableError::BadCell`](crate::TableError::BadCell) with row and column for a cell that is
    /// empty, spans several lines, or does not match the kind of the others; and the class errors of
    /// [`label_from_folder`](Self::label_from_folder).
    pub fn label_from_df<C: Into<Column>>(
        mut self,
        columns: impl IntoIterator<Item = C>,
    ) -> Result<LabelLists> {
        let names: Vec<Column> = columns.into_iter().map(Into::into).collect();
        let rows = self.list.table.take();
        let columns = names
            .iter()
            .map(|name| ItemColumn::of(rows.as_ref(), name))
            .collect::<Result<Vec<_>>>()?;
        let items = self.list.len();
        match columns.as_slice() {
            [] => Err(Error::Option(OptionError::new(
                "label columns",
                "at least one",
                "none".to_owned(),
            ))),
            [column] => {
                let cells = OneColumn::new(column, items, &self.options)?;
                self.label_or(
                    |item, _| cells.label(item),
                    |item, _, rejected| column.bad(item, rejected.expected),
                )
            }
            columns => {
                let binary = are_flags(columns, items);
                if binary && self.options.kind != Some(TargetKind::Float) {
                    let names = columns.iter().map(|column| column.name());
                    // Every column is a class, in column order, even if no item has it.
                    self.options
                        .classes
                        .get_or_insert_with(|| names.map(ToOwned::to_owned).collect());
                    return self.label(|item, _| {
                        let has = columns.iter().filter(|column| is_one(column.raw(item)));
                        Ok(Label::Multi(
                            has.map(|column| column.name().to_owned()).collect(),
                        ))
                    });
                }
                self.label(|item, _| {
                    let value = |column: &ItemColumn<'_>| {
                        let value = column.text(item)?.trim().parse::<f64>().ok();
                        value
                            .filter(|value| value.is_finite())
                            .ok_or_else(|| column.bad(item, "0 or 1 in all columns, or numbers"))
                    };
                    let values = columns.iter().map(value).collect::<Result<Vec<f64>>>()?;
                    Ok(Label::Float(values))
                })
            }
        }
    }

    fn label(self, label: impl FnMut(usize, &Path) -> Result<Label>) -> Result<LabelLists> {
        self.label_or(label, |_, path, rejected| {
            bad_label(path, rejected.expected, &rejected.found)
        })
    }

    /// Labels all items; `bad` turns a label that does not match the others into an error.
    fn label_or(
        self,
        mut label: impl FnMut(usize, &Path) -> Result<Label>,
        bad: impl Fn(usize, &Path, Rejected) -> Error,
    ) -> Result<LabelLists> {
        self.options.check()?;
        let mut labels = Collector::new(&self.options);
        let order = self.parts.train.iter().chain(&self.parts.valid);
        let mut decided = Decided {
            excluded: self.excluded(),
            relabeled: Vec::new(),
        };
        // The labels as they were, which new ones must be among.
        let pending = self.list.decisions.as_ref();
        let relabels = pending.filter(|pending| pending.relabels());
        let mut own = Collector::new(&self.options);
        for &item in order.clone() {
            let path = &self.list.items()[item];
            let found = label(item, path)?;
            let Some(pending) = relabels else {
                labels
                    .push(found)
                    .map_err(|rejected| bad(item, path, rejected))?;
                continue;
            };
            let Some((entry, text)) = pending.relabel(item) else {
                own.push(found.clone())
                    .and_then(|()| labels.push(found))
                    .map_err(|rejected| bad(item, path, rejected))?;
                continue;
            };
            // A label that cannot be used may be the reason for the new one.
            let _ = own.push(found.clone());
            let new = relabel::relabeled(&found, text, &self.options)
                .map_err(|expected| pending.bad_label(entry, expected, &quoted(text)))?;
            if new != found {
                decided.relabeled.push(Relabeled {
                    file: path.clone(),
                    from: relabel::text(&found),
                    to: relabel::text(&new),
                });
            }
            labels
                .push(new)
                .map_err(|bad| pending.bad_label(entry, bad.expected, &bad.found))?;
        }
        if let Some(pending) = relabels {
            let mut known: Vec<&str> = own.names().collect();
            known.extend(self.options.classes.iter().flatten().map(String::as_str));
            for (at, &item) in order.enumerate() {
                if let Some((entry, _)) = pending.relabel(item) {
                    for class in labels.names_of(at) {
                        pending.check_class(entry, class, &known)?;
                    }
                }
            }
        }
        let train = self.parts.train.len();
        let all = train + self.parts.valid.len();
        let kind = labels.kind();
        let classes = match (&self.options.classes, kind) {
            (Some(classes), TargetKind::Float) => {
                return Err(Error::Label(LabelError::BadClasses {
                    reason: format!(
                        "the labels are numbers, which have no classes, but these are given: {}; if the numbers are \
                         names of classes, use LabelOptions::with_kind(TargetKind::Category)",
                        listed(classes.iter())
                    ),
                }));
            }
            (None, TargetKind::Float) => Vec::new(),
            (Some(classes), _) => classes.clone(),
            (None, _) => labels.classes(train),
        };
        if self.options.classes.is_some() {
            check_enough(kind, &classes, self.list.path())?;
        }
        let positions = labels.positions(&classes);
        let file = |item: usize| self.file(item).to_owned();
        let mut dropped = labels.unknown("training", 0..train, &positions, file);
        dropped.extend(labels.unknown("validation", train..all, &positions, file));
        if !dropped.is_empty() && self.options.unknown == UnknownLabels::Fail {
            return Err(self.unknown_classes(dropped, classes));
        }
        // Checked after unknown classes: if validation has other classes, their number is not the
        // problem.
        check_enough(kind, &classes, self.list.path())?;
        // An item with several classes keeps the known ones.
        let kept = |item: &usize| {
            let known = |&number: &u32| positions.get(number as usize) != Some(&None);
            kind != TargetKind::Category || labels.numbers(*item).iter().all(known)
        };
        let train_kept: Vec<usize> = (0..train).filter(kept).collect();
        let valid_kept: Vec<usize> = (train..all).filter(kept).collect();
        for (part, had, kept) in [
            ("training", train, &train_kept),
            ("validation", all - train, &valid_kept),
        ] {
            if had > 0 && kept.is_empty() {
                let found = labels.classes(all);
                return Err(none_left(part, self.list.path(), &classes, &found));
            }
        }
        let c = match kind {
            TargetKind::Float => labels.columns(),
            TargetKind::Category | TargetKind::MultiCategory => classes.len(),
        };
        let train_targets = labels.targets(&train_kept, &positions, classes.len())?;
        let valid_targets = labels.targets(&valid_kept, &positions, classes.len())?;
        let order = [self.parts.train, self.parts.valid].concat();
        let (mut files, source) = (self.list.items, self.list.source);
        // Each item is in exactly one part.
        let mut part = |items: &[usize], targets| {
            let places = || items.iter().map(|&item| order[item]);
            LabeledFiles {
                files: places().map(|place| mem::take(&mut files[place])).collect(),
                source: source.as_ref().map(|source| source.at(places())),
                targets,
            }
        };
        Ok(LabelLists {
            labeled: Labeled {
                path: self.list.path,
                kind,
                classes: classes.into(),
                c,
                dropped,
                skipped: self.list.skipped,
                decided,
                train: part(&train_kept, train_targets),
                valid: part(&valid_kept, valid_targets),
                test: None,
            },
            options: self.options,
            folders: self.folders,
            decisions: self.list.decisions,
            test_decisions: None,
        })
    }

    /// The files that decisions exclude.
    fn excluded(&self) -> Vec<PathBuf> {
        let items = self.list.items().iter().enumerate();
        let excluded = items.filter(|(item, _)| self.list.is_excluded(*item));
        excluded.map(|(_, path)| path.clone()).collect()
    }

    /// The file of an item; training items come first, then validation items.
    fn file(&self, item: usize) -> &Path {
        let place = match item.checked_sub(self.parts.train.len()) {
            None => self.parts.train[item],
            Some(item) => self.parts.valid[item],
        };
        &self.list.items()[place]
    }

    fn unknown_classes(&self, unknown: Vec<Dropped>, known: Vec<String>) -> Error {
        let given = self.options.classes.is_some();
        Error::Label(LabelError::UnknownClasses {
            folder: match self.folders.get(1) {
                Some(valid) if !given => valid.clone(),
                _ => self.list.path().to_owned(),
            },
            hint: match (given, self.folders.is_empty()) {
                (true, _) => {
                    "Add them to the classes, or leave such items out (LabelOptions::with_unknown)"
                        .to_owned()
                }
                (false, false) => "Check the names of the folders, name the classes to use with \
                                   `.classes`, or leave such items out (LabelOptions::with_unknown)"
                    .to_owned(),
                (false, true) => format!(
                    "{}The split put all items of these classes in validation: use another seed, a smaller \
                     valid_pct or a stratified split, add images, name the classes with \
                     `.classes`, or leave such items out (LabelOptions::with_unknown)",
                    other_kind(&unknown, &known)
                ),
            },
            unknown,
            known,
        })
    }
}

/// A hint for the message if labels that occur once or twice look like labels of another kind.
fn other_kind(unknown: &[Dropped], known: &[String]) -> String {
    let labels = || known.iter().chain(unknown.iter().map(|d| &d.label));
    if labels().all(|label| label.parse::<f64>().is_ok()) {
        return "If they are numbers to predict, not classes, use `.label_with` and \
                LabelOptions::with_kind(TargetKind::Float). "
            .to_owned();
    }
    let several = [" ", ";", "|", ","].into_iter().find(|&between| {
        let parts: HashSet<&str> = known
            .iter()
            .flat_map(|label| label.split(between))
            .collect();
        let mut unknown = unknown.iter().map(|d| d.label.as_str());
        labels().any(|label| label.contains(between))
            && unknown.all(|label| label.split(between).all(|part| parts.contains(part)))
    });
    several.map_or_else(String::new, |between| {
        format!(
            "If {between:?} separates several classes of an image, use `.label_delim({between:?})`. "
        )
    })
}

/// The error for a part in which no item has one of the classes.
pub(crate) fn none_left(part: &str, folder: &Path, classes: &[String], found: &[String]) -> Error {
    Error::Label(LabelError::BadClasses {
        reason: format!(
            "no {part} image in {} has one of the classes {}; those found are {}{}",
            shown(folder),
            listed(classes.iter()),
            listed(found.iter()),
            alike::note(found.iter().map(String::as_str), classes)
        ),
    })
}
