//! All options of `vision train` that its settings file may have, by the same names.

use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};
use serde::Serialize;
use serde_json::{Map, Value};
use vision::fetch::is_http;

use crate::failure::{Failure, Result};
use crate::options::course::CourseOptions;
use crate::options::images::ImageOptions;
use crate::options::model::{HUB, ModelOptions};
use crate::options::source::SourceOptions;

// No documentation comment: clap would take it for the description of the command.
#[derive(Clone, Debug, Default, clap::Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct TrainOptions {
    /// Folder of the images, a CSV file, a .tgz archive, or the URL of one
    #[arg(value_name = "DATA")]
    pub(crate) data: Option<String>,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) source: SourceOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) images: ImageOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) model: ModelOptions,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) course: CourseOptions,
}

/// The options alone, to parse them from a settings file.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct Alone {
    #[command(flatten)]
    options: TrainOptions,
}

impl TrainOptions {
    /// The names of all options.
    pub(crate) fn names() -> Vec<String> {
        let command = Alone::command();
        let names = command
            .get_arguments()
            .map(|argument| match argument.get_long() {
                Some(long) => long.to_owned(),
                None => argument.get_id().to_string(),
            });
        names.collect()
    }

    /// The options that are set, by name.
    pub(crate) fn values(&self) -> Result<Map<String, Value>> {
        let Value::Object(mut values) = serde_json::to_value(self)? else {
            return Ok(Map::new());
        };
        values.retain(|_, value| !(value.is_null() || value.as_array().is_some_and(Vec::is_empty)));
        Ok(values)
    }

    /// The options with these values, which clap checks as if they were on the command line.
    pub(crate) fn of_values(values: &Map<String, Value>) -> Result<Self> {
        let mut arguments = Vec::new();
        let mut data = None;
        for (name, value) in values {
            let texts = match value {
                Value::Array(items) => items.iter().map(|item| text(name, item)).collect(),
                value => text(name, value).map(|text| vec![text]),
            };
            for text in texts? {
                match name.as_str() {
                    "data" => data = Some(text),
                    _ => arguments.push(format!("--{name}={text}")),
                }
            }
        }
        if let Some(data) = data {
            arguments.extend(["--".to_owned(), data]);
        }
        match Alone::try_parse_from(arguments) {
            Ok(alone) => Ok(alone.options),
            Err(error) => {
                let text = error.to_string();
                let first = text.split("\n\n").next().unwrap_or_default();
                let first = first.trim_start_matches("error: ").trim();
                Err(Failure::usage(first))
            }
        }
    }

    /// Takes what is not set here from `other`.
    pub(crate) fn or(&self, other: &Self) -> Result<Self> {
        let mut values = other.values()?;
        values.extend(self.values()?);
        Self::of_values(&values)
    }

    /// Makes relative paths absolute, from this folder.
    pub(crate) fn resolve(&mut self, folder: &Path) {
        let absolute = |path: &Path| {
            let joined = folder.join(path);
            std::path::absolute(&joined).unwrap_or(joined)
        };
        if let Some(data) = self.data.as_mut().filter(|data| !is_http(data)) {
            *data = absolute(Path::new(data)).to_string_lossy().into_owned();
        }
        let is_file = |text: &&mut String| {
            !(["yes", "no"].contains(&text.as_str()) || is_http(text) || text.starts_with(HUB))
        };
        if let Some(file) = self.model.pretrained.as_mut().filter(is_file) {
            *file = absolute(Path::new(file)).to_string_lossy().into_owned();
        }
        // A CSV file may be inside of the data instead, which may be an archive.
        let csv = self.source.csv.as_mut();
        if let Some(csv) = csv.filter(|csv| absolute(csv).exists()) {
            *csv = absolute(csv);
        }
        let paths: [&mut Option<PathBuf>; 2] = [&mut self.source.decisions, &mut self.course.out];
        for path in paths.into_iter().flatten() {
            *path = absolute(path);
        }
    }
}

/// A value as clap takes it.
fn text(name: &str, value: &Value) -> Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(on) => Ok(on.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(Failure::usage(format!(
            "{name}: expected a text, a number, true or false, or a list of them, found {value}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn parsed(arguments: &[&str]) -> TrainOptions {
        Alone::try_parse_from(arguments).unwrap().options
    }

    #[test]
    fn every_option_survives_its_way_through_a_settings_file() {
        let all = parsed(&[
            "pets",
            "--csv=a.csv",
            "--file-column=f",
            "--label-column=l",
            "--label-delim=;",
            "--valid-pct=0.25",
            "--decisions=d.csv",
            "--sha256=00",
            "--seed=7",
            "--size=64",
            "--resize=squish",
            "--batch-size=8",
            "--augment=false",
            "--device=cpu",
            "--arch=resnet18",
            "--pretrained=no",
            "--epochs=3",
            "--freeze-epochs=2",
            "--freeze-norms=true",
            "--precision=bf16",
            "--lr=1e-3",
            "--mixup=0.3",
            "--metric=accuracy,f1",
            "--early-stop=2",
            "--out=run",
        ]);
        let mut values = all.values().unwrap();
        // Not together with some of the others.
        let folds = parsed(&["--folds=5"]).values().unwrap();
        values.extend(folds.clone());
        let mut names: Vec<String> = values.keys().cloned().collect();
        let mut known = TrainOptions::names();
        names.sort();
        known.sort();
        assert_eq!(names, known);
        values.remove("folds");
        for values in [values, folds] {
            let back = TrainOptions::of_values(&values).unwrap();
            assert_eq!(back.values().unwrap(), values);
        }
    }

    #[test]
    fn what_is_on_the_command_line_wins() {
        let line = parsed(&["--epochs=3", "--metric=f1"]);
        let file = parsed(&[
            "pets",
            "--epochs=9",
            "--size=32",
            "--metric=accuracy",
            "--metric=recall",
        ]);
        let both = line.or(&file).unwrap();
        assert_eq!(both.data.as_deref(), Some("pets"));
        assert_eq!((both.course.epochs, both.images.size), (Some(3), Some(32)));
        assert_eq!(both.course.metric, ["f1"]);
    }
}
