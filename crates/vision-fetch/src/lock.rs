//! A lock between processes, based on file locks of the operating system.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result, io_error};

/// Held until dropped, or until the process ends for any reason.
#[derive(Debug)]
pub(crate) struct FileLock {
    _file: File,
}

/// Takes the lock at `path`, and waits up to `patience` for the process that holds it.
///
/// The file itself stays. If it were deleted, a third process could lock a new file of that name
/// while a second one still waits for the old file.
pub(crate) fn acquire(path: &Path, patience: Duration) -> Result<FileLock> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(io_error("create the lock file", path))?;
    let start = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(FileLock { _file: file }),
            Err(TryLockError::WouldBlock) if start.elapsed() < patience => {
                thread::sleep(Duration::from_millis(20));
            }
            Err(TryLockError::WouldBlock) => {
                return Err(Error::Locked {
                    lock: path.to_owned(),
                    waited: start.elapsed(),
                });
            }
            Err(TryLockError::Error(source)) => return Err(io_error("lock", path)(source)),
        }
    }
}
