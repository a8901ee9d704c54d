//! Decides which entries of an archive are regular files and folders with safe names.

use std::collections::HashMap;
use std::io::{self, Read};

use tar::{Entry, EntryType};

/// Largest size that the classic header can hold; only an extended header can hold a larger one.
const MAX_USTAR_SIZE: u64 = 8 << 30;

/// What an entry becomes on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
}

/// Why an entry is rejected.
#[derive(Debug)]
pub(crate) enum Refusal {
    Unsafe { entry: String, reason: String },
    Unreadable(io::Error),
}

/// Cleaned relative name and kind of an entry. The name is `None` if there is nothing to extract.
pub(crate) fn inspect(entry: &mut Entry<'_, impl Read>) -> Result<(Option<String>, Kind), Refusal> {
    let raw = entry.path_bytes().into_owned();
    let refuse = |reason: &str| Refusal::Unsafe {
        entry: String::from_utf8_lossy(&raw).into_owned(),
        reason: reason.to_owned(),
    };
    check_extended_header(entry, &refuse)?;
    let kind = match entry.header().entry_type() {
        EntryType::XGlobalHeader => return Ok((None, Kind::File)),
        // In archives from before 1988, a folder is a file whose name ends in a slash.
        EntryType::Regular if raw.ends_with(b"/") => Kind::Folder,
        EntryType::Regular | EntryType::Continuous => Kind::File,
        EntryType::Directory => Kind::Folder,
        EntryType::Symlink => return Err(refuse("it is a symbolic link")),
        EntryType::Link => return Err(refuse("it is a hard link")),
        EntryType::Char | EntryType::Block => return Err(refuse("it is a device")),
        EntryType::Fifo => return Err(refuse("it is a pipe")),
        EntryType::GNUSparse => return Err(refuse("it is a sparse file")),
        other => {
            return Err(refuse(&format!(
                "it is neither a file nor a folder (type {:?})",
                char::from(other.as_byte())
            )));
        }
    };
    let name = std::str::from_utf8(&raw).map_err(|_| refuse("its name is not UTF-8"))?;
    let name = clean(name).map_err(&refuse)?;
    if name.is_empty() && kind == Kind::File {
        return Err(refuse("it is a file without a name"));
    }
    let mac_extra = name
        .split('/')
        .any(|part| part == "__MACOSX" || part.starts_with("._"));
    Ok(((!name.is_empty() && !mac_extra).then_some(name), kind))
}

/// The name without `.` and double slashes, if on every system it stays below the destination
/// folder.
pub(crate) fn clean(name: &str) -> Result<String, &'static str> {
    if name.chars().any(char::is_control) {
        return Err("its name holds control characters");
    }
    if name.starts_with('/') {
        return Err("its name is absolute");
    }
    if name.contains('\\') {
        return Err("its name holds a backslash, which separates folders on Windows");
    }
    let mut start = name.chars();
    if start.next().is_some_and(|c| c.is_ascii_alphabetic()) && start.next() == Some(':') {
        return Err("its name begins with a drive letter");
    }
    let mut parts = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err("its name leads out of the folder (`..`)"),
            part if cfg!(windows) && is_odd_on_windows(part) => {
                return Err("Windows gives its name a special meaning");
            }
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// Names with a special meaning on Windows: alternate streams, names that Windows shortens, and
/// device names.
fn is_odd_on_windows(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or(part).trim_end();
    let stem = stem.to_ascii_uppercase();
    let numbered = |device: &str| {
        stem.strip_prefix(device)
            .is_some_and(|n| n.len() == 1 && n.bytes().all(|b| b.is_ascii_digit()))
    };
    part.contains(['<', '>', ':', '"', '|', '?', '*'])
        || part.ends_with([' ', '.'])
        || matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL")
        || numbered("COM")
        || numbered("LPT")
}

