//! Labels, and how they become targets.

pub(crate) mod alike;
pub(crate) mod class_weights;
pub(crate) mod collector;
pub(crate) mod columns;
pub(crate) mod error;
pub(crate) mod kind;
pub(crate) mod names;
pub(crate) mod options;
pub(crate) mod targets;

/// The label of one item, from a file, a table or a function. Its type decides the kind of the
/// data set, unless [`LabelOptions`](crate::LabelOptions) sets it.
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
    /// A class that is an integer. If all labels are integers, classes are sorted as numbers.
    Int(i64),
    /// The names of any number of classes.
    Multi(Vec<String>),
    /// Numbers to predict.
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
