//! Files that are whole or absent.

use std::{fs::File, io::Write, path::Path};

use crate::{Error, Result};

/// Writes beside `path`, then renames.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let fail = |action| {
        move |source| Error::Io {
            action,
            path: path.to_owned(),
            source,
        }
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".figure-").suffix(".part");
    // Temporary files are for their owner only; a picture gets the rights that files get here.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder
        .tempfile_in(folder)
        .map_err(fail("create a file for"))?;
    file.write_all(bytes).map_err(fail("write"))?;
    // Before the rename: else a crash could leave the name with no content behind it.
    file.as_file().sync_all().map_err(fail("write"))?;
    file.persist(path).map_err(|e| fail("write")(e.error))?;
    // The name itself is safe once its folder is. Not every system can do this, and the file is there.
    if cfg!(unix) {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
    Ok(())
}
