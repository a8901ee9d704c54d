//! The same items, split anew.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::data_block::labeled::{Labeled, LabeledFiles};
use crate::databunch::ImageDataBunch;
use crate::databunch::dataset::ImageDataset;
use crate::error::{Error, Result};
use crate::files::disjoint::check_apart;
use crate::image_source::chosen::Chosen;
use crate::labels::class_weights::Draw;
use crate::labels::error::LabelError;
use crate::labels::kind::Dropped;
use crate::labels::targets::{Target, Targets};
use crate::split::{Items, Split};

impl ImageDataBunch {
    /// The same items, split anew: first all training items in order, then all validation items, are split as one list.
    /// Classes, options and test images stay. Class weights stay those of the first split.
    ///
    /// ```
    /// # use vision_data::{By, ImageDataBunch, Split};
    /// # use vision_data::datasets::synthetic;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = synthetic::digits(&folder.path().join("digits"), 1, 20, 5)?;
    /// let data = ImageDataBunch::from_folder(&path).batch_size(8).build()?;
    /// let fold = Split::StratifiedFold { fold: 0, folds: 5, seed: 1, by: By::Label };
    /// let data = data.with_split(&fold)?;
    /// assert_eq!((data.train_ds().len(), data.valid_ds().len()), (40, 10));
    /// # Ok::<(), vision_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`ImageList::split`](crate::ImageList::split). The items have no table anymore, so that a split by a column
    /// is [`TableError::NoTable`](crate::TableError::NoTable). [`LabelError::UnknownClasses`] if a class would be in
    /// validation only.
    pub fn with_split(&self, split: &Split) -> Result<Self> {
        let all = self.pooled()?;
        let root = match all.source {
            Some(_) => Path::new(""),
            None => self.path(),
        };
        let parts = split.parts(Items {
            path: self.path(),
            root,
            files: &all.files,
            are_files: all.source.is_none(),
            rows: None,
            labels: Some(&all.targets),
        })?;
        let train = all.at(&parts.train);
        let valid = all.at(&parts.valid);
        if all.source.is_none() {
            check_apart(("training", &train.files), ("validation", &valid.files))?;
        }
        self.check_known(&train.targets, &valid)?;
        let mut data = self.clone();
        if self.draw.is_some() {
            let draw = Draw::balanced(self.classes().len(), &train.targets)?;
            data.draw = Some(Arc::new(draw));
        }
        let classes = &self.labeled.classes;
        let dataset =
            |files| ImageDataset::new(files, Arc::clone(classes), Arc::clone(&self.reader));
        data.labeled = Arc::new(Labeled {
            path: self.labeled.path.clone(),
            kind: self.labeled.kind,
            classes: Arc::clone(classes),
            c: self.labeled.c,
            dropped: self.labeled.dropped.clone(),
            skipped: self.labeled.skipped.clone(),
            decided: self.labeled.decided.clone(),
            train: dataset(train),
            valid: dataset(valid),
            test: self.labeled.test.clone(),
        });
        data.check_batch_bytes()?;
        Ok(data)
    }

    /// The training items, then the validation items.
    fn pooled(&self) -> Result<LabeledFiles> {
        let (train, valid) = (self.train_ds().labeled(), self.valid_ds().labeled());
        let mut targets = train.targets.clone();
        targets.extend(&valid.targets)?;
        Ok(LabeledFiles {
            files: [train.files.as_slice(), &valid.files].concat(),
            source: match (&train.source, &valid.source) {
                (Some(train), Some(valid)) => Some(Chosen::and(train, valid)),
                (train, valid) => train.clone().or_else(|| valid.clone()),
            },
            targets,
        })
    }

    /// Checks that each class of a validation item has a training item.
    fn check_known(&self, train: &Targets, valid: &LabeledFiles) -> Result<()> {
        let mut known = vec![false; self.classes().len()];
        for class in (0..train.len()).flat_map(|item| classes(train, item)) {
            if let Some(known) = known.get_mut(class) {
                *known = true;
            }
        }
        let mut unknown: BTreeMap<usize, Dropped> = BTreeMap::new();
        for (item, file) in valid.files.iter().enumerate() {
            for class in classes(&valid.targets, item) {
                if known.get(class) != Some(&false) {
                    continue;
                }
                let entry = unknown.entry(class).or_insert_with(|| Dropped {
                    part: "validation",
                    label: self.classes()[class].clone(),
                    items: 0,
                    first: file.clone(),
                });
                entry.items += 1;
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        let names = self.classes().iter().zip(known);
        let names = names.filter(|(_, known)| *known);
        Err(Error::Label(LabelError::UnknownClasses {
            folder: self.path().to_owned(),
            unknown: unknown.into_values().collect(),
            known: names.map(|(name, _)| name.clone()).collect(),
            hint: "The split leaves no training image of the class: use a stratified split, fewer folds, or leave classes \
                   with so few images out"
                .to_owned(),
        }))
    }
}

fn classes(targets: &Targets, item: usize) -> Vec<usize> {
    match targets.get(item) {
        Some(Target::Category(class)) => vec![class],
        Some(Target::MultiCategory(classes)) => classes,
        Some(Target::Float(_)) | None => Vec::new(),
    }
}
