//! The one error type of this crate.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::image::{ImageProblem, PixelSize};
use crate::labels::Dropped;
use crate::labels::targets::TargetKind;
use crate::shown::{joined, listed, named, quoted, shown};
use crate::table::Column;

/// What can go wrong in this crate.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused something.
    #[error("cannot {action} {}: {source}", shown(path))]
    Io {
        /// What was tried, as a verb ("create the folder").
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },

    // ---- devices
    /// No device has that name.
    #[error(
        "no device is called {name:?} ({reason}); compiled in are: {}",
        list(compiled, "none, enable a cargo feature such as `flex` or `wgpu`")
    )]
    UnknownDevice {
        /// The name, as given.
        name: String,
        /// What is wrong with it, and where it came from.
        reason: String,
        /// The names that this build understands.
        compiled: Vec<&'static str>,
    },
    /// The device is known, but this program was built without it.
    #[error(
        "device {name:?} needs the cargo feature `{feature}`: build with `--features {feature}`; \
         compiled in are: {}",
        list(compiled, "none")
    )]
    DeviceNotCompiled {
        /// The name, as given.
        name: String,
        /// The feature that brings it.
        feature: &'static str,
        /// The names that this build understands.
        compiled: Vec<&'static str>,
    },
    /// The device is compiled in, but this machine has none, or not as many.
    #[error(
        "there is no device {name:?} on this machine: {found} found; check the driver, name \
         another index, or use \"flex\" (the CPU)"
    )]
    NoSuchDevice {
        /// The name, as given.
        name: String,
        /// How many of the kind were found.
        found: usize,
    },

    // ---- cache and downloads
    /// The cache folder cannot be worked out.
    #[error(
        "no home folder is known, so there is nowhere to keep data: set {variable} to a folder"
    )]
    NoHome {
        /// The environment variable that settles it.
        variable: &'static str,
    },
    /// The URL cannot be used.
    #[error("bad URL {url:?}: {reason}")]
    BadUrl {
        /// The URL, as given.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An expected hash is not a SHA-256 or a beginning of one.
    #[error(
        "bad SHA-256 {given:?}: expected 8 to 64 hexadecimal digits, found {} characters",
        given.chars().count()
    )]
    BadHash {
        /// The hash, as given.
        given: String,
    },
    /// Nobody answered.
    #[error(
        "cannot reach {url}: {reason}. If this machine has no network, fetch that URL by other \
         means and put the file at {}; or set VISION_MIRROR to a folder (or base URL) that holds it",
        shown(file),
        url = shown(url)
    )]
    Offline {
        /// The URL that was tried.
        url: String,
        /// Where the file is expected; one put there by hand is verified and used.
        file: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The server answered, but not with the file.
    #[error(
        "{url} answered HTTP status {status} ({attempts} attempt(s)); fetch the file by other \
         means, put it at {}, or set VISION_MIRROR to a folder (or base URL) that holds it",
        shown(file),
        url = shown(url)
    )]
    HttpStatus {
        /// The URL that was tried.
        url: String,
        /// Where the file is expected; one put there by hand is verified and used.
        file: PathBuf,
        /// The last status.
        status: u16,
        /// How often it was tried.
        attempts: u32,
    },
    /// The connection broke before the end, every time.
    #[error(
        "the download of {url} broke off after {found} of {} bytes ({attempts} attempts, last: \
         {reason}); run it again, it goes on from {}",
        expected.map_or_else(|| "an unknown number of".to_owned(), |n| n.to_string()),
        shown(part),
        url = shown(url)
    )]
    Interrupted {
        /// The URL.
        url: String,
        /// The unfinished file, kept so that the next call can go on from it.
        part: PathBuf,
        /// The length that was promised, in bytes.
        expected: Option<u64>,
        /// The length so far, in bytes.
        found: u64,
        /// How often it was tried.
        attempts: u32,
        /// How the last attempt ended.
        reason: String,
    },
    /// A file has another length than it should.
    #[error(
        "{url} has the wrong size: expected {expected} bytes, found {found} (for {}); the file \
         has changed at its source, or a mirror holds another one",
        shown(file),
        url = shown(url)
    )]
    SizeMismatch {
        /// The URL or file it came from.
        url: String,
        /// Where it was going.
        file: PathBuf,
        /// Bytes expected.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// A file has another SHA-256 than it should. Nothing was left under the final name.
    #[error(
        "{url} has the wrong SHA-256: expected {expected}, found {found} (for {}); nothing was \
         kept. The file has changed at its source, or somebody tampers with it",
        shown(file),
        url = shown(url)
    )]
    HashMismatch {
        /// The URL or file it came from.
        url: String,
        /// Where it was going.
        file: PathBuf,
        /// The digits expected (a beginning, or all 64).
        expected: String,
        /// The 64 digits found.
        found: String,
    },
    /// A file that is already in place is not the one that was asked for.
    #[error(
        "{} is not the file that {url} stands for: expected {expected}, found {found}; delete it \
         to fetch it anew",
        shown(file),
        url = shown(url)
    )]
    NotTheFile {
        /// The file in place. It is left alone.
        file: PathBuf,
        /// The URL it was taken for.
        url: String,
        /// Size or SHA-256 expected.
        expected: String,
        /// Size or SHA-256 found.
        found: String,
    },
    /// The download is larger than allowed.
    #[error(
        "{url} has {found} bytes or more, but at most {limit} are allowed (with_max_size)",
        url = shown(url)
    )]
    TooLarge {
        /// The URL.
        url: String,
        /// The cap, in bytes.
        limit: u64,
        /// What was announced or received, in bytes.
        found: u64,
    },
    /// The mirror folder lacks the file.
    #[error(
        "the mirror has no {} (for {url}): put it there, or unset VISION_MIRROR",
        shown(path),
        url = shown(url)
    )]
    NotInMirror {
        /// The URL that was asked for.
        url: String,
        /// The file that should be there.
        path: PathBuf,
    },
    /// Another process holds the lock.
    #[error(
        "another process has held {} for {} s; wait for it or end it (the lock goes with the \
         process, the file itself may stay)",
        shown(lock),
        waited.as_secs()
    )]
    Locked {
        /// The lock file.
        lock: PathBuf,
        /// How long was waited.
        waited: Duration,
    },

    // ---- archives and data sets
    /// The file is no gzip-compressed tar.
    #[error(
        "{} is not a .tgz archive: expected a gzip header, found {found}; it may be an error page \
         saved under that name",
        shown(archive)
    )]
    NotAnArchive {
        /// The file.
        archive: PathBuf,
        /// How it begins.
        found: String,
    },
    /// The archive is truncated or damaged. Nothing was extracted.
    #[error(
        "{} is truncated or damaged: {}; delete it and fetch it again",
        shown(archive),
        shown(reason)
    )]
    DamagedArchive {
        /// The archive.
        archive: PathBuf,
        /// What the reader met.
        reason: String,
    },
    /// The archive holds an entry that is not extracted for safety. Nothing was extracted.
    #[error(
        "{} holds {entry:?}, which is not safe to extract: {}",
        shown(archive),
        shown(reason)
    )]
    UnsafeEntry {
        /// The archive.
        archive: PathBuf,
        /// The name of the entry, with anything unprintable replaced.
        entry: String,
        /// The rule it breaks.
        reason: String,
    },
    /// The archive goes beyond a limit. Nothing was extracted.
    #[error(
        "{} goes beyond the limit on {limit}: at most {allowed} allowed, found {found}; if you \
         trust it, raise the limit (archive::Limits)",
        shown(archive)
    )]
    ArchiveLimit {
        /// The archive.
        archive: PathBuf,
        /// Which limit.
        limit: &'static str,
        /// The limit.
        allowed: u64,
        /// What was reached.
        found: u64,
    },
    /// The archive has no file at all.
    #[error("{} holds no file", shown(archive))]
    EmptyArchive {
        /// The archive.
        archive: PathBuf,
    },
    /// The destination is there already.
    #[error(
        "{} exists already: delete it, choose another place, or ask for it to be replaced or kept \
         (`with_force`, `with_resume`)",
        shown(path)
    )]
    AlreadyExists {
        /// The destination.
        path: PathBuf,
    },
    /// What was given to `untar_data` is neither a URL nor something on this disk.
    #[error(
        "{given:?} is no http(s) URL, and there is no such file or folder: expected a `Urls` \
         constant, a URL, a .tgz archive or a folder"
    )]
    NoSuchSource {
        /// What was given.
        given: String,
    },
    // ---- further variants are appended below
    // ---- pictures
    /// A file that should be a picture cannot be used as one.
    #[error("cannot use the image {}: {}", shown(path), shown(problem.to_string()))]
    BadImage {
        /// The file, or "bytes in memory".
        path: PathBuf,
        /// What is wrong with it.
        problem: ImageProblem,
    },
    /// The number of bytes does not fit the size of the picture.
    #[error("an RGB image of {width}x{height} has {expected} bytes, found {found}")]
    PixelCount {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
        /// Three bytes a pixel.
        expected: u64,
        /// The bytes that were given.
        found: u64,
    },
    /// The number of labels does not fit the size of the mask.
    #[error("a mask of {width}x{height} has {expected} labels, found {found}")]
    LabelCount {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
        /// One a pixel.
        expected: u64,
        /// The labels that were given.
        found: u64,
    },
    /// Images of different sizes cannot be in one batch.
    #[error(
        "images have different sizes: {} is {first_size}, {} is {second_size}; {hint}, so that they \
         fit in one batch",
        shown(first),
        shown(second)
    )]
    SizesDiffer {
        /// The first item of the batch.
        first: PathBuf,
        /// Its size after the transforms.
        first_size: PixelSize,
        /// The first one that differs.
        second: PathBuf,
        /// Its size after the transforms.
        second_size: PixelSize,
        /// What to do about it.
        hint: &'static str,
    },

    // ---- folders and labels
    /// The path is no folder.
    #[error("{} is not a folder ({found})", shown(path))]
    NotAFolder {
        /// The path, as given.
        path: PathBuf,
        /// What is there instead.
        found: &'static str,
    },
    /// A part of the set has no folder.
    #[error(
        "{} has no folder {name:?} for the {part} images: {}; found {found}",
        shown(folder),
        match *part {
            "test" => "expected one with images in it, at any depth".to_owned(),
            _ => format!(
                "expected {name}/CLASS/IMAGE, as in {name}/cat/1.jpg (or pass `.valid_pct(0.2)` to split \
                 the images at random)"
            ),
        }
    )]
    MissingFolder {
        /// The root of the set.
        folder: PathBuf,
        /// The folder that is missing.
        name: String,
        /// Training, validation or test.
        part: &'static str,
        /// What the root holds, and how to name what may be it: `.valid("val")`.
        found: String,
    },
    /// The table of names and labels is not there.
    #[error(
        "there is no table {}: name the CSV file under {} with `.csv_labels(..)`; found {found}",
        shown(file),
        shown(folder)
    )]
    MissingTable {
        /// The root of the set.
        folder: PathBuf,
        /// The file that was looked for.
        file: PathBuf,
        /// The CSV files that are there, or what else is.
        found: String,
    },
    /// A folder has no image in it, at any depth.
    #[error(
        "{} holds no {part} image: expected CLASS/IMAGE in it, as in cat/1.jpg (extensions: {}; \
         hidden files do not count); found {found}",
        shown(folder),
        crate::files::index::IMAGE_EXTENSIONS.join(", ")
    )]
    NoImages {
        /// The folder.
        folder: PathBuf,
        /// Training, validation, test, or nothing.
        part: &'static str,
        /// What it holds.
        found: String,
    },
    /// Images lie where the folders of the classes should be.
    #[error(
        "{count} image(s) lie directly in {}, for example {}: the label of an image is the name \
         of its folder, so put each in a folder named after its class",
        shown(folder),
        shown(example)
    )]
    Unlabelled {
        /// The folder.
        folder: PathBuf,
        /// One of them.
        example: PathBuf,
        /// How many there are.
        count: usize,
    },
    /// The name of a folder is no valid UTF-8, so it cannot be the name of a class.
    #[error(
        "the folder {} names a class, but its name is not valid UTF-8: rename it",
        shown(folder)
    )]
    ClassNotUtf8 {
        /// The folder.
        folder: PathBuf,
    },
    /// There is nothing to tell apart.
    #[error(
        "a classifier needs at least two classes, found {}: {} (in {}); expected one folder a \
         class, as in cat/1.jpg and dog/1.jpg, or labels of two kinds",
        classes.len(),
        listed(classes.iter()),
        shown(folder)
    )]
    TooFewClasses {
        /// The folder that was read.
        folder: PathBuf,
        /// The classes found or given.
        classes: Vec<String>,
    },
    /// The list of classes that was given cannot be used.
    #[error("bad list of classes: {reason}")]
    BadClasses {
        /// What is wrong with it.
        reason: String,
    },
    /// Images have labels that are not among the classes.
    #[error(
        "{} image(s) in {} have a label that is not among the classes: {}; the classes \
         are: {}. {hint}",
        parts(unknown),
        shown(folder),
        joined(unknown.iter().map(|d| format!("{} ({})", named(&d.label), d.items))),
        listed(known.iter())
    )]
    UnknownClasses {
        /// The folder of the images.
        folder: PathBuf,
        /// The labels, the number of items of each, and the first of these.
        unknown: Vec<Dropped>,
        /// The classes: those given, or those of the training images.
        known: Vec<String>,
        /// What to do about it.
        hint: String,
    },
    /// The label of an item cannot be used.
    #[error(
        "the label of {} cannot be used: expected {expected}, found {found}",
        shown(path)
    )]
    BadLabel {
        /// The file.
        path: PathBuf,
        /// What a label is like.
        expected: &'static str,
        /// The label.
        found: String,
    },
    /// There is not one label an item.
    #[error("expected {items} labels, one for each in the list, found {labels}")]
    LabelsMissing {
        /// The number of items.
        items: usize,
        /// The number of labels.
        labels: usize,
    },
    /// A regular expression cannot be used.
    #[error("the pattern \"{pattern}\" cannot be used: {reason}")]
    BadPattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A pattern is not found in a path.
    #[error(
        "failed to find \"{pattern}\" in {}: expected a path in which it captures the label; change \
         the pattern, or leave such files out (filter_by_func)",
        shown(path)
    )]
    PatternNotFound {
        /// The pattern.
        pattern: String,
        /// The file.
        path: PathBuf,
    },

    // ---- tables
    /// A CSV file is damaged or not in UTF-8.
    #[error("{}, line {line}: {reason}", shown(path))]
    BadCsv {
        /// The file.
        path: PathBuf,
        /// The line, from 1, on which the row begins.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// A CSV file has no row.
    #[error("{} has no row of data: expected one for each image", shown(path))]
    EmptyTable {
        /// The file.
        path: PathBuf,
    },
    /// A row has another number of cells than there are columns.
    #[error("row {row} has {found} cells, expected {expected}, one a column")]
    RaggedRow {
        /// The row, from 0.
        row: usize,
        /// The number of columns.
        expected: usize,
        /// The number of cells.
        found: usize,
    },
    /// A table has no such column.
    #[error(
        "{} has no column {column}: its columns are {}{hint}",
        shown(table),
        listed(known.iter())
    )]
    NoSuchColumn {
        /// The file, or "the table".
        table: PathBuf,
        /// The column asked for.
        column: Column,
        /// The names of the columns.
        known: Vec<String>,
        /// What seems to be between the cells, if all are in one column; else empty.
        hint: String,
    },
    /// More than one column of a table has the name that is asked for.
    #[error(
        "{} has {} columns called {}, at positions {}: ask for one by its position, as in \
         `.label_col({})`",
        shown(table),
        positions.len(),
        quoted(column),
        listed(positions.iter().map(usize::to_string)),
        positions.last().copied().unwrap_or_default()
    )]
    ColumnTwice {
        /// The file, or "the table".
        table: PathBuf,
        /// The name asked for.
        column: String,
        /// The columns that have it, from 0.
        positions: Vec<usize>,
    },
    /// A column is asked for, but the items do not come from a table.
    #[error(
        "there is no table to take column {column} from: the items have to come from one \
         (ImageList::from_csv or from_df)"
    )]
    NoTable {
        /// The column asked for.
        column: Column,
    },
    /// A cell of a table cannot be used.
    #[error(
        "{place}, column {}: expected {expected}, found {found}",
        quoted(column)
    )]
    BadCell {
        /// The line of the file, or the row of the table.
        place: String,
        /// The row, from 0.
        row: usize,
        /// The name of the column.
        column: String,
        /// What the cell should hold.
        expected: &'static str,
        /// What it holds.
        found: String,
    },
    /// Files that are named in a list are not there.
    #[error(
        "{count} file(s) are not there, the first is {} ({named_by}): check the root, the folder \
         and the suffix",
        shown(first)
    )]
    MissingFiles {
        /// How many.
        count: usize,
        /// The first of them.
        first: PathBuf,
        /// The line, row or item that names it.
        named_by: String,
    },
    /// A list of validation files names some that are not among the items.
    #[error(
        "{} names {count} file(s) that are not among the items in {}, the first is {}: \
         expected the name of a file, or its path under that folder",
        shown(list),
        shown(folder),
        quoted(first)
    )]
    UnknownFiles {
        /// The list.
        list: PathBuf,
        /// The first of them.
        first: String,
        /// How many.
        count: usize,
        /// The root of the items.
        folder: PathBuf,
    },
    /// The labels are of another kind than the one asked for.
    #[error(
        "the labels are {}, but {} is asked for: choose a loss and metrics for that kind of label",
        found.describe(),
        expected.describe()
    )]
    WrongTargets {
        /// The kind asked for.
        expected: TargetKind,
        /// The kind that the data has.
        found: TargetKind,
    },
    /// An image is in two parts of the data.
    #[error(
        "{count} image(s) are both {} and {} images, the first is {}: what is measured on them says \
         nothing, since they are trained on; name each file once, or choose folders that share none",
        parts[0], parts[1], shown(first)
    )]
    OnBothSides {
        /// The parts: training, validation, test.
        parts: [&'static str; 2],
        /// The first of them.
        first: PathBuf,
        /// How many there are.
        count: usize,
    },
    /// A split leaves one side empty.
    #[error("{split} of {items} image(s) leaves no {part} image: {hint}")]
    EmptySplit {
        /// The split that was asked for.
        split: String,
        /// The images there are.
        items: usize,
        /// The side that is empty.
        part: &'static str,
        /// What to do about it.
        hint: &'static str,
    },

    // ---- figures
    /// A figure without content.
    #[error("nothing to draw: {what}")]
    NothingToDraw {
        /// What is missing, and what to do.
        what: &'static str,
    },
    /// More pixels than a figure should have.
    #[error(
        "the figure would be {width} x {height} pixels, more than {limit} in all: draw fewer \
         items, or choose a smaller cell or scale"
    )]
    FigureTooLarge {
        /// Width in pixels.
        width: u64,
        /// Height in pixels.
        height: u64,
        /// Largest number of pixels.
        limit: u64,
    },
    /// The file name does not say which format is meant.
    #[error(
        "cannot save a figure as {}: the extension is {found:?}, expected .png or .svg",
        shown(path)
    )]
    FigureExtension {
        /// The file.
        path: PathBuf,
        /// Its extension, empty if there is none.
        found: String,
    },
    /// A picture could not be encoded.
    #[error("cannot encode the picture: {0}")]
    Encode(#[source] image::ImageError),

    // ---- configuration and loading
    /// An option is outside its range.
    #[error("bad {option}: expected {expected}, found {found}")]
    BadOption {
        /// The name of the option.
        option: &'static str,
        /// Its range.
        expected: &'static str,
        /// What was given.
        found: String,
    },
    /// `normalize` was called on data that is normalised already.
    #[error("the data is normalised already (mean {mean:?}, std {std:?}): normalise only once")]
    AlreadyNormalized {
        /// The mean in use.
        mean: [f32; 3],
        /// The standard deviation in use.
        std: [f32; 3],
    },
    /// The training set does not fill one batch.
    #[error(
        "the batch size is {batch_size}, but there are only {items} training image(s): an \
         incomplete last batch is dropped, so nothing would be trained on; lower the batch size"
    )]
    BatchLargerThanSet {
        /// The batch size.
        batch_size: usize,
        /// The training images.
        items: usize,
    },
    /// The data has no such images.
    #[error("the data has no {part} images: {hint}")]
    EmptyDataset {
        /// Which images were asked for.
        part: &'static str,
        /// Why there are none, or what to do.
        hint: &'static str,
    },
    /// There is no item of that index.
    #[error("there is no item {index}: the data set has {len} (counted from 0)")]
    NoSuchItem {
        /// The index.
        index: usize,
        /// The number of items.
        len: usize,
    },
    /// A worker thread of the loader could not be started or has ended early.
    #[error("a worker thread of the loader failed: {reason}")]
    Worker {
        /// What happened.
        reason: String,
    },
    /// A file does not hold a data set, or not all of it fits together.
    #[error(
        "{} cannot be loaded as data, at {field}: expected {expected}, found {found}; save the data \
         anew (`ImageDataBunch::save`)",
        shown(path)
    )]
    BadDataFile {
        /// The file.
        path: PathBuf,
        /// Where in it.
        field: String,
        /// What should be there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// The folder for the drawn digits holds something else.
    #[error(
        "{} is there already, but does not hold the digits asked for ({expected}): found {}; \
         delete it or choose another folder",
        shown(path),
        shown(found)
    )]
    NotTheDigits {
        /// The folder.
        path: PathBuf,
        /// The parameters asked for.
        expected: String,
        /// The parameters found.
        found: String,
    },
}

/// The message, as a program whose `main` returns this error prints it.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Names separated by commas, or `otherwise` when there are none.
fn list(names: &[&str], otherwise: &str) -> String {
    if names.is_empty() {
        otherwise.to_owned()
    } else {
        names.join(", ")
    }
}

/// "2 training and 3 validation".
fn parts(unknown: &[Dropped]) -> String {
    let mut parts: Vec<(&str, usize)> = Vec::new();
    for Dropped { part, items, .. } in unknown {
        match parts.iter_mut().find(|(name, _)| name == part) {
            Some((_, count)) => *count += items,
            None => parts.push((part, *items)),
        }
    }
    let parts: Vec<String> = parts
        .iter()
        .map(|(part, n)| format!("{n} {part}"))
        .collect();
    parts.join(" and ")
}

/// Turns an [`io::Error`] into an [`Error::Io`]: `fs::read(path).map_err(io_error("read", path))?`.
pub(crate) fn io_error<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> Error + 'a {
    move |source| Error::Io {
        action,
        path: path.to_owned(),
        source,
    }
}
