//! Options that say what the images and their labels are.

use std::path::PathBuf;

use serde::Serialize;

// No documentation comment: clap would take it for the description of the command.
#[derive(Clone, Debug, Default, clap::Args, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "Data")]
pub(crate) struct SourceOptions {
    /// CSV file with the names and labels of the images, in the current folder or in DATA
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,
    /// Column of the CSV file with the names of the images [default: the first]
    #[arg(long, value_name = "NAME")]
    pub(crate) file_column: Option<String>,
    /// Column of the CSV file with the labels [default: the second]
    #[arg(long, value_name = "NAME")]
    pub(crate) label_column: Option<String>,
    /// What separates the classes of an image in a label, such as ";", if it may have several
    #[arg(long, value_name = "TEXT")]
    pub(crate) label_delim: Option<String>,
    /// Fraction of the images for validation, chosen at random [default: DATA/valid, or else 0.2]
    #[arg(long, value_name = "FRACTION")]
    pub(crate) valid_pct: Option<f64>,
    /// File of decisions about images, as `vision doctor` and the report write it
    #[arg(long, value_name = "FILE")]
    pub(crate) decisions: Option<PathBuf>,
    /// SHA-256 of the archive, if DATA is a URL; or URL#sha256=DIGITS
    #[arg(long, value_name = "DIGITS")]
    pub(crate) sha256: Option<String>,
    /// Seed of the split, the order, the transforms and the weights [default: 42]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
}

impl SourceOptions {
    /// Takes what is not set here from `other`, but for the hash of an archive, which is of another one.
    pub(crate) fn or(&self, other: &Self) -> Self {
        let other = other.clone();
        let own = self.clone();
        Self {
            csv: own.csv.or(other.csv),
            file_column: own.file_column.or(other.file_column),
            label_column: own.label_column.or(other.label_column),
            label_delim: own.label_delim.or(other.label_delim),
            valid_pct: own.valid_pct.or(other.valid_pct),
            decisions: own.decisions.or(other.decisions),
            sha256: own.sha256,
            seed: own.seed.or(other.seed),
        }
    }
}
