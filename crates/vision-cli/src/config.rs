//! Settings files: what the options of `vision train` say, by the same names.

use std::io::Read as _;
use std::path::Path;

use serde_json::{Map, Value};
use vision::base::message::{quoted, shown};
use vision::base::paths::{open_file, parent_of};
use vision::base::{atomic, io_error};

use crate::failure::{Failure, Result};
use crate::options::train::TrainOptions;

/// The name of the file that is read without being named.
pub(crate) const NAME: &str = "vision.toml";

/// No settings are longer.
const MOST_BYTES: u64 = 1 << 20;

/// Reads a settings file. Its relative paths are those from its folder.
pub(crate) fn read(file: &Path) -> Result<TrainOptions> {
    let mut text = String::new();
    open_file(file)?
        .take(MOST_BYTES + 1)
        .read_to_string(&mut text)
        .map_err(io_error("read", file))?;
    if text.len() as u64 > MOST_BYTES {
        return Err(Failure::usage(format!(
            "{}: expected a settings file of at most {MOST_BYTES} bytes, found a larger one",
            shown(file)
        )));
    }
    let mut options = parse(&text).map_err(|failure| failure.within(shown(file)))?;
    options.resolve(parent_of(file));
    Ok(options)
}

fn parse(text: &str) -> Result<TrainOptions> {
    let table: toml::Table =
        toml::from_str(text).map_err(|error| Failure::usage(error.to_string().trim_end()))?;
    let known = TrainOptions::names();
    if let Some(name) = table.keys().find(|name| !known.contains(name)) {
        return Err(Failure::usage(format!(
            "there is no option {}; the options are {}",
            quoted(name),
            known.join(", ")
        )));
    }
    let values: Map<String, Value> = table
        .into_iter()
        .map(|(name, value)| Ok((name, serde_json::to_value(value)?)))
        .collect::<Result<_>>()?;
    TrainOptions::of_values(&values)
}

/// Writes the options that are set.
pub(crate) fn write(file: &Path, options: &TrainOptions) -> Result<()> {
    let values = options.values()?;
    let mut text = String::from("# Options of `vision train`, by the same names.\n");
    text.push_str(&toml::to_string(&values)?);
    atomic::write(file, text.as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_wrong_settings_file_says_what_is_wrong() {
        for (text, said) in [
            (
                "epoch = 3",
                "there is no option \"epoch\"; the options are data, csv",
            ),
            ("epochs = \"many\"", "'many' for '--epochs"),
            ("lr = -1", "expected `auto`, or a number above 0"),
            ("size = {a = 1}", "size: expected a text, a number"),
            ("size 3", "TOML parse error at line 1"),
            ("arch = \"resnet19\"", "resnet18"),
        ] {
            let failure = parse(text).unwrap_err();
            assert!(failure.message().contains(said), "{}", failure.message());
            assert_eq!(failure.code(), 2, "{text}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_device_and_a_file_without_end_are_not_read() {
        let failure = read(Path::new("/dev/zero")).unwrap_err();
        assert!(failure.message().contains("no regular file"), "{failure:?}");
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(MOST_BYTES + 1).unwrap();
        let failure = read(file.path()).unwrap_err();
        assert!(
            failure.message().contains("at most 1048576 bytes"),
            "{failure:?}"
        );
        assert_eq!(failure.code(), 2);
    }

    #[test]
    fn numbers_texts_switches_and_lists_are_read() {
        let text = "data = \"pets\"\nlr = 1e-3\naugment = false\nmetric = [\"accuracy\", \"f1\"]\nmixup = 0.4\n";
        let options = parse(text).unwrap();
        assert_eq!(options.images.augment, Some(false));
        assert_eq!(options.course.metric, ["accuracy", "f1"]);
        assert_eq!(options.course.mixup, Some(0.4));
    }
}
