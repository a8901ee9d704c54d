//! Files that are whole or absent.

use std::{fs::File, io::Write, path::Path};

use crate::download::parent_of;
use crate::error::{Result, io_error};

/// Writes beside `path`, then renames.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let fail = |action| io_error(action, path);
    let folder = parent_of(path);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".vision-").suffix(".part");
    // Temporary files are for their owner only; this one gets the rights that files get here.
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
