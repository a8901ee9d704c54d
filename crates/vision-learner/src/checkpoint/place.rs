//! Names and places of checkpoints.

use std::fs;
use std::io::BufReader;
use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use vision_base::message::{quoted, shown};
use vision_base::paths::open_file;
use vision_base::{OptionError, io_error};
use vision_models::weights::WeightsFile;

use crate::checkpoint::manifest::{Copied, KEY};
use crate::{Error, Result};

/// Rejects names that are not valid file names, such as "..", "dir/" and "".
pub(crate) fn check_name(name: &Path) -> Result<()> {
    let text = name.to_string_lossy();
    let ends_as_folder = text.ends_with(['/', MAIN_SEPARATOR]) || text.ends_with("/.");
    if name.file_name().is_none() || ends_as_folder {
        return Err(Error::Option(OptionError::new(
            "name",
            "the name of a file, such as \"stage-1\"",
            quoted(&text),
        )));
    }
    Ok(())
}

/// The file of a name in the folder of saved models. An absolute name stays as it is.
///
/// # Errors
///
/// As [`check_name`].
pub(crate) fn checkpoint_path(model_dir: &Path, name: &Path) -> Result<PathBuf> {
    check_name(name)?;
    let path = model_dir.join(name);
    Ok(match path.extension().and_then(|e| e.to_str()) {
        Some("safetensors" | "pth" | "pt" | "onnx") => path,
        // Not with_extension: a name such as `lr0.1` has no extension to replace.
        _ => {
            let mut with = path.into_os_string();
            with.push(".safetensors");
            with.into()
        }
    })
}

/// Makes the folder of a checkpoint.
pub(crate) fn make_folder(path: &Path) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|source| {
            io_error("create the folder", folder)(source)
                .with_hint("choose another one with .path(..) or .model_dir(..)")
        })?;
    }
    Ok(())
}

/// Rejects a name under which there are files that `save` has not written: a data bunch's `data.json`, weights from
/// elsewhere.
pub(crate) fn check_ours(path: &Path) -> Result<()> {
    let copy = &path.with_extension("json");
    let is_checkpoint = |path: &Path| {
        let file = WeightsFile::open(path);
        file.is_ok_and(|file| file.metadata(KEY).is_some())
    };
    let is_manifest = |path: &Path| {
        let text = open_file(path).ok();
        text.is_some_and(|text| serde_json::from_reader::<_, Copied>(BufReader::new(text)).is_ok())
    };
    let other = match (
        path.is_file() && !is_checkpoint(path),
        copy.is_file() && !is_manifest(copy),
    ) {
        (true, _) => path,
        (_, true) => copy,
        _ => return Ok(()),
    };
    Err(Error::Option(OptionError::new(
        "name",
        "one under which there is no other file than those of an earlier save",
        format!(
            "{}, which no save has written; choose another name, or move that file",
            shown(other)
        ),
    )))
}
