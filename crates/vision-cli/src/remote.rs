//! DATA that is the URL of an archive.

use std::path::PathBuf;

use vision::base::message::shown;
use vision::data::datasets::{Dataset, untar_data};

use crate::failure::{Failure, Result};

/// What separates the URL from the hash of its file.
const FRAGMENT: &str = "#sha256=";
/// Digits of a SHA-256.
const DIGITS: usize = 64;

/// The folder with what is in the archive, which is downloaded and unpacked unless it is in the cache.
///
/// The hash is required: without one a server, or whoever sits in between, decides what is trained on, and the same command
/// may train on something else tomorrow.
pub(crate) fn folder(given: &str, digits: Option<&str>) -> Result<PathBuf> {
    let (url, fragment) = match given.split_once(FRAGMENT) {
        Some((url, digits)) => (url, Some(digits)),
        None => (given, None),
    };
    check_scheme(url)?;
    let digits = match (digits, fragment) {
        (Some(option), Some(fragment)) if !option.eq_ignore_ascii_case(fragment) => {
            return Err(Failure::usage(format!(
                "--sha256 and the end of {} name two hashes: give one",
                shown(given)
            )));
        }
        (digits, fragment) => digits.or(fragment).ok_or_else(|| without_hash(url))?,
    };
    if digits.len() != DIGITS || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Failure::usage(format!(
            "bad --sha256: expected the {DIGITS} hexadecimal digits of a SHA-256, found {} ({} characters)",
            shown(digits),
            digits.chars().count()
        )));
    }
    Ok(untar_data(Dataset::new(url).with_sha256(digits))?)
}

/// Plain http is for tests and mirrors on this machine: others could see what is downloaded.
fn check_scheme(url: &str) -> Result<()> {
    let lower = url.to_ascii_lowercase();
    let Some(rest) = lower.strip_prefix("http://") else {
        return Ok(());
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(inner) => inner.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    if ["localhost", "127.0.0.1", "::1"].contains(&host) {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{}: expected https://, found http://, which is for servers on this machine only",
        shown(url)
    )))
}

fn without_hash(url: &str) -> Failure {
    let name = vision::fetch::file_name(url).unwrap_or("FILE");
    Failure::usage(format!(
        "{} is downloaded only with the SHA-256 of the file, so that it is the same file each time: give it with --sha256 \
         DIGITS, or as {}{FRAGMENT}DIGITS. The publisher of the file may name it; if not, download the file once, look at \
         it, and run `sha256sum {name}` (macOS: `shasum -a 256 {name}`, Windows: `certutil -hashfile {name} SHA256`)",
        shown(url),
        shown(url),
        name = shown(name)
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_url_without_a_whole_hash_or_without_https_is_wrong_usage() {
        let digits = "0".repeat(64);
        let other = format!("https://h/a.tgz#sha256={}", "1".repeat(64));
        for (url, given, said) in [
            ("https://h/a.tgz", None, "sha256sum a.tgz"),
            ("https://h/a.tgz", Some("0123abcd"), "64 hexadecimal digits"),
            ("https://h/a.tgz#sha256=", None, "64 hexadecimal digits"),
            (&other, Some(&*digits), "two hashes"),
            ("http://example.org/a.tgz", Some(&*digits), "expected https"),
            (
                "http://localhost.org/a.tgz",
                Some(&*digits),
                "expected https",
            ),
            (
                "HTTP://user@127.0.0.1:80/a.tgz",
                Some(&*digits),
                "expected https",
            ),
            ("http://[::2]/a.tgz", Some(&*digits), "expected https"),
        ] {
            let failure = folder(url, given).unwrap_err();
            assert!(failure.message().contains(said), "{}", failure.message());
            assert_eq!(failure.code(), 2, "{url}");
        }
        for url in [
            "http://localhost:8000/a.tgz",
            "http://127.0.0.1/a",
            "http://[::1]:1/a",
        ] {
            check_scheme(url).unwrap();
        }
    }
}
