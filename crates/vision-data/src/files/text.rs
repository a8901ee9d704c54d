//! Reads text files that a user names: whole, with a size limit.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use crate::error::{Result, io_error};

/// The byte order mark that some editors write at the start of UTF-8 text.
pub(crate) const MARK: &str = "\u{feff}";

/// The size limit. Lists, tables and saved data sets are smaller: two million images take 0.1 GB.
const MOST_BYTES: u64 = 4 << 30;

/// The bytes of a regular file. A pipe or a device is rejected: it might never end.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>> {
    let refuse = |reason: &str| {
        let source = io::Error::new(io::ErrorKind::InvalidInput, reason.to_owned());
        Err(io_error("read", file)(source))
    };
    let metadata = fs::metadata(file).map_err(io_error("read", file))?;
    if !metadata.is_file() {
        return refuse("expected a regular file, found something else");
    }
    if metadata.len() > MOST_BYTES {
        return refuse("expected at most 4 GiB");
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    File::open(file)
        .and_then(|open| open.take(MOST_BYTES).read_to_end(&mut bytes))
        .map_err(io_error("read", file))?;
    Ok(bytes)
}

/// The non-empty lines of a UTF-8 list, without surrounding spaces and without the byte order mark
/// that some editors write.
pub(crate) fn lines(file: &Path) -> Result<Vec<String>> {
    let text = String::from_utf8(read(file)?).map_err(|_| {
        let reason = "it is not valid UTF-8: save it as UTF-8";
        io_error("read", file)(io::Error::new(io::ErrorKind::InvalidData, reason))
    })?;
    let lines = without_mark(&text).lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty());
    Ok(lines.map(str::to_owned).collect())
}

/// Removes a byte order mark.
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix(MARK).unwrap_or(text)
}
