//! URLs and the file names in them.

use crate::error::{Error, Result};

/// Whether a text begins with `http://` or `https://`.
pub fn is_http(text: &str) -> bool {
    let lower = text.get(..8).unwrap_or(text).to_ascii_lowercase();
    lower.starts_with("http://") || lower.starts_with("https://")
}

/// Rejects anything but an http or https URL.
pub(crate) fn check_url(url: &str) -> Result<()> {
    let bad = |reason| Error::BadUrl {
        url: url.to_owned(),
        reason,
    };
    if !is_http(url) {
        return Err(bad("it must begin with http:// or https://"));
    }
    if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(bad("it contains white space"));
    }
    Ok(())
}

/// The last segment of the URL's path, if it can be a file name.
pub fn file_name(url: &str) -> Result<&str> {
    check_url(url)?;
    let bad = |reason| Error::BadUrl {
        url: url.to_owned(),
        reason,
    };
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let after_scheme = path.split_once("://").map_or(path, |(_, rest)| rest);
    let Some((_host, path)) = after_scheme.split_once('/') else {
        return Err(bad("it names no file"));
    };
    match path.rsplit('/').next().unwrap_or("") {
        "" | "." | ".." => Err(bad("it names no file")),
        name if name.contains(['\\', ':']) => Err(bad("its last segment cannot be a file name")),
        name => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_file_name_is_the_last_segment_of_the_path() {
        for (url, name) in [
            ("http://host/a.tgz", "a.tgz"),
            ("HTTPS://host/x/y/b.pth?download=1#top", "b.pth"),
        ] {
            assert_eq!(file_name(url).unwrap(), name);
        }
    }

    #[test]
    fn a_url_without_a_usable_file_name_is_refused() {
        for url in [
            "",
            "a.tgz",
            "ftp://host/a.tgz",
            "file:///a.tgz",
            "http://host",
            "http://host/",
            "http://host/..",
            "http://host/a b",
            "http://host/c:\\a",
            "http://host?q=/a.tgz",
            "é",
        ] {
            assert!(
                matches!(file_name(url), Err(Error::BadUrl { .. })),
                "{url:?} was accepted"
            );
        }
    }
}
