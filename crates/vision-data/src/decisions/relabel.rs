//! New labels.

use crate::labels::Label;
use crate::labels::kind::TargetKind;
use crate::labels::options::LabelOptions;

/// What separates classes or numbers, as in [`ImageDataset::label_text`](crate::ImageDataset::label_text).
const SEPARATOR: char = ';';

/// A new label, of the kind that the item's own label has. If it cannot be used, what was expected.
pub(crate) fn relabeled(
    own: &Label,
    text: &str,
    options: &LabelOptions,
) -> Result<Label, &'static str> {
    let delimited = options
        .delimiter
        .as_ref()
        .map(|_| TargetKind::MultiCategory);
    let kind = options.kind.or(delimited).unwrap_or(match own {
        Label::Category(_) | Label::Int(_) => TargetKind::Category,
        Label::Multi(_) => TargetKind::MultiCategory,
        Label::Float(_) => TargetKind::Float,
    });
    let parts = || text.split(SEPARATOR).map(str::trim);
    match (kind, own) {
        (TargetKind::Category, _) if text.is_empty() => Err("the name of a class"),
        (TargetKind::Category, Label::Int(_)) => Ok(match text.parse() {
            Ok(class) => Label::Int(class),
            Err(_) => Label::Category(text.to_owned()),
        }),
        (TargetKind::Category, _) => Ok(Label::Category(text.to_owned())),
        (TargetKind::MultiCategory, _) => {
            let names = parts().filter(|name| !name.is_empty());
            Ok(Label::Multi(names.map(ToOwned::to_owned).collect()))
        }
        (TargetKind::Float, _) => {
            let numbers: Result<Vec<f64>, _> = parts().map(str::parse).collect();
            numbers
                .map(Label::Float)
                .map_err(|_| "numbers, separated by ;")
        }
    }
}

/// A label as text.
pub(crate) fn text(label: &Label) -> String {
    let joined = |parts: Vec<String>| parts.join(";");
    match label {
        Label::Category(name) => name.clone(),
        Label::Int(class) => class.to_string(),
        Label::Multi(names) => joined(names.clone()),
        Label::Float(values) => joined(values.iter().map(ToString::to_string).collect()),
    }
}
