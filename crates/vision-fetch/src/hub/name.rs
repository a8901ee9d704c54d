//! Names of repositories, revisions and files. They become URLs and paths, so each is checked.

use crate::hub::error::HubError;

/// The organization of names without one: it publishes timm's weights.
const TIMM: &str = "timm";
/// The longest name that the hub allows.
const LONGEST: usize = 96;
/// The longest revision or file name here.
const LONGEST_PATH: usize = 512;

/// `ORGANIZATION/NAME`, from that or a short name.
pub(crate) fn repository(given: &str) -> Result<String, HubError> {
    let bad = |reason| HubError::BadName {
        what: "repository",
        given: given.to_owned(),
        reason,
    };
    if given.contains("://") {
        return Err(bad(
            "expected ORGANIZATION/NAME, found a URL: take the last two parts of its path",
        ));
    }
    let (organization, name) = given.split_once('/').unwrap_or((TIMM, given));
    for part in [organization, name] {
        if part.is_empty() {
            return Err(bad(
                "expected ORGANIZATION/NAME, such as timm/resnet18.a1_in1k, or the name alone for timm's",
            ));
        }
        if part.contains('/') {
            return Err(bad("expected one slash, between organization and name"));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !part.chars().all(allowed) {
            return Err(bad("expected letters, digits, `-`, `_` and `.`"));
        }
        let ends = part.starts_with(['-', '.']) || part.ends_with(['-', '.']);
        if ends || part.contains("--") || part.contains("..") {
            return Err(bad(
                "`-` and `.` must not be at an end of a part, nor twice in a row",
            ));
        }
    }
    if organization.len() + 1 + name.len() > LONGEST {
        return Err(bad("expected at most 96 characters"));
    }
    Ok(format!("{organization}/{name}"))
}

/// A branch, tag or commit.
pub(crate) fn revision(given: &str) -> Result<(), HubError> {
    parts(given).map_err(|reason| HubError::BadName {
        what: "revision",
        given: given.to_owned(),
        reason,
    })
}

/// A file of a repository, perhaps in folders.
pub(crate) fn file(given: &str) -> Result<(), HubError> {
    parts(given).map_err(|reason| HubError::BadName {
        what: "file",
        given: given.to_owned(),
        reason,
    })
}

/// Checks a path with slashes, which must stay inside the folder that it is put in, on every system.
fn parts(given: &str) -> Result<(), &'static str> {
    if given.is_empty() || given.len() > LONGEST_PATH {
        return Err("expected 1 to 512 bytes");
    }
    for part in given.split('/') {
        if part.is_empty() || part.starts_with('.') || part.ends_with('.') {
            return Err(
                "expected parts between slashes that neither are empty nor begin or end with a dot",
            );
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.+=@ ".contains(c);
        if !part.chars().all(allowed) || part.starts_with(' ') || part.ends_with(' ') {
            return Err(
                "expected letters, digits, `-`, `_`, `.`, `+`, `=`, `@` and inner spaces, in parts with slashes",
            );
        }
    }
    Ok(())
}

/// Whether a revision is a whole commit: 40 lower-case hexadecimal digits.
pub(crate) fn is_commit(revision: &str) -> bool {
    is_hex(revision, 40)
}

/// Whether a text has so many lower-case hexadecimal digits and nothing else.
pub(crate) fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// A text as one segment of a URL's path, or with its slashes kept as several.
pub(crate) fn encoded(text: &str, keep_slashes: bool) -> String {
    let mut url = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'/' if keep_slashes => url.push('/'),
            b'-' | b'_' | b'.' | b'~' => url.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => url.push(char::from(byte)),
            byte => url.push_str(&format!("%{byte:02X}")),
        }
    }
    url
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_name_without_an_organization_is_one_of_timms() {
        for (given, expected) in [
            ("convnext_tiny.fb_in22k", "timm/convnext_tiny.fb_in22k"),
            ("timm/convnext_tiny.fb_in22k", "timm/convnext_tiny.fb_in22k"),
            ("microsoft/resnet-18", "microsoft/resnet-18"),
        ] {
            assert_eq!(repository(given).unwrap(), expected);
        }
    }

    #[test]
    fn names_that_would_leave_the_cache_or_the_hub_are_refused() {
        for bad in [
            "",
            "/",
            "a/",
            "/a",
            "a/b/c",
            "../a",
            "a/..",
            "a/b..c",
            "a/b--c",
            "a\\b",
            "a b",
            "ä/b",
            "a/b?c",
            "a/b#c",
            "a/-b",
            "a/b.",
            "https://huggingface.co/timm/resnet18.a1_in1k",
            "C:a/b",
        ] {
            assert!(repository(bad).is_err(), "{bad}");
        }
        assert!(repository(&"a".repeat(92)).is_err());
        for bad in [
            "", "..", "a/../b", "/a", "a//b", "a/", "a\\b", ".git", "C:", "a\nb", "a ", "a.",
            "%2e%2e",
        ] {
            assert!(revision(bad).is_err() && file(bad).is_err(), "{bad}");
        }
        for good in ["main", "refs/pr/1", "v1.0", "feature/x+y"] {
            revision(good).unwrap();
        }
        file("onnx/model.safetensors").unwrap();
    }

    #[test]
    fn urls_are_encoded_as_python_quotes_them() {
        // urllib.parse.quote("refs/pr/1", safe="") and quote("a b/c+d=e@f.txt").
        assert_eq!(encoded("refs/pr/1", false), "refs%2Fpr%2F1");
        assert_eq!(encoded("a b/c+d=e@f.txt", true), "a%20b/c%2Bd%3De%40f.txt");
    }
}
