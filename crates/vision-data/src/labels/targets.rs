//! The targets of items: a class, several classes, or numbers.

use burn::tensor::{Device, Int, Tensor, TensorData};
use vision_base::OptionError;

use crate::error::{Error, Result};
use crate::labels::error::LabelError;
use crate::labels::kind::TargetKind;

/// The labels of a list of items, in the order of the items.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// This many items without labels.
    Empty(usize),
    /// The position of each item's class.
    Category(Vec<u32>),
    /// The positions of each item's classes.
    MultiCategory(MultiLabels),
    /// The numbers of each item.
    Float {
        /// How many numbers each item has.
        columns: usize,
        /// Row-major, `[items, columns]`.
        values: Vec<f32>,
    },
}

/// The classes of each item, which may have any number of them. Storage is sparse: four bytes per
/// item, and four per label.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MultiLabels {
    classes: usize,
    /// The end of each item's positions in `positions`.
    ends: Vec<u32>,
    positions: Vec<u32>,
}

/// The label of one item.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// The position of its class.
    Category(usize),
    /// The positions of its classes, ascending.
    MultiCategory(Vec<usize>),
    /// Its numbers.
    Float(Vec<f32>),
}

impl MultiLabels {
    /// An empty list of items for this many classes.
    pub fn new(classes: usize) -> Self {
        Self {
            classes,
            ..Self::default()
        }
    }

    /// Adds an item with the classes at these positions. A repeated position counts once.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] for a position that is not less than the number of classes.
    pub fn push(&mut self, positions: impl IntoIterator<Item = usize>) -> Result<()> {
        let start = self.positions.len();
        for position in positions {
            if position >= self.classes {
                self.positions.truncate(start);
                return Err(Error::Option(OptionError::new(
                    "position of a class",
                    "one below the number of classes",
                    format!("{position} of {}", self.classes),
                )));
            }
            self.positions.push(position as u32);
        }
        if let Some(added) = self.positions.get_mut(start..) {
            added.sort_unstable();
        }
        // Sorting makes equal positions adjacent.
        let mut kept = start;
        for at in start..self.positions.len() {
            if at == start || self.positions[at] != self.positions[kept - 1] {
                self.positions[kept] = self.positions[at];
                kept += 1;
            }
        }
        self.positions.truncate(kept);
        self.ends.push(kept as u32);
        Ok(())
    }

    /// The number of classes of the data set.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The number of items.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The positions of an item's classes, ascending; `None` if the item does not exist.
    pub fn get(&self, item: usize) -> Option<&[u32]> {
        let end = *self.ends.get(item)? as usize;
        let start = match item.checked_sub(1) {
            Some(before) => *self.ends.get(before)? as usize,
            None => 0,
        };
        self.positions.get(start..end)
    }

    /// Multi-hot labels: 1 where an item has a class, 0 elsewhere; row-major `[items, classes]`.
    pub fn one_hot(&self) -> Vec<f32> {
        let mut rows = vec![0.0; self.len() * self.classes];
        for (item, row) in rows.chunks_exact_mut(self.classes.max(1)).enumerate() {
            for &position in self.get(item).expect("a row is made for each item") {
                row[position as usize] = 1.0;
            }
        }
        rows
    }
}

impl Targets {
    /// The kind of the labels; `None` without labels.
    pub fn kind(&self) -> Option<TargetKind> {
        match self {
            Self::Empty(_) => None,
            Self::Category(_) => Some(TargetKind::Category),
            Self::MultiCategory(_) => Some(TargetKind::MultiCategory),
            Self::Float { .. } => Some(TargetKind::Float),
        }
    }

