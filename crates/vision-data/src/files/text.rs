//! Files that a user names: read whole, within a limit, and as text.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use crate::error::{Result, io_error};

/// The byte order mark that some editors write before a text in UTF-8.
pub(crate) const MARK: &str = "\u{feff}";

/// More than any list, table or saved data set takes: two million images take a tenth of a GB.
const MOST_BYTES: u64 = 4 << 30;

/// The bytes of a regular file: a pipe or a device would never end.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>> {
    let refuse = |reason: &str| {
        let source = io::Error::new(io::ErrorKind::InvalidInput, reason.to_owned());
        Err(io_error("read", file)(source))
    };
    let metadata = fs::metadata(file).map_err(io_error("read", file))?;
    if !metadata.is_file() {
        return refuse("expected a file, found no regular file");
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

/// The lines of a list in UTF-8 that are not empty, without the spaces around them and without the byte
/// order mark that some editors write.
pub(crate) fn lines(file: &Path) -> Result<Vec<String>> {
    let text = String::from_utf8(read(file)?).map_err(|_| {
        let reason = "it is not valid UTF-8: save it as UTF-8";
        io_error("read", file)(io::Error::new(io::ErrorKind::InvalidData, reason))
    })?;
    let lines = without_mark(&text).lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty());
    Ok(lines.map(str::to_owned).collect())
}

/// A text without a byte order mark.
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix(MARK).unwrap_or(text)
}
