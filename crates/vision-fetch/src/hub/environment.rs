//! The environment variables of the hub's own tools.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use vision_base::OptionError;

use crate::download::OFFLINE_VARIABLE;
use crate::error::{Error, Result, io_error};
use crate::options::means_yes;

/// The address of the hub.
const ENDPOINT: &str = "https://huggingface.co";
/// The longest file that may hold a token.
const LONGEST_TOKEN_FILE: u64 = 1 << 16;

fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// Whether a switch is on, as the hub's tools read it: `1`, `ON`, `YES` or `TRUE`.
fn is_on(name: &str) -> bool {
    variable(name).is_some_and(|value| {
        let value = value.to_string_lossy().to_ascii_uppercase();
        ["1", "ON", "YES", "TRUE"].contains(&&*value)
    })
}

/// The hub's address.
pub(crate) fn endpoint() -> String {
    variable("HF_ENDPOINT").map_or_else(
        || ENDPOINT.to_owned(),
        |url| url.to_string_lossy().into_owned(),
    )
}

/// What forbids the network, if anything does.
pub(crate) fn offline() -> Option<&'static str> {
    // The tools read the second variable only if the first is empty.
    if variable("HF_HUB_OFFLINE").is_some() {
        if is_on("HF_HUB_OFFLINE") {
            return Some("HF_HUB_OFFLINE is set");
        }
    } else if is_on("TRANSFORMERS_OFFLINE") {
        return Some("TRANSFORMERS_OFFLINE is set");
    }
    let ours = env::var_os(OFFLINE_VARIABLE).is_some_and(|value| means_yes(&value));
    ours.then_some("VISION_OFFLINE is set")
}

/// Whether files are copied instead of linked.
pub(crate) fn without_links() -> bool {
    is_on("HF_HUB_DISABLE_SYMLINKS")
}

/// The folder of the hub's tools: `$HF_HOME`, or `huggingface` in `$XDG_CACHE_HOME` or `~/.cache`, on every system.
fn home() -> Result<PathBuf> {
    if let Some(folder) = variable("HF_HOME") {
        return expanded(&folder);
    }
    let caches = match variable("XDG_CACHE_HOME") {
        Some(folder) => expanded(&folder)?,
        None => user_home()?.join(".cache"),
    };
    Ok(caches.join("huggingface"))
}

fn user_home() -> Result<PathBuf> {
    let platform = etcetera::choose_base_strategy();
    let platform = platform.map_err(|_| Error::NoHome {
        variable: "HF_HOME",
    })?;
    Ok(platform.home_dir().to_owned())
}

/// A leading `~` is the user's folder, as in Python; the result is absolute.
fn expanded(folder: &OsString) -> Result<PathBuf> {
    let folder = Path::new(folder);
    let folder = match folder.strip_prefix("~") {
        Ok(rest) => user_home()?.join(rest),
        Err(_) => folder.to_owned(),
    };
    std::path::absolute(&folder).map_err(io_error("make absolute", &folder))
}

/// The folder of all repositories.
pub(crate) fn cache() -> Result<PathBuf> {
    match variable("HF_HUB_CACHE").or_else(|| variable("HUGGINGFACE_HUB_CACHE")) {
        Some(folder) => expanded(&folder),
        None => Ok(home()?.join("hub")),
    }
}

/// The user's token, if there is one.
pub(crate) fn token() -> Result<Option<String>> {
    if is_on("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
        return Ok(None);
    }
    for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
        if let Some(token) = variable(name) {
            let token = token.to_string_lossy();
            if let Some(token) = checked(name, &token)? {
                return Ok(Some(token));
            }
        }
    }
    let file = match variable("HF_TOKEN_PATH") {
        Some(file) => expanded(&file)?,
        None => match home() {
            Ok(home) => home.join("token"),
            Err(_) => return Ok(None),
        },
    };
    let is_short = |length| length <= LONGEST_TOKEN_FILE;
    if !fs::metadata(&file).is_ok_and(|found| found.is_file() && is_short(found.len())) {
        return Ok(None);
    }
    let text = fs::read_to_string(&file).map_err(io_error("read the token in", &file))?;
    checked("HF_TOKEN_PATH", &text)
}

/// A token without white space around it; none if nothing is left. Its value is never in a message.
fn checked(option: &'static str, text: &str) -> Result<Option<String>> {
    let token = text.trim();
    if token.is_empty() {
        return Ok(None);
    }
    if token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(Some(token.to_owned()));
    }
    let expected = "a token of the hub (hf_..): visible ASCII characters on one line";
    Err(OptionError::new(option, expected, "other characters").into())
}