    /// The number of items.
    pub fn len(&self) -> usize {
        match self {
            Self::Empty(items) => *items,
            Self::Category(positions) => positions.len(),
            Self::MultiCategory(labels) => labels.len(),
            Self::Float { columns, values } => values.len() / (*columns).max(1),
        }
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The label of one item; `None` without labels, or if the item does not exist.
    ///
    /// ```
    /// use vision_data::{MultiLabels, Target, Targets};
    ///
    /// let mut labels = MultiLabels::new(3);
    /// labels.push([2, 0])?;
    /// labels.push([])?;
    /// let targets = Targets::MultiCategory(labels);
    /// assert_eq!(targets.get(0), Some(Target::MultiCategory(vec![0, 2])));
    /// assert_eq!(targets.get(1), Some(Target::MultiCategory(vec![])));
    /// assert_eq!(targets.get(2), None);
    /// assert_eq!(targets.rows(), [1.0, 0.0, 1.0, 0.0, 0.0, 0.0]);
    /// # Ok::<(), vision_data::Error>(())
    /// ```
    pub fn get(&self, item: usize) -> Option<Target> {
        match self {
            Self::Empty(_) => None,
            Self::Category(positions) => positions
                .get(item)
                .map(|&position| Target::Category(position as usize)),
            Self::MultiCategory(labels) => labels.get(item).map(|positions| {
                Target::MultiCategory(positions.iter().map(|&p| p as usize).collect())
            }),
            Self::Float { columns, values } => {
                let start = item.checked_mul(*columns)?;
                values
                    .get(start..start.checked_add(*columns)?)
                    .filter(|row| !row.is_empty())
                    .map(|row| Target::Float(row.to_vec()))
            }
        }
    }

    /// The labels of the items at these positions, in this order. Positions beyond the last item
    /// are skipped.
    pub fn select(&self, items: &[usize]) -> Self {
        match self {
            Self::Empty(all) => Self::Empty(items.iter().filter(|&item| item < all).count()),
            Self::Category(positions) => Self::Category(
                items
                    .iter()
                    .filter_map(|&item| positions.get(item).copied())
                    .collect(),
            ),
            Self::MultiCategory(labels) => {
                let mut selected = MultiLabels::new(labels.classes);
                for positions in items.iter().filter_map(|&item| labels.get(item)) {
                    selected.positions.extend(positions);
                    selected.ends.push(selected.positions.len() as u32);
                }
                Self::MultiCategory(selected)
            }
            Self::Float { columns, values } => Self::Float {
                columns: *columns,
                values: items
                    .iter()
                    .filter_map(|&item| {
                        let start = item.checked_mul(*columns)?;
                        values.get(start..start.checked_add(*columns)?)
                    })
                    .flatten()
                    .copied()
                    .collect(),
            },
        }
    }

    /// Appends the labels of more items of the same kind, such as those of the next batch.
    ///
    /// ```
    /// use vision_data::Targets;
    /// let mut all = Targets::Empty(0);
    /// all.extend(&Targets::Category(vec![1, 0]))?;
    /// all.extend(&Targets::Category(vec![2]))?;
    /// assert_eq!(all, Targets::Category(vec![1, 0, 2]));
    /// # Ok::<(), vision_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`LabelError::WrongKind`](crate::LabelError::WrongKind) if the kind, the number of classes or
    /// the number of columns differs; [`Error::Option`] if there would be more items than a number can hold.
    pub fn extend(&mut self, more: &Self) -> Result<()> {
        match (&mut *self, more) {
            (Self::Empty(0), more) => self.clone_from(more),
            (_, Self::Empty(0)) => {}
            (Self::Empty(items), Self::Empty(more)) => {
                let sum = items.checked_add(*more);
                *items = sum.ok_or_else(|| {
                    let expected = format!("at most {} items together", usize::MAX);
                    OptionError::new("items", expected, format!("{items} and {more}"))
                })?;
            }
            (Self::Category(positions), Self::Category(more)) => positions.extend(more),
            (Self::MultiCategory(labels), Self::MultiCategory(more))
                if labels.classes == more.classes =>
            {
                let before = labels.positions.len() as u32;
                labels.positions.extend(&more.positions);
                labels.ends.extend(more.ends.iter().map(|end| before + end));
            }
            (
                Self::Float { columns, values },
                Self::Float {
                    columns: more_columns,
                    values: more,
                },
            ) if columns == more_columns => values.extend(more),
            _ => {
                let kind = |targets: &Self| targets.kind().unwrap_or(TargetKind::Category);
                return Err(Error::Label(LabelError::WrongKind {
                    expected: kind(self),
                    found: kind(more),
                }));
            }
        }
        Ok(())
    }

    /// The position of each item's class; 0 for items without labels.
    ///
    /// # Errors
    ///
    /// [`LabelError::WrongKind`](crate::LabelError::WrongKind) if the labels are of another kind.
    pub fn categories(&self) -> Result<Vec<usize>> {
        match self {
            // fastai's `EmptyLabel` is a zero as well.
            Self::Empty(items) => Ok(vec![0; *items]),
            Self::Category(positions) => Ok(positions.iter().map(|&p| p as usize).collect()),
            Self::MultiCategory(_) | Self::Float { .. } => {
                Err(Error::Label(LabelError::WrongKind {
                    expected: TargetKind::Category,
                    found: self.kind().unwrap_or(TargetKind::Category),
                }))
            }
        }
    }

    /// The labels as rows of numbers, row-major. Several classes per item: `[items, classes]`, 1 where
    /// the item has the class. Numbers: `[items, columns]`. One class per item: its position,
    /// `[items, 1]`.
    pub fn rows(&self) -> Vec<f32> {
        match self {
            Self::Empty(items) => vec![0.0; *items],
            Self::Category(positions) => positions.iter().map(|&p| p as f32).collect(),
            Self::MultiCategory(labels) => labels.one_hot(),
            Self::Float { values, .. } => values.clone(),
        }
    }

    /// The length of a row of [`rows`](Self::rows).
    pub fn columns(&self) -> usize {
        match self {
            Self::Empty(_) | Self::Category(_) => 1,
            Self::MultiCategory(labels) => labels.classes(),
            Self::Float { columns, .. } => *columns,
        }
    }

    /// The class positions as a tensor on a device: `[items]`.
    ///
    /// # Errors
    ///
    /// Those of [`categories`](Self::categories).
    pub fn to_int(&self, device: &Device) -> Result<Tensor<1, Int>> {
        let positions: Vec<i64> = self.categories()?.iter().map(|&p| p as i64).collect();
        let shape = [positions.len()];
        Ok(Tensor::from_data(TensorData::new(positions, shape), device))
    }

    /// The [`rows`](Self::rows) as a tensor on a device: `[items, columns]`.
    pub fn to_float(&self, device: &Device) -> Tensor<2> {
        let shape = [self.len(), self.columns()];
        Tensor::from_data(TensorData::new(self.rows(), shape), device)
    }
}