/// Rejects extended (PAX) headers that two programs could read differently.
fn check_extended_header(
    entry: &mut Entry<'_, impl Read>,
    refuse: &impl Fn(&str) -> Refusal,
) -> Result<(), Refusal> {
    let global = entry.header().entry_type() == EntryType::XGlobalHeader;
    let stated = entry.header().entry_size().map_err(Refusal::Unreadable)?;
    let size = entry.size();
    let Some(records) = entry.pax_extensions().map_err(Refusal::Unreadable)? else {
        return Ok(());
    };
    let mut seen = Vec::new();
    for record in records {
        let record = record.map_err(|_| refuse("its extended header is malformed"))?;
        let key = record.key_bytes();
        if key.starts_with(b"GNU.sparse.") {
            return Err(refuse("it is a sparse file"));
        }
        if !matches!(key, b"path" | b"size" | b"linkpath") {
            continue;
        }
        if global {
            return Err(refuse("a header for all entries sets their name or size"));
        }
        if seen.contains(&key) {
            return Err(refuse("its extended header gives one property twice"));
        }
        seen.push(key);
        if key == b"size" {
            let given: Option<u64> = record.value().ok().and_then(|text| text.parse().ok());
            let same = given == Some(size) && (stated == size || size >= MAX_USTAR_SIZE);
            if !same {
                return Err(refuse("its two headers disagree about its size"));
            }
        }
    }
    Ok(())
}

/// The names so far, to detect entries that would overwrite each other.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Keyed by the lower-case name.
    taken: HashMap<String, (String, Kind)>,
    tops: Vec<(String, Kind)>,
}

impl Names {
    /// Registers a clean name and its parent folders, or says why it is rejected.
    pub(crate) fn claim(&mut self, name: &str, kind: Kind) -> Result<(), String> {
        for (end, _) in name.match_indices('/') {
            if let Some(folder) = name.get(..end) {
                self.enter(folder, Kind::Folder)?;
            }
        }
        if self.taken.get(&name.to_lowercase()) == Some(&(name.to_owned(), Kind::File)) {
            return Err("an earlier entry has the same name".to_owned());
        }
        self.enter(name, kind)
    }

    fn enter(&mut self, name: &str, kind: Kind) -> Result<(), String> {
        let lower = name.to_lowercase();
        match self.taken.get(&lower) {
            Some((earlier, _)) if earlier != name => {
                Err(format!("it differs only by case from {earlier:?}"))
            }
            Some((_, earlier)) if *earlier != kind => {
                Err("it is both a file and a folder".to_owned())
            }
            Some(_) => Ok(()),
            None => {
                if !name.contains('/') && self.tops.len() < 2 {
                    self.tops.push((name.to_owned(), kind));
                }
                self.taken.insert(lower, (name.to_owned(), kind));
                Ok(())
            }
        }
    }

    /// The folder that holds everything, if there is one.
    pub(crate) fn single_top_folder(&self) -> Option<String> {
        match self.tops.as_slice() {
            [(name, Kind::Folder)] => Some(name.clone()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn harmless_names_lose_only_what_means_nothing() {
        for (name, cleaned) in [
            ("a/b.png", "a/b.png"),
            ("./a//b/", "a/b"),
            ("..a/...", "..a/..."),
            ("ab:c.png", "ab:c.png"),
            ("é/3", "é/3"),
            ("./", ""),
        ] {
            assert_eq!(clean(name).unwrap(), cleaned);
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in [
            "/etc/passwd",
            "..",
            "a/../../b",
            "a/..",
            "..\\b",
            "c:/b",
            "C:b",
            "\\\\host\\share",
            "a\0b",
            "a\nb",
        ] {
            assert!(clean(name).is_err(), "{name:?} was accepted");
        }
    }

    #[test]
    fn windows_has_names_of_its_own() {
        for name in ["NUL", "con.png", "com1", "LPT9.txt", "a:b", "a.", "a "] {
            assert!(is_odd_on_windows(name), "{name:?}");
        }
        for name in ["3", "console.png", "common", "a.png", "com"] {
            assert!(!is_odd_on_windows(name), "{name:?}");
        }
    }

    #[test]
    fn two_names_that_one_file_system_takes_for_one_are_refused() {
        let mut names = Names::default();
        names.claim("top/A/1.png", Kind::File).unwrap();
        names.claim("top/A", Kind::Folder).unwrap();
        names.claim("top/A", Kind::Folder).unwrap();
        assert!(names.claim("top/A/1.png", Kind::File).is_err());
        assert!(names.claim("top/A/1.PNG", Kind::File).is_err());
        assert!(names.claim("top/a/2.png", Kind::File).is_err());
        assert!(names.claim("top/A/1.png/x", Kind::File).is_err());
        assert!(names.claim("top/A", Kind::File).is_err());
        assert_eq!(names.single_top_folder().as_deref(), Some("top"));
        names.claim("other", Kind::File).unwrap();
        assert_eq!(names.single_top_folder(), None);
    }
}
