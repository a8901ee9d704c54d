//! Files of the main process, copied to the others.

use std::fs;
use std::path::PathBuf;

use vision_base::io_error;

use crate::Result;
use crate::parallel::ranks::Ranks;

impl Ranks {
    /// Copies files of the main process, those of them that are there, to the same number of places that each other process
    /// names. Processes may run on machines with different disks.
    ///
    /// # Errors
    ///
    /// If a file cannot be read or written, and [`Error::LostRank`](crate::Error::LostRank).
    pub(crate) fn copy_files(&self, files: &[PathBuf]) -> Result<()> {
        for path in files {
            let exists = self.any([self.is_main() && path.exists()])?;
            if exists == [false] {
                continue;
            }
            let own = match self.is_main() {
                true => fs::read(path).map_err(io_error("read", path))?,
                false => Vec::new(),
            };
            let bytes = self.main_bytes(own)?;
            if !self.is_main() {
                fs::write(path, bytes).map_err(io_error("write", path))?;
            }
        }
        Ok(())
    }
}
